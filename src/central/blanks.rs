//! Blanks and their chips as they are stored, and how each is spelt.

use document::DocumentNumber;
use document::life_cycle::{BlankEvent, BlankState};
use profile::{DocumentProfile, NumberSource};
use sqlx::Row;

use crate::database::{Connection, DbRow, parsed};
use crate::error::{CentralError, Result, advance};
use crate::movements::Movement;
use crate::statements::sql;

/// A blank as it is stored.
pub(crate) struct Blank {
    /// What is printed on it.
    pub(crate) serial: String,
    pub(crate) state: BlankState,
    /// What it is, where its chips do not say it.
    pub(crate) article: Option<String>,
    /// The document number that its maker gave it.
    pub(crate) own_number: Option<DocumentNumber>,
    /// The place that it is at, or was at last.
    pub(crate) place: String,
    /// The station and the slot that it is in.
    pub(crate) slot: Option<(String, String)>,
    /// The document that it carries, finished or spoiled.
    pub(crate) document: Option<String>,
    pub(crate) has_chips: bool,
}

/// A chip of a blank as it is stored.
#[derive(Clone)]
pub(crate) struct BookedChip {
    pub(crate) serial: String,
    /// The serial number of its blank.
    pub(crate) blank: String,
    pub(crate) product: String,
}

impl Blank {
    pub(crate) async fn load(tx: &mut Connection, serial: &str) -> Result<Self> {
        let row = sqlx::query(sql!(
            "SELECT state, article, own_number, place, station, slot, document,
                    (SELECT count(*) FROM chip WHERE chip.blank = blank.serial) AS chips
             FROM blank WHERE serial = $1"
        ))
        .bind(serial)
        .fetch_optional(tx)
        .await?;
        let row = row.ok_or_else(|| CentralError::NotFound {
            what: format!("blank {serial}"),
        })?;
        let own_number: Option<&str> = row.get("own_number");
        let station: Option<String> = row.get("station");
        Ok(Self {
            serial: serial.to_owned(),
            state: parsed("a blank's state", row.get("state"))?,
            article: row.get("article"),
            own_number: own_number
                .map(|number| parsed("a blank's number", number))
                .transpose()?,
            place: row.get("place"),
            slot: station.zip(row.get("slot")),
            document: row.get("document"),
            has_chips: row.get::<i64, _>("chips") > 0,
        })
    }

    /// Demands that it is what a document profile wants: of its article, and numbered by its maker
    /// where the number comes from the blank, and only there.
    pub(crate) fn check_fits(&self, profile: &DocumentProfile) -> Result<()> {
        let serial = &self.serial;
        if self.article != profile.article {
            let named = |article: &Option<String>| match article {
                Some(article) => format!("of article \"{article}\""),
                None => "of no article".to_owned(),
            };
            return Err(CentralError::refused(format!(
                "blank {serial} is {}, and documents of profile \"{}\" are made of blanks {}; take another blank",
                named(&self.article),
                profile.name,
                named(&profile.article)
            )));
        }
        match (profile.number, self.own_number) {
            (NumberSource::Allotted, Some(number)) => Err(CentralError::refused(format!(
                "blank {serial} has number {number} from its maker, and documents of profile \"{}\" get theirs from a series; take another blank",
                profile.name
            ))),
            (NumberSource::Blank, None) => Err(CentralError::refused(format!(
                "blank {serial} has no number of its own, and documents of profile \"{}\" get theirs from the blank; take another blank",
                profile.name
            ))),
            _ => Ok(()),
        }
    }

    /// Demands that a slot may take it: from the store of its place, or loaded in that very slot.
    pub(crate) fn check_available(&self, station: &str, slot: &str) -> Result<()> {
        if advance(self.state, BlankEvent::Issue).is_err() {
            return Err(CentralError::refused(format!(
                "blank {} is {} in the books, not in stock; set it aside, and ask the stock-keeper",
                self.serial, self.state
            )));
        }
        match &self.slot {
            Some((loaded_at, loaded_in)) if loaded_at != station || loaded_in != slot => {
                Err(CentralError::refused(format!(
                    "blank {} is loaded in slot \"{loaded_in}\" of {loaded_at} in the books; set it aside, and ask the stock-keeper",
                    self.serial
                )))
            }
            _ => Ok(()),
        }
    }

    /// Demands that it is at the place where a station stands, as far as that is booked: one that is
    /// elsewhere in the books went a way that nobody signed for.
    ///
    /// # Errors
    /// [`CentralError::Refused`] where the books have the two at different places.
    pub(crate) async fn check_place(&self, tx: &mut Connection, station: &str) -> Result<()> {
        let office: Option<String> =
            sqlx::query_scalar(sql!("SELECT office FROM station_office WHERE station = $1"))
                .bind(station)
                .fetch_optional(tx)
                .await?;
        match office {
            Some(office) if office != self.place => Err(CentralError::refused(format!(
                "blank {} is at {} in the books, and station {station} stands at {office}; set it aside, and have the stock-keepers book its way: zimogs central stock move and take-in",
                self.serial, self.place
            ))),
            _ => Ok(()),
        }
    }

    /// Binds it to a lease of a slot.
    pub(crate) async fn issue(
        &mut self,
        tx: &mut Connection,
        (station, slot): (&str, &str),
        movement: Movement<'_>,
    ) -> Result<()> {
        self.check_issuable(tx, (station, slot)).await?;
        let movement = movement.into_slot(station, slot);
        self.apply(tx, BlankEvent::Issue, &movement).await
    }

    /// Demands that a lease of a slot may have it.
    pub(crate) async fn check_issuable(
        &self,
        tx: &mut Connection,
        (station, slot): (&str, &str),
    ) -> Result<()> {
        self.check_available(station, slot)?;
        self.check_place(tx, station).await
    }

    /// Returns its chips in the order of their places.
    pub(crate) async fn chips(&self, tx: &mut Connection) -> Result<Vec<BookedChip>> {
        let rows = sqlx::query(sql!(
            "SELECT serial, blank, product FROM chip WHERE blank = $1 ORDER BY position"
        ))
        .bind(&self.serial)
        .fetch_all(tx)
        .await?;
        Ok(rows.iter().map(BookedChip::read).collect())
    }

    /// Notes which document the blank carries, finished or spoiled.
    pub(crate) async fn carries(
        &self,
        tx: &mut Connection,
        document: &str,
        number: DocumentNumber,
    ) -> Result<()> {
        sqlx::query(sql!(
            "UPDATE blank SET document = $1, number = $2 WHERE serial = $3"
        ))
        .bind(document)
        .bind(number.to_string())
        .bind(&self.serial)
        .execute(tx)
        .await?;
        Ok(())
    }
}

impl BookedChip {
    fn read(row: &DbRow) -> Self {
        Self {
            serial: row.get("serial"),
            blank: row.get("blank"),
            product: row.get("product"),
        }
    }

    pub(crate) async fn find(tx: &mut Connection, serial: &str) -> Result<Option<Self>> {
        let row = sqlx::query(sql!(
            "SELECT serial, blank, product FROM chip WHERE serial = $1"
        ))
        .bind(serial)
        .fetch_optional(tx)
        .await?;
        Ok(row.as_ref().map(Self::read))
    }
}

/// Returns a chip's serial number in its one spelling: hexadecimal in capitals.
pub(crate) fn chip_serial(serial: &str) -> Result<String> {
    let length = serial.len();
    let sound = (2..=64).contains(&length)
        && length.is_multiple_of(2)
        && serial.bytes().all(|byte| byte.is_ascii_hexdigit());
    if sound {
        Ok(serial.to_ascii_uppercase())
    } else {
        Err(CentralError::invalid(
            "a chip's serial number is 1 to 32 bytes in hexadecimal",
        ))
    }
}

/// Returns a blank's serial number in its one spelling: in capitals.
pub(crate) fn blank_serial(serial: &str) -> Result<String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if (1..=32).contains(&serial.len()) && serial.bytes().all(allowed) {
        Ok(serial.to_ascii_uppercase())
    } else {
        Err(CentralError::invalid(
            "a blank's serial number is 1 to 32 of A-Z, 0-9 and -, as it is printed on it",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serials_have_one_spelling() {
        assert_eq!(chip_serial("409078610a0b").unwrap(), "409078610A0B");
        for wrong in ["", "0", "0g", "010", &"00".repeat(33), " 00"] {
            assert!(chip_serial(wrong).is_err(), "{wrong}");
        }
        assert_eq!(blank_serial("lv-0001").unwrap(), "LV-0001");
        assert_eq!(blank_serial(&"9".repeat(32)).unwrap().len(), 32);
        for wrong in ["", " ", "LV 1", "LV_1", "LĀ1", &"9".repeat(33)] {
            assert!(blank_serial(wrong).is_err(), "{wrong}");
        }
    }
}

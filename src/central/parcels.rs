//! Parcels as they are stored: what is in each, who had it in hands, and how it went.

use std::collections::BTreeSet;

use document::life_cycle::{ParcelEvent, ParcelState};
use document::{DocumentNumber, Kind, OfficeCode};
use jiff::Timestamp;
use sqlx::Row;

use crate::accounts::Person;
use crate::database::{Connection, DbRow, moment, parsed};
use crate::error::{CentralError, Result, advance};
use crate::expected::tag_of;
use crate::statements::sql;

/// A parcel in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParcelLine {
    /// Its serial number, which stands on it.
    pub serial: String,
    /// The office that it goes to.
    pub office: String,
    /// Its state.
    pub state: ParcelState,
    /// When it was opened.
    pub opened: Timestamp,
    /// How it went.
    pub way: Option<String>,
    /// When it left.
    pub sent: Option<Timestamp>,
    /// When it was counted in.
    pub received: Option<Timestamp>,
    /// The numbers of the documents in it, in order, and what became of each: `packed`, `arrived` or
    /// `missing`.
    pub documents: Vec<(String, String)>,
}

/// What is in a sealed parcel, for the list that goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParcelContent {
    /// Its serial number.
    pub serial: String,
    /// The name of the place that sends it.
    pub from: String,
    /// The office that it goes to: its code, and its name where the books have one.
    pub office: (String, Option<String>),
    /// When it was sealed.
    pub sealed: Timestamp,
    /// How it went, once it did.
    pub way: Option<String>,
    /// The documents that were counted into it, by number.
    pub documents: Vec<(DocumentNumber, Kind)>,
}

impl ParcelContent {
    /// Loads that of the parcel of this serial number, which a place sends.
    ///
    /// # Errors
    /// [`CentralError::Conflict`] for one that is open, lost or given up; [`CentralError::NotFound`].
    pub(crate) async fn load(tx: &mut Connection, serial: &str, from: &OfficeCode) -> Result<Self> {
        let parcel = Parcel::load(tx, serial).await?;
        if !matches!(
            parcel.state,
            ParcelState::Sealed | ParcelState::UnderWay | ParcelState::Received
        ) {
            return Err(CentralError::conflict(format!(
                "parcel {} is {}: a list is of what was counted and sealed",
                parcel.serial, parcel.state
            )));
        }
        let row = sqlx::query(sql!(
            "SELECT p.sealed, p.way, o.name, (SELECT s.name FROM place s WHERE s.code = $1) AS sender
             FROM parcel p LEFT JOIN place o ON o.code = p.office WHERE p.serial = $2"
        ))
        .bind(from.as_str())
        .bind(&parcel.serial)
        .fetch_one(&mut *tx)
        .await?;
        let sender: Option<String> = row.get("sender");
        let sender = sender.ok_or_else(|| CentralError::NotFound {
            what: "place of this code".to_owned(),
        })?;
        let sealed: Option<i64> = row.get("sealed");
        let sealed =
            sealed.ok_or_else(|| CentralError::damaged("a sealed parcel without a seal"))?;
        let rows = sqlx::query(sql!(
            "SELECT c.number, d.kind FROM parcel_document c JOIN document d ON d.id = c.document WHERE c.parcel = $1 ORDER BY c.number"
        ))
        .bind(&parcel.serial)
        .fetch_all(tx)
        .await?;
        let documents = rows.iter().map(|row| {
            Ok((
                parsed("a document's number", row.get("number"))?,
                parsed("a document's kind", row.get("kind"))?,
            ))
        });
        Ok(Self {
            from: sender,
            office: (parcel.office, row.get("name")),
            sealed: moment(sealed)?,
            way: row.get("way"),
            documents: documents.collect::<Result<_>>()?,
            serial: parcel.serial,
        })
    }
}

/// A parcel as it is stored.
pub(crate) struct Parcel {
    pub(crate) serial: String,
    pub(crate) office: String,
    pub(crate) state: ParcelState,
}

/// A document that is in a parcel, or was when it was counted in.
pub(crate) struct Packed {
    pub(crate) document: String,
    pub(crate) number: String,
}

impl ParcelLine {
    /// Returns the tag of what is shown of it.
    #[must_use]
    pub fn tag(&self) -> String {
        tag_of(&format!("{self:?}"))
    }
}

impl Parcel {
    /// Loads the one of this serial number.
    pub(crate) async fn load(tx: &mut Connection, serial: &str) -> Result<Self> {
        let row = sqlx::query(sql!(
            "SELECT serial, office, state FROM parcel WHERE serial = $1"
        ))
        .bind(serial.to_ascii_uppercase())
        .fetch_optional(tx)
        .await?;
        // The serial number is not repeated: what a caller sends may be anything.
        let row = row.ok_or_else(|| CentralError::NotFound {
            what: "parcel of this serial number".to_owned(),
        })?;
        Ok(Self {
            serial: row.get("serial"),
            office: row.get("office"),
            state: parsed("a parcel's state", row.get("state"))?,
        })
    }

    /// Loads the parcel that a document is in under the number that it has now, or was missed in.
    pub(crate) async fn of_document(tx: &mut Connection, document: &str) -> Result<Option<Self>> {
        let serial: Option<String> = sqlx::query_scalar(sql!("SELECT d.parcel FROM parcel_document d JOIN parcel p ON p.serial = d.parcel
             WHERE d.document = $1 AND d.state IN ('packed', 'missing')
               AND d.number = (SELECT number FROM document WHERE id = d.document) ORDER BY p.opened DESC, p.serial DESC LIMIT 1"))
        .bind(document)
        .fetch_optional(&mut *tx)
        .await?;
        match serial {
            Some(serial) => Self::load(tx, &serial).await.map(Some),
            None => Ok(None),
        }
    }

    /// Moves the parcel on.
    pub(crate) async fn apply(&mut self, tx: &mut Connection, event: ParcelEvent) -> Result<()> {
        let next = advance(self.state, event)?;
        let changed = sqlx::query(sql!(
            "UPDATE parcel SET state = $1 WHERE serial = $2 AND state = $3"
        ))
        .bind(next.name())
        .bind(&self.serial)
        .bind(self.state.name())
        .execute(tx)
        .await?;
        if changed.rows_affected() != 1 {
            return Err(CentralError::conflict(
                "the parcel changed meanwhile; ask again",
            ));
        }
        self.state = next;
        Ok(())
    }

    /// Returns what is in it, by number.
    pub(crate) async fn content(&self, tx: &mut Connection) -> Result<Vec<Packed>> {
        let rows = sqlx::query(sql!("SELECT document, number FROM parcel_document WHERE parcel = $1 AND state = 'packed' ORDER BY number"))
        .bind(&self.serial)
        .fetch_all(tx)
        .await?;
        let packed = |row: &DbRow| Packed {
            document: row.get("document"),
            number: row.get("number"),
        };
        Ok(rows.iter().map(packed).collect())
    }

    /// Notes what became of a document in it.
    pub(crate) async fn note(
        &self,
        tx: &mut Connection,
        number: &str,
        state: &'static str,
    ) -> Result<()> {
        sqlx::query(sql!(
            "UPDATE parcel_document SET state = $1 WHERE parcel = $2 AND number = $3"
        ))
        .bind(state)
        .bind(&self.serial)
        .bind(number)
        .execute(tx)
        .await?;
        Ok(())
    }

    /// Notes that a person had it in hands before it left.
    pub(crate) async fn touched(&self, tx: &mut Connection, person: &Person) -> Result<()> {
        sqlx::query(sql!("INSERT INTO parcel_hand (parcel, person) VALUES ($1, $2) ON CONFLICT (parcel, person) DO NOTHING"))
            .bind(&self.serial)
            .bind(&person.id)
            .execute(tx)
            .await?;
        Ok(())
    }

    /// Demands that a person did not have it in hands before it left.
    pub(crate) async fn check_counted_by_another(
        &self,
        tx: &mut Connection,
        person: &Person,
    ) -> Result<()> {
        let had: i64 = sqlx::query_scalar(sql!(
            "SELECT count(*) FROM parcel_hand WHERE parcel = $1 AND person = $2"
        ))
        .bind(&self.serial)
        .bind(&person.id)
        .fetch_one(tx)
        .await?;
        match had {
            0 => Ok(()),
            _ => Err(CentralError::refused(
                "nobody counts in what they packed, sealed or sent; another person must receive the parcel",
            )),
        }
    }

    /// Demands that no PIN envelope of a document in it goes, or went, the same way.
    pub(crate) async fn check_no_envelope(&self, tx: &mut Connection, way: &str) -> Result<()> {
        let with_pins: Option<String> = sqlx::query_scalar(sql!("SELECT e.serial FROM envelope e JOIN parcel_document d ON d.document = e.document
             WHERE d.parcel = $1 AND d.state = 'packed' AND (lower(e.way) = lower($2) OR lower(e.way) = lower($3))
             ORDER BY e.serial LIMIT 1"))
        .bind(&self.serial)
        .bind(way)
        .bind(&self.serial)
        .fetch_optional(tx)
        .await?;
        match with_pins {
            None => Ok(()),
            Some(envelope) => Err(CentralError::refused(format!(
                "PIN envelope {envelope} of a document in it goes this way; a parcel goes another way than the PINs of its cards"
            ))),
        }
    }
}

/// Returns the next serial number.
pub(crate) async fn next_serial(tx: &mut Connection) -> Result<String> {
    let last: i64 = sqlx::query_scalar(sql!(
        "UPDATE parcel_series SET last = last + 1 WHERE id = 1 RETURNING last"
    ))
    .fetch_one(tx)
    .await?;
    Ok(format!("PA{last:07}"))
}

const LINE: &str = "SELECT serial, office, state, opened, way, sent, received FROM parcel";

/// Those that did not arrive yet; in these words the database knows the index of them.
const UNDER_WAY: &str = "state IN ('open', 'sealed', 'under-way')";

/// Returns up to `limit` parcels whose serial numbers come after `after`, in their order.
pub(crate) async fn page(
    tx: &mut Connection,
    all: bool,
    after: &str,
    limit: u32,
) -> Result<Vec<ParcelLine>> {
    let page = match all {
        true => sql!(LINE, " WHERE serial > $1 ORDER BY serial LIMIT $2"),
        false => sql!(
            LINE,
            " WHERE serial > $1 AND ",
            UNDER_WAY,
            " ORDER BY serial LIMIT $2"
        ),
    };
    let rows = sqlx::query(page)
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&mut *tx)
        .await?;
    lines(tx, &rows).await
}

/// Loads the line of one parcel.
pub(crate) async fn line(tx: &mut Connection, serial: &str) -> Result<ParcelLine> {
    let rows = sqlx::query(sql!(LINE, " WHERE serial = $1"))
        .bind(serial.to_ascii_uppercase())
        .fetch_all(&mut *tx)
        .await?;
    let line = lines(tx, &rows).await?.pop();
    line.ok_or_else(|| CentralError::NotFound {
        what: "parcel of this serial number".to_owned(),
    })
}

/// Reads parcels with their documents.
async fn lines(tx: &mut Connection, rows: &[DbRow]) -> Result<Vec<ParcelLine>> {
    let mut parcels = Vec::new();
    for row in rows {
        let at = |column| {
            let at: Option<i64> = row.get(column);
            at.map(moment).transpose()
        };
        let serial: String = row.get("serial");
        let documents = sqlx::query(sql!(
            "SELECT number, state FROM parcel_document WHERE parcel = $1 ORDER BY number"
        ))
        .bind(&serial)
        .fetch_all(&mut *tx)
        .await?;
        let document = |row: &DbRow| (row.get("number"), row.get("state"));
        parcels.push(ParcelLine {
            office: row.get("office"),
            state: parsed("a parcel's state", row.get("state"))?,
            opened: moment(row.get("opened"))?,
            way: row.get("way"),
            sent: at("sent")?,
            received: at("received")?,
            documents: documents.iter().map(document).collect(),
            serial,
        });
    }
    Ok(parcels)
}

/// What a count of a parcel differs by from the books.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    /// In the books and not counted.
    pub(crate) missing: BTreeSet<String>,
    /// Counted and not in the books.
    pub(crate) surplus: BTreeSet<String>,
}

impl Difference {
    /// Compares what is in a parcel with what was counted.
    pub(crate) fn of(content: &[Packed], counted: &BTreeSet<String>) -> Self {
        let booked: BTreeSet<String> = content.iter().map(|one| one.number.clone()).collect();
        Self {
            missing: booked.difference(counted).cloned().collect(),
            surplus: counted.difference(&booked).cloned().collect(),
        }
    }

    pub(crate) fn is_none(&self) -> bool {
        self.missing.is_empty() && self.surplus.is_empty()
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let listed = |numbers: &BTreeSet<String>| {
            let numbers: Vec<_> = numbers.iter().map(String::as_str).collect();
            numbers.join(", ")
        };
        let mut parts = Vec::new();
        if !self.missing.is_empty() {
            parts.push(format!("missing: {}", listed(&self.missing)));
        }
        if !self.surplus.is_empty() {
            parts.push(format!("not in the books: {}", listed(&self.surplus)));
        }
        f.write_str(&parts.join("; "))
    }
}

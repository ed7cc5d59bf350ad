//! PIN envelopes: items of their own, sealed to the printer's key, printed once, sent another way
//! than their cards.

use api::Actor;
use audit::Control;
use document::life_cycle::{EnvelopeEvent, EnvelopeState};
use document::{Act, DocumentNumber, four_eyes};
use jiff::Timestamp;
use sqlx::Row;

use crate::accounts::{Person, authorise};
use crate::applications::check_cause;
use crate::central::Central;
use crate::contention::retried;
use crate::database::{Connection, DbRow, moment, parsed, stored};
use crate::documents::Document;
use crate::error::{CentralError, Result, advance};
use crate::expected::tag_of;
use crate::scribe::Deed;
use crate::statements::sql;

/// An envelope in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvelopeLine {
    /// Its serial number.
    pub serial: String,
    /// The number of its document at that time.
    pub number: String,
    /// Where it stands.
    pub state: EnvelopeState,
    /// How it was sent.
    pub way: Option<String>,
    /// Since when it stands there.
    pub since: Timestamp,
}

impl EnvelopeLine {
    /// Returns the tag of what is shown of it.
    #[must_use]
    pub fn tag(&self) -> String {
        tag_of(&format!("{self:?}"))
    }

    pub(crate) async fn load(tx: &mut Connection, serial: &str) -> Result<Self> {
        let row = sqlx::query(sql!(
            "SELECT serial, number, state, way, changed FROM envelope WHERE serial = $1"
        ))
        .bind(serial)
        .fetch_optional(tx)
        .await?;
        Self::read(&row.ok_or_else(|| CentralError::NotFound {
            what: "PIN envelope of this serial number".into(),
        })?)
    }

    fn read(row: &DbRow) -> Result<Self> {
        Ok(Self {
            serial: row.get("serial"),
            number: row.get("number"),
            state: parsed("an envelope's state", row.get("state"))?,
            way: row.get("way"),
            since: moment(row.get("changed"))?,
        })
    }
}

/// Returns what an envelope is sealed for: it opens for this document number only.
pub(crate) fn context(number: DocumentNumber) -> Vec<u8> {
    format!("document {number}").into_bytes()
}

/// Takes the next serial number of envelopes.
pub(crate) async fn next_serial(tx: &mut Connection) -> Result<String> {
    let last: i64 = sqlx::query_scalar(sql!(
        "UPDATE envelope_series SET last = last + 1 WHERE id = 1 RETURNING last"
    ))
    .fetch_one(tx)
    .await?;
    Ok(format!("PE{last:07}"))
}

/// An envelope as it is stored.
pub(crate) struct Envelope {
    pub(crate) serial: String,
    pub(crate) chip: String,
    pub(crate) number: String,
    pub(crate) state: EnvelopeState,
    pub(crate) sealed: Option<Vec<u8>>,
}

pub(crate) const COLUMNS: &str = "SELECT serial, chip, number, state, sealed FROM envelope";

impl Envelope {
    pub(crate) fn read(row: &DbRow) -> Result<Self> {
        Ok(Self {
            serial: row.get("serial"),
            chip: row.get("chip"),
            number: row.get("number"),
            state: parsed("an envelope's state", row.get("state"))?,
            sealed: row.get("sealed"),
        })
    }

    /// Finds the envelope of this serial number.
    pub(crate) async fn find(tx: &mut Connection, serial: &str) -> Result<Self> {
        let row = sqlx::query(sql!(COLUMNS, " WHERE serial = $1"))
            .bind(serial)
            .fetch_optional(tx)
            .await?;
        let row = row.ok_or_else(|| CentralError::NotFound {
            what: "PIN envelope of this serial number".into(),
        })?;
        Self::read(&row)
    }

    /// Finds the one whose PINs open a document's chip; while there is none, the one that will.
    pub(crate) async fn of_document(tx: &mut Connection, number: DocumentNumber) -> Result<Self> {
        let row = sqlx::query(sql!(COLUMNS, " WHERE number = $1 AND state NOT IN ('void', 'destroyed') ORDER BY state = 'sealed', serial LIMIT 1"))
        .bind(number.to_string())
        .fetch_optional(tx)
        .await?;
        let row = row.ok_or_else(|| CentralError::NotFound {
            what: format!("PIN envelope of document {number}"),
        })?;
        Self::read(&row)
    }

    /// Moves the envelope on. What it holds is deleted once it is not to be printed any more.
    pub(crate) async fn apply(
        &mut self,
        tx: &mut Connection,
        event: EnvelopeEvent,
        now: Timestamp,
    ) -> Result<()> {
        self.state = advance(self.state, event)?;
        let holds = matches!(
            self.state,
            EnvelopeState::Sealed | EnvelopeState::Ready | EnvelopeState::Printing
        );
        sqlx::query(sql!("UPDATE envelope SET state = $1, sealed = CASE WHEN $2 THEN sealed END, changed = $3 WHERE serial = $4"))
            .bind(self.state.name())
            .bind(holds)
            .bind(stored(now))
            .bind(&self.serial)
            .execute(tx)
            .await?;
        Ok(())
    }

    pub(crate) fn deed(&self, action: &'static str, control: Control) -> Deed {
        Deed::new(action, control, "envelope", &self.serial).with("document", &self.number)
    }
}

pub(crate) const CONTROL: Control = Control::AUTHENTICATION_INFORMATION;

impl Central {
    /// Notes that the printer has printed and sealed an envelope: what it holds is deleted here.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is an envelope clerk; [`CentralError::Conflict`]
    /// for one that is not being printed; [`CentralError::NotFound`].
    pub async fn envelope_printed(&self, actor: &Actor, serial: &str) -> Result<()> {
        let moved = Moved {
            act: Act::PrintEnvelope,
            event: EnvelopeEvent::Finish,
            action: "envelope.printed",
            detail: None,
        };
        self.move_envelope(actor, serial, moved).await
    }

    /// Notes that the printer took nothing of an envelope, which may then be printed again.
    ///
    /// # Errors
    /// As [`Central::envelope_printed`]; [`CentralError::Invalid`] without a cause.
    pub async fn envelope_not_printed(
        &self,
        actor: &Actor,
        serial: &str,
        cause: &str,
    ) -> Result<()> {
        check_cause(cause)?;
        let moved = Moved {
            act: Act::PrintEnvelope,
            event: EnvelopeEvent::Return,
            action: "envelope.not-printed",
            detail: Some(("cause", cause)),
        };
        self.move_envelope(actor, serial, moved).await
    }

    /// Notes that an envelope is on its way, apart from its card; `way` says how: a consignment's
    /// number, say.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is an envelope clerk; [`CentralError::Invalid`]
    /// without a way; [`CentralError::Conflict`] for one that is not printed, and while nobody knows
    /// whether its PINs are still the chip's; [`CentralError::NotFound`].
    pub async fn dispatch_envelope(&self, actor: &Actor, serial: &str, way: &str) -> Result<()> {
        check_way(way)?;
        let moved = Moved {
            act: Act::DispatchEnvelope,
            event: EnvelopeEvent::Dispatch,
            action: "envelope.dispatched",
            detail: Some(("way", way)),
        };
        self.move_envelope(actor, serial, moved).await
    }

    /// Notes that the holder has the envelope.
    ///
    /// # Errors
    /// As [`Central::dispatch_envelope`].
    pub async fn deliver_envelope(&self, actor: &Actor, serial: &str) -> Result<()> {
        let moved = Moved {
            act: Act::DispatchEnvelope,
            event: EnvelopeEvent::Deliver,
            action: "envelope.delivered",
            detail: None,
        };
        self.move_envelope(actor, serial, moved).await
    }

    async fn move_envelope(&self, actor: &Actor, serial: &str, moved: Moved<'_>) -> Result<()> {
        let deed = Deed::new(moved.action, CONTROL, "envelope", serial);
        let result = retried!(self.try_move_envelope(actor, serial, &moved));
        self.settle(actor, &deed, result).await
    }

    async fn try_move_envelope(
        &self,
        actor: &Actor,
        serial: &str,
        moved: &Moved<'_>,
    ) -> Result<()> {
        let mut tx = self.write().await?;
        authorise(&mut tx, actor, moved.act).await?;
        let mut envelope = Envelope::find(&mut tx, serial).await?;
        envelope.apply(&mut tx, moved.event, self.now()).await?;
        if moved.event == EnvelopeEvent::Dispatch {
            let document = Document::numbered(&mut tx, &envelope.number).await?;
            self.check_pins_known(&mut tx, &document).await?;
        }
        let mut deed = envelope.deed(moved.action, CONTROL);
        if let Some((name, detail)) = moved.detail {
            if name == "way" {
                check_apart_from_card(&mut tx, &envelope.number, detail).await?;
            }
            deed = deed.with(name, detail);
            if name == "way" {
                sqlx::query(sql!("UPDATE envelope SET way = $1 WHERE serial = $2"))
                    .bind(detail)
                    .bind(serial)
                    .execute(&mut *tx)
                    .await?;
            }
        }
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Notes that an envelope was destroyed, before a witness: another account.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is an envelope clerk, and where the witness is
    /// the same person or nobody; [`CentralError::Invalid`] without a cause;
    /// [`CentralError::Conflict`] for one that was never on paper, or is no more;
    /// [`CentralError::NotFound`].
    pub async fn destroy_envelope(
        &self,
        actor: &Actor,
        serial: &str,
        witness: &str,
        cause: &str,
    ) -> Result<()> {
        let deed = Deed::new("envelope.destroyed", Control::DELETION, "envelope", serial);
        let result = retried!(self.try_destroy(actor, serial, witness, cause));
        self.settle(actor, &deed, result).await
    }

    async fn try_destroy(
        &self,
        actor: &Actor,
        serial: &str,
        witness: &str,
        cause: &str,
    ) -> Result<()> {
        check_cause(cause)?;
        let mut tx = self.write().await?;
        let person = authorise(&mut tx, actor, Act::DispatchEnvelope).await?;
        let witness = Person::witness(&mut tx, self.presence(), witness).await?;
        four_eyes(&person.name, &witness.name).map_err(|_| {
            CentralError::refused("an envelope is destroyed before a witness; name another person")
        })?;
        let mut envelope = Envelope::find(&mut tx, serial).await?;
        envelope
            .apply(&mut tx, EnvelopeEvent::Destroy, self.now())
            .await?;
        let deed = envelope
            .deed("envelope.destroyed", Control::DELETION)
            .with("witness", &witness.id)
            .with("cause", cause);
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Returns envelopes by serial number behind `after`, at most `limit`, of one state or of all.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is an envelope clerk or sees reports.
    pub async fn envelopes_after(
        &self,
        actor: &Actor,
        state: Option<EnvelopeState>,
        after: &str,
        limit: u32,
    ) -> Result<Vec<EnvelopeLine>> {
        let mut tx = self.read().await?;
        if authorise(&mut tx, actor, Act::DispatchEnvelope)
            .await
            .is_err()
        {
            authorise(&mut tx, actor, Act::ViewReports).await?;
        }
        let sql = match state {
            Some(_) => {
                sql!(
                    "SELECT serial, number, state, way, changed FROM envelope WHERE serial > $1 AND state = $3 ORDER BY serial LIMIT $2"
                )
            }
            None => {
                sql!(
                    "SELECT serial, number, state, way, changed FROM envelope WHERE serial > $1 ORDER BY serial LIMIT $2"
                )
            }
        };
        let query = sqlx::query(sql).bind(after).bind(i64::from(limit));
        let query = match state {
            Some(state) => query.bind(state.name()),
            None => query,
        };
        let rows = query.fetch_all(&mut *tx).await?;
        rows.iter().map(EnvelopeLine::read).collect()
    }
}

/// A move of an envelope, by whom it may be made, and what the log says of it.
struct Moved<'a> {
    act: Act,
    event: EnvelopeEvent,
    action: &'static str,
    detail: Option<(&'static str, &'a str)>,
}

/// Checks how something was sent: it goes into the log, which holds nothing about a holder.
pub(crate) fn check_way(way: &str) -> Result<()> {
    let is_reference = (1..=40).contains(&way.len())
        && way
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-./_".contains(&byte));
    match is_reference {
        true => Ok(()),
        false => Err(CentralError::invalid(
            "a way is one word of at most 40 letters and digits: a consignment's number, \"post\", \"courier-7\"; never a name or an address",
        )),
    }
}

/// Demands that an envelope goes another way than the parcel that its card is in, or was.
async fn check_apart_from_card(tx: &mut Connection, number: &str, way: &str) -> Result<()> {
    let with_card: i64 = sqlx::query_scalar(sql!(
        "SELECT count(*) FROM parcel p JOIN parcel_document d ON d.parcel = p.serial
         WHERE d.number = $1 AND (lower(p.way) = lower($2) OR lower(p.serial) = lower($2))"
    ))
    .bind(number)
    .bind(way)
    .fetch_one(tx)
    .await?;
    match with_card {
        0 => Ok(()),
        _ => Err(CentralError::refused(
            "the parcel with its card goes this way; an envelope goes another way than its card",
        )),
    }
}

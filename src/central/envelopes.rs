//! PIN envelopes: items of their own, sealed to the printer's key, printed once, sent another way
//! than their cards.

use std::collections::BTreeSet;
use std::fmt;

use api::Actor;
use audit::Control;
use document::life_cycle::{EnvelopeEvent, EnvelopeState};
use document::{Act, DocumentNumber, OfficeCode, Record, four_eyes};
use hsm::{EnvelopeKey, PinSet};
use jiff::Timestamp;
use profile::{ObjectKind, PinKind};
use sqlx::{AssertSqlSafe, Row};
use zeroize::Zeroizing;

use crate::accounts::{Person, authorise};
use crate::applications::{self, check_cause};
use crate::blanks::BookedChip;
use crate::central::Central;
use crate::contention::retried;
use crate::database::{Connection, DbRow, Write, moment, parsed, stored};
use crate::documents::Document;
use crate::error::{CentralError, Result, advance};
use crate::lease::Held;
use crate::scribe::Deed;

/// What a printer gets of an envelope.
#[derive(Clone)]
pub struct PrintJob {
    /// The envelope's serial number, which stands on it.
    pub serial: String,
    /// The document's number.
    pub number: DocumentNumber,
    /// The holder's name, as on the document.
    pub holder: Zeroizing<String>,
    /// The office that hands the document over.
    pub office: OfficeCode,
    /// The PINs in the order in which they are printed.
    pub pins: Vec<PrintedPin>,
    /// The PINs (an [`hsm::PinSet`]), sealed to the printer's key.
    pub sealed: Vec<u8>,
    /// What they are sealed for.
    pub context: Vec<u8>,
}

/// What a letter says of a PIN beside its digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrintedPin {
    /// Its name in the PIN set.
    pub name: String,
    /// What the holder calls it.
    pub title: String,
    /// Whether the holder must change it before the first use.
    pub must_change: bool,
}

impl fmt::Debug for PrintJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrintJob({})", self.serial)
    }
}

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
    let last: i64 = sqlx::query_scalar(
        "UPDATE envelope_series SET last = last + 1 WHERE id = 1 RETURNING last",
    )
    .fetch_one(tx)
    .await?;
    Ok(format!("PE{last:07}"))
}

/// An envelope as it is stored.
struct Envelope {
    serial: String,
    chip: String,
    number: String,
    state: EnvelopeState,
    sealed: Option<Vec<u8>>,
}

const COLUMNS: &str = "SELECT serial, chip, number, state, sealed FROM envelope";

impl Envelope {
    fn read(row: &DbRow) -> Result<Self> {
        Ok(Self {
            serial: row.get("serial"),
            chip: row.get("chip"),
            number: row.get("number"),
            state: parsed("an envelope's state", row.get("state"))?,
            sealed: row.get("sealed"),
        })
    }

    /// Finds the envelope of this serial number.
    async fn find(tx: &mut Connection, serial: &str) -> Result<Self> {
        let row = sqlx::query(AssertSqlSafe(format!("{COLUMNS} WHERE serial = $1")))
            .bind(serial)
            .fetch_optional(tx)
            .await?;
        let row = row.ok_or_else(|| CentralError::NotFound {
            what: "PIN envelope of this serial number".into(),
        })?;
        Self::read(&row)
    }

    /// Finds the one whose PINs open a document's chip; while there is none, the one that will.
    async fn of_document(tx: &mut Connection, number: DocumentNumber) -> Result<Self> {
        let row = sqlx::query(AssertSqlSafe(format!(
            "{COLUMNS} WHERE number = $1 AND state NOT IN ('void', 'destroyed') ORDER BY state = 'sealed', serial LIMIT 1"
        )))
        .bind(number.to_string())
        .fetch_optional(tx)
        .await?;
        let row = row.ok_or_else(|| CentralError::NotFound {
            what: format!("PIN envelope of document {number}"),
        })?;
        Self::read(&row)
    }

    /// Moves the envelope on. What it holds is deleted once it is not to be printed any more.
    async fn apply(
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
        sqlx::query("UPDATE envelope SET state = $1, sealed = CASE WHEN $2 THEN sealed END, changed = $3 WHERE serial = $4")
            .bind(self.state.name())
            .bind(holds)
            .bind(stored(now))
            .bind(&self.serial)
            .execute(tx)
            .await?;
        Ok(())
    }

    fn deed(&self, action: &'static str, control: Control) -> Deed {
        Deed::new(action, control, "envelope", &self.serial).with("document", &self.number)
    }
}

const CONTROL: Control = Control::AUTHENTICATION_INFORMATION;

impl Central {
    /// Gives a document's PINs to the printer: sealed, and to one printer once. How the printing
    /// ended is to be said by [`Central::envelope_printed`] or [`Central::envelope_not_printed`];
    /// after a crash in between nobody knows whether there is paper, and the envelope must be
    /// [destroyed](Central::destroy_envelope).
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is an envelope clerk; [`CentralError::Conflict`]
    /// while the chip did not confirm its PINs, and where they were printed before: a holder
    /// without them gets new ones; [`CentralError::NotFound`] for a document without PINs.
    pub async fn print_envelope(&self, actor: &Actor, number: &str) -> Result<PrintJob> {
        let deed = Deed::new("envelope.printing", CONTROL, "document", number);
        let result = retried!(self.try_print(actor, number));
        self.settle(actor, &deed, result).await
    }

    async fn try_print(&self, actor: &Actor, number: &str) -> Result<PrintJob> {
        let mut tx = self.write().await?;
        authorise(&mut tx, actor, Act::PrintEnvelope).await?;
        let document = Document::numbered(&mut tx, number).await?;
        let mut envelope = Envelope::of_document(&mut tx, document.number()).await?;
        match envelope.state {
            EnvelopeState::Ready => self.check_pins_known(&mut tx, &document).await?,
            EnvelopeState::Sealed => {
                return Err(CentralError::conflict(
                    "the chip has not confirmed these PINs; wait for the end of its personalization",
                ));
            }
            EnvelopeState::Printing => {
                return Err(CentralError::conflict(format!(
                    "envelope {} went to a printer, and nobody said how that ended: look for it, and destroy it before a witness",
                    envelope.serial
                )));
            }
            _ => {
                return Err(CentralError::conflict(format!(
                    "envelope {} was printed; it is never printed again: a holder without it gets new PINs",
                    envelope.serial
                )));
            }
        }
        let record = self.open_record(&mut tx, &document).await?;
        let pins = self.printed_pins(&mut tx, &record, &envelope).await?;
        let office = applications::office(&mut tx, &document.application).await?;
        envelope
            .apply(&mut tx, EnvelopeEvent::Print, self.now())
            .await?;
        self.record(
            &mut tx,
            Some(actor),
            &envelope.deed("envelope.printing", CONTROL),
        )
        .await?;
        tx.commit().await?;
        let holder = &record.holder;
        Ok(PrintJob {
            holder: Zeroizing::new(format!(
                "{} {}",
                holder.given_names.upper(),
                holder.surname.upper()
            )),
            office,
            number: document.number(),
            pins,
            sealed: envelope
                .sealed
                .ok_or_else(|| CentralError::damaged("an envelope without content"))?,
            context: context(document.number()),
            serial: envelope.serial,
        })
    }

    /// Returns what a letter says of each PIN of an envelope.
    async fn printed_pins(
        &self,
        tx: &mut Connection,
        record: &Record,
        envelope: &Envelope,
    ) -> Result<Vec<PrintedPin>> {
        let chip = BookedChip::find(tx, &envelope.chip).await?;
        let chip = chip.ok_or_else(|| CentralError::damaged("an envelope without its chip"))?;
        let profile = self.document_profile(record.kind)?;
        let plan = self.plan(profile, &chip.product, record)?;
        let pins = plan.pins.iter().map(|(name, ..)| {
            let object = plan.chip.object(ObjectKind::Pin, name);
            let demand = plan.pin_demands.get(name);
            PrintedPin {
                title: object.map_or_else(|| name.clone(), |object| object.title.clone()),
                must_change: demand.is_some_and(|demand| demand.kind == PinKind::Transport),
                name: name.clone(),
            }
        });
        Ok(pins.collect())
    }

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
                sqlx::query("UPDATE envelope SET way = $1 WHERE serial = $2")
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
        let person = authorise(&mut tx, actor, Act::PrintEnvelope).await?;
        let witness = Person::witness(&mut tx, witness).await?;
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

    /// Opens what a printer got through the token, for an installation whose printer has no key of
    /// its own.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is an envelope clerk, and for an envelope that
    /// is not being printed; [`CentralError::Envelope`] for content that is another document's, or
    /// sealed to a printer's own key.
    pub async fn open_envelope(&self, actor: &Actor, job: &PrintJob) -> Result<PinSet> {
        let deed = Deed::new("envelope.opened", CONTROL, "envelope", &job.serial);
        let result = retried!(self.try_open_envelope(actor, &deed, job));
        self.settle(actor, &deed, result).await
    }

    async fn try_open_envelope(
        &self,
        actor: &Actor,
        deed: &Deed,
        job: &PrintJob,
    ) -> Result<PinSet> {
        let mut tx = self.write().await?;
        authorise(&mut tx, actor, Act::PrintEnvelope).await?;
        let envelope = Envelope::find(&mut tx, &job.serial).await?;
        if envelope.state != EnvelopeState::Printing {
            return Err(CentralError::refused(
                "only an envelope that is being printed is opened",
            ));
        }
        // The entry first: nobody sees a PIN of which the log does not say so.
        self.record(&mut tx, Some(actor), deed).await?;
        tx.commit().await?;
        // The store's own, not what a caller brings.
        let sealed = envelope
            .sealed
            .ok_or_else(|| CentralError::damaged("an envelope without content"))?;
        let number = envelope
            .number
            .parse()
            .map_err(|_| CentralError::damaged("a document's number"))?;
        self.opened(sealed, context(number)).await
    }

    async fn opened(&self, sealed: Vec<u8>, context: Vec<u8>) -> Result<PinSet> {
        let (token, label) = (self.token(), self.labels().envelope.clone());
        let content = self
            .blocking(move || token.open_envelope(&label, &sealed, &context))
            .await??;
        PinSet::decode(&content).map_err(|_| CentralError::damaged("an envelope's content"))
    }

    /// Returns the envelopes, the last first.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is an envelope clerk or sees reports.
    pub async fn envelopes(&self, actor: &Actor) -> Result<Vec<EnvelopeLine>> {
        let mut tx = self.read().await?;
        if authorise(&mut tx, actor, Act::DispatchEnvelope)
            .await
            .is_err()
        {
            authorise(&mut tx, actor, Act::ViewReports).await?;
        }
        let rows = sqlx::query(
            "SELECT serial, number, state, way, changed FROM envelope ORDER BY serial DESC",
        )
        .fetch_all(&mut *tx)
        .await?;
        rows.iter().map(EnvelopeLine::read).collect()
    }

    /// Returns envelopes by serial number behind `after`, at most `limit`, of one state or of all.
    ///
    /// # Errors
    /// As [`Central::envelopes`].
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
                "SELECT serial, number, state, way, changed FROM envelope WHERE serial > $1 AND state = $3 ORDER BY serial LIMIT $2"
            }
            None => {
                "SELECT serial, number, state, way, changed FROM envelope WHERE serial > $1 ORDER BY serial LIMIT $2"
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

    /// Makes the envelope of a chip whose PINs are all set ready for printing; of what was kept to
    /// set them, the PUKs stay.
    pub(crate) async fn confirm_envelope(
        &self,
        tx: &mut Write,
        held: &Held,
        chip: &BookedChip,
    ) -> Result<()> {
        let row = sqlx::query(
            "SELECT serial, chip, number, state, sealed, kept FROM envelope WHERE lease = $1 AND chip = $2 AND state = 'sealed'",
        )
        .bind(held.id.to_string())
        .bind(&chip.serial)
        .fetch_optional(&mut **tx)
        .await?;
        // The envelope stands with the first of the stages that set PINs.
        let row = row.ok_or_else(|| CentralError::damaged("PINs without their envelope"))?;
        let mut envelope = Envelope::read(&row)?;
        let number = held
            .number
            .parse()
            .map_err(|_| CentralError::damaged("a document's number"))?;
        let kept: Option<Vec<u8>> = row.get("kept");
        let puks = match kept {
            Some(kept) => self.puks(chip, kept, context(number)).await?,
            None => None,
        };
        envelope
            .apply(tx, EnvelopeEvent::Confirm, self.now())
            .await?;
        sqlx::query("UPDATE envelope SET kept = $1 WHERE serial = $2")
            .bind(puks)
            .bind(&envelope.serial)
            .execute(&mut **tx)
            .await?;
        Ok(())
    }

    /// Returns the PUKs of what was kept, sealed again; nothing where there are none.
    async fn puks(
        &self,
        chip: &BookedChip,
        kept: Vec<u8>,
        context: Vec<u8>,
    ) -> Result<Option<Vec<u8>>> {
        let profile = self.chip(&chip.product)?;
        let names: BTreeSet<&str> = profile
            .objects(ObjectKind::Pin)
            .filter_map(|pin| profile.pin_rules(&pin.name)?.puk.as_deref())
            .collect();
        let all = self.opened(kept, context.clone()).await?;
        let puks = all.only(|name| names.contains(name));
        if puks.iter().next().is_none() {
            return Ok(None);
        }
        let content = puks
            .encode()
            .map_err(|error| CentralError::refused(error.to_string()))?;
        let own: &EnvelopeKey = &self.envelope_keys().own;
        Ok(Some(own.seal(&content, &context)?))
    }

    /// Deletes the PUK of a document that is handed over: from then on its holder alone has it.
    pub(crate) async fn delete_puk(
        &self,
        tx: &mut Write,
        actor: &Actor,
        document: &Document,
    ) -> Result<()> {
        let deleted =
            sqlx::query("UPDATE envelope SET kept = NULL WHERE document = $1 AND kept IS NOT NULL")
                .bind(&document.id)
                .execute(&mut **tx)
                .await?;
        if deleted.rows_affected() > 0 {
            let number = document.number();
            let deed = Deed::new("puk.deleted", Control::DELETION, "document", number);
            self.record(tx, Some(actor), &deed).await?;
        }
        Ok(())
    }

    /// Demands that a document that has PINs has an envelope with them, or had: its holder could not
    /// use it.
    pub(crate) async fn check_envelope(
        &self,
        tx: &mut Connection,
        document: &Document,
    ) -> Result<()> {
        let row = sqlx::query(
            "SELECT count(*) AS whole, count(CASE WHEN state NOT IN ('void', 'destroyed') THEN 1 END) AS alive FROM envelope WHERE number = $1",
        )
        .bind(document.number().to_string())
        .fetch_one(tx)
        .await?;
        match (row.get::<i64, _>("whole"), row.get::<i64, _>("alive")) {
            (1.., 0) => Err(CentralError::conflict(
                "its PIN envelope was destroyed, and nobody has its PINs: give the document new PINs first",
            )),
            _ => Ok(()),
        }
    }

    /// Takes the PINs of a number whose blank was given up out of the world: those that are not on
    /// paper are destroyed, the others are void and wait for a person.
    pub(crate) async fn annul_envelopes(
        &self,
        tx: &mut Write,
        actor: &Actor,
        number: DocumentNumber,
    ) -> Result<()> {
        let rows = sqlx::query(AssertSqlSafe(format!(
            "{COLUMNS} WHERE number = $1 AND state NOT IN ('void', 'destroyed')"
        )))
        .bind(number.to_string())
        .fetch_all(&mut **tx)
        .await?;
        self.annul(tx, Some(actor), &rows, "the blank was given up")
            .await?;
        // Of paper that was destroyed before, the PUK was kept.
        sqlx::query("UPDATE envelope SET kept = NULL WHERE number = $1")
            .bind(number.to_string())
            .execute(&mut **tx)
            .await?;
        Ok(())
    }

    /// Takes the PINs that a chip had before a lease for new ones out of the world: its letters open
    /// nothing any more, wherever they are.
    pub(crate) async fn annul_envelopes_before(
        &self,
        tx: &mut Write,
        actor: &Actor,
        held: &Held,
    ) -> Result<()> {
        let rows = sqlx::query(AssertSqlSafe(format!(
            "{COLUMNS} WHERE document = $1 AND lease <> $2 AND state NOT IN ('void', 'destroyed')"
        )))
        .bind(&held.document)
        .bind(held.id.to_string())
        .fetch_all(&mut **tx)
        .await?;
        self.annul(tx, Some(actor), &rows, "the chip has new PINs")
            .await?;
        sqlx::query("UPDATE envelope SET kept = NULL WHERE document = $1 AND lease <> $2")
            .bind(&held.document)
            .bind(held.id.to_string())
            .execute(&mut **tx)
            .await?;
        Ok(())
    }

    /// Takes the letters of a document that ended out of the world, as far as its holder has them
    /// not: nobody is to send or deliver them any more.
    pub(crate) async fn annul_undelivered(
        &self,
        tx: &mut Write,
        actor: Option<&Actor>,
        document: &Document,
    ) -> Result<()> {
        let rows = sqlx::query(AssertSqlSafe(format!(
            "{COLUMNS} WHERE document = $1 AND state NOT IN ('delivered', 'void', 'destroyed')"
        )))
        .bind(&document.id)
        .fetch_all(&mut **tx)
        .await?;
        self.annul(tx, actor, &rows, "the document ended").await
    }

    /// Destroys the PINs of a lease that no chip confirmed.
    pub(crate) async fn annul_unconfirmed(
        &self,
        tx: &mut Write,
        actor: Option<&Actor>,
        held: &Held,
    ) -> Result<()> {
        let rows = sqlx::query(AssertSqlSafe(format!(
            "{COLUMNS} WHERE lease = $1 AND state = 'sealed'"
        )))
        .bind(held.id.to_string())
        .fetch_all(&mut **tx)
        .await?;
        self.annul(tx, actor, &rows, "the chip did not confirm them")
            .await
    }

    async fn annul(
        &self,
        tx: &mut Write,
        actor: Option<&Actor>,
        rows: &[DbRow],
        cause: &str,
    ) -> Result<()> {
        for row in rows {
            let mut envelope = Envelope::read(row)?;
            envelope.apply(tx, EnvelopeEvent::Annul, self.now()).await?;
            let deed = match envelope.state {
                EnvelopeState::Destroyed => envelope.deed("envelope.destroyed", Control::DELETION),
                _ => envelope.deed("envelope.void", CONTROL),
            };
            self.record(tx, actor, &deed.with("cause", cause)).await?;
        }
        Ok(())
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
    let with_card: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM parcel p JOIN parcel_document d ON d.parcel = p.serial
         WHERE d.number = $1 AND (lower(p.way) = lower($2) OR lower(p.serial) = lower($2))",
    )
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

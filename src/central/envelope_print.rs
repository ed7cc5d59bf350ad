//! What a printer gets of a PIN envelope, once, and how it is opened for one without a key of its own.

use std::fmt;

use api::Actor;
use document::life_cycle::{EnvelopeEvent, EnvelopeState};
use document::{Act, DocumentNumber, OfficeCode, Record};
use hsm::PinSet;
use profile::{ObjectKind, PinKind};
use zeroize::Zeroizing;

use crate::accounts::authorise;
use crate::applications::{self};
use crate::blanks::BookedChip;
use crate::central::Central;
use crate::contention::retried;
use crate::database::Connection;
use crate::documents::Document;
use crate::envelopes::{CONTROL, Envelope, context};
use crate::error::{CentralError, Result};
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

    pub(crate) async fn opened(&self, sealed: Vec<u8>, context: Vec<u8>) -> Result<PinSet> {
        let (token, label) = (self.token(), self.labels().envelope.clone());
        let content = self
            .blocking(move || token.open_envelope(&label, &sealed, &context))
            .await??;
        PinSet::decode(&content).map_err(|_| CentralError::damaged("an envelope's content"))
    }
}

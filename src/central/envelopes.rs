//! PIN envelopes: sealed to the envelope key, handed out once, opened by the token alone.

use std::fmt;
use std::str::FromStr;

use api::Actor;
use audit::Control;
use document::{Act, DocumentNumber};
use hsm::PinSet;
use sqlx::{Row, SqliteConnection};

use crate::accounts::authorise;
use crate::central::Central;
use crate::database::{parsed, stored};
use crate::documents::Document;
use crate::error::{CentralError, Result};
use crate::scribe::Deed;

/// Where a PIN envelope stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnvelopeState {
    /// Its PINs are on their way to the chip: not proved to be on it.
    Sealed,
    /// The chip confirmed them: it may be printed.
    Ready,
    /// It went to the printer. It is not given again.
    HandedOut,
    /// Its chip was spoiled, and what it held is deleted.
    Destroyed,
}

impl EnvelopeState {
    const ALL: [Self; 4] = [Self::Sealed, Self::Ready, Self::HandedOut, Self::Destroyed];

    /// Returns the state's wire name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sealed => "sealed",
            Self::Ready => "ready",
            Self::HandedOut => "handed-out",
            Self::Destroyed => "destroyed",
        }
    }
}

impl fmt::Display for EnvelopeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Says that a text names no state of an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an envelope is sealed, ready, handed-out or destroyed")]
pub struct UnknownEnvelopeState;

impl FromStr for EnvelopeState {
    type Err = UnknownEnvelopeState;

    fn from_str(text: &str) -> std::result::Result<Self, UnknownEnvelopeState> {
        Self::ALL
            .into_iter()
            .find(|state| state.name() == text)
            .ok_or(UnknownEnvelopeState)
    }
}

/// Returns what an envelope is sealed for: it opens for this document number only.
pub(crate) fn context(number: DocumentNumber) -> Vec<u8> {
    format!("document {number}").into_bytes()
}

impl Central {
    /// Gives a document's PIN envelope to the printer: sealed, and once.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is an envelope clerk, and where it was given
    /// before; [`CentralError::Conflict`] while the chip did not confirm its PINs;
    /// [`CentralError::NotFound`] for a document without PINs.
    pub async fn envelope(&self, actor: &Actor, number: &str) -> Result<Vec<u8>> {
        let deed = Deed::new(
            "envelope.handed-out",
            Control::AUTHENTICATION_INFORMATION,
            "document",
            number,
        );
        let result = self.try_envelope(actor, &deed, number).await;
        self.settle(actor, &deed, result).await
    }

    async fn try_envelope(&self, actor: &Actor, deed: &Deed, number: &str) -> Result<Vec<u8>> {
        let mut tx = self.write().await?;
        authorise(&mut tx, actor, Act::PrintEnvelope).await?;
        let document = Document::numbered(&mut tx, number).await?;
        let row = sqlx::query(
            "SELECT state, sealed FROM envelope WHERE number = ? AND state <> 'destroyed'",
        )
        .bind(document.number().to_string())
        .fetch_optional(&mut *tx)
        .await?;
        let row = row.ok_or_else(|| CentralError::NotFound {
            what: format!("PIN envelope of document {}", document.number()),
        })?;
        match parsed("an envelope's state", row.get("state"))? {
            EnvelopeState::Ready => {}
            EnvelopeState::HandedOut => {
                return Err(CentralError::refused(
                    "this envelope was handed out already; a holder without it gets new PINs",
                ));
            }
            EnvelopeState::Sealed | EnvelopeState::Destroyed => {
                return Err(CentralError::conflict(
                    "the chip has not confirmed these PINs; wait for the end of its personalization",
                ));
            }
        }
        sqlx::query("UPDATE envelope SET state = 'handed-out', changed = ? WHERE number = ? AND state = 'ready'")
            .bind(stored(self.now()))
            .bind(document.number().to_string())
            .execute(&mut *tx)
            .await?;
        self.record(&mut tx, Some(actor), deed).await?;
        let sealed: Option<Vec<u8>> = row.get("sealed");
        tx.commit().await?;
        sealed.ok_or_else(|| CentralError::damaged("an envelope without content"))
    }

    /// Opens an envelope through the token, for an installation whose printer has no key of its
    /// own.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is an envelope clerk, and for an envelope that
    /// was not handed out; [`CentralError::Envelope`] for one that is another document's.
    pub async fn open_envelope(
        &self,
        actor: &Actor,
        number: &str,
        sealed: &[u8],
    ) -> Result<PinSet> {
        let deed = Deed::new(
            "envelope.opened",
            Control::AUTHENTICATION_INFORMATION,
            "document",
            number,
        );
        let result = self.try_open_envelope(actor, &deed, number, sealed).await;
        self.settle(actor, &deed, result).await
    }

    async fn try_open_envelope(
        &self,
        actor: &Actor,
        deed: &Deed,
        number: &str,
        sealed: &[u8],
    ) -> Result<PinSet> {
        let mut tx = self.write().await?;
        authorise(&mut tx, actor, Act::PrintEnvelope).await?;
        let document = Document::numbered(&mut tx, number).await?;
        let state: Option<String> = sqlx::query_scalar(
            "SELECT state FROM envelope WHERE number = ? AND state <> 'destroyed'",
        )
        .bind(document.number().to_string())
        .fetch_optional(&mut *tx)
        .await?;
        if state.as_deref() != Some(EnvelopeState::HandedOut.name()) {
            return Err(CentralError::refused(
                "only an envelope that was handed out is opened",
            ));
        }
        // The entry first: nobody sees a PIN of which the log does not say so.
        self.record(&mut tx, Some(actor), deed).await?;
        tx.commit().await?;
        let (token, label, sealed, context) = (
            self.token(),
            self.labels().envelope.clone(),
            sealed.to_vec(),
            context(document.number()),
        );
        let content = self
            .blocking(move || token.open_envelope(&label, &sealed, &context))
            .await??;
        PinSet::decode(&content).map_err(|_| CentralError::damaged("an envelope's content"))
    }
}

/// Deletes what a lease's envelope holds. Returns whether there was one.
pub(crate) async fn destroy(tx: &mut SqliteConnection, lease: &str, now: i64) -> Result<bool> {
    let done = sqlx::query("UPDATE envelope SET state = 'destroyed', sealed = NULL, changed = ? WHERE lease = ? AND state <> 'destroyed'")
        .bind(now)
        .bind(lease)
        .execute(tx)
        .await?;
    Ok(done.rows_affected() > 0)
}

//! Leases under which nothing was begun, and of which their slot knows nothing: the answer that gave
//! them was lost.
//!
//! ```text
//!   open, of an earlier shift ── its slot asks for work, and holds none ──► released
//!        │                                                                    document: queued, as before
//!        └ claimed, told of, or anything given out under it: stays, until     its own blank: where it was
//!          its station reports it or its time passes
//! ```
//!
//! So it ends too when its time has passed: else a number and its blank were bound for ever by a lease that
//! nobody has.
//!
//! Who took a lease is the maker of its document, so that it is never another person's: whoever asks next
//! gets a lease of their own.

use api::Actor;
use audit::Control;
use document::life_cycle::{BlankEvent, BlankState, DocumentEvent, LeaseEvent};
use sqlx::Row;

use crate::blanks::Blank;
use crate::central::Central;
use crate::database::{Connection, Write, parsed};
use crate::documents::Document;
use crate::error::{CentralError, Result};
use crate::lease::Held;
use crate::scribe::Deed;
use crate::statements::sql;

impl Central {
    /// Ends an open lease under which nothing was begun, and whose slot says that it holds none: the
    /// document waits at its old place, and a blank that gave it its number is where it was before.
    /// Returns whether it ended; a lease that was begun, in whatever way, is left as it is.
    pub(crate) async fn give_back_unbegun(
        &self,
        tx: &mut Write,
        actor: &Actor,
        held: &mut Held,
    ) -> Result<bool> {
        if !self.is_unbegun(tx, held).await? {
            return Ok(false);
        }
        let mut deed = Deed::new("lease.given-back", Control::MEDIA, "lease", held.id)
            .with("document", &held.number)
            .with("station", &held.station)
            .with("slot", &held.slot)
            .with("given-to", format!("person/{}", held.operator));
        if let Some(blank) = self.free(tx, Some(actor), held).await? {
            deed = deed.with("blank", blank);
        }
        self.record(tx, Some(actor), &deed).await?;
        Ok(true)
    }

    /// Tells whether nothing was begun under a lease: its station was never heard of under it, and no blank
    /// was claimed for it. A blank that gives it its number is bound together with it.
    pub(crate) async fn is_unbegun(&self, tx: &mut Connection, held: &Held) -> Result<bool> {
        let is_claimed = match &held.blank {
            None => false,
            Some(blank) => Blank::load(tx, blank).await?.own_number.is_none(),
        };
        Ok(!is_claimed && !is_heard_of(tx, held).await?)
    }

    /// Lets go what an unbegun lease holds: its document, and the blank of its number, which it returns.
    pub(crate) async fn free(
        &self,
        tx: &mut Write,
        actor: Option<&Actor>,
        held: &mut Held,
    ) -> Result<Option<String>> {
        let mut document = Document::load(tx, &held.document).await?;
        held.apply(tx, LeaseEvent::Release).await?;
        document
            .apply(tx, DocumentEvent::Release, self.happens())
            .await?;
        let Some(serial) = held.blank.clone() else {
            return Ok(None);
        };
        document.unnumber(tx, "returned").await?;
        let mut blank = Blank::load(tx, &serial).await?;
        let event = match came_from(tx, &serial).await? {
            BlankState::Loaded => BlankEvent::PutBack,
            _ => BlankEvent::TakeBack,
        };
        // Where its time has passed it is nobody's act.
        let store = Actor {
            station: held.station.clone(),
            person: String::new(),
        };
        let movement = self.movement(actor.unwrap_or(&store)).under(held.id);
        let movement = movement
            .of(&document.id)
            .into_slot(&held.station, &held.slot);
        blank.apply(tx, event, &movement).await?;
        held.unbind(tx).await?;
        Ok(Some(serial))
    }
}

/// Tells whether its station was heard of under it: it told of it, went on with it elsewhere, or was given
/// anything by which something that lasts can be begun.
async fn is_heard_of(tx: &mut Connection, held: &Held) -> Result<bool> {
    let lease = held.id.to_string();
    let mut heard = sqlx::query_scalar(sql!(
        "SELECT (SELECT count(*) FROM told_line WHERE lease = $1) + (SELECT count(*) FROM lease_move WHERE lease = $2) + (SELECT count(*) FROM channel WHERE lease = $3) + (SELECT count(*) FROM key_grant WHERE lease = $4) + (SELECT count(*) FROM certificate WHERE lease = $5) + (SELECT count(*) FROM signed_lds WHERE lease = $6) + (SELECT count(*) FROM sealed_stage WHERE lease = $7)"
    ));
    for _ in 0..7 {
        heard = heard.bind(&lease);
    }
    let heard: i64 = heard.fetch_one(tx).await?;
    Ok(heard > 0)
}

/// Returns the account from which a blank was issued last.
async fn came_from(tx: &mut Connection, blank: &str) -> Result<BlankState> {
    let row = sqlx::query(sql!(
        "SELECT from_state FROM blank_movement WHERE blank = $1 AND event = 'issue' ORDER BY id DESC LIMIT 1"
    ))
    .bind(blank)
    .fetch_optional(tx)
    .await?;
    let state = row.and_then(|row| row.get::<Option<String>, _>("from_state"));
    let state =
        state.ok_or_else(|| CentralError::damaged("a blank at a station without its issue"))?;
    parsed("a blank's account", &state)
}

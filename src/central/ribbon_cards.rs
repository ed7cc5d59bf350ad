//! Which cards were printed with which ribbon: what a station reports of its printer, put to the ribbon
//! that was in that printer then by the books.
//!
//! ```text
//!   a report, believed or not ────────────┐
//!   of a lease that the store lacks ──────┤
//!   what was told of a lease given up ────┴─► began to print? ─► the ribbon that was inside: one card, once
//! ```
//!
//! What no station told of, a test card or the cards of a station that burnt, shows in what the printer
//! says behind the next card: its ribbon lasts for fewer than the cards of the books have used
//! ([`RibbonLine::beside`](crate::RibbonLine::beside)).

use api::{Actor, JournalLine, LeaseId};
use document::life_cycle::IncidentKind;
use jiff::Timestamp;
use sqlx::Row;

use crate::central::Central;
use crate::database::{Connection, Write, stored};
use crate::error::Result;
use crate::lease::Held;
use crate::statements::sql;

/// A card, whose it is and where it was made, and what is known of its making.
pub(crate) struct MadeCard<'a> {
    lease: LeaseId,
    station: &'a str,
    slot: &'a str,
    journal: &'a [JournalLine],
    began: Timestamp,
}

impl<'a> MadeCard<'a> {
    /// Returns the card of a lease; none where nothing was printed.
    pub(crate) fn of(held: &'a Held, journal: &'a [JournalLine]) -> Option<Self> {
        Some(Self {
            lease: held.id,
            station: &held.station,
            slot: &held.slot,
            journal,
            began: printing(journal)?.at,
        })
    }

    /// Returns the card of a lease that the store does not know: the journal has the slot. None where
    /// nothing was printed.
    pub(crate) fn of_unknown(
        lease: LeaseId,
        station: &'a str,
        journal: &'a [JournalLine],
    ) -> Option<Self> {
        let line = printing(journal)?;
        Some(Self {
            lease,
            station,
            slot: line.evidence.get(JournalLine::SLOT)?,
            journal,
            began: line.at,
        })
    }
}

/// Finds where a printer began to print.
fn printing(journal: &[JournalLine]) -> Option<&JournalLine> {
    let printing = |line: &&JournalLine| line.step == JournalLine::PRINT_FACES;
    journal.iter().find(printing)
}

impl Central {
    /// Notes with which ribbon a card was printed, where the books have a ribbon in that printer at the
    /// time when it began; what was noted of its lease before stays. Where the printer says what cannot
    /// be of that ribbon, an incident is opened: somebody put another one in, and the one of the books,
    /// with what it shows, lies somewhere.
    pub(crate) async fn note_card(
        &self,
        tx: &mut Write,
        actor: &Actor,
        card: Option<MadeCard<'_>>,
    ) -> Result<()> {
        let Some(card) = card else {
            return Ok(());
        };
        let Some(ribbon) = inside(tx, &card).await? else {
            return Ok(());
        };
        let said = Said::of(card.journal);
        let difference = difference(tx, &ribbon, &said, card.began).await?;
        let noted = sqlx::query(sql!("INSERT INTO ribbon_card (lease, ribbon, station, slot, printed, cards_left) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (lease) DO NOTHING"))
            .bind(card.lease.to_string())
            .bind(&ribbon)
            .bind(card.station)
            .bind(card.slot)
            .bind(stored(card.began))
            .bind(said.left.map(i64::from))
            .execute(&mut **tx)
            .await?;
        if noted.rows_affected() == 0 {
            return Ok(());
        }
        if let Some(difference) = difference {
            let subject = format!("ribbon/{ribbon}");
            let text = format!(
                "{difference} at the slot {} of {}: look which ribbon is in, book it, and look for {ribbon}",
                card.slot, card.station
            );
            let kind = IncidentKind::RibbonDiffers;
            self.open_incident(tx, actor, kind, &subject, &text).await?;
        }
        Ok(())
    }
}

/// What a printer said of its ribbon, behind a card.
struct Said<'a> {
    kind: Option<&'a str>,
    left: Option<u32>,
}

impl<'a> Said<'a> {
    fn of(journal: &'a [JournalLine]) -> Self {
        let last = |name: &str| {
            let mut lines = journal.iter().rev();
            lines.find_map(|line| line.evidence.get(name).map(String::as_str))
        };
        Self {
            kind: last(JournalLine::RIBBON),
            left: last(JournalLine::RIBBON_LEFT).and_then(|left| left.parse().ok()),
        }
    }
}

/// Returns why what a printer says cannot be of the ribbon that the books have in it, if it cannot: it is
/// of another kind, or lasts for more cards than before. A report that comes behind a later one's is not
/// compared.
async fn difference(
    tx: &mut Connection,
    ribbon: &str,
    said: &Said<'_>,
    at: Timestamp,
) -> Result<Option<String>> {
    let row = sqlx::query(sql!(
        "SELECT r.item, (SELECT c.cards_left FROM ribbon_card c WHERE c.ribbon = r.serial AND c.cards_left IS NOT NULL ORDER BY c.printed DESC, c.lease DESC LIMIT 1) AS cards_left,
                (SELECT count(*) FROM ribbon_card c WHERE c.ribbon = r.serial AND c.printed > $1) AS later
         FROM ribbon r WHERE r.serial = $2"
    ))
    .bind(stored(at))
    .bind(ribbon)
    .fetch_one(tx)
    .await?;
    let item: String = row.get("item");
    if let Some(kind) = said.kind.filter(|kind| !is_of_kind(&item, kind)) {
        let kind: String = kind.chars().take(32).collect();
        return Ok(Some(format!(
            "the printer has a ribbon {kind:?}, and the books the {item} {ribbon}"
        )));
    }
    let before: Option<i64> = row.get("cards_left");
    let rose = said.left.zip(before);
    let rose = rose.filter(|(left, before)| i64::from(*left) > *before);
    Ok(rose
        .filter(|_| row.get::<i64, _>("later") == 0)
        .map(|(left, before)| {
            format!("the printer's ribbon is for {left} cards more, and {ribbon} was for {before}")
        }))
}

/// Tells whether ribbons that the books call so are of a kind, as printers call it: so, or so with more
/// behind a hyphen.
fn is_of_kind(item: &str, kind: &str) -> bool {
    let (own, _) = item.split_once('-').unwrap_or((item, ""));
    item.eq_ignore_ascii_case(kind) || own.eq_ignore_ascii_case(kind)
}

/// Returns the ribbon that was in the printer of a slot when a card was begun there: the last that was put
/// into it, where nothing else was done with that until then.
async fn inside(tx: &mut Connection, card: &MadeCard<'_>) -> Result<Option<String>> {
    let loaded = sqlx::query(sql!(
        "SELECT id, ribbon FROM ribbon_movement WHERE station = $1 AND slot = $2 AND moved <= $3 ORDER BY id DESC LIMIT 1"
    ))
    .bind(card.station)
    .bind(card.slot)
    .bind(stored(card.began))
    .fetch_optional(&mut *tx)
    .await?;
    let Some(loaded) = loaded else {
        return Ok(None);
    };
    let ribbon: String = loaded.get("ribbon");
    let since: i64 = sqlx::query_scalar(sql!(
        "SELECT count(*) FROM ribbon_movement WHERE ribbon = $1 AND id > $2 AND moved <= $3"
    ))
    .bind(&ribbon)
    .bind(loaded.get::<i64, _>("id"))
    .bind(stored(card.began))
    .fetch_one(tx)
    .await?;
    Ok((since == 0).then_some(ribbon))
}

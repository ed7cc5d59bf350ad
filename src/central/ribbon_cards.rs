//! Which cards were printed with which ribbon: what a station reports of its printer, put to the ribbon
//! that was in that printer then by the books.

use api::{Actor, JournalLine, Report};
use document::life_cycle::IncidentKind;
use jiff::Timestamp;
use sqlx::Row;

use crate::central::Central;
use crate::database::{Connection, Write, stored};
use crate::error::Result;
use crate::lease::Held;
use crate::statements::sql;

impl Central {
    /// Notes with which ribbon the card of a lease was printed, where its station says that its printer
    /// began to print on it, and the books have a ribbon in that printer at that time. Where the printer
    /// says what cannot be of that ribbon, an incident is opened: somebody put another one in, and the
    /// one of the books, with what it shows, lies somewhere.
    pub(crate) async fn note_card(
        &self,
        tx: &mut Write,
        actor: &Actor,
        held: &Held,
        report: &Report,
    ) -> Result<()> {
        let printing = |line: &&JournalLine| line.step == JournalLine::PRINT_FACES;
        let Some(began) = report.journal.iter().find(printing) else {
            return Ok(());
        };
        let Some(ribbon) = inside(tx, held, began.at).await? else {
            return Ok(());
        };
        let said = Said::of(report);
        let difference = difference(tx, &ribbon, &said, began.at).await?;
        let noted = sqlx::query(sql!("INSERT INTO ribbon_card (lease, ribbon, printed) VALUES ($1, $2, $3) ON CONFLICT (lease) DO NOTHING"))
            .bind(held.id.to_string())
            .bind(&ribbon)
            .bind(stored(began.at))
            .execute(&mut **tx)
            .await?;
        if noted.rows_affected() == 0 {
            return Ok(());
        }
        if let Some(left) = said.left {
            sqlx::query(sql!("UPDATE ribbon SET cards_left = $1 WHERE serial = $2"))
                .bind(i64::from(left))
                .bind(&ribbon)
                .execute(&mut **tx)
                .await?;
        }
        if let Some(difference) = difference {
            let subject = format!("ribbon/{ribbon}");
            let text = format!(
                "{difference} at the slot {} of {}: look which ribbon is in, book it, and look for {ribbon}",
                held.slot, held.station
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
    fn of(report: &'a Report) -> Self {
        let last = |name: &str| {
            let mut lines = report.journal.iter().rev();
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
        "SELECT r.item, r.cards_left, (SELECT count(*) FROM ribbon_card c WHERE c.ribbon = r.serial AND c.printed > $1) AS later FROM ribbon r WHERE r.serial = $2"
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

/// Returns the ribbon that was in the printer of a lease's slot at a time: the last that was put into it,
/// where nothing else was done with that until then.
async fn inside(tx: &mut Connection, held: &Held, at: Timestamp) -> Result<Option<String>> {
    let loaded = sqlx::query(sql!(
        "SELECT id, ribbon FROM ribbon_movement WHERE station = $1 AND slot = $2 AND moved <= $3 ORDER BY id DESC LIMIT 1"
    ))
    .bind(&held.station)
    .bind(&held.slot)
    .bind(stored(at))
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
    .bind(stored(at))
    .fetch_one(tx)
    .await?;
    Ok((since == 0).then_some(ribbon))
}

//! Which cards were printed with which ribbon: what a station reports of its printer, put to the ribbon
//! that was in that printer then by the books.

use api::{JournalLine, Report};
use jiff::Timestamp;
use sqlx::Row;

use crate::database::{Connection, stored};
use crate::error::Result;
use crate::lease::Held;
use crate::statements::sql;

/// Notes with which ribbon the card of a lease was printed, where its station says that its printer began
/// to print on it, and the books have a ribbon in that printer at that time.
pub(crate) async fn note_card(tx: &mut Connection, held: &Held, report: &Report) -> Result<()> {
    let printing = |line: &&JournalLine| line.step == JournalLine::PRINT_FACES;
    let Some(began) = report.journal.iter().find(printing) else {
        return Ok(());
    };
    let Some(ribbon) = inside(tx, held, began.at).await? else {
        return Ok(());
    };
    let noted = sqlx::query(sql!("INSERT INTO ribbon_card (lease, ribbon, printed) VALUES ($1, $2, $3) ON CONFLICT (lease) DO NOTHING"))
        .bind(held.id.to_string())
        .bind(&ribbon)
        .bind(stored(began.at))
        .execute(&mut *tx)
        .await?;
    let said = report.journal.iter().rev();
    let mut left = said.filter_map(|line| line.evidence.get(JournalLine::RIBBON_LEFT));
    if let Some(left) = left.next().and_then(|left| left.parse::<u32>().ok())
        && noted.rows_affected() == 1
    {
        sqlx::query(sql!("UPDATE ribbon SET cards_left = $1 WHERE serial = $2"))
            .bind(i64::from(left))
            .bind(&ribbon)
            .execute(tx)
            .await?;
    }
    Ok(())
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

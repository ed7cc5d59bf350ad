//! Commands that put a key set on a chip, as they are stored: whoever has them may have run them.

use api::PutKeyRequest;
use jiff::Timestamp;

use crate::blanks::BookedChip;
use crate::database::{Connection, stored};
use crate::error::Result;
use crate::lease::Held;
use crate::said::Said;
use crate::statements::sql;

/// Writes down that a key set was given in a channel. Returns whether it is for the first time.
pub(crate) async fn note(
    tx: &mut Connection,
    (held, chip): (&Held, &BookedChip),
    request: &PutKeyRequest,
    said: &Said,
    now: Timestamp,
) -> Result<bool> {
    let done = sqlx::query(sql!("INSERT INTO key_grant (lease, chip, host_challenge, card_challenge, key_set, new_set, adds, given) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING"))
    .bind(held.id.to_string())
    .bind(&chip.serial)
    .bind(&request.opening.host_challenge[..])
    .bind(&said.books[..])
    .bind(&request.opening.key_set)
    .bind(&request.new)
    .bind(i64::from(request.adds))
    .bind(stored(now))
    .execute(tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

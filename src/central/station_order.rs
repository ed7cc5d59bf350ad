//! The order in which a station tells: each report and each act of its people has a running number, and
//! is taken in once.

use std::cmp::Ordering;

use api::Actor;
use document::life_cycle::IncidentKind;
use sqlx::Row;

use crate::central::Central;
use crate::database::{Connection, Write};
use crate::error::{CentralError, Result};
use crate::restoration::Restoration;
use crate::statements::sql;

/// Where something stands in its station's order.
enum Place {
    /// It was taken in before.
    Repeated,
    /// It is the next.
    Next,
    /// This one is the next, and it comes later.
    Behind(i64),
}

impl Central {
    /// Tells whether what a station sends is the next in its order; not so where it was taken in
    /// before. `awaited`: the store was restored, and waits for what this station has; then what is gone
    /// everywhere holds up nothing, and is an incident. Before the station has heard of the restoration,
    /// what lacks may be in its journal all the same.
    ///
    /// # Errors
    /// [`CentralError::Conflict`] for a gap, and where another one had its number: the station's history
    /// forked.
    pub(crate) async fn is_next(
        &self,
        tx: &mut Write,
        actor: &Actor,
        (sequence, digest): (i64, &[u8]),
        awaited: bool,
    ) -> Result<bool> {
        match place_of(tx, &actor.station, sequence, digest).await? {
            Place::Repeated => Ok(false),
            Place::Next => Ok(true),
            Place::Behind(next) if awaited && has_heard(tx, &actor.station).await? => {
                let text = format!(
                    "reports {next} to {} of this station are gone: neither the restored store nor its journal has them",
                    sequence - 1
                );
                let subject = format!("station/{}", actor.station);
                self.open_incident(tx, actor, IncidentKind::UnknownLease, &subject, &text)
                    .await?;
                Ok(true)
            }
            Place::Behind(next) => Err(CentralError::conflict(format!(
                "report {next} of this station is the next, not {sequence}: reports are missing"
            ))),
        }
    }
}

/// Tells whether a station has heard of the last restoration.
async fn has_heard(tx: &mut Connection, station: &str) -> Result<bool> {
    match Restoration::last(tx).await? {
        Some(last) => last.is_heard_by(tx, station).await,
        None => Ok(false),
    }
}

/// Tells where something stands. Another one under its number is a fork of the station's history, and so
/// is a number that is nothing's: both are refused.
async fn place_of(
    tx: &mut Connection,
    station: &str,
    sequence: i64,
    digest: &[u8],
) -> Result<Place> {
    let known = sqlx::query(sql!(
        "SELECT digest FROM report WHERE station = $1 AND sequence = $2
         UNION ALL SELECT digest FROM quarantined_report WHERE station = $3 AND sequence = $4
         UNION ALL SELECT digest FROM station_act WHERE station = $5 AND sequence = $6
         UNION ALL SELECT digest FROM fenced_report WHERE station = $7 AND sequence = $8"
    ))
    .bind(station)
    .bind(sequence)
    .bind(station)
    .bind(sequence)
    .bind(station)
    .bind(sequence)
    .bind(station)
    .bind(sequence)
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(row) = known {
        return if row.get::<&[u8], _>("digest") == digest {
            Ok(Place::Repeated)
        } else {
            Err(CentralError::conflict(format!(
                "report {sequence} of this station was another one: its history forked; treat this as an incident"
            )))
        };
    }
    let next = last_report(tx, station).await? + 1;
    match sequence.cmp(&next) {
        Ordering::Equal => Ok(Place::Next),
        Ordering::Greater => Ok(Place::Behind(next)),
        Ordering::Less => Err(CentralError::conflict(format!(
            "report {next} of this station is the next, not {sequence}: this one is gone"
        ))),
    }
}

/// Returns the highest sequence number of what a station told, of whatever lease or act; 0: none.
pub(crate) async fn last_report(tx: &mut Connection, station: &str) -> Result<i64> {
    let taken: i64 = sqlx::query_scalar(sql!(
        "SELECT COALESCE(max(sequence), 0) FROM report WHERE station = $1"
    ))
    .bind(station)
    .fetch_one(&mut *tx)
    .await?;
    let apart: i64 = sqlx::query_scalar(sql!(
        "SELECT COALESCE(max(sequence), 0) FROM quarantined_report WHERE station = $1"
    ))
    .bind(station)
    .fetch_one(&mut *tx)
    .await?;
    let acts: i64 = sqlx::query_scalar(sql!(
        "SELECT COALESCE(max(sequence), 0) FROM station_act WHERE station = $1"
    ))
    .bind(station)
    .fetch_one(&mut *tx)
    .await?;
    let fenced: i64 = sqlx::query_scalar(sql!(
        "SELECT COALESCE(max(sequence), 0) FROM fenced_report WHERE station = $1"
    ))
    .bind(station)
    .fetch_one(tx)
    .await?;
    Ok(taken.max(apart).max(acts).max(fenced))
}

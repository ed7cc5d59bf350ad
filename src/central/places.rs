//! Places: the offices and stores where blanks are.

use api::Actor;
use audit::Control;
use document::{Act, OfficeCode};
use sqlx::Row;

use crate::accounts::authorise;
use crate::central::Central;
use crate::contention::retried;
use crate::database::{Connection, parsed, stored};
use crate::error::{CentralError, Result};
use crate::scribe::Deed;
use crate::statements::sql;

/// The place that every installation has.
pub const CENTRAL_STORE: &str = "CENTRAL";

/// The longest name of a place, in bytes.
const MAX_NAME: usize = 100;

/// An office or a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its code, the office's where it is one.
    pub code: OfficeCode,
    /// Its name.
    pub name: String,
}

impl Central {
    /// Adds a place, or names one otherwise.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is an administrator; [`CentralError::Invalid`] for
    /// a name that is empty, too long or of several lines.
    pub async fn add_place(&self, actor: &Actor, code: &OfficeCode, name: &str) -> Result<()> {
        let deed = Deed::new("place.added", Control::MEDIA, "place", code);
        let result = retried!(self.try_add_place(actor, &deed, code, name));
        self.settle(actor, &deed, result).await
    }

    async fn try_add_place(
        &self,
        actor: &Actor,
        deed: &Deed,
        code: &OfficeCode,
        name: &str,
    ) -> Result<()> {
        if !(1..=MAX_NAME).contains(&name.len())
            || name.trim().is_empty()
            || name.chars().any(char::is_control)
        {
            return Err(CentralError::invalid(format!(
                "a place's name has 1 to {MAX_NAME} bytes on one line"
            )));
        }
        let mut tx = self.write().await?;
        authorise(&mut tx, actor, Act::ManagePlaces).await?;
        sqlx::query(sql!("INSERT INTO place (code, name, added) VALUES ($1, $2, $3) ON CONFLICT (code) DO UPDATE SET name = excluded.name"))
        .bind(code.as_str())
        .bind(name)
        .bind(stored(self.now()))
        .execute(&mut *tx)
        .await?;
        self.record(&mut tx, Some(actor), &deed.clone().with("name", name))
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Returns every place, by its code.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to reports.
    pub async fn places(&self, actor: &Actor) -> Result<Vec<Place>> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ViewReports).await?;
        let rows = sqlx::query(sql!("SELECT code, name FROM place ORDER BY code"))
            .fetch_all(&mut *tx)
            .await?;
        let place = |row: &crate::database::DbRow| {
            Ok(Place {
                code: parsed("a place's code", row.get("code"))?,
                name: row.get("name"),
            })
        };
        rows.iter().map(place).collect()
    }
}

/// Demands that a place is in the books.
pub(crate) async fn check_place(tx: &mut Connection, code: &str) -> Result<()> {
    let known: i64 = sqlx::query_scalar(sql!("SELECT count(*) FROM place WHERE code = $1"))
        .bind(code)
        .fetch_one(tx)
        .await?;
    match known {
        0 => Err(CentralError::NotFound {
            what: format!("place {code}; an administrator adds places"),
        }),
        _ => Ok(()),
    }
}

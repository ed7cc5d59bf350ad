//! What a caller saw before it asked for a change: where it is another by now, nothing is done.
//!
//! It is compared where the right is judged: in the transaction of the change, so that nothing
//! comes in between.

use api::Actor;
use document::Act;
use sha2::{Digest, Sha256};
use sqlx::Row;

use crate::accounts::{Person, authorise};
use crate::central::Central;
use crate::database::Connection;
use crate::error::{CentralError, Result};
use crate::people::details;
use crate::statements::sql;

tokio::task_local! {
    static EXPECTED: Expected;
}

/// A thing as a caller saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The account of this name.
    Account {
        /// The name.
        name: String,
        /// The tags of which one must be its own now.
        tags: Vec<String>,
    },
    /// The application of this reference.
    Application {
        /// The reference.
        reference: String,
        /// The tags of which one must be its own now.
        tags: Vec<String>,
    },
    /// The document of this number.
    Document {
        /// The number.
        number: String,
        /// The tags of which one must be its own now.
        tags: Vec<String>,
    },
}

impl Central {
    /// Returns the tag of an account as it is now.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is an administrator; [`CentralError::NotFound`].
    pub async fn account_tag(&self, actor: &Actor, name: &str) -> Result<String> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ManagePeople).await?;
        let person = Person::named(&mut tx, name).await?;
        account_tag(&mut tx, &person.id).await
    }

    /// Does something only where a thing still is what the caller saw. `act` must be one act.
    ///
    /// # Errors
    /// [`CentralError::Changed`], beside those of the act.
    pub async fn expecting<T>(
        &self,
        expected: Option<Expected>,
        act: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        match expected {
            Some(expected) => EXPECTED.scope(expected, act).await,
            None => act.await,
        }
    }
}

/// Compares what is there with what the caller saw, if it said so.
pub(crate) async fn check(tx: &mut Connection) -> Result<()> {
    let Ok(expected) = EXPECTED.try_with(Clone::clone) else {
        return Ok(());
    };
    let (tag, tags) = match &expected {
        Expected::Account { name, tags } => {
            let person = Person::named(tx, name).await?;
            (account_tag(tx, &person.id).await?, tags)
        }
        Expected::Application { reference, tags } => (application_tag(tx, reference).await?, tags),
        Expected::Document { number, tags } => (document_tag(tx, number).await?, tags),
    };
    if tags.contains(&tag) {
        Ok(())
    } else {
        Err(CentralError::Changed)
    }
}

/// Returns the tag of an account as it is now.
async fn account_tag(tx: &mut Connection, id: &str) -> Result<String> {
    Ok(tag_of(&format!("{:?}", details(tx, id).await?)))
}

/// Returns the tag of an application as it is now.
pub(crate) async fn application_tag(tx: &mut Connection, reference: &str) -> Result<String> {
    let row = sqlx::query(sql!(
        "SELECT state, decided_by, decided FROM application WHERE reference = $1"
    ))
    .bind(reference)
    .fetch_optional(tx)
    .await?;
    let row = row.ok_or_else(|| CentralError::NotFound {
        what: "application of this reference".to_owned(),
    })?;
    let text = |column| row.get::<Option<String>, _>(column).unwrap_or_default();
    let decided: Option<i64> = row.get("decided");
    Ok(tag_of(&format!(
        "{reference}\n{}\n{}\n{decided:?}",
        text("state"),
        text("decided_by")
    )))
}

/// Returns the tag of a document as it is now, with what belongs to it.
pub(crate) async fn document_tag(tx: &mut Connection, number: &str) -> Result<String> {
    let row = sqlx::query(sql!(
        "SELECT id, state, number, operator, due, urgent FROM document WHERE number = $1"
    ))
    .bind(number)
    .fetch_optional(&mut *tx)
    .await?;
    let row = row.ok_or_else(|| CentralError::NotFound {
        what: "document of this number".to_owned(),
    })?;
    let text = |column| row.get::<Option<String>, _>(column).unwrap_or_default();
    let mut seen = format!(
        "{}\n{}\n{}\n{}\n{}\n{}\n",
        text("id"),
        text("state"),
        text("number"),
        text("operator"),
        text("due"),
        row.get::<i64, _>("urgent"),
    );
    let parts: Vec<String> = sqlx::query_scalar(sql!(
        "SELECT state FROM certificate WHERE document = $1 ORDER BY id"
    ))
    .bind(text("id"))
    .fetch_all(&mut *tx)
    .await?;
    seen.push_str(&parts.join(" "));
    let envelopes: Vec<String> = sqlx::query_scalar(sql!(
        "SELECT state FROM envelope WHERE document = $1 ORDER BY serial"
    ))
    .bind(text("id"))
    .fetch_all(tx)
    .await?;
    seen.push('\n');
    seen.push_str(&envelopes.join(" "));
    Ok(tag_of(&seen))
}

/// Returns 128 bits that another state does not have.
fn tag_of(seen: &str) -> String {
    let digest = Sha256::digest(seen.as_bytes());
    let half: Vec<u8> = digest.iter().take(16).copied().collect();
    hex::encode(half)
}

//! What a caller saw before it asked for a change: where it is another by now, nothing is done.
//!
//! It is compared where the right is judged: in the transaction of the change, so that nothing
//! comes in between.

use std::cell::RefCell;

use api::Actor;
use document::Act;
use sha2::{Digest, Sha256};
use sqlx::Row;

use crate::accounts::{Person, authorise};
use crate::central::Central;
use crate::database::Connection;
use crate::envelopes::EnvelopeLine;
use crate::error::{CentralError, Result};
use crate::incidents::IncidentLine;
use crate::mishaps::LeaseLine;
use crate::people::details;
use crate::ribbons::RibbonLine;
use crate::series::StoredSeries;
use crate::source_keys::SourceKey;
use crate::sources::Source;
use crate::statements::sql;
use crate::stations::StationLine;
use crate::stock_check::DeliveryAccount;
use crate::{day_close, parcels};

tokio::task_local! {
    static EXPECTED: RefCell<Option<Expected>>;
}

/// What has a tag: what a person sees before they change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thing {
    /// An account, by its name.
    Account,
    /// An application, by its reference.
    Application,
    /// A document, by its number.
    Document,
    /// A parcel, by its serial number.
    Parcel,
    /// A PIN envelope, by its serial number.
    Envelope,
    /// An incident, by its number.
    Incident,
    /// A delivery, by its reference.
    Delivery,
    /// A series of numbers, by its first.
    Series,
    /// A ribbon, by its serial number.
    Ribbon,
    /// A place, by its code.
    Place,
    /// A station, by its name.
    Station,
    /// A source of applications, by its name.
    Source,
    /// A key of a source, by its thumbprint.
    SourceKey,
    /// A lease that no report has ended, by its identity.
    Lease,
}

/// A thing as a caller saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// What it is.
    pub thing: Thing,
    /// Its name.
    pub name: String,
    /// The tags of which one must be its own now.
    pub tags: Vec<String>,
}

impl Thing {
    /// Returns the tag that the thing of this name has now.
    async fn tag(self, tx: &mut Connection, name: &str) -> Result<String> {
        match self {
            Self::Account => {
                let person = Person::named(tx, name).await?;
                account_tag(tx, &person.id).await
            }
            Self::Application => application_tag(tx, name).await,
            Self::Document => document_tag(tx, name).await,
            Self::Parcel => Ok(parcels::line(tx, name).await?.tag()),
            Self::Envelope => Ok(EnvelopeLine::load(tx, name).await?.tag()),
            Self::Incident => Ok(IncidentLine::named(tx, name).await?.tag()),
            Self::Delivery => Ok(DeliveryAccount::load(tx, name).await?.tag()),
            Self::Series => {
                let series = StoredSeries::load(tx, name).await?;
                Ok(series.tag(&series.kinds(tx).await?))
            }
            Self::Ribbon => Ok(RibbonLine::load(tx, name).await?.tag()),
            Self::Place => day_close::tag(tx, name).await,
            // Placed before it is let in, it is in no list, and nobody saw it (RFC 9110 §13.1.1).
            Self::Station => match StationLine::find(tx, name).await? {
                Some(station) => Ok(station.tag()),
                None => Err(CentralError::Changed),
            },
            Self::Source => Ok(Source::load(tx, name).await?.tag()),
            Self::SourceKey => Ok(SourceKey::load(tx, name).await?.tag()),
            Self::Lease => Ok(LeaseLine::named(tx, name).await?.tag()),
        }
    }
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

    /// Does something only where a thing still is what the caller saw: an act, and after it perhaps
    /// what shows it. Where it is another by now, the act ends with [`CentralError::Changed`].
    pub async fn expecting<T>(
        &self,
        expected: Option<Expected>,
        act: impl Future<Output = T>,
    ) -> T {
        match expected {
            Some(_) => EXPECTED.scope(RefCell::new(expected), act).await,
            None => act.await,
        }
    }
}

/// Forgets what the caller saw: the act is done, and what follows sees what it made.
pub(crate) fn met() {
    // Where nobody said what they saw there is nothing to forget.
    let _ = EXPECTED.try_with(RefCell::take);
}

/// Compares what is there with what the caller saw, if it said so.
pub(crate) async fn check(tx: &mut Connection) -> Result<()> {
    let Ok(Some(expected)) = EXPECTED.try_with(|expected| expected.borrow().clone()) else {
        return Ok(());
    };
    let Expected { thing, name, tags } = expected;
    if tags.contains(&thing.tag(tx, &name).await?) {
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
pub(crate) fn tag_of(seen: &str) -> String {
    let digest = Sha256::digest(seen.as_bytes());
    let half: Vec<u8> = digest.iter().take(16).copied().collect();
    hex::encode(half)
}

//! The token's keys of personal data beside what the books know of them.
//!
//! ```text
//!   books                 token
//!   waiting, current ──── there          as it should be
//!   waiting, current ──── missing        the token is older than the books: nothing new is put under it
//!   destroyed        ──── there          overdue: backups of then are readable still
//!   nothing          ──── there          unknown: the books are older than the token
//! ```

use std::collections::BTreeSet;

use document::{DataClass, ERASURE_DAYS};
use jiff::Timestamp;
use sqlx::Row;

use crate::central::Central;
use crate::database::moment;
use crate::erasure::Overdue;
use crate::error::Result;
use crate::statements::sql;
use crate::wrapping_keys::days_of;

/// How token and books differ in their wrapping keys, by label.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WrappingKeyDifferences {
    /// In the token, and not in the books: made after the backup that the database was restored from,
    /// or by another installation with the same token. What lies under them no erasure reaches.
    pub unknown: Vec<String>,
    /// In the books as waiting or in use, and not in the token.
    pub missing: Vec<String>,
}

impl Central {
    /// Returns the labels of all keys in the token.
    pub(crate) async fn labels_there(&self) -> Result<BTreeSet<String>> {
        let keys = self.protection().blocking(|token| token.keys()).await?;
        Ok(keys.into_iter().map(|key| key.label).collect())
    }

    /// Compares the wrapping keys in the token with those in the books.
    ///
    /// # Errors
    /// The database's failures and the token's.
    pub async fn compare_wrapping_keys(&self) -> Result<WrappingKeyDifferences> {
        // The token first: what another instance makes meanwhile is in the books before it is there.
        let there = self.labels_there().await?;
        let rows = sqlx::query(sql!("SELECT label, state FROM wrapping_key ORDER BY label"))
            .fetch_all(&mut *self.read().await?)
            .await?;
        let known: BTreeSet<String> = rows.iter().map(|row| row.get("label")).collect();
        let is_needed = |state: &str| matches!(state, "waiting" | "current");
        let missing = rows
            .iter()
            .filter(|row| is_needed(row.get("state")))
            .map(|row| row.get("label"))
            .filter(|label: &String| !there.contains(label))
            .collect();
        let unknown = there
            .into_iter()
            .filter(|label| is_of_wrapping_key(label) && !known.contains(label))
            .collect();
        Ok(WrappingKeyDifferences { unknown, missing })
    }

    pub(crate) async fn overdue_keys(&self, now: Timestamp) -> Result<Vec<Overdue>> {
        let mut overdue = Vec::new();
        let mut late = |label: &str, since: Option<Timestamp>| {
            overdue.push(Overdue {
                what: "wrapping-key".into(),
                reference: label.to_owned(),
                since,
            });
        };
        for &class in DataClass::SEALED {
            for key in self.wrapping_keys(class).await? {
                let days = match key.state.as_str() {
                    "current" => class.key_days(),
                    "retired" => class.backup_days(),
                    "ending" => 0,
                    _ => continue,
                };
                if key.is_older(days + ERASURE_DAYS, now) {
                    late(&key.label, Some(key.since + days_of(days)));
                }
            }
        }
        let rows = sqlx::query(sql!(
            "SELECT label, since FROM wrapping_key WHERE state = 'destroyed'"
        ))
        .fetch_all(&mut *self.read().await?)
        .await?;
        let there = self.labels_there().await?;
        for row in &rows {
            let label: String = row.get("label");
            if there.contains(&label) {
                late(&label, Some(moment(row.get("since"))?));
            }
        }
        let unknown = self.compare_wrapping_keys().await?.unknown;
        overdue.extend(unknown.into_iter().map(|label| Overdue {
            what: "unknown-wrapping-key".into(),
            reference: label,
            since: None,
        }));
        Ok(overdue)
    }
}

/// Tells whether a label is one that this program gives to wrapping keys:
/// `pd-CLASS-GENERATION-` and eight hexadecimal digits.
fn is_of_wrapping_key(label: &str) -> bool {
    let Some(rest) = label.strip_prefix("pd-") else {
        return false;
    };
    DataClass::SEALED.iter().any(|class| {
        let numbered = rest.strip_prefix(class.name());
        let numbered = numbered.and_then(|rest| rest.strip_prefix('-'));
        numbered
            .and_then(|rest| rest.split_once('-'))
            .is_some_and(|(generation, nonce)| {
                generation.parse::<u32>().is_ok()
                    && nonce.len() == 8
                    && nonce.bytes().all(|byte| byte.is_ascii_hexdigit())
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_s_own_labels_are_known_from_others() {
        for own in ["pd-identity-1-00ff12ab", "pd-refused-package-12-deadbeef"] {
            assert!(is_of_wrapping_key(own), "{own}");
        }
        for other in [
            "pd-identity",
            "pd-identity-x-00ff12ab",
            "pd-identity-1-00ff",
            "pd-log-1-00ff12ab",
            "identity-1-00ff12ab",
            "pd-identity-1-00ff12ag",
        ] {
            assert!(!is_of_wrapping_key(other), "{other}");
        }
    }
}

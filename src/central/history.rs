//! What happened to a document, and where it is.

use api::Actor;
use document::Act;
use document::life_cycle::{DocumentEvent, DocumentState};
use jiff::Timestamp;
use sqlx::Row;

use crate::accounts::authorise;
use crate::central::Central;
use crate::database::{DbRow, moment, parsed};
use crate::documents::Document;
use crate::error::Result;
use crate::following::Moved;
use crate::parcels::Parcel;
use crate::statements::sql;

/// Something that happened to a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryLine {
    /// When.
    pub at: Timestamp,
    /// What.
    pub event: DocumentEvent,
    /// The state after it.
    pub state: DocumentState,
    /// Why, where a cause was given.
    pub cause: Option<String>,
}

/// A document, with what became of it until now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// The reference of its application.
    pub application: String,
    /// Where it is, and its certificates.
    pub now: Moved,
    /// The parcel that it is in, or was missed in.
    pub parcel: Option<String>,
    /// What happened to it, the first first.
    pub lines: Vec<HistoryLine>,
}

impl Central {
    /// Returns a document with its history, without its holder's data.
    ///
    /// # Errors
    /// [`CentralError::Refused`](crate::CentralError::Refused) without the right to see documents;
    /// [`CentralError::NotFound`](crate::CentralError::NotFound).
    pub async fn history(&self, actor: &Actor, number: &str) -> Result<History> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ViewDocument).await?;
        let document = Document::numbered(&mut tx, number).await?;
        let parcel = Parcel::of_document(&mut tx, &document.id).await?;
        let rows = sqlx::query(sql!(
            "SELECT at, event, state, cause FROM document_event WHERE document = $1 ORDER BY id"
        ))
        .bind(&document.id)
        .fetch_all(&mut *tx)
        .await?;
        let line = |row: &DbRow| {
            Ok(HistoryLine {
                at: moment(row.get("at"))?,
                event: parsed("what happened to a document", row.get("event"))?,
                state: parsed("a document's state", row.get("state"))?,
                cause: row.get("cause"),
            })
        };
        let lines = rows.iter().map(line).collect::<Result<_>>()?;
        let number = document.number().to_string();
        let certificates = self.followed(&mut tx, &number).await?;
        Ok(History {
            application: document.application,
            parcel: parcel
                .filter(|_| document.state == DocumentState::Dispatched)
                .map(|parcel| parcel.serial),
            now: Moved {
                number,
                state: document.state,
                certificates,
            },
            lines,
        })
    }
}

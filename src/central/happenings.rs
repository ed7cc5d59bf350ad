//! What happened to documents, as rows that reports count.
//!
//! The audit log is the proof; this is its sum in a form that a database adds up. Both are written in
//! the transaction of the change.

use document::life_cycle::{DocumentEvent, DocumentState};
use jiff::Timestamp;
use jiff::civil::Date;
use sqlx::AssertSqlSafe;

use crate::accounts::Person;
use crate::central::Central;
use crate::database::{Connection, stored};
use crate::documents::Document;
use crate::error::Result;
use crate::many_rows::tuples;
use crate::statements::assembled;

/// When something happens to a document, who moves it, and why.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Happening<'a> {
    at: Timestamp,
    /// The office's own day.
    day: Date,
    cause: Option<&'a str>,
    mover: Mover<'a>,
    maker: Option<&'a str>,
}

/// Who is known as the one who moved a document last.
#[derive(Clone, Copy, Debug)]
enum Mover<'a> {
    /// As before: this moves it nowhere, or the store follows an act that said it.
    Before,
    /// The store itself: nobody.
    Itself,
    /// An account, by its identity.
    Account(&'a str),
}

impl Central {
    /// Returns the present moment, for what happens to a document now.
    pub(crate) fn happens(&self) -> Happening<'static> {
        let at = self.now();
        Happening {
            at,
            day: self.calendar().day_of(at),
            cause: None,
            mover: Mover::Before,
            maker: None,
        }
    }
}

impl<'a> Happening<'a> {
    /// Returns the moment.
    pub(crate) fn at(&self) -> Timestamp {
        self.at
    }

    /// Says why it happens. A cause names no holder.
    pub(crate) fn because(mut self, cause: &'a str) -> Self {
        self.cause = Some(cause);
        self
    }

    /// Names the person who moves it.
    pub(crate) fn by(mut self, person: &'a Person) -> Self {
        self.mover = Mover::Account(&person.id);
        self
    }

    /// Names the account that made it, by its identity: whoever judges it is another.
    pub(crate) fn made_by(mut self, operator: &'a str) -> Self {
        self.maker = Some(operator);
        self
    }

    /// Returns the identity of the account that made it, where this is its making.
    pub(crate) fn maker(&self) -> Option<&'a str> {
        self.maker
    }

    /// Says that nobody moves it: its time has come.
    pub(crate) fn by_itself(mut self) -> Self {
        self.mover = Mover::Itself;
        self
    }

    /// Returns the identity of the mover's account, and whether it stands in the place of the one
    /// before.
    pub(crate) fn mover(&self) -> (Option<&'a str>, bool) {
        match self.mover {
            Mover::Before => (None, false),
            Mover::Itself => (None, true),
            Mover::Account(id) => (Some(id), true),
        }
    }
}

impl Document {
    /// Writes down what happened to the document: each event, and the state that it came to.
    pub(crate) async fn note(
        &self,
        tx: &mut Connection,
        passed: &[(DocumentEvent, DocumentState)],
        happening: Happening<'_>,
    ) -> Result<()> {
        Facts {
            kind: self.kind.name(),
            office: self.office.as_deref(),
            urgent: self.urgent,
            applied: self.applied.as_deref(),
            due: &self.due,
        }
        .note(tx, &self.id, passed, happening)
        .await
    }
}

/// What a document is counted by.
pub(crate) struct Facts<'a> {
    pub(crate) kind: &'a str,
    pub(crate) office: Option<&'a str>,
    pub(crate) urgent: bool,
    pub(crate) applied: Option<&'a str>,
    pub(crate) due: &'a str,
}

fn noted(events: usize) -> String {
    format!(
        "INSERT INTO document_event (document, event, state, at, day, kind, office, urgent, applied, due, cause) VALUES {}",
        tuples(events, 11)
    )
}

assembled!(noted => |_| vec![noted(1), noted(2)]);

impl Facts<'_> {
    /// Writes down what happened to a document: each event, and the state that it came to.
    pub(crate) async fn note(
        &self,
        tx: &mut Connection,
        document: &str,
        passed: &[(DocumentEvent, DocumentState)],
        happening: Happening<'_>,
    ) -> Result<()> {
        let day = happening.day.to_string();
        let mut statement = sqlx::query(AssertSqlSafe(noted(passed.len())));
        for (event, state) in passed {
            statement = statement
                .bind(document)
                .bind(event.name())
                .bind(state.name())
                .bind(stored(happening.at))
                .bind(&day)
                .bind(self.kind)
                .bind(self.office)
                .bind(i64::from(self.urgent))
                .bind(self.applied)
                .bind(self.due)
                .bind(happening.cause);
        }
        statement.execute(tx).await?;
        Ok(())
    }
}

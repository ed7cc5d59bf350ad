//! Who writes the entries of the audit log.

use std::sync::Arc;

use api::Actor;
use audit::{
    Action, Cause, Control, Details, Entry, EntryId, Outcome, Reference, Subject, SubjectKind,
};
use uuid::Uuid;

use crate::accounts::known_as;
use crate::config::Clock;
use crate::database::{Write, stored};
use crate::error::{CentralError, Result};

/// What an entry says of an act, before it is known how it ended.
#[derive(Clone, Debug)]
pub(crate) struct Deed {
    action: &'static str,
    control: Control,
    kind: &'static str,
    reference: String,
    details: Vec<(&'static str, String)>,
}

impl Deed {
    /// An act on one thing, which is named by a pseudonymous reference.
    pub(crate) fn new(
        action: &'static str,
        control: Control,
        kind: &'static str,
        reference: impl ToString,
    ) -> Self {
        Self {
            action,
            control,
            kind,
            reference: reference.to_string(),
            details: Vec::new(),
        }
    }

    /// Names the act otherwise, once it is known what it was.
    pub(crate) fn named(mut self, action: &'static str) -> Self {
        self.action = action;
        self
    }

    /// Names the thing, once it is there.
    pub(crate) fn about(mut self, reference: impl ToString) -> Self {
        self.reference = reference.to_string();
        self
    }

    /// Adds a fact. It must not be about a holder.
    pub(crate) fn with(mut self, key: &'static str, value: impl ToString) -> Self {
        self.details.push((key, value.to_string()));
        self
    }
}

/// Writes entries: under this clock, and under this station's name where nobody acts.
pub(crate) struct Scribe {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) station: String,
}

impl Scribe {
    /// Adds an entry to the transaction whose change it is about; the commit writes it.
    pub(crate) async fn write(
        &self,
        tx: &mut Write,
        actor: Option<&Actor>,
        deed: &Deed,
        outcome: Outcome,
        cause: Option<&str>,
    ) -> Result<()> {
        let (person, station) = match actor {
            Some(actor) => (
                Some(known_as(tx, &actor.person).await?),
                actor.station.as_str(),
            ),
            None => (None, &*self.station),
        };
        let bytes = self
            .encode(deed, person, station, outcome, cause)
            .map_err(CentralError::audit("an entry"))?;
        tx.enter(bytes, stored(self.clock.now()));
        Ok(())
    }

    fn encode(
        &self,
        deed: &Deed,
        person: Option<String>,
        station: &str,
        outcome: Outcome,
        cause: Option<&str>,
    ) -> std::result::Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        let mut details = Details::new();
        for (key, value) in &deed.details {
            // What an authority or a caller said may hold what no entry takes.
            if details.insert(*key, line(value)).is_err() {
                details.insert(*key, "it cannot be repeated here")?;
            }
        }
        // What a caller sent may not fit a reference; the log takes no text of unknown content.
        let reference =
            Reference::new(&*deed.reference).or_else(|_| Reference::new("unreadable"))?;
        let station = Reference::new(format!("station/{station}"))
            .or_else(|_| Reference::new("station/unreadable"))?;
        let cause = match cause.map(line) {
            Some(text) => Some(
                Cause::new(text).or_else(|_| Cause::new("the cause cannot be repeated here"))?,
            ),
            None => None,
        };
        let entry = Entry {
            id: EntryId::new(Uuid::now_v7().to_string())?,
            time: audit::Timestamp::new(self.clock.now().to_string())?,
            clock: self.clock.quality(),
            actor: audit::Actor {
                person: person.map(Reference::new).transpose()?,
                station: Some(station),
            },
            action: Action::new(deed.action)?,
            subject: Subject {
                kind: SubjectKind::new(deed.kind)?,
                reference,
            },
            outcome,
            cause,
            control: deed.control,
            details,
        };
        Ok(entry.encode()?)
    }
}

/// Makes one line of at most 512 bytes of a text, as entries take it.
fn line(text: impl AsRef<str>) -> String {
    let mut line = String::new();
    for character in text.as_ref().chars() {
        let character = if character.is_control() || matches!(character, '\u{2028}' | '\u{2029}') {
            ' '
        } else {
            character
        };
        if line.len() + character.len_utf8() > 512 {
            break;
        }
        line.push(character);
    }
    line
}

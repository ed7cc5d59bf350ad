//! Which documents a batch is made of: a list of applications' references, a folder of applications, or
//! a question about the queue.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use document::Kind as DocumentKind;
use jiff::civil::Date;
use serde_json::Value;

use crate::cli::batch::queue::Queued;
use crate::cli::failure::{Failure, Kind, OrFail};

/// The longest file that is read, in bytes.
const LONGEST: u64 = 64 << 20;

/// A choice of documents.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Those of these applications.
    References(BTreeSet<String>),
    /// Those in the queue that are of a kind, due by a day, urgent; or all.
    Query(Query),
}

/// A question about the queue.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Query {
    kind: Option<DocumentKind>,
    due: Option<Date>,
    urgent: bool,
}

impl Query {
    fn fits(&self, queued: &Queued) -> bool {
        self.kind.is_none_or(|kind| queued.kind == kind.to_string())
            && self.due.is_none_or(|due| queued.due <= due)
            && (queued.urgent || !self.urgent)
    }
}

impl Choice {
    /// Reads what was asked for: a file or folder that is there, else a question.
    pub(crate) fn read(asked: &str) -> Result<Self, Failure> {
        let path = Path::new(asked);
        if path.is_dir() {
            return folder(path).map(Self::References);
        }
        if path.exists() {
            return list(path).map(Self::References);
        }
        query(asked)
    }

    /// Splits the choice by the queue: the documents that can be made, and the references that are not
    /// in it.
    pub(crate) fn of(self, queue: Vec<Queued>) -> (Vec<Queued>, Vec<String>) {
        match self {
            Self::Query(query) => {
                let fits = |queued: &Queued| query.fits(queued);
                (queue.into_iter().filter(fits).collect(), Vec::new())
            }
            Self::References(mut wanted) => {
                let chosen = queue
                    .into_iter()
                    .filter(|queued| wanted.remove(&queued.application))
                    .collect();
                (chosen, wanted.into_iter().collect())
            }
        }
    }
}

fn fault(path: &Path, fault: impl std::fmt::Display) -> Failure {
    Failure::new(Kind::Usage, format!("{}: {fault}", path.display()))
}

fn text(path: &Path) -> Result<String, Failure> {
    let length = fs::metadata(path).or_fail(Kind::Usage)?.len();
    if length > LONGEST {
        return Err(fault(path, format!("longer than {} MiB", LONGEST >> 20)));
    }
    fs::read_to_string(path).map_err(|error| fault(path, error))
}

/// Reads a list: a reference a line, or an object with `reference` a line; or one application.
fn list(path: &Path) -> Result<BTreeSet<String>, Failure> {
    let text = text(path)?;
    if let Ok(one) = serde_json::from_str::<Value>(&text) {
        return Ok(BTreeSet::from([reference(&one).ok_or_else(|| {
            fault(path, "this is no application: it has no \"reference\"")
        })?]));
    }
    let mut found = BTreeSet::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let at = |what: &str| fault(path, format!("line {}: {what}", number + 1));
        let one = match line.starts_with('{') {
            false => line.to_owned(),
            true => serde_json::from_str(line)
                .ok()
                .as_ref()
                .and_then(reference)
                .ok_or_else(|| at("this is no object with a \"reference\""))?,
        };
        if one.contains(char::is_whitespace) || one.len() > 64 {
            return Err(at("a reference has no spaces and at most 64 bytes"));
        }
        if !found.insert(one) {
            return Err(at("this reference stands there twice"));
        }
    }
    match found.is_empty() {
        true => Err(fault(path, "there is no reference in it")),
        false => Ok(found),
    }
}

/// Reads the applications of a folder: `*.json`.
fn folder(path: &Path) -> Result<BTreeSet<String>, Failure> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(path).map_err(|error| fault(path, error))? {
        let file = entry.map_err(|error| fault(path, error))?.path();
        if file.extension().is_none_or(|kind| kind != "json") {
            continue;
        }
        let one: Value =
            serde_json::from_str(&text(&file)?).map_err(|error| fault(&file, error))?;
        let one = reference(&one)
            .ok_or_else(|| fault(&file, "this is no application: it has no \"reference\""))?;
        if !found.insert(one) {
            return Err(fault(&file, "another file has the same reference"));
        }
    }
    match found.is_empty() {
        true => Err(fault(path, "there is no application in it (*.json)")),
        false => Ok(found),
    }
}

fn reference(value: &Value) -> Option<String> {
    let text = value.get("reference").and_then(Value::as_str);
    text.map(str::to_owned)
}

fn query(asked: &str) -> Result<Choice, Failure> {
    let wrong = |what: String| {
        Failure::new(Kind::Usage, what).with_hint(
            "name a file of references, a folder of applications, or a question: all, urgent, kind=passport, due=2026-12-01, kind=passport,urgent",
        )
    };
    let mut query = Query::default();
    if asked != "all" {
        for part in asked.split(',') {
            match part.split_once('=') {
                None if part == "urgent" => query.urgent = true,
                Some(("kind", name)) if query.kind.is_none() => {
                    let named = name.parse::<DocumentKind>();
                    query.kind =
                        Some(named.map_err(|_| wrong(format!("no kind is named {name:?}")))?);
                }
                Some(("due", day)) if query.due.is_none() => {
                    let named = day.parse::<Date>();
                    query.due = Some(named.map_err(|_| wrong(format!("{day:?} is no day")))?);
                }
                _ => return Err(wrong(format!("there is no {asked:?}, and it asks nothing"))),
            }
        }
    }
    Ok(Choice::Query(query))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn queued(application: &str, kind: &str, due: &str, urgent: bool) -> Queued {
        Queued {
            id: Uuid::nil(),
            application: application.to_owned(),
            kind: kind.to_owned(),
            due: due.parse().unwrap(),
            urgent,
        }
    }

    fn written(text: &str) -> Result<BTreeSet<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("list.txt");
        fs::write(&file, text).unwrap();
        list(&file).map_err(|failure| failure.message().to_owned())
    }

    #[test]
    fn a_list_is_read_line_by_line() {
        let found = written("# today\nAPP-1\n\n{\"reference\": \"APP-2\"}\n").unwrap();
        assert_eq!(found, ["APP-1", "APP-2"].map(str::to_owned).into());
        let one = written("{\"reference\": \"APP-3\",\n \"kind\": \"passport\"}").unwrap();
        assert_eq!(one, ["APP-3".to_owned()].into());
        assert!(
            written("APP-1\nAPP-1")
                .unwrap_err()
                .contains("line 2: this reference")
        );
        assert!(
            written("APP 1")
                .unwrap_err()
                .contains("line 1: a reference")
        );
        assert!(
            written("{\"no\": 1}\nAPP-1")
                .unwrap_err()
                .contains("line 1: this is no")
        );
        assert!(written("# nothing").unwrap_err().contains("no reference"));
    }

    #[test]
    fn a_question_is_about_kind_day_and_haste() {
        let queue = || {
            vec![
                queued("A", "passport", "2026-12-01", true),
                queued("B", "passport", "2026-12-09", false),
                queued("C", "id-card", "2026-12-02", true),
            ]
        };
        let of = |asked: &str| {
            let (chosen, missing) = query(asked).ok().unwrap().of(queue());
            assert!(missing.is_empty());
            chosen
                .into_iter()
                .map(|one| one.application)
                .collect::<Vec<_>>()
        };
        assert_eq!(of("all"), ["A", "B", "C"]);
        assert_eq!(of("kind=passport"), ["A", "B"]);
        assert_eq!(of("due=2026-12-02"), ["A", "C"]);
        assert_eq!(of("kind=passport,urgent"), ["A"]);
        for wrong in [
            "kind=queen",
            "colour=red",
            "due=tomorrow",
            "nothing-here.txt",
            "kind=passport,kind=id-card",
        ] {
            assert!(query(wrong).is_err(), "{wrong}");
        }
        let wanted = ["B", "X"].map(str::to_owned).into();
        let (chosen, missing) = Choice::References(wanted).of(queue());
        assert_eq!((chosen.len(), missing), (1, vec!["X".to_owned()]));
    }
}

//! A fault in a profile as a person sees it best: the place, the line, a caret, what to do.

use print::LayoutError;
use profile::{ProfileError, Warning};
use serde::Serialize;

use crate::cli::profile::found::Found;

/// A fault. Fields may be added, never renamed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Fault {
    file: String,
    /// From 1; nothing where the fault has no place.
    line: Option<usize>,
    /// In characters, from 1.
    column: Option<usize>,
    fault: String,
    hint: String,
    /// The line itself.
    source: Option<String>,
}

impl Fault {
    pub(crate) fn of(error: ProfileError, found: &Found) -> Self {
        match error {
            ProfileError::Invalid { place, fault, hint } => Self {
                file: found.path_of(&place.file),
                line: Some(place.line),
                column: Some(place.column),
                fault,
                hint,
                source: found.line(&place).map(str::to_owned),
            },
            other => Self::without_place(found.path(), other.to_string()),
        }
    }

    /// Tells of something that is odd and no fault.
    pub(crate) fn warning(warning: &Warning, found: &Found) -> Self {
        Self {
            file: found.path_of(&warning.place.file),
            line: Some(warning.place.line),
            column: Some(warning.place.column),
            fault: warning.what.clone(),
            hint: warning.hint.clone(),
            source: found.line(&warning.place).map(str::to_owned),
        }
    }

    /// Tells of a fault of a layout, which stands in a file.
    pub(crate) fn of_layout(error: &LayoutError, file: String, text: &str) -> Self {
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let line = count(error.line);
        let source = text.lines().nth(line.saturating_sub(1));
        Self {
            file,
            line: Some(line),
            column: Some(count(error.column)),
            fault: error.fault.clone(),
            hint: error.hint.clone(),
            source: source.map(str::to_owned),
        }
    }

    pub(crate) fn without_place(file: String, fault: String) -> Self {
        Self {
            file,
            line: None,
            column: None,
            fault,
            hint: String::new(),
            source: None,
        }
    }

    /// Returns place and fault on one line.
    pub(crate) fn line(&self) -> String {
        match (self.line, self.column) {
            (Some(line), Some(column)) => {
                format!("{}:{line}:{column}: {}", self.file, self.fault)
            }
            _ => format!("{}: {}", self.file, self.fault),
        }
    }

    /// Returns all of it, with the line itself and a caret.
    pub(crate) fn text(&self) -> String {
        let mut text = self.line();
        let (Some(line), Some(column)) = (self.line, self.column) else {
            return text;
        };
        if let Some(source) = &self.source {
            let number = line.to_string();
            let margin = " ".repeat(number.len());
            // A tab before the caret keeps it under its character.
            let before = source.chars().take(column.saturating_sub(1));
            let indent: String = before
                .map(|letter| if letter == '\t' { '\t' } else { ' ' })
                .collect();
            text.push_str(&format!(
                "\n{margin} |\n{number} | {source}\n{margin} | {indent}^"
            ));
        }
        if !self.hint.is_empty() {
            text.push_str(&format!("\n  try: {}", self.hint));
        }
        text
    }
}

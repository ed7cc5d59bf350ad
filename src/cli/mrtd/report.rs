//! What the inspector shows: a table for a person, one JSON value for a program.

use std::process::ExitCode;

use mrtd::inspection::{Check, Inspection, Verdict};
use mrtd::lds::{Dg1, Group, Lds};
use serde::Serialize;
use zeroize::Zeroize;

use crate::cli::card::tables;
use crate::cli::failure::{Failure, Kind};
use crate::cli::mrtd::trust::Trusted;
use crate::cli::output;

/// What came out. Fields may be added, never renamed.
#[derive(Serialize)]
pub(crate) struct Report {
    /// `passed`, `unknown` or `failed`: the worst of all checks.
    verdict: &'static str,
    checks: Vec<Row>,
    /// What DG1 says; none where it is not there or does not read.
    document: Option<Holder>,
    /// As of when it was judged.
    at: String,
    trust: Vec<Trusted>,
    /// What of the folder is no file of a document.
    ignored: Vec<String>,
    /// What was written, by the options that ask for it.
    written: Vec<String>,
    #[serde(skip)]
    exit: Verdict,
}

#[derive(Serialize)]
struct Row {
    name: String,
    verdict: &'static str,
    reason: String,
    remarks: Vec<String>,
}

/// What a machine readable zone says. Shown to whoever asked for this document; wiped when dropped.
#[derive(Serialize, Zeroize)]
#[zeroize(drop)]
struct Holder {
    #[zeroize(skip)]
    format: String,
    document_code: String,
    issuing_state: String,
    document_number: String,
    surname: String,
    given_names: String,
    nationality: String,
    /// As the zone has it: year of the century, month, day.
    birth_date: Option<String>,
    sex: Option<String>,
    /// As the zone has it.
    expiry_date: Option<String>,
    mrz: Vec<String>,
}

impl Report {
    /// Makes the report of an inspection.
    pub(crate) fn of(inspection: &Inspection, lds: &Lds, at: jiff::Timestamp) -> Self {
        Self {
            verdict: inspection.verdict().name(),
            checks: inspection.checks.iter().map(Row::of).collect(),
            document: Holder::of(lds),
            at: at.to_string(),
            trust: Vec::new(),
            ignored: Vec::new(),
            written: Vec::new(),
            exit: inspection.verdict(),
        }
    }

    /// Adds who was trusted.
    pub(crate) fn trusting(self, trust: Vec<Trusted>) -> Self {
        Self { trust, ..self }
    }

    /// Adds what was left out.
    pub(crate) fn ignoring(self, ignored: Vec<String>) -> Self {
        Self { ignored, ..self }
    }

    /// Adds what was written.
    pub(crate) fn writing(self, written: Vec<String>) -> Self {
        Self { written, ..self }
    }

    /// Shows it, and returns the exit code that the verdict has.
    pub(crate) fn show(&self, json: bool) -> Result<ExitCode, Failure> {
        if json {
            output::json(self)?;
        } else {
            output::line(&self.text())?;
        }
        Ok(match self.exit {
            Verdict::Passed => ExitCode::SUCCESS,
            Verdict::Unknown => ExitCode::from(Kind::Failed as u8),
            Verdict::Failed => ExitCode::from(Kind::Integrity as u8),
        })
    }

    fn text(&self) -> String {
        let mut text = String::new();
        if let Some(holder) = &self.document {
            for line in &holder.mrz {
                text.push_str(line);
                text.push('\n');
            }
            text.push('\n');
        }
        let mut table = tables::headed(["check", "verdict", "reason"]);
        for check in &self.checks {
            let remarks = check
                .remarks
                .iter()
                .map(|remark| format!("\nnote: {remark}"));
            let reason: String = std::iter::once(check.reason.clone())
                .chain(remarks)
                .collect();
            table.add_row([check.name.as_str(), check.verdict, &reason]);
        }
        text.push_str(&table.to_string());
        text.push('\n');
        for trusted in &self.trust {
            text.push_str(&trusted.line());
            text.push('\n');
        }
        for name in &self.ignored {
            text.push_str(&format!("ignored: {name}\n"));
        }
        for path in &self.written {
            text.push_str(&format!("written: {path}\n"));
        }
        text.push_str(&format!("as of {}: {}", self.at, self.verdict));
        text
    }
}

impl Row {
    fn of(check: &Check) -> Self {
        Self {
            name: check.name.to_string(),
            verdict: check.verdict.name(),
            reason: check.reason.clone(),
            remarks: check.remarks.clone(),
        }
    }
}

impl Holder {
    fn of(lds: &Lds) -> Option<Self> {
        let mrz = Dg1::parse(lds.get(Group::Dg1)?).ok()?.content.mrz;
        let names = mrz.names();
        Some(Self {
            format: format!("{:?}", mrz.format()).to_uppercase(),
            document_code: mrz.document_code().to_owned(),
            issuing_state: mrz.issuer().to_owned(),
            document_number: mrz.document_number().to_string(),
            surname: names.primary().to_string(),
            given_names: names.secondary().to_string(),
            nationality: mrz.nationality_code().to_owned(),
            birth_date: mrz.birth_date().map(|date| date.as_str().to_owned()),
            sex: mrz.sex().map(|sex| sex.to_string()),
            expiry_date: mrz.expiry_date().map(|date| date.as_str().to_owned()),
            mrz: mrz.lines().map(str::to_owned).collect(),
        })
    }
}

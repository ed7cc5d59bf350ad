//! How far a batch is, and what became of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use crate::cli::batch::ledger::{End, Ledger, Line, made};
use crate::cli::batch::plan::{Plan, results_of};
use crate::cli::card::tables::headed;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::cli::watch::lasting;

/// A batch in figures. Fields may be added, never renamed.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Summary {
    /// Documents in the batch.
    pub(crate) documents: usize,
    /// Of them made.
    pub(crate) made: usize,
    /// Blanks that ended.
    blanks: usize,
    /// Blanks that were spoiled.
    spoiled: usize,
    /// Blanks that went back untouched.
    untouched: usize,
    /// Documents that are not to be made any more: made elsewhere, or given up.
    elsewhere: usize,
    /// Of them those that the centre has as made.
    made_elsewhere: usize,
    /// Documents made of all blanks that something lasting was done to; none before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    r#yield: Option<f64>,
    /// Documents an hour, from the first to the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    per_hour: Option<f64>,
    /// Seconds until the rest is made at that rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds_left: Option<f64>,
    /// The time of one document at its slot, in seconds: half of them took no longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds_p50: Option<f64>,
    /// As `seconds_p50`, of 95 in a hundred.
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds_p95: Option<f64>,
    /// C-APDUs a document.
    #[serde(skip_serializing_if = "Option::is_none")]
    commands_each: Option<f64>,
    /// Bytes a document, to the chips and from them.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_each: Option<f64>,
    /// Certificates that were issued.
    certificates: usize,
    /// Why blanks are no documents, and how many.
    causes: BTreeMap<String, usize>,
    /// Documents made at each slot.
    slots: BTreeMap<String, usize>,
    /// Documents an hour at each slot, from its first to its last; a slot of one document has none.
    slots_per_hour: BTreeMap<String, f64>,
}

impl Summary {
    /// Sums a batch of so many documents up.
    pub(crate) fn of(documents: usize, lines: &[Line]) -> Self {
        let whole: Vec<_> = lines.iter().filter(|line| line.is_made()).collect();
        let mut seconds: Vec<_> = whole.iter().map(|line| line.seconds).collect();
        seconds.sort_by(f64::total_cmp);
        // The smallest that so many in a hundred do not exceed.
        let quantile = |percent: usize| {
            let place = (seconds.len() * percent).div_ceil(100).max(1) - 1;
            seconds.get(place).copied()
        };
        let each = |sum: u64| (!whole.is_empty()).then(|| sum as f64 / whole.len() as f64);
        let (mut causes, mut slots) = (BTreeMap::new(), BTreeMap::new());
        let (mut spoiled, mut untouched) = (0, 0);
        let (mut elsewhere, mut made_elsewhere) = (0, 0);
        for line in lines {
            match &line.end {
                End::Personalized => *slots.entry(line.slot.clone()).or_insert(0) += 1,
                End::Spoiled { cause } => {
                    spoiled += 1;
                    *causes.entry(cause.clone()).or_insert(0) += 1;
                }
                End::Untouched { cause } => {
                    untouched += 1;
                    *causes.entry(cause.clone()).or_insert(0) += 1;
                }
                End::Elsewhere { state } => {
                    elsewhere += 1;
                    made_elsewhere += usize::from(state.is_some());
                }
            }
        }
        let made = made(lines).len();
        let per_hour = rate(&whole);
        let slots_per_hour = slots.keys().filter_map(|slot: &String| {
            let own = whole.iter().filter(|line| line.slot == *slot).copied();
            rate(&own.collect::<Vec<_>>()).map(|rate| (slot.clone(), rate))
        });
        let left = documents.saturating_sub(made + elsewhere);
        Self {
            documents,
            made,
            blanks: lines.len() - elsewhere,
            spoiled,
            untouched,
            elsewhere,
            made_elsewhere,
            r#yield: (whole.len() + spoiled > 0)
                .then(|| whole.len() as f64 / (whole.len() + spoiled) as f64),
            per_hour,
            seconds_left: per_hour.map(|rate| left as f64 / rate * 3600.0),
            seconds_p50: quantile(50),
            seconds_p95: quantile(95),
            commands_each: each(whole.iter().map(|line| line.commands).sum()),
            bytes_each: each(whole.iter().map(|line| line.bytes).sum()),
            certificates: lines.iter().map(|line| line.certificates).sum(),
            causes,
            slots_per_hour: slots_per_hour.collect(),
            slots,
        }
    }

    /// Shows it to a person.
    pub(crate) fn show(&self) -> Result<(), Failure> {
        let figure = |value: Option<f64>, unit: &str| {
            value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}{unit}"))
        };
        output::line(&format!(
            "{} of {} documents made; {} blanks spoiled, {} back untouched; yield {}",
            self.made,
            self.documents,
            self.spoiled,
            self.untouched,
            figure(self.r#yield.map(|share| share * 100.0), " %"),
        ))?;
        output::line(&format!(
            "{} an hour; a document takes {} (p50), {} (p95), {} commands, {} bytes; {} certificates",
            figure(self.per_hour, ""),
            figure(self.seconds_p50, " s"),
            figure(self.seconds_p95, " s"),
            figure(self.commands_each, ""),
            figure(self.bytes_each, ""),
            self.certificates,
        ))?;
        if self.elsewhere > 0 {
            output::line(&format!(
                "{} are not to be made any more: {} were made elsewhere, of the others look at their applications",
                self.elsewhere, self.made_elsewhere
            ))?;
        }
        if !self.causes.is_empty() {
            let mut table = headed(["blanks", "cause"]);
            for (cause, blanks) in &self.causes {
                table.add_row([blanks.to_string(), cause.clone()]);
            }
            output::line(&table.to_string())?;
        }
        self.show_slots()
    }

    /// Says how far it is, and how fast.
    fn standing(&self) -> String {
        let (made, documents) = (self.made, self.documents);
        let rate = self.per_hour.map(|rate| format!(", {rate:.0} an hour"));
        let left = self.seconds_left.filter(|_| !self.is_over());
        let left = left.map(|left| format!(", about {}", lasting(left)));
        format!(
            "{made} of {documents} documents made{}{}",
            rate.unwrap_or_default(),
            left.unwrap_or_default()
        )
    }

    /// Shows what each slot made, and how fast.
    fn show_slots(&self) -> Result<(), Failure> {
        let mut table = headed(["slot", "made", "an hour"]);
        for (slot, made) in &self.slots {
            let rate = self.slots_per_hour.get(slot);
            let rate = rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.0}"));
            table.add_row([slot.clone(), made.to_string(), rate]);
        }
        match self.slots.is_empty() {
            true => Ok(()),
            false => output::line(&table.to_string()),
        }
    }

    /// Returns whether nothing is left to be made.
    pub(crate) fn is_over(&self) -> bool {
        self.made + self.elsewhere >= self.documents
    }

    /// Returns the exit code: 0 where every document is made.
    pub(crate) fn code(&self) -> ExitCode {
        match self.made + self.made_elsewhere >= self.documents {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        }
    }
}

/// Returns how many of these documents are made in an hour, from the first to the last.
fn rate(made: &[&Line]) -> Option<f64> {
    let (first, last) = (made.first()?, made.last()?);
    let hours = last.at.duration_since(first.at).as_secs_f64() / 3600.0;
    (hours > 0.0).then(|| (made.len() - 1) as f64 / hours)
}

fn summed(plan: &Path) -> Result<Summary, Failure> {
    let planned = Plan::read(plan)?;
    let lines = Ledger::read(&results_of(plan))?;
    Ok(Summary::of(planned.documents.len(), &lines))
}

/// Shows how far a batch is.
pub(crate) fn status(plan: &Path, json: bool) -> Result<ExitCode, Failure> {
    let summary = summed(plan)?;
    if json {
        output::json(&summary)?;
        return Ok(ExitCode::SUCCESS);
    }
    output::line(&summary.standing())?;
    summary.show_slots()?;
    Ok(ExitCode::SUCCESS)
}

/// Shows what became of a batch. The exit code is that of the run.
pub(crate) fn report(plan: &Path, json: bool) -> Result<ExitCode, Failure> {
    let summary = summed(plan)?;
    match json {
        true => output::json(&summary)?,
        false => summary.show()?,
    }
    Ok(summary.code())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use uuid::Uuid;

    use super::*;

    fn line(number: u128, second: i64, end: End) -> Line {
        Line {
            at: Timestamp::from_second(second).unwrap(),
            document: Uuid::from_u128(number),
            lease: None,
            application: format!("APP-{number}"),
            kind: "id-card".into(),
            number: "XA0000001".into(),
            slot: "left".into(),
            end,
            seconds: number as f64,
            commands: 10 * number as u64,
            bytes: 100,
            certificates: 1,
        }
    }

    #[test]
    fn a_batch_is_summed_up() {
        let none = Summary::of(3, &[]);
        assert_eq!((none.made, none.r#yield, none.seconds_p50), (0, None, None));
        let cause = || "torn out".to_owned();
        let lines = [
            line(1, 0, End::Personalized),
            line(2, 18, End::Spoiled { cause: cause() }),
            line(2, 36, End::Personalized),
            line(3, 40, End::Untouched { cause: cause() }),
            line(4, 41, End::Elsewhere { state: None }),
        ];
        let summary = Summary::of(5, &lines);
        assert_eq!(
            (summary.blanks, summary.elsewhere, summary.made_elsewhere),
            (4, 1, 0)
        );
        assert!(!summary.is_over());
        assert_eq!(
            (summary.made, summary.spoiled, summary.untouched),
            (2, 1, 1)
        );
        assert_eq!(summary.r#yield, Some(2.0 / 3.0));
        assert_eq!(summary.per_hour, Some(100.0));
        assert_eq!(summary.seconds_left, Some(72.0));
        assert_eq!(
            (summary.seconds_p50, summary.seconds_p95),
            (Some(1.0), Some(2.0))
        );
        assert_eq!(summary.commands_each, Some(15.0));
        assert_eq!(summary.causes, BTreeMap::from([("torn out".to_owned(), 2)]));
        assert_eq!(
            summary.standing(),
            "2 of 5 documents made, 100 an hour, about 72 s left"
        );
    }

    #[test]
    fn each_slot_has_its_own_rate() {
        let at = |number, second, slot: &str| Line {
            slot: slot.into(),
            ..line(number, second, End::Personalized)
        };
        let lines = [
            at(1, 0, "left"),
            at(2, 10, "right"),
            at(3, 20, "left"),
            at(4, 40, "left"),
        ];
        let summary = Summary::of(1000, &lines);
        assert_eq!(summary.slots["left"], 3);
        assert_eq!(
            summary.slots_per_hour,
            BTreeMap::from([("left".to_owned(), 180.0)])
        );
        assert_eq!(summary.per_hour, Some(270.0));
        let standing = summary.standing();
        assert!(
            standing.ends_with(", 270 an hour, about 3.7 h left"),
            "{standing}"
        );
    }
}

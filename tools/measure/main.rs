//! `measure`: figures of the product beside the limit that each has, measured in the same run.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing figures is what it is for"
)]

mod authority;
mod border;
mod chips;
mod demo;
mod desk;
mod documents;
mod faces;
mod fewest;
mod growth;
mod keys;
mod lives;
mod memory;
mod opensc;
mod passport;
mod postgres;
mod printing;
mod protection;
mod soft_key;
mod station;
mod travel;
mod wire;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use serde::Serialize;

/// Measures the product, each figure beside its limit.
#[derive(Parser)]
struct Arguments {
    /// Only the rows whose name contains this.
    name: Option<String>,
    /// One JSON list.
    #[arg(long)]
    json: bool,
    /// How many documents the demo makes for its figures.
    #[arg(long, default_value_t = 20)]
    documents: usize,
    /// How many documents the stores have that are measured as they grow.
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 100_000])]
    sizes: Vec<u32>,
    /// Measure only the wire to this reader, in seconds a command.
    #[arg(long, hide = true)]
    wire: Option<String>,
    /// Measure only what keys do, those rows whose name contains this, where SoftHSM2 has a folder.
    #[arg(long, hide = true)]
    keys: Option<String>,
    /// Measure only the memory that a long revocation list takes.
    #[arg(long, hide = true)]
    crl_memory: bool,
    /// Measure only documents whose signer's key is in SoftHSM2, where that has a folder.
    #[arg(long, hide = true)]
    documents_in_token: bool,
    /// Measure only the memory that many documents take.
    #[arg(long, hide = true)]
    documents_memory: bool,
    /// Measure only the memory that a face takes at so many dots an inch.
    #[arg(long, hide = true)]
    faces_memory: Option<u16>,
    /// Measure only whole lives of documents, where SoftHSM2 has a folder.
    #[arg(long, hide = true)]
    lives: Option<String>,
    /// Measure only a station, those rows whose name contains this, where SoftHSM2 has a folder.
    #[arg(long, hide = true)]
    station: Option<String>,
    /// Measure only a store of as many documents as the first of the sizes says, in the database of
    /// this URL, where SoftHSM2 has a folder.
    #[arg(long, hide = true)]
    growth: Option<String>,
    /// Measure only this part of what the store of `growth` is measured by.
    #[arg(long, hide = true, requires = "growth")]
    growth_part: Option<growth::Part>,
    /// How many applications were made in that store beside copies.
    #[arg(long, hide = true, default_value_t = 0)]
    applications: u32,
    /// Fill the database of this URL with copies of what is in it.
    #[arg(long, hide = true)]
    fill: Option<String>,
    /// How many copies.
    #[arg(long, hide = true, default_value_t = 1)]
    copies: u32,
}

/// One figure.
#[derive(Debug, Serialize)]
struct Row {
    /// What was measured.
    name: String,
    /// How much.
    value: f64,
    /// Of what.
    unit: &'static str,
    /// The limit in the same unit, measured or computed in the same run.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<f64>,
    /// What the limit is, where the name does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit_is: Option<&'static str>,
    /// Value by limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio: Option<f64>,
    /// What was measured another time and elsewhere: no limit, and no ratio to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    recorded: Option<f64>,
}

impl Row {
    fn new(name: &str, value: f64, unit: &'static str, limit: f64) -> Self {
        Self {
            name: name.to_owned(),
            value,
            unit,
            limit: Some(limit),
            limit_is: None,
            ratio: Some(value / limit),
            recorded: None,
        }
    }

    /// Says what the limit is.
    fn beside(mut self, limit: &'static str) -> Self {
        self.limit_is = Some(limit);
        self
    }

    /// A figure beside one of another time.
    fn beside_recorded(name: &str, value: f64, unit: &'static str, recorded: f64) -> Self {
        Self {
            name: name.to_owned(),
            value,
            unit,
            limit: None,
            limit_is: None,
            ratio: None,
            recorded: Some(recorded),
        }
    }

    /// One line of the table.
    fn line(&self) -> String {
        let number =
            |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.3}"));
        let recorded = self.recorded;
        let recorded = recorded.map_or(String::new(), |value| format!("; {value} was recorded"));
        let beside = self.limit_is;
        let beside = beside.map_or(String::new(), |limit| format!("; limit: {limit}"));
        format!(
            "{:56} {:>12.3} {:>12} {:>8}  {}{recorded}{beside}",
            self.name,
            self.value,
            number(self.limit),
            number(self.ratio),
            self.unit,
        )
    }
}

type Measured = Result<Vec<Row>, Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let said = match part(&arguments) {
        Some(said) => said,
        None => measure(&arguments).map(|rows| shown(&rows, arguments.json)),
    };
    match said {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprint!("measure: {error}");
            let mut cause = error.source();
            while let Some(why) = cause {
                eprint!(": {why}");
                cause = why.source();
            }
            eprintln!();
            ExitCode::FAILURE
        }
    }
}

/// Measures the one part that this process was started for, and returns what its starter reads.
fn part(arguments: &Arguments) -> Option<Result<String, Box<dyn Error>>> {
    let memory = |(taken, length): (f64, f64)| format!("{taken} {length}");
    if let Some(reader) = &arguments.wire {
        let seconds = wire::seconds_a_command(reader);
        Some(seconds.map(|seconds| seconds.to_string()))
    } else if let Some(name) = &arguments.keys {
        let figures = keys::measure(Wanted(Some(name)));
        Some(figures.and_then(|figures| Ok(serde_json::to_string(&figures)?)))
    } else if arguments.crl_memory {
        Some(authority::list_memory().map(memory))
    } else if arguments.documents_memory {
        Some(documents::many_memory().map(memory))
    } else if let Some(dots) = arguments.faces_memory {
        Some(faces::peak_memory(dots).map(memory))
    } else if arguments.documents_in_token {
        Some(documents::measure_in_token())
    } else if let Some(url) = &arguments.growth {
        let documents = arguments.sizes.first().copied().unwrap_or_default();
        Some(match arguments.growth_part {
            Some(part) => growth::run(part, url, documents, arguments.applications),
            None => growth::measure(url, documents),
        })
    } else if let Some(name) = &arguments.station {
        Some(station::measure(name))
    } else if let Some(url) = &arguments.fill {
        Some(growth::fill(url, arguments.copies))
    } else {
        let database = arguments.lives.as_deref();
        database.map(lives::measure)
    }
}

/// Returns the rows as a table or in JSON.
fn shown(rows: &[Row], json: bool) -> String {
    if json {
        return serde_json::to_string_pretty(rows).unwrap_or_default();
    }
    let head = format!(
        "{:56} {:>12} {:>12} {:>8}  unit",
        "name", "value", "limit", "ratio"
    );
    let lines = rows.iter().map(Row::line);
    std::iter::once(head)
        .chain(lines)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Which rows are wanted: those whose name contains a text.
#[derive(Clone, Copy)]
struct Wanted<'a>(Option<&'a str>);

impl Wanted<'_> {
    fn has(self, name: &str) -> bool {
        self.0.is_none_or(|text| name.contains(text))
    }

    fn has_one(self, names: &[String]) -> bool {
        names.iter().any(|name| self.has(name))
    }
}

/// One group of rows: the names that it may give, and how they are measured.
type Group = (Vec<String>, fn(Wanted<'_>, &Arguments) -> Measured);

fn measure(arguments: &Arguments) -> Measured {
    let wanted = Wanted(arguments.name.as_deref());
    let groups: [Group; 12] = [
        (protection::names(), |wanted, _| protection::rows(wanted)),
        (keys::names(), |wanted, _| keys::rows(wanted)),
        (authority::names(), |wanted, _| authority::rows(wanted)),
        (documents::names(), |wanted, _| documents::rows(wanted)),
        (faces::names(), |wanted, _| faces::rows(wanted)),
        (printing::names(), |wanted, _| printing::rows(wanted)),
        (lives::names(), |wanted, _| lives::rows(wanted)),
        (growth::names(), |wanted, arguments| {
            growth::rows(wanted, &arguments.sizes)
        }),
        (travel::names(), |wanted, _| travel::rows(wanted)),
        (chips::names(), |wanted, _| chips::rows(wanted)),
        (station::names(), |wanted, _| station::rows(wanted)),
        (demo::names(), |_, arguments| {
            demo::rows(arguments.documents)
        }),
    ];
    if !groups.iter().any(|(names, _)| wanted.has_one(names)) {
        let known = groups.into_iter().flat_map(|(names, _)| names);
        return Err(format!(
            "no row's name contains {:?}; the rows are\n  {}",
            arguments.name.as_deref().unwrap_or_default(),
            known.collect::<Vec<_>>().join("\n  ")
        )
        .into());
    }
    let mut rows = Vec::new();
    for (names, measure) in groups {
        if wanted.has_one(&names) {
            rows.extend(measure(wanted, arguments)?);
        }
    }
    rows.retain(|row| wanted.has(&row.name));
    Ok(rows)
}

/// How often what is compared is measured, in turns: the best of each counts.
const TURNS: usize = 7;

/// Measures several things in turns, so that what else the machine does meets all of them, and
/// returns the least of each.
fn in_turns<const N: usize>(
    mut things: [&mut dyn FnMut() -> Result<f64, Box<dyn Error>>; N],
) -> Result<[f64; N], Box<dyn Error>> {
    let mut best = [f64::MAX; N];
    for _ in 0..TURNS {
        for (thing, best) in things.iter_mut().zip(&mut best) {
            *best = best.min(thing()?);
        }
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(name: &str) -> Arguments {
        Arguments {
            name: Some(name.to_owned()),
            json: false,
            documents: 0,
            wire: None,
            keys: None,
            crl_memory: false,
            documents_in_token: false,
            faces_memory: None,
            lives: None,
            station: None,
            growth: None,
            growth_part: None,
            applications: 0,
            fill: None,
            copies: 0,
            sizes: Vec::new(),
            documents_memory: false,
        }
    }

    #[test]
    fn a_name_that_no_row_has_is_refused() {
        let refused = measure(&arguments("no such row")).unwrap_err().to_string();
        assert!(refused.contains("scp03 host time"), "{refused}");
    }

    #[test]
    fn a_row_is_had_by_its_whole_name() {
        let name = "scp02 host time a protected command";
        let rows = measure(&arguments(name)).unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].name, name);
    }

    #[test]
    fn turns_give_the_least_of_each() {
        let (mut left, mut right) = (10.0, 5.0);
        let best = in_turns([
            &mut || {
                left -= 1.0;
                Ok(left)
            },
            &mut || {
                right += 1.0;
                Ok(right)
            },
        ]);
        assert_eq!(best.unwrap(), [10.0 - TURNS as f64, 6.0]);
    }

    #[test]
    fn a_limit_says_what_it_is() {
        let row = Row::new("a", 2.0, "µs", 1.0).beside("one hash");
        assert!(
            row.line().ends_with("µs; limit: one hash"),
            "{}",
            row.line()
        );
        let json = serde_json::to_value(&row).unwrap();
        assert_eq!(json["limit_is"], "one hash");
    }

    #[test]
    fn a_recorded_figure_has_no_ratio() {
        let row = Row::beside_recorded("a", 2.0, "commands", 4.0);
        assert!(
            row.line().ends_with("commands; 4 was recorded"),
            "{}",
            row.line()
        );
        let json = serde_json::to_value(&row).unwrap();
        assert_eq!((json.get("ratio"), json.get("limit")), (None, None));
    }
}

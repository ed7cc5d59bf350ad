//! What was counted at a place, and the close of a day: `zimogs central stock count | close`.

use std::str::FromStr;

use central::{CountEnd, Counted, CountedRibbons, StockCount};
use clap::Args;
use document::OfficeCode;
use document::life_cycle::{BlankState, RibbonState};
use jiff::civil::Date;
use serde_json::json;

use crate::cli::central::Place;
use crate::cli::failure::{Failure, Kind};
use crate::cli::output;

/// What was counted at a place.
#[derive(Args)]
pub(crate) struct Count {
    /// The place.
    code: OfficeCode,
    /// How many blanks of one sort lie there in one account: ITEM=N in stock, ITEM/ACCOUNT=N
    /// otherwise. What is not told counts as none.
    #[arg(long = "count", value_name = "ITEM[/ACCOUNT]=N")]
    counts: Vec<CountLine>,
    /// How many ribbons of one sort lie there in one state, in the same form.
    #[arg(long = "ribbons", value_name = "ITEM[/STATE]=N")]
    ribbons: Vec<RibbonCountLine>,
    #[command(flatten)]
    place: Place,
}

/// A day to close.
#[derive(Args)]
pub(crate) struct Close {
    /// The day; today by default.
    #[arg(long)]
    day: Option<Date>,
    /// The account of the second person.
    #[arg(long, value_name = "ACCOUNT")]
    witness: String,
    #[command(flatten)]
    pub(crate) count: Count,
}

/// A line of a count.
#[derive(Clone)]
pub(crate) struct CountLine(pub(crate) Counted);

impl FromStr for CountLine {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || "a count is ITEM=N or ITEM/ACCOUNT=N, for example booklet/spoiled=3";
        let (name, blanks) = text.rsplit_once('=').ok_or_else(form)?;
        let (item, state) = match name.split_once('/') {
            None => (name, BlankState::InStock),
            Some((item, state)) => (item, state.parse().map_err(|_| form())?),
        };
        let blanks = blanks.parse().map_err(|_| form())?;
        if item.is_empty() {
            return Err(form().to_owned());
        }
        Ok(Self(Counted {
            item: item.to_owned(),
            state,
            blanks,
        }))
    }
}

/// A line of a count of ribbons.
#[derive(Clone)]
pub(crate) struct RibbonCountLine(pub(crate) CountedRibbons);

impl FromStr for RibbonCountLine {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || "a count of ribbons is ITEM=N or ITEM/STATE=N, for example ymcko/used=3";
        let (name, ribbons) = text.rsplit_once('=').ok_or_else(form)?;
        let (item, state) = match name.split_once('/') {
            None => (name, RibbonState::InStock),
            Some((item, state)) => (item, state.parse().map_err(|_| form())?),
        };
        let ribbons = ribbons.parse().map_err(|_| form())?;
        if item.is_empty() {
            return Err(form().to_owned());
        }
        Ok(Self(CountedRibbons {
            item: item.to_owned(),
            state,
            ribbons,
        }))
    }
}

/// Counts a place, and closes a day there where `close` says so.
pub(crate) fn count(options: &Count, close: Option<&Close>) -> Result<(), Failure> {
    let counted: Vec<_> = options.counts.iter().map(|line| line.0.clone()).collect();
    let ribbons: Vec<_> = options.ribbons.iter().map(|line| line.0.clone()).collect();
    let counted = StockCount {
        blanks: &counted,
        ribbons: &ribbons,
    };
    let place = &options.code;
    let work = async |central: &central::Central, actor: api::Actor| {
        let end = match close {
            None => central.count_place(&actor, place, counted).await?,
            Some(close) => {
                let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
                let day = close.day.unwrap_or(today.date());
                let witness = &close.witness;
                central
                    .close_day(&actor, place, day, witness, counted)
                    .await?
            }
        };
        let CountEnd::Differs {
            incident,
            differences,
            ribbons,
        } = end
        else {
            let done = if close.is_some() {
                "closed"
            } else {
                "as the books say"
            };
            return match options.place.json() {
                true => output::json(&json!({ "place": place.as_str(), "agrees": true })),
                false => output::line(&format!("{place} is {done}")),
            };
        };
        if options.place.json() {
            let lines = differences.iter().map(|line| {
                json!({
                    "item": line.item, "account": line.state,
                    "counted": line.counted, "booked": line.booked,
                })
            });
            let of_ribbons = ribbons.iter().map(|line| {
                json!({
                    "item": line.item, "state": line.state,
                    "counted": line.counted, "booked": line.booked,
                })
            });
            output::json(&json!({
                "place": place.as_str(), "agrees": false, "incident": incident,
                "differences": lines.collect::<Vec<_>>(),
                "ribbons": of_ribbons.collect::<Vec<_>>(),
            }))?;
        } else {
            for line in &differences {
                output::line(&format!(
                    "{} {}: {} counted, {} in the books",
                    line.item, line.state, line.counted, line.booked
                ))?;
            }
            for line in &ribbons {
                output::line(&format!(
                    "ribbons {} {}: {} counted, {} in the books",
                    line.item, line.state, line.counted, line.booked
                ))?;
            }
        }
        Err(Failure::new(
            Kind::Refused,
            format!("{place} is not as the books say; incident {incident} is open"),
        ))
    };
    options.place.with_central("stock-keeper", work)
}

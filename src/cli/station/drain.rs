//! `zimogs station drain`: until nothing is in work any more, and nothing is left to tell.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use clap::Args;
use station::{LocalClient, LocalError, Overview, SlotState, SlotView};
use tokio::time::{Instant, sleep};

use crate::cli::failure::{Failure, Kind};
use crate::cli::output;
use crate::cli::station::person::{Inside, Ordered};
use crate::cli::station::status::name;

/// How often the station is looked at.
const LOOKS: Duration = Duration::from_millis(250);

/// The slots to drain, and for how long that is waited for.
#[derive(Args)]
pub(crate) struct Drain {
    #[command(flatten)]
    ordered: Ordered,
    /// The most seconds; without it as long as it takes.
    #[arg(long, value_name = "SECONDS")]
    within: Option<u64>,
}

/// What is still to be waited for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Rest {
    /// The slots that have not come to rest, and how far they are.
    slots: BTreeMap<String, String>,
    /// The reports that the centre does not have.
    reports: u64,
}

impl Rest {
    /// Returns what is left at a slot, or at the whole station.
    fn of(overview: &Overview, slot: Option<&str>) -> Self {
        let asked = |view: &&SlotView| slot.is_none_or(|slot| slot == view.slot);
        let busy = |view: &&SlotView| !is_at_rest(view.state);
        let views = overview.slots.iter().filter(asked).filter(busy);
        Self {
            slots: views
                .map(|view| (view.slot.clone(), how_far(view)))
                .collect(),
            // Nothing is told to the centre but in the name of who has the shift.
            reports: match (slot, &overview.shift) {
                (None, Some(_)) => overview.waiting_reports,
                _ => 0,
            },
        }
    }

    fn is_nothing(&self) -> bool {
        self.slots.is_empty() && self.reports == 0
    }

    /// Says it on one line.
    fn said(&self) -> String {
        let mut parts: Vec<_> = self
            .slots
            .iter()
            .map(|(slot, how_far)| format!("{slot}: {how_far}"))
            .collect();
        if self.reports > 0 {
            parts.push(format!("{} reports wait for the centre", self.reports));
        }
        parts.join("; ")
    }
}

/// Tells whether a slot that is paused has nothing in work, and takes nothing up. One that has not said
/// so yet may have been given a document just before.
fn is_at_rest(state: SlotState) -> bool {
    matches!(
        state,
        SlotState::Paused | SlotState::Done | SlotState::NeedsPerson | SlotState::OutOfService
    )
}

fn how_far(view: &SlotView) -> String {
    match view.state {
        SlotState::Working => format!("step {} of {}", view.done, view.total),
        SlotState::Parked => {
            "its card is held until the centre answers (zimogs station give-up)".to_owned()
        }
        state => name(&state),
    }
}

/// Has the slots begin nothing more, and waits for them.
pub(crate) fn run(options: &Drain) -> Result<(), Failure> {
    let ordered = &options.ordered;
    let slot = ordered.slot.as_deref();
    let end = options
        .within
        .map(|within| Instant::now() + Duration::from_secs(within));
    let inside = Inside::enter(&ordered.signed)?;
    let rest = inside.act(async |client| drain(client, slot, end).await)?;
    if !rest.is_nothing() {
        let fault = format!("not drained in time: {}", rest.said());
        return Err(Failure::new(Kind::Failed, fault).with_hint(
            "the slots stay paused: say it again, or let them work (zimogs station start)",
        ));
    }
    match ordered.signed.json {
        true => output::json(&serde_json::json!({ "drained": true })),
        false => output::line(
            "nothing is in work, and nothing is begun until zimogs station start is said",
        ),
    }
}

/// Waits until `end`, where there is one. Returns what is left.
async fn drain(
    client: &LocalClient,
    slot: Option<&str>,
    end: Option<Instant>,
) -> Result<Rest, LocalError> {
    client.order(slot, "pause").await?;
    let mut told = Rest::default();
    loop {
        let rest = Rest::of(&client.overview().await?, slot);
        if rest.is_nothing() || end.is_some_and(|end| Instant::now() >= end) {
            return Ok(rest);
        }
        if rest != told {
            // A terminal that is gone is no reason to stop waiting.
            let _ = writeln!(std::io::stderr(), "{}", rest.said());
            told = rest;
        }
        sleep(LOOKS).await;
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;

    fn overview(states: &[(&str, &str)], reports: u64) -> Overview {
        let slots = states.iter().map(|(slot, state)| {
            json!({
                "slot": slot, "state": state, "since": Timestamp::UNIX_EPOCH, "done": 3, "total": 40,
                "made": 0, "spoiled": 0, "untouched": 0,
            })
        });
        let slots: Vec<_> = slots.collect();
        let overview = json!({
            "station": "s", "environment": "test", "office": null, "shift": "berta",
            "centre": { "server": "https://c", "looked": null },
            "waiting_reports": reports, "in_work": false,
            "pace": { "made": 0, "spoiled": 0, "untouched": 0 }, "slots": slots,
        });
        serde_json::from_value(overview).unwrap()
    }

    #[test]
    fn it_is_drained_when_nothing_is_in_work_and_nothing_to_tell() {
        let busy = overview(&[("a", "working"), ("b", "done"), ("c", "parked")], 2);
        let rest = Rest::of(&busy, None);
        assert_eq!(rest.slots.keys().collect::<Vec<_>>(), ["a", "c"]);
        let said = rest.said();
        for part in ["a: step 3 of 40", "c: its card is held", "2 reports wait"] {
            assert!(said.contains(part), "{said}");
        }
        // The order is given, and the slot has not come to it: it may have been given a document.
        let early = overview(&[("a", "waiting-for-card"), ("b", "paused")], 0);
        assert!(!Rest::of(&early, None).is_nothing());
        // One slot alone says nothing of the others, or of the reports.
        assert!(Rest::of(&early, Some("b")).is_nothing());
        assert!(Rest::of(&busy, Some("b")).is_nothing());
        let still = [
            ("a", "paused"),
            ("b", "needs-person"),
            ("c", "out-of-service"),
        ];
        assert!(!Rest::of(&overview(&still, 1), None).is_nothing());
        assert!(Rest::of(&overview(&still, 0), None).is_nothing());
        let nobody = Overview {
            shift: None,
            ..overview(&still, 1)
        };
        assert!(Rest::of(&nobody, None).is_nothing());
    }
}

//! Live progress: a bar per slot on a terminal, plain lines elsewhere.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use api::BlankEnd;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use station::{Event, Happening};

/// Shows what happens at the slots.
pub(crate) struct Watch {
    bars: Option<MultiProgress>,
    slots: BTreeMap<String, ProgressBar>,
    total: ProgressBar,
    /// All slots together.
    pace: Pace,
    paces: BTreeMap<String, Pace>,
}

/// How fast documents are made, from the first to the last.
#[derive(Default)]
struct Pace {
    first: Option<Instant>,
    made: u32,
    /// From the first to the last.
    took: Duration,
}

impl Pace {
    fn count(&mut self, now: Instant) {
        self.took = now.duration_since(*self.first.get_or_insert(now));
        self.made += 1;
    }

    /// Returns documents an hour; none before the second.
    fn per_hour(&self) -> Option<f64> {
        let hours = self.took.as_secs_f64() / 3600.0;
        (self.made > 1 && hours > 0.0).then(|| f64::from(self.made - 1) / hours)
    }
}

impl Watch {
    /// Makes a watch over `documents` documents.
    pub(crate) fn new(documents: usize) -> Self {
        let bars = std::io::stderr().is_terminal().then(MultiProgress::new);
        let total = ProgressBar::new(documents as u64).with_style(style(
            "{msg:14} [{bar:30}] {pos}/{len} documents, {per_sec}, {eta} left",
        ));
        let total = match &bars {
            Some(bars) => bars.add(total),
            // Not shown, and counted on.
            None => {
                total.set_draw_target(ProgressDrawTarget::hidden());
                total
            }
        };
        total.set_message("in all");
        Self {
            bars,
            slots: BTreeMap::new(),
            total,
            pace: Pace::default(),
            paces: BTreeMap::new(),
        }
    }

    /// Says a line of text.
    pub(crate) fn say(&self, text: &str) {
        match &self.bars {
            // A terminal that is gone is no reason to stop.
            Some(bars) => drop(bars.println(text)),
            None => drop(writeln!(std::io::stderr(), "{text}")),
        }
    }

    /// Shows an event.
    pub(crate) fn show(&mut self, event: &Event) {
        let slot = &event.slot;
        match &event.happening {
            Happening::Started { number, kind, .. } => {
                self.bar(slot).reset();
                self.bar(slot).set_message(format!("{slot} {number}"));
                if self.bars.is_none() {
                    self.say(&format!("{slot}: {number} ({kind}) begun"));
                }
            }
            Happening::Progress { step, done, total } => {
                let rate = self.paces.get(slot).and_then(Pace::per_hour);
                let rate = rate.map_or_else(String::new, |rate| format!("{rate:.0} an hour, "));
                let bar = self.bar(slot);
                bar.set_length(*total as u64);
                bar.set_position(*done as u64);
                bar.set_prefix(format!("{rate}{step}"));
            }
            Happening::Finished {
                number,
                end,
                chips,
                milliseconds,
                ..
            } => {
                let seconds = *milliseconds as f64 / 1000.0;
                match end {
                    BlankEnd::Personalized => {
                        self.total.inc(1);
                        let now = Instant::now();
                        self.pace.count(now);
                        self.paces.entry(slot.clone()).or_default().count(now);
                        if self.bars.is_none() {
                            let commands: u64 = chips.iter().map(|chip| chip.commands).sum();
                            let standing = self.standing();
                            self.say(&format!(
                                "{slot}: {number} finished in {seconds:.2} s, {commands} commands; {standing}"
                            ));
                        }
                    }
                    BlankEnd::Spoiled { cause } => {
                        self.say(&format!("{slot}: {number}: blank SPOILED: {cause}"))
                    }
                    BlankEnd::Untouched { cause } => self.say(&format!(
                        "{slot}: {number}: blank returned untouched: {cause}"
                    )),
                }
            }
            Happening::NeedsPerson { reason } => {
                self.say(&format!("{slot}: needs a person: {reason}"))
            }
            Happening::OutOfService { reason } => {
                self.say(&format!("{slot}: out of service: {reason}"))
            }
            Happening::CentreAway { reason } => {
                self.say(&format!("{slot}: the store cannot be reached: {reason}"))
            }
            Happening::Parked { number } => {
                self.say(&format!("{slot}: {number} is held until the store answers"))
            }
            Happening::Paused
            | Happening::NobodyOnShift
            | Happening::WaitingForCard
            | Happening::NothingToDo => {}
        }
    }

    /// Says how many documents are made, how fast, and how long the rest takes at that rate.
    fn standing(&self) -> String {
        let (made, all) = (
            self.total.position(),
            self.total.length().unwrap_or_default(),
        );
        let mut said = format!("{made} of {all}");
        if let Some(rate) = self.pace.per_hour() {
            let left = all.saturating_sub(made) as f64 / rate * 3600.0;
            said.push_str(&format!(", {rate:.0} an hour, {}", lasting(left)));
        }
        said
    }

    /// Says how many documents are left, where not every event was seen.
    pub(crate) fn left(&self, documents: usize) {
        let all = self.total.length().unwrap_or_default();
        let left = u64::try_from(documents).unwrap_or(u64::MAX);
        self.total.set_position(all.saturating_sub(left));
    }

    /// Ends the bars.
    pub(crate) fn end(&self) {
        for bar in self.slots.values() {
            bar.finish_and_clear();
        }
        self.total.finish_and_clear();
    }

    fn bar(&mut self, slot: &str) -> &ProgressBar {
        let bars = self.bars.as_ref();
        self.slots
            .entry(slot.to_owned())
            .or_insert_with(|| match bars {
                Some(bars) => bars.add(ProgressBar::new(1).with_style(style(
                    "{msg:14} [{bar:30}] {pos:>2}/{len:2} {eta:>4} {prefix}",
                ))),
                None => ProgressBar::hidden(),
            })
    }
}

/// Says how long something lasts still.
pub(crate) fn lasting(seconds: f64) -> String {
    match seconds {
        ..90.0 => format!("{seconds:.0} s left"),
        ..7200.0 => format!("{:.0} min left", (seconds / 60.0).ceil()),
        _ => format!("{:.1} h left", seconds / 3600.0),
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_known_from_the_second_document_on() {
        let begun = Instant::now();
        let mut pace = Pace::default();
        pace.count(begun);
        assert_eq!(pace.per_hour(), None);
        for place in 1..=10 {
            pace.count(begun + Duration::from_secs(36 * place));
        }
        assert_eq!(pace.per_hour(), Some(100.0));
        assert_eq!(lasting(89.0), "89 s left");
        assert_eq!(lasting(90.0), "2 min left");
        assert_eq!(lasting(7200.0), "2.0 h left");
    }
}

//! Live progress: a bar per slot on a terminal, plain lines elsewhere.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};

use api::BlankEnd;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use station::{Event, Happening};

/// Shows what happens at the slots.
pub(crate) struct Watch {
    bars: Option<MultiProgress>,
    slots: BTreeMap<String, ProgressBar>,
    total: ProgressBar,
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
            None => ProgressBar::hidden(),
        };
        total.set_message("in all");
        Self {
            bars,
            slots: BTreeMap::new(),
            total,
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
                let bar = self.bar(slot);
                bar.set_length(*total as u64);
                bar.set_position(*done as u64);
                bar.set_prefix(step.clone());
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
                        if self.bars.is_none() {
                            let commands: u64 = chips.iter().map(|chip| chip.commands).sum();
                            self.say(&format!(
                                "{slot}: {number} finished in {seconds:.2} s, {commands} commands"
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

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

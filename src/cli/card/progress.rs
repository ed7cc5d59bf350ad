//! How far a personalization is: a bar on a terminal, plain lines elsewhere.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};

use indicatif::{ProgressBar, ProgressStyle};
use perso::Progress;

/// Shows the steps of one document on standard error.
pub(crate) struct Steps {
    bar: Option<ProgressBar>,
    /// What has a line already: between two steps the stage's name comes again and again.
    shown: RefCell<BTreeSet<String>>,
}

impl Steps {
    /// Begins to show.
    pub(crate) fn new() -> Self {
        let style = ProgressStyle::with_template("[{bar:30}] {pos:>2}/{len:2} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = std::io::stderr()
            .is_terminal()
            .then(|| ProgressBar::new(1).with_style(style));
        Self {
            bar,
            shown: RefCell::default(),
        }
    }

    /// Shows the running step.
    pub(crate) fn show(&self, progress: Progress) {
        match &self.bar {
            Some(bar) => {
                bar.set_length(progress.total as u64);
                bar.set_position(progress.done as u64);
                bar.set_message(progress.step);
            }
            None if !self.shown.borrow_mut().insert(progress.step.clone()) => {}
            // A log that is closed is no reason to stop in the middle of a card.
            None => drop(writeln!(
                std::io::stderr(),
                "{:>2}/{} {}",
                progress.done,
                progress.total,
                progress.step
            )),
        }
    }

    /// Ends the bar.
    pub(crate) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

//! How far long work is.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on a terminal, since what is done for the books of years takes minutes; nothing elsewhere.
pub(crate) struct Bar(Option<ProgressBar>);

impl Bar {
    /// Makes a bar, which shows itself with its first figures.
    pub(crate) fn new() -> Self {
        let style =
            ProgressStyle::with_template("{msg:10} [{bar:30}] {pos}/{len} {elapsed}, {eta} left")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
        let is_terminal = std::io::stderr().is_terminal();
        Self(is_terminal.then(|| ProgressBar::new(0).with_style(style)))
    }

    /// Shows which part is being done, and how much of it.
    pub(crate) fn show(&self, part: &'static str, done: u64, total: u64) {
        if let Some(bar) = &self.0 {
            bar.set_length(total);
            bar.set_position(done);
            bar.set_message(part);
        }
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

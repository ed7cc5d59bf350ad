//! Charts as SVG 1.1: panels of bars, one below the other.
//!
//! ```text
//!   title
//!   panel title             ■ issued  □ plan      panels with short names stand upright,
//!   │ ▐▌   ▐▌ ¦                                   those with long ones lie
//!   └──────────                                   ¦ a mark: the day that is due
//! ```
//!
//! A chart says all its figures in words too (`desc`), each bar its own (`title`); nothing is told by
//! colour alone, and no font or style comes from elsewhere.

mod lying;
mod svg;
mod upright;

use crate::table::grouped;
use crate::words::{Language, Word};
use svg::Svg;

/// A chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chart {
    /// What stands above it.
    pub title: String,
    /// Its panels.
    pub panels: Vec<Panel>,
    /// Its language.
    pub language: Language,
}

/// One drawing of a chart: bars of several series for each of several categories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Panel {
    /// What stands above it.
    pub title: String,
    /// What is compared, in its order.
    pub categories: Vec<String>,
    /// The bars: each series has a value a category.
    pub series: Vec<Series>,
    /// A line between two categories.
    pub mark: Option<Mark>,
    /// What the categories are, where they do not say it.
    pub axis: Option<String>,
}

/// Bars of one look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// What they are.
    pub name: String,
    /// How they look.
    pub style: Style,
    /// A value a category; none is no bar.
    pub values: Vec<Option<u64>>,
}

/// How bars look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Filled: what is.
    Solid,
    /// An outline: what was meant to be.
    Outline,
    /// Striped: what must not be.
    Warning,
}

/// A line after a category, over the whole height.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The place of the category that it follows.
    pub after: usize,
    /// What it is.
    pub label: String,
}

/// The width of a chart, in user units: pixels, where nothing else is said.
const WIDTH: u32 = 960;

/// The most characters of a category's name on a drawing.
const LONGEST_NAME: usize = 46;

/// Names that are longer than this lie.
const SHORT_NAME: usize = 14;

impl Chart {
    /// Returns the chart as a whole SVG file in UTF-8.
    #[must_use]
    pub fn svg(&self) -> String {
        let mut drawn = Svg::default();
        let mut top = 64;
        drawn.text(svg::TITLE, 24, 40, &self.title);
        for panel in &self.panels {
            top = match panel.lies() {
                true => lying::draw(&mut drawn, panel, top),
                false => upright::draw(&mut drawn, panel, top),
            };
        }
        if self.panels.is_empty() {
            let nothing = self.language.of(Word::NoFigures);
            drawn.text(svg::LABEL, 24, top + 16, nothing);
            top += 40;
        }
        drawn.file(self.language.code(), WIDTH, top, &self.title, &self.words())
    }

    /// Returns all its figures in words.
    fn words(&self) -> String {
        let mut words = Vec::new();
        for panel in &self.panels {
            let mut lines = Vec::new();
            for (place, category) in panel.categories.iter().enumerate() {
                for series in &panel.series {
                    if let Some(Some(value)) = series.values.get(place) {
                        lines.push(format!("{category}: {} {}", series.name, grouped(*value)));
                    }
                }
            }
            let mark = panel.mark.as_ref().map(|mark| format!(" ({})", mark.label));
            words.push(format!(
                "{}{}. {}.",
                panel.title,
                mark.unwrap_or_default(),
                lines.join("; ")
            ));
        }
        match words.is_empty() {
            true => self.language.of(Word::NoFigures).to_owned(),
            false => words.join(" "),
        }
    }
}

impl Panel {
    fn lies(&self) -> bool {
        let is_long = |name: &String| name.chars().count() > SHORT_NAME;
        self.mark.is_none() && self.categories.iter().any(is_long)
    }

    /// Returns the largest value, at least 1.
    fn largest(&self) -> u64 {
        let values = self.series.iter().flat_map(|series| &series.values);
        values.flatten().copied().max().unwrap_or(0).max(1)
    }

    /// Returns the bars of a category: series, value.
    fn bars(&self, place: usize) -> impl Iterator<Item = (usize, &Series, u64)> {
        let series = self.series.iter().enumerate();
        series.filter_map(move |(at, series)| {
            let value = series.values.get(place).copied().flatten()?;
            Some((at, series, value))
        })
    }
}

/// Returns the values of the lines behind the bars: from 0 in even steps to the first that no bar is
/// over; the steps are 1, 2 or 5 times a power of ten.
fn steps(largest: u64) -> Vec<u64> {
    let mut step: u64 = 1;
    let mut factors = [2, 5, 10].iter().cycle();
    let mut power: u64 = 1;
    while largest.div_ceil(step) > 5 {
        match factors.next() {
            Some(10) => {
                power = power.saturating_mul(10);
                step = power;
            }
            Some(factor) => step = power.saturating_mul(*factor),
            None => break,
        }
    }
    (0..=largest.div_ceil(step))
        .map(|at| at.saturating_mul(step))
        .collect()
}

/// Returns a length on the drawing, in tenths of a unit.
fn scaled(value: u64, most: u64, length: u32) -> u32 {
    let tenths = u128::from(value) * u128::from(length) * 10;
    u32::try_from(tenths.checked_div(u128::from(most)).unwrap_or(0)).unwrap_or(length * 10)
}

/// Cuts a name that is too long for the drawing.
fn shortened(name: &str) -> String {
    match name.chars().count() > LONGEST_NAME {
        true => name.chars().take(LONGEST_NAME - 1).chain(['…']).collect(),
        false => name.to_owned(),
    }
}

/// Returns the width of a text of figures or short names, in units: a generous guess, since the font is
/// the reader's.
fn width(text: &str, size: u32) -> u32 {
    let characters = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    characters.saturating_mul(size * 62) / 100
}

/// Draws a panel's title, and what its bars are where they are of several looks.
fn head(drawn: &mut Svg, panel: &Panel, top: u32) {
    drawn.text(svg::HEADING, 24, top + 18, &panel.title);
    if panel.series.len() < 2 {
        return;
    }
    let mut right = WIDTH - 24;
    for series in panel.series.iter().rev() {
        right = right.saturating_sub(width(&series.name, 12) + 8);
        drawn.text(svg::LABEL, right, top + 18, &series.name);
        right = right.saturating_sub(18);
        drawn.bar(series.style, (right * 10, (top + 8) * 10), (120, 120), None);
        right = right.saturating_sub(16);
    }
}

/// Returns a panel for each group of parts that share a name, a bar for each account.
pub(crate) fn accounts<'a>(
    parts: impl Iterator<Item = (&'a str, &'a str, u64)>,
    what: &str,
    language: Language,
) -> Vec<Panel> {
    let mut panels: Vec<Panel> = Vec::new();
    for (group, account, count) in parts {
        if panels.last().is_none_or(|panel| panel.title != group) {
            panels.push(Panel {
                title: group.to_owned(),
                categories: Vec::new(),
                series: vec![Series {
                    name: what.to_owned(),
                    style: Style::Solid,
                    values: Vec::new(),
                }],
                mark: None,
                axis: None,
            });
        }
        if let Some(panel) = panels.last_mut() {
            panel.categories.push(language.account(account));
            if let Some(series) = panel.series.first_mut() {
                series.values.push(Some(count));
            }
        }
    }
    panels
}

#[cfg(test)]
mod tests;

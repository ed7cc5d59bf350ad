//! Lists of the store that may be long: read page by page, and printed as they come, so that they take
//! no more memory in a store of years.

use central::CentralError;
use clap::Args;
use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use serde_json::Value;

use crate::cli::central::Place;
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::output;

/// How many lines are read and printed at once. What is longer comes as several tables.
pub(crate) const PAGE: u32 = 500;

/// Returns a whole list that is short where all is well: `next` returns up to [`PAGE`] lines behind the
/// last one, or the first ones.
pub(crate) async fn all<T>(
    next: impl AsyncFn(Option<&T>) -> Result<Vec<T>, CentralError>,
) -> Result<Vec<T>, CentralError> {
    let mut found: Vec<T> = Vec::new();
    loop {
        let page = next(found.last()).await?;
        let is_last = page.len() < PAGE as usize;
        found.extend(page);
        if is_last {
            return Ok(found);
        }
    }
}

/// Which installation's list, and in what form.
#[derive(Args)]
pub(crate) struct Listed {
    /// One JSON value a line instead of one list: what is cut off is then readable up to there.
    #[arg(long, requires = "json")]
    lines: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// How lines of one sort are printed.
pub(crate) struct Shape<T: 'static> {
    /// The columns of the table.
    pub(crate) columns: &'static [&'static str],
    /// What is said where there are none; otherwise the table is empty.
    pub(crate) none: Option<&'static str>,
    /// Returns a line as JSON.
    pub(crate) value: fn(&T) -> Value,
    /// Returns a line's cells.
    pub(crate) row: fn(&T) -> Vec<String>,
}

impl Listed {
    /// Prints a list: `next` returns up to [`PAGE`] lines behind the last one, or the first ones.
    pub(crate) async fn print<T>(
        &self,
        shape: &Shape<T>,
        next: impl AsyncFn(Option<&T>) -> Result<Vec<T>, CentralError>,
    ) -> Result<(), Failure> {
        self.tell(shape, next, output::piece).await
    }

    /// Tells a list in pieces, as long as somebody reads on.
    async fn tell<T>(
        &self,
        shape: &Shape<T>,
        next: impl AsyncFn(Option<&T>) -> Result<Vec<T>, CentralError>,
        mut reads_on: impl FnMut(&str) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        let mut last: Option<T> = None;
        let mut printed = 0;
        loop {
            let mut page = next(last.as_ref()).await?;
            let is_last = page.len() < PAGE as usize;
            let text = match self.place.json() {
                true => self.json(shape, &page, printed, is_last)?,
                false => table(shape, &page, printed),
            };
            printed += page.len();
            // Whoever reads may have had enough, as `head` does.
            if !reads_on(&text)? || is_last {
                return Ok(());
            }
            last = page.pop();
        }
    }

    /// Returns a part of one list, of which so many were printed before, or of values a line.
    fn json<T>(
        &self,
        shape: &Shape<T>,
        page: &[T],
        printed: usize,
        is_last: bool,
    ) -> Result<String, Failure> {
        let mut text = String::new();
        for (at, line) in page.iter().enumerate() {
            let value = (shape.value)(line);
            if self.lines {
                text += &serde_json::to_string(&value).or_fail(Kind::Failed)?;
                text.push('\n');
                continue;
            }
            text += if printed + at == 0 { "[\n  " } else { ",\n  " };
            let value = serde_json::to_string_pretty(&value).or_fail(Kind::Failed)?;
            // In JSON no text has a line end of its own.
            text += &value.replace('\n', "\n  ");
        }
        if is_last && !self.lines {
            text += match printed + page.len() {
                0 => "[]\n",
                _ => "\n]\n",
            };
        }
        Ok(text)
    }
}

fn table<T>(shape: &Shape<T>, page: &[T], printed: usize) -> String {
    if page.is_empty() {
        match (printed, shape.none) {
            (0, Some(none)) => return format!("{none}\n"),
            (0, None) => {}
            _ => return String::new(),
        }
    }
    let mut table = Table::new();
    table
        .load_preset(UTF8_FULL_CONDENSED)
        .set_header(shape.columns.iter().copied());
    for line in page {
        table.add_row((shape.row)(line));
    }
    format!("{table}\n")
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use clap::Parser;
    use serde_json::json;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        listed: Listed,
    }

    const SHAPE: Shape<u32> = Shape {
        columns: &["number"],
        none: Some("nothing"),
        value: |number| json!({ "number": number, "text": "a\nb" }),
        row: |number| vec![number.to_string()],
    };

    fn listed(arguments: &[&str]) -> Listed {
        let all = ["list", "--data", "folder"].iter().chain(arguments);
        Line::try_parse_from(all).unwrap().listed
    }

    fn pages(arguments: &[&str], numbers: &[u32], sizes: &[usize]) -> String {
        let listed = listed(arguments);
        let (mut text, mut printed) = (String::new(), 0);
        for (at, size) in sizes.iter().enumerate() {
            let page = &numbers[printed..printed + size];
            let part = listed.json(&SHAPE, page, printed, at + 1 == sizes.len());
            text += &part.unwrap();
            printed += size;
        }
        text
    }

    #[test]
    fn pages_are_one_list_as_if_it_had_come_at_once() {
        let numbers: Vec<u32> = (0..7).collect();
        for count in [0, 1, 2, 7] {
            let all: Vec<_> = numbers[..count].iter().map(SHAPE.value).collect();
            let whole = serde_json::to_string_pretty(&all).unwrap() + "\n";
            for sizes in [
                vec![count],
                vec![count, 0],
                vec![count / 2, count - count / 2],
            ] {
                assert_eq!(pages(&["--json"], &numbers[..count], &sizes), whole);
            }
        }
        let lines = pages(&["--json", "--lines"], &numbers, &[4, 3]);
        let lines: Vec<Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines, numbers.iter().map(SHAPE.value).collect::<Vec<_>>());
        assert!(Line::try_parse_from(["list", "--data", "folder", "--lines"]).is_err());
    }

    #[test]
    fn each_page_is_asked_for_behind_the_last_line() {
        let asked = RefCell::new(Vec::new());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let listed = listed(&["--json", "--lines"]);
        let next = async |last: Option<&u32>| {
            asked.borrow_mut().push(last.copied());
            let from = last.map_or(0, |last| last + 1);
            Ok((from..1_203.min(from + PAGE)).collect())
        };
        let mut told = 0;
        let count = |text: &str| {
            told += text.lines().count();
            Ok(true)
        };
        runtime.block_on(listed.tell(&SHAPE, next, count)).unwrap();
        assert_eq!(told, 1_203);
        assert_eq!(asked.take(), [None, Some(499), Some(999)]);
        // Nothing more is read where nobody listens.
        let gone = listed.tell(&SHAPE, next, |_| Ok(false));
        runtime.block_on(gone).unwrap();
        assert_eq!(asked.take(), [None]);
    }

    #[test]
    fn an_empty_list_says_so_once() {
        assert_eq!(table(&SHAPE, &[], 0), "nothing\n");
        assert_eq!(table(&SHAPE, &[], 500), "");
        assert!(table(&SHAPE, &[7], 500).contains("number"));
    }
}

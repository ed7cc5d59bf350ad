//! The demo's blanks: made by the maker, delivered, and put into the readers of their slots.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Command;

use central::{DeliveredBlank, DeliveredChip};
use document::DocumentNumber;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::cli::demo::farm::{Announcement, Hands, program};
use crate::cli::demo::stocks::{Stock, StockChip};
use crate::cli::failure::{Failure, Kind, OrFail};

/// Blanks beyond the documents, should some be spoiled.
const SPARE: usize = 3;

/// The series of numbered blanks: one for tests, and not that of the installation.
const SERIES: &str = "XN";

/// A blank of one or more chips.
pub(crate) struct Blank {
    serial: String,
    article: Option<String>,
    number: Option<DocumentNumber>,
    chips: Vec<BlankChip>,
}

struct BlankChip {
    product: String,
    serial: String,
    /// The file that keeps the virtual chip.
    path: PathBuf,
}

impl Blank {
    /// Returns what is printed on it.
    pub(crate) fn serial(&self) -> &str {
        &self.serial
    }

    /// Returns the blank as a delivery lists it.
    pub(crate) fn delivered(&self) -> DeliveredBlank {
        let chips = self.chips.iter();
        let chips = chips.map(|chip| DeliveredChip::new(&chip.product, &chip.serial));
        DeliveredBlank {
            serial: self.serial.clone(),
            article: self.article.clone(),
            number: self.number,
            chips: chips.collect(),
        }
    }

    /// Puts the chips into the readers from `first` on. The reader that the slot looks at comes
    /// last, so that the blank is whole when the slot sees it.
    pub(crate) fn insert(&self, announcement: &Announcement, first: usize) -> Result<(), Failure> {
        let mut hands = Hands::connect(announcement)?;
        for (place, chip) in self.chips.iter().enumerate().rev() {
            hands.insert(first + place, &chip.path)?;
        }
        Ok(())
    }

    /// Takes out what is in the readers from `first` on, and puts the chips in.
    pub(crate) fn change(&self, announcement: &Announcement, first: usize) -> Result<(), Failure> {
        let mut hands = Hands::connect(announcement)?;
        for place in 0..self.chips.len() {
            hands.remove(first + place)?;
        }
        drop(hands);
        self.insert(announcement, first)
    }
}

/// The blanks of one stock, and what became of those that were used.
pub(crate) struct Supply {
    blanks: VecDeque<Blank>,
    documents: usize,
    in_hand: usize,
    personalized: usize,
}

impl Supply {
    /// Has the maker produce a stock's blanks under its transport key, numbered from `number`
    /// on.
    pub(crate) fn make(
        folder: &Path,
        stock: &Stock,
        maker: &[u8],
        number: usize,
    ) -> Result<Self, Failure> {
        let mut blanks = VecDeque::new();
        for index in number..number + stock.documents + SPARE {
            let mut chips = Vec::new();
            for (place, chip) in stock.chips.iter().enumerate() {
                let file = match stock.chips.len() {
                    1 => format!("{index:05}.json"),
                    _ => format!("{index:05}-{}.json", place + 1),
                };
                let path = folder.join(file);
                let serial = make_chip(chip, maker, &path)?;
                chips.push(BlankChip {
                    product: chip.product.clone(),
                    serial,
                    path,
                });
            }
            let number = stock.is_numbered.then(|| format!("{SERIES}{index:07}"));
            let number = number.map(|number| number.parse()).transpose();
            blanks.push_back(Blank {
                serial: format!("DEMO-{index:05}"),
                article: stock.article.clone(),
                number: number.or_fail(Kind::Failed)?,
                chips,
            });
        }
        Ok(Self {
            blanks,
            documents: stock.documents,
            in_hand: 0,
            personalized: 0,
        })
    }

    /// Returns the blanks that are left.
    pub(crate) fn blanks(&self) -> impl Iterator<Item = &Blank> {
        self.blanks.iter()
    }

    /// Gives out a blank while a document needs one.
    pub(crate) fn next(&mut self) -> Option<Blank> {
        if self.in_hand >= self.documents || self.personalized >= self.documents {
            return None;
        }
        let blank = self.blanks.pop_front()?;
        self.in_hand += 1;
        Some(blank)
    }

    /// Notes how a blank ended: one that failed is not in hand any more, and its document went back
    /// to the queue.
    pub(crate) fn ended(&mut self, is_whole: bool) {
        match is_whole {
            true => self.personalized += 1,
            false => self.in_hand = self.in_hand.saturating_sub(1),
        }
    }
}

/// Makes one chip, of its own profile's name or of the nearest that it extends and that there is a
/// virtual chip of; returns its serial number.
fn make_chip(chip: &StockChip, maker: &[u8], path: &Path) -> Result<String, Failure> {
    let key = Zeroizing::new(hex::encode_upper(maker));
    let mut said = String::new();
    for product in std::iter::once(&chip.product).chain(&chip.ancestors) {
        let made = Command::new(program())
            .args(["blank", "--product", product])
            .args(["--transport-key-env", "VCARD_TRANSPORT_KEY", "--out"])
            .arg(path)
            .env("VCARD_TRANSPORT_KEY", key.as_str())
            .output()
            .or_fail(Kind::Device)?;
        if let Ok(made) = serde_json::from_slice::<Value>(&made.stdout) {
            let serial = made.get("serial").and_then(Value::as_str);
            return Ok(serial.unwrap_or_default().to_owned());
        }
        said = String::from_utf8_lossy(&made.stderr).into_owned();
    }
    Err(Failure::new(
        Kind::Device,
        format!("no blank was made: {said}"),
    ))
}

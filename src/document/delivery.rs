//! A delivery's list as a file: JSON Lines, one line for the delivery and one for each blank, or CSV,
//! a line for the delivery, one for the columns, and one for each chip.
//!
//! ```text
//! {"format":"zimogs-delivery/v1","delivery":"D-2026-17","blanks":2}
//! {"blank":"LV-0001","chips":[{"product":"eid-chip","serial":"40907861…","key_version":"FF"}]}
//! {"blank":"B-77","article":"booklet","number":"PB0000077"}
//!
//! zimogs-delivery/v1,D-2026-17,2
//! blank,article,number,product,serial,key_version
//! LV-0001,,,eid-chip,40907861…,FF
//! B-77,booklet,PB0000077,,,
//! ```

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::Deserialize;
use thiserror::Error;

use crate::DocumentNumber;

/// The first line's `format`.
const FORMAT: &str = "zimogs-delivery/v1";
/// The columns of a list in CSV.
const COLUMNS: [&str; 6] = [
    "blank",
    "article",
    "number",
    "product",
    "serial",
    "key_version",
];
/// The most faults that are told of one list.
const MAX_FAULTS: usize = 100;
/// The longest line, in bytes: a blank of eight chips with the longest names.
const MAX_LINE: usize = 4_096;

/// A delivery of blanks, as its list says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The delivery's reference, used once: 1 to 64 ASCII letters, digits and `. _ : / -`.
    pub reference: String,
    /// The blanks.
    pub blanks: Vec<DeliveredBlank>,
}

/// A blank of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveredBlank {
    /// The serial number that is printed on it: 1 to 32 of `A`-`Z`, `0`-`9` and `-`.
    pub serial: String,
    /// What it is, where its chips do not say it: the document profiles' name for it. A blank
    /// without chips has one.
    pub article: Option<String>,
    /// The document number that its maker gave it, if it did.
    pub number: Option<DocumentNumber>,
    /// Its chips, each of another product.
    pub chips: Vec<DeliveredChip>,
}

/// A chip of a blank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveredChip {
    /// Its chip profile.
    pub product: String,
    /// Its serial number in hexadecimal, 1 to 32 bytes, as the chip profile has it.
    pub serial: String,
    /// The version of the keys that its maker left on it, where the list says it.
    pub key_version: Option<u8>,
}

impl DeliveredBlank {
    /// The most chips that one blank has.
    pub const MAX_CHIPS: usize = 8;

    /// A blank that is known by its chips alone.
    pub fn of_chips(serial: impl Into<String>, chips: Vec<DeliveredChip>) -> Self {
        Self {
            serial: serial.into(),
            article: None,
            number: None,
            chips,
        }
    }
}

impl DeliveredChip {
    /// A chip of which the list does not say the version of its keys.
    pub fn new(product: impl Into<String>, serial: impl Into<String>) -> Self {
        Self {
            product: product.into(),
            serial: serial.into(),
            key_version: None,
        }
    }
}

/// What is wrong with a line of a delivery's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineFault {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub fault: String,
}

impl fmt::Display for LineFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.fault)
    }
}

/// Why a text is no delivery's list.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DeliveryError {
    /// It has no line.
    #[error("the delivery's list is empty")]
    Empty,
    /// Lines are not sound: each with its fault, up to a hundred.
    #[error("the delivery's list is not sound: {}", joined(.0))]
    Lines(Vec<LineFault>),
    /// It was cut off.
    #[error(
        "the delivery's list has {found} blanks, and its first line says {said}: it is cut off"
    )]
    CutOff {
        /// How many blanks there are.
        found: usize,
        /// How many there should be.
        said: usize,
    },
}

fn joined(faults: &[LineFault]) -> String {
    let lines: Vec<_> = faults.iter().map(LineFault::to_string).collect();
    lines.join("; ")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    format: String,
    delivery: String,
    blanks: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BlankLine {
    blank: String,
    article: Option<String>,
    number: Option<DocumentNumber>,
    #[serde(default)]
    chips: Vec<ChipLine>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChipLine {
    product: String,
    serial: String,
    key_version: Option<String>,
}

impl Delivery {
    /// The most blanks of one delivery.
    pub const MAX_BLANKS: usize = 100_000;

    /// Reads a list: whole, or nothing of it. It is CSV unless it begins with a brace.
    ///
    /// # Errors
    /// [`DeliveryError`], which names every line that is not sound, or what the list lacks.
    pub fn parse(text: &str) -> Result<Self, DeliveryError> {
        let mut lines = (1..).zip(text.lines());
        let (_, first) = lines.next().ok_or(DeliveryError::Empty)?;
        let is_json = first.trim_start().starts_with('{');
        let head = match is_json {
            true => line(first),
            false => csv_head(first),
        };
        let head = head
            .and_then(check_head)
            .map_err(|fault| DeliveryError::Lines(vec![LineFault { line: 1, fault }]))?;
        let mut list = List::default();
        match is_json {
            true => list.read_json(lines, head.blanks),
            false => list.read_csv(lines, head.blanks),
        }
        if !list.faults.is_empty() {
            return Err(DeliveryError::Lines(list.faults));
        }
        if list.blanks.len() != head.blanks {
            return Err(DeliveryError::CutOff {
                found: list.blanks.len(),
                said: head.blanks,
            });
        }
        Ok(Self {
            reference: head.delivery,
            blanks: list.blanks,
        })
    }
}

fn check_head(head: Head) -> Result<Head, String> {
    if head.format != FORMAT {
        return Err(format!("\"format\" is not \"{FORMAT}\""));
    }
    if head.blanks > Delivery::MAX_BLANKS {
        return Err("a delivery lists 1 to 100000 blanks".to_owned());
    }
    Ok(head)
}

/// What was read of a list so far.
#[derive(Default)]
struct List {
    blanks: Vec<DeliveredBlank>,
    /// The line of each chip, by its serial number.
    chips: HashMap<String, usize>,
    faults: Vec<LineFault>,
}

impl List {
    /// Notes a fault; tells whether more are wanted.
    fn fault(&mut self, line: usize, fault: impl Into<String>) -> bool {
        let fault = fault.into();
        self.faults.push(LineFault { line, fault });
        self.faults.len() < MAX_FAULTS
    }

    fn read_json<'a>(&mut self, lines: impl Iterator<Item = (usize, &'a str)>, said: usize) {
        let mut known = HashMap::new();
        for (number, text) in lines {
            if self.blanks.len() == said {
                self.fault(number, "there are more blanks than the first line says");
                return;
            }
            let read = line(text).and_then(blank);
            let mut faults = Vec::new();
            match read {
                Err(fault) => faults.push(fault),
                Ok(blank) => {
                    if let Some(before) = known.insert(blank.serial.to_ascii_uppercase(), number) {
                        faults.push(format!("this blank stands in line {before} already"));
                    }
                    for chip in &blank.chips {
                        faults.extend(self.known_chip(number, &chip.serial));
                    }
                    self.blanks.push(blank);
                }
            }
            for fault in faults {
                if !self.fault(number, fault) {
                    return;
                }
            }
        }
    }

    /// Reads a line for each chip: those of one blank follow each other, and a blank without chips
    /// has one line.
    fn read_csv<'a>(&mut self, mut lines: impl Iterator<Item = (usize, &'a str)>, said: usize) {
        match lines.next() {
            Some((_, columns)) if fields(columns) == COLUMNS => {}
            _ => {
                let columns = COLUMNS.join(",");
                self.fault(2, format!("the columns are {columns}"));
                return;
            }
        }
        let mut known = HashSet::new();
        for (number, text) in lines {
            let read = csv_line(text);
            let fault = match read {
                Err(fault) => Some(fault),
                Ok(read) => self.take_csv(number, read, said, &mut known).err(),
            };
            if let Some(fault) = fault
                && !self.fault(number, fault)
            {
                return;
            }
        }
    }

    fn take_csv(
        &mut self,
        number: usize,
        read: BlankLine,
        said: usize,
        known: &mut HashSet<String>,
    ) -> Result<(), String> {
        let mut read = blank(read)?;
        let again = self
            .blanks
            .last_mut()
            .filter(|last| last.serial == read.serial);
        if let Some(last) = again {
            if last.article != read.article || last.number != read.number {
                return Err(
                    "article and number of a blank are the same in all of its lines".into(),
                );
            }
            let (Some(chip), false) = (read.chips.pop(), last.chips.is_empty()) else {
                return Err("each further line of a blank names another chip".into());
            };
            if last.chips.len() == DeliveredBlank::MAX_CHIPS {
                return Err("a blank has at most 8 chips".into());
            }
            let serial = chip.serial.clone();
            last.chips.push(chip);
            return self.known_chip(number, &serial).map_or(Ok(()), Err);
        }
        if self.blanks.len() == said {
            return Err("there are more blanks than the first line says".into());
        }
        if !known.insert(read.serial.to_ascii_uppercase()) {
            return Err(
                "this blank stands in an earlier line; the lines of a blank follow each other"
                    .into(),
            );
        }
        let serial = read.chips.first().map(|chip| chip.serial.clone());
        self.blanks.push(read);
        match serial {
            None => Ok(()),
            Some(serial) => self.known_chip(number, &serial).map_or(Ok(()), Err),
        }
    }

    /// Returns the fault of a chip that stands in another line.
    fn known_chip(&mut self, number: usize, serial: &str) -> Option<String> {
        let before = self.chips.insert(serial.to_ascii_uppercase(), number)?;
        Some(format!(
            "a chip of this serial number stands in line {before} already"
        ))
    }
}

/// Splits a line of CSV: at commas, or at semicolons where it has no comma. No field needs quotes.
fn fields(text: &str) -> Vec<&str> {
    let separator = if text.contains(',') { ',' } else { ';' };
    let fields = text.trim_end_matches('\r').split(separator);
    fields.map(str::trim).collect()
}

fn csv_head(text: &str) -> Result<Head, String> {
    let [format, delivery, blanks] = fields(text)[..] else {
        return Err(format!(
            "it is neither JSON nor \"{FORMAT},DELIVERY,BLANKS\""
        ));
    };
    let blanks = blanks
        .parse()
        .map_err(|_| "the third field is how many blanks there are")?;
    Ok(Head {
        format: format.to_owned(),
        delivery: delivery.to_owned(),
        blanks,
    })
}

fn csv_line(text: &str) -> Result<BlankLine, String> {
    if text.len() > MAX_LINE {
        return Err(format!("it is longer than {MAX_LINE} bytes"));
    }
    let [blank, article, number, product, serial, version] = fields(text)[..] else {
        return Err(format!("it has not the {} columns", COLUMNS.len()));
    };
    if text.contains('"') {
        return Err("no field has quotes".to_owned());
    }
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let number = some(number).map(DocumentNumber::try_from).transpose();
    let chips = match (product, serial) {
        ("", "") if version.is_empty() => Vec::new(),
        ("", _) | (_, "") => return Err("a chip has a product and a serial number".to_owned()),
        _ => vec![ChipLine {
            product: product.to_owned(),
            serial: serial.to_owned(),
            key_version: some(version),
        }],
    };
    Ok(BlankLine {
        blank: blank.to_owned(),
        article: some(article),
        number: number.map_err(|error| error.to_string())?,
        chips,
    })
}

fn blank(read: BlankLine) -> Result<DeliveredBlank, String> {
    if read.chips.len() > DeliveredBlank::MAX_CHIPS {
        return Err("a blank has at most 8 chips".to_owned());
    }
    let mut chips = Vec::new();
    for chip in read.chips {
        let version = chip.key_version.map(|text| key_version(&text));
        chips.push(DeliveredChip {
            product: chip.product,
            serial: chip.serial,
            key_version: version.transpose()?,
        });
    }
    Ok(DeliveredBlank {
        serial: read.blank,
        article: read.article,
        number: read.number,
        chips,
    })
}

fn key_version(text: &str) -> Result<u8, String> {
    let wrong = || "\"key_version\" is two hexadecimal digits".to_owned();
    match hex::decode(text).map_err(|_| wrong())?[..] {
        [version] => Ok(version),
        _ => Err(wrong()),
    }
}

fn line<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, String> {
    if text.len() > MAX_LINE {
        return Err(format!("it is longer than {MAX_LINE} bytes"));
    }
    serde_json::from_str(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;

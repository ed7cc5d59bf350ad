//! A delivery's list as a file: JSON Lines, one line for the delivery and one for each blank.
//!
//! ```text
//! {"format":"zimogs-delivery/v1","delivery":"D-2026-17","blanks":2}
//! {"blank":"LV-0001","chips":[{"product":"eid-chip","serial":"40907861…","key_version":"FF"}]}
//! {"blank":"B-77","article":"booklet","number":"PB0000077"}
//! ```

use serde::Deserialize;
use thiserror::Error;

use crate::DocumentNumber;

/// The first line's `format`.
const FORMAT: &str = "zimogs-delivery/v1";
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

/// Why a text is no delivery's list.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DeliveryError {
    /// It has no line.
    #[error("the delivery's list is empty")]
    Empty,
    /// A line is not sound.
    #[error("line {line} of the delivery's list: {fault}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        fault: String,
    },
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
    /// Two hexadecimal digits.
    key_version: Option<String>,
}

impl Delivery {
    /// The most blanks that one delivery lists.
    pub const MAX_BLANKS: usize = 100_000;

    /// Reads a delivery's list. What the books must know to judge it is judged when it is booked.
    ///
    /// # Errors
    /// [`DeliveryError`] names the first line that is not sound, and what it lacks.
    pub fn parse(text: &str) -> Result<Self, DeliveryError> {
        let mut lines = (1..).zip(text.lines());
        let (_, first) = lines.next().ok_or(DeliveryError::Empty)?;
        let head: Head = line(1, first)?;
        if head.format != FORMAT {
            return Err(at(1, &format!("\"format\" is not \"{FORMAT}\"")));
        }
        if head.blanks > Self::MAX_BLANKS {
            return Err(at(1, "a delivery lists 1 to 100000 blanks"));
        }
        let mut blanks = Vec::new();
        for (number, text) in lines {
            if blanks.len() == head.blanks {
                return Err(at(number, "there are more blanks than the first line says"));
            }
            blanks.push(blank(number, text)?);
        }
        if blanks.len() != head.blanks {
            return Err(DeliveryError::CutOff {
                found: blanks.len(),
                said: head.blanks,
            });
        }
        Ok(Self {
            reference: head.delivery,
            blanks,
        })
    }
}

fn blank(number: usize, text: &str) -> Result<DeliveredBlank, DeliveryError> {
    let read: BlankLine = line(number, text)?;
    if read.chips.len() > DeliveredBlank::MAX_CHIPS {
        return Err(at(number, "a blank has at most 8 chips"));
    }
    let mut chips = Vec::new();
    for chip in read.chips {
        let version = chip.key_version.map(|text| key_version(number, &text));
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

fn key_version(number: usize, text: &str) -> Result<u8, DeliveryError> {
    let wrong = || at(number, "\"key_version\" is two hexadecimal digits");
    match hex::decode(text).map_err(|_| wrong())?[..] {
        [version] => Ok(version),
        _ => Err(wrong()),
    }
}

fn line<'a, T: Deserialize<'a>>(number: usize, text: &'a str) -> Result<T, DeliveryError> {
    if text.len() > MAX_LINE {
        return Err(at(number, &format!("it is longer than {MAX_LINE} bytes")));
    }
    serde_json::from_str(text).map_err(|error| at(number, &error.to_string()))
}

fn at(line: usize, fault: &str) -> DeliveryError {
    DeliveryError::Line {
        line,
        fault: fault.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = r#"{"format":"zimogs-delivery/v1","delivery":"D-1","blanks":2}
{"blank":"LV-0001","chips":[{"product":"travel","serial":"47D3","key_version":"FF"},{"product":"eid","serial":"4090"}]}
{"blank":"B-77","article":"booklet","number":"PB0000077"}
"#;

    #[test]
    fn each_line_is_a_blank_with_all_its_chips() {
        let delivery = Delivery::parse(LIST).unwrap();
        assert_eq!(delivery.reference, "D-1");
        let [card, booklet] = &delivery.blanks[..] else {
            panic!("{delivery:?}")
        };
        let versions: Vec<_> = card.chips.iter().map(|chip| chip.key_version).collect();
        assert_eq!(versions, [Some(0xFF), None]);
        assert_eq!(card.chips[1].serial, "4090");
        assert!(booklet.chips.is_empty());
        assert_eq!(booklet.article.as_deref(), Some("booklet"));
        assert_eq!(booklet.number.unwrap().to_string(), "PB0000077");
    }

    #[test]
    fn a_line_that_is_not_sound_is_named() {
        let long = "x".repeat(MAX_LINE);
        for (from, to, fault) in [
            ("zimogs-delivery/v1", "zimogs-delivery/v2", "line 1"),
            (
                "\"blanks\":2",
                "\"blanks\":1",
                "line 3 of the delivery's list: there are more",
            ),
            ("\"blanks\":2", "\"blanks\":3", "it is cut off"),
            ("\"blanks\":2", "\"blanks\":100001", "line 1"),
            ("\"serial\":\"4090\"", "\"series\":\"4090\"", "line 2"),
            ("\"FF\"", "\"FFFF\"", "line 2"),
            ("\"FF\"", "\"G0\"", "line 2"),
            ("PB0000077", "PB77", "line 3"),
            ("LV-0001", &long, "line 2"),
            ("{\"blank\":\"B-77\"", "\"blank\"", "line 3"),
        ] {
            let text = LIST.replacen(from, to, 1);
            assert_ne!(text, LIST);
            let said = Delivery::parse(&text).unwrap_err().to_string();
            assert!(said.contains(fault), "{said}");
        }
        assert!(Delivery::parse("").is_err());
    }
}

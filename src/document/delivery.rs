//! A delivery's list as a file: JSON Lines, one line for the delivery and one for each blank.
//!
//! ```text
//! {"format":"zimogs-delivery/v1","delivery":"D-2026-17","blanks":2}
//! {"blank":"LV-0001","chips":[{"product":"lateid-v2","serial":"40907861…","key_version":"FF"}]}
//! {"blank":"B-77","article":"booklet","number":"PB0000077"}
//! ```

use document::DocumentNumber;
use serde::Deserialize;

use crate::error::{CentralError, Result};
use crate::stock::{DeliveredBlank, DeliveredChip, Delivery, MAX_BLANKS, MAX_CHIPS};

/// The first line's `format`.
const FORMAT: &str = "zimogs-delivery/v1";
/// The longest line, in bytes: a blank of eight chips with the longest names.
const MAX_LINE: usize = 4_096;

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
    /// Reads a delivery's list. What the books must know to judge it is judged when it is booked.
    ///
    /// # Errors
    /// [`CentralError::Invalid`] names the first line that is not sound, and what it lacks.
    pub fn parse(text: &str) -> Result<Self> {
        let mut lines = (1..).zip(text.lines());
        let (_, first) = lines
            .next()
            .ok_or_else(|| CentralError::invalid("the delivery's list is empty"))?;
        let head: Head = line(1, first)?;
        if head.format != FORMAT {
            return Err(at(1, &format!("\"format\" is not \"{FORMAT}\"")));
        }
        if head.blanks > MAX_BLANKS {
            return Err(at(1, &format!("a delivery lists 1 to {MAX_BLANKS} blanks")));
        }
        let mut blanks = Vec::new();
        for (number, text) in lines {
            if blanks.len() == head.blanks {
                return Err(at(number, "there are more blanks than the first line says"));
            }
            blanks.push(blank(number, text)?);
        }
        if blanks.len() != head.blanks {
            return Err(CentralError::invalid(format!(
                "the delivery's list has {} blanks, and its first line says {}: it is cut off",
                blanks.len(),
                head.blanks
            )));
        }
        Ok(Self {
            reference: head.delivery,
            blanks,
        })
    }
}

fn blank(number: usize, text: &str) -> Result<DeliveredBlank> {
    let read: BlankLine = line(number, text)?;
    if read.chips.len() > MAX_CHIPS {
        return Err(at(
            number,
            &format!("a blank has at most {MAX_CHIPS} chips"),
        ));
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

fn key_version(number: usize, text: &str) -> Result<u8> {
    let wrong = || at(number, "\"key_version\" is two hexadecimal digits");
    match hex::decode(text).map_err(|_| wrong())?[..] {
        [version] => Ok(version),
        _ => Err(wrong()),
    }
}

fn line<'a, T: Deserialize<'a>>(number: usize, text: &'a str) -> Result<T> {
    if text.len() > MAX_LINE {
        return Err(at(number, &format!("it is longer than {MAX_LINE} bytes")));
    }
    serde_json::from_str(text).map_err(|error| at(number, &error.to_string()))
}

fn at(line: usize, fault: &str) -> CentralError {
    CentralError::invalid(format!("line {line} of the delivery's list: {fault}"))
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

//! DG1: the machine-readable zone (*ICAO 9303-10 §4.7.1*).

use std::fmt;

use card::tlv::Tag;
use zeroize::Zeroizing;

use super::data_group::DataGroup;
use super::error::{LdsError, LdsFault};
use super::file::{File, Group};
use super::remark::{Read, Remark};
use super::template::{objects, once, outer, required, secret};

const FILE: File = File::Dg(Group::Dg1);
const MRZ: Tag = Tag::known::<0x5F1F>();

/// Lengths of the zone: three lines of 30 (TD1), two of 36 (TD2), two of 44 (TD3).
const LENGTHS: [usize; 3] = [90, 72, 88];

/// The machine-readable zone of the chip: its lines one behind the other, without line ends.
/// Only form is checked here, not check digits. Wiped when dropped; `Debug` shows the length.
#[derive(Clone, PartialEq, Eq)]
pub struct Dg1 {
    mrz: Zeroizing<String>,
}

impl Dg1 {
    /// Returns the data group with this zone of 90, 72 or 88 characters `A` to `Z`, `0` to `9`
    /// and `<`.
    ///
    /// # Errors
    /// [`LdsFault::Length`], [`LdsFault::Text`].
    pub fn new(mrz: &str) -> Result<Self, LdsError> {
        let mrz = mrz.as_bytes();
        let fault = |fault| Err(LdsError::at(FILE, MRZ, fault));
        if !LENGTHS.contains(&mrz.len()) {
            return fault(LdsFault::Length {
                length: mrz.len(),
                expected: "90, 72 or 88",
            });
        }
        let of_the_zone = |byte: &u8| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'<');
        match std::str::from_utf8(mrz) {
            Ok(text) if mrz.iter().all(of_the_zone) => Ok(Self {
                mrz: Zeroizing::new(text.to_owned()),
            }),
            _ => fault(LdsFault::Text("A to Z, 0 to 9 and <")),
        }
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`LdsError`].
    pub fn parse(bytes: &[u8]) -> Result<Read<Self>, LdsError> {
        let value = outer(FILE, Group::Dg1.tag(), bytes)?;
        let mut mrz = None;
        for object in objects(FILE, value, 4)? {
            match object.tag {
                MRZ => once(&mut mrz, object.value, FILE, MRZ)?,
                tag => return Err(LdsError::at(FILE, tag, LdsFault::Unexpected)),
            }
        }
        let mrz = required(mrz, FILE, MRZ)?;
        let text = |_| LdsError::at(FILE, MRZ, LdsFault::Text("A to Z, 0 to 9 and <"));
        let content = Self::new(std::str::from_utf8(mrz).map_err(text)?)?;
        let remarks = match content.encode() {
            Ok(again) if again.bytes() == bytes => Vec::new(),
            _ => vec![Remark::OtherForm],
        };
        Ok(Read { content, remarks })
    }

    /// Returns the zone, all lines in one.
    #[must_use]
    pub fn mrz(&self) -> &str {
        &self.mrz
    }

    /// Returns the zone's lines: three of 30 characters, two of 36 or two of 44.
    #[must_use]
    pub fn lines(&self) -> Vec<&str> {
        let width = match self.mrz.len() {
            90 => 30,
            length => length / 2,
        };
        let line = |index: usize| self.mrz.get(index * width..(index + 1) * width);
        (0..3).filter_map(line).collect()
    }

    /// Returns the file.
    ///
    /// # Errors
    /// None in practice: the zone has its length.
    pub fn encode(&self) -> Result<DataGroup, LdsError> {
        DataGroup::new(Group::Dg1, &secret(MRZ, self.mrz.as_bytes()))
    }
}

impl fmt::Debug for Dg1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dg1({} characters)", self.mrz.len())
    }
}

#[cfg(test)]
mod tests {
    use super::Dg1;
    use crate::lds::testing::{bytes, vector};

    #[test]
    fn published_files() {
        let bsi = vector("bsi");
        let file = bytes(&bsi["dg1"]);
        let read = Dg1::parse(&file).unwrap();
        assert!(read.remarks.is_empty());
        let dg1 = read.content;
        assert_eq!(dg1.mrz(), bsi["mrz"].as_str().unwrap());
        assert_eq!(dg1.lines().len(), 2);
        assert!(dg1.lines().iter().all(|line| line.len() == 44));
        assert_eq!(Dg1::new(dg1.mrz()).unwrap().encode().unwrap().bytes(), file);
        assert_eq!(format!("{dg1:?}"), "Dg1(88 characters)");

        let td2 = bytes(&vector("icao")["dg1_td2"]);
        let dg1 = Dg1::parse(&td2).unwrap().content;
        assert_eq!(dg1.lines().concat(), dg1.mrz());
        assert_eq!(dg1.lines()[1].len(), 36);
        assert_eq!(dg1.encode().unwrap().bytes(), td2);
    }

    #[test]
    fn three_lines_of_a_card() {
        let zone = ["I", "8", "N"]
            .map(|first| format!("{first:<<30}"))
            .concat();
        let dg1 = Dg1::new(&zone).unwrap();
        let starts: String = dg1.lines().iter().map(|line| &line[..1]).collect();
        assert_eq!((dg1.lines().len(), starts.as_str()), (3, "I8N"));
        assert!(
            dg1.encode()
                .unwrap()
                .bytes()
                .starts_with(&[0x61, 0x5D, 0x5F, 0x1F, 90])
        );
    }

    #[test]
    fn errors_say_nothing_about_the_person() {
        let zone = "PARAUDZINS".repeat(9).replace('Z', "ž");
        for bad in [&zone[..90], "P<LVA", &"p".repeat(88)] {
            let error = Dg1::new(bad).unwrap_err();
            let text = format!("{error} {error:?}");
            assert!(!text.contains("PARAUD") && !text.contains("LVA"), "{text}");
        }
    }
}

//! DG1: the machine readable zone (*ICAO 9303-10 §4.7.1*).

use card::tlv::Tag;
use document::mrz::Mrz;

use super::data_group::DataGroup;
use super::error::{LdsError, LdsFault};
use super::file::{File, Group};
use super::remark::{Read, Remark};
use super::template::{objects, once, outer, required, secret};

const FILE: File = File::Dg(Group::Dg1);
const MRZ: Tag = Tag::known::<0x5F1F>();

/// What a zone is made of.
const LETTERS: LdsFault = LdsFault::Text("A to Z, 0 to 9 and <");

/// The machine readable zone as the chip has it: its lines one behind the other. A zone has the
/// form of its format here; what is wrong with its content, [`Mrz::faults`] says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dg1 {
    /// The zone.
    pub mrz: Mrz,
}

impl Dg1 {
    /// Reads the file.
    ///
    /// # Errors
    /// [`LdsError`].
    pub fn parse(bytes: &[u8]) -> Result<Read<Self>, LdsError> {
        let value = outer(FILE, Group::Dg1.tag(), bytes)?;
        let mut zone = None;
        for object in objects(FILE, value, 4)? {
            match object.tag {
                MRZ => once(&mut zone, object.value, FILE, MRZ)?,
                tag => return Err(LdsError::at(FILE, tag, LdsFault::Unexpected)),
            }
        }
        let zone = required(zone, FILE, MRZ)?;
        let content = Self {
            mrz: read_zone(zone).map_err(|fault| LdsError::at(FILE, MRZ, fault))?,
        };
        let same = content.encode().is_ok_and(|again| again.bytes() == bytes);
        Ok(Read {
            content,
            remarks: Vec::from_iter((!same).then_some(Remark::OtherForm)),
        })
    }

    /// Returns the file.
    ///
    /// # Errors
    /// None in practice: no zone is too long.
    pub fn encode(&self) -> Result<DataGroup, LdsError> {
        DataGroup::new(Group::Dg1, &secret(MRZ, self.mrz.as_bytes()))
    }
}

/// Returns the zone that these characters are; [`Mrz::read`] would also take lines with ends.
fn read_zone(zone: &[u8]) -> Result<Mrz, LdsFault> {
    if ![90, 72, 88].contains(&zone.len()) {
        return Err(LdsFault::Length {
            length: zone.len(),
            expected: "90, 72 or 88",
        });
    }
    let text = std::str::from_utf8(zone).map_err(|_| LETTERS)?;
    let mrz = Mrz::read(text).map_err(|_| LETTERS)?;
    // As many characters as bytes: none of them was a line end.
    if mrz.as_bytes() == zone {
        Ok(mrz)
    } else {
        Err(LETTERS)
    }
}

#[cfg(test)]
mod tests {
    use document::mrz::{Format, Mrz};

    use super::Dg1;
    use crate::lds::testing::{bytes, vector};

    #[test]
    fn published_files() {
        let bsi = vector("bsi");
        let file = bytes(&bsi["dg1"]);
        let read = Dg1::parse(&file).unwrap();
        assert!(read.remarks.is_empty());
        let mrz = read.content.mrz;
        assert_eq!(mrz.as_bytes(), bsi["mrz"].as_str().unwrap().as_bytes());
        assert_eq!((mrz.format(), mrz.issuer()), (Format::Td3, "D"));
        let again = Mrz::read(bsi["mrz"].as_str().unwrap()).unwrap();
        assert_eq!(Dg1 { mrz: again }.encode().unwrap().bytes(), file);

        let td2 = bytes(&vector("icao")["dg1_td2"]);
        let dg1 = Dg1::parse(&td2).unwrap().content;
        assert_eq!(dg1.mrz.format(), Format::Td2);
        assert_eq!(&*dg1.mrz.document_number(), "D23145890");
        assert_eq!(dg1.encode().unwrap().bytes(), td2);
    }

    #[test]
    fn three_lines_of_a_card() {
        let zone = ["I", "8", "N"].map(|first| format!("{first:<<30}"));
        let mrz = Mrz::read(&zone.join("\n")).unwrap();
        let file = Dg1 { mrz }.encode().unwrap();
        // 61 5D: 5F1F 5A, 90 characters, and no line end among them.
        let head = [0x61, 0x5D, 0x5F, 0x1F, 90];
        assert_eq!(file.bytes(), [&head[..], zone.concat().as_bytes()].concat());
    }

    #[test]
    fn errors_and_debug_say_nothing_about_the_person() {
        let zone = "PARAUDZINS".repeat(9).replace('Z', "ž");
        for bad in [&zone[..90], "P<LVA", &"p".repeat(88)] {
            let object = card::tlv::encode(super::MRZ, bad.as_bytes());
            let file = card::tlv::encode(card::tlv::Tag::known::<0x61>(), &object);
            let error = Dg1::parse(&file).unwrap_err();
            let text = format!("{error} {error:?}");
            assert!(!text.contains("PARAUD") && !text.contains("LVA"), "{text}");
        }
        let file = bytes(&vector("bsi")["dg1"]);
        let shown = format!("{:?}", Dg1::parse(&file).unwrap());
        assert!(
            !shown.contains("ERIKA") && !shown.contains("C11T"),
            "{shown}"
        );
    }
}

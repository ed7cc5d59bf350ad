//! EF.COM: versions, and the list of data groups (*ICAO 9303-10 §4.6.1*).

use card::tlv::{self, Tag};

use super::error::{LdsError, LdsFault};
use super::file::{File, Group};
use super::remark::{Read, Remark};
use super::tag_list::{self, TAG_LIST};
use super::template::{objects, once, outer, required};
use super::version::{LdsVersion, UnicodeVersion};

const OUTER: Tag = Tag::known::<0x60>();
const LDS_VERSION: Tag = Tag::known::<0x5F01>();
const UNICODE_VERSION: Tag = Tag::known::<0x5F36>();

/// What EF.COM says. Nobody signs it: what it says counts only where the security object says the
/// same, and inspection systems are told to use that one instead (*§4.6.1*).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EfCom {
    /// The version of the logical data structure.
    pub lds_version: LdsVersion,
    /// The version of Unicode.
    pub unicode_version: UnicodeVersion,
    /// The data groups that the chip holds, in the file's order, each once.
    pub groups: Vec<Group>,
}

impl EfCom {
    /// Returns the content for a document with these data groups, listed by number.
    #[must_use]
    pub fn new(lds_version: LdsVersion, groups: impl IntoIterator<Item = Group>) -> Self {
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.sort_unstable();
        groups.dedup();
        Self {
            lds_version,
            unicode_version: UnicodeVersion::V4_0_0,
            groups,
        }
    }

    /// Reads the file. Tags of a list that are no data group's (some list EF.SOD) are remarked.
    ///
    /// # Errors
    /// [`LdsError`].
    pub fn parse(bytes: &[u8]) -> Result<Read<Self>, LdsError> {
        let value = outer(File::Com, OUTER, bytes)?;
        let (mut lds, mut unicode, mut list) = (None, None, None);
        for object in objects(File::Com, value, 8)? {
            let length = |expected| {
                let length = object.value.len();
                LdsError::at(File::Com, object.tag, LdsFault::Length { length, expected })
            };
            let digits = || LdsError::at(File::Com, object.tag, LdsFault::Text("decimal digits"));
            match object.tag {
                LDS_VERSION if object.value.len() != 4 => return Err(length("4")),
                LDS_VERSION => {
                    let version = LdsVersion::parse(object.value).ok_or_else(digits)?;
                    once(&mut lds, version, File::Com, LDS_VERSION)?;
                }
                UNICODE_VERSION if object.value.len() != 6 => return Err(length("6")),
                UNICODE_VERSION => {
                    let version = UnicodeVersion::parse(object.value).ok_or_else(digits)?;
                    once(&mut unicode, version, File::Com, UNICODE_VERSION)?;
                }
                TAG_LIST => {
                    let tags = tag_list::parse(File::Com, object.value)?;
                    once(&mut list, tags, File::Com, TAG_LIST)?;
                }
                tag => return Err(LdsError::at(File::Com, tag, LdsFault::Unexpected)),
            }
        }
        let mut remarks = Vec::new();
        let mut groups = Vec::new();
        for tag in required(list, File::Com, TAG_LIST)? {
            match Group::from_tag(tag) {
                Some(group) if groups.contains(&group) => {
                    return Err(LdsError::at(File::Com, tag, LdsFault::Repeated));
                }
                Some(group) => groups.push(group),
                None => remarks.push(Remark::UnknownTag(tag)),
            }
        }
        let content = Self {
            lds_version: required(lds, File::Com, LDS_VERSION)?,
            unicode_version: required(unicode, File::Com, UNICODE_VERSION)?,
            groups,
        };
        if remarks.is_empty() && content.encode() != bytes {
            remarks.push(Remark::OtherForm);
        }
        Ok(Read { content, remarks })
    }

    /// Returns the file's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let value = [
            tlv::encode(LDS_VERSION, self.lds_version.digits().as_bytes()),
            tlv::encode(UNICODE_VERSION, self.unicode_version.digits().as_bytes()),
            tag_list::encode(self.groups.iter().map(|group| group.tag())),
        ];
        tlv::encode(OUTER, &value.concat())
    }
}

#[cfg(test)]
mod tests {
    use super::EfCom;
    use crate::lds::testing::{bytes, vector};
    use crate::lds::{Group, LdsVersion, Remark, UnicodeVersion};

    #[test]
    fn published_files() {
        let file = bytes(&vector("bsi")["com"]);
        let read = EfCom::parse(&file).unwrap();
        assert!(read.remarks.is_empty());
        let com = read.content;
        assert_eq!(com.lds_version, LdsVersion::V1_7);
        assert_eq!(com.unicode_version, UnicodeVersion::V4_0_0);
        assert_eq!(
            com.groups,
            [Group::Dg1, Group::Dg2, Group::Dg3, Group::Dg4, Group::Dg14]
        );
        assert_eq!(com.encode(), file);
        assert_eq!(EfCom::new(LdsVersion::V1_7, com.groups).encode(), file);

        let file = bytes(&vector("icao")["com"]);
        let com = EfCom::parse(&file).unwrap().content;
        assert_eq!(com.lds_version.to_string(), "1.6");
        assert_eq!(com.encode(), file);
    }

    #[test]
    fn deviations_are_remarked() {
        let mut file = EfCom::new(LdsVersion::V1_8, [Group::Dg2, Group::Dg1]).encode();
        // EF.SOD in the list, as some issuers have it.
        let last = file.len() - 1;
        file[last] = 0x77;
        let read = EfCom::parse(&file).unwrap();
        let sod = card::tlv::Tag::known::<0x77>();
        assert_eq!(read.remarks, [Remark::UnknownTag(sod)]);
        assert_eq!(read.content.groups, [Group::Dg1]);
        let long = hex::decode("6081145F0104303130365F36063034303030305C026175").unwrap();
        assert_eq!(EfCom::parse(&long).unwrap().remarks, [Remark::OtherForm]);
    }
}

//! EF.DIR: which applications the chip has (*ICAO 9303-10 §3.11.2, ISO/IEC 7816-4 §12.3*).

use card::tlv::{self, Tag};

use super::error::{LdsError, LdsFault, within_bound};
use super::file::{File, LDS_APPLICATION};
use super::remark::{Read, Remark};
use super::template::{objects, once, required};

const TEMPLATE: Tag = Tag::known::<0x61>();
const IDENTIFIER: Tag = Tag::known::<0x4F>();
const LABEL: Tag = Tag::known::<0x50>();

/// The most applications that are read.
const MAX_APPLICATIONS: usize = 32;

/// One application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// Application identifier, 5 to 16 bytes.
    pub identifier: Vec<u8>,
    /// Label in UTF-8, where there is one.
    pub label: Option<String>,
}

/// The applications, in the file's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    /// One entry an application.
    pub applications: Vec<DirectoryEntry>,
}

impl Directory {
    /// Returns the directory of applications with these identifiers, without labels.
    #[must_use]
    pub fn of(identifiers: &[&[u8]]) -> Self {
        let entry = |identifier: &&[u8]| DirectoryEntry {
            identifier: identifier.to_vec(),
            label: None,
        };
        Self {
            applications: identifiers.iter().map(entry).collect(),
        }
    }

    /// Says whether the LDS application is listed.
    #[must_use]
    pub fn has_lds(&self) -> bool {
        let mut applications = self.applications.iter();
        applications.any(|entry| entry.identifier == LDS_APPLICATION)
    }

    /// Reads the file. Objects that are no identifier and no label are remarked.
    ///
    /// # Errors
    /// [`LdsError`].
    pub fn parse(bytes: &[u8]) -> Result<Read<Self>, LdsError> {
        within_bound(File::Dir, bytes)?;
        let mut remarks = Vec::new();
        let mut applications: Vec<DirectoryEntry> = Vec::new();
        for template in objects(File::Dir, bytes, MAX_APPLICATIONS)? {
            if template.tag != TEMPLATE {
                remarks.push(Remark::UnknownTag(template.tag));
                continue;
            }
            let (mut identifier, mut label) = (None, None);
            for object in objects(File::Dir, template.value, 8)? {
                let at = |fault| LdsError::at(File::Dir, object.tag, fault);
                match object.tag {
                    IDENTIFIER if !(5..=16).contains(&object.value.len()) => {
                        return Err(at(LdsFault::Length {
                            length: object.value.len(),
                            expected: "5 to 16",
                        }));
                    }
                    IDENTIFIER => once(&mut identifier, object.value, File::Dir, IDENTIFIER)?,
                    LABEL => {
                        let text = std::str::from_utf8(object.value)
                            .map_err(|_| at(LdsFault::Text("UTF-8")))?;
                        once(&mut label, text.to_owned(), File::Dir, LABEL)?;
                    }
                    tag => remarks.push(Remark::UnknownTag(tag)),
                }
            }
            let identifier = required(identifier, File::Dir, IDENTIFIER)?;
            if applications
                .iter()
                .any(|entry| entry.identifier == identifier)
            {
                return Err(LdsError::at(File::Dir, IDENTIFIER, LdsFault::Repeated));
            }
            applications.push(DirectoryEntry {
                identifier: identifier.to_vec(),
                label,
            });
        }
        let content = Self { applications };
        if remarks.is_empty() && content.encode() != bytes {
            remarks.push(Remark::OtherForm);
        }
        Ok(Read { content, remarks })
    }

    /// Returns the file's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let template = |entry: &DirectoryEntry| {
            let mut value = tlv::encode(IDENTIFIER, &entry.identifier);
            if let Some(label) = &entry.label {
                value.extend(tlv::encode(LABEL, label.as_bytes()));
            }
            tlv::encode(TEMPLATE, &value)
        };
        self.applications.iter().flat_map(template).collect()
    }
}

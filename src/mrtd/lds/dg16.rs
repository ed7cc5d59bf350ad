//! DG16: persons to notify (*ICAO 9303-10 §4.7.16*).

use card::tlv::Tag;

use super::data_group::DataGroup;
use super::date::{Form, LdsDate};
use super::details::{count, counted};
use super::error::{LdsError, LdsFault};
use super::file::{File, Group};
use super::remark::{Read, Remark};
use super::template::{joined, objects, once, outer, required, secret};
use super::text::Text;

const FILE: File = File::Dg(Group::Dg16);
const COUNT: Tag = Tag::known::<0x02>();
const RECORDED: Tag = Tag::known::<0x5F50>();
const NAME: Tag = Tag::known::<0x5F51>();
const TELEPHONE: Tag = Tag::known::<0x5F52>();
const ADDRESS: Tag = Tag::known::<0x5F53>();

/// The templates that persons stand in, `A1` to `AF`, in their order.
const PERSONS: [Tag; 15] = [
    Tag::known::<0xA1>(),
    Tag::known::<0xA2>(),
    Tag::known::<0xA3>(),
    Tag::known::<0xA4>(),
    Tag::known::<0xA5>(),
    Tag::known::<0xA6>(),
    Tag::known::<0xA7>(),
    Tag::known::<0xA8>(),
    Tag::known::<0xA9>(),
    Tag::known::<0xAA>(),
    Tag::known::<0xAB>(),
    Tag::known::<0xAC>(),
    Tag::known::<0xAD>(),
    Tag::known::<0xAE>(),
    Tag::known::<0xAF>(),
];

/// A person to notify.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonToNotify {
    /// When this was recorded.
    pub recorded: LdsDate,
    /// Name, in the form of [`Text::of_name`].
    pub name: Text,
    /// Telephone number.
    pub telephone: Text,
    /// Address, in the form of [`Text::of_fields`].
    pub address: Text,
}

/// Persons to notify, 1 to 15. Wiped when dropped; `Debug` shows lengths only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dg16 {
    /// The persons, in the file's order.
    pub persons: Vec<PersonToNotify>,
}

impl Dg16 {
    /// Reads the file.
    ///
    /// # Errors
    /// [`LdsError`].
    pub fn parse(bytes: &[u8]) -> Result<Read<Self>, LdsError> {
        let objects = objects(
            FILE,
            outer(FILE, Group::Dg16.tag(), bytes)?,
            PERSONS.len() + 1,
        )?;
        let Some((first, templates)) = objects.split_first() else {
            return Err(LdsError::at(FILE, COUNT, LdsFault::Missing));
        };
        let announced = counted(FILE, first)?;
        if announced != templates.len() || announced == 0 {
            return Err(LdsError::at(
                FILE,
                COUNT,
                LdsFault::Count {
                    announced,
                    present: templates.len(),
                    allowed: "1 to 15",
                },
            ));
        }
        let mut remarks = Vec::new();
        let mut persons = Vec::with_capacity(templates.len());
        for (template, expected) in templates.iter().zip(PERSONS) {
            if template.tag != expected {
                return Err(LdsError::at(FILE, template.tag, LdsFault::Unexpected));
            }
            persons.push(person(template.value, &mut remarks)?);
        }
        let content = Self { persons };
        if remarks.is_empty() && content.encode().is_ok_and(|again| again.bytes() != bytes) {
            remarks.push(Remark::OtherForm);
        }
        Ok(Read { content, remarks })
    }

    /// Returns the file.
    ///
    /// # Errors
    /// [`LdsFault::Count`] for no person, [`LdsFault::TooMany`] for more than 15.
    pub fn encode(&self) -> Result<DataGroup, LdsError> {
        if self.persons.is_empty() {
            return Err(LdsError::at(
                FILE,
                COUNT,
                LdsFault::Count {
                    announced: 0,
                    present: 0,
                    allowed: "1 to 15",
                },
            ));
        }
        let mut content = vec![count(FILE, self.persons.len(), 15)?];
        for (person, template) in self.persons.iter().zip(PERSONS) {
            let value = [
                secret(RECORDED, person.recorded.digits()),
                secret(NAME, person.name.as_str().as_bytes()),
                secret(TELEPHONE, person.telephone.as_str().as_bytes()),
                secret(ADDRESS, person.address.as_str().as_bytes()),
            ];
            content.push(secret(template, &joined(&value)));
        }
        DataGroup::new(Group::Dg16, &joined(&content))
    }
}

fn person(value: &[u8], remarks: &mut Vec<Remark>) -> Result<PersonToNotify, LdsError> {
    let (mut recorded, mut name, mut telephone, mut address) = (None, None, None, None);
    for object in objects(FILE, value, 8)? {
        let at = |fault| LdsError::at(FILE, object.tag, fault);
        match object.tag {
            RECORDED => {
                let (date, form) = LdsDate::read(object.value).map_err(at)?;
                if form == Form::Packed {
                    remarks.push(Remark::PackedDate(RECORDED));
                }
                once(&mut recorded, date, FILE, RECORDED)?;
            }
            NAME => once(&mut name, Text::read(object.value).map_err(at)?, FILE, NAME)?,
            TELEPHONE => {
                let text = Text::read(object.value).map_err(at)?;
                once(&mut telephone, text, FILE, TELEPHONE)?;
            }
            ADDRESS => {
                let text = Text::read(object.value).map_err(at)?;
                once(&mut address, text, FILE, ADDRESS)?;
            }
            _ => return Err(at(LdsFault::Unexpected)),
        }
    }
    Ok(PersonToNotify {
        recorded: required(recorded, FILE, RECORDED)?,
        name: required(name, FILE, NAME)?,
        telephone: required(telephone, FILE, TELEPHONE)?,
        address: required(address, FILE, ADDRESS)?,
    })
}

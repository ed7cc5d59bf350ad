//! DG12: additional document details (*ICAO 9303-10 §4.7.12*).

use card::tlv::Tag;

use super::data_group::DataGroup;
use super::date::{LdsDate, LdsTime};
use super::details::{Fields, TEXT, Writer};
use super::error::LdsError;
use super::file::Group;
use super::remark::{Read, Remark};
use super::text::{ImageData, Text};

const AUTHORITY: Tag = Tag::known::<0x5F19>();
const ISSUE_DATE: Tag = Tag::known::<0x5F26>();
const OTHER_PERSON: Tag = Tag::known::<0x5F1A>();
const ENDORSEMENTS: Tag = Tag::known::<0x5F1B>();
const TAX_AND_EXIT: Tag = Tag::known::<0x5F1C>();
const FRONT: Tag = Tag::known::<0x5F1D>();
const REAR: Tag = Tag::known::<0x5F1E>();
const PERSONALIZED: Tag = Tag::known::<0x5F55>();
const SYSTEM: Tag = Tag::known::<0x5F56>();

/// Additional document details; everything is optional. Texts are at most 99 bytes of UTF-8.
/// Wiped when dropped; `Debug` shows lengths only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dg12 {
    /// Issuing authority.
    pub authority: Option<Text>,
    /// Date of issue.
    pub issue_date: Option<LdsDate>,
    /// Names of other persons in the document, in the form of [`Text::of_name`]; at most 99.
    pub other_persons: Vec<Text>,
    /// Endorsements and observations.
    pub endorsements: Option<Text>,
    /// Tax and exit requirements.
    pub tax_and_exit: Option<Text>,
    /// Image of the document's front.
    pub front: Option<ImageData>,
    /// Image of the document's rear.
    pub rear: Option<ImageData>,
    /// When the document was personalized.
    pub personalized: Option<LdsTime>,
    /// Serial number of the system that personalized it.
    pub system: Option<Text>,
}

impl Dg12 {
    /// Returns the details of a document issued by `authority` on this day.
    ///
    /// # Errors
    /// [`LdsError`] where the authority is empty or the day has no four-digit year.
    pub fn of_issue(authority: &str, day: jiff::civil::Date) -> Result<Self, LdsError> {
        let at = |tag| move |fault| LdsError::at(Group::Dg12, tag, fault);
        Ok(Self {
            authority: Some(Text::new(authority).map_err(at(AUTHORITY))?),
            issue_date: Some(LdsDate::try_from(day).map_err(at(ISSUE_DATE))?),
            ..Self::default()
        })
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`LdsError`].
    pub fn parse(bytes: &[u8]) -> Result<Read<Self>, LdsError> {
        let known = [
            AUTHORITY,
            ISSUE_DATE,
            ENDORSEMENTS,
            TAX_AND_EXIT,
            FRONT,
            REAR,
            PERSONALIZED,
            SYSTEM,
        ];
        let mut fields = Fields::parse(Group::Dg12, bytes, &known, OTHER_PERSON)?;
        let content = Self {
            authority: fields.text(AUTHORITY, TEXT)?,
            issue_date: fields.date(ISSUE_DATE)?,
            other_persons: fields.names()?,
            endorsements: fields.text(ENDORSEMENTS, TEXT)?,
            tax_and_exit: fields.text(TAX_AND_EXIT, TEXT)?,
            front: fields.image(FRONT),
            rear: fields.image(REAR),
            personalized: fields.time(PERSONALIZED)?,
            system: fields.text(SYSTEM, TEXT)?,
        };
        let mut remarks = fields.remarks;
        if remarks.is_empty() && content.encode().is_ok_and(|again| again.bytes() != bytes) {
            remarks.push(Remark::OtherForm);
        }
        Ok(Read { content, remarks })
    }

    /// Returns the file, its objects in the order of *Table 73*.
    ///
    /// # Errors
    /// [`super::LdsFault::TooLong`] for texts past their limits, [`super::LdsFault::TooMany`] for
    /// names.
    pub fn encode(&self) -> Result<DataGroup, LdsError> {
        let mut file = Writer::new(Group::Dg12);
        file.text(AUTHORITY, self.authority.as_ref(), TEXT)?;
        let date = self.issue_date.as_ref();
        file.bytes(ISSUE_DATE, date.map(|date| &date.digits()[..]));
        file.names(OTHER_PERSON, &self.other_persons)?;
        file.text(ENDORSEMENTS, self.endorsements.as_ref(), TEXT)?;
        file.text(TAX_AND_EXIT, self.tax_and_exit.as_ref(), TEXT)?;
        file.bytes(FRONT, self.front.as_ref().map(ImageData::bytes));
        file.bytes(REAR, self.rear.as_ref().map(ImageData::bytes));
        let time = self.personalized.map(LdsTime::digits);
        file.bytes(PERSONALIZED, time.as_ref().map(String::as_bytes));
        file.text(SYSTEM, self.system.as_ref(), TEXT)?;
        file.finish()
    }
}

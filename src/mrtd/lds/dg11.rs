//! DG11: additional personal details (*ICAO 9303-10 §4.7.11*).

use card::tlv::Tag;
use document::Holder;
use zeroize::Zeroizing;

use super::data_group::DataGroup;
use super::date::LdsDate;
use super::details::{Fields, TEXT, Writer};
use super::error::{LdsError, LdsFault};
use super::file::Group;
use super::remark::{Read, Remark};
use super::text::{ImageData, Text};

const FULL_NAME: Tag = Tag::known::<0x5F0E>();
const OTHER_NAME: Tag = Tag::known::<0x5F0F>();
const PERSONAL_NUMBER: Tag = Tag::known::<0x5F10>();
const BIRTH_DATE: Tag = Tag::known::<0x5F2B>();
const BIRTH_PLACE: Tag = Tag::known::<0x5F11>();
const ADDRESS: Tag = Tag::known::<0x5F42>();
const TELEPHONE: Tag = Tag::known::<0x5F12>();
const PROFESSION: Tag = Tag::known::<0x5F13>();
const TITLE: Tag = Tag::known::<0x5F14>();
const SUMMARY: Tag = Tag::known::<0x5F15>();
const CITIZENSHIP: Tag = Tag::known::<0x5F16>();
const OTHER_DOCUMENTS: Tag = Tag::known::<0x5F17>();
const CUSTODY: Tag = Tag::known::<0x5F18>();

/// Custody information may be longer than other texts.
const CUSTODY_LIMIT: usize = 999;

/// Additional personal details; everything is optional. Texts are at most 99 bytes of UTF-8,
/// custody information 999. Wiped when dropped; `Debug` shows lengths only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dg11 {
    /// Full name in national characters, in the form of [`Text::of_name`]; never truncated.
    pub full_name: Option<Text>,
    /// Other names, in the same form; at most 99.
    pub other_names: Vec<Text>,
    /// Personal number.
    pub personal_number: Option<Text>,
    /// Full date of birth.
    pub birth_date: Option<LdsDate>,
    /// Place of birth, in the form of [`Text::of_fields`].
    pub birth_place: Option<Text>,
    /// Permanent address, in the form of [`Text::of_fields`].
    pub address: Option<Text>,
    /// Telephone.
    pub telephone: Option<Text>,
    /// Profession.
    pub profession: Option<Text>,
    /// Title.
    pub title: Option<Text>,
    /// Personal summary.
    pub summary: Option<Text>,
    /// Image of a proof of citizenship.
    pub citizenship: Option<ImageData>,
    /// Numbers of other valid travel documents, separated by `<`.
    pub other_documents: Option<Text>,
    /// Custody information.
    pub custody: Option<Text>,
}

impl Dg11 {
    /// Returns what a document of this holder says beyond its zone: full name in capital national
    /// letters, personal code with its hyphen, full date of birth, place of birth.
    ///
    /// # Errors
    /// [`LdsFault::TooLong`] for a name past 99 bytes: it must not be truncated, so that the
    /// document goes without it ([`Self::of_holder_unnamed`]) or without DG11.
    pub fn of_holder(holder: &Holder) -> Result<Self, LdsError> {
        let at = |tag| move |fault| LdsError::at(Group::Dg11, tag, fault);
        let surname = Zeroizing::new(holder.surname.upper());
        let given_names = Zeroizing::new(holder.given_names.upper());
        let name = Text::of_name(&surname, &given_names).map_err(at(FULL_NAME))?;
        if name.as_str().len() > TEXT {
            return Err(at(FULL_NAME)(LdsFault::TooLong {
                length: name.as_str().len(),
                limit: TEXT,
            }));
        }
        Ok(Self {
            full_name: Some(name),
            ..Self::of_holder_unnamed(holder)?
        })
    }

    /// Returns the same without the full name.
    ///
    /// # Errors
    /// [`LdsError`], in theory only.
    pub fn of_holder_unnamed(holder: &Holder) -> Result<Self, LdsError> {
        let at = |tag| move |fault| LdsError::at(Group::Dg11, tag, fault);
        let place = holder.birth_place.as_ref();
        let place = place.map(|place| Text::of_fields(&[&Zeroizing::new(place.upper())]));
        let code = Zeroizing::new(holder.personal_code.to_string());
        Ok(Self {
            personal_number: Some(Text::new(&code).map_err(at(PERSONAL_NUMBER))?),
            birth_date: Some(LdsDate::try_from(holder.birth_date).map_err(at(BIRTH_DATE))?),
            birth_place: place.transpose().map_err(at(BIRTH_PLACE))?,
            ..Self::default()
        })
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`LdsError`].
    pub fn parse(bytes: &[u8]) -> Result<Read<Self>, LdsError> {
        let known = [
            FULL_NAME,
            PERSONAL_NUMBER,
            BIRTH_DATE,
            BIRTH_PLACE,
            ADDRESS,
            TELEPHONE,
            PROFESSION,
            TITLE,
            SUMMARY,
            CITIZENSHIP,
            OTHER_DOCUMENTS,
            CUSTODY,
        ];
        let mut fields = Fields::parse(Group::Dg11, bytes, &known, OTHER_NAME)?;
        let content = Self {
            full_name: fields.text(FULL_NAME, TEXT)?,
            other_names: fields.names()?,
            personal_number: fields.text(PERSONAL_NUMBER, TEXT)?,
            birth_date: fields.date(BIRTH_DATE)?,
            birth_place: fields.text(BIRTH_PLACE, TEXT)?,
            address: fields.text(ADDRESS, TEXT)?,
            telephone: fields.text(TELEPHONE, TEXT)?,
            profession: fields.text(PROFESSION, TEXT)?,
            title: fields.text(TITLE, TEXT)?,
            summary: fields.text(SUMMARY, TEXT)?,
            citizenship: fields.image(CITIZENSHIP),
            other_documents: fields.text(OTHER_DOCUMENTS, TEXT)?,
            custody: fields.text(CUSTODY, CUSTODY_LIMIT)?,
        };
        let mut remarks = fields.remarks;
        if remarks.is_empty() && content.encode().is_ok_and(|again| again.bytes() != bytes) {
            remarks.push(Remark::OtherForm);
        }
        Ok(Read { content, remarks })
    }

    /// Returns the file, its objects in the order of *Table 71*.
    ///
    /// # Errors
    /// [`LdsFault::TooLong`] for texts past their limits, [`LdsFault::TooMany`] for names.
    pub fn encode(&self) -> Result<DataGroup, LdsError> {
        let mut file = Writer::new(Group::Dg11);
        file.text(FULL_NAME, self.full_name.as_ref(), TEXT)?;
        file.names(OTHER_NAME, &self.other_names)?;
        file.text(PERSONAL_NUMBER, self.personal_number.as_ref(), TEXT)?;
        let date = self.birth_date.as_ref();
        file.bytes(BIRTH_DATE, date.map(|date| &date.digits()[..]));
        file.text(BIRTH_PLACE, self.birth_place.as_ref(), TEXT)?;
        file.text(ADDRESS, self.address.as_ref(), TEXT)?;
        file.text(TELEPHONE, self.telephone.as_ref(), TEXT)?;
        file.text(PROFESSION, self.profession.as_ref(), TEXT)?;
        file.text(TITLE, self.title.as_ref(), TEXT)?;
        file.text(SUMMARY, self.summary.as_ref(), TEXT)?;
        file.bytes(CITIZENSHIP, self.citizenship.as_ref().map(ImageData::bytes));
        file.text(OTHER_DOCUMENTS, self.other_documents.as_ref(), TEXT)?;
        file.text(CUSTODY, self.custody.as_ref(), CUSTODY_LIMIT)?;
        file.finish()
    }
}

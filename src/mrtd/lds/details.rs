//! What DG11 and DG12 have in common: a tag list, fields each at most once, and names that a
//! template counts.

use card::tlv::{Tag, Tlv};
use zeroize::Zeroizing;

use super::data_group::DataGroup;
use super::date::{Form, LdsDate, LdsTime};
use super::error::{LdsError, LdsFault};
use super::file::{File, Group};
use super::remark::Remark;
use super::tag_list::{self, TAG_LIST};
use super::template::{joined, objects, outer, secret};
use super::text::{ImageData, Text};

const NAMES: Tag = Tag::known::<0xA0>();
const COUNT: Tag = Tag::known::<0x02>();

/// What the standard allows a text, in bytes (*ICAO 9303-10 Tables 72 and 74*).
pub(crate) const TEXT: usize = 99;

/// The most objects that are read of a template, and the most names.
const MAX_OBJECTS: usize = 32;
const MAX_NAMES: usize = 99;

/// The fields of a file that is being read.
pub(crate) struct Fields<'a> {
    group: Group,
    fields: Vec<Tlv<'a>>,
    names: Vec<&'a [u8]>,
    name: Tag,
    /// How the file deviates, as far as it was looked at.
    pub(crate) remarks: Vec<Remark>,
}

impl<'a> Fields<'a> {
    /// Reads a file whose objects are these `known` ones and the template of `name`s.
    pub(crate) fn parse(
        group: Group,
        bytes: &'a [u8],
        known: &[Tag],
        name: Tag,
    ) -> Result<Self, LdsError> {
        let file = File::Dg(group);
        let mut list = None;
        let mut read = Self {
            group,
            fields: Vec::new(),
            names: Vec::new(),
            name,
            remarks: Vec::new(),
        };
        let mut template = false;
        for object in objects(file, outer(file, group.tag(), bytes)?, MAX_OBJECTS)? {
            let repeated = || LdsError::at(file, object.tag, LdsFault::Repeated);
            match object.tag {
                TAG_LIST if list.is_some() => return Err(repeated()),
                TAG_LIST => list = Some(tag_list::parse(file, object.value)?),
                NAMES if template => return Err(repeated()),
                NAMES => {
                    template = true;
                    read.names.extend(names(file, object.value, name)?);
                }
                // Seen in the field: names beside the template, and no template.
                tag if tag == name => {
                    if !read.remarks.contains(&Remark::OutsideTemplate(tag)) {
                        read.remarks.push(Remark::OutsideTemplate(tag));
                    }
                    read.names.push(object.value);
                }
                tag if read.fields.iter().any(|field| field.tag == tag) => return Err(repeated()),
                tag => {
                    if !known.contains(&tag) {
                        read.remarks.push(Remark::UnknownTag(tag));
                    }
                    read.fields.push(object);
                }
            }
        }
        let list = list.ok_or_else(|| LdsError::at(file, TAG_LIST, LdsFault::Missing))?;
        read.compare(&list);
        Ok(read)
    }

    /// Remarks where the tag list and what is there differ.
    fn compare(&mut self, list: &[Tag]) {
        let is_name = |tag: Tag| tag == self.name || tag == NAMES;
        let present = |tag: Tag| {
            (is_name(tag) && !self.names.is_empty())
                || self.fields.iter().any(|field| field.tag == tag)
        };
        let mut remarks = Vec::new();
        for (index, tag) in list.iter().enumerate() {
            if list.iter().take(index).any(|earlier| earlier == tag) {
                remarks.push(Remark::ListedTwice(*tag));
            } else if !present(*tag) {
                remarks.push(Remark::ListedNotPresent(*tag));
            }
        }
        for field in &self.fields {
            if !list.contains(&field.tag) {
                remarks.push(Remark::PresentNotListed(field.tag));
            }
        }
        if !self.names.is_empty() && !list.iter().any(|tag| is_name(*tag)) {
            remarks.push(Remark::PresentNotListed(self.name));
        }
        self.remarks.extend(remarks);
    }

    fn value(&self, tag: Tag) -> Option<&'a [u8]> {
        let field = self.fields.iter().find(|field| field.tag == tag)?;
        Some(field.value)
    }

    fn at(&self, tag: Tag) -> impl Fn(LdsFault) -> LdsError {
        let file = File::Dg(self.group);
        move |fault| LdsError::at(file, tag, fault)
    }

    fn text_of(&mut self, tag: Tag, value: &[u8], limit: usize) -> Result<Text, LdsError> {
        let length = value.len();
        if length > limit {
            self.remarks.push(Remark::LongText { tag, length, limit });
        }
        Text::read(value).map_err(self.at(tag))
    }

    /// Returns a text, and remarks one that is longer than `limit` bytes.
    pub(crate) fn text(&mut self, tag: Tag, limit: usize) -> Result<Option<Text>, LdsError> {
        let value = self.value(tag);
        value
            .map(|value| self.text_of(tag, value, limit))
            .transpose()
    }

    /// Returns the names.
    pub(crate) fn names(&mut self) -> Result<Vec<Text>, LdsError> {
        let names = std::mem::take(&mut self.names);
        let (tag, read) = (self.name, names.into_iter());
        read.map(|name| self.text_of(tag, name, TEXT)).collect()
    }

    /// Returns a date, and remarks packed digits.
    pub(crate) fn date(&mut self, tag: Tag) -> Result<Option<LdsDate>, LdsError> {
        let read = self.value(tag).map(LdsDate::read).transpose();
        Ok(self.formed(tag, read.map_err(self.at(tag))?))
    }

    /// Returns a date and time, and remarks packed digits.
    pub(crate) fn time(&mut self, tag: Tag) -> Result<Option<LdsTime>, LdsError> {
        let read = self.value(tag).map(LdsTime::read).transpose();
        Ok(self.formed(tag, read.map_err(self.at(tag))?))
    }

    fn formed<T>(&mut self, tag: Tag, read: Option<(T, Form)>) -> Option<T> {
        let (value, form) = read?;
        if form == Form::Packed {
            self.remarks.push(Remark::PackedDate(tag));
        }
        Some(value)
    }

    /// Returns an image.
    pub(crate) fn image(&self, tag: Tag) -> Option<ImageData> {
        self.value(tag).map(ImageData::new)
    }
}

/// Returns the names of a template that counts them.
fn names(file: File, value: &[u8], name: Tag) -> Result<Vec<&[u8]>, LdsError> {
    let objects = objects(file, value, MAX_NAMES + 1)?;
    let Some((count, names)) = objects.split_first() else {
        return Err(LdsError::at(file, COUNT, LdsFault::Missing));
    };
    let announced = counted(file, count)?;
    if let Some(other) = names.iter().find(|object| object.tag != name) {
        return Err(LdsError::at(file, other.tag, LdsFault::Unexpected));
    }
    if announced != names.len() {
        return Err(LdsError::at(
            file,
            NAMES,
            LdsFault::Count {
                announced,
                present: names.len(),
                allowed: "0 to 99",
            },
        ));
    }
    Ok(names.iter().map(|object| object.value).collect())
}

/// Returns the number that the object `02` announces, one byte.
pub(crate) fn counted(file: File, object: &Tlv<'_>) -> Result<usize, LdsError> {
    match (object.tag, object.value) {
        (COUNT, [count]) => Ok(usize::from(*count)),
        (COUNT, value) => Err(LdsError::at(
            file,
            COUNT,
            LdsFault::Length {
                length: value.len(),
                expected: "1",
            },
        )),
        _ => Err(LdsError::at(file, COUNT, LdsFault::Missing)),
    }
}

/// Returns the object `02` that announces a number of objects.
pub(crate) fn count(file: File, number: usize, most: u8) -> Result<Zeroizing<Vec<u8>>, LdsError> {
    match u8::try_from(number) {
        Ok(number) if number <= most => Ok(secret(COUNT, &[number])),
        _ => Err(LdsError::at(
            file,
            COUNT,
            LdsFault::TooMany(usize::from(most)),
        )),
    }
}

/// The fields of a file that is being written.
pub(crate) struct Writer {
    group: Group,
    tags: Vec<Tag>,
    objects: Vec<Zeroizing<Vec<u8>>>,
}

impl Writer {
    /// Returns an empty file.
    pub(crate) fn new(group: Group) -> Self {
        Self {
            group,
            tags: Vec::new(),
            objects: Vec::new(),
        }
    }

    fn push(&mut self, tag: Tag, object: Tag, value: &[u8]) {
        self.tags.push(tag);
        self.objects.push(secret(object, value));
    }

    fn limited(&self, tag: Tag, length: usize, limit: usize) -> Result<(), LdsError> {
        if length > limit {
            let fault = LdsFault::TooLong { length, limit };
            return Err(LdsError::at(self.group, tag, fault));
        }
        Ok(())
    }

    /// Writes a text of at most `limit` bytes.
    pub(crate) fn text(
        &mut self,
        tag: Tag,
        text: Option<&Text>,
        limit: usize,
    ) -> Result<(), LdsError> {
        let Some(text) = text else { return Ok(()) };
        self.limited(tag, text.as_str().len(), limit)?;
        self.push(tag, tag, text.as_str().as_bytes());
        Ok(())
    }

    /// Writes names in the template that counts them.
    pub(crate) fn names(&mut self, name: Tag, names: &[Text]) -> Result<(), LdsError> {
        if names.is_empty() {
            return Ok(());
        }
        let mut objects = vec![count(File::Dg(self.group), names.len(), 99)?];
        for text in names {
            self.limited(name, text.as_str().len(), TEXT)?;
            objects.push(secret(name, text.as_str().as_bytes()));
        }
        self.push(name, NAMES, &joined(&objects));
        Ok(())
    }

    /// Writes digits or an image.
    pub(crate) fn bytes(&mut self, tag: Tag, bytes: Option<&[u8]>) {
        if let Some(bytes) = bytes {
            self.push(tag, tag, bytes);
        }
    }

    /// Returns the file.
    pub(crate) fn finish(mut self) -> Result<DataGroup, LdsError> {
        let list = Zeroizing::new(tag_list::encode(self.tags));
        self.objects.insert(0, list);
        DataGroup::new(self.group, &joined(&self.objects))
    }
}

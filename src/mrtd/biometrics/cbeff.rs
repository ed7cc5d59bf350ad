//! The templates around every biometric data block (*ICAO 9303-10 §4.7.2 to §4.7.4;
//! ISO/IEC 7816-11; ISO/IEC 19785-3*).

use std::fmt;

use card::tlv::{self, Tag, Tlv, TlvError};
use thiserror::Error;
use zeroize::Zeroizing;

use super::encoding::BiometricEncoding;

/// The longest data group that is read, in bytes: far more than a chip holds.
pub const MAX_DATA_GROUP: usize = 1 << 20;

/// Most objects of a header; the standard knows nine.
const MAX_HEADER: usize = 16;

/// The owner of every format here: ISO/IEC JTC 1/SC 37.
const OWNER: u16 = 0x0101;

const GROUP_TEMPLATE: Tag = Tag::known::<0x7F61>();
const COUNT: Tag = Tag::known::<0x02>();
const TEMPLATE: Tag = Tag::known::<0x7F60>();
const ISSUER_DATA: Tag = Tag::known::<0x53>();
const A1: Tag = Tag::known::<0xA1>();
const RECORD: Tag = Tag::known::<0x5F2E>();
const DATA_TEMPLATE: Tag = Tag::known::<0x7F2E>();
const KIND: Tag = Tag::known::<0x81>();
const SUBTYPE: Tag = Tag::known::<0x82>();
const FORMAT_OWNER: Tag = Tag::known::<0x87>();
const FORMAT_TYPE: Tag = Tag::known::<0x88>();

/// What a data group shows of its holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Modality {
    /// DG2.
    Face,
    /// DG3.
    Finger,
    /// DG4.
    Iris,
}

impl Modality {
    /// Returns the data group's tag.
    #[must_use]
    pub const fn tag(self) -> Tag {
        match self {
            Self::Face => Tag::known::<0x75>(),
            Self::Finger => Tag::known::<0x63>(),
            Self::Iris => Tag::known::<0x76>(),
        }
    }

    /// Returns the CBEFF biometric type.
    const fn code(self) -> u8 {
        match self {
            Self::Face => 0x02,
            Self::Finger => 0x08,
            Self::Iris => 0x10,
        }
    }

    /// Returns the format type that belongs to an encoding.
    const fn format_type(self, encoding: BiometricEncoding) -> u16 {
        match (encoding, self) {
            (BiometricEncoding::Iso19794, Self::Finger) => 0x0007,
            (BiometricEncoding::Iso19794, Self::Face) => 0x0008,
            (BiometricEncoding::Iso19794, Self::Iris) => 0x0009,
            (BiometricEncoding::Iso39794, Self::Finger) => 0x0028,
            (BiometricEncoding::Iso39794, Self::Face) => 0x002A,
            (BiometricEncoding::Iso39794, Self::Iris) => 0x002C,
        }
    }

    /// Returns how many templates the data group may have (*ICAO 9303-10 tables 45, 48 and
    /// 55*): a document has a face, and may come without fingers or irises.
    const fn counts(self) -> (u8, u8) {
        match self {
            Self::Face => (1, 9),
            Self::Finger => (0, u8::MAX),
            Self::Iris => (0, 9),
        }
    }
}

/// Why bytes are not a data group of biometric templates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// Longer than any data group that is read here.
    #[error("a data group is at most {MAX_DATA_GROUP} bytes long, not {length}")]
    TooLong {
        /// The length in bytes.
        length: usize,
    },
    /// No well-formed data objects.
    #[error(transparent)]
    Tlv(#[from] TlvError),
    /// Another data object, or none, stands where one must.
    #[error("no data object {0} where it must be")]
    Expected(Tag),
    /// Something stands behind the last data object.
    #[error("something follows inside or behind data object {0}")]
    Trailing(Tag),
    /// The count is not one byte.
    #[error("the number of templates is not one byte")]
    CountForm,
    /// More or fewer templates than the data group may have.
    #[error("this data group cannot have {0} templates")]
    Count(u8),
    /// A header object twice, or too many of them.
    #[error("the header has data object {0} twice, or too many")]
    Repeated(Tag),
    /// A header object that is not there and must be.
    #[error("the header has no data object {0}")]
    Missing(Tag),
    /// A header object of a length that it cannot have.
    #[error("data object {tag} of the header cannot be {length} bytes long")]
    Length {
        /// Which one.
        tag: Tag,
        /// Its length in bytes.
        length: usize,
    },
    /// A header of something else than the data group is for.
    #[error("the header says another kind of biometrics than the data group")]
    Kind,
    /// A format that does not belong into this data group and container.
    #[error("format {kind:04X} of owner {owner:04X} does not belong where it stands")]
    Format {
        /// The format's owner.
        owner: u16,
        /// The format's number.
        kind: u16,
    },
}

/// One biometric information template.
///
/// Personal data: `Debug` shows the block's length only.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Template<'a> {
    /// Which standard the block follows.
    pub encoding: BiometricEncoding,
    /// The CBEFF subtype, for example which finger it is; 0 says nothing.
    pub subtype: u8,
    /// The biometric data block: a record, or one DER object.
    pub block: &'a [u8],
}

impl fmt::Debug for Template<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template")
            .field("encoding", &self.encoding)
            .field("subtype", &self.subtype)
            .field("block", &self.block.len())
            .finish()
    }
}

/// The biometric information templates of DG2, DG3 or DG4, their blocks not yet looked at.
///
/// Personal data: `Debug` shows lengths only.
#[derive(Clone, PartialEq, Eq)]
pub struct Templates<'a> {
    /// The templates in their order.
    pub templates: Vec<Template<'a>>,
    /// What the issuer put behind an empty group: random bytes, so that its hash in EF.SOD
    /// does not tell that it is empty.
    pub issuer_data: Option<&'a [u8]>,
}

impl fmt::Debug for Templates<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Templates")
            .field("templates", &self.templates)
            .field("issuer_data", &self.issuer_data.map(<[u8]>::len))
            .finish()
    }
}

impl<'a> Templates<'a> {
    /// Reads a data group.
    ///
    /// # Errors
    /// [`TemplateError`] with the first thing that is wrong.
    pub fn parse(modality: Modality, bytes: &'a [u8]) -> Result<Self, TemplateError> {
        if bytes.len() > MAX_DATA_GROUP {
            return Err(TemplateError::TooLong {
                length: bytes.len(),
            });
        }
        let content = only(bytes, modality.tag())?;
        let (group, rest) = take(content, GROUP_TEMPLATE)?;
        let (count, mut templates_left) = take(group, COUNT)?;
        let &[count] = count else {
            return Err(TemplateError::CountForm);
        };
        let (least, most) = modality.counts();
        if !(least..=most).contains(&count) {
            return Err(TemplateError::Count(count));
        }
        let mut templates = Vec::new();
        for _ in 0..count {
            let (template, after) = take(templates_left, TEMPLATE)?;
            templates.push(parse_template(modality, template)?);
            templates_left = after;
        }
        if !templates_left.is_empty() {
            return Err(TemplateError::Trailing(GROUP_TEMPLATE));
        }
        let issuer_data = match rest {
            [] => None,
            rest if count == 0 => Some(only(rest, ISSUER_DATA)?),
            _ => return Err(TemplateError::Trailing(modality.tag())),
        };
        Ok(Self {
            templates,
            issuer_data,
        })
    }

    /// Writes a data group: [`parse`](Self::parse) gives back the same.
    ///
    /// # Errors
    /// [`TemplateError::Count`] for more or fewer templates than it may have,
    /// [`TemplateError::Trailing`] for issuer's data behind templates.
    pub fn encode(&self, modality: Modality) -> Result<Zeroizing<Vec<u8>>, TemplateError> {
        let count = u8::try_from(self.templates.len()).unwrap_or(u8::MAX);
        let (least, most) = modality.counts();
        if !(least..=most).contains(&count) || usize::from(count) != self.templates.len() {
            return Err(TemplateError::Count(count));
        }
        if count > 0 && self.issuer_data.is_some() {
            return Err(TemplateError::Trailing(modality.tag()));
        }
        Ok(write(modality, count, &self.templates, self.issuer_data))
    }
}

/// Writes a data group of `count` templates.
pub(super) fn write(
    modality: Modality,
    count: u8,
    templates: &[Template<'_>],
    issuer_data: Option<&[u8]>,
) -> Zeroizing<Vec<u8>> {
    let mut group = vec![object(COUNT, &[&[count]])];
    for template in templates {
        group.push(encode_template(modality, template));
    }
    let mut content = vec![object(GROUP_TEMPLATE, &slices(&group))];
    content.extend(issuer_data.map(|data| object(ISSUER_DATA, &[data])));
    object(modality.tag(), &slices(&content))
}

/// Returns a data object of these parts, in memory that is wiped.
pub(super) fn object(tag: Tag, parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let length = parts.iter().map(|part| part.len()).sum();
    let mut bytes = Zeroizing::new(Vec::with_capacity(length + 8));
    bytes.extend_from_slice(&tag.encode());
    bytes.extend_from_slice(&tlv::encode_length(length));
    for part in parts {
        bytes.extend_from_slice(part);
    }
    bytes
}

/// Borrows each of `objects`.
pub(super) fn slices(objects: &[Zeroizing<Vec<u8>>]) -> Vec<&[u8]> {
    objects.iter().map(|object| object.as_slice()).collect()
}

/// Takes the first data object, which must have this tag.
fn take(bytes: &[u8], tag: Tag) -> Result<(&[u8], &[u8]), TemplateError> {
    if bytes.is_empty() {
        return Err(TemplateError::Expected(tag));
    }
    match tlv::parse(bytes)? {
        (Tlv { tag: found, value }, rest) if found == tag => Ok((value, rest)),
        _ => Err(TemplateError::Expected(tag)),
    }
}

/// Takes the only data object, which must have this tag.
fn only(bytes: &[u8], tag: Tag) -> Result<&[u8], TemplateError> {
    match take(bytes, tag)? {
        (value, []) => Ok(value),
        _ => Err(TemplateError::Trailing(tag)),
    }
}

fn parse_template(modality: Modality, bytes: &[u8]) -> Result<Template<'_>, TemplateError> {
    let (header, rest) = take(bytes, A1)?;
    let header = Header::parse(modality, header)?;
    let (encoding, block) = match take(rest, RECORD) {
        Err(TemplateError::Expected(_)) => {
            let block = only(only(rest, DATA_TEMPLATE)?, A1)?;
            (BiometricEncoding::Iso39794, block)
        }
        Ok((record, [])) => (BiometricEncoding::Iso19794, record),
        Ok(_) => return Err(TemplateError::Trailing(RECORD)),
        Err(error) => return Err(error),
    };
    if (header.owner, header.kind) != (OWNER, modality.format_type(encoding)) {
        return Err(TemplateError::Format {
            owner: header.owner,
            kind: header.kind,
        });
    }
    Ok(Template {
        encoding,
        subtype: header.subtype,
        block,
    })
}

fn encode_template(modality: Modality, template: &Template<'_>) -> Zeroizing<Vec<u8>> {
    let format = modality.format_type(template.encoding).to_be_bytes();
    let header = object(
        A1,
        &slices(&[
            object(KIND, &[&[modality.code()]]),
            object(SUBTYPE, &[&[template.subtype]]),
            object(FORMAT_OWNER, &[&OWNER.to_be_bytes()]),
            object(FORMAT_TYPE, &[&format]),
        ]),
    );
    let data = match template.encoding {
        BiometricEncoding::Iso19794 => object(RECORD, &[template.block]),
        BiometricEncoding::Iso39794 => object(DATA_TEMPLATE, &[&object(A1, &[template.block])]),
    };
    object(TEMPLATE, &[&header, &data])
}

/// What is kept of a biometric header template (*ICAO 9303-10 tables 44 and 47*).
struct Header {
    subtype: u8,
    owner: u16,
    kind: u16,
}

impl Header {
    fn parse(modality: Modality, bytes: &[u8]) -> Result<Self, TemplateError> {
        let (mut seen, mut subtype, mut owner, mut kind) = (Vec::new(), None, None, None);
        let mut rest = bytes;
        while !rest.is_empty() {
            let (Tlv { tag, value }, after) = tlv::parse(rest)?;
            rest = after;
            if seen.contains(&tag) || seen.len() == MAX_HEADER {
                return Err(TemplateError::Repeated(tag));
            }
            seen.push(tag);
            // Version, type, subtype, creation, validity (once 84), creator, owner, type.
            let lengths = match tag.value() {
                0x80 | 0x87 | 0x88 => 2..=2,
                0x81 => 1..=3,
                0x82 => 1..=1,
                0x83 => 7..=7,
                0x84 | 0x85 => 8..=8,
                0x86 => 4..=4,
                // ISO/IEC 7816-11 knows more, and nothing here depends on it.
                _ => 0..=usize::MAX,
            };
            if !lengths.contains(&value.len()) {
                let length = value.len();
                return Err(TemplateError::Length { tag, length });
            }
            match (tag, value) {
                (KIND, &[code]) if code != modality.code() => return Err(TemplateError::Kind),
                (SUBTYPE, &[code]) => subtype = Some(code),
                (FORMAT_OWNER, &[high, low]) => owner = Some(u16::from_be_bytes([high, low])),
                (FORMAT_TYPE, &[high, low]) => kind = Some(u16::from_be_bytes([high, low])),
                _ => {}
            }
        }
        if modality == Modality::Finger && subtype.is_none() {
            return Err(TemplateError::Missing(SUBTYPE));
        }
        Ok(Self {
            subtype: subtype.unwrap_or(0),
            owner: owner.ok_or(TemplateError::Missing(FORMAT_OWNER))?,
            kind: kind.ok_or(TemplateError::Missing(FORMAT_TYPE))?,
        })
    }
}

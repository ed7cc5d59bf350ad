//! EF.ATR/INFO: what the chip can (*ICAO 9303-10 §3.11.1, ISO/IEC 7816-4 §12.1*).

use card::tlv::{self, Tag};

use super::error::{LdsError, LdsFault, within_bound};
use super::file::File;
use super::template::{objects, once};

const SERVICE_DATA: Tag = Tag::known::<0x43>();
const CAPABILITIES: Tag = Tag::known::<0x47>();
const EXTENDED_LENGTH: Tag = Tag::known::<0x7F66>();
const INTEGER: Tag = Tag::known::<0x02>();

/// The most objects that are read of the file.
const MAX_OBJECTS: usize = 64;

/// The longest commands and responses, in bytes, headers and status words included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtendedLength {
    /// The longest command APDU.
    pub command: u32,
    /// The longest response APDU.
    pub response: u32,
}

/// What the file says. Objects that are not read here are kept as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AtrInfo {
    /// Card service data (`43`).
    pub service_data: Option<u8>,
    /// Card capabilities (`47`): three tables of software functions.
    pub capabilities: Option<[u8; 3]>,
    /// Extended length information (`7F66`).
    pub extended_length: Option<ExtendedLength>,
    /// All other objects: tag and value, in the file's order.
    pub others: Vec<(Tag, Vec<u8>)>,
}

impl AtrInfo {
    /// Says whether the chip takes chained commands.
    #[must_use]
    pub fn has_chaining(&self) -> bool {
        self.third_table() & 0x80 != 0
    }

    /// Says whether the chip takes extended length fields.
    #[must_use]
    pub fn has_extended_length(&self) -> bool {
        self.third_table() & 0x40 != 0
    }

    fn third_table(&self) -> u8 {
        self.capabilities.map_or(0, |[_, _, third]| third)
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`LdsError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, LdsError> {
        let file = File::AtrInfo;
        within_bound(file, bytes)?;
        let mut read = Self::default();
        for object in objects(file, bytes, MAX_OBJECTS)? {
            let length = |expected| {
                let length = object.value.len();
                LdsError::at(file, object.tag, LdsFault::Length { length, expected })
            };
            match object.tag {
                SERVICE_DATA => {
                    let [byte] = object.value.try_into().map_err(|_| length("1"))?;
                    once(&mut read.service_data, byte, file, object.tag)?;
                }
                CAPABILITIES => {
                    let tables = object.value.try_into().map_err(|_| length("3"))?;
                    once(&mut read.capabilities, tables, file, object.tag)?;
                }
                EXTENDED_LENGTH => {
                    let lengths = extended_length(object.value)?;
                    once(&mut read.extended_length, lengths, file, object.tag)?;
                }
                tag => read.others.push((tag, object.value.to_vec())),
            }
        }
        Ok(read)
    }

    /// Returns the file's bytes: service data, capabilities, extended length, then the others.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if let Some(byte) = self.service_data {
            bytes.extend(tlv::encode(SERVICE_DATA, &[byte]));
        }
        if let Some(tables) = self.capabilities {
            bytes.extend(tlv::encode(CAPABILITIES, &tables));
        }
        if let Some(lengths) = self.extended_length {
            let value = [lengths.command, lengths.response].map(integer).concat();
            bytes.extend(tlv::encode(EXTENDED_LENGTH, &value));
        }
        for (tag, value) in &self.others {
            bytes.extend(tlv::encode(*tag, value));
        }
        bytes
    }
}

fn extended_length(value: &[u8]) -> Result<ExtendedLength, LdsError> {
    let at = |tag, fault| LdsError::at(File::AtrInfo, tag, fault);
    let numbers = objects(File::AtrInfo, value, 2)?;
    let &[command, response] = &numbers[..] else {
        return Err(at(
            EXTENDED_LENGTH,
            LdsFault::Count {
                announced: 2,
                present: numbers.len(),
                allowed: "2 numbers",
            },
        ));
    };
    let number = |object: tlv::Tlv<'_>| {
        if object.tag != INTEGER {
            return Err(at(object.tag, LdsFault::Unexpected));
        }
        // Chips write `02 02 FFFF` and mean 65 535: the numbers have no sign.
        match object.value {
            [0, rest @ ..] | rest if (1..=4).contains(&rest.len()) => Ok(rest
                .iter()
                .fold(0, |sum: u32, byte| sum << 8 | u32::from(*byte))),
            _ => Err(at(
                INTEGER,
                LdsFault::Length {
                    length: object.value.len(),
                    expected: "1 to 4",
                },
            )),
        }
    };
    Ok(ExtendedLength {
        command: number(command)?,
        response: number(response)?,
    })
}

/// Returns the object `02` of a number: two bytes as chips have it, more where it needs them.
fn integer(number: u32) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let start = bytes.iter().take(2).take_while(|byte| **byte == 0).count();
    tlv::encode(INTEGER, bytes.get(start..).unwrap_or_default())
}

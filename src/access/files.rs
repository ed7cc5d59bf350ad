//! Reading a chip's files, through a session or without one (*ICAO 9303-10 §3.6*).
//!
//! ```text
//!   SELECT 0101 or short identifier ─► READ BINARY B0, offset below 32 KiB
//!                                      READ BINARY B1 54 offset ─► 53 data, past that
//!   as long as the file's own first data object says
//! ```

use card::tlv::{self, Tag};
use card::{Channel, Command, ExchangeError, Limits, Response, Status, exchange};
use thiserror::Error;
use zeroize::Zeroizing;

/// ICAO's application for travel documents (*ICAO 9303-10 §3.3*).
pub const LDS1: [u8; 7] = [0xA0, 0x00, 0x00, 0x02, 0x47, 0x10, 0x01];

const SELECT: u8 = 0xA4;
const READ_BINARY: u8 = 0xB0;
const READ_BINARY_ODD: u8 = 0xB1;
const OFFSET: Tag = Tag::known::<0x54>();
const DISCRETIONARY: Tag = Tag::known::<0x53>();

/// Offsets from here on need the odd instruction.
const FAR: usize = 0x8000;
/// Bytes that hold the first object's tag and length.
const HEADER: usize = 8;
/// Bytes asked for in turn where a chip refuses a length past its file's end.
const BEGINNINGS: [usize; 3] = [HEADER, 4, 2];
/// Most bytes of tag and length around data of the odd instruction.
const FAR_FRAME: usize = 4;
/// Commands beside one for every [`LEAST`] bytes, after which a chip is said to be stalling.
const MORE_COMMANDS: usize = 64;
/// Bytes that a command has to bring, on the average: the shortest answers in the field.
const LEAST: usize = 16;

/// Says why a file is not read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FileError {
    /// The channel failed; inside it perhaps the session, see [`crate::session_fault`].
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// The chip has no such file or application.
    #[error("chip has no {0}")]
    NotFound(FileName),
    /// The chip lets this file be read by others only.
    #[error("chip does not let {0} be read now")]
    NotAllowed(FileName),
    /// The chip refused otherwise.
    #[error("chip refuses {file}: {status}")]
    Refused {
        /// The file.
        file: FileName,
        /// The answer.
        status: Status,
    },
    /// The file does not begin with a data object.
    #[error("{0} does not begin with a data object")]
    NoObject(FileName),
    /// The file says that it is longer than it may be.
    #[error("{file} says that it has {length} bytes; {most} are the most")]
    TooLong {
        /// The file.
        file: FileName,
        /// Its length by its own word, bytes.
        length: usize,
        /// The most that are read.
        most: usize,
    },
    /// The file ends before the length that it says.
    #[error("{file} ends after {read} of {length} bytes")]
    Truncated {
        /// The file.
        file: FileName,
        /// Bytes that were there.
        read: usize,
        /// Its length by its own word, bytes.
        length: usize,
    },
    /// The answer to the odd READ BINARY is not one data object.
    #[error("malformed answer while {0} was read past 32 KiB")]
    Malformed(FileName),
    /// The chip answers, and never comes to the end.
    #[error("chip gives {0} in too small pieces")]
    Stalling(FileName),
}

/// What a file or application is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileName {
    /// By its short identifier, 1 to 30: one command fewer.
    Short(u8),
    /// By its identifier.
    Identifier(u16),
    /// An application, or the master file.
    Application,
}

impl std::fmt::Display for FileName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Short(short) => write!(f, "file with short identifier {short:02X}"),
            Self::Identifier(id) => write!(f, "file {id:04X}"),
            Self::Application => f.write_str("such application"),
        }
    }
}

/// Selects an application by its name.
///
/// # Errors
/// [`FileError`].
pub fn select_application(
    channel: &mut dyn Channel,
    limits: &Limits,
    name: &[u8],
) -> Result<(), FileError> {
    let command = Command::new(0x00, SELECT, 0x04, 0x0C).with_data(name);
    done(FileName::Application, &exchange(channel, &command, limits)?)
}

/// Selects the master file, in which EF.CardAccess, EF.DIR and EF.ATR/INFO are.
///
/// # Errors
/// [`FileError`].
pub fn select_master_file(channel: &mut dyn Channel, limits: &Limits) -> Result<(), FileError> {
    let command = Command::new(0x00, SELECT, 0x00, 0x0C).with_data([0x3F, 0x00]);
    done(FileName::Application, &exchange(channel, &command, limits)?)
}

/// Selects a file of the application by its identifier.
///
/// # Errors
/// [`FileError`].
pub fn select_file(
    channel: &mut dyn Channel,
    limits: &Limits,
    identifier: u16,
) -> Result<(), FileError> {
    let command = Command::new(0x00, SELECT, 0x02, 0x0C).with_data(identifier.to_be_bytes());
    let name = FileName::Identifier(identifier);
    done(name, &exchange(channel, &command, limits)?)
}

/// Reads a file whole: its first data object, as long as that says, and nothing behind it. At
/// most `most` bytes are read, and memory is spent on no more.
///
/// # Errors
/// [`FileError`].
pub fn read_file(
    channel: &mut dyn Channel,
    limits: &Limits,
    name: FileName,
    most: usize,
) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let (mut reading, first) = Reading::begin(channel, limits, name)?;
    let answer = reading.first(first, most)?;
    let length = object_length(answer.data()).ok_or(FileError::NoObject(name))?;
    if length > most {
        return Err(FileError::TooLong {
            file: name,
            length,
            most,
        });
    }
    let mut file = Zeroizing::new(Vec::with_capacity(length));
    take(&mut file, answer.data(), length);
    let mut left = MORE_COMMANDS + length / LEAST;
    while file.len() < length {
        left = left.checked_sub(1).ok_or(FileError::Stalling(name))?;
        let piece = reading.next(file.len(), length - file.len())?;
        if piece.is_empty() {
            return Err(FileError::Truncated {
                file: name,
                read: file.len(),
                length,
            });
        }
        take(&mut file, &piece, length);
    }
    Ok(file)
}

/// Reads what is in a file that is not one data object: EF.CVCA, EF.DIR, EF.ATR/INFO. At most
/// `most` bytes are read; where there are more, they stay unread.
///
/// # Errors
/// [`FileError`].
pub fn read_start(
    channel: &mut dyn Channel,
    limits: &Limits,
    name: FileName,
    most: usize,
) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let (mut reading, first) = Reading::begin(channel, limits, name)?;
    let answer = reading.first(first, most)?;
    let mut file = Zeroizing::new(Vec::with_capacity(most));
    take(&mut file, answer.data(), most);
    let mut left = MORE_COMMANDS + most / LEAST;
    while file.len() < most {
        left = left.checked_sub(1).ok_or(FileError::Stalling(name))?;
        match reading.next(file.len(), most - file.len()) {
            Ok(piece) if piece.is_empty() => break,
            Ok(piece) => take(&mut file, &piece, most),
            // Some chips refuse a length past the end: less is asked for, down to nothing.
            Err(FileError::Refused { .. }) if reading.size > 1 => {
                reading.size = reading.size.min(most - file.len()) / 2;
                reading.size = reading.size.max(1);
            }
            Err(FileError::Refused { .. }) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(file)
}

struct Reading<'a> {
    channel: &'a mut dyn Channel,
    limits: &'a Limits,
    name: FileName,
    /// Bytes asked for at once.
    size: usize,
}

impl<'a> Reading<'a> {
    /// Selects the file where it has no short identifier, and returns P1 of the first command.
    fn begin(
        channel: &'a mut dyn Channel,
        limits: &'a Limits,
        name: FileName,
    ) -> Result<(Self, u8), FileError> {
        let first = match name {
            FileName::Short(short @ 1..=0x1E) => 0x80 | short,
            FileName::Short(_) | FileName::Application => return Err(FileError::NotFound(name)),
            FileName::Identifier(identifier) => {
                select_file(channel, limits, identifier)?;
                0x00
            }
        };
        let most = if limits.extended { 0x1_0000 } else { 256 };
        let size = limits.response.clamp(1, most);
        let reading = Self {
            channel,
            limits,
            name,
            size,
        };
        Ok((reading, first))
    }

    /// Reads as much at once as fits: most files are read by this one command. A chip that takes
    /// a length past its file's end for a fault is asked for the beginning only, down to what
    /// says the length of the smallest file.
    fn first(&mut self, p1: u8, most: usize) -> Result<Response, FileError> {
        let size = self.size.min(most.max(HEADER));
        let mut answer = self.near(p1, 0, size)?;
        if answer.data().is_empty() && !is_final(answer.status()) {
            for less in BEGINNINGS.into_iter().filter(|&less| less < size) {
                answer = self.near(p1, 0, less)?;
                if !answer.data().is_empty() {
                    break;
                }
            }
        } else if (HEADER + 1..size).contains(&answer.data().len()) {
            // The file's end, or what the chip can give at once.
            self.size = answer.data().len();
        }
        check(self.name, answer.status(), answer.data().len())?;
        Ok(answer)
    }

    fn near(&mut self, p1: u8, p2: u8, size: usize) -> Result<Response, FileError> {
        let le = u32::try_from(size).unwrap_or(256);
        let command = Command::new(0x00, READ_BINARY, p1, p2).with_le(le);
        Ok(exchange(self.channel, &command, self.limits)?)
    }

    /// Reads on from an offset in the file that is selected now.
    fn next(&mut self, offset: usize, missing: usize) -> Result<Zeroizing<Vec<u8>>, FileError> {
        let size = self.size.min(missing);
        if let ([high, low], true) = (low_two(offset), offset < FAR) {
            let answer = self.near(high, low, size)?;
            check(self.name, answer.status(), answer.data().len())?;
            if answer.data().len() < size {
                // What a chip gives fewer than asked for is what it can give.
                self.size = self.size.min(answer.data().len()).max(1);
            }
            return Ok(answer.into_data());
        }
        let bytes = offset.to_be_bytes();
        // Two bytes of offset, or three.
        let skip = bytes.len() - if offset > 0xFFFF { 3 } else { 2 };
        let data = tlv::encode(OFFSET, bytes.get(skip..).unwrap_or_default());
        let room = self.size.saturating_sub(FAR_FRAME).clamp(1, missing.max(1));
        let frame = 1 + tlv::encode_length(room).len();
        let le = u32::try_from(room + frame).unwrap_or(256);
        let command = Command::new(0x00, READ_BINARY_ODD, 0, 0)
            .with_data(data)
            .with_le(le);
        let answer = exchange(self.channel, &command, self.limits)?;
        check(self.name, answer.status(), answer.data().len())?;
        if answer.data().is_empty() {
            return Ok(Zeroizing::default());
        }
        let malformed = |_| FileError::Malformed(self.name);
        let (object, rest) = tlv::parse(answer.data()).map_err(malformed)?;
        if object.tag != DISCRETIONARY || !rest.is_empty() {
            return Err(FileError::Malformed(self.name));
        }
        Ok(Zeroizing::new(object.value.to_vec()))
    }
}

/// Says whether another length would get the same answer.
fn is_final(status: Status) -> bool {
    matches!(
        status,
        Status::FILE_NOT_FOUND
            | Status::SECURITY_STATUS_NOT_SATISFIED
            | Status::CONDITIONS_NOT_SATISFIED
            | Status::NO_CURRENT_FILE
            | Status::INSTRUCTION_NOT_SUPPORTED
            | Status::CLASS_NOT_SUPPORTED
    )
}

fn done(name: FileName, response: &Response) -> Result<(), FileError> {
    check(name, response.status(), 0)
}

/// Checks an answer: data may come with the warning that there are no more.
fn check(file: FileName, status: Status, length: usize) -> Result<(), FileError> {
    match status {
        _ if status.is_ok() || status == Status::END_OF_FILE && length > 0 => Ok(()),
        Status::FILE_NOT_FOUND => Err(FileError::NotFound(file)),
        Status::SECURITY_STATUS_NOT_SATISFIED => Err(FileError::NotAllowed(file)),
        _ => Err(FileError::Refused { file, status }),
    }
}

/// Returns the length of a file by its first object, tag and length included.
fn object_length(start: &[u8]) -> Option<usize> {
    let (_, rest) = Tag::parse(start).ok()?;
    let header = start.len() - rest.len();
    let (&first, rest) = rest.split_first()?;
    let count = match first {
        0..=0x7F => return Some(header + 1 + usize::from(first)),
        0x81..=0x83 => usize::from(first & 0x0F),
        _ => return None,
    };
    let field = rest.get(..count)?;
    let length = field
        .iter()
        .fold(0, |length, &byte| length << 8 | usize::from(byte));
    Some(header + 1 + count + length)
}

/// Appends what belongs to the file; a chip may give more.
fn take(file: &mut Vec<u8>, piece: &[u8], length: usize) {
    let missing = length.saturating_sub(file.len());
    file.extend_from_slice(piece.get(..missing).unwrap_or(piece));
}

fn low_two(offset: usize) -> [u8; 2] {
    let [.., high, low] = offset.to_be_bytes();
    [high, low]
}

#[cfg(test)]
mod tests;

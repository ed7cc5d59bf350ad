//! Files: SELECT, READ and UPDATE BINARY (ISO/IEC 7816-4), CREATE and DELETE FILE
//! (ISO/IEC 7816-9).

use card::tlv;
use card::{Command, Status};

use super::applet::{DATA_INVALID, IsoApplet, NOT_ALLOWED, Outcome};
use super::keys::get;
use super::memory::{Body, File, MF, MF_ID};
use crate::applet::Work;

/// "Command incompatible with file structure".
const WRONG_STRUCTURE: Status = Status::new(0x6981);
/// Files that one directory holds.
const MOST_CHILDREN: usize = 30;
/// Size of a transparent file that is made without one, bytes.
const DEFAULT_SIZE: usize = 128;

/// What is to be done with a file: the place of the byte that rules it among the eight.
#[derive(Clone, Copy)]
enum Access {
    Delete = 1,
    CreateDirectory = 5,
    /// Updating, of an EF; creating an EF, of a DF.
    Update = 6,
    Read = 7,
}

impl IsoApplet {
    /// `00 A4 <P1> <00 | 04 | 0C> …`. P1 00 identifier, anywhere; 01 DF and 02 EF below the
    /// current DF; 03 parent; 04 name; 08 path from the MF, 09 from the current DF.
    pub(super) fn select_file(&mut self, command: &Command) -> Outcome {
        if command.p2() & 0xF3 != 0 {
            return Err(Status::WRONG_P1_P2);
        }
        let here = self.session.directory;
        let data = command.data();
        let found = match command.p1() {
            0x00 if data.is_empty() => Some(MF),
            0x00 => match identifier(data) {
                Some(id) => self.find(id),
                // The applet goes to its MF and then has no file to tell of.
                None => {
                    self.session.directory = MF;
                    self.session.elementary = None;
                    return if command.p2() == 0x0C {
                        Ok(Vec::new())
                    } else {
                        Err(Status::UNKNOWN)
                    };
                }
            },
            0x01 | 0x02 => {
                let wanted = command.p1() == 0x01;
                let found = identifier(data).and_then(|id| self.find(id));
                found.filter(|index| {
                    self.memory.is_under(*index, here) && self.is_directory(*index) == wanted
                })
            }
            0x03 if data.is_empty() && here != MF => self.memory.file(here).map(|df| df.parent),
            0x03 => None,
            0x04 => {
                let named = |(_, file): &(usize, &File)| !data.is_empty() && file.name == data;
                self.memory.files().find(named).map(|(index, _)| index)
            }
            0x08 => self.follow(MF, data),
            0x09 => self.follow(here, data),
            _ => return Err(Status::WRONG_P1_P2),
        };
        let found = found.ok_or(Status::FILE_NOT_FOUND)?;
        self.enter(found);
        match command.p2() {
            0x00 | 0x04 => {
                let file = self.memory.file(found).ok_or(Status::UNKNOWN)?;
                Ok(file.control.clone())
            }
            // There is no file management data, but the file is selected.
            0x08 => Err(Status::WRONG_P1_P2),
            _ => Ok(Vec::new()),
        }
    }

    /// Makes a file current. A DF leaves the EF that was current before as it is.
    fn enter(&mut self, index: usize) {
        if self.is_directory(index) {
            self.session.directory = index;
        } else {
            let parent = self.memory.file(index).map(|file| file.parent);
            self.session.directory = parent.unwrap_or(MF);
            self.session.elementary = Some(index);
        }
    }

    fn is_directory(&self, index: usize) -> bool {
        let file = self.memory.file(index);
        file.is_some_and(|file| matches!(file.body, Body::Directory))
    }

    fn find(&self, id: u16) -> Option<usize> {
        if id == MF_ID {
            return Some(MF);
        }
        let mut files = self.memory.files();
        files
            .find(|(_, file)| file.id == id)
            .map(|(index, _)| index)
    }

    /// Follows a path. An identifier that is not there is passed over, unless it is the last
    /// one: so a path from the MF may begin with 3F00.
    fn follow(&self, from: usize, path: &[u8]) -> Option<usize> {
        let (last, way) = path.as_chunks::<2>().0.split_last()?;
        if !path.len().is_multiple_of(2) {
            return None;
        }
        let mut at = from;
        let child = |at, id: &[u8; 2]| {
            let id = u16::from_be_bytes(*id);
            let mut children = self.memory.children(at);
            children
                .find(|(_, file)| file.id == id)
                .map(|(index, _)| index)
        };
        for id in way {
            match child(at, id) {
                Some(index) if self.is_directory(index) => at = index,
                Some(_) => return None,
                None => {}
            }
        }
        child(at, last)
    }

    /// Wants an access byte to allow this now: 00 always, 90 or PIN in compact form after
    /// VERIFY, all others never. No access bytes: always.
    fn allowed(&self, file: &File, access: Access) -> Result<(), Status> {
        let byte = file
            .access
            .and_then(|bytes| bytes.get(access as usize).copied());
        match byte {
            None | Some(0x00) => Ok(()),
            Some(byte) if byte == 0x90 || byte & 0x9F == 0x10 => {
                if self.session.authenticated {
                    Ok(())
                } else {
                    Err(Status::SECURITY_STATUS_NOT_SATISFIED)
                }
            }
            Some(_) => Err(Status::SECURITY_STATUS_NOT_SATISFIED),
        }
    }

    /// `00 B0 <offset> Le`: what there is from there, up to Le.
    pub(super) fn read_binary(&mut self, command: &Command) -> Outcome {
        let (_, file, offset) = self.addressed(command)?;
        let file = file.ok_or(WRONG_STRUCTURE)?;
        self.allowed(file, Access::Read)?;
        let Body::Transparent { content } = &file.body else {
            return Err(WRONG_STRUCTURE);
        };
        let left = content.get(offset..).filter(|left| !left.is_empty());
        let left = left.ok_or(Status::WRONG_PARAMETERS)?;
        let wanted = command.le().unwrap_or(0) as usize;
        Ok(left.iter().take(wanted).copied().collect())
    }

    /// `00 D6 <offset> <data>`.
    pub(super) fn update_binary(&mut self, command: &Command, work: &mut Work) -> Outcome {
        let (index, file, offset) = self.addressed(command)?;
        let file = file.ok_or(WRONG_STRUCTURE)?;
        self.allowed(file, Access::Update)?;
        let data = command.data();
        let file = self.memory.files.get_mut(index).and_then(Option::as_mut);
        let Some(Body::Transparent { content }) = file.map(|file| &mut file.body) else {
            return Err(WRONG_STRUCTURE);
        };
        let place = content.get_mut(offset..offset + data.len());
        let place = place.ok_or(Status::WRONG_PARAMETERS)?;
        place.copy_from_slice(data);
        work.written += data.len();
        self.enter(index);
        Ok(Vec::new())
    }

    /// Returns the EF and the offset that P1-P2 name. No EF at all is told by the caller.
    fn addressed(&self, command: &Command) -> Result<(usize, Option<&File>, usize), Status> {
        let (p1, p2) = (command.p1(), command.p2());
        if p1 & 0x80 == 0 {
            let index = self.session.elementary.unwrap_or(usize::MAX);
            let offset = usize::from(u16::from_be_bytes([p1, p2]));
            return Ok((index, self.memory.file(index), offset));
        }
        if p1 & 0xE0 != 0x80 {
            return Err(Status::WRONG_P1_P2);
        }
        let mut children = self.memory.children(self.session.directory);
        let found = children.find(|(_, file)| file.short_id == Some(p1 & 0x1F));
        let (index, file) = found.ok_or(Status::FILE_NOT_FOUND)?;
        // The applet reads this offset as a signed byte.
        if p2 > 0x7F {
            return Err(Status::WRONG_PARAMETERS);
        }
        Ok((index, Some(file), usize::from(p2)))
    }

    /// `00 E4 00 00 02 <identifier>`, anywhere; a DF goes with all that is in it.
    pub(super) fn delete_file(&mut self, command: &Command, work: &mut Work) -> Outcome {
        if (command.p1(), command.p2()) != (0, 0) {
            return Err(Status::WRONG_P1_P2);
        }
        let id = identifier(command.data()).ok_or(Status::WRONG_LENGTH)?;
        let index = self.find(id).ok_or(Status::FILE_NOT_FOUND)?;
        if index == MF {
            return Err(NOT_ALLOWED);
        }
        let file = self.memory.file(index).ok_or(Status::UNKNOWN)?;
        self.allowed(file, Access::Delete)?;
        self.session.directory = file.parent;
        self.session.elementary = None;
        let doomed: Vec<usize> = self.memory.files().map(|(index, _)| index).collect();
        let doomed: Vec<usize> = doomed
            .into_iter()
            .filter(|other| *other == index || self.memory.is_under(*other, index))
            .collect();
        for index in doomed {
            if let Some(place) = self.memory.files.get_mut(index) {
                *place = None;
            }
        }
        work.written += 8;
        Ok(Vec::new())
    }

    /// `00 E0 00 00  <6F | 62> { 81 <size>  82 <descriptor>  83 02 <id>  84?  86 08?  88? }`,
    /// in the current DF; the new file becomes current.
    pub(super) fn create_file(&mut self, command: &Command, work: &mut Work) -> Outcome {
        if (command.p1(), command.p2()) != (0, 0) {
            return Err(Status::WRONG_P1_P2);
        }
        let parent = self.session.directory;
        let file = self.proposed(command.data(), parent)?;
        let directory = self.memory.file(parent).ok_or(Status::UNKNOWN)?;
        let access = match file.body {
            Body::Directory => Access::CreateDirectory,
            Body::Transparent { .. } | Body::Records => Access::Update,
        };
        self.allowed(directory, access)?;
        let size = match &file.body {
            Body::Transparent { content } => content.len(),
            Body::Directory | Body::Records => 0,
        };
        let cost = size + file.control.len() + 64;
        self.room(cost)?;
        if self.memory.children(parent).count() >= MOST_CHILDREN {
            return Err(Status::NOT_ENOUGH_MEMORY);
        }
        work.written += cost;
        let index = self.memory.files.len();
        self.memory.files.push(Some(file));
        self.enter(index);
        Ok(Vec::new())
    }

    /// Reads what a file is to be. Identifiers are unique in the whole applet.
    fn proposed(&self, control: &[u8], parent: usize) -> Result<File, Status> {
        let (outer, rest) = tlv::parse(control).map_err(|_| DATA_INVALID)?;
        if !matches!(outer.tag.value(), 0x62 | 0x6F) || !rest.is_empty() {
            return Err(DATA_INVALID);
        }
        let objects = tlv::parse_all(outer.value).map_err(|_| DATA_INVALID)?;
        let id = get(&objects, 0x83).and_then(identifier);
        let id = id.ok_or(DATA_INVALID)?;
        if self.find(id).is_some() {
            return Err(DATA_INVALID);
        }
        let access = get(&objects, 0x86).map(<[u8; 8]>::try_from).transpose();
        let access = access.map_err(|_| DATA_INVALID)?;
        let descriptor = get(&objects, 0x82).filter(|bytes| bytes.len() <= 6);
        let descriptor = *descriptor.and_then(<[u8]>::first).ok_or(DATA_INVALID)?;
        let body = match descriptor {
            byte if byte & 0x3F == 0x38 => Body::Directory,
            byte if byte & 0x30 != 0 => return Err(DATA_INVALID),
            byte => match byte & 0x07 {
                0x00 => return Err(DATA_INVALID),
                0x01 => {
                    let content = vec![0; size(get(&objects, 0x81))?];
                    Body::Transparent { content }
                }
                _ => Body::Records,
            },
        };
        let directory = matches!(body, Body::Directory);
        let name = get(&objects, 0x84).filter(|_| directory);
        let short_id = get(&objects, 0x88).filter(|_| !directory);
        Ok(File {
            id,
            parent,
            control: control.to_vec(),
            access,
            name: name.unwrap_or_default().to_vec(),
            short_id: short_id.and_then(<[u8]>::first).copied(),
            body,
        })
    }
}

fn identifier(bytes: &[u8]) -> Option<u16> {
    bytes.try_into().ok().map(u16::from_be_bytes)
}

/// Reads a size of one or two bytes. The applet's numbers are signed: a negative size is an
/// exception to it.
fn size(bytes: Option<&[u8]>) -> Result<usize, Status> {
    match bytes {
        None => Ok(DEFAULT_SIZE),
        Some([size]) if *size < 0x80 => Ok(usize::from(*size)),
        Some([high, low]) if *high < 0x80 => Ok(usize::from(u16::from_be_bytes([*high, *low]))),
        Some([_] | [_, _]) => Err(Status::UNKNOWN),
        Some(_) => Err(DATA_INVALID),
    }
}

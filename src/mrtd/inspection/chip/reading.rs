//! Reading an open chip's files, and having it prove itself between them.

use std::collections::BTreeSet;

use access::{FileError, FileName, Secured, read_file, read_start, select_application};
use card::Channel;
use cert::cms::SignedData;

use super::opening::{self, Opened, Way};
use super::{Found, Halt, ReadError, Reading, proofs, told};
use crate::inspection::check::{Check, CheckName};
use crate::inspection::judge::{Unread, UnreadCause};
use crate::lds::{
    Application, EfCom, EfSod, File, Group, LDS_APPLICATION, LdsError, LdsFault, LdsSecurityObject,
    MAX_FILE,
};

/// Only terminals with rights read these.
const PROTECTED: [Group; 2] = [Group::Dg3, Group::Dg4];

/// Opens the chip and reads what was not read yet.
pub(super) fn visit(
    channel: &mut dyn Channel,
    reading: &mut Reading<'_>,
    found: &mut Found,
) -> Result<(), ReadError> {
    let was_copy = found.is_copy;
    let opened = opening::open(channel, reading, found)?;
    match read_open(opened, reading, found) {
        Ok(()) => Ok(()),
        // The check of the proof tells it.
        Err(Halt::Session(_)) if found.is_copy && !was_copy => Ok(()),
        Err(Halt::Session(why)) => {
            found
                .checks
                .retain(|check| check.name != CheckName::Session);
            let why = format!("the session with the chip broke: {why}");
            found.checks.push(Check::failed(CheckName::Session, why));
            Ok(())
        }
        Err(Halt::Exchange(error)) => Err(error.into()),
        Err(Halt::Crypto(error)) => Err(error.into()),
    }
}

fn read_open(opened: Opened<'_>, reading: &mut Reading<'_>, found: &mut Found) -> Result<(), Halt> {
    let Opened {
        mut session,
        names,
        mapped,
    } = opened;
    if let Some(Way::Pace(_)) = found.way {
        take_optional(&mut session, reading, found, File::CardSecurity)?;
        take_also(&mut session, reading, found, Application::MasterFile)?;
        proofs::mapping(mapped.as_ref(), found);
        let limits = session.limits();
        match select_application(&mut session, &limits, &LDS_APPLICATION) {
            Ok(()) => {}
            Err(FileError::Exchange(error)) => return Err(Halt::of(error)),
            Err(error) => {
                let why = format!("the chip has no travel document: {}", told(&error));
                found.checks.push(Check::failed(CheckName::Session, why));
                return Ok(());
            }
        }
    }
    for file in [File::Com, File::Sod] {
        take(&mut session, reading, found, file)?;
    }
    let groups = named(found);
    let mut has_rights = false;
    if groups.contains(&Group::Dg14) {
        take(&mut session, reading, found, Group::Dg14.into())?;
        has_rights = proofs::chip_and_terminal(&mut session, reading, found, &names)?;
    }
    for group in groups {
        if PROTECTED.contains(&group) && !has_rights {
            leave(found, group.into(), UnreadCause::Protected);
        } else {
            take(&mut session, reading, found, group.into())?;
        }
    }
    take_also(&mut session, reading, found, Application::Lds)?;
    proofs::active(&mut session, reading, found)
}

/// Reads what somebody wants besides, where it stands.
fn take_also(
    session: &mut Secured<&mut dyn Channel>,
    reading: &mut Reading<'_>,
    found: &mut Found,
    place: Application,
) -> Result<(), Halt> {
    for file in reading.also {
        if file.application() == place {
            take_optional(session, reading, found, *file)?;
        }
    }
    Ok(())
}

/// Returns the data groups that EF.SOD or EF.COM names, those with rights last.
fn named(found: &Found) -> Vec<Group> {
    let sod = found.lds.get(File::Sod).and_then(|file| {
        let sod = EfSod::parse(file).ok()?;
        let message = SignedData::parse(sod.cms()).ok()?;
        LdsSecurityObject::of_message(&message).ok()
    });
    let com = found.lds.get(File::Com).map(EfCom::parse);
    let com = com.and_then(Result::ok);
    let mut groups = BTreeSet::new();
    if let Some(read) = &sod {
        groups.extend(read.content.hashes().map(|(group, _)| group));
    }
    if let Some(read) = &com {
        groups.extend(read.content.groups.iter().copied());
    }
    let (last, mut first): (Vec<_>, Vec<_>) = groups
        .into_iter()
        .partition(|group| PROTECTED.contains(group));
    first.extend(last);
    first
}

/// Reads a file that the document must have.
fn take(
    session: &mut Secured<&mut dyn Channel>,
    reading: &mut Reading<'_>,
    found: &mut Found,
    file: File,
) -> Result<(), Halt> {
    if found.lds.get(file).is_some() {
        return Ok(());
    }
    (reading.progress)(file);
    let cause = match read(session, file) {
        Ok(mut bytes) => match found.lds.insert(file, std::mem::take(&mut *bytes)) {
            Ok(()) => return Ok(()),
            Err(error) => UnreadCause::Bound(error),
        },
        Err(FileError::Exchange(error)) => return Err(Halt::of(error)),
        Err(FileError::NotFound(_)) => UnreadCause::NotThere,
        Err(FileError::NotAllowed(_)) if is_protected(file) => UnreadCause::Protected,
        Err(FileError::TooLong { length, most, .. }) => UnreadCause::Bound(LdsError {
            file,
            tag: None,
            fault: LdsFault::TooLong {
                length,
                limit: most,
            },
        }),
        Err(error) => UnreadCause::Failed(told(&error)),
    };
    leave(found, file, cause);
    Ok(())
}

/// Reads a file that not every document has.
fn take_optional(
    session: &mut Secured<&mut dyn Channel>,
    reading: &mut Reading<'_>,
    found: &mut Found,
    file: File,
) -> Result<(), Halt> {
    take(session, reading, found, file)?;
    found
        .unread
        .retain(|unread| unread.file != file || matches!(unread.cause, UnreadCause::Bound(_)));
    Ok(())
}

fn read(
    session: &mut Secured<&mut dyn Channel>,
    file: File,
) -> Result<zeroize::Zeroizing<Vec<u8>>, FileError> {
    let limits = session.limits();
    // In the master file not every chip knows short identifiers.
    let identifier = FileName::Identifier(file.identifier());
    match file {
        // Not one object, so that they do not say how long they are.
        File::Cvca | File::AtrInfo | File::Dir => {
            read_start(session, &limits, identifier, MAX_FILE)
        }
        File::CardSecurity => read_file(session, &limits, identifier, MAX_FILE),
        file => {
            let name = FileName::Short(file.short_identifier());
            read_file(session, &limits, name, MAX_FILE)
        }
    }
}

fn is_protected(file: File) -> bool {
    PROTECTED.iter().any(|group| File::Dg(*group) == file)
}

/// Notes that a file was not read.
fn leave(found: &mut Found, file: File, cause: UnreadCause) {
    found.unread.retain(|unread| unread.file != file);
    found.unread.push(Unread { file, cause });
}

//! Opening a chip: PACE where it offers that, else BAC.

use std::fmt;

use access::security_infos::Mapping;
use access::{
    BasicAccess, FileError, FileName, MappedChipKey, Pace, PaceChoice, PaceChoiceError, PaceError,
    Password, Secured, SecurityInfos, converse, read_file, select_application, select_master_file,
};
use card::Channel;
use zeroize::Zeroizing;

use super::{AccessKey, Found, ReadError, Reading};
use crate::lds::{CardAccess, File, LDS_APPLICATION, MAX_FILE};

/// How a chip was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Pace(PaceChoice),
    /// BAC, because the chip does not even have EF.CardAccess, or because what it offers there is
    /// not spoken.
    BasicAccess {
        is_pace_offered: bool,
    },
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pace(choice) => {
                let mapping = match choice.protocol().mapping {
                    Mapping::Generic => "generic",
                    Mapping::Integrated => "integrated",
                    Mapping::ChipAuthentication => "chip authentication",
                };
                write!(f, "PACE with {mapping} mapping on {}", choice.parameters())
            }
            Self::BasicAccess { .. } => f.write_str("basic access control"),
        }
    }
}

/// By which names terminal authentication signs a session.
pub(super) struct SessionNames {
    /// ID_PICC.
    pub(super) chip: Zeroizing<Vec<u8>>,
    /// The terminal's key of PACE, compressed; nothing with basic access control.
    pub(super) terminal: Vec<u8>,
}

/// A chip that is open.
pub(super) struct Opened<'c> {
    pub(super) session: Secured<&'c mut dyn Channel>,
    /// What terminal authentication is bound to.
    pub(super) names: SessionNames,
    /// What chip authentication mapping gave.
    pub(super) mapped: Option<MappedChipKey>,
}

/// Opens the chip; with PACE the master file is selected, with BAC the application.
pub(super) fn open<'c>(
    channel: &'c mut dyn Channel,
    reading: &mut Reading<'_>,
    found: &mut Found,
) -> Result<Opened<'c>, ReadError> {
    let choice = choose(channel, reading, found)?;
    match (choice, reading.key) {
        (Ok(choice), key) => {
            found.way = Some(Way::Pace(choice));
            let password = match key {
                AccessKey::Zone(information) => Password::mrz(information.clone()),
                AccessKey::Number(password) => password.clone(),
            };
            let start = Pace::start(&choice, &password, None, reading.random);
            let outcome = start
                .and_then(|start| converse(channel, &reading.limits, start))
                .map_err(|error| match error {
                    PaceError::Exchange(error) => ReadError::Exchange(error),
                    error => ReadError::Pace(error),
                })?;
            Ok(Opened {
                session: Secured::new(channel, outcome.messaging, reading.limits),
                names: SessionNames {
                    chip: Zeroizing::new(outcome.chip_id),
                    terminal: outcome.terminal_key,
                },
                mapped: outcome.chip_key,
            })
        }
        (Err(_), AccessKey::Number(_)) => Err(ReadError::ZoneNeeded),
        (Err(why), AccessKey::Zone(information)) => {
            let is_pace_offered = !matches!(why, PaceChoiceError::None);
            found.way = Some(Way::BasicAccess { is_pace_offered });
            select(channel, reading)?;
            let start = BasicAccess::start(information, reading.random);
            let messaging = start
                .and_then(|start| converse(channel, &reading.limits, start))
                .map_err(|error| match error {
                    access::BasicAccessError::Exchange(error) => ReadError::Exchange(error),
                    error => ReadError::BasicAccess(error),
                })?;
            Ok(Opened {
                session: Secured::new(channel, messaging, reading.limits),
                names: SessionNames {
                    chip: information.document_number(),
                    terminal: Vec::new(),
                },
                mapped: None,
            })
        }
    }
}

fn select(channel: &mut dyn Channel, reading: &Reading<'_>) -> Result<(), ReadError> {
    match select_application(channel, &reading.limits, &LDS_APPLICATION) {
        Err(FileError::Exchange(error)) => Err(error.into()),
        Err(error) => Err(ReadError::NoDocument(error)),
        Ok(()) => Ok(()),
    }
}

/// Reads EF.CardAccess and chooses among what it offers. A chip without it has none.
fn choose(
    channel: &mut dyn Channel,
    reading: &mut Reading<'_>,
    found: &mut Found,
) -> Result<Result<PaceChoice, PaceChoiceError>, ReadError> {
    // Chips with BAC only have no master file to select.
    if let Err(FileError::Exchange(error)) = select_master_file(channel, &reading.limits) {
        return Err(error.into());
    }
    if found.lds.get(File::CardAccess).is_none() {
        (reading.progress)(File::CardAccess);
        let name = FileName::Short(File::CardAccess.short_identifier());
        match read_file(channel, &reading.limits, name, MAX_FILE) {
            Ok(mut bytes) => {
                // Its first reading: nothing is there twice, or too long.
                let _ = found
                    .lds
                    .insert(File::CardAccess, std::mem::take(&mut *bytes));
            }
            Err(FileError::Exchange(error)) => return Err(error.into()),
            Err(_) => return Ok(Err(PaceChoiceError::None)),
        }
    }
    let file = found.lds.get(File::CardAccess).unwrap_or_default();
    let infos = CardAccess::parse(file)
        .ok()
        .and_then(|file| SecurityInfos::parse(file.security_infos()).ok());
    // Whether a file that does not read hides an offer, nobody knows: the check of it fails.
    Ok(infos
        .as_ref()
        .map_or(Err(PaceChoiceError::Parameters), PaceChoice::best))
}

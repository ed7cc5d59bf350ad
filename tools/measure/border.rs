//! A border in this process: it reads a travel chip as an inspector does, by PACE with what stands
//! in the machine-readable zone, and counts what passes.

use std::error::Error;
use std::time::{Duration, Instant};

use access::{
    FileName, LDS1, MrzInformation, Pace, PaceChoice, Password, Secured, SecurityInfos,
    SystemRandom, converse, read_file, select_application,
};
use card::{Channel, Limits};
use document::Record;
use mrtd::inspection::{AccessKey, CheckName, Reading, Trust, Verdict, inspect_chip};
use vcard::Chip;

use crate::desk::Counting;
use crate::fewest::Fewest;
use crate::passport::at;

/// Short identifiers of EF.CardAccess and EF.CardSecurity in the master file.
const CARD_ACCESS: u8 = 0x1C;
const CARD_SECURITY: u8 = 0x1D;

/// EF.COM, EF.SOD, and the data groups that are no fingerprints, by their short identifiers.
pub(crate) const FILES: [(u8, &str); 8] = [
    (0x1E, "com"),
    (0x1D, "sod"),
    (0x01, "dg1"),
    (0x02, "dg2"),
    (0x0B, "dg11"),
    (0x0C, "dg12"),
    (0x0E, "dg14"),
    (0x0F, "dg15"),
];

/// The most bytes of a file.
const MOST: usize = 1 << 16;

/// Has the product's inspector read the chip, by the zone, and have it prove its keys; returns what
/// passed. Nobody is trusted: the verdict is not what is measured.
pub(crate) fn inspect(
    chip: Chip,
    record: &Record,
    limits: &Limits,
) -> Result<(Chip, Fewest), Box<dyn Error>> {
    let mut channel = Counting::new(chip);
    channel.reset()?;
    let reading = Reading {
        limits: *limits,
        key: &AccessKey::Zone(zone(record)?),
        terminal: None,
        also: &[],
        trust: &Trust::default(),
        at: at()?,
        random: &mut SystemRandom,
        progress: &mut |_| {},
    };
    let seen = inspect_chip(&mut channel, reading)?;
    for proof in PROOFS {
        let check = seen.inspection.check(proof);
        if check.is_none_or(|check| check.verdict != Verdict::Passed) {
            return Err(format!("the inspector does not find: {proof}").into());
        }
    }
    let counted = channel.counted;
    Ok((channel.into_chip(), counted))
}

/// What the inspector must have found; each file beside it is one more command or two.
const PROOFS: [CheckName; 3] = [
    CheckName::Session,
    CheckName::ChipAuthentication,
    CheckName::ActiveAuthentication,
];

/// Returns what of the printed zone opens the chip.
fn zone(record: &Record) -> Result<MrzInformation, Box<dyn Error>> {
    let day = |date: jiff::civil::Date| date.strftime("%y%m%d").to_string();
    Ok(MrzInformation::of_fields(
        &record.number.to_string(),
        &day(record.holder.birth_date),
        &day(record.expires),
    )?)
}

/// What was read.
pub(crate) struct Seen {
    pub(crate) chip: Chip,
    pub(crate) counted: Fewest,
    /// By the names of [`FILES`], in their order.
    pub(crate) files: Vec<Vec<u8>>,
    /// The files of the master file.
    pub(crate) card_access: usize,
    pub(crate) card_security: usize,
    /// What this side took to open the session, and to read the files in it.
    pub(crate) opening: Duration,
    pub(crate) reading: Duration,
}

/// Reads the chip once.
pub(crate) fn read(chip: Chip, record: &Record, limits: &Limits) -> Result<Seen, Box<dyn Error>> {
    let mut channel = Counting::new(chip);
    channel.reset()?;
    let started = Instant::now();
    // The master file is the current one after a reset.
    let file = read_file(&mut channel, limits, FileName::Short(CARD_ACCESS), MOST)?;
    let infos = SecurityInfos::parse(&file)?;
    let choice = PaceChoice::best(&infos)?;
    let start = Pace::start(
        &choice,
        &Password::mrz(zone(record)?),
        None,
        &mut SystemRandom,
    )?;
    let outcome = converse(&mut channel, limits, start)?;
    let opened = started.elapsed().saturating_sub(channel.chip);
    let (access, chip_so_far) = (file.len(), channel.chip);

    let started = Instant::now();
    let mut session = Secured::new(channel, outcome.messaging, *limits);
    let inside = session.limits();
    let read = |session: &mut Secured<Counting>, short| {
        read_file(session, &inside, FileName::Short(short), MOST)
    };
    let security = read(&mut session, CARD_SECURITY)?;
    select_application(&mut session, &inside, &LDS1)?;
    let mut files = Vec::new();
    for (short, _) in FILES {
        files.push(read(&mut session, short)?.to_vec());
    }
    let channel = session.into_channel();
    let reading = started.elapsed();
    let reading = reading.saturating_sub(channel.chip.saturating_sub(chip_so_far));
    Ok(Seen {
        counted: channel.counted,
        chip: channel.into_chip(),
        files,
        card_access: access,
        card_security: security.len(),
        opening: opened,
        reading,
    })
}

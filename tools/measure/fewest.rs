//! The least that a document needs on the wire, from what must stand on the chip and from the
//! chip's limits alone. How the plan goes about it does not count: a command too many raises the
//! figure and never its limit.
//!
//! ```text
//! each application   selected by its AID, or made inside another: one command
//! each file, object  made, where the chip makes them; written once, and read back once where it
//!                    is checked, in commands and answers as long as the chip takes there: a
//!                    secure channel leaves less
//! each PIN           made, where the chip makes them; set once
//! each key           made once; signs once where it gets a certificate
//! each key set       opened once where a channel is under it, two commands; changed once where
//!                    it is changed
//! each state         one command, and one for who the chip is where it is asked
//! ```
//!
//! A command is what passes the reader, GET RESPONSE among them; a chip that answers no more than
//! was asked for needs none.

use std::collections::BTreeSet;
use std::error::Error;

use document::Record;
use profile::{
    ChipProfile, Detail, Dialect, Object, ObjectKind, Plan, Protection, Stage, Value, Variables,
    Verb, content, set_certificate, set_public_key, variables,
};

/// Bytes of a command and its answer without any data: CLA INS P1 P2, and the status word.
const HEADER: usize = 4 + 2;

/// Commands, and bytes in both directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fewest {
    pub(crate) commands: usize,
    pub(crate) bytes: usize,
}

impl Fewest {
    /// Returns the least for a plan.
    ///
    /// # Errors
    /// Where the content of a file follows from something that is not known.
    pub(crate) fn of(plan: &Plan, known: &Variables) -> Result<Self, Box<dyn Error>> {
        let chip = &plan.chip;
        let channels = plan.stages.iter().map(|stage| stage.channel.as_deref());
        let opened: BTreeSet<_> = channels.flatten().collect();
        let mut commands = chip.identify.commands.len().min(1) + 2 * opened.len();
        let mut payload = 0;
        let mut homes = BTreeSet::new();
        for object in touched(plan) {
            let needed = match &object.detail {
                Detail::File { .. } | Detail::Data { .. } => {
                    let length = content(chip, object, known)?.len();
                    if length == 0 && object.optional {
                        continue;
                    }
                    let is_file = matches!(object.detail, Detail::File { .. });
                    let mut needed =
                        usize::from(is_file && chip.speaks(Dialect::CreateFile, object));
                    let written = stages(plan, object, [Verb::WriteFile, Verb::PutData]);
                    let read = stages(plan, object, [Verb::CheckFile, Verb::CheckData]);
                    let most = [
                        written.map(|stage| most_written(chip, stage)).max(),
                        read.map(|stage| most_read(chip, stage)).max(),
                    ];
                    for most in most.into_iter().flatten() {
                        needed += length.div_ceil(most).max(1);
                        payload += length;
                    }
                    needed
                }
                Detail::Application { .. } => usize::from(chip.speaks(Dialect::Install, object)),
                Detail::Pin(_) => 1 + usize::from(chip.speaks(Dialect::CreatePin, object)),
                Detail::Key(_) => {
                    1 + usize::from(plan.keys.iter().any(|(name, _)| *name == object.name))
                }
                Detail::KeySet | Detail::State { .. } => 1,
            };
            commands += needed;
            homes.extend(home(chip, object));
        }
        commands += homes.len();
        Ok(Self {
            commands,
            bytes: commands * HEADER + payload,
        })
    }
}

/// The commands of PACE: one that chooses it, and four steps (*ICAO 9303-11 §4.4.4*).
const PACE: usize = 5;

/// The commands by which a chip proves both its keys: two of chip authentication, one of active
/// authentication (*ICAO 9303-11 §6.1, §6.2*).
pub(crate) const PROOFS: usize = 3;

/// Files that an inspector reads, by their lengths in bytes.
pub(crate) struct Read<'a> {
    /// In plain, before the session: EF.CardAccess.
    pub(crate) before: &'a [usize],
    /// Inside the session that PACE opened.
    pub(crate) inside: &'a [usize],
    /// The most bytes of a file that one answer of the chip has.
    pub(crate) answer: usize,
    /// Whether chip and reader take extended lengths.
    pub(crate) extended: bool,
}

impl Fewest {
    /// Returns the least for so many commands more.
    pub(crate) fn and(self, commands: usize) -> Self {
        Self {
            commands: self.commands + commands,
            bytes: self.bytes + commands * HEADER,
        }
    }
}

impl Read<'_> {
    /// Returns the least that reading them takes: PACE, one application selected, and each file in
    /// answers as long as they can be, found by its short identifier.
    pub(crate) fn fewest(&self) -> Fewest {
        let carried = if self.extended { 0x1_0000 } else { 0x100 };
        let pieces = |length: &usize, most: usize| length.div_ceil(most.min(self.answer)).max(1);
        let before = self.before.iter().map(|length| pieces(length, carried));
        let sealed = most_sealed(carried);
        let inside = self.inside.iter().map(|length| pieces(length, sealed));
        let commands = PACE + 1 + before.chain(inside).sum::<usize>();
        let payload: usize = self.before.iter().chain(self.inside).sum();
        Fewest {
            commands,
            bytes: commands * HEADER + payload,
        }
    }
}

/// Returns the most bytes that an answer of `carried` bytes brings in a session with AES: 87 with
/// its length and 01 before whole blocks with at least one byte of padding, 99 02 SW1 SW2,
/// 8E 08 MAC (*ICAO 9303-11 §9.8*).
fn most_sealed(carried: usize) -> usize {
    let sealed = |data: usize| {
        let field = 1 + (data / 16 + 1) * 16;
        let length = match field {
            0..=0x7F => 1,
            0x80..=0xFF => 2,
            0x100..=0xFFFF => 3,
            _ => 4,
        };
        1 + length + field + 4 + 10
    };
    (0..carried)
        .rev()
        .find(|data| sealed(*data) <= carried)
        .unwrap_or(0)
}

/// Returns what the plan makes, sets or writes, each object once.
fn touched(plan: &Plan) -> Vec<&Object> {
    let steps = plan.stages.iter().flat_map(|stage| &stage.steps);
    let steps = steps.filter(|step| step.verb.is_lasting());
    let named: BTreeSet<_> = steps
        .map(|step| (step.verb.object(), step.object.as_str()))
        .collect();
    let objects = named.into_iter();
    objects
        .filter_map(|(kind, name)| plan.chip.object(kind, name))
        .collect()
}

/// Returns the application in which an object is reached, by its AID.
fn home<'a>(chip: &'a ChipProfile, object: &'a Object) -> Option<&'a str> {
    let mut name = object.application.as_str();
    while let Some(application) = chip.object(ObjectKind::Application, name) {
        match &application.detail {
            Detail::Application {
                within: Some(outer),
            } => name = outer,
            _ => return Some(name),
        }
    }
    None
}

/// Returns the stages in which the plan does something with a file or data object.
fn stages<'a>(
    plan: &'a Plan,
    object: &'a Object,
    verbs: [Verb; 2],
) -> impl Iterator<Item = &'a Stage> {
    plan.stages.iter().filter(move |stage| {
        let mut steps = stage.steps.iter();
        steps.any(|step| verbs.contains(&step.verb) && step.object == object.name)
    })
}

/// Returns the most that one command of a stage writes.
fn most_written(chip: &ChipProfile, stage: &Stage) -> usize {
    let plain = chip.limits.unchained();
    let sealed = protection(chip, stage).map(|is| is.mode.command_capacity(is.level, plain));
    sealed.unwrap_or(plain).max(1)
}

/// Returns the most that one answer of a stage reads.
fn most_read(chip: &ChipProfile, stage: &Stage) -> usize {
    let plain = chip.limits.response;
    let sealed = protection(chip, stage).map(|is| is.mode.response_capacity(is.level, plain));
    sealed.unwrap_or(plain).max(1)
}

/// Returns what protects the commands of a stage.
fn protection(chip: &ChipProfile, stage: &Stage) -> Option<Protection> {
    chip.channel.protection(stage.channel.as_deref())
}

/// By key: its certificate, DER.
pub(crate) type Certificates = Vec<(String, Vec<u8>)>;

/// Returns what is known of a document whose keys have these certificates, DER. Other keys have
/// a public key of the usual length.
///
/// # Errors
/// Where a certificate cannot be read.
pub(crate) fn known(
    plan: &Plan,
    record: &Record,
    certificates: &[(String, Vec<u8>)],
) -> Result<Variables, Box<dyn Error>> {
    let mut known = variables(record);
    known.set("chip.serial", Value::text("0".repeat(20)));
    for object in plan.chip.objects(ObjectKind::Key) {
        let spki = format!("key.{}.spki", object.name);
        known.set(spki, Value::bytes(vec![0; 162]));
    }
    for (key, der) in certificates {
        let certificate = cert::Certificate::parse(der)?;
        set_public_key(&mut known, key, certificate.public_key())?;
        set_certificate(&mut known, key, &certificate);
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use profile::{DocumentProfile, Plan, Shelf};

    use super::*;
    use crate::chips::shelf;

    fn plan(shelf: &Shelf, chip: &str, document: &str) -> (Plan, Variables) {
        let record: Record = serde_json::from_value(crate::chips::record_json()).unwrap();
        let chip = Arc::new(ChipProfile::load(shelf, chip).unwrap());
        let documents = crate::chips::shelf("documents").unwrap();
        let document = DocumentProfile::load(&documents, document).unwrap();
        let plan = Plan::new(chip, &document.name, &document.chips[0], &record).unwrap();
        let known = known(&plan, &record, &[]).unwrap();
        (plan, known)
    }

    #[test]
    fn a_travel_chip_is_counted_by_hand() {
        let (plan, known) = plan(&shelf("chips").unwrap(), "mrtd-applet", "travel-chip");
        let fewest = Fewest::of(&plan, &known).unwrap();
        let lengths = [
            // The access keys, one command; no file.
            (2 + 2 + 9 + 2 + 6 + 2 + 6, 0),
            // EF.COM, DG1, DG2, DG15, EF.SOD; each is made.
            (2 + 7 + 9 + 5, 1),
            (95, 1),
            (15_000, 1),
            (3 + 162, 1),
            (1_800, 1),
        ];
        let writes: usize = lengths
            .iter()
            .map(|(length, made)| length / 255 + 1 + made)
            .sum();
        let bytes: usize = lengths.iter().map(|(length, _)| length).sum();
        // Who it is, one application, one key, two states; two channels, and one key set put.
        assert_eq!(fewest.commands, writes + 5 + 2 * 2 + 1);
        assert_eq!(fewest.bytes, 6 * fewest.commands + bytes);
    }

    #[test]
    fn reading_is_counted_by_hand() {
        // 87 81 E1 01 …, 14 blocks; 99, 8E: 242 bytes, and another block does not fit.
        assert_eq!(most_sealed(256), 14 * 16 - 1);
        let read = Read {
            before: &[20, 257],
            inside: &[95, 500],
            answer: 1000,
            extended: false,
        };
        let commands = 1 + 2 + 5 + 1 + 1 + 3;
        let bytes = 6 * commands + 20 + 257 + 95 + 500;
        assert_eq!(read.fewest(), Fewest { commands, bytes });
        let commands = 1 + 1 + 5 + 1 + 1 + 1;
        let bytes = 6 * commands + 20 + 257 + 95 + 500;
        let extended = Read {
            extended: true,
            ..read
        };
        assert_eq!(extended.fewest(), Fewest { commands, bytes });
    }

    #[test]
    fn what_is_done_in_vain_does_not_raise_the_limit() {
        let shipped = shelf("chips").unwrap();
        let text = shipped.text("mrtd-applet").unwrap();
        let mut wasteful = shelf("chips").unwrap();
        // A command in every writing that does nothing.
        let more = text.replace(
            "[[operations.write_file]]\n",
            "[[operations.write_file]]\nheader = \"00 B0 00 00\"\nle = 1\n\n[[operations.write_file]]\n",
        );
        assert_ne!(more, text);
        wasteful.put("mrtd-applet", more);
        let (lean, known) = plan(&shipped, "mrtd-applet", "travel-chip");
        let (fat, _) = plan(&wasteful, "mrtd-applet", "travel-chip");
        let of = |plan| Fewest::of(plan, &known).unwrap();
        assert_eq!(of(&fat), of(&lean));
    }
}

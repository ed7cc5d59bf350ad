//! What must hold after a case, whatever happened: of the chips, the journal, the store and the
//! authority outside.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use api::Centre;
use central::{BlankLine, Central, DocumentLine};
use document::life_cycle::{BlankState, DocumentState, EnvelopeState};
use perso::{Inspector, PinAnswer};
use profile::{ChipProfile, ObjectKind};
use serde::Serialize;
use station::Journal;
use vcard::{Chip, InProcess};

use crate::Failure;
use crate::authority::Outside;
use crate::case::ALL;
use crate::certificates;
use crate::installation::{actor, operator_at};
use crate::order;
use crate::world::{Blank, World};

/// How often the store is let settle with the authority outside.
const SWEEPS: usize = 5;

/// What came of a case, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// There is the document, and the blank was not spoiled for it.
    Survived,
    /// There is the document, and the blank that met the fault is accounted for as spoiled.
    Spoiled,
    /// Books, journals or logs do not agree.
    Unsound,
    /// A certificate is usable, or may become so, for a card that is no document.
    Orphaned,
    /// There are two documents, or the PINs of one twice.
    Duplicated,
    /// There is no document, or no PINs for it, or a blank is in no account.
    Lost,
}

impl Verdict {
    /// Every verdict, in the order in which they are told.
    pub const ALL: [Self; 6] = [
        Self::Survived,
        Self::Spoiled,
        Self::Lost,
        Self::Duplicated,
        Self::Orphaned,
        Self::Unsound,
    ];

    /// Returns its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Survived => "survived",
            Self::Spoiled => "spoiled",
            Self::Unsound => "unsound",
            Self::Orphaned => "orphans",
            Self::Duplicated => "duplicated",
            Self::Lost => "lost",
        }
    }

    /// Tells whether it may be.
    #[must_use]
    pub const fn is_well(self) -> bool {
        matches!(self, Self::Survived | Self::Spoiled)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a document leaves that met no fault: every other must leave the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Expected {
    /// How many certificates are on hold, and may become usable.
    certificates: usize,
    /// The PINs of its envelope that its chips took.
    pins: Vec<String>,
}

/// What is judged.
pub(crate) struct After<'a> {
    pub(crate) world: &'a World,
    pub(crate) central: &'a Central,
    pub(crate) outside: &'a Outside,
    /// The stations that lived, and their journals.
    pub(crate) journals: Vec<(&'a str, &'a Path)>,
    pub(crate) store: &'a Path,
    /// The blanks that lay in the slot, in their order, with their chips by their readers.
    pub(crate) used: Vec<(&'a Blank, Vec<(String, Chip)>)>,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Judgement {
    found: Vec<(Verdict, String)>,
    is_spoiled: bool,
    pub(crate) left: Expected,
}

impl Judgement {
    fn find(&mut self, verdict: Verdict, what: String) {
        self.found.push((verdict, what));
    }

    pub(crate) fn verdict(&self) -> Verdict {
        let usual = match self.is_spoiled {
            true => Verdict::Spoiled,
            false => Verdict::Survived,
        };
        let worst = self.found.iter().map(|(verdict, _)| *verdict).max();
        worst.unwrap_or(usual)
    }

    pub(crate) fn findings(&self) -> Vec<String> {
        let all = self.found.iter();
        all.map(|(verdict, what)| format!("{verdict}: {what}"))
            .collect()
    }
}

/// Judges what a case left.
pub(crate) async fn judge(mut after: After<'_>) -> Result<Judgement, Failure> {
    let mut judgement = Judgement::default();
    let (world, central) = (after.world, after.central);
    for sweep in 0.. {
        let swept = central.sweep_certificates_now().await?;
        if swept.left == 0 {
            break;
        }
        if sweep == SWEEPS {
            let told = format!("{} certificates are never settled", swept.left);
            judgement.find(Verdict::Orphaned, told);
            break;
        }
    }
    central.sequence().await?;
    let journals: BTreeMap<_, _> = after.journals.iter().copied().collect();
    for (station, file) in journals {
        journal(&after, (station, file), &mut judgement).await?;
    }
    let documents = central
        .document_lines_after(&actor("clerk"), "", ALL)
        .await?;
    let blanks = central.blanks(&actor("keeper")).await?;
    accounts(&mut judgement, &after, &blanks)?;
    match &documents[..] {
        [document] if document.state == DocumentState::Personalized => {
            check_certificates(&mut judgement, &after, Some(document))?;
            let pins = pins(&mut judgement, &mut after, document).await?;
            judgement.left.pins = pins;
            is_left(&mut judgement, world);
        }
        [document] => {
            let told = format!("the document is {}, and not made", document.state);
            judgement.find(Verdict::Lost, told);
            check_certificates(&mut judgement, &after, None)?;
        }
        _ => {
            let told = format!("one application has {} documents", documents.len());
            judgement.find(Verdict::Duplicated, told);
        }
    }
    for fault in central.audit_books(&actor("auditor")).await?.faults() {
        judgement.find(Verdict::Unsound, fault);
    }
    Ok(judgement)
}

/// Demands that what is left is what a document leaves that met no fault.
fn is_left(judgement: &mut Judgement, world: &World) {
    // The whole run itself says what that is.
    if world.expected == Expected::default() {
        return;
    }
    let (left, expected) = (&judgement.left, &world.expected);
    if left.certificates < expected.certificates {
        let told = format!(
            "the document has {} certificates, and {} in a whole run",
            left.certificates, expected.certificates
        );
        judgement.find(Verdict::Lost, told);
    }
    let lacking = expected
        .pins
        .iter()
        .find(|pin| !judgement.left.pins.contains(pin));
    if let Some(pin) = lacking {
        let told = format!("the chip does not take \"{pin}\" of the envelope");
        judgement.find(Verdict::Lost, told);
    }
}

/// Demands that the journal has nothing left to say, and that the store heard all.
async fn journal(
    after: &After<'_>,
    (station, file): (&str, &Path),
    judgement: &mut Judgement,
) -> Result<(), Failure> {
    let journal = Journal::open(file)?;
    let hello = journal.hello()?;
    if hello.in_work > 0 {
        let told = format!(
            "{} documents are in work in the journal for ever",
            hello.in_work
        );
        judgement.find(Verdict::Unsound, told);
    }
    if let Some(report) = journal.next_report()? {
        let told = format!("report {} is never sent", report.sequence);
        judgement.find(Verdict::Unsound, told);
    }
    if let Some(told) = order::overtaken_in(&after.world.profiles, file)? {
        judgement.find(Verdict::Unsound, told);
    }
    let welcome = after.central.hello(&operator_at(station), &hello).await?;
    if welcome.reports != hello.last {
        let told = format!(
            "the journal has {} reports, and the store {}",
            hello.last, welcome.reports
        );
        judgement.find(Verdict::Unsound, told);
    }
    Ok(())
}

/// Demands that every blank is in an account where it may stay, and that one that is said to be
/// untouched is.
fn accounts(
    judgement: &mut Judgement,
    after: &After<'_>,
    blanks: &[BlankLine],
) -> Result<(), Failure> {
    let of = |blank: &Blank| blanks.iter().find(|line| line.serial == blank.serial);
    let made = blanks.iter();
    let made = made.filter(|line| line.state == BlankState::Personalized);
    if made.count() > 1 {
        judgement.find(Verdict::Duplicated, "two blanks are personalized".into());
    }
    for (at, (blank, chips)) in after.used.iter().enumerate() {
        let Some(line) = of(blank) else {
            let told = format!("blank {} is in no account", blank.serial);
            judgement.find(Verdict::Lost, told);
            continue;
        };
        match line.state {
            BlankState::Personalized => {}
            BlankState::Spoiled => judgement.is_spoiled |= at == 0,
            BlankState::InStock | BlankState::Returned => {
                for (reader, chip) in chips {
                    if !blank.is_as_delivered(reader, chip)? {
                        let told = format!(
                            "blank {} is {}, and its chip in {reader} is not as it was delivered",
                            blank.serial, line.state
                        );
                        judgement.find(Verdict::Unsound, told);
                    }
                }
            }
            state => {
                let told = format!("blank {} stays {state}", blank.serial);
                judgement.find(Verdict::Lost, told);
            }
        }
    }
    Ok(())
}

/// Demands that every certificate that is not revoked is the document's, in the store and outside.
fn check_certificates(
    judgement: &mut Judgement,
    after: &After<'_>,
    document: Option<&DocumentLine>,
) -> Result<(), Failure> {
    let own: BTreeSet<&str> = document
        .iter()
        .flat_map(|document| document.chips.iter().map(String::as_str))
        .collect();
    let left = certificates::left(after.store, after.outside, &own, None)?;
    judgement.left.certificates += left.own;
    for orphan in left.orphans {
        judgement.find(Verdict::Orphaned, orphan);
    }
    Ok(())
}

/// Prints the document's envelope, and demands that its chips take the PINs in it, and that nobody
/// prints it twice. Returns those that a chip took.
async fn pins(
    judgement: &mut Judgement,
    after: &mut After<'_>,
    document: &DocumentLine,
) -> Result<Vec<String>, Failure> {
    let number = document.number.clone().unwrap_or_default();
    let clerk = actor("envelopes");
    match document.envelope {
        None => return Ok(Vec::new()),
        Some(EnvelopeState::Ready) => {}
        Some(state) => {
            let told = format!("the PIN envelope is {state}");
            judgement.find(Verdict::Lost, told);
            return Ok(Vec::new());
        }
    }
    let job = after.central.print_envelope(&clerk, &number).await?;
    let pins = after.central.open_envelope(&clerk, &job).await?;
    if after.central.print_envelope(&clerk, &number).await.is_ok() {
        judgement.find(Verdict::Duplicated, "the PINs were printed twice".into());
    }
    let Some((blank, chips)) = after.used.pop() else {
        return Ok(Vec::new());
    };
    if document.blank.as_ref() != Some(&blank.serial) {
        let told = "the blank in the slot is not the one that carries the document".into();
        judgement.find(Verdict::Unsound, told);
    }
    let mut taken = Vec::new();
    for ((_, chip), profile) in chips.into_iter().zip(&after.world.profiles) {
        taken.extend(takes(profile, chip, &|name| {
            pins.get(name).map(|pin| pin.digits().to_vec())
        }));
    }
    Ok(taken)
}

/// Returns the PINs that a chip takes.
fn takes(
    profile: &ChipProfile,
    chip: Chip,
    digits: &dyn Fn(&str) -> Option<Vec<u8>>,
) -> Vec<String> {
    let mut channel = InProcess::new(chip);
    let mut taken = Vec::new();
    for pin in profile.objects(ObjectKind::Pin) {
        let mut inspector = Inspector::new(profile, &mut channel);
        // What is known of the chip, some templates use.
        let _ = inspector.identify();
        if let Some(digits) = digits(&pin.name)
            && let Ok(PinAnswer::Accepted) = inspector.verify_pin(pin, &digits)
        {
            taken.push(pin.name.clone());
        }
    }
    taken
}

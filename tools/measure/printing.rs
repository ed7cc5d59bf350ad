//! Printing: how soon a card printer hears of a job, and how long it waits for the host between the order
//! that feeds a card and the one that moves it out. The printer is virtual, speaks its language over TCP
//! and takes as long as a desktop printer; the host is the driver, with faces that are rendered meanwhile,
//! as a station's slot does it. In the same feed the card's chip is written over PC/SC, read back and
//! judged; how long that takes is told apart, beside the same in a reader of its own.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use document::mrz::Conventions;
use document::{Application, DocumentNumber, Mrz, Record, Validity};
use jiff::civil::date;
use print::{
    Bin, ChipStation, EscPlace, Face, FaceError, Faces, Facts, Layout, Printer, PrinterPlace,
    PrinterProfile, Rendering,
};
use vcard::farm::Farm;
use vprinter::card::{Blank, FarmReader, Pace, Setup, VirtualCardPrinter};

use crate::demo::beside;
use crate::{Measured, Row, Wanted, chips};

const LAYOUTS: [(&str, &str); 2] = [
    (
        "residence-permit-front",
        include_str!("../../firmware-profiles/faces/residence-permit-front.svg"),
    ),
    (
        "residence-permit-back",
        include_str!("../../tests/printed/faces/residence-permit-back.svg"),
    ),
];
const PERMIT: &str = include_str!("../../tests/samples/applications/26-residence-permit.json");
const PROFILE: &str = include_str!("../../firmware-profiles/printers/esc-ymckok.toml");

const FIRST: &str = "printing time from a job to the first command at the printer";
const IDLE: &str = "printing idle time of the printer between feed and eject";

const CHIP: &str = "printing chip written, read back and judged inside the printer";

/// The chip of a card, and the document on it.
const ON_CHIP: (&str, &str) = ("lateid-v2", "eid-card");

/// How many cards are printed; their medians count.
const CARDS: usize = 5;

pub(crate) fn names() -> Vec<String> {
    [FIRST, IDLE, CHIP].map(str::to_owned).into()
}

/// What is printed on a card, before it is rendered.
struct Job {
    layouts: Vec<Layout>,
    facts: Facts,
}

impl Job {
    fn new() -> Result<Self, Box<dyn Error>> {
        let layouts = LAYOUTS.iter().map(|(name, svg)| Layout::parse(name, svg));
        let day = date(2026, 11, 20);
        let application = Application::parse(PERMIT.as_bytes(), day)
            .map_err(|_| "the sample is no application")?;
        let validity = Validity::of(application.kind, application.holder.birth_date, day)?;
        let record = Record {
            number: DocumentNumber::parse("XA0000001")?,
            kind: application.kind,
            issued: validity.issued(),
            expires: validity.expires(),
            holder: application.holder.clone(),
            certificates: true,
            prepared: std::collections::BTreeMap::new(),
        };
        let conventions = Conventions::of(record.kind).ok_or("the kind has a zone")?;
        let zone = Mrz::of(&record, &conventions)?;
        let (portrait, signature) = (application.portrait, application.signature);
        Ok(Self {
            layouts: layouts.collect::<Result<_, _>>()?,
            facts: Facts::of(&record, Some(zone), "PMLP", portrait, signature),
        })
    }

    /// Renders both faces, as a station does for each document.
    fn faces(&self) -> Result<Vec<Face>, FaceError> {
        let how = Rendering {
            dots: 300,
            specimen: true,
        };
        let layouts = self.layouts.iter();
        layouts
            .map(|layout| layout.render(&self.facts, how))
            .collect()
    }
}

/// The reader that a chip is written in.
struct Desk<'a> {
    farm: &'a Farm,
    record: &'a Path,
}

impl Desk<'_> {
    /// Writes the chip that lies in the reader, reads it back and judges it; returns how long it took.
    fn encode(&self, folder: &Path) -> Result<Duration, Box<dyn Error>> {
        let begun = Instant::now();
        let made = chips::write(self.farm, ON_CHIP, self.record, folder)?;
        let authority = made["authority"].as_str().ok_or("no authority is named")?;
        chips::verify(self.farm, ON_CHIP, self.record, Path::new(authority))?;
        Ok(begun.elapsed())
    }
}

/// Makes one card, from its job to the output; returns how long its chip took.
fn made(
    printer: &mut dyn Printer,
    job: &Job,
    encode: impl FnOnce() -> Result<Duration, Box<dyn Error>>,
) -> Result<Duration, Box<dyn Error>> {
    let rendered = std::thread::scope(|scope| {
        let rendering = scope.spawn(|| job.faces());
        printer.feed()?;
        let rendered = rendering.join().map_err(|_| "the renderer ended")?;
        Ok::<_, Box<dyn Error>>(rendered?)
    })?;
    printer.position(ChipStation::Contactless)?;
    printer.position(ChipStation::Contact)?;
    let encoding = encode()?;
    printer.print(Faces {
        front: rendered.first(),
        back: rendered.get(1),
    })?;
    printer.eject(Bin::Good)?;
    Ok(encoding)
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    let middle = times.get(times.len() / 2).copied();
    middle.unwrap_or_default().as_secs_f64()
}

pub(crate) fn rows(_: Wanted<'_>) -> Measured {
    let folder = tempfile::tempdir()?;
    let record = folder.path().join("record.json");
    fs::write(&record, chips::record_json().to_string())?;
    let farm = Farm::start(&beside("vcard")?, &folder.path().join("farm"), 1)?;
    let desk = Desk {
        farm: &farm,
        record: &record,
    };
    let blanks: Result<Vec<_>, _> = (0..2 * CARDS)
        .map(|_| chips::blank(folder.path(), ON_CHIP.0))
        .collect();
    let blanks = blanks?;
    let (alone, inside) = blanks.split_at(CARDS);
    let hopper = inside.iter().map(|(_, state)| Blank {
        contact: Some(state.clone()),
        ..Blank::default()
    });
    let setup = Setup {
        ribbon: "ymckok".into(),
        hopper: hopper.collect(),
        contact: Some(Box::new(FarmReader::new(farm.socket(), 0))),
        pace: Pace::Real,
        ..Setup::default()
    };
    let virtual_printer = VirtualCardPrinter::start(folder.path(), setup)?;
    let PrinterProfile::Esc(profile) = PrinterProfile::parse(PROFILE)? else {
        return Err("the profile is of no card printer".into());
    };
    let address = virtual_printer.address().parse()?;
    let place = EscPlace::new(*profile, address, None);
    let mut printer = place.connect()?;
    printer.eject(Bin::Reject)?;
    let job = Job::new()?;
    // Typefaces are parsed once.
    let start = Instant::now();
    std::hint::black_box(job.faces()?);
    let rendering = start.elapsed();
    let (mut first, mut idle, mut busy) = (Vec::new(), Vec::new(), Vec::new());
    let (mut encoded, mut encoded_alone) = (Vec::new(), Vec::new());
    for ((own, _), (other, state)) in inside.iter().zip(alone) {
        let mut hands = farm.client()?;
        hands.insert(0, state, None)?;
        encoded_alone.push(desk.encode(other.path())?);
        hands.remove(0)?;
        virtual_printer.worked();
        let begun = Instant::now();
        let encoding = made(&mut *printer, &job, || desk.encode(own.path()))?;
        encoded.push(encoding);
        let worked = virtual_printer.worked();
        let (Some(heard), Some(answered)) = (worked.first, worked.last) else {
            return Err("the printer heard nothing".into());
        };
        first.push(heard.saturating_duration_since(begun));
        busy.push(worked.busy);
        idle.push((answered - heard).saturating_sub(worked.busy + encoding));
    }
    let complaints = virtual_printer.complaints();
    if !complaints.is_empty() {
        return Err(complaints.join("; ").into());
    }
    Ok(vec![
        Row::new(FIRST, median(first), "s", rendering.as_secs_f64()).beside("rendering both faces"),
        Row::new(IDLE, median(idle), "s", median(busy)).beside("the printer's own time"),
        Row::new(CHIP, median(encoded), "s", median(encoded_alone)).beside("in a reader"),
    ])
}

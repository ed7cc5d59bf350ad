//! A slot's printer: a virtual one that is spoken to over TCP, with the blanks in its hopper, whose
//! chips come into the readers of the bench when their card is at a chip station.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use api::ProfilePin;
use print::{
    Bin, Capabilities, ChipStation, Consumables, EscPlace, EscProfile, Faces, Identity, Printer,
    PrinterError, PrinterPlace, PrinterStatus,
};
use profile::text_digest;
use station::SlotPrinter;
use tempfile::TempDir;
use vcard::Chip;
use vprinter::card::{
    Blank as Card, Mishap, Plan, Point, Setup, Station as ChipReader, VirtualCardPrinter,
};

use crate::Failure;
use crate::bench::Bench;
use crate::fault::{Fault, Seam};
use crate::recipe::text;
use crate::trip::Trip;
use crate::world::{Blank, temporary};

/// The shipped profile of the printer, and what it says otherwise here: whoever waits for a printer that
/// says nothing waits shorter.
const PROFILE: &str = "firmware-profiles/printers/esc-ymcko.toml";
const SHORTER: [(&str, &str); 3] = [
    ("move = 30", "move = 4"),
    ("panel = 60", "panel = 12"),
    ("quiet = 1", "quiet = 0.05"),
];

/// The chips of the blanks that are in no reader, by the names that the printer has for them.
#[derive(Default)]
struct Stash(Mutex<BTreeMap<PathBuf, Chip>>);

impl Stash {
    fn put(&self, path: PathBuf, chip: Chip) {
        let mut chips = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        chips.insert(path, chip);
    }

    fn take(&self, path: &Path) -> Option<Chip> {
        let mut chips = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        chips.remove(path)
    }
}

/// The reader at a chip station.
struct AtStation {
    bench: Arc<Bench>,
    reader: String,
    stash: Arc<Stash>,
    inside: Option<PathBuf>,
}

impl ChipReader for AtStation {
    fn present(&mut self, path: &Path) -> std::io::Result<()> {
        let chip = self.stash.take(path);
        let chip = chip.ok_or_else(|| std::io::Error::other("this chip is somewhere else"))?;
        self.bench.insert(&self.reader, chip);
        self.inside = Some(path.to_owned());
        Ok(())
    }

    fn withdraw(&mut self) -> std::io::Result<()> {
        if let Some(path) = self.inside.take()
            && let Some(chip) = self.bench.withdraw(&self.reader)
        {
            self.stash.put(path, chip);
        }
        Ok(())
    }
}

/// The printer of a case.
pub(crate) struct Press {
    printer: Arc<VirtualCardPrinter>,
    stash: Arc<Stash>,
    blanks: Vec<Card>,
    profile: EscProfile,
    pin: ProfilePin,
    _paper: TempDir,
}

impl Press {
    /// Starts a printer with these blanks in its hopper.
    pub(crate) fn start(bench: &Arc<Bench>, blanks: &[Blank]) -> Result<Self, Failure> {
        let mut dialect = text(PROFILE)?;
        for (from, to) in SHORTER {
            dialect = dialect.replace(from, to);
        }
        let stash = Arc::<Stash>::default();
        let mut hopper = Vec::new();
        let mut reader = String::new();
        for blank in blanks {
            // Its recipes have one chip, with contacts.
            let mut chips = blank.chips()?.into_iter();
            let (at, chip) = chips.next().ok_or("a blank without a chip")?;
            let path = PathBuf::from(&blank.serial);
            stash.put(path.clone(), chip);
            reader = at;
            hopper.push(Card {
                contact: Some(path),
                contactless: None,
            });
        }
        bench.stand(&reader);
        let at_station = AtStation {
            bench: Arc::clone(bench),
            reader,
            stash: Arc::clone(&stash),
            inside: None,
        };
        let setup = Setup {
            hopper: hopper.clone(),
            contact: Some(Box::new(at_station)),
            ..Setup::default()
        };
        let paper = temporary()?;
        let printer = VirtualCardPrinter::start(paper.path(), setup)?;
        Ok(Self {
            printer: Arc::new(printer),
            stash,
            blanks: hopper,
            pin: ProfilePin {
                name: "esc-ymcko".into(),
                digest: text_digest(&dialect),
            },
            profile: EscProfile::parse(&dialect)?,
            _paper: paper,
        })
    }

    /// Returns how one life of the station reaches it.
    pub(crate) fn of_slot(&self, trip: &Arc<Trip>) -> Result<SlotPrinter, Failure> {
        let address = self.printer.address().parse()?;
        Ok(SlotPrinter {
            profile: self.pin.clone(),
            place: Arc::new(TornPlace {
                inner: EscPlace::new(self.profile.clone(), address, None),
                trip: Arc::clone(trip),
                printer: Arc::clone(&self.printer),
            }),
        })
    }

    /// Does what a person does who is called: puts the printer right, and fills an empty hopper.
    pub(crate) fn service(&self) {
        self.printer.service();
        if self.printer.hopper() == 0 {
            let fed: Vec<_> = self
                .printer
                .cards()
                .into_iter()
                .map(|card| card.blank)
                .collect();
            let left = self.blanks.iter().filter(|blank| !fed.contains(blank));
            self.printer.load(left.cloned());
        }
    }

    /// Returns the blanks that left the hopper, in that order, with their chips.
    pub(crate) fn used<'b>(
        &self,
        bench: &Bench,
        blanks: &'b [Blank],
    ) -> Vec<(&'b Blank, Vec<(String, Chip)>)> {
        let mut in_reader = bench.take();
        let mut used = Vec::new();
        for card in self.printer.cards() {
            let Some(path) = card.blank.contact else {
                continue;
            };
            let mut all = blanks.iter();
            let Some(blank) = all.find(|blank| Path::new(&blank.serial) == path) else {
                continue;
            };
            // Where it is in nobody's stash, it lies at the chip station.
            let chips = match self.stash.take(&path) {
                Some(chip) => vec![(blank.reader().to_owned(), chip)],
                None => std::mem::take(&mut in_reader),
            };
            used.push((blank, chips));
        }
        used
    }
}

/// Where the printer stands, for one life of the station.
struct TornPlace {
    inner: EscPlace,
    trip: Arc<Trip>,
    printer: Arc<VirtualCardPrinter>,
}

impl fmt::Debug for TornPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl PrinterPlace for TornPlace {
    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    fn connect(&self) -> Result<Box<dyn Printer>, PrinterError> {
        Ok(Box::new(Torn {
            inner: self.inner.connect()?,
            trip: Arc::clone(&self.trip),
            printer: Arc::clone(&self.printer),
        }))
    }
}

/// A connection to it, whose orders are counted.
struct Torn {
    inner: Box<dyn Printer>,
    trip: Arc<Trip>,
    printer: Arc<VirtualCardPrinter>,
}

impl Torn {
    fn act(
        &mut self,
        point: Point,
        act: impl FnOnce(&mut dyn Printer) -> Result<(), PrinterError>,
    ) -> Result<(), PrinterError> {
        let met = self.trip.pass(Seam::Act);
        if let Some(mishap) = met.and_then(|fault| mishap(fault, point)) {
            self.printer.plan(Plan { mishap, point });
        }
        let done = act(&mut *self.inner);
        match met {
            Some(Fault::KilledAtAct) => self.trip.die(),
            _ => done,
        }
    }
}

/// Returns what happens to the printer.
fn mishap(fault: Fault, point: Point) -> Option<Mishap> {
    Some(match fault {
        Fault::PrinterJams => Mishap::Jam,
        Fault::PrinterOpened => Mishap::CoverOpen,
        Fault::PrinterEmpty => Mishap::NoCard,
        Fault::RibbonEnds => Mishap::RibbonOut,
        Fault::CardSlips if matches!(point, Point::Panel(_)) => Mishap::Half,
        Fault::CardSlips => Mishap::Slip,
        Fault::PrinterPowerLost => Mishap::PowerLoss,
        Fault::PrinterMute => Mishap::Mute,
        Fault::PrinterLate => Mishap::Late,
        Fault::PrinterNoise => Mishap::Garbage,
        Fault::PrinterUnplugged => Mishap::Unplugged,
        Fault::PrinterSwaps => Mishap::Swap,
        _ => return None,
    })
}

impl Printer for Torn {
    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    fn name(&self) -> &str {
        self.inner.name()
    }

    fn identity(&mut self) -> Result<Identity, PrinterError> {
        self.inner.identity()
    }

    fn status(&mut self) -> Result<PrinterStatus, PrinterError> {
        self.inner.status()
    }

    fn consumables(&mut self) -> Result<Consumables, PrinterError> {
        self.inner.consumables()
    }

    fn feed(&mut self) -> Result<(), PrinterError> {
        self.act(Point::Feed, |inner| inner.feed())
    }

    fn position(&mut self, station: ChipStation) -> Result<(), PrinterError> {
        self.act(Point::Station, |inner| inner.position(station))
    }

    fn print(&mut self, faces: Faces<'_>) -> Result<(), PrinterError> {
        // The panel in the middle of the ribbon.
        self.act(Point::Panel('c'), |inner| inner.print(faces))
    }

    fn eject(&mut self, bin: Bin) -> Result<(), PrinterError> {
        let point = match bin {
            Bin::Good => Point::Eject,
            Bin::Reject => Point::Reject,
        };
        self.act(point, |inner| inner.eject(bin))
    }

    fn clean(&mut self) -> Result<(), PrinterError> {
        self.act(Point::Clean, |inner| inner.clean())
    }

    fn reconnect(&mut self) -> Result<(), PrinterError> {
        self.inner.reconnect()
    }
}

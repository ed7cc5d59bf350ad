//! A store, its blanks and one application, as they are before a station begins: made once for each
//! recipe, and copied for each case.

use std::fs;
use std::path::{Path, PathBuf};

use central::{CENTRAL_STORE, DeliveredBlank, DeliveredChip, Delivery, Receipt};
use document::OfficeCode;
use perso::Inspector;
use profile::ChipProfile;
use reader::{CapabilityCache, CapabilityKey, ProbePlan};
use serde_json::Value;
use tempfile::TempDir;
use vcard::{Chip, ChipNumber, InProcess, Memory, Product, Store, TransportMasterKey};

use crate::Failure;
use crate::case;
use crate::fault::{Fault, Point, Seam};
use crate::installation::{Installation, MAKER, actor, people};
use crate::judge::Expected;
use crate::recipe::{Recipe, RecipeChip};
use crate::trip::Counts;

/// One for the fault, and two for the document after it.
pub(crate) const BLANKS: u8 = 3;
/// The series of numbered blanks.
const SERIES: &str = "XN";
/// A folder in memory, where the machine has one.
const IN_MEMORY: &str = "/dev/shm";

/// A blank as it was delivered.
pub(crate) struct Blank {
    pub(crate) serial: String,
    /// The numbers by which a station knows its chips.
    named: Vec<String>,
    /// The readers of its chips, and their memories.
    chips: Vec<(String, Vec<u8>)>,
}

impl Blank {
    /// Returns the chips as they were delivered, each for its reader.
    pub(crate) fn chips(&self) -> Result<Vec<(String, Chip)>, Failure> {
        let mut chips = Vec::new();
        for (reader, memory) in &self.chips {
            chips.push((reader.clone(), Chip::restore(memory)?));
        }
        Ok(chips)
    }

    /// Returns the reader of its first chip.
    pub(crate) fn reader(&self) -> &str {
        self.chips.first().map_or("", |(reader, _)| reader)
    }

    /// Tells whether a chip is as it was delivered, but for the handshakes that it counts.
    pub(crate) fn is_as_delivered(&self, reader: &str, chip: &Chip) -> Result<bool, Failure> {
        let now = uncounted(&chip.snapshot()?)?;
        for (name, memory) in &self.chips {
            if name == reader {
                return Ok(uncounted(memory)? == now);
            }
        }
        Ok(false)
    }
}

/// Returns a chip's memory without the counts of its secure channels: a handshake that was begun
/// moves them, and changes nothing.
fn uncounted(memory: &[u8]) -> Result<Value, Failure> {
    fn forget(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.remove("counter");
                fields.values_mut().for_each(forget);
            }
            Value::Array(items) => items.iter_mut().for_each(forget),
            _ => {}
        }
    }
    let mut value = serde_json::from_slice(memory)?;
    forget(&mut value);
    Ok(value)
}

/// What is copied for each case.
pub(crate) struct World {
    pub(crate) recipe: Recipe,
    pub(crate) blanks: Vec<Blank>,
    pub(crate) profiles: Vec<ChipProfile>,
    folder: TempDir,
    /// What a whole personalization passes.
    pub(crate) counts: Counts,
    /// What the station passes that was killed in the middle of one, and was started again.
    second: Counts,
    /// What it leaves.
    pub(crate) expected: Expected,
}

/// Makes a folder that is gone when it is dropped; in memory, where the machine has such a place.
///
/// # Errors
/// Where it cannot be made.
pub fn temporary() -> Result<TempDir, Failure> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("zimogs-tear-");
    let folder = match Path::new(IN_MEMORY).is_dir() {
        true => builder.tempdir_in(IN_MEMORY),
        false => builder.tempdir(),
    };
    Ok(folder?)
}

/// Makes the chip at a place of a blank, as its maker does.
pub(crate) fn made(
    chip: &RecipeChip,
    place: usize,
    number: u8,
    store: impl Store + 'static,
) -> Result<Chip, Failure> {
    let product = Product::find(chip.product);
    let product = product.ok_or_else(|| format!("there is no chip {}", chip.product))?;
    let batch = [0x10, u8::try_from(place)?];
    let number = ChipNumber::new(batch, [0, 0, 0, number]);
    let maker = TransportMasterKey::new(MAKER);
    Ok(Chip::blank(product, number, &maker, store)?)
}

/// Returns the reader of a chip.
pub(crate) fn reader(place: usize) -> String {
    format!("reader {}", place + 1)
}

impl World {
    /// Makes a world, and a document in it that meets no fault.
    pub(crate) async fn found(
        installation: &Installation,
        recipe: Recipe,
    ) -> Result<Self, Failure> {
        let mut world = Self::planned(recipe, BLANKS)?;
        world.fill(installation, &world.store(), 1).await?;
        world.measure()?;
        let whole = case::run(installation, &world, None).await?;
        if !whole.findings.is_empty() {
            let told = [whole.told, whole.findings].concat().join("; ");
            return Err(format!("{} without any fault: {told}", recipe.name).into());
        }
        (world.counts, world.expected) = (whole.counts, whole.left);
        let never = Point {
            fault: Fault::KilledAgainAtWrite,
            at: u64::MAX,
        };
        world.second = case::run(installation, &world, Some(never)).await?.second;
        Ok(world)
    }

    /// Makes the blanks, and nothing else: the same at each call.
    pub(crate) fn planned(recipe: Recipe, blanks: u8) -> Result<Self, Failure> {
        let shelf = recipe.chip_shelf()?;
        let mut profiles = Vec::new();
        for chip in recipe.chips {
            profiles.push(ChipProfile::load(&shelf, chip.profile)?);
        }
        let mut world = Self {
            recipe,
            blanks: Vec::new(),
            profiles,
            folder: temporary()?,
            counts: Counts::default(),
            second: Counts::default(),
            expected: Expected::default(),
        };
        for number in 1..=blanks {
            world.blanks.push(world.blank(number)?);
        }
        Ok(world)
    }

    /// Returns the number that the blank at a place has from its maker, where it has one.
    pub(crate) fn own_number(&self, at: usize) -> Option<String> {
        let number = || format!("{SERIES}{:07}", at + 1);
        self.recipe.is_numbered.then(number)
    }

    /// Returns the middle of the work, where the station is killed that is killed again.
    pub(crate) fn middle(&self) -> Point {
        Point {
            fault: Fault::KilledAfterWrite,
            at: self.counts.of(Seam::Write).div_ceil(2),
        }
    }

    /// Returns at how many places a fault is tried.
    pub(crate) fn places(&self, fault: Fault) -> u64 {
        match fault.in_second_life() {
            // Nothing is gone on with in a printer, here or elsewhere.
            _ if fault.at_first_station().is_some() && self.recipe.printed.is_some() => 0,
            Some(_) => self.second.of(fault.seam()),
            None => self.counts.of(fault.seam()),
        }
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.folder.path().join("central.db")
    }

    fn measured(&self) -> PathBuf {
        self.folder.path().join("readers.json")
    }

    /// Copies it into a folder. Returns the store's file, and the journal's.
    pub(crate) fn copy(&self, folder: &Path) -> Result<(PathBuf, PathBuf), Failure> {
        let (store, station) = (folder.join("central.db"), folder.join("station"));
        fs::copy(self.store(), &store)?;
        fs::create_dir(&station)?;
        fs::copy(self.measured(), station.join("readers.json"))?;
        Ok((store, station.join("journal.db")))
    }

    fn blank(&self, number: u8) -> Result<Blank, Failure> {
        let (mut chips, mut named) = (Vec::new(), Vec::new());
        for (place, chip) in self.recipe.chips.iter().enumerate() {
            let mut channel = InProcess::new(made(chip, place, number, Memory)?);
            // Some chips draw their number when they are asked for the first time.
            let profile = self.profiles.get(place).ok_or("no profile")?;
            let identity = Inspector::new(profile, &mut channel).identify()?;
            named.push(identity.serial.ok_or("a chip without a number")?);
            chips.push((reader(place), channel.into_chip().snapshot()?.to_vec()));
        }
        Ok(Blank {
            serial: format!("TEAR-{number:04}"),
            named,
            chips,
        })
    }

    /// Founds the store: its people, the delivery of the blanks, and so many approved applications.
    pub(crate) async fn fill(
        &self,
        installation: &Installation,
        store: &Path,
        applications: u32,
    ) -> Result<(), Failure> {
        let outside = installation.authority();
        let central = installation.central(&self.recipe, store, outside).await?;
        people(&central).await?;
        let mut blanks = Vec::new();
        for (at, blank) in self.blanks.iter().enumerate() {
            let named = self.recipe.chips.iter().zip(&blank.named);
            let chips = named.map(|(chip, serial)| DeliveredChip::new(chip.profile, serial));
            let mut delivered = DeliveredBlank::of_chips(&blank.serial, chips.collect());
            if let Some(number) = self.own_number(at) {
                delivered.number = Some(number.parse()?);
            }
            blanks.push(delivered);
        }
        let receipt = Receipt {
            place: OfficeCode::parse(CENTRAL_STORE)?,
            witness: "approver".into(),
            counted: blanks.len(),
            transport_kcv: None,
        };
        let delivery = Delivery {
            reference: "D-TEAR".into(),
            blanks,
        };
        let keeper = actor("keeper");
        central.receive_blanks(&keeper, &delivery, &receipt).await?;
        let mut application: Value = serde_json::from_str(&self.recipe.application()?)?;
        application["kind"] = self.recipe.kind.into();
        for number in 1..=applications {
            application["reference"] = format!("APP-2026-{number:06}").into();
            let application = application.to_string();
            let reference = central
                .import(&actor("clerk"), application.as_bytes())
                .await?;
            let approver = actor("approver");
            central.approve(&approver, reference.as_str()).await?;
        }
        central.sequence().await?;
        central.close().await;
        Ok(())
    }

    /// Measures readers and chips, as a station does once: no case is about that.
    fn measure(&self) -> Result<(), Failure> {
        self.measure_by(&self.measured(), &|reader| vec![reader.to_owned()])
    }

    /// Measures the chips in other readers, `named` by those of the first slot.
    pub(crate) fn measure_by(
        &self,
        file: &Path,
        named: &dyn Fn(&str) -> Vec<String>,
    ) -> Result<(), Failure> {
        let (mut cache, _) = CapabilityCache::open(file.to_owned());
        let chips = self.blanks.first().map(Blank::chips).transpose()?;
        for ((reader, chip), profile) in chips.unwrap_or_default().into_iter().zip(&self.profiles) {
            let atr = chip.atr().to_vec();
            let mut channel = InProcess::new(chip);
            let plan = ProbePlan::new(profile.limits);
            for reader in named(&reader) {
                let key = CapabilityKey::new(&reader, &atr, &profile.name);
                cache.get_or_probe(&key, &mut channel, None, &plan)?;
            }
        }
        Ok(())
    }
}

//! `station.toml`: how a station is set up.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use api::ProfilePin;
use document::{Environment, OfficeCode};
use print::{LineFeederTexts, LinkAddress};
use profile::{Shelf, text_digest};
use serde::Deserialize;
use station::{SlotChip, SlotConfig, SlotFeeder, SlotPrinter};

use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::files;
use crate::cli::print::device;

/// Where the station's own interface is unless station.toml says otherwise.
pub(crate) const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8447);
/// The most slots of a station.
const MOST_SLOTS: usize = 16;
/// For how many minutes a card is held for an absent centre unless station.toml says otherwise: a lease
/// lasts ten from the last that was heard of it.
const PARKING: u64 = 8;
/// For how many seconds a feeder is waited for unless station.toml says otherwise.
const FEEDING: u64 = 20;
/// For how many at most.
const MOST_FEEDING: u64 = 120;

/// How a station is set up.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Setup {
    /// Where the file stands.
    #[serde(skip)]
    folder: PathBuf,
    /// What the station is for; it takes no document of the other environment.
    pub(crate) environment: Environment,
    /// The centre: https://HOST:PORT.
    pub(crate) server: String,
    /// The certificate that the server's own is looked for under, PEM.
    authority: Option<PathBuf>,
    /// The office that the station stands in, where that office makes its own documents.
    pub(crate) office: Option<OfficeCode>,
    /// A folder with chips/ and documents/ whose profiles are laid over the shipped ones.
    profiles: Option<PathBuf>,
    /// Where the station's own interface listens, on the loopback interface.
    listen: Option<SocketAddr>,
    /// For how many minutes an open card is held while the centre cannot be reached.
    parking_minutes: Option<u64>,
    /// The slots.
    #[serde(default)]
    pub(crate) slots: Vec<Slot>,
}

/// A slot.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Slot {
    pub(crate) name: String,
    article: Option<String>,
    pub(crate) chips: Vec<Chip>,
    pub(crate) printer: Option<SlotDevice>,
    pub(crate) feeder: Option<FeederDevice>,
    /// Where the scanner of blanks is: serial:/dev/….
    pub(crate) scanner: Option<String>,
}

impl Slot {
    /// Returns its feeder.
    pub(crate) fn feeder(&self) -> Result<Option<SlotFeeder>, Failure> {
        self.feeder.as_ref().map(FeederDevice::find).transpose()
    }

    /// Returns where its scanner is.
    pub(crate) fn scanner(&self) -> Result<Option<LinkAddress>, Failure> {
        let scanner = self.scanner.as_deref();
        scanner.map(str::parse).transpose().or_fail(Kind::Usage)
    }
}

/// The feeder of a slot: an address, what is said to it, and what it says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FeederDevice {
    /// Where it is: serial:/dev/…, tcp://HOST:PORT.
    at: String,
    /// Orders a blank.
    feed: String,
    /// A blank lies there.
    fed: String,
    /// There are none.
    empty: String,
    /// One is stuck.
    jam: String,
    /// Orders that what lies there goes to the output.
    good: String,
    /// Orders that what lies there goes to the reject box.
    reject: String,
    /// It is out.
    out: String,
    /// For how many seconds it is waited.
    seconds: Option<u64>,
}

impl FeederDevice {
    fn find(&self) -> Result<SlotFeeder, Failure> {
        let texts = LineFeederTexts {
            feed: self.feed.clone(),
            fed: self.fed.clone(),
            empty: self.empty.clone(),
            jam: self.jam.clone(),
            good: self.good.clone(),
            reject: self.reject.clone(),
            out: self.out.clone(),
        };
        if !texts.is_sound() {
            let fault = "[slots.feeder]: what it is told and what it says are lines of 1 to 64 printable ASCII characters, and no answer means two things";
            return Err(Failure::new(Kind::Usage, fault));
        }
        let seconds = self.seconds.unwrap_or(FEEDING);
        if !(1..=MOST_FEEDING).contains(&seconds) {
            let fault = format!("[slots.feeder]: seconds is 1 to {MOST_FEEDING}");
            return Err(Failure::new(Kind::Usage, fault));
        }
        Ok(SlotFeeder {
            at: self.at.parse().or_fail(Kind::Usage)?,
            texts,
            patience: Duration::from_secs(seconds),
        })
    }
}

/// Where one chip of the blanks is reached.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Chip {
    pub(crate) product: String,
    pub(crate) reader: String,
}

/// The card printer of a slot.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SlotDevice {
    /// Its profile's name.
    profile: String,
    /// Where it is: tcp://HOST:PORT, serial:/dev/….
    at: String,
    /// The serial number that it must have.
    serial_number: Option<String>,
}

impl SlotDevice {
    /// Finds its profile and place. Nothing is connected.
    pub(crate) fn find(&self, printers: &Shelf) -> Result<SlotPrinter, Failure> {
        let profile = device::profile(printers, &self.profile)?;
        let digest = text_digest(printers.text(&self.profile).unwrap_or_default());
        let place = device::place(profile, &self.at, self.serial_number.clone())?;
        Ok(SlotPrinter {
            profile: ProfilePin {
                name: self.profile.clone(),
                digest,
            },
            place,
        })
    }
}

impl Setup {
    /// Reads a folder's `station.toml`, if there is one.
    pub(crate) fn find(folder: &Path) -> Result<Option<Self>, Failure> {
        match folder.join("station.toml").exists() {
            true => Self::read(folder).map(Some),
            false => Ok(None),
        }
    }

    /// Reads a folder's `station.toml`.
    pub(crate) fn read(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join("station.toml");
        let bytes = files::read(&path, files::SHORT)?;
        let fault = |fault: String| {
            Failure::new(Kind::Usage, format!("{}: {fault}", path.display()))
                .with_hint("docs/operation.md, \"A station\", has an example")
        };
        let text = String::from_utf8(bytes).map_err(|_| fault("this is no text".to_owned()))?;
        let mut setup: Self = toml::from_str(&text).map_err(|error| fault(error.to_string()))?;
        folder.clone_into(&mut setup.folder);
        setup.check().map_err(fault)?;
        Ok(setup)
    }

    /// Demands slots that can be told apart, and no reader at two of them.
    fn check(&self) -> Result<(), String> {
        if self.slots.is_empty() || self.slots.len() > MOST_SLOTS {
            return Err(format!("a station has 1 to {MOST_SLOTS} [[slots]]"));
        }
        if !self.listen().ip().is_loopback() {
            return Err(
                "listen is an address of the loopback interface: 127.0.0.1:PORT".to_owned(),
            );
        }
        let (mut names, mut readers) = (BTreeSet::new(), BTreeSet::new());
        let mut devices_taken = BTreeSet::new();
        for slot in &self.slots {
            if slot.name.trim().is_empty() || slot.name.len() > 64 {
                return Err("a slot has a name of 1 to 64 bytes".to_owned());
            }
            if !names.insert(&slot.name) {
                return Err(format!("two slots are named {:?}", slot.name));
            }
            if slot.chips.is_empty() {
                return Err(format!("slot {:?} has no chips", slot.name));
            }
            if slot.printer.is_some() && slot.feeder.is_some() {
                return Err(format!(
                    "slot {:?} has a printer and a feeder: the printer feeds",
                    slot.name
                ));
            }
            let printer = slot.printer.iter().map(|printer| &printer.at);
            let feeder = slot.feeder.iter().map(|feeder| &feeder.at);
            for device in printer.chain(feeder).chain(&slot.scanner) {
                if !devices_taken.insert(device) {
                    return Err(format!("device {device:?} stands at two slots"));
                }
            }
            for chip in &slot.chips {
                if !readers.insert(&chip.reader) {
                    return Err(format!("reader {:?} stands at two places", chip.reader));
                }
            }
        }
        Ok(())
    }

    /// Returns where the station's own interface listens.
    pub(crate) fn listen(&self) -> SocketAddr {
        self.listen.unwrap_or(LISTEN)
    }

    /// Returns for how long a card is held for an absent centre.
    pub(crate) fn parking(&self) -> Duration {
        Duration::from_secs(self.parking_minutes.unwrap_or(PARKING) * 60)
    }

    /// Returns the file of the certificate that the server's own is looked for under.
    pub(crate) fn authority(&self) -> Option<PathBuf> {
        let file = self.authority.as_ref();
        file.map(|file| self.folder.join(file))
    }

    /// Returns the folder of profiles that are laid over the shipped ones.
    pub(crate) fn profiles(&self) -> Option<PathBuf> {
        let folder = self.profiles.as_ref();
        folder.map(|folder| self.folder.join(folder))
    }

    /// Returns the journal's file.
    pub(crate) fn journal(&self) -> PathBuf {
        self.folder.join("journal.db")
    }

    /// Returns the slots, with the printers of these profiles.
    pub(crate) fn slots(&self, printers: &Shelf) -> Result<Vec<SlotConfig>, Failure> {
        let chip = |chip: &Chip| SlotChip {
            product: chip.product.clone(),
            reader: chip.reader.clone(),
        };
        let slots = self.slots.iter().map(|slot| {
            let printer = slot.printer.as_ref();
            Ok(SlotConfig {
                name: slot.name.clone(),
                article: slot.article.clone(),
                chips: slot.chips.iter().map(chip).collect(),
                printer: printer.map(|printer| printer.find(printers)).transpose()?,
                feeder: slot.feeder()?,
                scanner: slot.scanner()?,
            })
        });
        slots.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: &str = r#"
        environment = "test"
        server = "https://centre.example:8443"
        [[slots]]
        name = "left"
        chips = [{ product = "a", reader = "R 1" }, { product = "b", reader = "R 2" }]
        [[slots]]
        name = "right"
        chips = [{ product = "a", reader = "R 3" }]
    "#;

    fn read(text: &str) -> Result<Setup, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("station.toml"), text).unwrap();
        Setup::read(folder.path()).map_err(|failure| failure.message().to_owned())
    }

    #[test]
    fn a_setup_has_the_usual_times_and_places() {
        let setup = read(SOUND).unwrap();
        assert_eq!(setup.listen(), "127.0.0.1:8447".parse().unwrap());
        assert_eq!(setup.parking(), Duration::from_secs(480));
        let slots = setup.slots(&Shelf::default()).unwrap();
        assert_eq!(slots.len(), 2);
        assert_eq!(slots[0].chips[1].reader, "R 2");
    }

    #[test]
    fn a_slot_may_have_a_printer_of_a_known_profile() {
        let printer = |profile: &str, at: &str| {
            let text = format!(
                "{SOUND}\n[slots.printer]\nprofile = \"{profile}\"\nat = \"{at}\"\nserial_number = \"V1\"\n"
            );
            let shelf = crate::cli::shipped::profiles(None).unwrap_or_else(|_| panic!());
            let slots = read(&text).unwrap().slots(&shelf.printers);
            slots.map_err(|failure| failure.message().to_owned())
        };
        let slots = printer("esc-ymcko", "tcp://127.0.0.1:9100").unwrap();
        let found = slots[1].printer.as_ref().unwrap();
        assert_eq!(found.profile.name, "esc-ymcko");
        assert_eq!(found.place.capabilities().resolution, 300);
        let told = |profile: &str, at: &str, what: &str| {
            let fault = printer(profile, at).err().unwrap();
            assert!(fault.contains(what), "{fault}");
        };
        told("esc", "tcp://127.0.0.1:9100", "no printer profile is named");
        told("esc-ymcko", "127.0.0.1", "tcp://HOST:PORT");
        told("zpl-300", "tcp://127.0.0.1:9100", "prints no cards");
    }

    #[test]
    fn a_slot_of_readers_may_have_a_feeder() {
        let feeder = |lines: &str| {
            let text = format!(
                "{SOUND}\n[slots.feeder]\nat = \"serial:/dev/ttyS1\"\nfeed = \"F\"\nfed = \"OK\"\nempty = \"EMPTY\"\njam = \"JAM\"\ngood = \"G\"\nreject = \"R\"\n{lines}\n"
            );
            let slots = read(&text)?.slots(&Shelf::default());
            slots.map_err(|failure| failure.message().to_owned())
        };
        let slots = feeder("out = \"OUT\"").unwrap();
        let found = slots[1].feeder.as_ref().unwrap();
        assert_eq!(found.at.to_string(), "serial:/dev/ttyS1");
        assert_eq!(found.patience, Duration::from_secs(20));
        let told = |lines: &str, what: &str| {
            let fault = feeder(lines).err().unwrap();
            assert!(fault.contains(what), "{fault}");
        };
        told("", "missing field `out`");
        told("out = \"JAM\"", "no answer means two things");
        told("out = \"OUT\\n\"", "printable ASCII");
        told("out = \"OUT\"\nseconds = 0", "1 to 120");
        told(
            "out = \"OUT\"\n[slots.printer]\nprofile = \"esc-ymcko\"\nat = \"tcp://127.0.0.1\"",
            "the printer feeds",
        );
    }

    #[test]
    fn what_cannot_be_is_told_with_its_place() {
        let told = |from: &str, to: &str, what: &str| {
            let fault = read(&SOUND.replace(from, to)).err().unwrap();
            assert!(fault.contains(what), "{fault}");
        };
        told("right", "left", "two slots are named \"left\"");
        told("R 3", "R 1", "reader \"R 1\" stands at two places");
        told("product = \"b\"", "chip = \"b\"", "unknown field `chip`");
        told(
            "environment = \"test\"",
            "environment = \"test\"\nlisten = \"0.0.0.0:80\"",
            "loopback",
        );
        told("name = \"left\"", "name = \" \"", "a slot has a name");
        let none = SOUND.split("[[slots]]").next().unwrap();
        assert!(read(none).err().unwrap().contains("1 to 16"));
    }
}

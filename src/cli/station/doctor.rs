//! `zimogs station doctor`: whether everything is there that the station needs, and what to do where
//! it is not.

use std::collections::BTreeSet;
use std::path::PathBuf;

use api::wire::StationSelf;
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use print::{Scanner, ScannerSettings};
use profile::ChipProfile;
use reader::{ReaderState, Readers};
use station::{CentreView, Journal, StationError, StationKey};

use crate::cli::card::pem;
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::findings::Findings;
use crate::cli::station::daemon::MOST_DRIFT;
use crate::cli::station::setup::Setup;
use crate::cli::{secret_file, shipped};

/// How long before its end a certificate should be renewed.
const RENEW: SignedDuration = SignedDuration::from_hours(24 * 14);

/// A station to look at.
#[derive(Args)]
pub(crate) struct Doctor {
    /// Where its key, certificate, station.toml and journal are kept.
    #[arg(long)]
    folder: PathBuf,
    /// One JSON value instead of text.
    #[arg(long)]
    json: bool,
}

/// Looks at everything.
pub(crate) fn run(options: &Doctor) -> Result<(), Failure> {
    let mut findings = Findings::default();
    let setup = match Setup::read(&options.folder) {
        Ok(setup) => {
            let slots = setup.slots.len();
            findings.passed("station.toml", format!("{slots} slots"));
            Some(setup)
        }
        Err(failure) => {
            let remedy = "write it: docs/operation.md, \"A station\", has an example";
            findings.failed("station.toml", Kind::Usage, failure.message(), remedy);
            None
        }
    };
    certificate(options, &mut findings);
    if let Some(setup) = &setup {
        centre(options, setup, &mut findings);
        profiles(setup, &mut findings);
        readers(setup, &mut findings);
        match Journal::open(&setup.journal()) {
            // It has these devices to itself: what is asked in between is taken for its own.
            Err(StationError::JournalInUse { .. }) => devices_in_use(setup, &mut findings),
            _ => {
                printers(setup, &mut findings);
                feeders(setup, &mut findings);
                scanners(setup, &mut findings);
            }
        }
        journal(setup, &mut findings);
    }
    findings.disk(&options.folder);
    findings.tell(options.json)
}

/// Looks whether key and certificate are there, belong together and hold.
fn certificate(options: &Doctor, findings: &mut Findings) {
    let enrol = "zimogs station enroll makes the key and a request; the centre answers it";
    let key = secret_file::read(&options.folder.join("station.key"), "the station's key");
    let key = key.and_then(|text| StationKey::from_pem(&text).or_fail(Kind::Usage));
    let key = match key {
        Ok(key) => key,
        Err(failure) => {
            return findings.failed("certificate", Kind::Usage, failure.message(), enrol);
        }
    };
    let own = match pem::read(&options.folder.join("station.pem")) {
        Ok(found) => found.into_iter().next(),
        Err(failure) => {
            return findings.failed("certificate", Kind::Usage, failure.message(), enrol);
        }
    };
    let Some(own) = own.filter(|own| key.fits(own)) else {
        return findings.failed(
            "certificate",
            Kind::Usage,
            "station.pem is not for station.key",
            enrol,
        );
    };
    let until = own.validity().not_after;
    let left = until.duration_since(Timestamp::now());
    let found = format!("{} until {until}", own.subject());
    if left.is_negative() || left.is_zero() {
        findings.failed(
            "certificate",
            Kind::Usage,
            format!("ended at {until}"),
            enrol,
        );
    } else if left < RENEW {
        let remedy = "zimogs station renew --folder …";
        findings.warned("certificate", found, remedy);
    } else {
        findings.passed("certificate", found);
    }
}

/// Looks whether the centre answers, is of the same environment, and what time it is there.
fn centre(options: &Doctor, setup: &Setup, findings: &mut Findings) {
    let asked = Timestamp::now();
    let asking = || -> Result<(StationSelf, SignedDuration), String> {
        let authority = setup.authority();
        let centre = super::remote(&options.folder, &setup.server, authority.as_deref())
            .map_err(|failure| failure.message().to_owned())?;
        let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
        let begun = std::time::Instant::now();
        let own = runtime
            .block_on(centre.own())
            .map_err(|error| error.to_string())?;
        let took = SignedDuration::try_from(begun.elapsed()).unwrap_or_default();
        Ok((own, took))
    };
    let (own, took) = match asking() {
        Ok(answer) => answer,
        Err(reason) => {
            let remedy =
                "look at the network, at server and authority in station.toml, and at the centre";
            return findings.failed("centre", Kind::Failed, reason, remedy);
        }
    };
    if own.environment != setup.environment {
        let found = format!(
            "station.toml says {}, the centre is of {}",
            setup.environment, own.environment
        );
        findings.failed(
            "centre",
            Kind::Failed,
            found,
            "connect the station to its own centre",
        );
    } else {
        let office = own
            .office
            .as_ref()
            .map_or("the centre's".to_owned(), |office| format!("of {office}"));
        findings.passed(
            "centre",
            format!("{} knows it as {}, {office}", setup.server, own.name),
        );
    }
    let view = CentreView::answered(&setup.server, (asked, took), own.now, own.not_after);
    let ahead = SignedDuration::from_millis(view.clock_ahead_ms.unwrap_or_default());
    let found = format!("{:.1} s from the centre's", ahead.abs().as_secs_f64());
    match ahead.abs() > MOST_DRIFT {
        true => findings.failed("clock", Kind::Failed, found, "timedatectl set-ntp true"),
        false => findings.passed("clock", found),
    }
}

/// Looks whether the slots' chips have profiles.
fn profiles(setup: &Setup, findings: &mut Findings) {
    let remedy =
        "name products as `zimogs profile list` shows them, or the folder of your own profiles";
    let profiles = match shipped::profiles(setup.profiles().as_deref()) {
        Ok(profiles) => profiles,
        Err(failure) => return findings.failed("profiles", Kind::Usage, failure.message(), remedy),
    };
    let products: BTreeSet<_> = setup
        .slots
        .iter()
        .flat_map(|slot| &slot.chips)
        .map(|chip| &chip.product)
        .collect();
    for product in &products {
        if let Err(error) = ChipProfile::load(&profiles.chips, product) {
            return findings.failed("profiles", Kind::Usage, error.to_string(), remedy);
        }
    }
    findings.passed(
        "profiles",
        format!("{} chip products at the slots", products.len()),
    );
}

/// Looks whether the slots' readers are there.
fn readers(setup: &Setup, findings: &mut Findings) {
    let there = match Readers::new().and_then(|readers| readers.list()) {
        Ok(there) => there,
        Err(error) => {
            let remedy =
                "systemctl start pcscd; the account of the station needs leave to use it (polkit)";
            return findings.failed("card service", Kind::Device, error.to_string(), remedy);
        }
    };
    findings.passed("card service", format!("{} readers", there.len()));
    for slot in &setup.slots {
        for chip in &slot.chips {
            let check = format!("slot {}", slot.name);
            match there.iter().find(|reader| reader.name == chip.reader) {
                Some(reader) => findings.passed(check, at(reader)),
                None => {
                    let found = format!("no reader is named {:?}", chip.reader);
                    let remedy = "plug it in, or name it as `zimogs card list` does";
                    findings.failed(check, Kind::Device, found, remedy);
                }
            }
        }
    }
    let taken: BTreeSet<_> = setup
        .slots
        .iter()
        .flat_map(|slot| &slot.chips)
        .map(|chip| &chip.reader)
        .collect();
    for reader in there.iter().filter(|reader| !taken.contains(&&reader.name)) {
        let found = format!("{} stands at no slot", reader.name);
        findings.warned("readers", found, "set it up in station.toml, or leave it");
    }
}

/// Says that printers, feeders and scanners are not asked while the station works with them.
fn devices_in_use(setup: &Setup, findings: &mut Findings) {
    for slot in &setup.slots {
        for (device, is_there) in [
            ("printer", slot.printer.is_some()),
            ("feeder", slot.feeder.is_some()),
            ("scanner", slot.scanner.is_some()),
        ] {
            if is_there {
                let check = format!("{device} of {}", slot.name);
                findings.passed(check, "in use: the station is running");
            }
        }
    }
}

/// Looks whether the slots' printers are there and ready. No card moves.
fn printers(setup: &Setup, findings: &mut Findings) {
    // What the profiles say wrong was found before.
    let Ok(profiles) = shipped::profiles(setup.profiles().as_deref()) else {
        return;
    };
    for slot in &setup.slots {
        let Some(printer) = &slot.printer else {
            continue;
        };
        let check = format!("printer of {}", slot.name);
        let printer = match printer.find(&profiles.printers) {
            Ok(printer) => printer,
            Err(failure) => {
                let remedy = "correct [slots.printer] in station.toml, or the printer's profile";
                findings.failed(check, Kind::Usage, failure.message(), remedy);
                continue;
            }
        };
        let stations = &printer.place.capabilities().stations;
        let interfaces = slot.chips.iter().filter_map(|chip| {
            let chip = ChipProfile::load(&profiles.chips, &chip.product).ok()?;
            Some(chip.interface.to_string())
        });
        let mut missing = interfaces
            .filter(|interface| !stations.iter().any(|station| station.name() == interface));
        if let Some(interface) = missing.next() {
            let found = format!("it has no {interface} station, and the slot has such a chip");
            let remedy = "name a printer with such a station, or its profile's \"stations\"";
            findings.failed(check, Kind::Usage, found, remedy);
            continue;
        }
        let asked = printer.place.connect().and_then(|mut printer| {
            let identity = printer.identity()?;
            Ok((identity, printer.status()?))
        });
        match asked {
            Ok((identity, status)) => {
                let found = format!("{} {}", identity.model, identity.serial);
                let said: Vec<_> = status.conditions.iter().map(|said| said.name()).collect();
                match status.is_ready() {
                    true => findings.passed(check, found),
                    false => {
                        let found = format!("{found}: {}", said.join(", "));
                        findings.failed(check, Kind::Device, found, "look at the printer's panel");
                    }
                }
            }
            Err(error) => {
                findings.failed(check, Kind::Device, error.to_string(), error.remedy());
            }
        }
    }
}

/// Looks whether the slots' feeders are there. Nothing moves.
fn feeders(setup: &Setup, findings: &mut Findings) {
    for slot in &setup.slots {
        let check = format!("feeder of {}", slot.name);
        let remedy = "look at its cable, and at [slots.feeder] in station.toml";
        match slot.feeder() {
            Ok(None) => {}
            Ok(Some(feeder)) => match feeder.feeder().look() {
                Ok(()) => findings.passed(check, feeder.at.to_string()),
                Err(error) => findings.failed(check, Kind::Device, error.to_string(), remedy),
            },
            Err(failure) => findings.failed(check, Kind::Usage, failure.message(), remedy),
        }
    }
}

/// Looks whether the slots' scanners can be listened to.
fn scanners(setup: &Setup, findings: &mut Findings) {
    for slot in &setup.slots {
        let check = format!("scanner of {}", slot.name);
        let remedy = "look at its cable, and at scanner in station.toml: serial:/dev/…";
        match slot.scanner() {
            Ok(None) => {}
            Ok(Some(at)) => {
                let found = at.to_string();
                match Scanner::new(at, ScannerSettings::default()).arm() {
                    Ok(()) => findings.passed(check, found),
                    Err(error) => findings.failed(check, Kind::Device, error.to_string(), remedy),
                }
            }
            Err(failure) => findings.failed(check, Kind::Usage, failure.message(), remedy),
        }
    }
}

fn at(reader: &ReaderState) -> String {
    let card = match (&reader.atr, reader.in_use) {
        (_, true) => "a card in use",
        (Some(_), false) => "a card",
        (None, false) => "empty",
    };
    format!("{}: {card}", reader.name)
}

/// Looks whether the journal opens, and what waits in it.
fn journal(setup: &Setup, findings: &mut Findings) {
    let opened = Journal::open(&setup.journal());
    let waiting = opened.and_then(|journal| Ok((journal.waiting()?, journal.hello()?.in_work)));
    match waiting {
        Ok((waiting, in_work)) => findings.passed(
            "journal",
            format!("{waiting} reports wait for the centre, {in_work} documents were in work"),
        ),
        Err(StationError::JournalInUse { .. }) => {
            findings.passed("journal", "in use: the station is running");
        }
        Err(error) => {
            let remedy =
                "look at disk and permissions; a damaged journal is kept, and the centre is told";
            findings.failed("journal", Kind::Failed, error.to_string(), remedy);
        }
    }
}

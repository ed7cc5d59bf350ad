//! Power cuts: at every command of a personalization, and inside a command.

use std::sync::{Arc, Mutex};

use card::{Channel, ChannelError};

use super::host::{Host, command, field};
use super::personalized::{FIRST, PIN1};
use crate::chip::Chip;
use crate::fault::{Fault, FaultKind};
use crate::identity::ChipNumber;
use crate::in_process::InProcess;
use crate::product::PRODUCTS;
use crate::store::{FileStore, Image, Store, StoreError};
use crate::transport::TransportMasterKey;
use crate::vectors::unhex;

/// Keeps every image that the chip commits: what a power cut right after would leave.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<Vec<u8>>>>);

impl Store for Recorder {
    fn commit(&mut self, image: &Image<'_>) -> Result<(), StoreError> {
        self.0.lock().unwrap().push(image.encode()?.to_vec());
        Ok(())
    }
}

/// Fails from the n-th commit on.
struct Failing(u32);

impl Store for Failing {
    fn commit(&mut self, _: &Image<'_>) -> Result<(), StoreError> {
        match self.0 {
            0 => Err(StoreError::Product("full".into())),
            left => {
                self.0 = left - 1;
                Ok(())
            }
        }
    }
}

fn blank(store: impl Store + 'static) -> Host {
    let number = ChipNumber::new([0, 0], [0, 0, 0, 7]);
    let keys = TransportMasterKey::new(super::host::MASTER);
    Host::of(Chip::blank(&PRODUCTS[0], number, &keys, store).unwrap())
}

#[test]
fn every_committed_image_is_a_whole_chip() {
    let recorder = Recorder::default();
    let mut host = blank(recorder.clone());
    host.personalize(&FIRST);
    let images = recorder.0.lock().unwrap();
    assert!(images.len() > 40, "{} commits", images.len());
    for image in images.iter() {
        let mut torn = Host::of(Chip::restore(image).unwrap());
        torn.expect("80CA9F7F00", 0x9000);
        torn.eid().expect("00A4040C00", 0x9000);
    }
    assert_eq!(
        *images.last().unwrap(),
        host.chip.snapshot().unwrap().to_vec()
    );
}

#[test]
fn a_guess_cut_off_by_the_power_costs_its_try() {
    // Commits so far are none; the first of VERIFY takes the try, the second gives it back.
    let personalized = Host::personalized();
    let image = personalized.chip.snapshot().unwrap();
    let mut chip = Chip::restore(&image).unwrap();
    chip.replace_store(Failing(1));
    let mut host = Host::of(chip);
    host.eid();
    host.expect(&command("00200001", &field(PIN1)), 0x6581);
    // The answer tells nothing, and the try is gone.
    host.eid().expect("00200001", 0x63C2);
}

#[test]
fn what_cannot_be_kept_did_not_happen() {
    let mut host = blank(Failing(4));
    host.eid().open_transport(0x33);
    host.secure("00E000000D620B800200108201018302D003", 0x6581);
    host.chip.reset();
    host.eid().expect("00A4020402D00300", 0x6A82);
}

/// Writes the n-th commit and then cannot tell whether it holds.
struct Unsettled(u32);

impl Store for Unsettled {
    fn commit(&mut self, _: &Image<'_>) -> Result<(), StoreError> {
        self.0 = self.0.saturating_sub(1);
        match self.0 {
            0 => Err(StoreError::Product("unsettled".into())),
            _ => Ok(()),
        }
    }

    fn is_unsettled(&self) -> bool {
        self.0 == 0
    }
}

#[test]
fn a_chip_that_does_not_know_its_memory_stops() {
    let mut host = blank(Unsettled(2));
    host.expect("80500000081122334455667788", 0x6581);
    host.expect("80CA9F7F00", 0x6F00);
    host.chip.reset();
    host.expect("80CA9F7F00", 0x6F00);
}

#[test]
fn a_chip_runs_once_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chip.json");
    let host = blank(FileStore::create(&path).unwrap());
    let second = Chip::open(&path);
    assert!(matches!(second, Err(StoreError::InUse(of)) if of == path));
    drop(host);
    let first = Chip::open(&path).unwrap();
    assert!(matches!(Chip::open(&path), Err(StoreError::InUse(_))));
    drop(first);
    assert!(Chip::open(&path).is_ok());
}

#[test]
fn a_blank_leaves_another_chips_key_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chip.json");
    let away = folder.path().join("away.json");
    drop(blank(FileStore::create(&path).unwrap()));
    std::fs::rename(&path, &away).unwrap();
    let key = folder.path().join("chip.json.key");
    let refused = FileStore::create(&path);
    assert!(matches!(refused, Err(StoreError::Exists(of)) if of == key));
    std::fs::rename(&away, &path).unwrap();
    assert!(Chip::open(&path).is_ok());
}

#[test]
fn removal_before_leaves_no_trace_and_removal_after_leaves_the_whole() {
    let host = Host::personalized();
    let before = host.chip.snapshot().unwrap();
    let wrong = unhex(&command("00200001", &field("0000")));
    for (kind, left) in [
        (FaultKind::RemoveBefore, 0x63C3),
        (FaultKind::RemoveAfter, 0x63C2),
    ] {
        let chip = Chip::restore(&before).unwrap();
        let mut channel = InProcess::with_faults(chip, vec![Fault { at: 2, kind }]);
        let select = unhex("00A4040C10A000000077010800070000FE00000100");
        assert_eq!(channel.transmit(&select).unwrap(), [0x90, 0x00]);
        for _ in 0..3 {
            let gone = channel.transmit(&wrong);
            assert!(matches!(gone, Err(ChannelError::Removed)));
        }
        assert!(matches!(channel.reset(), Err(ChannelError::Removed)));
        let mut again = Host::of(channel.into_chip());
        again.eid().expect("00200001", left);
    }
}

#[test]
fn garbage_is_what_was_asked_for() {
    let meet = |kind| {
        let mut host = Host::blank();
        host.isd();
        let faults = vec![Fault { at: 1, kind }];
        let mut channel = InProcess::with_faults(host.chip, faults);
        let first = channel.transmit(&unhex("80CA9F7F00"));
        (first, channel.transmit(&unhex("80CA9F7F00")))
    };
    let right = Host::blank().chip.process(&unhex("80CA9F7F00"));
    let (noise, next) = meet(FaultKind::Random { length: 45 });
    assert_eq!(noise.unwrap().len(), 45);
    assert_eq!(next.unwrap(), right);
    let (changed, next) = meet(FaultKind::WrongMac);
    let changed = changed.unwrap();
    assert_eq!(
        (&changed[..37], &changed[45..]),
        (&right[..37], &right[45..])
    );
    assert!(
        changed[37..45]
            .iter()
            .zip(&right[37..45])
            .all(|(a, b)| *a == !*b)
    );
    assert_eq!(next.unwrap(), right);
    let (endless, next) = meet(FaultKind::Endless);
    assert_eq!(endless.unwrap()[16..], [0x61, 0x10]);
    assert_eq!(next.unwrap()[16..], [0x61, 0x10]);
    let (mute, _) = meet(FaultKind::Mute);
    assert!(matches!(mute, Err(ChannelError::Timeout { .. })));
    let (slow, _) = meet(FaultKind::Slow { ms: 1 });
    assert_eq!(slow.unwrap(), right);
}

#[test]
fn a_file_keeps_the_chip_and_no_secret_in_clear() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chip.json");
    let mut host = blank(FileStore::create(&path).unwrap());
    host.personalize(&FIRST);
    let serial = host.chip.serial();
    drop(host);
    let text = std::fs::read_to_string(&path).unwrap();
    for digits in [PIN1, super::personalized::PIN2, super::personalized::PUK] {
        assert!(!text.contains(digits) && !text.contains(&hex::encode(digits)));
    }
    let mut again = Host::of(Chip::open(&path).unwrap());
    assert_eq!(again.chip.serial(), serial);
    again
        .eid()
        .expect(&command("00200001", &field(PIN1)), 0x9000);
    drop(again);
    // Another chip's key, a changed byte, a second blank in the same place: all refused.
    assert!(matches!(
        FileStore::create(&path),
        Err(StoreError::Exists(_))
    ));
    let key = folder.path().join("chip.json.key");
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(&key).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    std::fs::write(&path, text.replace("\"card\":15", "\"card\":7")).unwrap();
    assert!(matches!(Chip::open(&path), Err(StoreError::Damaged { .. })));
    std::fs::write(&path, &text).unwrap();
    std::fs::write(&key, "00".repeat(32)).unwrap();
    assert!(matches!(Chip::open(&path), Err(StoreError::Damaged { .. })));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(400))]

    #[test]
    fn no_bytes_break_the_chip(
        commands in proptest::collection::vec(
            proptest::collection::vec(proptest::num::u8::ANY, 0..40), 1..20),
        eid in proptest::bool::ANY,
    ) {
        let mut host = Host::blank();
        if eid {
            host.eid();
        }
        for command in commands {
            let answer = host.chip.process(&command);
            proptest::prop_assert!(answer.len() >= 2);
        }
    }

    #[test]
    fn no_data_break_a_command(
        ins in proptest::sample::select(vec![
            0xA4_u8, 0xB0, 0xD6, 0xE0, 0xCB, 0xDB, 0x20, 0x24, 0x2C, 0x47, 0x22, 0x2A, 0x88,
        ]),
        p1 in proptest::num::u8::ANY,
        p2 in proptest::num::u8::ANY,
        data in proptest::collection::vec(proptest::num::u8::ANY, 0..60),
    ) {
        let mut host = Host::blank();
        host.eid().open_transport(0x01);
        let plain = card::Command::new(0x00, ins, p1, p2).with_data(data).with_le(256);
        let wrapped = host.wrap(&plain.encode().unwrap());
        let answer = host.chip.process(&wrapped.encode().unwrap());
        proptest::prop_assert!(answer.len() >= 2);
    }
}

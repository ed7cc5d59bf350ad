//! PINs on a reader's own keys, before a virtual chip that knows its PIN.

use card::Status;
use pad_driver::{Driver, Fingers};
use vcard::{Chip, ChipNumber, InProcess, Memory, Product, TransportMasterKey};

use super::*;
use crate::pin_pad::PinField;

#[path = "pad_driver.rs"]
mod pad_driver;

/// The PIV application's PIN and PUK as it leaves its maker (*SP 800-73-4 Part 2*): eight bytes
/// filled with FF.
const PIN: &str = "123456";
const PUK: &str = "12345678";

fn chip() -> InProcess {
    let product = Product::find("piv").unwrap();
    let number = ChipNumber::new([0, 1], [0, 0, 0, 1]);
    let key = TransportMasterKey::new([0x55; 16]);
    let chip = Chip::blank(product, number, &key, Memory).unwrap();
    let mut chip = InProcess::new(chip);
    let select = b"\x00\xA4\x04\x00\x0B\xA0\x00\x00\x03\x08\x00\x00\x10\x00\x01\x00\x00";
    let answer = chip.transmit(select).unwrap();
    assert!(answer.ends_with(&[0x90, 0x00]) || answer[answer.len() - 2] == 0x61);
    chip
}

/// VERIFY, CHANGE REFERENCE DATA and RESET RETRY COUNTER, whose PINs the reader asks for.
fn entries() -> Vec<PinEntry> {
    let entry = |ins, data: &[u8], asked| {
        let digits = (6, 8);
        PinEntry::new([0, ins, 0, 0x80], data, PinField::Ascii(8), asked, digits).unwrap()
    };
    let modify = Asked::Modify { old: 0, new: 8 };
    vec![
        entry(0x20, &[0xFF; 8], Asked::Verify(0)),
        entry(0x24, &[0xFF; 16], modify),
        entry(0x2C, &[0xFF; 16], modify),
    ]
}

fn on_pad(fingers: Vec<Fingers>) -> OnPad<Driver<InProcess>> {
    let mut driver = Driver::new(chip(), fingers);
    let pad = PinPad::ask(&mut driver).unwrap().expect("it has a pad");
    assert!(pad.verifies() && pad.modifies());
    OnPad::new(driver, &pad, entries())
        .map_err(|(_, fault)| fault)
        .unwrap()
}

/// What stands for the PINs where nobody knows them: it would be wrong everywhere.
fn command(ins: u8) -> Vec<u8> {
    let length = if ins == 0x20 { 8 } else { 16 };
    [
        &[0, ins, 0, 0x80, length][..],
        &vec![b'9'; usize::from(length)],
    ]
    .concat()
}

fn typed(pins: &[&'static str]) -> Fingers {
    Fingers::Type(pins.to_vec())
}

#[test]
fn a_pin_is_presented_changed_and_unblocked_on_the_pad() {
    let mut channel = on_pad(vec![
        typed(&[PIN]),
        typed(&["111222"]),
        typed(&[PIN, "271828", "271828"]),
        typed(&["271828"]),
        typed(&["87654321", "314159", "314159"]),
        typed(&[PUK, "314159", "314159"]),
        typed(&["314159"]),
    ]);
    let mut status = |ins| {
        let answer = channel.transmit(&command(ins)).unwrap();
        Status::new(u16::from_be_bytes(answer.try_into().unwrap()))
    };
    assert!(status(0x20).is_ok());
    assert_eq!(status(0x20).tries_left(), Some(4), "a wrong PIN");
    assert!(status(0x24).is_ok(), "the right one gives it another");
    assert!(status(0x20).is_ok(), "which is the new one");
    assert_eq!(status(0x2C).tries_left(), Some(2), "a wrong PUK");
    assert!(status(0x2C).is_ok());
    assert!(status(0x20).is_ok());
    assert!(channel.inner.plain.is_empty(), "no PIN came from here");
    // Asking for the tries has no PIN, and goes the ordinary way.
    channel.transmit(&[0, 0x20, 0, 0x80]).unwrap();
    assert_eq!(channel.inner.plain, [[0, 0x20, 0, 0x80]]);
}

#[test]
fn what_the_reader_says_is_no_word_of_the_card() {
    let mut channel = on_pad(vec![
        Fingers::Cancel,
        Fingers::Nothing,
        typed(&[PIN, "271828", "271829"]),
        typed(&["12345"]),
        typed(&[PIN]),
    ]);
    for (ins, fault) in [
        (0x20, PinPadFault::Cancelled),
        (0x20, PinPadFault::TimedOut),
        (0x24, PinPadFault::Differ),
        (0x20, PinPadFault::Length),
    ] {
        let error = channel.transmit(&command(ins)).unwrap_err();
        let ChannelError::Device { source, .. } = error else {
            panic!("{error}");
        };
        let found = source.unwrap();
        assert_eq!(found.downcast_ref(), Some(&fault));
    }
    let answer = channel.transmit(&command(0x20)).unwrap();
    assert_eq!(answer, [0x90, 0x00], "none of these was a try");
}

#[test]
fn a_reader_without_a_pad_is_none() {
    let mut without = Driver::new(chip(), Vec::new());
    for features in [vec![], vec![0x06, 4, 0], vec![0x20, 4, 0, 0, 0, 1]] {
        without.features = features;
        assert_eq!(PinPad::ask(&mut without).unwrap(), None);
    }
    /// The virtual reader's driver, as others, has no control commands at all.
    struct None_;
    impl Control for None_ {
        fn control(&mut self, _: u32, _: &[u8]) -> Result<Zeroizing<Vec<u8>>, ChannelError> {
            Err(ChannelError::Device {
                context: "no".into(),
                source: None,
            })
        }
    }
    assert_eq!(PinPad::ask(&mut None_).unwrap(), None);
}

#[test]
fn a_pad_that_cannot_do_it_is_told_before() {
    let mut driver = Driver::new(chip(), Vec::new());
    // Verify alone.
    driver.features.truncate(6);
    let pad = PinPad::ask(&mut driver).unwrap().unwrap();
    let (_, fault) = OnPad::new(driver, &pad, entries()).err().unwrap();
    assert_eq!(fault, PinPadFault::Refused);
    // Only PINs that the card does not take.
    let mut driver = Driver::new(chip(), Vec::new());
    driver.properties = vec![0x06, 1, 9, 0x07, 1, 12];
    let pad = PinPad::ask(&mut driver).unwrap().unwrap();
    let (_, fault) = OnPad::new(driver, &pad, entries()).err().unwrap();
    assert_eq!(fault, PinPadFault::Lengths { least: 9, most: 12 });
}

#[test]
fn a_strict_driver_refuses_what_a_structure_lacks() {
    let whole = entries()[1].encode(false);
    let mut driver = Driver::new(chip(), vec![typed(&[PIN, "271828", "271828"])]);
    let cut: Vec<&[u8]> = (0..whole.len()).map(|length| &whole[..length]).collect();
    for bytes in cut {
        let answer = driver.control(0x4233_0007, bytes).unwrap();
        assert_eq!(answer[..], [0x6B, 0x80]);
    }
    assert_eq!(
        driver.control(0x4233_0007, &whole).unwrap()[..],
        [0x90, 0x00]
    );
}

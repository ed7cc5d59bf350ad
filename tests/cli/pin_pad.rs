//! Where the PINs of shipped chips stand in their commands.

use card::Channel;
use pad_driver::{Driver, Fingers};
use perso::{Inspector, PinAnswer};
use profile::ObjectKind;
use reader::{Control, OnPad, PinPad};
use vcard::{Chip, ChipNumber, InProcess, Memory, Product, TransportMasterKey};

use super::*;
use crate::cli::card::profiles;

#[path = "../reader/pad_driver.rs"]
mod pad_driver;

fn bytes(chip: &str, operation: Dialect, pin: &str, before: &str) -> Option<String> {
    let chip = profiles::chip(chip).unwrap();
    let object = |name| chip.object(ObjectKind::Pin, name).unwrap();
    let found = entry(
        &chip,
        &Limits::default(),
        operation,
        object(pin),
        object(before),
    )?;
    Some(hex::encode_upper(found.encode(false)))
}

/// Written out by the layout of *PC/SC part 10 §2.6* and each chip's own documentation.
#[test]
fn the_pad_is_told_where_each_chip_has_its_pins() {
    let filled = "FF".repeat(12);
    // PIN1 of 4 to 12 digits, twelve bytes filled with FF, reference 01.
    assert_eq!(
        bytes("lateid-v2", Dialect::VerifyPin, "pin1", "pin1").unwrap(),
        format!("1E1E820C000C040200000000000000110000000020 00010C{filled}").replace(' ', "")
    );
    assert_eq!(
        bytes("lateid-v2", Dialect::ChangePin, "pin1", "pin1").unwrap(),
        format!("1E1E820C00000C0C0403020000000001020000001D000000002400 0118{filled}{filled}")
            .replace(' ', "")
    );
    assert_eq!(
        bytes("lateid-v2", Dialect::UnblockPin, "pin2", "puk").unwrap(),
        format!("1E1E820C00000C0C0603020000000001020000001D000000002C00 8518{filled}{filled}")
            .replace(' ', "")
    );
    let eight = "FF".repeat(8);
    assert_eq!(
        bytes("piv", Dialect::ChangePin, "pin1", "pin1").unwrap(),
        format!("1E1E82080000080806030200000000010200000015000000002400 8010{eight}{eight}")
            .replace(' ', "")
    );
    // Sixteen bytes: the structures have four bits for that.
    assert_eq!(
        bytes("isoapplet-v0", Dialect::ChangePin, "pin1", "pin1"),
        None
    );
}

#[test]
fn a_block_of_format_2_is_found() {
    // ISO 9564-1: 2, the number of digits, the digits, filled with F.
    assert_eq!(hex::encode_upper(block(b"12345")), "2512345FFFFFFFFF");
    let data = [&block(b"2718")[..], &block(b"3141")[..]].concat();
    let found = find(&data, b"3141", None, 8).unwrap();
    assert_eq!((found.field, found.offset), (PinField::Block, 8));
    assert_eq!(
        hex::encode_upper(blank(&data, &[&found])),
        "242718FFFFFFFFFF20FFFFFFFFFFFFFF"
    );
}

/// A whole chip, by its profile alone, in a reader whose driver is strict: what stands for the PINs
/// never comes to the chip.
#[test]
fn a_chip_gets_its_pins_from_the_pad() {
    let chip = profiles::chip("piv").unwrap();
    let object = |name| chip.object(ObjectKind::Pin, name).unwrap();
    let (pin, puk) = (object("pin1"), object("puk"));
    let number = ChipNumber::new([0, 1], [0, 0, 0, 1]);
    let maker = TransportMasterKey::new([0x55; 16]);
    let product = Product::find("piv").unwrap();
    let card = InProcess::new(Chip::blank(product, number, &maker, Memory).unwrap());
    // The maker's PIN and PUK (SP 800-73-4 as yubico-piv-tool and PivApplet have them).
    let typed = |pins: &[&'static str]| Fingers::Type(pins.to_vec());
    let mut driver = Driver::new(
        card,
        vec![
            typed(&["654321", "739184", "739184"]),
            typed(&["123456", "739184", "739184"]),
            typed(&["739184"]),
            typed(&["12345678", "506273", "506273"]),
            typed(&["739184"]),
            typed(&["506273"]),
            Fingers::Cancel,
            Fingers::Nothing,
        ],
    );
    let pad = PinPad::ask(&mut driver).unwrap().unwrap();
    let entries = [
        (Dialect::VerifyPin, pin),
        (Dialect::ChangePin, pin),
        (Dialect::UnblockPin, puk),
    ];
    let entries = entries
        .map(|(operation, before)| entry(&chip, &chip.limits, operation, pin, before).unwrap());
    let channel = OnPad::new(driver, &pad, entries.to_vec()).map_err(|(_, fault)| fault);
    let mut channel = channel.unwrap();
    let mut inspector = Inspector::new(&chip, &mut channel as &mut dyn Channel);
    let own = stand_in(pin, pin);
    let others = stand_in(pin, puk);
    let mut change = || inspector.change_pin(pin, &own.before, &own.new).unwrap();
    assert_eq!(change(), PinAnswer::Wrong(4));
    assert_eq!(change(), PinAnswer::Accepted);
    let mut verify = || inspector.verify_pin(pin, &own.before).unwrap();
    assert_eq!(verify(), PinAnswer::Accepted);
    let unblocked = inspector.unblock_pin(pin, (puk, &others.before), &others.new);
    assert_eq!(unblocked.unwrap(), PinAnswer::Accepted);
    let mut verify = || inspector.verify_pin(pin, &own.before);
    assert_eq!(verify().unwrap(), PinAnswer::Wrong(4), "the one before");
    assert_eq!(verify().unwrap(), PinAnswer::Accepted);
    for _ in 0..2 {
        let not_entered = verify().unwrap_err();
        assert!(not_entered.is_device(), "{not_entered}");
    }
}

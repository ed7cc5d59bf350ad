//! What a holder does with PINs, by the commands that a profile spells, on strict virtual chips.

use card::{Channel, ChannelError};
use profile::{ChipProfile, Object, ObjectKind, Shelf};
use vcard::InProcess;

use crate::desk::{Desk, PINS};
use crate::{InspectError, Inspector, PinAnswer};

fn object<'a>(chip: &'a ChipProfile, name: &str) -> &'a Object {
    chip.object(ObjectKind::Pin, name).unwrap()
}

/// The digits of a PIN that the desk's holder has.
fn own(name: &str) -> &'static [u8] {
    PINS.iter().find(|(known, _)| *known == name).unwrap().1
}

#[test]
fn a_pin_is_changed_by_itself_and_unblocked_by_its_puk() {
    let mut desk = Desk::new(1990);
    let (outcome, made) = desk.run(Desk::blank(), Vec::new());
    assert!(outcome.fault.is_none(), "{:?}", outcome.fault);
    let mut card = InProcess::new(made);
    let chip = &desk.plan.chip;
    let (pin, puk) = (object(chip, "pin1"), object(chip, "puk"));
    let mut inspector = Inspector::new(chip, &mut card as &mut dyn Channel);
    let (first, second) = (own("pin1"), b"739184");
    assert_eq!(
        inspector.change_pin(pin, first, second).unwrap(),
        PinAnswer::Accepted
    );
    for left in [2, 1, 0] {
        let wrong = inspector.change_pin(pin, first, second).unwrap();
        assert_eq!(wrong, PinAnswer::Wrong(left));
    }
    assert_eq!(
        inspector.change_pin(pin, second, first).unwrap(),
        PinAnswer::Blocked
    );
    let wrong = inspector.unblock_pin(pin, (puk, b"918273645"), first);
    assert_eq!(wrong.unwrap(), PinAnswer::Wrong(2));
    // The chip wants four digits at least: the PUK is not tried.
    let short = inspector
        .unblock_pin(pin, (puk, own("puk")), b"739")
        .unwrap_err();
    assert!(short.status().is_some(), "{short}");
    let unblocked = inspector.unblock_pin(pin, (puk, own("puk")), first);
    assert_eq!(unblocked.unwrap(), PinAnswer::Accepted);
    assert_eq!(
        inspector.verify_pin(pin, first).unwrap(),
        PinAnswer::Accepted
    );
    assert_eq!(inspector.tries(puk).unwrap(), 3);
    // This chip does not say whether a PIN was changed.
    let silent = inspector.was_changed(pin).unwrap_err();
    assert!(matches!(silent, InspectError::Unspoken { .. }), "{silent}");
}

/// A chip that says by a byte whether the holder has changed a PIN.
struct Telling(u8);

impl Channel for Telling {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        Ok(match command {
            [0x00, 0xA4, ..] => vec![0x90, 0x00],
            [0x00, 0xCA, 0xDF, 0x2F, 0x01] => vec![self.0, 0x90, 0x00],
            other => panic!("{}", hex::encode(other)),
        })
    }

    fn atr(&self) -> &[u8] {
        &[0x3B, 0x00]
    }

    fn reset(&mut self) -> Result<Vec<u8>, ChannelError> {
        Ok(vec![0x3B, 0x00])
    }
}

#[test]
fn a_chip_may_say_that_a_pin_was_never_changed() {
    let mut shelf = Shelf::default();
    let text = include_str!("../../firmware-profiles/chips/lateid-v2.toml");
    let text = text.replacen(
        "[[operations.read_tries]]",
        "[[operations.read_changed]]\nheader = \"00 CA DF 2F\"\nle = 1\ntake = { changed = \"\" }\n\n[[operations.read_tries]]",
        1,
    );
    shelf.put("lateid-v2", text);
    let chip = ChipProfile::load(&shelf, "lateid-v2").unwrap_or_else(|error| panic!("{error}"));
    for (byte, changed) in [(0, false), (1, true)] {
        let mut channel = Telling(byte);
        let mut inspector = Inspector::new(&chip, &mut channel as &mut dyn Channel);
        assert_eq!(
            inspector.was_changed(object(&chip, "pin1")).unwrap(),
            changed
        );
    }
}

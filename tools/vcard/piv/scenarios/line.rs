//! The application on a chip: chains, and commands that are refused before it sees them.

use super::bench::{DEFAULT_KEY, VERIFY, encrypt};
use crate::chip::Chip;
use crate::identity::ChipNumber;
use crate::product::Product;
use crate::store::Memory;
use crate::transport::TransportMasterKey;
use crate::vectors::unhex;

const SELECT: &str = "00A404000BA000000308000010000100";
/// A signature with the P-256 key in 9C, which wants the PIN verified just before.
const SIGN: &str = "0087119C26 7C24 8200 8120 \
    0101010101010101010101010101010101010101010101010101010101010101 00";

struct Terminal {
    chip: Chip,
}

impl Terminal {
    /// Takes a blank with the application selected.
    fn new() -> Self {
        let number = ChipNumber::new([0, 0], [0, 0, 0, 1]);
        let keys = TransportMasterKey::new([0x55; 16]);
        let product = Product::find("piv").unwrap();
        let chip = Chip::blank(product, number, &keys, Memory).unwrap();
        let mut terminal = Self { chip };
        terminal.expect(SELECT, 0x9000);
        terminal
    }

    #[track_caller]
    fn expect(&mut self, hex: &str, status: u16) -> Vec<u8> {
        let mut answer = self.chip.process(&unhex(hex));
        let word = answer.split_off(answer.len() - 2);
        assert_eq!(hex::encode_upper(word), format!("{status:04X}"), "{hex}");
        answer
    }

    /// Proves the management key.
    fn manage(&mut self) {
        let drawn = self.expect("0087039B04 7C02 8100 00", 0x9000);
        let response = hex::encode(encrypt(0x03, DEFAULT_KEY, &drawn[4..]));
        self.expect(&format!("0087039B0C 7C0A 8208 {response}"), 0x9000);
    }
}

#[test]
fn a_stranger_ends_a_chain() {
    let mut terminal = Terminal::new();
    terminal.manage();
    for stranger in ["00CB3FFF055C035FC10200", "10FE119A020611", "00F8000004"] {
        terminal.expect("10DB3FFF055C035FC105", 0x9000);
        terminal.expect(stranger, 0x6883);
        terminal.expect("00CB3FFF055C035FC10500", 0x6A82);
    }
    terminal.expect("10CB3FFF055C035FC102", 0x6884);
    terminal.expect("10DB3FFF055C035FC105", 0x9000);
    terminal.expect("00DB3FFF035301AA", 0x9000);
    let written = terminal.expect("00CB3FFF055C035FC10500", 0x9000);
    assert_eq!(written, [0x53, 0x01, 0xAA]);
}

#[test]
fn whatever_comes_between_ends_the_moment_of_a_pin_always_key() {
    let mut terminal = Terminal::new();
    terminal.manage();
    terminal.expect("0047009C05AC0380011100", 0x9000);
    // Another channel, a class of nobody's, no APDU at all, the beginning of no chain.
    for between in ["0184000008", "20F8000004", "00F80000050102", "10CB3FFF0111"] {
        terminal.expect(VERIFY, 0x9000);
        terminal.expect(SIGN, 0x9000);
        terminal.expect(VERIFY, 0x9000);
        terminal.chip.process(&unhex(between));
        terminal.expect(SIGN, 0x6982);
    }
    // The pieces of the signature's own chain are no other command.
    let (whole, _) = SIGN.split_at(SIGN.len() - 3);
    let data = unhex(whole)[5..].to_vec();
    let (first, second) = data.split_at(10);
    terminal.expect(VERIFY, 0x9000);
    terminal.expect(&format!("1087119C0A{}", hex::encode(first)), 0x9000);
    terminal.expect(&format!("0087119C1C{}00", hex::encode(second)), 0x9000);
}

#[test]
fn a_challenge_is_for_the_next_command() {
    for between in ["00F8000004", "0087119A", "01F8000004", "00F80000050102"] {
        let mut terminal = Terminal::new();
        let drawn = terminal.expect("0087039B04 7C02 8100 00", 0x9000);
        let response = hex::encode(encrypt(0x03, DEFAULT_KEY, &drawn[4..]));
        terminal.chip.process(&unhex(between));
        terminal.expect(&format!("0087039B0C 7C0A 8208 {response}"), 0x6A80);
    }
}

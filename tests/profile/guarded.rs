//! What a shipped chip keeps secret, and what uses a try there.

use super::*;
use crate::source::Shelf;

fn chip() -> ChipProfile {
    let mut shelf = Shelf::default();
    let text = include_str!("../../firmware-profiles/chips/lateid-v2.toml");
    // A chip that is given its PINs by PUT DATA, which no general rule hides.
    let text = text.replace(
        "header = \"00 24 01 u8(pin.reference)\"",
        "header = \"00 DB 01 u8(pin.reference)\"",
    );
    shelf.put("lateid-v2", text);
    ChipProfile::load(&shelf, "lateid-v2").unwrap()
}

#[test]
fn what_the_profile_calls_secret_is_hidden() {
    let mut veil = chip().veil();
    let mut command = |bytes: &[u8]| veil.command(bytes).to_string();
    assert_eq!(command(b"\x0C\xDB\x01\x85\x02ab"), "0cdb018502 [2]");
    assert_eq!(command(b"\x00\xDB\x01\x77\x02ab"), "00db0177026162");
    assert_eq!(command(b"\x00\x20\x00\x01\x02ab"), "0020000102 [2]");
}

#[test]
fn what_uses_a_try_is_known_by_its_header() {
    let found = chip().presentations();
    let fitting = |command: &[u8]| {
        let fits = found.iter().filter(|one| one.fits(command));
        fits.map(|one| (one.secret.as_str(), one.tries))
            .collect::<Vec<_>>()
    };
    assert_eq!(fitting(b"\x00\x20\x00\x01\x01a"), [("pin/pin1", Some(3))]);
    assert_eq!(fitting(b"\x0C\x20\x00\x85\x01a"), [("pin/pin2", Some(3))]);
    assert_eq!(fitting(b"\x00\x20\x00\x07\x01a"), []);
    assert_eq!(fitting(b"\x00\x20\x00"), []);
    // Setting a value without knowing the one before uses none.
    assert_eq!(fitting(b"\x00\xDB\x01\x01\x01a"), []);
}

//! Printer profiles: the shipped one, and what is wrong with others.

use super::*;

const SHIPPED: &str = include_str!("../../firmware-profiles/printers/esc-ymcko.toml");

#[test]
fn the_shipped_profile_says_what_its_printer_can() {
    let profile = EscProfile::parse(SHIPPED).unwrap();
    let capabilities = profile.capabilities();
    assert_eq!(capabilities.dots, (1016, 648));
    assert_eq!(
        capabilities.front,
        [Panel::Colour, Panel::Black, Panel::Overlay]
    );
    assert_eq!(capabilities.back, []);
    assert_eq!(
        capabilities.stations,
        [ChipStation::Contact, ChipStation::Contactless]
    );
    assert_eq!(profile.condition("OK"), None);
    assert_eq!(profile.condition("NO CARD"), Some(Condition::HopperEmpty));
    assert_eq!(
        profile.condition("ERR NEED CLEANING"),
        Some(Condition::CleaningDue)
    );
    assert_eq!(
        profile.condition("ERR HEAD"),
        Some(Condition::Other("ERR HEAD".into()))
    );
    // A colour panel of 411480 bytes at 115200 baud, ten bits a byte.
    let sent = profile.wait(Kind::Panel, 411_480, true) - profile.wait(Kind::Panel, 0, true);
    assert_eq!(sent.as_secs(), 35);
}

#[test]
fn what_is_wrong_is_named() {
    for (from, to, reason) in [
        ("turn = \"clockwise\"", "turn = \"left\"", "clockwise"),
        ("front = \"ymcko\"", "front = \"mycko\"", "the order ymcko"),
        (
            "front = \"ymcko\"",
            "front = \"yko\"",
            "colours are y, m and c",
        ),
        ("front = \"ymcko\"", "front = \"ymcks\"", "letters of ymcko"),
        ("front = \"ymcko\"", "front = \"\"", "prints no panel"),
        ("levels = 32", "levels = 256", "32, 64 or 128"),
        ("dots = [648, 1016]", "dots = [0, 1016]", "1 to 4400"),
        ("feed = \"Si\"", "feed = \"Si\\rSe\"", "a command is"),
        ("[\"Pmi;B\"]", "[]", "nobody knows"),
        ("move = 30", "move = 0", "0.05 to 900"),
        ("baud = 115200", "baud = 1", "300 to 4000000"),
        ("means = \"card-fault\"", "means = \"well\"", "hopper-empty"),
        ("rejects = true", "rejects = true\nlaser = 1", "laser"),
    ] {
        assert!(SHIPPED.contains(from), "{from}");
        let error = EscProfile::parse(&SHIPPED.replace(from, to)).unwrap_err();
        let source = std::error::Error::source(&error).map(ToString::to_string);
        let text = format!("{error}: {}", source.unwrap_or_default());
        assert!(text.contains(reason), "{to}: {text}");
    }
}

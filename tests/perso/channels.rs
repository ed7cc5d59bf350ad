//! Whole personalizations through other secure channels than the shipped profile's: SCP02 for
//! stock that still has it, S16, a random challenge. The chip's side is written apart from ours.

use card::gp::ScpError;
use card::{Channel, Command, Limits, Status, exchange};
use vcard::{Chip, Fault as ChipFault, FaultKind, InProcess, Product, Scp};

use crate::Fault;
use crate::desk::{Desk, LATEID, Mistake, shelf};

const SCP02: &str = include_str!("../profiles/chips/lateid-v2-scp02.toml");
const S16: &str = include_str!("../profiles/chips/lateid-v2-s16.toml");

/// Makes a desk for the chip of a profile over the shipped one, which says `level` instead.
fn desk(year: i16, profile: &str, i: &str, level: &str) -> Desk {
    let mut chips = shelf("chips");
    let own = profile
        .lines()
        .find(|line| line.starts_with("level = "))
        .unwrap();
    let text = profile.replace(own, &format!("level = \"{level}\""));
    let name = if profile == S16 {
        "lateid-v2-s16"
    } else {
        "lateid-v2-scp02"
    };
    chips.put(name, text.replace("i = 0x15", &format!("i = 0x{i}")));
    Desk::with(year, &chips, name, "eid-card")
}

fn blank(scp: &str) -> Chip {
    let product = Product::find("lateid-v2").unwrap();
    Desk::blank_speaking(scp.parse::<Scp>().unwrap(), product)
}

fn send(channel: &mut dyn Channel, hex_command: &str) -> (Vec<u8>, Status) {
    let command = Command::parse(&hex::decode(hex_command).unwrap()).unwrap();
    let response = exchange(channel, &command, &Limits::default()).unwrap();
    (response.data().to_vec(), response.status())
}

/// The card as its holder and a stranger with the maker's keys meet it.
fn judge(desk: &Desk, chip: Chip, scp: &str, certificates: usize) {
    let mut card = InProcess::new(chip);
    let isd = "00A4040C08A000000151000000";
    assert_eq!(send(&mut card, isd).1, Status::OK);
    // The maker's set is gone; the one that answers is the issuer's, of the same cipher.
    let s16 = scp.ends_with('1');
    let challenge = if s16 {
        format!("10{}", "5C".repeat(16))
    } else {
        format!("08{}", "5C".repeat(8))
    };
    let (_, gone) = send(&mut card, &format!("8050FF00{challenge}00"));
    assert_eq!(gone, Status::REFERENCE_NOT_FOUND, "{scp}");
    let (update, _) = send(&mut card, &format!("80500100{challenge}00"));
    assert_eq!(update[11..12], hex::decode(&scp[..2]).unwrap(), "{scp}");
    let kind = if scp.starts_with("02") { 0x80 } else { 0x88 };
    assert_eq!(
        send(&mut card, "00CA00E000").0[2..8],
        [0xC0, 4, 1, 1, kind, 0x10],
        "{scp}"
    );
    let main = "00A4040C10A000000077010800070000FE00000100";
    assert_eq!(send(&mut card, main).1, Status::OK);
    assert_eq!(send(&mut card, "00A4090402D00300").1, Status::OK);
    assert_eq!(
        send(&mut card, "00B0000000").0,
        b"\x04\x09XA0000001",
        "{scp}"
    );
    if certificates > 0 {
        let pin = hex::encode(desk.holder_pin("pin1"));
        let verified = send(&mut card, &format!("002000010C{pin}")).1;
        assert_eq!(verified, Status::OK, "{scp}");
    }
}

/// Every "i" that the chips serve and a sealed stage takes: SCP02 with and without R-MAC, each with
/// both kinds of ICV and of challenge; SCP03 with R-MAC, in both modes, with both kinds of
/// challenge.
#[test]
fn an_adults_card_is_made_through_every_channel_that_encrypts() {
    let with_rmac = "c-mac c-enc r-mac";
    for (profile, scp, level) in [
        (SCP02, "02:05", "c-mac c-enc"),
        (SCP02, "02:15", "c-mac c-enc"),
        (SCP02, "02:45", "c-mac c-enc"),
        (SCP02, "02:55", "c-mac c-enc"),
        (SCP02, "02:25", with_rmac),
        (SCP02, "02:35", with_rmac),
        (SCP02, "02:65", with_rmac),
        (SCP02, "02:75", with_rmac),
        (S16, "03:21", with_rmac),
        (S16, "03:31", with_rmac),
        (S16, "03:61", "c-mac c-enc r-mac r-enc"),
        (S16, "03:71", "c-mac c-enc r-mac r-enc"),
        (LATEID, "03:20", with_rmac),
        (LATEID, "03:30", with_rmac),
        (LATEID, "03:60", with_rmac),
    ] {
        let mut desk = match profile == LATEID {
            true => Desk::new(1990),
            false => desk(1990, profile, &scp[3..], level),
        };
        let (outcome, chip) = desk.run(blank(scp), Vec::new());
        if let Some(fault) = &outcome.fault {
            panic!("{scp} {level}: {fault:?}: {fault}");
        }
        assert_eq!(outcome.certificates.len(), 2, "{scp} {level}");
        judge(&desk, chip, scp, 2);
    }
}

/// A finished card whose PIN and PUK are blocked has them again, with every try, and no other
/// command of its personalization is sent.
#[test]
fn a_finished_card_gets_new_pins_through_every_kind_of_channel() {
    for (profile, scp, level) in [
        (SCP02, "02:15", "c-mac c-enc"),
        (SCP02, "02:35", "c-mac c-enc r-mac"),
        (S16, "03:71", "c-mac c-enc r-mac r-enc"),
        (LATEID, "03:30", "c-mac c-enc r-mac"),
    ] {
        let mut desk = match profile == LATEID {
            true => Desk::new(1990),
            false => desk(1990, profile, &scp[3..], level),
        };
        let (outcome, chip) = desk.run(blank(scp), Vec::new());
        assert!(outcome.fault.is_none(), "{scp}");
        let mut card = InProcess::new(chip);
        let main = "00A4040C10A000000077010800070000FE00000100";
        assert_eq!(send(&mut card, main).1, Status::OK);
        for reference in ["01", "02"] {
            let wrong = format!("002000{reference}0C{}", "39".repeat(12));
            for _ in 0..3 {
                send(&mut card, &wrong);
            }
            let blocked = send(&mut card, &wrong).1;
            assert_eq!(blocked, Status::AUTHENTICATION_BLOCKED, "{scp}");
        }
        desk.renew_pins();
        desk.commands = 0;
        let (outcome, chip) = desk.run(card.into_chip(), Vec::new());
        if let Some(fault) = &outcome.fault {
            panic!("{scp}: {fault:?}: {fault}");
        }
        assert!(
            outcome.certificates.is_empty() && desk.commands < 25,
            "{scp}"
        );
        judge(&desk, chip, scp, 2);
    }
}

/// A blank is no finished card: it has no issuer's keys.
#[test]
fn a_blank_gets_no_new_pins() {
    let mut desk = Desk::new(1990);
    desk.renew_pins();
    let (outcome, _) = desk.run(Desk::blank(), Vec::new());
    assert!(!outcome.touched);
    assert!(
        matches!(outcome.fault, Some(Fault::Refused { .. })),
        "{:?}",
        outcome.fault
    );
}

#[test]
fn an_answer_that_was_changed_on_the_way_is_found_out_by_its_mac() {
    for (profile, scp) in [(SCP02, "02:35"), (SCP02, "02:75"), (S16, "03:71")] {
        for (at, changed) in [(6, "replace_keys issuer"), (18, "verify_pin pin1")] {
            let mut desk = desk(1990, profile, &scp[3..], "c-mac c-enc r-mac");
            let kind = FaultKind::WrongMac;
            let (outcome, _) = desk.run(blank(scp), vec![ChipFault { at, kind }]);
            match outcome.fault {
                Some(Fault::Channel {
                    step,
                    source: ScpError::ResponseMac,
                }) => assert_eq!(step, changed, "{scp}"),
                other => panic!("{scp}, {changed}: {other:?}"),
            }
        }
    }
}

/// What a child's card needs: no PIN, so no stage is the centre's, and MACs are enough.
const WITHOUT_PINS: &str = r#"
[[stages]]
name = "take over from the maker"
select = "domain"
channel = "transport"
steps = ["replace_keys issuer"]
[[stages]]
name = "build"
select = "eid"
channel = "issuer"
steps = ["write_file document_number"]
[[stages]]
name = "close"
select = "domain"
channel = "issuer"
steps = ["set_state personalized", "set_state secured"]
[[stages]]
name = "verify"
select = "eid"
steps = ["check_file document_number"]
"#;

/// Nothing on a child's card needs an encrypted command, and SCP02 encrypts keys by itself.
#[test]
fn a_childs_card_is_made_under_macs_alone() {
    for (scp, level) in [
        ("02:15", "c-mac"),
        ("02:55", "c-mac"),
        ("02:35", "c-mac r-mac"),
        ("02:75", "c-mac r-mac"),
    ] {
        let profile = format!("{SCP02}{WITHOUT_PINS}");
        let mut desk = desk(2014, &profile, &scp[3..], level);
        let (outcome, chip) = desk.run(blank(scp), Vec::new());
        if let Some(fault) = &outcome.fault {
            panic!("{scp} {level}: {fault:?}: {fault}");
        }
        judge(&desk, chip, scp, 0);
    }
}

#[test]
fn wrong_keys_of_scp02_are_found_out_without_using_an_attempt() {
    let mut desk = desk(1990, SCP02, "55", "c-mac c-enc");
    desk.mistake = Mistake::WrongKeys;
    let mut chip = blank("02:55");
    // More often than the chip would stand if attempts were used.
    for _ in 0..12 {
        let (outcome, back) = desk.run(chip, Vec::new());
        assert!(
            matches!(outcome.fault, Some(Fault::WrongKeys { .. })),
            "{:?}",
            outcome.fault
        );
        assert!(!outcome.touched);
        chip = back;
    }
    desk.mistake = Mistake::None;
    let (outcome, _) = desk.run(chip, Vec::new());
    assert!(outcome.fault.is_none(), "{:?}", outcome.fault);
}

/// The i of SCP02 is in no answer: a profile with a wrong one is found out at the second command
/// of a session, or by a level that the chip does not serve.
#[test]
fn a_chip_that_speaks_otherwise_than_its_profile_is_a_fault() {
    for (profile, i, level, scp) in [
        (SCP02, "15", "c-mac c-enc", "02:05"),
        (SCP02, "35", "c-mac c-enc r-mac", "02:15"),
        (S16, "", "c-mac c-enc r-mac", "03:70"),
        (S16, "", "c-mac c-enc r-mac r-enc", "03:31"),
    ] {
        let mut desk = desk(1990, profile, i, level);
        let (outcome, _) = desk.run(blank(scp), Vec::new());
        assert!(outcome.fault.is_some(), "{i} {level} on {scp}");
        assert!(outcome.certificates.is_empty());
    }
}

/// Where nothing else tells chips apart, INITIALIZE UPDATE does, before any channel is opened.
#[test]
fn a_chip_is_known_by_what_its_keys_are_diversified_with() {
    let mut chips = shelf("chips");
    let name = "by-diversification";
    let text = r#"
extends = "lateid-v2"
name = "by-diversification"
[identify]
serial = "chip.number"
[[identify.commands]]
header = "00 A4 04 00"
data = "A000000151000000"
le = 256
[[identify.commands]]
header = "80 CA 9F 7F"
le = 256
take = { "chip.cplc" = "9F7F" }
[[identify.commands]]
header = "80 50 00 00"
data = "0000000000000000"
le = 256
take = { "chip.number" = { path = "", value = "slice(found, 0, 10)" } }
"#;
    chips.put(name, text);
    let mut desk = Desk::with(1990, &chips, name, "eid-card");
    let chip = Desk::blank_of("lateid-v2");
    let number = chip.serial().to_string();
    let (outcome, _) = desk.run(chip, Vec::new());
    assert!(outcome.fault.is_none(), "{:?}", outcome.fault);
    assert_eq!(outcome.chip, Some(number));
}

/// A new key is proved by opening a channel under it, where nothing else is to be done.
#[test]
fn a_stage_that_only_opens_a_channel_is_carried_out() {
    let shipped = shelf("chips");
    let text = shipped.text("lateid-v2").unwrap();
    let proving = "[[stages]]\nname = \"prove\"\nselect = \"domain\"\nchannel = \"issuer\"\nsteps = []\n\n[[stages]]\nname = \"build\"\n";
    let more = text.replacen("[[stages]]\nname = \"build\"\n", proving, 1);
    assert_ne!(more, text);
    let commands = |text: &str| {
        let mut desk = Desk::with_profile(1990, text);
        let (outcome, _) = desk.run(Desk::blank_of("lateid-v2"), Vec::new());
        assert!(outcome.fault.is_none(), "{:?}", outcome.fault);
        desk.commands
    };
    // SELECT, INITIALIZE UPDATE, EXTERNAL AUTHENTICATE; and the next stage selects once more.
    assert_eq!(commands(&more), commands(text) + 4);
    let mut desk = Desk::with_profile(1990, &more);
    desk.mistake = Mistake::WrongKeys;
    let (outcome, _) = desk.run(Desk::blank_of("lateid-v2"), Vec::new());
    assert!(matches!(outcome.fault, Some(Fault::WrongKeys { .. })));
}

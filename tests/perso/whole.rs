//! Whole personalizations on the strict virtual chip: finished, refused, torn.

use card::{Channel, Command, ExchangeError, Status, exchange};
use vcard::{Fault as ChipFault, FaultKind, InProcess};

use crate::desk::{Desk, LATEID, Mistake, PINS, journal_text};
use crate::{Fault, Moment};

fn send(channel: &mut dyn Channel, hex_command: &str) -> (Vec<u8>, Status) {
    let command = Command::parse(&hex::decode(hex_command.replace(' ', "")).unwrap()).unwrap();
    let response = exchange(channel, &command, &card::Limits::default()).unwrap();
    (response.data().to_vec(), response.status())
}

fn verify(reference: &str, pin: &[u8]) -> String {
    format!("002000{reference}0C{}", hex::encode(pin))
}

#[test]
fn an_adult_gets_a_finished_card() {
    let mut desk = Desk::new(1990);
    let (outcome, chip) = desk.run(Desk::blank(), Vec::new());
    if let Some(fault) = &outcome.fault {
        panic!("{fault}");
    }
    assert!(outcome.touched);
    assert_eq!(outcome.certificates.len(), 2);
    assert_eq!(
        outcome.chip.as_deref(),
        Some(chip.serial().to_string().as_str())
    );

    // As a holder's middleware sees it, by commands that are not the profile's.
    let mut card = InProcess::new(chip);
    let main = "00A4040C10A000000077010800070000FE00000100";
    assert_eq!(send(&mut card, main).1, Status::OK);
    assert_eq!(
        send(&mut card, "00A40904 02 D003 00").0,
        hex::decode("62048002000B").unwrap()
    );
    assert_eq!(send(&mut card, "00B0000000").0, b"\x04\x09XA0000001");
    let authentication = &outcome.certificates["authentication"];
    let size = send(&mut card, "00A40804 04 ADF13402 00").0;
    assert_eq!(
        size[4..],
        u16::try_from(authentication.len()).unwrap().to_be_bytes()
    );
    assert_eq!(send(&mut card, "00B0000000").0, authentication[..256]);
    for (reference, (_, pin)) in ["01", "02"].iter().zip([PINS[0], PINS[2]]) {
        assert_eq!(
            send(&mut card, &verify(reference, b"000000000000")).1,
            Status::new(0x63C2)
        );
        assert_eq!(send(&mut card, &verify(reference, pin)).1, Status::OK);
    }
    assert_eq!(
        send(&mut card, "00A4040C1051534344204170706C69636174696F6E").1,
        Status::OK
    );
    assert_eq!(send(&mut card, &verify("85", PINS[1].1)).1, Status::OK);
    // The maker's key version is gone, the issuer's answers.
    assert_eq!(send(&mut card, "00A4040C08A000000151000000").1, Status::OK);
    assert_eq!(
        send(&mut card, "8050FF0008000102030405060700").1,
        Status::REFERENCE_NOT_FOUND
    );
    assert_eq!(
        send(&mut card, "8050010008000102030405060700").1,
        Status::OK
    );
    // Nothing more can be written in the clear or be created at all.
    assert_eq!(send(&mut card, main).1, Status::OK);
    assert_ne!(
        send(&mut card, "00E000000D620B800200108201018302D004").1,
        Status::OK
    );
}

#[test]
fn a_child_gets_a_card_without_keys() {
    let mut desk = Desk::new(2014);
    let (outcome, chip) = desk.run(Desk::blank(), Vec::new());
    assert!(outcome.fault.is_none(), "{:?}", outcome.fault);
    assert!(outcome.certificates.is_empty());
    let mut card = InProcess::new(chip);
    assert_eq!(
        send(&mut card, "00A4040C10A000000077010800070000FE00000100").1,
        Status::OK
    );
    assert_eq!(send(&mut card, "0020000100").1, Status::REFERENCE_NOT_FOUND);
    assert_eq!(
        send(&mut card, "00A4040C0DE828BD080FF2504F5420415750").1,
        Status::FILE_NOT_FOUND
    );
}

#[test]
fn the_journal_has_an_outcome_for_every_intent_and_no_secret() {
    let mut desk = Desk::new(1990);
    let (outcome, _) = desk.run(Desk::blank(), Vec::new());
    assert!(outcome.fault.is_none());
    let steps = |moment| {
        desk.journal
            .iter()
            .filter(move |entry| entry.moment == moment && entry.step != "identify")
    };
    let intents: Vec<_> = steps(Moment::Intent).map(|entry| &entry.step).collect();
    let outcomes: Vec<_> = steps(Moment::Outcome).map(|entry| &entry.step).collect();
    assert_eq!(intents, outcomes);
    assert!(intents.len() > 20);
    let text = journal_text(&desk);
    for (_, pin) in PINS {
        let pin = std::str::from_utf8(pin).unwrap();
        assert!(!text.contains(pin) && !text.to_uppercase().contains(&hex::encode_upper(pin)));
    }
}

#[test]
fn a_chip_of_another_product_is_refused_untouched() {
    let (outcome, _) = Desk::new(1990).run(Desk::blank_of("esteid-2018"), Vec::new());
    assert!(
        matches!(outcome.fault, Some(Fault::WrongChip { .. })),
        "{:?}",
        outcome.fault
    );
    assert!(!outcome.touched);
}

#[test]
fn a_finished_card_is_not_personalized_again() {
    let mut desk = Desk::new(1990);
    let (_, chip) = desk.run(Desk::blank(), Vec::new());
    let (outcome, _) = desk.run(chip, Vec::new());
    assert!(
        matches!(outcome.fault, Some(Fault::AlreadyPersonalized { .. })),
        "{:?}",
        outcome.fault
    );
    assert!(!outcome.touched);
}

#[test]
fn wrong_keys_are_found_out_without_using_an_attempt() {
    let mut desk = Desk::new(1990);
    desk.mistake = Mistake::WrongKeys;
    let mut chip = Desk::blank();
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

#[test]
fn what_the_authority_does_wrong_is_named() {
    for (mistake, certificates) in [
        (Mistake::OtherKey, 1),
        (Mistake::NoCertificate, 1),
        (Mistake::NoAuthority, 0),
    ] {
        let mut desk = Desk::new(1990);
        desk.mistake = mistake;
        let (outcome, _) = desk.run(Desk::blank(), Vec::new());
        match (mistake, &outcome.fault) {
            (Mistake::NoAuthority, Some(Fault::Centre { .. }))
            | (_, Some(Fault::Certificate { .. })) => {}
            (_, other) => panic!("{mistake:?}: {other:?}"),
        }
        assert!(outcome.touched);
        assert_eq!(
            outcome.certificates.len(),
            certificates,
            "what was issued is known, to be revoked"
        );
    }
}

#[test]
fn a_chip_without_room_is_named_with_its_own_word_for_it() {
    let mut profile = LATEID.replace(
        "\"write_file document_number\",",
        "\"write_file document_number\", \"write_file ballast_a\", \"write_file ballast_b\",",
    );
    for (name, id) in [("ballast_a", "EE01"), ("ballast_b", "EE02")] {
        profile.push_str(&format!(
            "\n[files.{name}]\napplication = \"eid\"\nid = \"{id}\"\ncontent = \"left_pad(00, 30000, 00)\"\nattributes = {{ rule = \"0100\" }}\n"
        ));
    }
    let (outcome, _) = Desk::with_profile(1990, &profile).run(Desk::blank(), Vec::new());
    match outcome.fault {
        Some(Fault::Refused { step, status, .. }) => {
            assert_eq!(step, "write_file ballast_b");
            assert!(status.starts_with("6A84 (not enough memory"), "{status}");
        }
        other => panic!("{other:?}"),
    }
    assert!(outcome.touched);
}

#[test]
fn a_hostile_chip_ends_in_a_typed_fault() {
    for (kind, at) in [
        (FaultKind::WrongMac, 12),
        (FaultKind::Random { length: 300 }, 9),
        (FaultKind::Random { length: 1 }, 20),
        (FaultKind::Endless, 5),
        (FaultKind::Mute, 30),
    ] {
        let (outcome, _) = Desk::new(1990).run(Desk::blank(), vec![ChipFault { at, kind }]);
        assert!(outcome.fault.is_some(), "{kind:?}");
    }
}

/// Torn out at every command, before and after the chip has carried it out: the fault says so,
/// and a blank counts as untouched only while nothing that lasts was done to it.
#[test]
fn torn_at_every_command_a_blank_is_accounted() {
    let mut whole = Desk::new(1990);
    let (outcome, _) = whole.run(Desk::blank(), Vec::new());
    assert!(outcome.fault.is_none());
    let commands = whole.commands as u64;
    for kind in [FaultKind::RemoveBefore, FaultKind::RemoveAfter] {
        for at in (1..=commands).step_by(3) {
            let (outcome, chip) = Desk::new(1990).run(Desk::blank(), vec![ChipFault { at, kind }]);
            assert!(
                matches!(
                    outcome.fault,
                    Some(Fault::Card {
                        source: ExchangeError::Channel(_),
                        ..
                    })
                ),
                "{kind:?} at {at}: {:?}",
                outcome.fault
            );
            if !outcome.touched {
                // An untouched blank can be used again, as it is.
                let (again, _) = Desk::new(1990).run(chip, Vec::new());
                assert!(again.fault.is_none(), "{kind:?} at {at}: {:?}", again.fault);
            }
        }
    }
}

/// The next key set is added, proved by a channel of its own, and only then the old one goes.
#[test]
fn keys_change_in_two_phases_and_each_is_journaled() {
    let profile = LATEID
        .replace(
            "[channel.keys.issuer]\nversion = 0x01",
            "[channel.keys.next]\nversion = 0x02\ndiversification = \"kdf3\"\n\n[channel.keys.issuer]\nversion = 0x01",
        )
        .replacen(
            "[[stages]]\nname = \"build\"",
            r#"[[stages]]
name = "add the next keys"
select = "domain"
channel = "issuer"
steps = ["add_keys next"]

[[stages]]
name = "prove them, and remove the old"
select = "domain"
channel = "next"
steps = ["remove_keys issuer"]

[[stages]]
name = "the old ones are refused"
select = "eid"
steps = ["check_refused issuer"]

[[stages]]
name = "build""#,
            1,
        );
    let end = profile.find("[[stages]]\nname = \"build\"").unwrap();
    let mut desk = Desk::with_profile(1990, &profile[..end]);
    let (outcome, chip) = desk.run(Desk::blank(), Vec::new());
    if let Some(fault) = &outcome.fault {
        panic!("{fault:?}");
    }
    let steps: Vec<_> = desk
        .journal
        .iter()
        .map(|entry| (entry.step.as_str(), entry.moment))
        .collect();
    for step in ["add_keys next", "remove_keys issuer"] {
        let intent = steps
            .iter()
            .position(|found| *found == (step, Moment::Intent));
        let outcome = steps
            .iter()
            .position(|found| *found == (step, Moment::Outcome));
        assert!(intent.is_some() && intent < outcome, "{step}: {steps:?}");
    }
    let added = desk
        .journal
        .iter()
        .find(|entry| entry.step == "add_keys next" && entry.moment == Moment::Outcome);
    assert_eq!(
        added.unwrap().evidence["kcv"].len(),
        18,
        "three values of three bytes"
    );
    // What the chip says itself: one set, the next.
    let mut card = InProcess::new(chip);
    send(&mut card, "00A4040008A000000151000000");
    let (keys, _) = send(&mut card, "80CA00E000");
    let versions: Vec<_> = keys.chunks(6).map(|row| row.get(3).copied()).collect();
    assert_eq!(&keys[..2], [0xE0, 0x12]);
    assert!(
        keys[2..].chunks(6).all(|row| row[3] == 0x02),
        "{versions:?}"
    );

    // Torn between the two phases, both sets are there, and each still opens its channel.
    let adding = desk.commands;
    let mut both = 0;
    for at in 1..=adding as u64 {
        let kind = FaultKind::RemoveAfter;
        let mut torn = Desk::with_profile(1990, &profile[..end]);
        let (_, chip) = torn.run(Desk::blank(), vec![ChipFault { at, kind }]);
        let mut card = InProcess::new(chip);
        send(&mut card, "00A4040008A000000151000000");
        let (keys, _) = send(&mut card, "80CA00E000");
        assert!(keys.len() > 2, "no key set is left after command {at}");
        let mut versions: Vec<_> = keys[2..].chunks(6).map(|row| row[3]).collect();
        versions.dedup();
        if versions.len() == 2 {
            both += 1;
            for version in [1, 2] {
                let challenge = format!("8050{version:02X}00080001020304050607");
                assert_eq!(send(&mut card, &challenge).1, Status::OK);
            }
        }
    }
    assert!(both > 0, "the two phases never stood side by side");
}

/// A state that closes the application waits for the certificates, however slow the authority is.
#[test]
fn nothing_is_closed_before_what_is_still_to_be_written() {
    let whole = LATEID.replacen(
        "    \"write_file signature_certificate\",\n]",
        "    \"write_file signature_certificate\",\n    \"set_state personalized\",\n]",
        1,
    );
    assert_ne!(whole, LATEID);
    let verify = whole.find("[[stages]]\nname = \"verify\"").unwrap();
    let mut desk = Desk::with_profile(1990, &whole[..verify]);
    let (outcome, _) = desk.run(Desk::blank(), Vec::new());
    // This chip takes the state in its security domain alone; how far it came counts here.
    let fault = outcome.fault.unwrap();
    assert!(
        matches!(&fault, Fault::Refused { step, .. } if step == "set_state personalized"),
        "{fault:?}"
    );
    let place = |step: &str, moment| {
        let mut entries = desk.journal.iter();
        entries
            .position(|entry| (entry.step.as_str(), entry.moment) == (step, moment))
            .unwrap_or_else(|| panic!("no {step}"))
    };
    let closed = place("set_state personalized", Moment::Intent);
    for step in [
        "write_file authentication_certificate",
        "write_file signature_certificate",
    ] {
        assert!(place(step, Moment::Outcome) < closed, "{step}");
    }
}

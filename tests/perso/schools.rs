//! Chips of other schools than the eID's, each personalized by its shipped profile alone on its
//! own strict virtual applet: files and paths, data objects, keys under control references, PINs
//! set by changing a default, no issuer's channel, an imported key.

use card::{Channel, Command, Status, exchange};
use openssl::ecdsa::EcdsaSig;
use openssl::x509::X509;
use vcard::{Chip, Circumstances, Fault as ChipFault, FaultKind, InProcess, ReaderBuffer};

use crate::desk::{Desk, Mistake, journal_text, shelf};
use crate::{Fault, Moment, Presented, Standard, Verdict, examine};

fn send(channel: &mut dyn Channel, hex_command: &str) -> (Vec<u8>, Status) {
    let command = Command::parse(&hex::decode(hex_command.replace(' ', "")).unwrap()).unwrap();
    let response = exchange(channel, &command, &card::Limits::default()).unwrap();
    (response.data().to_vec(), response.status())
}

fn finished(chip: &str, document: &str) -> (Desk, crate::Outcome, Chip) {
    let mut desk = Desk::of(chip, document);
    let (outcome, card) = desk.run(Desk::blank_of(chip), Vec::new());
    if let Some(fault) = &outcome.fault {
        panic!("{fault:?}: {fault}");
    }
    (desk, outcome, card)
}

#[test]
fn a_piv_card_is_issued() {
    let (desk, outcome, card) = finished("piv", "piv-card");
    assert_eq!(outcome.certificates.len(), 3);
    let mut card = InProcess::new(card);
    assert_eq!(
        send(&mut card, "00A404000BA00000030800001000010000").1,
        Status::OK
    );
    // The maker's management key, PIN and PUK are gone.
    let (challenge, _) = send(&mut card, "0087089B047C02810000");
    assert_eq!(challenge[..4], [0x7C, 0x12, 0x81, 0x10], "AES-128 now");
    assert_eq!(
        send(&mut card, "0087039B047C02810000").1,
        Status::WRONG_P1_P2
    );
    let wrong = send(&mut card, "0020008008313233343536FFFF").1;
    assert_eq!(wrong, Status::new(0x63C4));
    let pin = hex::encode(desk.holder_pin("pin1"));
    assert_eq!(send(&mut card, &format!("0020008008{pin}")).1, Status::OK);
    // The certificate, with the byte that says that it is not compressed.
    let (data, status) = send(&mut card, "00CB3FFF055C035FC10500");
    assert_eq!(status, Status::OK);
    let certificate = &outcome.certificates["authentication"];
    let at = data.len() - 5 - certificate.len();
    assert_eq!(
        data[at..],
        [certificate, &[0x71, 1, 0, 0xFE, 0][..]].concat()
    );
    // SP 800-73-4 Part 1 §3.1.1: middleware asks first of all what the card can.
    let (data, status) = send(&mut card, "00CB3FFF055C035FC10700");
    assert_eq!(status, Status::OK);
    assert_eq!(data[..6], [0x53, 0x33, 0xF0, 0x15, 0xA0, 0x00]);
    // The card proves itself to whoever asks, without a PIN: SELECT has forgotten it.
    send(&mut card, "00A404000BA00000030800001000010000");
    let digest = [0x5A; 32];
    let ask = format!("0087119E267C2482008120{}00", hex::encode(digest));
    let (answer, status) = send(&mut card, &ask);
    assert_eq!(status, Status::OK);
    let own = X509::from_der(&outcome.certificates["card_authentication"]).unwrap();
    let key = own.public_key().unwrap().ec_key().unwrap();
    let signature = EcdsaSig::from_der(&answer[4..]).unwrap();
    assert!(signature.verify(&digest, &key).unwrap());
}

#[test]
fn certificates_are_compressed_where_a_profile_says_so() {
    let mut chips = shelf("chips");
    let name = "piv-compressed";
    chips.put(name, include_str!("../profiles/chips/piv-compressed.toml"));
    let mut desk = Desk::with(1990, &chips, name, "piv-card");
    let (outcome, card) = desk.run(Desk::blank_of("piv"), Vec::new());
    assert!(outcome.fault.is_none(), "{:?}", outcome.fault);
    let mut card = InProcess::new(card);
    send(&mut card, "00A404000BA00000030800001000010000");
    let (data, status) = send(&mut card, "00CB3FFF055C035FC10500");
    assert_eq!(status, Status::OK);
    let at = data.windows(2).position(|two| two == [0x1F, 0x8B]).unwrap();
    let mut unpacked = Vec::new();
    let mut reader = flate2::read::GzDecoder::new(&data[at..]);
    std::io::Read::read_to_end(&mut reader, &mut unpacked).unwrap();
    assert_eq!(unpacked, outcome.certificates["authentication"]);
    X509::from_der(&unpacked).unwrap();
    // And found again by who looks at the finished card.
    let record = desk.record().clone();
    let standard = Standard {
        chip: &desk.plan.chip,
        made_from: Some((&record, &desk.plan)),
        anchors: &[],
        at: jiff::Timestamp::now(),
    };
    let report = examine(&mut card, &standard, None).unwrap();
    for key in ["authentication", "signature", "card_authentication"] {
        let what = format!("certificate {key}: key");
        let mut findings = report.findings.iter();
        let found = findings.find(|finding| finding.what == what).unwrap();
        assert_eq!(found.verdict, Verdict::Passed, "{key}");
    }
}

/// A security domain's channel and an application's of another kind, in one file.
#[test]
fn a_card_and_its_application_are_taken_over_each_by_its_own_channel() {
    let mut chips = shelf("chips");
    let name = "piv-java-card";
    chips.put(name, include_str!("../profiles/chips/piv-java-card.toml"));
    let mut desk = Desk::with(2014, &chips, name, "piv-card");
    let (outcome, card) = desk.run(Desk::blank_of("piv"), Vec::new());
    assert!(outcome.fault.is_none(), "{:?}", outcome.fault);
    let mut card = InProcess::new(card);
    is_closed(&mut card);
    send(&mut card, "00A404000BA00000030800001000010000");
    let (challenge, _) = send(&mut card, "0087089B047C02810000");
    assert_eq!(challenge[..4], [0x7C, 0x12, 0x81, 0x10], "AES-128 now");
}

/// The card's security domain holds the issuer's keys and no others.
fn is_closed(card: &mut InProcess) {
    send(card, "00A4040008A00000015100000000");
    let (_, gone) = send(card, "8050FF00085C5C5C5C5C5C5C5C00");
    assert_eq!(gone, Status::REFERENCE_NOT_FOUND);
    let (keys, _) = send(card, "80CA00E000");
    assert_eq!(keys[2..5], [0xC0, 4, 1]);
    assert_eq!(keys[5], 1, "the issuer's version");
    assert_eq!(keys.len(), 2 + 3 * 6, "one set");
}

#[test]
fn both_generations_of_isoapplet_are_issued() {
    for chip in ["isoapplet-v0", "isoapplet-v1"] {
        let (desk, outcome, card) = finished(chip, "isoapplet-card");
        assert_eq!(outcome.certificates.len(), 2, "{chip}");
        let mut card = InProcess::new(card);
        is_closed(&mut card);
        send(&mut card, "00A404000CF276A288BCFBA69D34F3100100");
        let pin = format!("{:0<32}", hex::encode(desk.holder_pin("pin1")));
        let verified = send(&mut card, &format!("0020000110{pin}")).1;
        assert_eq!(verified, Status::OK, "{chip}");
        assert_eq!(send(&mut card, "00A4080C0450153401").1, Status::OK);
        let certificate = &outcome.certificates["authentication"];
        assert_eq!(send(&mut card, "00B0000020").0, certificate[..32], "{chip}");
    }
}

/// Who finds a card can neither take its application away nor build in it; its holder can make a
/// file there, and nothing else.
#[test]
fn a_finished_isoapplet_is_closed() {
    for chip in ["isoapplet-v0", "isoapplet-v1"] {
        let (desk, _, card) = finished(chip, "isoapplet-card");
        let mut card = InProcess::new(card);
        let pin = format!("{:0<32}", hex::encode(desk.holder_pin("pin1")));
        for is_verified in [false, true] {
            send(&mut card, "00A404000CF276A288BCFBA69D34F3100100");
            if is_verified {
                let verified = send(&mut card, &format!("0020000110{pin}")).1;
                assert_eq!(verified, Status::OK, "{chip}");
            }
            assert_eq!(send(&mut card, "00A4080C025015").1, Status::OK);
            for (what, command) in [
                ("delete the application", "00E40000025015"),
                ("delete a certificate", "00E40000023401"),
                ("make a directory", "00E000000D6F0B810202008201388302 77AA"),
                ("make a file", "00E000000D6F0B810202008201018302 77AA"),
            ] {
                let status = send(&mut card, command).1;
                let is_closed = status == Status::SECURITY_STATUS_NOT_SATISFIED;
                let is_allowed = is_verified && what == "make a file";
                assert_eq!(
                    is_closed, !is_allowed,
                    "{chip}: {what}, {is_verified}: {status}"
                );
            }
        }
    }
}

#[test]
fn a_travel_chip_is_written_and_locked() {
    let (desk, outcome, card) = finished("mrtd-applet", "travel-chip");
    assert!(outcome.certificates.is_empty());
    let mut card = InProcess::new(card);
    is_closed(&mut card);
    assert_eq!(send(&mut card, "00A4040C07A0000002471001").1, Status::OK);
    let locked = Status::CONDITIONS_NOT_SATISFIED;
    assert_eq!(send(&mut card, "00DADEAD").1, locked);
    assert_eq!(send(&mut card, "00E000000663040010010100").1, locked);
    let last = desk.journal.last().unwrap();
    assert_eq!(
        (last.step.as_str(), last.moment),
        ("close", Moment::Outcome)
    );
}

/// Written in the issuer's channel to the applet itself, of which the card begins after a reset.
#[test]
fn a_modern_travel_chip_is_written_in_its_issuers_channel() {
    let mut chips = shelf("chips");
    let name = "icao-lds";
    let text = include_str!("../travel/chips/icao-lds.toml");
    // A face past 32 KiB, which the odd instructions write and read.
    let face = format!("content = \"{}\"", "prepared.dg2 ".repeat(12));
    assert!(text.contains("content = \"prepared.dg2\""));
    chips.put(name, text.replace("content = \"prepared.dg2\"", &face));
    let mut desk = Desk::with(1990, &chips, name, "icao-chip");
    let (outcome, card) = desk.run(Desk::blank_of(name), Vec::new());
    if let Some(fault) = &outcome.fault {
        panic!("{fault:?}: {fault}");
    }
    let mut card = InProcess::new(card);
    // What everybody reads before anything else.
    assert_eq!(send(&mut card, "00A4000C023F00").1, Status::OK);
    assert_eq!(send(&mut card, "00A4020C02011C").1, Status::OK);
    let (access, _) = send(&mut card, "00B0000000");
    assert_eq!(
        hex::encode(access),
        "31143012060a04007f0007020204020202010202010d"
    );
    // The rest is closed, and the application locked.
    assert_eq!(send(&mut card, "00A4040C07A0000002471001").1, Status::OK);
    let closed = Status::SECURITY_STATUS_NOT_SATISFIED;
    assert_eq!(send(&mut card, "00A4020C020101").1, closed);
    let locked = Status::CONDITIONS_NOT_SATISFIED;
    assert_eq!(send(&mut card, "00D600000161").1, locked);
    is_closed(&mut card);
}

#[test]
fn a_secret_that_the_chip_refuses_is_told_apart() {
    let mut desk = Desk::altered(
        "piv",
        "piv-card",
        "default = \"123456\"",
        "default = \"654321\"",
    );
    let (outcome, _) = desk.run(Desk::blank_of("piv"), Vec::new());
    match outcome.fault {
        Some(Fault::SecretRefused {
            step,
            header,
            status,
        }) => {
            assert_eq!((&*step, &*header), ("set_temporary_pin pin1", "00240080"));
            assert!(status.contains("63C4"), "{status}");
        }
        other => panic!("{other:?}"),
    }
}

/// What lasts is begun only with what the centre gave for it in hand.
#[test]
fn a_centre_that_does_not_serve_spoils_no_blank() {
    for (chip, document, mistake) in [
        ("lateid-v2", "eid-card", Mistake::NotInTheBooks),
        ("lateid-v2", "eid-card", Mistake::NoKeys),
        ("mrtd-applet", "travel-chip", Mistake::NotInTheBooks),
    ] {
        let mut desk = Desk::of(chip, document);
        desk.mistake = mistake;
        let (outcome, _) = desk.run(Desk::blank_of(chip), Vec::new());
        assert!(
            matches!(outcome.fault, Some(Fault::Centre { .. })),
            "{:?}",
            outcome.fault
        );
        assert!(!outcome.touched, "{chip} {mistake:?}");
        let begun = desk
            .journal
            .iter()
            .any(|entry| entry.moment == Moment::Intent);
        assert!(!begun, "{chip} {mistake:?}");
        // Keys that were asked for may be given all the same: that is told.
        let is_of_keys = mistake == Mistake::NoKeys;
        assert_eq!(outcome.keys_asked_for.is_some(), is_of_keys, "{chip}");
    }
}

/// The chip's executor is called off while its keys are on their way.
#[test]
fn keys_that_come_too_late_touch_no_chip() {
    let mut desk = Desk::of("lateid-v2", "eid-card");
    desk.calls_off_at_keys = true;
    let (outcome, _) = desk.run(Desk::blank_of("lateid-v2"), Vec::new());
    assert!(
        matches!(outcome.fault, Some(Fault::CalledOff { .. })),
        "{:?}",
        outcome.fault
    );
    let asked = outcome.keys_asked_for.unwrap();
    assert!(asked.contains("_keys "), "{asked}");
    assert!(!outcome.touched);
    let mut journal = desk.journal.iter();
    assert!(journal.all(|entry| entry.moment == Moment::Outcome));
}

/// The reader fails on anything longer than its buffer, so that a slip is found out.
#[test]
fn a_small_reader_is_served_with_shorter_commands() {
    for (chip, document, command, response) in [
        ("lateid-v2", "eid-card", 120, 100),
        ("piv", "piv-card", 120, 100),
        // It sends 256 bytes whatever was asked for: no reader with less can serve it.
        ("isoapplet-v0", "isoapplet-card", 120, 256),
        // Its key of 128 bytes comes in one command, and it takes no chains.
        ("mrtd-applet", "travel-chip", 140, 100),
    ] {
        let mut desk = Desk::of(chip, document);
        desk.limits.command = command;
        desk.limits.response = response;
        let circumstances = Circumstances {
            buffer: ReaderBuffer {
                command: Some(4 + 1 + command + 1),
                answer: Some(response + 2),
            },
            ..Circumstances::default()
        };
        let mut reader = InProcess::under(Desk::blank_of(chip), circumstances);
        let outcome = desk.drive(&mut reader);
        if let Some(fault) = &outcome.fault {
            panic!("{chip}: {fault:?}: {fault}");
        }
    }
}

#[test]
fn a_chip_torn_anywhere_leaves_a_typed_fault_and_a_journal() {
    for (chip, document) in [
        ("piv", "piv-card"),
        ("isoapplet-v0", "isoapplet-card"),
        ("mrtd-applet", "travel-chip"),
    ] {
        let (whole, ..) = finished(chip, document);
        for at in (1..=whole.commands as u64).step_by(5) {
            for kind in [FaultKind::RemoveBefore, FaultKind::RemoveAfter] {
                let mut desk = Desk::of(chip, document);
                let (outcome, _) = desk.run(Desk::blank_of(chip), vec![ChipFault { at, kind }]);
                let fault = outcome
                    .fault
                    .unwrap_or_else(|| panic!("{chip} at {at}: no fault"));
                assert!(
                    matches!(fault, Fault::Card { .. }),
                    "{chip} at {at}: {fault:?}"
                );
                let intents = desk.journal.iter();
                let begun = intents
                    .filter(|entry| entry.moment == Moment::Intent)
                    .count();
                assert_eq!(outcome.touched, begun > 0, "{chip} at {at}");
                let journal = journal_text(&desk);
                for name in ["pin1", "puk"] {
                    if desk.plan.chip.pin_rules(name).is_some() {
                        let pin = String::from_utf8(desk.holder_pin(name)).unwrap();
                        assert!(!journal.contains(&pin));
                    }
                }
            }
        }
    }
}

/// What was written is found again through the holder's own door, and nothing is found wrong.
#[test]
fn a_finished_chip_of_every_school_is_examined() {
    for (chip, document, key) in [
        ("piv", "piv-card", Some("signature")),
        ("isoapplet-v0", "isoapplet-card", Some("signature")),
        ("isoapplet-v1", "isoapplet-card", Some("authentication")),
        ("mrtd-applet", "travel-chip", None),
    ] {
        let (desk, _, card) = finished(chip, document);
        let record = desk.record().clone();
        let standard = Standard {
            chip: &desk.plan.chip,
            made_from: Some((&record, &desk.plan)),
            anchors: &[],
            at: jiff::Timestamp::now(),
        };
        let pin = key.map(|_| desk.holder_pin("pin1"));
        let presented = key.zip(pin.as_ref()).map(|(key, digits)| Presented {
            key,
            digits,
            random: Box::new(|bytes| openssl::rand::rand_bytes(bytes).unwrap()),
        });
        let mut card = InProcess::new(card);
        let report = examine(&mut card, &standard, presented).unwrap();
        let failed: Vec<_> = report
            .findings
            .iter()
            // The desk's authority names nobody's personal code.
            .filter(|finding| !finding.what.ends_with("subject"))
            .filter(|finding| finding.verdict == Verdict::Failed)
            .collect();
        assert!(failed.is_empty(), "{chip}: {failed:#?}");
        let passed = |what: &str| {
            report
                .findings
                .iter()
                .any(|finding| finding.what.contains(what) && finding.verdict == Verdict::Passed)
        };
        assert!(passed("product"), "{chip}");
        if let Some(key) = key {
            assert!(
                passed(&format!("signature by key {key}")),
                "{chip}: {report:#?}"
            );
            assert!(passed("tries of"), "{chip}: {report:#?}");
            assert!(passed("certificate"), "{chip}: {report:#?}");
        }
    }
}

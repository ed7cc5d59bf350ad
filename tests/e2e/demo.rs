//! The demo, as a program sees it, and what it leaves for auditors and relying parties.

use std::process::Command;

use crate::world::{Demo, JUDGED, SAMPLES, json, project, run, text, zimogs};

#[test]
fn every_sample_becomes_a_verified_document() {
    let demo = &*SAMPLES;
    assert_eq!(demo.report["channel"], "pcsc");
    assert!(demo.documents().len() >= 12);
    let totals = &demo.report["totals"];
    assert_eq!(totals["personalized"], totals["documents"]);
    assert_eq!(
        (&totals["spoiled"], &totals["untouched"]),
        (&0.into(), &0.into())
    );
    let mut serials = std::collections::BTreeSet::new();
    for document in demo.documents() {
        assert_eq!(document["verified"], true, "{document:#}");
        assert_eq!(document["state"], "personalized", "{document:#}");
        assert!(document["fault"].is_null(), "{document:#}");
        let chips = document["chips"].as_array().unwrap();
        let products = chips
            .iter()
            .map(|chip| format!("{} {}", chip["interface"], chip["product"]));
        let (travel, eid) = ("\"contactless\" \"icao-lds\"", "\"contact\" \"lateid-v2\"");
        let expected = match document["kind"].as_str().unwrap() {
            "id-card" | "residence-permit" => &[travel, eid][..],
            "alien-id-card" => &[eid],
            kind if kind.ends_with("certificate") => &[],
            _ => &[travel],
        };
        assert!(products.eq(expected.iter().copied()), "{document:#}");
        for chip in chips {
            assert!(
                chip["commands"].as_u64().unwrap() > 20 && chip["bytes"].as_u64().unwrap() > 500
            );
            assert!(
                serials.insert(chip["serial"].as_str().unwrap().to_owned()),
                "no chip twice"
            );
        }
        let certificates = document["certificates"].as_array().unwrap();
        for certificate in certificates {
            assert_eq!(certificate["state"], "ready");
        }
    }
    // Samples that get none: under five, under fourteen, and one who did not agree.
    let without = demo
        .documents()
        .iter()
        .filter(|document| document["kind"] == "id-card")
        .filter(|document| document["certificates"].as_array().unwrap().is_empty());
    assert_eq!(without.count(), 3);
}

#[test]
fn openssl_accepts_certificates_and_sees_them_on_hold() {
    let demo = &*SAMPLES;
    let at = |name: &str| demo.data.join(name);
    let authority = at("authority.pem");
    run(Command::new("openssl")
        .args(["x509", "-inform", "DER", "-in"])
        .arg(at("authority.der"))
        .arg("-out")
        .arg(&authority));
    let crl = at("authority.crl.pem");
    run(Command::new("openssl")
        .args(["crl", "-inform", "DER", "-in"])
        .arg(at("authority.crl"))
        .arg("-out")
        .arg(&crl));
    let mut seen = 0;
    for file in std::fs::read_dir(at("certificates")).unwrap() {
        let der = file.unwrap().path();
        let pem = der.with_extension("pem");
        let shown = text(
            Command::new("openssl")
                .args(["x509", "-inform", "DER", "-text", "-in"])
                .arg(&der),
        );
        std::fs::write(&pem, &shown).unwrap();
        run(Command::new("openssl")
            .args(["verify", "-x509_strict", "-CAfile"])
            .arg(&authority)
            .arg(&pem));
        assert!(
            !shown.contains("Key Encipherment") && !shown.contains("qcStatements"),
            "{shown}"
        );
        let usage = if der.to_string_lossy().contains("signature") {
            "Non Repudiation"
        } else {
            "Digital Signature"
        };
        assert!(
            shown.contains(usage) && shown.contains("secp384r1"),
            "{shown}"
        );
        let held = Command::new("openssl")
            .args(["verify", "-crl_check", "-CAfile"])
            .arg(&authority)
            .arg("-CRLfile")
            .arg(&crl)
            .arg(&pem)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&held.stderr);
        assert!(
            !held.status.success() && said.contains("revoked"),
            "on hold until the hand-over: {said}"
        );
        seen += 1;
    }
    assert_eq!(
        seen,
        demo.report["totals"]["certificates"].as_u64().unwrap()
    );
}

#[test]
fn the_log_verifies_and_one_flipped_bit_is_found() {
    let demo = &*SAMPLES;
    let out = demo.data.join("log");
    let exported = json(
        zimogs()
            .args(["audit", "export", "--json", "--data"])
            .arg(&demo.data)
            .arg("--out")
            .arg(&out),
    );
    let verified = json(zimogs().args(["audit", "verify", "--json"]).arg(&out));
    assert_eq!(
        (&verified["verdict"], &verified["root"]),
        (&"passed".into(), &exported["root"])
    );
    assert!(verified["entries"].as_u64().unwrap() > 100);

    let entries = out.join("tile/entries");
    let bundle = std::fs::read_dir(&entries)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.is_file())
        .unwrap_or_else(|| {
            std::fs::read_dir(entries.join("000.p"))
                .unwrap()
                .next()
                .unwrap()
                .unwrap()
                .path()
        });
    let mut bytes = std::fs::read(&bundle).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&bundle, bytes).unwrap();
    let output = zimogs()
        .args(["audit", "verify"])
        .arg(&out)
        .output()
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(5),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_folder_that_is_not_empty_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mine"), "x").unwrap();
    let output = zimogs()
        .args(["demo", "--exit-when-done", "--data"])
        .arg(folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(std::fs::read(folder.path().join("mine")).unwrap(), b"x");
}

#[test]
fn a_malformed_application_is_refused_with_every_fault_and_four_eyes_hold() {
    let demo = &*SAMPLES;
    let central = |arguments: &[&str]| {
        let mut command = zimogs();
        command
            .arg("central")
            .args(arguments)
            .arg("--data")
            .arg(&demo.data);
        command
    };
    let malformed = project("tests/samples/malformed/many-faults.json");
    let output = central(&["import", "--json", malformed.to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4));
    let results: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let faults = results[0]["faults"].as_array().unwrap();
    assert!(faults.len() > 5, "{results:#}");
    assert!(
        faults
            .iter()
            .any(|fault| fault["field"].as_str().unwrap().starts_with("holder."))
    );

    let before = json(&mut central(&["documents", "--json"]));
    let text =
        std::fs::read_to_string(project("tests/samples/applications/01-adult.json")).unwrap();
    let mut application: serde_json::Value = serde_json::from_str(&text).unwrap();
    application["reference"] = "APP-2026-900001".into();
    let file = demo.data.join("application.json");
    std::fs::write(&file, application.to_string()).unwrap();
    run(&mut central(&["import", file.to_str().unwrap()]));
    let own = central(&["approve", "APP-2026-900001", "--as", "clerk"])
        .output()
        .unwrap();
    assert_eq!(
        own.status.code(),
        Some(4),
        "who entered it has no right to approve it"
    );
    assert_eq!(json(&mut central(&["documents", "--json"])), before);
    run(&mut central(&["approve", "APP-2026-900001"]));
    let after = json(&mut central(&["documents", "--json"]));
    assert_eq!(
        after.as_array().unwrap().len(),
        before.as_array().unwrap().len() + 1
    );
}

#[test]
fn hand_over_activates_what_quality_has_passed() {
    let demo = &*JUDGED;
    let number = demo.with_certificates(2)["number"].as_str().unwrap();
    let central = |command: &str| {
        let mut zimogs = zimogs();
        zimogs
            .args(["central", command, number, "--data"])
            .arg(&demo.data);
        zimogs.arg("--profiles").arg(project("tests/profiles"));
        zimogs
    };
    let early = central("hand-over").output().unwrap();
    assert_eq!(early.status.code(), Some(4), "nobody has judged it yet");
    run(&mut central("pass"));
    run(&mut central("hand-over"));
}

#[test]
fn what_is_shown_once_is_not_thrown_away() {
    let demo = &*JUDGED;
    let number = demo.with_certificates(3)["number"].as_str().unwrap();
    let envelope = || {
        let mut command = zimogs();
        command
            .args(["central", "envelope", "show", number, "--json", "--data"])
            .arg(&demo.data);
        command.arg("--profiles").arg(project("tests/profiles"));
        command
    };
    let nowhere = envelope()
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert_eq!(nowhere.code(), Some(2), "refused before it is opened");
    let pins = json(&mut envelope());
    assert_eq!(pins.as_object().unwrap().len(), 3);
    let again = envelope().output().unwrap();
    let said = String::from_utf8_lossy(&again.stderr);
    assert_eq!(again.status.code(), Some(4), "once: {said}");
}

#[test]
fn an_installation_is_no_log_and_a_typing_error_is_no_profile_folder() {
    let demo = &*SAMPLES;
    let verified = zimogs()
        .args(["audit", "verify"])
        .arg(&demo.data)
        .output()
        .unwrap();
    assert_eq!(
        verified.status.code(),
        Some(2),
        "it is not altered, it is no exported log"
    );
    let folder = tempfile::tempdir().unwrap();
    let ran = zimogs()
        .args([
            "demo",
            "--exit-when-done",
            "--documents",
            "1",
            "--profiles",
            "no-such-folder",
            "--data",
        ])
        .arg(folder.path().join("data"))
        .output()
        .unwrap();
    assert_eq!(ran.status.code(), Some(2));
}

/// A card with a contactless and a contact chip goes over two readers of one slot; a card with one
/// chip is made beside it at a slot of its own.
#[test]
fn cards_of_two_chips_are_made_beside_cards_of_one() {
    let profiles = project("tests/two-chips");
    // The ninth sample is an alien's: a card of one chip.
    let demo = Demo::run(&["--documents", "9", "--profiles", profiles.to_str().unwrap()]);
    assert_eq!(
        demo.report["totals"]["personalized"], 9,
        "{:#}",
        demo.report
    );
    let mut serials = std::collections::BTreeSet::new();
    for document in demo.documents() {
        let chips = document["chips"].as_array().unwrap();
        let made: Vec<_> = chips
            .iter()
            .map(|chip| [&chip["interface"], &chip["product"]].map(|text| text.as_str().unwrap()))
            .collect();
        let eid = ["contact", "lateid-v2"];
        match document["kind"].as_str().unwrap() {
            "id-card" => assert_eq!(made, [["contactless", "mrtd-trial"], eid]),
            _ => assert_eq!(made, [eid]),
        }
        for chip in chips {
            assert!(
                chip["commands"].as_u64().unwrap() > 20 && chip["bytes"].as_u64().unwrap() > 500
            );
            assert!(serials.insert(chip["serial"].as_str().unwrap().to_owned()));
        }
    }
    assert_eq!(serials.len(), 17);
}

/// Booklets without a chip are made at a desk; a numbered card's number is that of the blank in the
/// slot, which is identified before anything is prepared for it.
#[test]
fn booklets_and_cards_get_the_numbers_of_their_blanks() {
    let profiles = project("tests/booklets");
    let profiles = profiles.to_str().unwrap();
    let demo = Demo::run(&["--documents", "9", "--profiles", profiles]);
    assert_eq!(
        demo.report["totals"]["personalized"], 9,
        "{:#}",
        demo.report
    );
    for document in demo.documents() {
        let number = document["number"].as_str().unwrap();
        assert!(number.starts_with("XN"), "{document:#}");
        assert_eq!(document["state"], "personalized");
        let chips = document["chips"].as_array().unwrap().len();
        let certificates = document["certificates"].as_array().unwrap().len();
        let expected = match document["kind"].as_str().unwrap() {
            "id-card" => (0, 0),
            _ => (1, 2),
        };
        assert_eq!((chips, certificates), expected, "{document:#}");
    }

    // The same by hand: a delivery is booked by its list, one blank is spoiled, the next is made.
    let central = |arguments: &[&str]| {
        let mut command = zimogs();
        command.arg("central").args(arguments);
        command.args(["--json", "--profiles", profiles, "--data"]);
        command.arg(&demo.data);
        command
    };
    let list = demo.data.join("delivery.jsonl");
    let lines = [
        r#"{"format":"zimogs-delivery/v1","delivery":"D-2","blanks":2}"#,
        r#"{"blank":"B-1","article":"booklet","number":"XM0000001"}"#,
        r#"{"blank":"B-2","article":"booklet","number":"XM0000002"}"#,
    ];
    std::fs::write(&list, lines.join("\n")).unwrap();
    let list = list.to_str().unwrap();
    let counted = ["--counted", "2", "--witness", "quality"];
    let receive = [&["stock", "receive", list][..], &counted].concat();
    assert_eq!(json(&mut central(&receive))["blanks"], 2);
    let again = central(&receive).output().unwrap();
    assert_eq!(again.status.code(), Some(4), "a delivery is booked once");
    let stock = json(&mut central(&["stock", "check"]));
    assert_eq!(stock["differences"].as_array().unwrap().len(), 0);
    let numbers = json(&mut central(&["series", "check"]));
    assert_eq!(numbers["faults"].as_array().unwrap().len(), 0, "{numbers}");
    let count = central(&["stock", "count", "CENTRAL", "--count", "booklet=1"]);
    let count = { count }.output().unwrap();
    assert_eq!(count.status.code(), Some(4), "nobody counted the others");

    let text = project("tests/samples/applications/01-adult.json");
    let mut application: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(text).unwrap()).unwrap();
    let reference = "APP-2026-900002";
    application["reference"] = reference.into();
    let file = demo.data.join("application.json");
    std::fs::write(&file, application.to_string()).unwrap();
    run(&mut central(&["import", file.to_str().unwrap()]));
    let approved = json(&mut central(&["approve", reference]));
    assert!(approved["number"].is_null(), "{approved}");
    let spoiled = [
        "produce",
        reference,
        "--blank",
        "B-1",
        "--spoiled",
        "ink ran",
    ];
    assert_eq!(json(&mut central(&spoiled))["end"], "spoiled");
    let made = json(&mut central(&["produce", reference, "--blank", "b-2"]));
    assert_eq!(
        (&made["number"], &made["end"]),
        (&"XM0000002".into(), &"personalized".into())
    );
    for step in ["pass", "hand-over"] {
        run(&mut central(&[step, "XM0000002"]));
    }
}

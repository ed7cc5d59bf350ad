//! What is issued, and what it is made of.

pub(crate) fn application(bytes: &[u8]) {
    let today = jiff::civil::date(2026, 11, 22);
    if let Err(faults) = document::Application::parse(bytes, today) {
        assert!(!faults.is_empty(), "a refusal says why");
    }
}

/// A register's package, as it is carried and as it is signed.
pub(crate) fn package(bytes: &[u8]) {
    if let Ok(signed) = cert::jws::Jws::parse(bytes, document::MAX_PACKAGE_BYTES) {
        let ed25519 = [
            0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00,
        ];
        // RFC 8032 §7.1, test 1: nothing that a fuzzer finds is signed by it.
        let public = [
            0xD7, 0x5A, 0x98, 0x01, 0x82, 0xB1, 0x0A, 0xB7, 0xD5, 0x4B, 0xFE, 0xD3, 0xC9, 0x64,
            0x07, 0x3A, 0x0E, 0xE1, 0x72, 0xF3, 0xDA, 0xA6, 0x23, 0x25, 0xAF, 0x02, 0x1A, 0x68,
            0xF7, 0x07, 0x51, 0x1A,
        ];
        let key = cert::jws::JwsKey::from_spki_der(&[&ed25519[..], &public].concat());
        let key = key.unwrap_or_else(|_| panic!("a key of a standard"));
        assert!(signed.verify(&key, "zimogs-application+json").is_err());
    }
    let today = jiff::civil::date(2026, 11, 22);
    match document::Package::parse(bytes, today) {
        Ok(package) => {
            assert!((1..=document::MAX_PACKAGE_ENTRIES).contains(&package.entries.len()));
            for entry in package.entries {
                let faults = entry.action.err();
                assert!(faults.is_none_or(|faults| !faults.is_empty()));
            }
        }
        Err(faults) => assert!(!faults.is_empty(), "a refusal says why"),
    }
}

pub(crate) fn pjl(bytes: &[u8]) {
    // In whatever pieces it comes, it says the same.
    let whole = print::Ear::default().hear(bytes);
    let mut ear = print::Ear::default();
    let pieces: Result<Vec<_>, _> = bytes.chunks(7).map(|piece| ear.hear(piece)).collect();
    assert_eq!(whole, pieces.map(|said| said.concat()));
}

/// Each format's headers, with limits that refuse nothing.
pub(crate) fn image(bytes: &[u8]) {
    let any = document::ImageLimits {
        formats: document::MediaType::ALL,
        bytes: 1 << 20,
        least: (1, 1),
        greatest: (u16::MAX, u16::MAX),
        upright: false,
    };
    if let Ok(image) = document::Image::recognise(bytes.to_vec(), any) {
        assert_eq!(image.bytes(), bytes, "a picture is kept as it came");
    }
}

pub(crate) fn mrz(bytes: &[u8]) {
    use document::mrz::{Mrz, MrzInformation, Names, Parts, UnusedCheck};
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    for &language in document::Language::ALL {
        let writing = document::Transliteration::LATVIAN.with_language(language);
        let _ = Names::primary_only(text, writing).and_then(|n| n.with_secondary(text, writing));
    }
    let Ok(zone) = Mrz::read(text) else {
        return;
    };
    let again = Mrz::read(&zone.to_string());
    assert_eq!(again.as_ref(), Ok(&zone), "a zone survives its lines");
    let _ = (zone.checks(), zone.names(), zone.mrz_information());
    if !zone.faults().is_empty() {
        return;
    }
    let (Some(birth_date), Some(sex), Some(expiry_date)) =
        (zone.birth_date(), zone.sex(), zone.expiry_date())
    else {
        panic!("a sound zone has dates and a sex");
    };
    let parts = Parts {
        format: zone.format(),
        code: zone.document_code(),
        issuer: zone.issuer(),
        names: &zone.names(),
        number: &zone.document_number(),
        nationality: zone.nationality_code(),
        birth_date,
        sex,
        expiry_date,
        optional_data: zone.optional_data(),
        second_optional_data: zone.second_optional_data(),
        unused_check: match zone.field(document::mrz::Field::OptionalDataCheck) {
            "0" => UnusedCheck::Zero,
            _ => UnusedCheck::Filler,
        },
    };
    assert_eq!(
        Mrz::build(&parts).as_ref(),
        Ok(&zone),
        "a sound zone is built again"
    );
    let typed = MrzInformation::of(parts.number, birth_date, expiry_date);
    assert_eq!(typed, Ok(zone.mrz_information()));
}

pub(crate) fn delivery(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(delivery) = document::Delivery::parse(text) {
        assert!(delivery.blanks.len() < text.lines().count());
        let most = document::DeliveredBlank::MAX_CHIPS;
        assert!(
            delivery
                .blanks
                .iter()
                .all(|blank| blank.chips.len() <= most)
        );
    }
}

/// The smallest layout that prints a portrait.
const PORTRAIT: &str = r#"<svg xmlns="http://www.w3.org/2000/svg" xmlns:z="urn:zimogs:layout:1"
    width="12mm" height="15mm" viewBox="0 0 12 15">
    <g z:panel="laser"><rect x="1" y="1" width="6" height="8" z:field="holder.portrait"/></g></svg>"#;

/// A portrait, from its headers to its dots: what passes as a picture is printed or refused.
pub(crate) fn picture(bytes: &[u8]) {
    let small = document::ImageLimits {
        formats: document::PORTRAIT_LIMITS.formats,
        bytes: 1 << 17,
        least: (1, 1),
        greatest: (256, 256),
        upright: false,
    };
    let Ok(image) = document::Image::recognise(bytes.to_vec(), small) else {
        return;
    };
    let layout = print::Layout::parse("portrait", PORTRAIT).expect("a sound layout");
    let mut facts = print::Facts::default();
    facts.set_portrait(image);
    let how = print::Rendering {
        dots: 150,
        specimen: false,
    };
    match layout.render(&facts, how) {
        Ok(face) => assert_eq!(face.panels.len(), 1),
        Err(print::FaceError::Picture { .. }) => {}
        Err(other) => panic!("{other}"),
    }
}

/// A layout: what is read has a size, and its fields are known.
pub(crate) fn layout(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match print::Layout::parse("fuzzed", text) {
        Ok(layout) => {
            assert!((10.0..=300.0).contains(&layout.width));
            assert!((10.0..=300.0).contains(&layout.height));
        }
        Err(error) => assert!(!error.fault.is_empty() && !error.hint.is_empty()),
    }
}

/// The layout of a letter or a list: what is read prints an example or says why it does not.
pub(crate) fn sheet(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    for kind in print::SheetKind::ALL {
        let Ok(layout) = print::SheetLayout::parse(kind, text) else {
            continue;
        };
        if let Ok(pdf) = layout.sample() {
            assert!(pdf.starts_with(b"%PDF-"));
        }
    }
}

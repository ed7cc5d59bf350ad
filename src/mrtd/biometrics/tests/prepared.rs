//! What data preparation writes: against others' samples, read back, and judged by openssl.

use std::io::Write as _;
use std::process::{Command, Stdio};

use document::{Image, ImageLimits};
use jiff::civil::{Date, date};
use proptest::prelude::*;

use super::*;

/// Every format, every size.
const ANY: ImageLimits = ImageLimits {
    formats: MediaType::ALL,
    bytes: 1 << 20,
    least: (1, 1),
    greatest: (u16::MAX, u16::MAX),
    upright: false,
};

/// Returns a picture that another program wrote.
fn picture(name: &str) -> Image {
    let rows = read(&vectors("images/images.json"));
    let found = rows
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["name"] == name);
    Image::recognise(bytes(found.unwrap()), ANY).unwrap()
}

/// Returns the picture of a sample's first face or finger.
fn sampled(name: &str) -> Image {
    let picture = if name.starts_with("dg2") {
        FaceGroup::parse(&sample(name)).unwrap().faces[0]
            .picture
            .clone()
    } else {
        FingerGroup::parse(&sample(name)).unwrap().fingers[0]
            .picture
            .clone()
    };
    picture.recognise(ANY).unwrap()
}

/// Returns the first template's block.
fn block(modality: Modality, group: &[u8]) -> Vec<u8> {
    Templates::parse(modality, group).unwrap().templates[0]
        .block
        .to_vec()
}

#[test]
fn facial_record_is_the_samples_byte_for_byte() {
    let facts = FaceFacts {
        source: CaptureSource::DigitalCamera,
        taken: None,
    };
    let portrait = sampled("dg2_19794_min_jpeg");
    let group = prepare_face(&portrait, facts, 166, BiometricEncoding::Iso19794).unwrap();
    let expected = sample("dg2_19794_min_jpeg");
    assert_eq!(
        block(Modality::Face, &group),
        block(Modality::Face, &expected)
    );
}

#[test]
fn finger_record_is_the_samples_byte_for_byte() {
    let print = sampled("dg3_19794_one_png");
    let mut record = iso19794::finger::encode(&print, FingerPosition::RightIndex);
    // The sample names a capturing device; here none is known.
    assert_eq!(record[14..16], [0, 0]);
    record[14..16].copy_from_slice(&[0x01, 0x23]);
    let expected = sample("dg3_19794_one_png");
    assert_eq!(record.to_vec(), block(Modality::Finger, &expected));
    // The sample's wrapping is ours too.
    let template = Template {
        encoding: BiometricEncoding::Iso19794,
        subtype: FingerPosition::RightIndex.subtype(),
        block: &record,
    };
    let templates = Templates {
        templates: vec![template],
        issuer_data: None,
    };
    assert_eq!(
        templates.encode(Modality::Finger).unwrap().to_vec(),
        expected
    );
}

#[test]
fn finger_block_begins_with_the_samples_fields() {
    let print = sampled("dg3_39794_one_min_png");
    let ours = iso39794::finger::encode(&print, FingerPosition::RightIndex);
    let sample = block(Modality::Finger, &sample("dg3_39794_one_min_png"));
    let fields = |block: &[u8]| {
        let path = [0x64, 0xA1, 0x30].map(|tag| card::tlv::Tag::new(tag).unwrap());
        card::tlv::find(block, &path).unwrap().unwrap().to_vec()
    };
    // Five fields: the resolution is the one that the sample does without.
    assert_eq!(
        fields(&ours),
        [fields(&sample), hex::decode("A707800201F4810100").unwrap()].concat()
    );
}

#[test]
fn face_block_is_written_as_the_profile_wants_it() {
    let facts = FaceFacts {
        source: CaptureSource::DigitalCamera,
        taken: Some(date(2026, 11, 2)),
    };
    let portrait = sampled("dg2_39794_min_jpeg");
    let ours = prepare_face(&portrait, facts, 166, BiometricEncoding::Iso39794).unwrap();
    let block = hex::encode(block(Modality::Face, &ours));
    // Spelled by hand from the schema: 166 bytes of picture and what stands around them.
    let picture = hex::encode(portrait.bytes());
    let information = "a003800102a105a103800100a706800108810108a905a103800105";
    let device = "a207a105a103800102";
    let taken = "a20a800207ea81010b820102";
    let version = "a007800103810207e3";
    let expected = format!(
        "6581f6{version}a181ea3081e7800100a181d5a081d2a081cf8081a6{picture}a11b{information}{device}{taken}"
    );
    assert_eq!(block, expected);
}

#[test]
fn no_fingers_look_like_the_sample_with_other_bytes() {
    let group = prepare_no_fingers(&[0xA5; 16]);
    let expected = format!("63187f61030201005310{}", "a5".repeat(16));
    assert_eq!(hex::encode(&*group), expected);
    assert!(FingerGroup::parse(&group).unwrap().fingers.is_empty());
    let read = sample("dg3_zero_instances");
    let templates = Templates::parse(Modality::Finger, &read).unwrap();
    assert_eq!(templates.issuer_data, Some(&[1, 2, 3, 4, 5, 6, 7, 8][..]));
    assert_eq!(templates.encode(Modality::Finger).unwrap().to_vec(), read);
}

#[test]
fn what_does_not_belong_there_is_refused() {
    let (facts, face) = (FaceFacts::default(), sampled("dg2_19794_min_jpeg"));
    let (wsq, png) = (picture("finger.wsq"), sampled("dg3_19794_one_png"));
    let (grey, colour) = (picture("grey.jp2"), picture("colour.jp2"));
    let (left, right) = (FingerPosition::LeftIndex, FingerPosition::RightIndex);
    for &encoding in BiometricEncoding::ALL {
        let error = |image, budget| prepare_face(image, facts, budget, encoding).unwrap_err();
        assert_eq!(
            error(&face, 165).to_string(),
            "the portrait has 166 bytes; the profile has room for 165"
        );
        for image in [&wsq, &png] {
            let (what, found) = ("portrait", image.media_type());
            assert_eq!(error(image, 9999), PrepareError::Format { what, found });
        }
        let error = |fingers: &[_]| prepare_fingers(fingers, 4000, encoding).unwrap_err();
        assert_eq!(error(&[]), PrepareError::Fingers(0));
        let three = [
            (left, &wsq),
            (right, &wsq),
            (FingerPosition::LeftThumb, &wsq),
        ];
        assert_eq!(error(&three), PrepareError::Fingers(3));
        assert_eq!(error(&[(left, &wsq), (left, &wsq)]), PrepareError::Position);
        assert_eq!(
            error(&[(FingerPosition::Unknown, &wsq)]),
            PrepareError::Position
        );
        assert_eq!(
            error(&[(left, &grey), (right, &colour)]),
            PrepareError::Colour
        );
        for image in [&face, &png] {
            let (what, found) = ("fingerprint", image.media_type());
            assert_eq!(
                error(&[(left, image)]),
                PrepareError::Format { what, found }
            );
        }
        let error = prepare_fingers(&[(left, &grey), (right, &wsq)], 2000, encoding).unwrap_err();
        assert!(matches!(error, PrepareError::TooLarge { budget: 2000, .. }));
    }
}

#[test]
fn openssl_reads_every_data_object() {
    let facts = FaceFacts {
        source: CaptureSource::DigitalCamera,
        taken: Some(date(2026, 11, 2)),
    };
    for &encoding in BiometricEncoding::ALL {
        let fingers = [
            (FingerPosition::RightIndex, &picture("finger.wsq")),
            (FingerPosition::LeftIndex, &picture("grey.jp2")),
        ];
        for (group, application) in [
            (
                prepare_face(&picture("colour.jp2"), facts, 4000, encoding).unwrap(),
                5,
            ),
            (prepare_fingers(&fingers, 4000, encoding).unwrap(), 4),
        ] {
            let mut openssl = Command::new("openssl")
                .args(["asn1parse", "-inform", "DER"])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            openssl.stdin.take().unwrap().write_all(&group).unwrap();
            let output = openssl.wait_with_output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            assert!(output.status.success(), "{text}");
            let block = format!("cons: appl [ {application} ]");
            let expected = encoding == BiometricEncoding::Iso39794;
            assert_eq!(text.contains(&block), expected, "{text}");
        }
    }
}

#[test]
fn debug_shows_no_picture() {
    let portrait = sampled("dg2_19794_min_jpeg");
    let facts = FaceFacts::default();
    let group = prepare_face(&portrait, facts, 166, BiometricEncoding::Iso39794).unwrap();
    assert_eq!(
        format!("{:?}", FaceGroup::parse(&group).unwrap().faces[0]),
        "Face { encoding: Iso39794, picture: Picture(image/jpeg, 166 bytes), .. }"
    );
    let templates = Templates::parse(Modality::Face, &group).unwrap();
    assert!(!format!("{templates:?}").contains("255"));
}

#[test]
fn irises_are_wrapped_as_they_are() {
    for &encoding in BiometricEncoding::ALL {
        let right = Template {
            encoding,
            subtype: 1,
            block: b"\x66\x00",
        };
        let left = Template {
            subtype: 2,
            ..right
        };
        let templates = Templates {
            templates: vec![right, left],
            issuer_data: None,
        };
        let group = templates.encode(Modality::Iris).unwrap();
        assert_eq!(Templates::parse(Modality::Iris, &group), Ok(templates));
        let error = Templates::parse(Modality::Finger, &group).unwrap_err();
        assert_eq!(error, TemplateError::Expected(Modality::Finger.tag()));
    }
}

#[test]
fn groups_that_cannot_be_are_not_written() {
    let face = Template {
        encoding: BiometricEncoding::Iso19794,
        subtype: 0,
        block: b"FAC",
    };
    let encoded = |modality, count, issuer_data| {
        let templates = vec![face; count];
        let templates = Templates {
            templates,
            issuer_data,
        };
        templates.encode(modality)
    };
    assert_eq!(
        encoded(Modality::Face, 0, None),
        Err(TemplateError::Count(0))
    );
    assert!(encoded(Modality::Face, 9, None).is_ok());
    assert_eq!(
        encoded(Modality::Face, 10, None),
        Err(TemplateError::Count(10))
    );
    assert!(encoded(Modality::Finger, 256, None).is_err());
    let behind = encoded(Modality::Finger, 1, Some(b"random"));
    assert_eq!(behind, Err(TemplateError::Trailing(Modality::Finger.tag())));
}

#[test]
fn subtypes_are_those_of_the_standard() {
    // ICAO 9303-10 table 49, as bytes.
    let subtypes = [
        0x00, 0x05, 0x09, 0x0D, 0x11, 0x15, 0x06, 0x0A, 0x0E, 0x12, 0x16,
    ];
    for (&position, subtype) in FingerPosition::ALL.iter().zip(subtypes) {
        assert_eq!(position.subtype(), subtype, "{position:?}");
    }
}

#[test]
fn encodings_have_names() {
    for &encoding in BiometricEncoding::ALL {
        assert_eq!(encoding.to_string().parse(), Ok(encoding));
    }
    assert!("iso-39794".parse::<BiometricEncoding>().is_err());
}

#[test]
fn every_cut_and_every_tail_is_noticed() {
    for (name, _, whole) in samples() {
        let refused =
            |bytes: &[u8]| FaceGroup::parse(bytes).is_err() && FingerGroup::parse(bytes).is_err();
        for end in 0..whole.len() {
            assert!(refused(&whole[..end]), "{name} cut at {end}");
        }
        assert!(refused(&[&whole[..], &[0]].concat()), "{name}");
    }
}

#[test]
fn a_group_of_a_megabyte_is_the_longest() {
    let bytes = vec![0; MAX_DATA_GROUP + 1];
    let error = FaceGroup::parse(&bytes).unwrap_err();
    let length = bytes.len();
    assert_eq!(
        error,
        BiometricError::Template(TemplateError::TooLong { length })
    );
}

fn any_encoding() -> impl Strategy<Value = BiometricEncoding> {
    prop::sample::select(BiometricEncoding::ALL)
}

fn any_source() -> impl Strategy<Value = CaptureSource> {
    (0_u8..7).prop_map(CaptureSource::of)
}

fn any_date() -> impl Strategy<Value = Date> {
    (1900_i16..=9999, 1_i8..=12, 1_i8..=28).prop_map(|(year, month, day)| date(year, month, day))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn faces_survive_the_chip(
        name in prop::sample::select(&["colour.jp2", "reversible.j2c", "tiles.j2c", "grey.jp2"]),
        encoding in any_encoding(),
        source in any_source(),
        taken in prop::option::of(any_date()),
    ) {
        let portrait = picture(name);
        let facts = FaceFacts { source, taken };
        let group = prepare_face(&portrait, facts, 4000, encoding).unwrap();
        let read = FaceGroup::parse(&group).unwrap();
        prop_assert_eq!(&read.deviations, &[]);
        prop_assert_eq!(read.faces.len(), 1);
        let face = &read.faces[0];
        prop_assert_eq!(face.encoding, encoding);
        prop_assert_eq!(face.picture.recognise(ANY), Ok(portrait));
        prop_assert_eq!(face.size, Some((24, 32)));
        prop_assert_eq!(face.source, source);
        let taken = taken.filter(|_| encoding == BiometricEncoding::Iso39794).map(|day| {
            let byte = |value: i8| u8::try_from(value).ok();
            (day.year().unsigned_abs(), byte(day.month()), byte(day.day()))
        });
        prop_assert_eq!(face.taken, taken);
    }

    #[test]
    fn fingers_survive_the_chip(
        names in prop::collection::vec(prop::sample::select(&["finger.wsq", "grey.jp2"]), 1..=2),
        first in 1_u16..=10,
        step in 1_u16..10,
        encoding in any_encoding(),
    ) {
        let prints: Vec<_> = names.iter().map(|name| picture(name)).collect();
        let positions = [first, (first - 1 + step) % 10 + 1].map(|code| FingerPosition::of(code).unwrap());
        let fingers: Vec<_> = positions.into_iter().zip(&prints).collect();
        let group = prepare_fingers(&fingers, 4000, encoding).unwrap();
        let read = FingerGroup::parse(&group).unwrap();
        prop_assert_eq!(&read.deviations, &[]);
        prop_assert_eq!(read.fingers.len(), fingers.len());
        for (finger, (position, print)) in read.fingers.iter().zip(fingers) {
            prop_assert_eq!(finger.encoding, encoding);
            prop_assert_eq!(finger.position, position);
            prop_assert_eq!(finger.picture.media_type(), Some(print.media_type()));
            prop_assert_eq!(finger.picture.bytes(), print.bytes());
        }
    }

    #[test]
    fn hostile_bytes_never_panic(
        which in 0_usize..20,
        at: prop::sample::Index,
        value: u8,
        inserted in prop::collection::vec(any::<u8>(), 0..4),
    ) {
        let mut bytes = samples().swap_remove(which).2;
        let at = at.index(bytes.len());
        bytes[at] = value;
        bytes.splice(at..at, inserted);
        let _ = FaceGroup::parse(&bytes);
        let _ = FingerGroup::parse(&bytes);
    }
}

//! What is written reads back, and writing is deterministic.

use document::mrz::Mrz;
use jiff::civil::date;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::lds::{
    AtrInfo, Dg1, Dg11, Dg12, Dg16, Directory, DirectoryEntry, Displayed, DisplayedKind, EfCom,
    ExtendedLength, File, Group, ImageData, LdsDate, LdsTime, LdsVersion, PersonToNotify, Text,
    deviations,
};

const HOLDER: &str = r#"{"surname":"Bērziņš-Ozols","given_names":"Jānis Kārlis","personal_code":"120182-12346","birth_date":"1982-01-12","sex":"M","nationality":"LVA","birth_place":"Rīga"}"#;

#[test]
fn a_holder_s_details() {
    let holder: document::Holder = serde_json::from_str(HOLDER).unwrap();
    let dg11 = Dg11::of_holder(&holder).unwrap();
    // The tag list, then the four in the order of Table 71.
    let expected = [
        "6B4F",
        "5C085F0E5F105F2B5F11",
        "5F0E20",
        &hex::encode("BĒRZIŅŠ<OZOLS<<JĀNIS<KĀRLIS"),
        "5F100C",
        &hex::encode("120182-12346"),
        "5F2B08",
        &hex::encode("19820112"),
        "5F1105",
        &hex::encode("RĪGA"),
    ];
    let file = dg11.encode().unwrap();
    assert_eq!(
        hex::encode_upper(file.bytes()),
        expected.concat().to_uppercase()
    );
    assert_eq!(Dg11::parse(file.bytes()).unwrap().content, dg11);
}

#[test]
fn a_name_that_does_not_fit_is_an_error_and_not_cut() {
    let mut holder: serde_json::Value = serde_json::from_str(HOLDER).unwrap();
    holder["surname"] = "Ž".repeat(32).into();
    holder["given_names"] = "Š".repeat(36).into();
    let holder: document::Holder = serde_json::from_value(holder).unwrap();
    let error = Dg11::of_holder(&holder).unwrap_err();
    assert_eq!(
        error.to_string(),
        "EF.DG11, object 5F0E: 138 bytes; at most 99 are allowed"
    );
}

#[test]
fn issue_details() {
    let dg12 = Dg12::of_issue("PMLP", date(2026, 11, 22)).unwrap();
    let file = dg12.encode().unwrap();
    assert_eq!(
        hex::encode_upper(file.bytes()),
        "6C185C045F195F265F1904504D4C505F26083230323631313232"
    );
    assert!(Dg12::of_issue("", date(2026, 11, 22)).is_err());
}

fn text() -> impl Strategy<Value = Text> {
    "[A-ZĀČĒĢĪĶĻŅŠŪŽ 0-9<]{1,40}".prop_map(|text| Text::new(&text).unwrap())
}

fn day() -> impl Strategy<Value = LdsDate> {
    (0i16..=9999, 0i8..=12, 0i8..=28).prop_map(|(year, month, day)| {
        LdsDate::parse(format!("{year:04}{month:02}{day:02}").as_bytes()).unwrap()
    })
}

fn image() -> impl Strategy<Value = ImageData> {
    vec(any::<u8>(), 0..400).prop_map(|bytes| ImageData::new(&bytes))
}

prop_compose! {
    fn dg11()(
        texts in [
            option::of(text()), option::of(text()), option::of(text()), option::of(text()),
            option::of(text()), option::of(text()), option::of(text()), option::of(text()),
            option::of(text()), option::of(text()),
        ],
        other_names in vec(text(), 0..5),
        birth_date in option::of(day()),
        citizenship in option::of(image()),
    ) -> Dg11 {
        let [
            full_name, personal_number, birth_place, address, telephone, profession, title,
            summary, other_documents, custody,
        ] = texts;
        Dg11 {
            full_name, other_names, personal_number, birth_date, birth_place, address, telephone,
            profession, title, summary, citizenship, other_documents, custody,
        }
    }
}

prop_compose! {
    fn dg12()(
        texts in [
            option::of(text()), option::of(text()), option::of(text()), option::of(text()),
        ],
        other_persons in vec(text(), 0..5),
        issue_date in option::of(day()),
        front in option::of(image()),
        rear in option::of(image()),
        second in option::of(0i32..86_400),
    ) -> Dg12 {
        let [authority, endorsements, tax_and_exit, system] = texts;
        let start = date(2026, 11, 22).at(0, 0, 0, 0);
        let time = |second| start.checked_add(jiff::Span::new().seconds(second)).unwrap();
        let personalized = second.map(|second| LdsTime::new(time(second)).unwrap());
        Dg12 {
            authority, issue_date, other_persons, endorsements, tax_and_exit, front, rear,
            personalized, system,
        }
    }
}

prop_compose! {
    fn person()(recorded in day(), name in text(), telephone in text(), address in text())
    -> PersonToNotify {
        PersonToNotify { recorded, name, telephone, address }
    }
}

proptest! {
    // A failure is printed; a file of it would land in the workspace's folder of crates.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn details(dg11 in dg11(), dg12 in dg12()) {
        let file = dg11.encode().unwrap();
        let read = Dg11::parse(file.bytes()).unwrap();
        prop_assert_eq!(&read.content, &dg11);
        prop_assert_eq!(read.remarks, vec![]);
        prop_assert_eq!(dg11.clone().encode().unwrap(), file);
        let file = dg12.encode().unwrap();
        let read = Dg12::parse(file.bytes()).unwrap();
        prop_assert_eq!(&read.content, &dg12);
        prop_assert_eq!(read.remarks, vec![]);
    }

    #[test]
    fn persons(persons in vec(person(), 1..=15)) {
        let dg16 = Dg16 { persons };
        let file = dg16.encode().unwrap();
        let read = Dg16::parse(file.bytes()).unwrap();
        prop_assert_eq!(read.content, dg16);
        prop_assert_eq!(read.remarks, vec![]);
    }

    #[test]
    fn displayed_images(images in vec(image(), 1..=9), portrait in any::<bool>()) {
        let kind = if portrait { DisplayedKind::Portrait } else { DisplayedKind::Signature };
        let displayed = Displayed { kind, images };
        let file = displayed.encode().unwrap();
        let read = Displayed::parse(kind, file.bytes()).unwrap();
        prop_assert_eq!(read.content, displayed);
        prop_assert_eq!(read.remarks, vec![]);
    }

    #[test]
    fn zones(zone in "[A-Z0-9<]{72}|[A-Z0-9<]{88}|[A-Z0-9<]{90}") {
        let dg1 = Dg1 { mrz: Mrz::read(&zone).unwrap() };
        let read = Dg1::parse(dg1.encode().unwrap().bytes()).unwrap();
        prop_assert_eq!(read.content, dg1);
        prop_assert_eq!(read.remarks, vec![]);
    }

    #[test]
    fn lists(
        groups in prop::sample::subsequence(Group::ALL.to_vec(), 0..=16),
        identifiers in prop::collection::btree_map(vec(any::<u8>(), 5..=16), option::of("[A-Z]{1,9}"), 0..9),
    ) {
        let com = EfCom::new(LdsVersion::V1_8, groups);
        let read = EfCom::parse(&com.encode()).unwrap();
        prop_assert_eq!(read.content, com);
        prop_assert_eq!(read.remarks, vec![]);
        let entry = |(identifier, label)| DirectoryEntry { identifier, label };
        let directory = Directory { applications: identifiers.into_iter().map(entry).collect() };
        let read = Directory::parse(&directory.encode()).unwrap();
        prop_assert_eq!(read.content, directory);
        prop_assert_eq!(read.remarks, vec![]);
    }

    #[test]
    fn capabilities(
        service_data in option::of(any::<u8>()),
        capabilities in option::of(any::<[u8; 3]>()),
        lengths in option::of(any::<[u32; 2]>()),
    ) {
        let extended_length = lengths.map(|[command, response]| ExtendedLength { command, response });
        let info = AtrInfo { service_data, capabilities, extended_length, others: Vec::new() };
        prop_assert_eq!(AtrInfo::parse(&info.encode()).unwrap(), info);
    }

    #[test]
    fn any_bytes_are_read_or_refused(
        content in vec(any::<u8>(), 0..300),
        file in prop::sample::select(File::all()),
        wrapped in any::<bool>(),
    ) {
        let bytes = match file.tag() {
            Some(tag) if wrapped => card::tlv::encode(tag, &content),
            _ => content,
        };
        let _ = deviations(file, &bytes);
    }
}

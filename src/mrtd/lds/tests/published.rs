//! Files of standards and of the field.

use card::tlv::{self, Tag};
use cert::PublicKey;
use jiff::civil::{date, datetime};

use crate::lds::testing::{bytes, vector};
use crate::lds::{
    AtrInfo, CardAccess, DataGroup, Dg11, Dg12, Dg14, Dg15, Dg16, Directory, ExtendedLength, File,
    Group, LDS_APPLICATION, Remark, deviations,
};

fn texts(fields: &[&Option<crate::lds::Text>]) -> Vec<String> {
    let present = fields.iter().filter_map(|field| field.as_ref());
    present.map(|text| text.as_str().to_owned()).collect()
}

#[test]
fn personal_details_of_the_standard() {
    let file = bytes(&vector("icao")["dg11"]);
    let read = Dg11::parse(&file).unwrap();
    assert!(read.remarks.is_empty());
    let dg11 = read.content;
    assert_eq!(
        texts(&[
            &dg11.full_name,
            &dg11.birth_place,
            &dg11.address,
            &dg11.telephone,
            &dg11.profession
        ]),
        [
            "SMITH<<JOHN<J",
            "ANYTOWN<MN",
            "123 MAPLE RD<ANYTOWN<MN",
            "16125551212",
            "TRAVEL<AGENT"
        ]
    );
    let name = dg11.full_name.as_ref().unwrap().name();
    assert_eq!((name.0.as_str(), name.1.as_str()), ("SMITH", "JOHN J"));
    assert_eq!(dg11.encode().unwrap().bytes(), file);
    let shown = format!("{dg11:?}");
    assert!(!shown.contains("SMITH") && !shown.contains("MAPLE"));
}

#[test]
fn names_outside_their_template() {
    let file = bytes(&vector("field")["dg11_names_outside_template"]);
    let read = Dg11::parse(&file).unwrap();
    let tag = Tag::known::<0x5F0F>();
    assert_eq!(read.remarks, [Remark::OutsideTemplate(tag)]);
    assert_eq!(read.content.full_name.unwrap().as_str(), "赵彬");
    assert_eq!(read.content.other_names[0].as_str(), "ZHAO<<BIN");
}

#[test]
fn document_details() {
    let file = bytes(&vector("supplement")["dg12"]);
    let read = Dg12::parse(&file).unwrap();
    assert!(read.remarks.is_empty());
    let dg12 = read.content;
    assert_eq!(texts(&[&dg12.authority]), ["UNITED STATES OF AMERICA"]);
    assert_eq!(
        dg12.issue_date.as_ref().unwrap().date(),
        Some(date(2002, 5, 31))
    );
    assert_eq!(dg12.other_persons[0].as_str(), "SMITH<<BRENDA<P");
    assert_eq!(dg12.encode().unwrap().bytes(), file);

    let file = bytes(&vector("field")["dg12_authority"]);
    let read = Dg12::parse(&file).unwrap();
    assert!(read.remarks.is_empty());
    assert_eq!(
        texts(&[&read.content.authority]),
        ["JAKARTA - AMBASSADE DE FRANCE EN INDONESIE"]
    );
    assert_eq!(read.content.encode().unwrap().bytes(), file);

    let file = bytes(&vector("field")["dg12_personalization"]);
    let read = Dg12::parse(&file).unwrap();
    assert!(read.remarks.is_empty());
    let time = read.content.personalized.unwrap();
    assert_eq!(time.time(), datetime(2016, 11, 15, 1, 36, 12, 0));
    assert_eq!(texts(&[&read.content.system]), ["N-4962"]);
    assert_eq!(read.content.encode().unwrap().bytes(), file);
}

#[test]
fn persons_to_notify() {
    let file = bytes(&vector("icao")["dg16"]);
    let read = Dg16::parse(&file).unwrap();
    assert!(read.remarks.is_empty());
    let names = read
        .content
        .persons
        .iter()
        .map(|person| person.name.as_str());
    assert!(names.eq(["SMITH<<CHARLES<R", "BROWN<<MARY<J"]));
    let second = &read.content.persons[1];
    assert_eq!(second.recorded.date(), Some(date(2002, 3, 15)));
    assert_eq!(second.telephone.as_str(), "14155551212");
    assert_eq!(
        second.address.fields(),
        ["49 REDWOOD LN", "OCEAN BREEZE", "CA", "94000"]
    );
    assert_eq!(read.content.encode().unwrap().bytes(), file);
}

#[test]
fn security_options_and_key() {
    let bsi = vector("bsi");
    let file = bytes(&bsi["dg14"]);
    let dg14 = Dg14::parse(&file).unwrap();
    assert_eq!(dg14.security_infos(), &file[4..]);
    assert_eq!(dg14.encode().unwrap().bytes(), file);
    // The same infos would be EF.CardAccess.
    assert!(CardAccess::parse(dg14.security_infos()).is_ok());

    let file = bytes(&bsi["dg15"]);
    let dg15 = Dg15::parse(&file).unwrap();
    // 1024 bits are too few today; they are shown nevertheless.
    let PublicKey::Rsa(key) = dg15.key() else {
        panic!("DG15 of the reference data set is an RSA key");
    };
    assert_eq!(key.modulus(), &file[file.len() - 133..file.len() - 5]);
    assert_eq!(dg15.spki(), &file[3..]);
    assert_eq!(dg15.encode().unwrap().bytes(), file);
    let again = Dg15::new(dg15.key().clone()).unwrap();
    assert_eq!(again.encode().unwrap().bytes(), file);
}

#[test]
fn files_of_the_master_file() {
    let file = bytes(&vector("icao")["dir"]);
    let read = Directory::parse(&file).unwrap();
    assert!(read.remarks.is_empty() && read.content.has_lds());
    assert_eq!(read.content.applications.len(), 4);
    assert_eq!(read.content.encode(), file);
    assert_eq!(Directory::of(&[&LDS_APPLICATION]).encode(), &file[..11]);

    let file = bytes(&vector("field")["atr_info"]);
    let info = AtrInfo::parse(&file).unwrap();
    assert!(info.has_chaining() && info.has_extended_length());
    assert_eq!(info.service_data, Some(0xF8));
    let lengths = ExtendedLength {
        command: 1520,
        response: 1520,
    };
    assert_eq!(info.extended_length, Some(lengths));
    assert_eq!(info.encode(), file);
}

#[test]
fn a_data_group_says_which_it_is() {
    let bsi = vector("bsi");
    for (name, group) in [
        ("dg1", Group::Dg1),
        ("dg14", Group::Dg14),
        ("dg15", Group::Dg15),
    ] {
        let file = bytes(&bsi[name]);
        let read = DataGroup::parse(&file).unwrap();
        assert_eq!((read.group(), read.bytes()), (group, &file[..]));
        let again = DataGroup::new(group, read.content()).unwrap();
        assert_eq!(again, read);
        assert_eq!(
            format!("{read:?}"),
            format!("DataGroup({group}, {} bytes)", file.len())
        );
    }
    assert!(DataGroup::parse(&bytes(&bsi["com"])).is_err());
    assert!(DataGroup::parse(&[]).is_err());
}

#[test]
fn deviations_of_details_are_all_named() {
    let tag = |value| Tag::new(value).unwrap();
    let object = |value, content: &[u8]| tlv::encode(tag(value), content);
    // The list names 5F10, which is not there, not 5F11, and 5F42 twice.
    let list = hex::decode("5F105F425F425F2B5F205F12").unwrap();
    let content = [
        object(0x5C, &list),
        object(0x5F2B, &[0x19, 0x82, 0x01, 0x12]),
        object(0x5F11, "RĪGA".as_bytes()),
        object(0x5F42, b"X"),
        object(0x5F20, b"X"),
        object(0x5F12, &[b'1'; 100]),
    ];
    let file = object(0x6B, &content.concat());
    let read = Dg11::parse(&file).unwrap();
    assert_eq!(
        read.remarks,
        [
            Remark::UnknownTag(tag(0x5F20)),
            Remark::ListedNotPresent(tag(0x5F10)),
            Remark::ListedTwice(tag(0x5F42)),
            Remark::PresentNotListed(tag(0x5F11)),
            Remark::PackedDate(tag(0x5F2B)),
            Remark::LongText {
                tag: tag(0x5F12),
                length: 100,
                limit: 99,
            },
        ]
    );
    let born = read.content.birth_date.as_ref().unwrap();
    assert_eq!(born.date(), Some(date(1982, 1, 12)));
    assert_eq!(deviations(File::Dg(Group::Dg11), &file), Ok(read.remarks));
    // Such a text is read, not written.
    assert!(read.content.encode().is_err());
}

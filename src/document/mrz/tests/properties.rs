use proptest::prelude::*;

use super::names::shows;
use super::{SPECIMEN, names_of, rebuilt};
use crate::Sex;
use crate::mrz::{Field, Format, Mrz, MrzInformation, Parts, UnusedCheck, ZoneDate};

fn any_parts() -> impl Strategy<Value = (Format, String, String, String, String, Sex, String)> {
    (
        prop::sample::select(Format::ALL),
        "[A-Z0-9]{1,22}",
        "[A-ZĀČĒĢĪĶĻŅŠŪŽ]{1,20}([ -][A-ZŠÜß]{1,12}){0,2}",
        "([A-ZĀŠ]{1,12}([ '-][A-ZÅ]{1,12}){0,3}){0,1}",
        "[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|1[0-9]|2[0-8])",
        prop::sample::select(Sex::ALL),
        "([A-Z0-9][A-Z0-9 -]{0,5}[A-Z0-9]){0,1}",
    )
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,95}") {
        prop_assert!(Mrz::read(&text).is_err());
    }

    #[test]
    fn any_characters_of_a_zone_are_read_and_judged(
        text in prop_oneof!["[A-Z0-9<]{90}", "[A-Z0-9<]{72}", "[A-Z0-9<]{88}",
            "[ACI<][A-Z<]{29}[0-9<]{60}", "[PV<][A-Z<]{43}[0-9<]{44}"],
    ) {
        let zone = Mrz::read(&text).unwrap();
        prop_assert_eq!(Mrz::read(&zone.to_string()).unwrap(), zone.clone());
        prop_assert_eq!(zone.faults().is_empty(), Mrz::parse(&text).is_ok());
        let _ = (zone.names(), zone.mrz_information(), zone.optional_data(), zone.document_number());
    }

    #[test]
    fn what_is_built_says_what_it_was_built_from(
        (format, number, surname, given, day, sex, data) in any_parts(),
    ) {
        let names = names_of(&surname, &given);
        let parts = Parts {
            format,
            code: &format.first_letters()[..1],
            issuer: "LVA",
            names: &names,
            number: &number,
            nationality: "D",
            birth_date: ZoneDate::parse(&day).unwrap(),
            sex,
            expiry_date: ZoneDate::parse(&day).unwrap(),
            optional_data: &data,
            second_optional_data: "",
            unused_check: UnusedCheck::Filler,
        };
        let Ok(zone) = Mrz::build(&parts) else {
            // Only a number too long for its format is refused, or data that it leaves no room.
            prop_assert!(number.len() > 9);
            return Ok(());
        };
        let read = Mrz::parse(&zone.to_string()).unwrap();
        prop_assert_eq!(&*read.document_number(), &number);
        prop_assert_eq!(read.optional_data(), data.replace([' ', '-'], "<"));
        prop_assert_eq!(read.sex(), Some(sex));
        prop_assert!(shows(read.field(Field::Names), &names), "{}", read);
        prop_assert_eq!(
            read.mrz_information(),
            MrzInformation::of(&number, parts.birth_date, parts.expiry_date).unwrap()
        );
        prop_assert_eq!(rebuilt(&read), zone);
    }

    #[test]
    fn a_changed_digit_never_passes(place in 0_usize..90, by in 1_u8..10) {
        let mut characters = SPECIMEN.replace('\n', "").into_bytes();
        prop_assume!(characters[place].is_ascii_digit());
        characters[place] = b'0' + (characters[place] - b'0' + by) % 10;
        prop_assert!(Mrz::parse(&String::from_utf8(characters).unwrap()).is_err());
    }
}

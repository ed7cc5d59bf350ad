//! The common name of a certificate's subject.

use crate::{GivenNames, Surname};

/// Longest common name in characters (*RFC 5280 Appendix A*, `ub-common-name`).
pub const COMMON_NAME_LIMIT: usize = 64;

/// Returns the common name: given names, a space and the surname, in capitals, of
/// at most [`COMMON_NAME_LIMIT`] characters.
///
/// A surname and given names at their own limits make 69 characters. Where both
/// do not fit, the given names give way and the surname stays whole:
///
/// 1. given names are dropped from the end, one whole name after another;
/// 2. if even the first is too long, letters are dropped from its end;
/// 3. if no letter of it fits, the surname stands alone. This takes a surname
///    that grows in capitals (`ß` becomes `SS`).
///
/// A hyphenated name is one name. The subject's `surname` and `givenName`
/// attributes are not shortened: they stand beside this one.
#[must_use]
pub fn common_name(given_names: &GivenNames, surname: &Surname) -> String {
    let surname = surname.upper();
    let room = COMMON_NAME_LIMIT.saturating_sub(surname.chars().count() + 1);
    let given_names = shorten(&given_names.upper(), room);
    if given_names.is_empty() {
        surname
    } else {
        format!("{given_names} {surname}")
    }
}

fn shorten(given_names: &str, room: usize) -> String {
    let mut kept = given_names;
    while kept.chars().count() > room {
        match kept.rsplit_once(' ') {
            Some((before, _)) => kept = before,
            None => {
                let cut: String = kept.chars().take(room).collect();
                return cut.trim_end_matches(['-', '\'']).to_owned();
            }
        }
    }
    kept.to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(given_names: &str, surname: &str) -> String {
        common_name(
            &GivenNames::parse(given_names).unwrap(),
            &Surname::parse(surname).unwrap(),
        )
    }

    #[test]
    fn what_fits_is_whole_and_in_capitals() {
        assert_eq!(of("Andris", "Paraudziņš"), "ANDRIS PARAUDZIŅŠ");
        let exactly_64 = of(&"a".repeat(31), &"b".repeat(32));
        assert_eq!(exactly_64, format!("{} {}", "A".repeat(31), "B".repeat(32)));
    }

    #[test]
    fn whole_given_names_go_first_from_the_end() {
        let surname = "B".repeat(32);
        assert_eq!(
            of("Anna Marta Elizabete Konstantīnija", &surname),
            format!("ANNA MARTA ELIZABETE {surname}")
        );
        assert_eq!(
            of("Anna-Marta Elizabete-Konstantīnija", &surname),
            format!("ANNA-MARTA {surname}")
        );
    }

    #[test]
    fn letters_go_only_from_a_single_name_that_is_too_long() {
        let surname = "B".repeat(32);
        assert_eq!(
            of(&"a".repeat(36), &surname),
            format!("{} {surname}", "A".repeat(31))
        );
        let hyphen_at_the_cut = format!("{}-{}", "a".repeat(30), "c".repeat(5));
        assert_eq!(
            of(&hyphen_at_the_cut, &surname),
            format!("{} {surname}", "A".repeat(30))
        );
    }

    #[test]
    fn surname_that_fills_the_field_stands_alone() {
        assert_eq!(of("Anna", &"ß".repeat(32)), "S".repeat(64));
        assert_eq!(
            of("Anna", &format!("{}a", "ß".repeat(31))),
            format!("{}A", "S".repeat(62))
        );
    }

    proptest! {
        #[test]
        fn never_longer_than_the_limit_and_always_ends_with_the_surname(
            given_names in "[A-Za-zĀāŠšß]{1,17}( [A-Za-zĀāŠšß]{1,17}){0,1}",
            surname in "[A-Za-zĀāŠšß]{1,15}(-[A-Za-zĀāŠšß]{1,15}){0,1}",
        ) {
            let name = of(&given_names, &surname);
            prop_assert!(name.chars().count() <= COMMON_NAME_LIMIT);
            prop_assert!(name.ends_with(&surname.to_uppercase()));
            let given = name.strip_suffix(&surname.to_uppercase()).unwrap();
            prop_assert!(given_names.to_uppercase().starts_with(given.trim_end()));
        }
    }
}

//! Kinds of document.

use crate::Nationality;
use crate::named::named;

named! {
    /// A kind of document that is issued.
    ///
    /// Adding one means a variant here, its titles, its validity in
    /// [`Validity`](crate::Validity) and its holders' nationalities in
    /// [`Kind::admits`]; the compiler points at each.
    "document kind" enum Kind {
        /// Identity card (eID card) of a citizen or a non-citizen of Latvia.
        IdCard = "id-card",
        /// Identity card (eID card) of an alien. Not a travel document.
        AlienIdCard = "alien-id-card",
    }
}

impl Kind {
    /// Returns the English title.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::IdCard => "Identity card",
            Self::AlienIdCard => "Alien identity card",
        }
    }

    /// Returns the Latvian title.
    #[must_use]
    pub const fn title_lv(self) -> &'static str {
        match self {
            Self::IdCard => "Personas apliecība",
            Self::AlienIdCard => "Ārzemnieka personas apliecība",
        }
    }

    /// Tells whether a holder of this nationality may have this kind.
    ///
    /// An identity card is for citizens (`LVA`) and non-citizens, for whom the
    /// register may send `XXA` or `XXX`: which of them is not settled publicly.
    /// An alien card is for everybody who is not a citizen.
    #[must_use]
    pub fn admits(self, nationality: Nationality) -> bool {
        match self {
            Self::IdCard => matches!(nationality.as_str(), "LVA" | "XXA" | "XXX"),
            Self::AlienIdCard => nationality != Nationality::LATVIA,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_names_are_the_documented_ones() {
        assert_eq!(Kind::IdCard.name(), "id-card");
        assert_eq!(Kind::AlienIdCard.name(), "alien-id-card");
        assert_eq!("id-card".parse::<Kind>().unwrap(), Kind::IdCard);
        assert!("ID-CARD".parse::<Kind>().is_err());
    }

    #[test]
    fn titles_are_distinct_in_both_languages() {
        assert_ne!(Kind::IdCard.title(), Kind::AlienIdCard.title());
        assert_ne!(Kind::IdCard.title_lv(), Kind::AlienIdCard.title_lv());
    }

    #[test]
    fn citizens_get_identity_cards_and_aliens_get_alien_cards() {
        let of = |code: &str| Nationality::parse(code).unwrap();
        assert!(Kind::IdCard.admits(of("LVA")));
        assert!(Kind::IdCard.admits(of("XXA")));
        assert!(!Kind::IdCard.admits(of("EST")));
        assert!(!Kind::IdCard.admits(of("XXB")));
        assert!(!Kind::AlienIdCard.admits(of("LVA")));
        assert!(Kind::AlienIdCard.admits(of("EST")));
        assert!(Kind::AlienIdCard.admits(of("XXC")));
    }
}

//! Kinds of document.

use crate::Nationality;
use crate::mrz::Format;
use crate::named::named;

named! {
    /// A kind of document that is issued.
    ///
    /// Adding one means a variant here, its titles, its validity in
    /// [`Validity`](crate::Validity), its holders' nationalities in [`Kind::admits`], its zone
    /// in [`Kind::mrz`] and its numbers in [`Kind::number_format`]; the compiler points at each. Whether it has a chip, and which, is the
    /// document profile's to say.
    "document kind" enum Kind {
        /// Identity card (eID card) of a citizen or a non-citizen of Latvia.
        IdCard = "id-card",
        /// Identity card (eID card) of an alien. Not a travel document.
        AlienIdCard = "alien-id-card",
        /// Passport of a citizen.
        Passport = "passport",
        /// Passport of a non-citizen of Latvia.
        NonCitizenPassport = "non-citizen-passport",
        /// Travel document of a refugee (1951 Convention).
        RefugeeTravelDocument = "refugee-travel-document",
        /// Travel document of a stateless person (1954 Convention).
        StatelessTravelDocument = "stateless-travel-document",
        /// Travel document of a person under subsidiary protection ("alternative status").
        SubsidiaryProtectionTravelDocument = "subsidiary-protection-travel-document",
        /// Residence permit in the uniform format of the European Union (Regulation 1030/2002).
        ResidencePermit = "residence-permit",
        /// Certificate of a politically repressed person.
        RepressedPersonCertificate = "repressed-person-certificate",
        /// Certificate of a member of the national resistance movement.
        ResistanceMemberCertificate = "resistance-member-certificate",
        /// Certificate of a participant in the Second World War.
        WarParticipantCertificate = "war-participant-certificate",
    }
}

impl Kind {
    /// Returns the English title.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::IdCard => "Identity card",
            Self::AlienIdCard => "Alien identity card",
            Self::Passport => "Passport",
            Self::NonCitizenPassport => "Non-citizen's passport",
            Self::RefugeeTravelDocument => "Refugee's travel document",
            Self::StatelessTravelDocument => "Stateless person's travel document",
            Self::SubsidiaryProtectionTravelDocument => {
                "Travel document of a person under subsidiary protection"
            }
            Self::ResidencePermit => "Residence permit",
            Self::RepressedPersonCertificate => "Politically repressed person's certificate",
            Self::ResistanceMemberCertificate => {
                "National resistance movement member's certificate"
            }
            Self::WarParticipantCertificate => "Second World War participant's certificate",
        }
    }

    /// Returns the Latvian title.
    #[must_use]
    pub const fn title_lv(self) -> &'static str {
        match self {
            Self::IdCard => "Personas apliecība",
            Self::AlienIdCard => "Ārzemnieka personas apliecība",
            Self::Passport => "Pilsoņa pase",
            Self::NonCitizenPassport => "Nepilsoņa pase",
            Self::RefugeeTravelDocument => "Bēgļa ceļošanas dokuments",
            Self::StatelessTravelDocument => "Bezvalstnieka ceļošanas dokuments",
            Self::SubsidiaryProtectionTravelDocument => {
                "Personas, kurai piešķirts alternatīvais statuss, ceļošanas dokuments"
            }
            Self::ResidencePermit => "Uzturēšanās atļauja",
            Self::RepressedPersonCertificate => "Politiski represētās personas apliecība",
            Self::ResistanceMemberCertificate => {
                "Nacionālās pretošanās kustības dalībnieka apliecība"
            }
            Self::WarParticipantCertificate => "Otrā pasaules kara dalībnieka apliecība",
        }
    }

    /// Tells whether a holder of this nationality may have this kind; [`Kind::holders`] says it in
    /// words.
    ///
    /// Non-citizens come from the register as `XXA` or `XXX`: which of them is not settled
    /// publicly, nor is Latvia's use of `XXA` for stateless persons and of `XXB`, `XXC` and `XXX`
    /// for refugees. Where a register sends a refugee's country of origin, the status has to stand
    /// in its place before the application does.
    #[must_use]
    pub fn admits(self, nationality: Nationality) -> bool {
        let code = nationality.as_str();
        match self {
            Self::IdCard => matches!(code, "LVA" | "XXA" | "XXX"),
            Self::Passport => code == "LVA",
            Self::NonCitizenPassport | Self::StatelessTravelDocument => {
                matches!(code, "XXA" | "XXX")
            }
            Self::RefugeeTravelDocument => matches!(code, "XXB" | "XXC" | "XXX"),
            Self::AlienIdCard
            | Self::SubsidiaryProtectionTravelDocument
            | Self::ResidencePermit => nationality != Nationality::LATVIA,
            // The laws grant these states to people, whatever their nationality is today.
            Self::RepressedPersonCertificate
            | Self::ResistanceMemberCertificate
            | Self::WarParticipantCertificate => true,
        }
    }

    /// Returns what a nationality must be for this kind, as the end of a sentence: "must be …".
    #[must_use]
    pub const fn holders(self) -> &'static str {
        match self {
            Self::IdCard => "LVA, or XXA or XXX of a non-citizen",
            Self::Passport => "LVA",
            Self::NonCitizenPassport => "XXA or XXX, a non-citizen's",
            Self::StatelessTravelDocument => "XXA or XXX, a stateless person's",
            Self::RefugeeTravelDocument => "XXB, XXC or XXX, a refugee's",
            Self::AlienIdCard
            | Self::SubsidiaryProtectionTravelDocument
            | Self::ResidencePermit => "another than LVA",
            Self::RepressedPersonCertificate
            | Self::ResistanceMemberCertificate
            | Self::WarParticipantCertificate => "a nationality",
        }
    }

    /// Returns the format of its machine readable zone, and its document code unless the profile
    /// chooses another of [`Kind::document_codes`]; none where it has no zone.
    ///
    /// That identity cards bear `I` and passports `P` is public; the residence permit's `IR` and
    /// the alien card's `I` are not confirmed.
    #[must_use]
    pub const fn mrz(self) -> Option<(Format, &'static str)> {
        match (self.format(), self.document_codes()) {
            (Some(format), [first, ..]) => Some((format, first)),
            _ => None,
        }
    }

    /// Returns the document codes that a profile may choose from, the usual one first; none for a
    /// kind without a machine readable zone.
    ///
    /// The second letters of passports are those of *ICAO Doc 9303-4 §4.4*, which all passports
    /// issued from 2028 must have. Subsidiary protection has none of its own there: `PT`, an
    /// alien's, comes nearest.
    #[must_use]
    pub const fn document_codes(self) -> &'static [&'static str] {
        match self {
            Self::IdCard => &["I", "ID"],
            Self::AlienIdCard => &["I", "ID", "IR"],
            Self::Passport => &["P", "PP", "PD", "PO", "PE", "PM"],
            Self::NonCitizenPassport => &["P", "PT"],
            Self::RefugeeTravelDocument => &["P", "PR"],
            Self::StatelessTravelDocument => &["P", "PS"],
            Self::SubsidiaryProtectionTravelDocument => &["P", "PT", "PR"],
            Self::ResidencePermit => &["IR", "I", "AR"],
            Self::RepressedPersonCertificate
            | Self::ResistanceMemberCertificate
            | Self::WarParticipantCertificate => &[],
        }
    }

    const fn format(self) -> Option<Format> {
        match self {
            Self::IdCard | Self::AlienIdCard | Self::ResidencePermit => Some(Format::Td1),
            Self::Passport
            | Self::NonCitizenPassport
            | Self::RefugeeTravelDocument
            | Self::StatelessTravelDocument
            | Self::SubsidiaryProtectionTravelDocument => Some(Format::Td3),
            Self::RepressedPersonCertificate
            | Self::ResistanceMemberCertificate
            | Self::WarParticipantCertificate => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

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
        let all = || Kind::ALL.iter().copied();
        let english: BTreeSet<_> = all().map(Kind::title).collect();
        let latvian: BTreeSet<_> = all().map(Kind::title_lv).collect();
        assert_eq!((english.len(), latvian.len()), (11, 11));
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

    #[test]
    fn travel_documents_follow_the_status() {
        let of = |code: &str| Nationality::parse(code).unwrap();
        let admitting = |code: &str| -> Vec<&str> {
            let kinds = Kind::ALL.iter().filter(|kind| kind.admits(of(code)));
            kinds
                .map(|kind| kind.name())
                .filter(|name| name.contains("passport") || name.contains("travel"))
                .collect()
        };
        assert_eq!(admitting("LVA"), ["passport"]);
        assert_eq!(
            admitting("XXA"),
            [
                "non-citizen-passport",
                "stateless-travel-document",
                "subsidiary-protection-travel-document"
            ]
        );
        assert_eq!(
            admitting("XXB"),
            [
                "refugee-travel-document",
                "subsidiary-protection-travel-document"
            ]
        );
        assert_eq!(admitting("UKR"), ["subsidiary-protection-travel-document"]);
    }

    #[test]
    fn codes_fit_their_formats() {
        for kind in Kind::ALL {
            let Some((format, code)) = kind.mrz() else {
                assert!(kind.document_codes().is_empty());
                continue;
            };
            assert_eq!(kind.document_codes().first(), Some(&code));
            for code in kind.document_codes() {
                assert!(format.first_letters().contains(&code[..1]), "{kind} {code}");
            }
        }
        assert_eq!(Kind::IdCard.mrz(), Some((Format::Td1, "I")));
        assert_eq!(Kind::Passport.mrz(), Some((Format::Td3, "P")));
        assert_eq!(Kind::WarParticipantCertificate.mrz(), None);
    }
}

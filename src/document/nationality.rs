//! Nationalities, as the machine readable zone codes them.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error as _};
use thiserror::Error;

/// The countries of ISO 3166-1, alpha-3, in order.
#[rustfmt::skip]
const COUNTRIES: &[&str] = &[
    "ABW", "AFG", "AGO", "AIA", "ALA", "ALB", "AND", "ARE", "ARG", "ARM", "ASM", "ATA", "ATF", "ATG",
    "AUS", "AUT", "AZE", "BDI", "BEL", "BEN", "BES", "BFA", "BGD", "BGR", "BHR", "BHS", "BIH", "BLM",
    "BLR", "BLZ", "BMU", "BOL", "BRA", "BRB", "BRN", "BTN", "BVT", "BWA", "CAF", "CAN", "CCK", "CHE",
    "CHL", "CHN", "CIV", "CMR", "COD", "COG", "COK", "COL", "COM", "CPV", "CRI", "CUB", "CUW", "CXR",
    "CYM", "CYP", "CZE", "DEU", "DJI", "DMA", "DNK", "DOM", "DZA", "ECU", "EGY", "ERI", "ESH", "ESP",
    "EST", "ETH", "FIN", "FJI", "FLK", "FRA", "FRO", "FSM", "GAB", "GBR", "GEO", "GGY", "GHA", "GIB",
    "GIN", "GLP", "GMB", "GNB", "GNQ", "GRC", "GRD", "GRL", "GTM", "GUF", "GUM", "GUY", "HKG", "HMD",
    "HND", "HRV", "HTI", "HUN", "IDN", "IMN", "IND", "IOT", "IRL", "IRN", "IRQ", "ISL", "ISR", "ITA",
    "JAM", "JEY", "JOR", "JPN", "KAZ", "KEN", "KGZ", "KHM", "KIR", "KNA", "KOR", "KWT", "LAO", "LBN",
    "LBR", "LBY", "LCA", "LIE", "LKA", "LSO", "LTU", "LUX", "LVA", "MAC", "MAF", "MAR", "MCO", "MDA",
    "MDG", "MDV", "MEX", "MHL", "MKD", "MLI", "MLT", "MMR", "MNE", "MNG", "MNP", "MOZ", "MRT", "MSR",
    "MTQ", "MUS", "MWI", "MYS", "MYT", "NAM", "NCL", "NER", "NFK", "NGA", "NIC", "NIU", "NLD", "NOR",
    "NPL", "NRU", "NZL", "OMN", "PAK", "PAN", "PCN", "PER", "PHL", "PLW", "PNG", "POL", "PRI", "PRK",
    "PRT", "PRY", "PSE", "PYF", "QAT", "REU", "ROU", "RUS", "RWA", "SAU", "SDN", "SEN", "SGP", "SGS",
    "SHN", "SJM", "SLB", "SLE", "SLV", "SMR", "SOM", "SPM", "SRB", "SSD", "STP", "SUR", "SVK", "SVN",
    "SWE", "SWZ", "SXM", "SYC", "SYR", "TCA", "TCD", "TGO", "THA", "TJK", "TKL", "TKM", "TLS", "TON",
    "TTO", "TUN", "TUR", "TUV", "TWN", "TZA", "UGA", "UKR", "UMI", "URY", "USA", "UZB", "VAT", "VCT",
    "VEN", "VGB", "VIR", "VNM", "VUT", "WLF", "WSM", "YEM", "ZAF", "ZMB", "ZWE",
];

/// What *ICAO Doc 9303-3 §5* adds for persons, in order: the kinds of British
/// nationals, Kosovo, and persons without a defined nationality. Codes of
/// organisations are not here: nobody's nationality is a development bank.
const ICAO: &[&str] = &[
    "GBD", "GBN", "GBO", "GBP", "GBS", "RKS", "XXA", "XXB", "XXC", "XXX",
];

/// Why a text is no nationality.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NationalityError {
    /// Not three capital letters.
    #[error("nationality must be three capital letters, for example LVA")]
    Form,
    /// Three letters that no list has.
    #[error(
        "nationality is neither an ISO 3166-1 alpha-3 code nor one of ICAO Doc 9303-3 (GBD, GBN, GBO, GBP, GBS, RKS, XXA, XXB, XXC, XXX)"
    )]
    Unknown,
}

/// A nationality: an ISO 3166-1 alpha-3 code, or one that ICAO adds, such as
/// `XXA` (stateless, 1954 Convention), `XXB` (refugee, 1951 Convention), `XXC`
/// (other refugee) and `XXX` (unspecified).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Nationality(&'static str);

impl Nationality {
    /// Latvia.
    pub const LATVIA: Self = Self("LVA");

    /// Reads a code.
    ///
    /// # Errors
    ///
    /// [`NationalityError`] when it is not three capitals, or in no list.
    pub fn parse(text: &str) -> Result<Self, NationalityError> {
        if text.len() != 3 || !text.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(NationalityError::Form);
        }
        [COUNTRIES, ICAO]
            .into_iter()
            .find_map(|list| list.binary_search(&text).ok().and_then(|at| list.get(at)))
            .map(|code| Self(code))
            .ok_or(NationalityError::Unknown)
    }

    /// Returns the code, three letters.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// Returns the code as the machine readable zone writes it, without filler:
    /// Germany is `D` there (*ICAO Doc 9303-3 §5*), all others are as they are.
    #[must_use]
    pub fn mrz(self) -> &'static str {
        if self.0 == "DEU" { "D" } else { self.0 }
    }
}

impl fmt::Display for Nationality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

impl FromStr for Nationality {
    type Err = NationalityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl<'de> Deserialize<'de> for Nationality {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted_without_doubles_and_complete() {
        for list in [COUNTRIES, ICAO] {
            assert!(list.is_sorted_by(|a, b| a < b));
        }
        // ISO 3166-1 has 249 officially assigned codes.
        assert_eq!(COUNTRIES.len(), 249);
        assert!(ICAO.iter().all(|code| !COUNTRIES.contains(code)));
    }

    #[test]
    fn codes_are_read_exactly() {
        for code in [
            "LVA", "EST", "UKR", "XXA", "XXB", "XXC", "XXX", "RKS", "GBN",
        ] {
            assert_eq!(Nationality::parse(code).unwrap().as_str(), code);
        }
        assert_eq!(Nationality::parse("LVA"), Ok(Nationality::LATVIA));
        for text in ["", "LV", "lva", "LVAA", "L<<", "D", "LVĀ"] {
            assert_eq!(
                Nationality::parse(text),
                Err(NationalityError::Form),
                "{text}"
            );
        }
        for text in ["ZZZ", "SUN", "XPO", "UNO", "YUG"] {
            assert_eq!(
                Nationality::parse(text),
                Err(NationalityError::Unknown),
                "{text}"
            );
        }
    }

    #[test]
    fn only_germany_is_written_otherwise_in_the_mrz() {
        let all = COUNTRIES
            .iter()
            .chain(ICAO)
            .map(|code| Nationality::parse(code).unwrap());
        let changed: Vec<_> = all
            .filter(|n| n.mrz() != n.as_str())
            .map(Nationality::mrz)
            .collect();
        assert_eq!(changed, ["D"]);
    }
}

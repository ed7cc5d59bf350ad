//! Issuing states by three letters, as zones have them, and by two, as certificates do
//! (*ICAO 9303-3 §5; ISO 3166-1*).

/// Three letters and two, sorted by the three. Where certificates of one state are spelt in two
/// ways, both are there.
#[rustfmt::skip]
const STATES: &[&str] = &[
    "ABW AW", "AFG AF", "AGO AO", "AIA AI", "ALA AX", "ALB AL", "AND AD", "ARE AE", "ARG AR",
    "ARM AM", "ASM AS", "ATA AQ", "ATF TF", "ATG AG", "AUS AU", "AUT AT", "AZE AZ", "BDI BI",
    "BEL BE", "BEN BJ", "BES BQ", "BFA BF", "BGD BD", "BGR BG", "BHR BH", "BHS BS", "BIH BA",
    "BLM BL", "BLR BY", "BLZ BZ", "BMU BM", "BOL BO", "BRA BR", "BRB BB", "BRN BN", "BTN BT",
    "BVT BV", "BWA BW", "CAF CF", "CAN CA", "CCK CC", "CHE CH", "CHL CL", "CHN CN", "CIV CI",
    "CMR CM", "COD CD", "COG CG", "COK CK", "COL CO", "COM KM", "CPV CV", "CRI CR", "CUB CU",
    "CUW CW", "CXR CX", "CYM KY", "CYP CY", "CZE CZ", "D DE", "DEU DE", "DJI DJ", "DMA DM",
    "DNK DK", "DOM DO", "DZA DZ", "ECU EC", "EGY EG", "ERI ER", "ESH EH", "ESP ES", "EST EE",
    "ETH ET", "EUE EU", "FIN FI", "FJI FJ", "FLK FK", "FRA FR", "FRO FO", "FSM FM", "GAB GA",
    "GBD GB", "GBN GB", "GBO GB", "GBP GB", "GBR GB", "GBS GB", "GEO GE", "GGY GG", "GHA GH",
    "GIB GI", "GIN GN", "GLP GP", "GMB GM", "GNB GW", "GNQ GQ", "GRC GR", "GRD GD", "GRL GL",
    "GTM GT", "GUF GF", "GUM GU", "GUY GY", "HKG HK CN", "HMD HM", "HND HN", "HRV HR", "HTI HT",
    "HUN HU", "IDN ID", "IMN IM", "IND IN", "IOT IO", "IRL IE", "IRN IR", "IRQ IQ", "ISL IS",
    "ISR IL", "ITA IT", "JAM JM", "JEY JE", "JOR JO", "JPN JP", "KAZ KZ", "KEN KE", "KGZ KG",
    "KHM KH", "KIR KI", "KNA KN", "KOR KR", "KWT KW", "LAO LA", "LBN LB", "LBR LR", "LBY LY",
    "LCA LC", "LIE LI", "LKA LK", "LSO LS", "LTU LT", "LUX LU", "LVA LV", "MAC MO CN", "MAF MF",
    "MAR MA", "MCO MC", "MDA MD", "MDG MG", "MDV MV", "MEX MX", "MHL MH", "MKD MK", "MLI ML",
    "MLT MT", "MMR MM", "MNE ME", "MNG MN", "MNP MP", "MOZ MZ", "MRT MR", "MSR MS", "MTQ MQ",
    "MUS MU", "MWI MW", "MYS MY", "MYT YT", "NAM NA", "NCL NC", "NER NE", "NFK NF", "NGA NG",
    "NIC NI", "NIU NU", "NLD NL", "NOR NO", "NPL NP", "NRU NR", "NZL NZ", "OMN OM", "PAK PK",
    "PAN PA", "PCN PN", "PER PE", "PHL PH", "PLW PW", "PNG PG", "POL PL", "PRI PR", "PRK KP",
    "PRT PT", "PRY PY", "PSE PS", "PYF PF", "QAT QA", "REU RE", "RKS KS XK", "ROU RO", "RUS RU",
    "RWA RW", "SAU SA", "SDN SD", "SEN SN", "SGP SG", "SGS GS", "SHN SH", "SJM SJ", "SLB SB",
    "SLE SL", "SLV SV", "SMR SM", "SOM SO", "SPM PM", "SRB RS", "SSD SS", "STP ST", "SUR SR",
    "SVK SK", "SVN SI", "SWE SE", "SWZ SZ", "SXM SX", "SYC SC", "SYR SY", "TCA TC", "TCD TD",
    "TGO TG", "THA TH", "TJK TJ", "TKL TK", "TKM TM", "TLS TL", "TON TO", "TTO TT", "TUN TN",
    "TUR TR", "TUV TV", "TWN TW", "TZA TZ", "UGA UG", "UKR UA", "UMI UM", "UNA UN ZZ", "UNK UN ZZ",
    "UNO UN ZZ", "URY UY", "USA US", "UTO UT", "UZB UZ", "VAT VA", "VCT VC", "VEN VE", "VGB VG",
    "VIR VI", "VNM VN", "VUT VU", "WLF WF", "WSM WS", "YEM YE", "ZAF ZA", "ZMB ZM", "ZWE ZW",
];

/// Returns the codes of two letters by which certificates of an issuing state name it; none for a
/// state that is not known here.
pub(super) fn two_letters(issuer: &str) -> Option<Vec<&'static str>> {
    let of = |entry: &&'static str| entry.split_once(' ').map_or("", |(three, _)| three);
    let place = STATES.binary_search_by_key(&issuer, of).ok()?;
    let (_, two) = STATES.get(place)?.split_once(' ')?;
    Some(two.split(' ').collect())
}

#[cfg(test)]
mod tests {
    use document::Nationality;

    use super::{STATES, two_letters};

    #[test]
    fn every_nationality_of_a_state_has_its_two_letters() {
        assert!(STATES.is_sorted());
        for (issuer, two) in [
            ("LVA", "LV"),
            ("D", "DE"),
            ("NLD", "NL"),
            ("GBR", "GB"),
            ("RKS", "KS"),
            ("UNO", "UN"),
            ("EUE", "EU"),
        ] {
            assert!(two_letters(issuer).unwrap().contains(&two), "{issuer}");
        }
        for none in ["", "XXA", "LV", "lva"] {
            assert_eq!(two_letters(none), None, "{none}");
        }
        for entry in STATES {
            let (three, two) = entry.split_once(' ').unwrap();
            assert!(two.split(' ').all(|code| code.len() == 2), "{entry}");
            let is_state = Nationality::parse(three).is_ok();
            let is_other = ["D", "EUE", "UNA", "UNK", "UNO", "UTO"].contains(&three);
            assert_ne!(is_state, is_other, "{entry}");
        }
    }
}

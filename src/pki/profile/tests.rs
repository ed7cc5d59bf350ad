//! Profiles that load, and those that do not.

use super::{CertificateProfile, ProfileError, ProfileKind};
use cert::{Curve, KeyAlgorithm};

use crate::testing::{
    ALIEN_AUTHENTICATION, ALIEN_SIGNATURE, AUTHENTICATION, CA, CARD, OCSP, PIV,
    QUALIFIED_AUTHENTICATION, QUALIFIED_SIGNATURE, SIGNATURE,
};

#[test]
fn shipped_profiles_load() {
    for (text, kind) in [
        (AUTHENTICATION, ProfileKind::Leaf),
        (SIGNATURE, ProfileKind::Leaf),
        (PIV, ProfileKind::Leaf),
        (CA, ProfileKind::Ca),
        (OCSP, ProfileKind::Responder),
    ] {
        let profile = CertificateProfile::parse(text).unwrap();
        assert_eq!((profile.kind(), profile.is_qualified()), (kind, false));
    }
    for (text, states) in [
        (QUALIFIED_AUTHENTICATION, false),
        (QUALIFIED_SIGNATURE, true),
        (ALIEN_AUTHENTICATION, false),
        (ALIEN_SIGNATURE, true),
    ] {
        let profile = CertificateProfile::parse(text).unwrap();
        assert!(profile.is_qualified());
        assert_eq!(profile.qc_statements().is_some(), states);
    }
}

#[test]
fn a_qualified_profile_asks_for_all_or_nothing() {
    let english = "    { url = \"https://pki.example.org/pds_en.pdf\", language = \"en\" },\n";
    let faults = [
        ("qualified = true\n", "", "policies.identifiers"),
        ("compliance = true\n", "", "qc_statements.compliance"),
        ("secure_device = true\n", "", "qc_statements.secure_device"),
        ("type = \"esign\"\n", "", "qc_statements.type"),
        (
            "\"nonRepudiation\"",
            "\"digitalSignature\"",
            "key.extended_usage",
        ),
        (english, "", "qc_statements.disclosure"),
        (
            "language = \"lv\"",
            "language = \"en\"",
            "qc_statements.disclosure",
        ),
        (
            "PNO{country}-",
            "LV:PNO{country}-",
            "qc_statements.semantics",
        ),
        (
            "0.4.0.194112.1.2",
            "0.4.0.2042.1.2",
            "qc_statements.compliance",
        ),
        (
            "0.4.0.194112.1.2",
            "0.4.0.194112.1.0",
            "qc_statements.secure_device",
        ),
        (
            "type = \"esign\"",
            "type = \"esign\"\nretention_years = 0",
            "qc_statements.retention_years",
        ),
        (
            "policy = \"1.3.6.1.4.1.32473.1.2.2\"",
            "policy = \"1.3.6.1.4.1.32473.1.2.3\"",
            "policies.qualifiers",
        ),
        (
            "cps = \"https://pki.example.org/repository\"\n",
            "",
            "policies.qualifiers",
        ),
    ];
    for (from, to, expected) in faults {
        let text = QUALIFIED_SIGNATURE.replace(from, to);
        assert_ne!(text, QUALIFIED_SIGNATURE, "{from}");
        match CertificateProfile::parse(&text) {
            Err(ProfileError::Contradiction { field, .. }) => {
                assert_eq!(field, expected, "{to}");
            }
            other => panic!("{to}: {other:?}"),
        }
    }
    let statements = QUALIFIED_SIGNATURE.find("[qc_statements]").unwrap();
    let without = CertificateProfile::parse(&QUALIFIED_SIGNATURE[..statements]);
    assert!(matches!(
        without,
        Err(ProfileError::Contradiction {
            field: "qc_statements",
            ..
        })
    ));
    for (from, to, expected) in [
        ("\"esign\"", "\"eseal\"", "unknown variant `eseal`"),
        (
            "https://pki.example.org/pds",
            "http://a.example/pds",
            "no https address",
        ),
        ("language = \"lv\"", "language = \"LV\"", "no language"),
        ("type = ", "limit = 3\ntype = ", "unknown field `limit`"),
        ("type = ", "legislation = [\"ch\"]\ntype = ", "no country"),
    ] {
        let Err(ProfileError::Syntax(cause)) =
            CertificateProfile::parse(&QUALIFIED_SIGNATURE.replace(from, to))
        else {
            panic!("{to} was accepted");
        };
        assert!(cause.to_string().contains(expected), "{cause}");
    }
}

#[test]
fn kinds_of_key_are_named_and_older_profiles_read() {
    let allowed = |text: &str| -> Vec<_> {
        let profile = CertificateProfile::parse(text).unwrap();
        let all = KeyAlgorithm::ALL.into_iter();
        all.filter(|kind| profile.allows(*kind)).collect()
    };
    let p384 = KeyAlgorithm::Ec(Curve::P384);
    assert_eq!(allowed(AUTHENTICATION), [p384]);
    let older = AUTHENTICATION.replace("algorithms = [\"p384\"]", "curves = [\"P-384\"]");
    assert_ne!(older, AUTHENTICATION);
    assert_eq!(allowed(&older), [p384]);
    let more = "[\"rsa3072\", \"bp384r1\", \"P-256\"]";
    let names: Vec<_> = allowed(&AUTHENTICATION.replace("[\"p384\"]", more))
        .into_iter()
        .map(KeyAlgorithm::name)
        .collect();
    assert_eq!(names, ["p256", "bp384r1", "rsa3072"]);
}

#[test]
fn faults_are_named_with_their_place() {
    let faults = [
        (
            "years = 5",
            "years = 5\nmonths = 3",
            "unknown field `months`",
        ),
        (
            "\"digitalSignature\"",
            "\"keyEncipherment\"",
            "unknown variant `keyEncipherment`",
        ),
        (
            "\"clientAuth\"",
            "\"serverAuth\"",
            "unknown variant `serverAuth`",
        ),
        // QCP-l-qscd: a legal person's.
        ("0.4.0.2042.1.2", "0.4.0.194112.1.3", "none of a holder's"),
        ("0.4.0.2042.1.2", "0.4.0.1862.1.1", "none of a holder's"),
        ("0.4.0.2042.1.2", "2.5.29.32.0", "none of a holder's"),
        ("0.4.0.2042.1.2", "NCP+", "no object identifier"),
        ("[\"p384\"]", "[\"rsa1024\"]", "RSA-1024 keys are too short"),
        ("[\"p384\"]", "[\"p-384\"]", "p256, p384, p521, bp256r1"),
        (
            "algorithms = ",
            "curves = [\"P-384\"]\nalgorithms = ",
            "duplicate field",
        ),
        (
            "{surname}\"\n\n[[subject]]\nattribute = \"GN\"",
            "{name}\"\n\n[[subject]]\nattribute = \"GN\"",
            "variable \"name\"",
        ),
        (
            "[policies]",
            "[qc_statements]\nx = 1\n[policies]",
            "unknown field `x`",
        ),
    ];
    for (from, to, expected) in faults {
        let text = AUTHENTICATION.replace(from, to);
        assert_ne!(text, AUTHENTICATION, "{from}");
        let Err(ProfileError::Syntax(cause)) = CertificateProfile::parse(&text) else {
            panic!("{to} was accepted");
        };
        let cause = cause.to_string();
        assert!(
            cause.contains(expected) && cause.contains("line"),
            "{cause}"
        );
    }
}

#[test]
fn contradictions_are_named() {
    let faults = [
        (
            AUTHENTICATION,
            "[\"digitalSignature\"]",
            "[\"digitalSignature\", \"nonRepudiation\"]",
            "key.usage",
        ),
        (
            AUTHENTICATION,
            "[\"digitalSignature\"]",
            "[\"keyCertSign\"]",
            "key.usage",
        ),
        (AUTHENTICATION, "[\"digitalSignature\"]", "[]", "key.usage"),
        (
            AUTHENTICATION,
            "[\"digitalSignature\"]",
            "[\"nonRepudiation\"]",
            "key.extended_usage",
        ),
        (
            SIGNATURE,
            "[\"nonRepudiation\"]",
            "[\"digitalSignature\"]",
            "key.extended_usage",
        ),
        (AUTHENTICATION, "[\"p384\"]", "[]", "key.algorithms"),
        (
            AUTHENTICATION,
            "[\"p384\"]",
            "[\"p384\", \"rsa2048\", \"P-384\"]",
            "key.algorithms",
        ),
        (AUTHENTICATION, "years = 5", "years = 0", "validity.years"),
        (AUTHENTICATION, "years = 5", "years = 11", "validity.years"),
        (AUTHENTICATION, "{personal_code}\"", "1\"", "subject"),
        (
            AUTHENTICATION,
            "attribute = \"GN\"",
            "attribute = \"SN\"",
            "subject",
        ),
        (
            AUTHENTICATION,
            "[policies]",
            "[publication]\ncrl = []\nocsp = []\nissuer = []\n[policies]",
            "publication",
        ),
        (
            AUTHENTICATION,
            "[key]",
            "[key]\npath_length = 0",
            "key.path_length",
        ),
        (
            CARD,
            "[\"cardAuth\"]",
            "[\"cardAuth\", \"clientAuth\"]",
            "key.extended_usage",
        ),
        (
            CARD,
            "[\"digitalSignature\"]",
            "[\"nonRepudiation\"]",
            "key.extended_usage",
        ),
        (
            CARD,
            "attribute = \"CN\"\nvalue = \"{document_number}\"",
            "attribute = \"CN\"\nvalue = \"{surname}\"",
            "subject",
        ),
        (
            CARD,
            "attribute = \"serialNumber\"\nvalue = \"{document_number}\"",
            "attribute = \"serialNumber\"\nvalue = \"1\"",
            "subject",
        ),
        (
            AUTHENTICATION,
            "{personal_code}\"",
            "{document_number}\"",
            "subject",
        ),
        (
            AUTHENTICATION,
            "0.4.0.2042.1.2",
            "0.4.0.194112.1.2",
            "policies.identifiers",
        ),
        (
            AUTHENTICATION,
            "[policies]",
            "[qc_statements]\nsemantics = \"natural-person\"\n[policies]",
            "qc_statements",
        ),
        (
            CA,
            "kind = \"ca\"",
            "kind = \"ca\"\nqualified = true",
            "qualified",
        ),
        (
            CARD,
            "kind = \"leaf\"",
            "kind = \"leaf\"\nqualified = true",
            "qualified",
        ),
        (CA, "\"keyCertSign\", ", "", "key.usage"),
        (CA, "[\"p384\"]", "[\"p256\"]", "key.algorithms"),
        (CA, "[\"p384\"]", "[\"rsa4096\"]", "key.algorithms"),
        (CA, "PILOT eID CA", "CA of {surname}", "subject"),
        (CA, "years = 15", "years = 15\ndays = 1", "validity.days"),
        (
            AUTHENTICATION,
            "\"clientAuth\", ",
            "\"OCSPSigning\", ",
            "key.extended_usage",
        ),
        (OCSP, "days = 30", "days = 91", "validity.days"),
        (OCSP, "days = 30", "years = 1", "validity.days"),
        (OCSP, "days = 30", "days = 30\nyears = 1", "validity.days"),
        (
            OCSP,
            "\"digitalSignature\"",
            "\"nonRepudiation\"",
            "key.usage",
        ),
        (OCSP, "OCSPSigning", "clientAuth", "key.extended_usage"),
        (OCSP, "\"p256\"", "\"rsa2048\"", "key.algorithms"),
        (OCSP, "PILOT eID OCSP", "OCSP of {surname}", "subject"),
        (
            CA,
            "[\"http://pki.example.org/pilot-ca.crl\"]",
            "[]",
            "publication.crl",
        ),
    ];
    for (base, from, to, expected) in faults {
        let text = base.replace(from, to);
        assert_ne!(text, base, "{from}");
        match CertificateProfile::parse(&text) {
            Err(ProfileError::Contradiction { field, .. }) => assert_eq!(field, expected),
            other => panic!("{to}: {other:?}"),
        }
    }
    let odd = CA.replace("http://ocsp", "ldap://ocsp");
    assert!(CertificateProfile::parse(&odd).is_err());
}

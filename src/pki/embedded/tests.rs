//! The embedded CA, judged by openssl, pkilint and our own verifier.

use std::sync::Arc;

use cert::{KeyAlgorithm, PathError, PathVerifier};
use hsm::test_support::{token, with_private_tokens};
use hsm::{Curve as TokenCurve, HsmError, RandomSource};
use jiff::SignedDuration;
use proptest::prelude::*;

use super::{CaError, EmbeddedCa, IssueError, last_second, serial};
use crate::authority::CertificateOrder;
use crate::crl::{CrlEntry, RevocationReason};
use crate::missing;
use crate::profile::{CertificateProfile, ProfileKind};
use crate::testing::{
    AT, AUTHENTICATION, CA, CARD, Folder, PIV, SIGNATURE, ca, holder, order, profile, request,
    request_of, time,
};

/// The part of openssl's text between two of its headings.
fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let after = text
        .split_once(heading)
        .unwrap_or_else(|| panic!("{heading}: {text}"))
        .1;
    after.split("X509v3").next().unwrap()
}

#[test]
fn openssl_reads_what_the_profiles_say() {
    with_private_tokens(
        "embedded::tests::openssl_reads_what_the_profiles_say",
        || {
            let (ca, holder) = (ca("pilot"), holder());
            let (request, point) = request(5);
            let folder = Folder::new();
            folder.write("ca.der", ca.certificate().as_der());
            folder.openssl(&["x509", "-inform", "DER", "-in", "ca.der", "-out", "ca.pem"]);
            for (text, usage, purposes, policy) in [
                (
                    AUTHENTICATION,
                    "Digital Signature",
                    "TLS Web Client Authentication, E-mail Protection",
                    "1.3.6.1.4.1.32473.1.1.1",
                ),
                (
                    SIGNATURE,
                    "Non Repudiation",
                    "E-mail Protection, 1.3.6.1.5.5.7.3.36",
                    "1.3.6.1.4.1.32473.1.1.2",
                ),
            ] {
                let profile = profile(text);
                let issued = ca
                    .issue(&order(&profile, &request, &holder), time(AT))
                    .unwrap();
                let certificate = &issued;
                assert!(certificate.matches_public_key(&point));
                assert_eq!(certificate.serial().len(), 16);
                folder.write("leaf.der", certificate.as_der());
                folder.openssl(&[
                    "x509", "-inform", "DER", "-in", "leaf.der", "-out", "leaf.pem",
                ]);
                // 2026-06-01
                let at = "1780272000";
                let said = folder.openssl(&[
                    "verify",
                    "-x509_strict",
                    "-check_ss_sig",
                    "-attime",
                    at,
                    "-CAfile",
                    "ca.pem",
                    "leaf.pem",
                ]);
                assert!(said.contains("leaf.pem: OK"), "{said}");
                let said = folder.openssl(&[
                    "x509",
                    "-in",
                    "leaf.pem",
                    "-noout",
                    "-text",
                    "-nameopt",
                    "utf8,sep_comma_plus",
                ]);
                assert!(said.contains(
                "Subject: C=LV,CN=ANDRIS JĀNIS PARAUDZIŅŠ,SN=PARAUDZIŅŠ,GN=ANDRIS JĀNIS,serialNumber=PNOLV-121282-88882"
            ), "{said}");
                assert!(
                    said.contains("Not Before: Mar  2 08:00:00 2026 GMT"),
                    "{said}"
                );
                assert!(
                    said.contains("Not After : Mar  2 07:59:59 2031 GMT"),
                    "{said}"
                );
                assert!(said.contains("ecdsa-with-SHA384"), "{said}");
                assert_eq!(section(&said, "Key Usage: critical\n").trim(), usage);
                assert_eq!(section(&said, "Extended Key Usage: \n").trim(), purposes);
                assert!(section(&said, "Basic Constraints: critical").contains("CA:FALSE"));
                let policies = section(&said, "Certificate Policies: \n");
                assert!(policies.contains(policy) && policies.contains("0.4.0.2042.1.2"));
                assert!(said.contains("URI:http://pki.example.org/pilot-ca.crl"));
                assert!(said.contains("OCSP - URI:http://ocsp.pki.example.org/"));
                assert!(said.contains("CA Issuers - URI:http://pki.example.org/pilot-ca.cer"));
                assert!(!said.contains("qcStatements") && !said.contains("1.3.6.1.5.5.7.1.3"));
            }
            let said = folder.openssl(&["x509", "-in", "ca.pem", "-noout", "-text"]);
            assert!(said.contains("CA:TRUE, pathlen:0"), "{said}");
            assert_eq!(
                section(&said, "Key Usage: critical\n").trim(),
                "Certificate Sign, CRL Sign"
            );
        },
    );
}

#[test]
fn keys_of_every_allowed_kind_are_certified_and_others_refused() {
    with_private_tokens(
        "embedded::tests::keys_of_every_allowed_kind_are_certified_and_others_refused",
        || {
            let (ca, holder) = (ca("pilot"), holder());
            let folder = Folder::new();
            folder.write("ca.der", ca.certificate().as_der());
            folder.openssl(&["x509", "-inform", "DER", "-in", "ca.der", "-out", "ca.pem"]);
            let (standard, eid) = (profile(PIV), profile(AUTHENTICATION));
            let names = ["p256", "bp256r1", "bp384r1", "bp512r1", "p521", "rsa2048"];
            for name in names {
                let algorithm = KeyAlgorithm::named(name).unwrap();
                let request = request_of(algorithm);
                let own = profile(&AUTHENTICATION.replace("\"p384\"", &format!("{name:?}")));
                let issued = ca.issue(&order(&own, &request, &holder), time(AT)).unwrap();
                assert!(issued.matches(request.public_key()));
                folder.write("leaf.der", issued.as_der());
                folder.openssl(&[
                    "x509", "-inform", "DER", "-in", "leaf.der", "-out", "leaf.pem",
                ]);
                // 2026-06-01
                let said = folder.openssl(&[
                    "verify",
                    "-x509_strict",
                    "-attime",
                    "1780272000",
                    "-CAfile",
                    "ca.pem",
                    "leaf.pem",
                ]);
                assert!(said.contains("leaf.pem: OK"), "{said}");
                let by_standard = ca.issue(&order(&standard, &request, &holder), time(AT));
                assert_eq!(
                    by_standard.is_ok(),
                    ["p256", "rsa2048"].contains(&name),
                    "{name}"
                );
                let refused = ca
                    .issue(&order(&eid, &request, &holder), time(AT))
                    .unwrap_err();
                assert!(matches!(
                    refused,
                    IssueError::Key { algorithm: Some(kind), .. } if kind == algorithm
                ));
                assert!(refused.to_string().contains(&algorithm.to_string()));
            }
        },
    );
}

#[test]
fn a_cards_own_certificate_names_the_document_and_nobody() {
    with_private_tokens(
        "embedded::tests::a_cards_own_certificate_names_the_document_and_nobody",
        || {
            let ca = ca("pilot");
            let request = request_of(KeyAlgorithm::named("p256").unwrap());
            let issued = ca.issue(&order(&profile(CARD), &request, &holder()), time(AT));
            let folder = Folder::new();
            folder.write("card.der", issued.unwrap().as_der());
            let said = folder.openssl(&[
                "x509", "-inform", "DER", "-in", "card.der", "-noout", "-text",
            ]);
            assert!(
                said.contains("Subject: C = LV, CN = XA0000001, serialNumber = XA0000001"),
                "{said}"
            );
            // FIPS 201-3 §4.2.2.2: critical, so that nobody takes the card for its holder.
            let purposes = section(&said, "Extended Key Usage: critical\n");
            assert_eq!(purposes.trim(), "2.16.840.1.101.3.6.8");
            assert_eq!(
                section(&said, "Key Usage: critical\n").trim(),
                "Digital Signature"
            );
            for personal in ["ANDRIS", "PARAUDZI", "121282-88882"] {
                assert!(!said.contains(personal), "{said}");
            }
        },
    );
}

#[test]
fn the_hold_is_seen_by_relying_parties() {
    with_private_tokens(
        "embedded::tests::the_hold_is_seen_by_relying_parties",
        || {
            let (ca, holder) = (ca("pilot"), holder());
            let profile = profile(AUTHENTICATION);
            let (request, _) = request(5);
            let issue = || {
                ca.issue(&order(&profile, &request, &holder), time(AT))
                    .unwrap()
            };
            let (held, free) = (issue(), issue());
            assert_ne!(held.serial(), free.serial());
            let folder = Folder::new();
            for (name, certificate) in [("ca", ca.certificate()), ("held", &held), ("free", &free)]
            {
                let (der, pem) = (format!("{name}.der"), format!("{name}.pem"));
                folder.write(&der, certificate.as_der());
                folder.openssl(&["x509", "-inform", "DER", "-in", &der, "-out", &pem]);
            }
            let day = SignedDuration::from_hours(24);
            let update = time("2026-05-31T12:00:00Z");
            let entry = CrlEntry {
                serial: held.serial().to_vec(),
                since: held.validity().not_before,
                reason: RevocationReason::CertificateHold,
            };
            let crl = |entries: &[CrlEntry], number| {
                ca.crl(entries, update, update + day, number).unwrap()
            };
            let judge = |name: &str, crl: &[u8]| {
                folder.write("crl.der", crl);
                folder.openssl(&["crl", "-inform", "DER", "-in", "crl.der", "-out", "crl.pem"]);
                folder.run(
                    "openssl",
                    &[
                        "verify",
                        "-x509_strict",
                        "-attime",
                        "1780272000",
                        "-crl_check",
                        "-CRLfile",
                        "crl.pem",
                        "-CAfile",
                        "ca.pem",
                        name,
                    ],
                )
            };
            let with_hold = crl(std::slice::from_ref(&entry), 300);
            let (accepted, said) = judge("held.pem", &with_hold);
            assert!(!accepted && said.contains("certificate revoked"), "{said}");
            let (accepted, said) = judge("free.pem", &with_hold);
            assert!(accepted, "{said}");
            let said = folder.openssl(&[
                "crl", "-in", "crl.pem", "-noout", "-text", "-CAfile", "ca.pem",
            ]);
            assert!(said.contains("verify OK"), "{said}");
            assert!(said.contains("Certificate Hold"), "{said}");
            assert!(said.contains("CRL Number: \n                300"), "{said}");
            assert!(
                said.contains("Revocation Date: Mar  2 08:00:00 2026 GMT"),
                "{said}"
            );
            // Released: gone from the next list.
            let (accepted, said) = judge("held.pem", &crl(&[], 301));
            assert!(accepted, "{said}");
            let said = folder.openssl(&["crl", "-in", "crl.pem", "-noout", "-text"]);
            assert!(said.contains("No Revoked Certificates"), "{said}");

            assert!(
                ca.crl(&[entry.clone(), entry.clone()], update, update + day, 1)
                    .is_err()
            );
            assert!(
                ca.crl(std::slice::from_ref(&entry), update, update, 1)
                    .is_err()
            );
            let early = held.validity().not_before - day;
            assert!(
                ca.crl(std::slice::from_ref(&entry), early, update, 1)
                    .is_err()
            );
            let odd = CrlEntry {
                serial: vec![0, 1],
                ..entry
            };
            assert!(ca.crl(&[odd], update, update + day, 1).is_err());
        },
    );
}

#[test]
fn wrong_orders_are_refused() {
    with_private_tokens("embedded::tests::wrong_orders_are_refused", || {
        let (ca, holder) = (ca("pilot"), holder());
        let leaf = profile(AUTHENTICATION);
        let (request, _) = request(5);
        let good = order(&leaf, &request, &holder);
        let refused = |order: &CertificateOrder| ca.issue(order, time(AT)).unwrap_err();

        let order_of_ca = CertificateOrder {
            profile: Arc::new(profile(CA)),
            ..good.clone()
        };
        assert!(matches!(
            refused(&order_of_ca),
            IssueError::NotALeafProfile { .. }
        ));
        let p256 = profile(&AUTHENTICATION.replace("[\"p384\"]", "[\"p256\"]"));
        let other_curve = CertificateOrder {
            profile: Arc::new(p256),
            ..good.clone()
        };
        assert!(matches!(refused(&other_curve), IssueError::Key { .. }));
        let expired = CertificateOrder {
            not_after: time("2026-03-01T23:59:59Z"),
            ..good.clone()
        };
        assert!(matches!(
            refused(&expired),
            IssueError::DocumentExpired { .. }
        ));
        let early = ca.issue(&good, time("2025-12-31T23:59:59Z")).unwrap_err();
        assert!(matches!(early, IssueError::IssuerNotYetValid { .. }));
        let late = CertificateOrder {
            not_after: time("2049-01-01T23:59:59Z"),
            ..good.clone()
        };
        let late = ca.issue(&late, time("2039-01-01T00:00:00Z")).unwrap_err();
        assert!(matches!(late, IssueError::OutlastsIssuer { .. }));
        let foreign = CertificateOrder {
            subject: ca.certificate().subject().clone(),
            ..good.clone()
        };
        let error = refused(&foreign);
        assert!(matches!(error, IssueError::Subject { .. }));
        assert!(!format!("{error:?} {error}").contains("PILOT"));

        // The last day of the document is the last day of the certificate.
        let short = CertificateOrder {
            not_after: time("2027-05-06T23:59:59Z"),
            ..good
        };
        let issued = ca.issue(&short, time(AT)).unwrap();
        assert_eq!(issued.validity().not_after, time("2027-05-06T23:59:59Z"));
    });
}

#[test]
fn no_qualified_status_is_ever_claimed() {
    with_private_tokens(
        "embedded::tests::no_qualified_status_is_ever_claimed",
        || {
            let (ca, holder) = (ca("pilot"), holder());
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../certs");
            let (mut refused, mut issued) = (0, 0);
            for file in std::fs::read_dir(folder).unwrap() {
                let path = file.unwrap().path();
                // Those of travel documents are of another form.
                if path.is_dir() {
                    continue;
                }
                let profile = profile(&std::fs::read_to_string(path).unwrap());
                if profile.kind() != ProfileKind::Leaf {
                    continue;
                }
                let kind = profile.algorithms().next().unwrap();
                let made = ca.issue(&order(&profile, &request_of(kind), &holder), time(AT));
                if profile.is_qualified() {
                    assert!(matches!(made, Err(IssueError::Qualified { .. })));
                    refused += 1;
                    continue;
                }
                let made = made.unwrap();
                assert_eq!(made.extensions().qc_statements, None);
                for policy in &made.extensions().policies {
                    let policy = policy.to_string();
                    let arcs = [
                        "0.4.0.194112.",
                        "0.4.0.1456.",
                        "0.4.0.1862.",
                        "0.4.0.194121.",
                    ];
                    assert!(!arcs.iter().any(|arc| policy.starts_with(arc)), "{policy}");
                }
                issued += 1;
            }
            assert!(refused >= 4 && issued >= 5, "{refused} {issued}");
        },
    );
}

#[test]
fn paths_end_at_the_ca() {
    with_private_tokens("embedded::tests::paths_end_at_the_ca", || {
        let (ours, theirs) = (ca("ours"), ca("theirs"));
        let (profile, holder) = (profile(SIGNATURE), holder());
        let (request, _) = request(5);
        let leaf = ours
            .issue(&order(&profile, &request, &holder), time(AT))
            .unwrap();
        let judge = |anchor: &EmbeddedCa, at: &str| {
            let anchors = [anchor.certificate().clone()];
            let verifier = PathVerifier {
                anchors: &anchors,
                intermediates: &[],
            };
            verifier
                .verify(&leaf, time(at))
                .map(|path| path.certificates.len())
        };
        assert_eq!(judge(&ours, "2026-06-01T00:00:00Z"), Ok(2));
        assert!(matches!(
            judge(&theirs, "2026-06-01T00:00:00Z"),
            Err(PathError::IssuerUnknown { .. })
        ));
        assert!(matches!(
            judge(&ours, "2031-03-02T08:00:00Z"),
            Err(PathError::Expired { .. })
        ));
    });
}

#[test]
fn a_ca_is_opened_with_its_own_key_and_profile_only() {
    with_private_tokens(
        "embedded::tests::a_ca_is_opened_with_its_own_key_and_profile_only",
        || {
            let token = token("pilot");
            for label in ["one", "two"] {
                token.generate_signing_key(label, TokenCurve::P384).unwrap();
            }
            token
                .generate_signing_key("small", TokenCurve::P256)
                .unwrap();
            let signer = |label: &str| Arc::new(token.signer(label).unwrap());
            let random = || Arc::new(token.clone());
            let at = time("2026-01-01T00:00:00.9Z");
            let profile_ca = profile(CA);
            let made = EmbeddedCa::create(&profile_ca, signer("one"), random(), at).unwrap();
            let certificate = made.certificate().clone();
            assert_eq!(
                certificate.validity().not_before,
                time("2026-01-01T00:00:00Z")
            );
            assert_eq!(
                certificate.validity().not_after,
                time("2040-12-31T23:59:59Z")
            );

            let open = |profile: &CertificateProfile, label: &str| {
                EmbeddedCa::open(profile, certificate.clone(), signer(label), random())
            };
            let opened = open(&profile_ca, "one").unwrap();
            let (leaf, (request, _), holder) = (profile(SIGNATURE), request(6), holder());
            opened
                .issue(&order(&leaf, &request, &holder), time(AT))
                .unwrap();
            assert!(matches!(
                open(&profile_ca, "two"),
                Err(CaError::Mismatch { .. })
            ));
            assert!(matches!(open(&profile_ca, "small"), Err(CaError::Key)));
            assert!(matches!(
                open(&leaf, "one"),
                Err(CaError::NotACaProfile { .. })
            ));
            let renamed = profile(&CA.replace("PILOT", "OTHER"));
            assert!(matches!(
                open(&renamed, "one"),
                Err(CaError::Mismatch { .. })
            ));
        },
    );
}

/// Runs where `ZIMOGS_PKILINT` names the folder of pkilint's programs.
#[test]
fn pkilint_finds_no_error() {
    let Ok(programs) = std::env::var("ZIMOGS_PKILINT") else {
        missing::program("pkilint; ZIMOGS_PKILINT names the folder of its programs");
        return;
    };
    with_private_tokens("embedded::tests::pkilint_finds_no_error", || {
        let (ca, holder, (request, _)) = (ca("pilot"), holder(), request(5));
        let folder = Folder::new();
        let lint = |program: &str, arguments: &[&str], der: &[u8]| {
            folder.write("judged", der);
            let program = format!("{programs}/{program}");
            let arguments = [&["lint"], arguments, &["-s", "WARNING", "judged"]].concat();
            let (clean, said) = folder.run(&program, &arguments);
            assert!(clean, "{arguments:?}: {said}");
        };
        lint("lint_pkix_cert", &[], ca.certificate().as_der());
        for text in [AUTHENTICATION, SIGNATURE] {
            let profile = profile(text);
            let leaf = ca
                .issue(&order(&profile, &request, &holder), time(AT))
                .unwrap();
            lint("lint_pkix_cert", &[], leaf.as_der());
            lint(
                "lint_etsi_cert",
                &["-t", "NCP-NATURAL-PERSON-CERTIFICATE"],
                leaf.as_der(),
            );
        }
        let request = request_of(KeyAlgorithm::named("p256").unwrap());
        let own = ca
            .issue(&order(&profile(CARD), &request, &holder), time(AT))
            .unwrap();
        lint("lint_pkix_cert", &[], own.as_der());
        let entry = CrlEntry {
            serial: vec![0x4f; 16],
            since: time("2026-03-02T08:00:00Z"),
            reason: RevocationReason::CertificateHold,
        };
        let (this, next) = (time("2026-05-31T12:00:00Z"), time("2026-06-01T12:00:00Z"));
        for entries in [&[][..], &[entry]] {
            let crl = ca.crl(entries, this, next, 300).unwrap();
            lint("lint_crl", &["-t", "CRL", "-p", "PKIX"], &crl);
        }
    });
}

#[test]
fn years_end_on_the_second() {
    let end = |from: &str, years| last_second(time(from), years).unwrap();
    assert_eq!(end("2026-03-02T08:00:00Z", 5), time("2031-03-02T07:59:59Z"));
    assert_eq!(end("2028-02-29T00:00:00Z", 5), time("2033-02-27T23:59:59Z"));
}

struct Constant(u8);

impl RandomSource for Constant {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), HsmError> {
        bytes.fill(self.0);
        Ok(())
    }
}

proptest! {
    #[test]
    fn serial_numbers_are_positive_and_full(byte in any::<u8>()) {
        let serial = serial(&Constant(byte)).unwrap();
        prop_assert!((0x40..0x80).contains(&serial[0]));
    }
}

//! The embedded CSCA and what it issues, judged by openssl, pkilint and our own verifier.

use std::sync::Arc;

use cert::cms::SignedData;
use cert::request::{Request, RequestInfo};
use cert::{
    Certificate, CountryQuestion, CountryRole, CountryVerifier, KeyAlgorithm, MasterList,
    PublicKey, Revocation, UnverifiedCrl,
};
use hsm::test_support::{token, with_private_tokens};
use hsm::{Curve, RsaSize, Signer, Token, TokenSigner};
use jiff::SignedDuration;

use super::{
    CountryAuthority, CountryError, CountryFault, CountryKind, CountryProfile, CountryProfileError,
    Expected, MessageError, MessageSigner, RevokedSigner, examine,
};
use crate::missing;
use crate::testing::{Folder, time};
use crate::to_be_signed::certificate_algorithm;

const CSCA: &str = include_str!("../../../certs/country/csca.toml");
const DS: &str = include_str!("../../../certs/country/ds.toml");
const LISTS: &str = include_str!("../../../certs/country/master-list-signer.toml");

const BEGIN: &str = "2026-01-01T00:00:00Z";
/// 2026-02-01, for openssl.
const FEBRUARY: &str = "1769904000";

fn profile(text: &str) -> CountryProfile {
    CountryProfile::parse(text).unwrap()
}

/// Openssl's strict judgement refuses curves that are spelt out.
fn named(text: &str) -> CountryProfile {
    profile(&text.replace("spelt-out", "named"))
}

#[derive(Clone, Copy)]
enum Kind {
    On(Curve),
    Rsa(RsaSize),
}

fn key(token: &Token, label: &str, kind: Kind) -> Arc<TokenSigner> {
    match kind {
        Kind::On(curve) => token.generate_signing_key(label, curve).unwrap(),
        Kind::Rsa(size) => token.generate_rsa_key(label, size).unwrap(),
    };
    Arc::new(token.signer(label).unwrap())
}

fn request(profile: &CountryProfile, signer: &TokenSigner) -> Request {
    let key = PublicKey::from_spki_der(signer.public_key_spki_der()).unwrap();
    let algorithm = certificate_algorithm(signer).unwrap();
    let info = RequestInfo::for_key(&profile.subject().unwrap(), &key, algorithm).unwrap();
    let signature = signer.sign(info.to_be_signed()).unwrap();
    Request::parse_and_verify(&info.assemble(&signature).unwrap()).unwrap()
}

fn csca(token: &Token, profile: &CountryProfile, kind: Kind) -> CountryAuthority {
    let signer = key(token, "csca-1", kind);
    CountryAuthority::create(profile, signer, Arc::new(token.clone()), time(BEGIN)).unwrap()
}

fn put(folder: &Folder, name: &str, certificate: &Certificate) {
    folder.write(&format!("{name}.der"), certificate.as_der());
    let (der, pem) = (format!("{name}.der"), format!("{name}.pem"));
    folder.openssl(&["x509", "-inform", "DER", "-in", &der, "-out", &pem]);
}

#[test]
fn openssl_trusts_signers_documents_and_lists() {
    with_private_tokens(
        "country::tests::openssl_trusts_signers_documents_and_lists",
        || {
            let pairs = [
                ("ec", Kind::On(Curve::P384), Kind::On(Curve::P256)),
                (
                    "brainpool",
                    Kind::On(Curve::BrainpoolP384r1),
                    Kind::On(Curve::BrainpoolP256r1),
                ),
                (
                    "rsa",
                    Kind::Rsa(RsaSize::Bits4096),
                    Kind::Rsa(RsaSize::Bits2048),
                ),
            ];
            for (label, of_csca, of_signer) in pairs {
                let token = token(label);
                let csca = csca(&token, &named(CSCA), of_csca);
                let ds = key(&token, "ds-1", of_signer);
                let at = time("2026-01-15T00:00:00Z");
                let certificate = csca
                    .issue(&named(DS), &request(&named(DS), &ds), at)
                    .unwrap();
                let folder = Folder::new();
                put(&folder, "csca", csca.certificate());
                put(&folder, "ds", &certificate);
                let said = folder.openssl(&[
                    "verify",
                    "-x509_strict",
                    "-check_ss_sig",
                    "-attime",
                    FEBRUARY,
                    "-CAfile",
                    "csca.pem",
                    "ds.pem",
                ]);
                assert!(said.contains("ds.pem: OK"), "{said}");
                let anchors = vec![csca.certificate().clone()];
                let signer = MessageSigner::new(certificate, anchors, Vec::new(), ds).unwrap();
                let at = time("2026-02-01T00:00:00Z");
                let content = b"0\x03\x02\x01\x00";
                let file = signer.sign_document(content, "P", at).unwrap();
                assert_eq!(file[0], 0x77);
                let message = signer.sign_card_security(content, "ID", at).unwrap();
                folder.write("message", &message);
                let said = folder.openssl(&[
                    "cms", "-verify", "-inform", "DER", "-in", "message", "-CAfile", "csca.pem",
                    "-attime", FEBRUARY, "-purpose", "any", "-out", "content",
                ]);
                assert!(said.contains("Verification successful"), "{said}");
                assert_eq!(folder.read("content"), content);
                let sod = SignedData::parse_ef_sod(&file).unwrap();
                assert_eq!(sod.content(), content);
                assert_eq!(sod.signers()[0].signing_time(), Some(at));
            }
        },
    );
}

#[test]
fn openssl_reads_what_table_6_wants() {
    with_private_tokens("country::tests::openssl_reads_what_table_6_wants", || {
        let token = token("fields");
        let csca = csca(&token, &profile(CSCA), Kind::On(Curve::BrainpoolP384r1));
        let ds = key(&token, "ds-1", Kind::On(Curve::BrainpoolP256r1));
        let lists = key(&token, "lists", Kind::On(Curve::P384));
        let issue = |text: &str, signer: &TokenSigner| {
            let profile = profile(text);
            csca.issue(
                &profile,
                &request(&profile, signer),
                time("2026-03-01T00:00:00Z"),
            )
            .unwrap()
        };
        let folder = Folder::new();
        put(&folder, "csca", csca.certificate());
        put(&folder, "ds", &issue(DS, &ds));
        put(&folder, "lists", &issue(LISTS, &lists));
        let show = |name: &str| {
            let name = format!("{name}.pem");
            let text = folder.openssl(&["x509", "-in", &name, "-noout", "-text"]);
            text.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        // Three years, three months, ten years; the key three years.
        for (name, wanted) in [
            (
                "csca",
                &[
                    "Not Before: Jan 1 00:00:00 2026 GMT Not After : Mar 31 23:59:59 2039 GMT",
                    "Subject: C = LV, O = Example Document Issuer, CN = PILOT CSCA",
                    "Field Type: prime-field",
                    "Key Usage: critical Certificate Sign, CRL Sign X509v3",
                    "Basic Constraints: critical CA:TRUE, pathlen:0",
                    "Not Before: Jan 1 00:00:00 2026 GMT, Not After: Dec 31 23:59:59 2028 GMT",
                    "Subject Alternative Name: email:csca@example.org, DirName:/L=LVA",
                    "Issuer Alternative Name: email:csca@example.org, DirName:/L=LVA",
                    "URI:http://pki.example.org/csca.crl",
                ][..],
            ),
            (
                "ds",
                &[
                    "Not Before: Mar 1 00:00:00 2026 GMT Not After : May 31 23:59:59 2036 GMT",
                    "Key Usage: critical Digital Signature X509v3",
                    "Not Before: Mar 1 00:00:00 2026 GMT, Not After: May 31 23:59:59 2026 GMT",
                    "Subject Alternative Name: email:documents@example.org, DirName:/L=LVA",
                    "Issuer Alternative Name: email:csca@example.org, DirName:/L=LVA",
                    "2.23.136.1.1.6.2: ",
                    "URI:http://pki.example.org/csca.crl",
                ],
            ),
            (
                "lists",
                &[
                    "Extended Key Usage: critical 2.23.136.1.1.3",
                    "Not After : Feb 28 23:59:59 2029 GMT",
                ],
            ),
        ] {
            let said = show(name);
            for wanted in wanted {
                assert!(said.contains(wanted), "{wanted}: {said}");
            }
        }
        assert!(!show("ds").contains("Basic Constraints"));
        // openssl's path builder takes no curve that is spelt out, and has nothing else to say; the
        // signatures are judged by its certificates' own keys in the test above, curves named.
        let (_, said) = folder.run(
            "openssl",
            &["verify", "-no_check_time", "-CAfile", "csca.pem", "ds.pem"],
        );
        assert!(said.contains("explicit ECC parameters"), "{said}");
        assert_eq!(said.matches("error ").count(), 2, "{said}");
    });
}

#[test]
fn a_csca_goes_over_to_a_new_key() {
    with_private_tokens("country::tests::a_csca_goes_over_to_a_new_key", || {
        let token = token("renew");
        let old = csca(&token, &named(CSCA), Kind::On(Curve::P384));
        let at = time("2028-10-01T00:00:00Z");
        let new_key = key(&token, "csca-2", Kind::On(Curve::P384));
        let renewed = old.renew(&named(CSCA), new_key, at).unwrap();
        let ds = key(&token, "ds-1", Kind::On(Curve::P256));
        let request = request(&named(DS), &ds);
        let signer = renewed.authority.issue(&named(DS), &request, at).unwrap();
        let folder = Folder::new();
        put(&folder, "old", old.certificate());
        put(&folder, "new", renewed.authority.certificate());
        put(&folder, "link", &renewed.link);
        put(&folder, "ds", &signer);
        // 2028-11-01
        let verify = |anchor: &str, more: &[&str]| {
            let common = [
                "verify",
                "-x509_strict",
                "-attime",
                "1856649600",
                "-CAfile",
                anchor,
            ];
            folder
                .run("openssl", &[&common, more, &["ds.pem"]].concat())
                .0
        };
        assert!(verify("new.pem", &[]));
        assert!(verify("old.pem", &["-untrusted", "link.pem"]));
        assert!(!verify("old.pem", &[]));
        let (anchors, links) = ([old.certificate().clone()], [renewed.link.clone()]);
        let verifier = CountryVerifier {
            anchors: &anchors,
            links: &links,
            lists: &[],
        };
        let question = CountryQuestion {
            role: CountryRole::DocumentSigner,
            at,
            signed_at: Some(at),
            document_type: Some("P"),
        };
        assert_eq!(
            verifier
                .verify(&signer, &question)
                .unwrap()
                .certificates
                .len(),
            3
        );
        // The old key's time is over in 2029, and its own key is no new one.
        let late = time("2029-01-01T00:00:00Z");
        assert!(matches!(
            old.issue(&named(DS), &request, late),
            Err(CountryError::KeyUse { .. })
        ));
        let same = Arc::new(token.signer("csca-1").unwrap());
        assert!(matches!(
            old.renew(&named(CSCA), same, at),
            Err(CountryError::SameKey)
        ));
        let renamed = profile(&CSCA.replace("PILOT CSCA", "PILOT CSCA TWO"));
        let third = key(&token, "csca-3", Kind::On(Curve::P384));
        let renamed = old.renew(&renamed, third, at).unwrap();
        assert!(!renamed.link.is_self_issued());
        let name_change = "2.23.136.1.1.6.1".parse().unwrap();
        assert!(renamed.link.extensions().others.contains(&name_change));
    });
}

#[test]
fn revocation_lists_are_signed_also_when_empty() {
    with_private_tokens(
        "country::tests::revocation_lists_are_signed_also_when_empty",
        || {
            let token = token("crl");
            let csca = csca(&token, &named(CSCA), Kind::Rsa(RsaSize::Bits4096));
            let ds = key(&token, "ds-1", Kind::On(Curve::P256));
            let request = request(&named(DS), &ds);
            let at = time("2026-01-20T00:00:00Z");
            let signer = csca.issue(&named(DS), &request, at).unwrap();
            let next = at.checked_add(SignedDuration::from_hours(24 * 90)).unwrap();
            let folder = Folder::new();
            put(&folder, "csca", csca.certificate());
            put(&folder, "ds", &signer);
            let revoked = RevokedSigner {
                serial: signer.serial().to_vec(),
                since: at,
            };
            for (number, revoked) in [(1, vec![]), (2, vec![revoked.clone()])] {
                let der = csca.crl(&revoked, at, next, number).unwrap();
                folder.write("crl.der", &der);
                folder.openssl(&["crl", "-inform", "DER", "-in", "crl.der", "-out", "crl.pem"]);
                let said = folder.openssl(&[
                    "crl", "-in", "crl.pem", "-noout", "-text", "-CAfile", "csca.pem",
                ]);
                assert!(
                    said.contains("verify OK") && said.contains("Version 2"),
                    "{said}"
                );
                assert!(!said.contains("Reason Code"));
                let (is_good, said) = folder.run(
                    "openssl",
                    &[
                        "verify",
                        "-crl_check",
                        "-attime",
                        FEBRUARY,
                        "-CAfile",
                        "csca.pem",
                        "-CRLfile",
                        "crl.pem",
                        "ds.pem",
                    ],
                );
                assert_eq!(is_good, revoked.is_empty(), "{said}");
                let list = UnverifiedCrl::parse(der).unwrap();
                let lists = [list.verify(csca.certificate(), at).unwrap()];
                assert_eq!(
                    lists[0].number(),
                    Some(&[u8::try_from(number).unwrap()][..])
                );
                let anchors = [csca.certificate().clone()];
                let verifier = CountryVerifier {
                    anchors: &anchors,
                    links: &[],
                    lists: &lists,
                };
                let question = CountryQuestion {
                    role: CountryRole::DocumentSigner,
                    at,
                    signed_at: None,
                    document_type: None,
                };
                match verifier.verify(&signer, &question) {
                    Ok(path) => assert_eq!(path.revocation, Revocation::Good { this_update: at }),
                    Err(error) => assert!(error.to_string().contains("is revoked"), "{error}"),
                }
            }
            let too_late = next.checked_add(SignedDuration::from_secs(1)).unwrap();
            for wrong in [
                csca.crl(&[], at, too_late, 3),
                csca.crl(&[], at, at, 3),
                csca.crl(&[revoked.clone(), revoked], at, next, 3),
            ] {
                assert!(matches!(
                    wrong,
                    Err(CountryError::ListTimes(_) | CountryError::ListEntry)
                ));
            }
        },
    );
}

#[test]
fn master_lists_are_signed_by_their_signer_alone() {
    with_private_tokens(
        "country::tests::master_lists_are_signed_by_their_signer_alone",
        || {
            let token = token("lists");
            let csca = csca(&token, &named(CSCA), Kind::On(Curve::P384));
            let at = time("2026-01-20T00:00:00Z");
            let anchors = || vec![csca.certificate().clone()];
            let make = |text: &str, label: &str| {
                let signer = key(&token, label, Kind::On(Curve::P384));
                let certificate = csca.issue(&named(text), &request(&named(text), &signer), at);
                MessageSigner::new(certificate.unwrap(), anchors(), Vec::new(), signer).unwrap()
            };
            let (ds, lists) = (make(DS, "ds-1"), make(LISTS, "lists"));
            let der = lists.sign_master_list(&anchors(), at).unwrap();
            let folder = Folder::new();
            put(&folder, "csca", csca.certificate());
            folder.write("list", &der);
            let said = folder.openssl(&[
                "cms", "-verify", "-inform", "DER", "-in", "list", "-CAfile", "csca.pem",
                "-attime", FEBRUARY, "-purpose", "any", "-out", "content",
            ]);
            assert!(said.contains("Verification successful"), "{said}");
            let message = SignedData::parse(&der).unwrap();
            assert_eq!(MasterList::of(&message).unwrap().certificates(), anchors());
            assert_eq!(message.certificates().len(), 2);
            assert!(matches!(
                ds.sign_master_list(&anchors(), at),
                Err(MessageError::Path(_))
            ));
            // The chain that it keeps after the first message is not asked less.
            for content in [b"0\0", b"1\0"] {
                for wrong in [
                    lists.sign_document(content, "P", at),
                    ds.sign_document(content, "XX", at),
                    // The key's three months are over.
                    ds.sign_document(content, "P", time("2026-04-20T00:00:00Z")),
                ] {
                    assert!(matches!(wrong, Err(MessageError::Path(_))));
                }
                ds.sign_document(content, "P", at).unwrap();
            }
            let other = key(&token, "other", Kind::On(Curve::P384));
            let certificate = ds.certificate().clone();
            assert!(matches!(
                MessageSigner::new(certificate, anchors(), Vec::new(), other),
                Err(MessageError::Mismatch { .. })
            ));
        },
    );
}

#[test]
fn what_a_csca_sends_is_examined() {
    with_private_tokens("country::tests::what_a_csca_sends_is_examined", || {
        let token = token("examine");
        let csca = csca(&token, &profile(CSCA), Kind::On(Curve::P384));
        let ds = key(&token, "ds-1", Kind::On(Curve::P256));
        let at = time("2026-01-20T00:00:00Z");
        let request = request(&profile(DS), &ds);
        let anchors = [csca.certificate().clone()];
        let judge = |certificate: &Certificate, profile: &CountryProfile, key: &PublicKey| {
            let verifier = CountryVerifier {
                anchors: &anchors,
                links: &[],
                lists: &[],
            };
            examine(
                certificate,
                &Expected {
                    profile,
                    key,
                    verifier,
                    at,
                },
            )
        };
        let good = csca.issue(&profile(DS), &request, at).unwrap();
        assert_eq!(judge(&good, &profile(DS), request.public_key()), []);
        let other = anchors[0].public_key();
        assert_eq!(judge(&good, &profile(DS), other), [CountryFault::Key]);
        // Another authority's idea of a signer is told, field by field.
        let edit = |from: &str, to: &str| profile(&DS.replacen(from, to, 1));
        for (wanted, field) in [
            (
                edit("key_use_months = 3", "key_use_months = 1"),
                "privateKeyUsagePeriod",
            ),
            (
                edit("document_years = 10", "document_years = 11"),
                "validity",
            ),
            (edit("\"A\"]", "\"A\", \"V\"]"), "documentType"),
            (edit("\"LVA\"", "\"D\""), "subjectAltName"),
            (edit("\"p256\", ", ""), "subjectPublicKeyInfo"),
            (edit("country = \"LV\"", "country = \"LT\""), "subject"),
        ] {
            let faults = judge(&good, &wanted, request.public_key());
            let named = |fault: &CountryFault| matches!(fault, CountryFault::Field { field: named, .. } if *named == field);
            assert!(faults.iter().any(named), "{field}: {faults:?}");
        }
        let faults = judge(&anchors[0], &profile(DS), other);
        let fields = ["keyUsage", "basicConstraints", "documentType"];
        for field in fields {
            let text = faults.iter().map(ToString::to_string).collect::<String>();
            assert!(text.contains(field), "{text}");
        }
        let foreign = CountryVerifier {
            anchors: &[],
            links: &[],
            lists: &[],
        };
        let expected = Expected {
            profile: &profile(DS),
            key: request.public_key(),
            verifier: foreign,
            at,
        };
        assert!(matches!(
            examine(&good, &expected)[..],
            [CountryFault::Path(_)]
        ));
    });
}

#[test]
fn only_what_profiles_allow_is_issued() {
    with_private_tokens("country::tests::only_what_profiles_allow_is_issued", || {
        let token = token("allow");
        let small = key(&token, "small", Kind::On(Curve::P256));
        let make = |profile: &CountryProfile, signer: &Arc<TokenSigner>| {
            let random = Arc::new(token.clone());
            CountryAuthority::create(profile, signer.clone(), random, time(BEGIN))
        };
        assert!(matches!(
            make(&profile(CSCA), &small),
            Err(CountryError::Key { .. })
        ));
        assert!(matches!(
            make(&profile(DS), &small),
            Err(CountryError::Kind { .. })
        ));
        let csca = csca(&token, &profile(CSCA), Kind::On(Curve::P384));
        let asked = request(&profile(DS), &small);
        let at = time("2026-01-20T00:00:00Z");
        let foreign = profile(&DS.replace("country = \"LV\"", "country = \"LT\""));
        assert!(matches!(
            csca.issue(&foreign, &asked, at),
            Err(CountryError::Country { .. })
        ));
        assert!(matches!(
            csca.issue(&profile(CSCA), &asked, at),
            Err(CountryError::Kind {
                is: CountryKind::Csca,
                ..
            })
        ));
        let longer = profile(&DS.replace("document_years = 10", "document_years = 20"));
        assert!(matches!(
            csca.issue(&longer, &asked, at),
            Err(CountryError::Outlasts { .. })
        ));
        let reopened = CountryAuthority::open(
            &profile(CSCA),
            csca.certificate().clone(),
            Arc::new(token.signer("csca-1").unwrap()),
            Arc::new(token.clone()),
        );
        reopened.unwrap().issue(&profile(DS), &asked, at).unwrap();
        assert!(matches!(
            CountryAuthority::open(
                &profile(CSCA),
                csca.certificate().clone(),
                small,
                Arc::new(token.clone())
            ),
            Err(CountryError::Key { .. })
        ));
    });
}

#[test]
fn contradictions_of_profiles_are_found() {
    for (text, from, to, field) in [
        (
            CSCA,
            "crl = [\"http://pki.example.org/csca.crl\"]",
            "",
            "crl",
        ),
        (
            CSCA,
            "signer_key_use_months = 3",
            "",
            "period.signer_key_use_months",
        ),
        (CSCA, "\"LVA\"", "\"lva\"", "contact.country_code"),
        (CSCA, "\"rsa4096\"", "\"rsa2048\"", "key.algorithms"),
        (CSCA, "csca@example.org", "csča@example.org", "contact"),
        (CSCA, "country = \"LV\"", "country = \"lv\"", "subject"),
        (DS, "[\"P\", \"I\", \"A\"]", "[]", "document_types"),
        (DS, "\"A\"", "\"PPP\"", "document_types"),
        (DS, "document_years = 10", "", "period.document_years"),
        (
            DS,
            "key_use_months = 3",
            "key_use_months = 0",
            "period.key_use_months",
        ),
        (
            LISTS,
            "key_use_months = 36",
            "key_use_months = 36\ndocument_years = 1",
            "period.document_years",
        ),
    ] {
        assert!(text.contains(from), "{from}");
        let refused = CountryProfile::parse(&text.replacen(from, to, 1)).unwrap_err();
        assert!(
            matches!(&refused, CountryProfileError::Contradiction { field: named, .. } if *named == field),
            "{field}: {refused:?}"
        );
    }
    assert!(matches!(
        CountryProfile::parse(&DS.replace("[key]", "[key]\nextra = 1")),
        Err(CountryProfileError::Syntax(_))
    ));
    assert!(profile(CSCA).allows(KeyAlgorithm::named("p384").unwrap()));
}

/// Runs where `ZIMOGS_PKILINT` names the folder of pkilint's programs. It has no linter for travel
/// documents: what it may not know is listed.
#[test]
fn pkilint_finds_no_fault() {
    let Ok(programs) = std::env::var("ZIMOGS_PKILINT") else {
        missing::program("pkilint; ZIMOGS_PKILINT names the folder of its programs");
        return;
    };
    with_private_tokens("country::tests::pkilint_finds_no_fault", || {
        let token = token("pkilint");
        let csca = csca(&token, &named(CSCA), Kind::On(Curve::P384));
        let ds = key(&token, "ds-1", Kind::On(Curve::P256));
        let at = time("2026-01-20T00:00:00Z");
        let certificate = csca
            .issue(&named(DS), &request(&named(DS), &ds), at)
            .unwrap();
        let folder = Folder::new();
        put(&folder, "csca", csca.certificate());
        put(&folder, "ds", &certificate);
        let next = at.checked_add(SignedDuration::from_hours(24 * 90)).unwrap();
        folder.write("crl.der", &csca.crl(&[], at, next, 1).unwrap());
        for (program, arguments) in [
            ("lint_pkix_cert", &["lint", "-s", "WARNING", "csca.pem"][..]),
            ("lint_pkix_cert", &["lint", "-s", "WARNING", "ds.pem"]),
            (
                "lint_crl",
                &[
                    "lint", "-t", "CRL", "-p", "PKIX", "-s", "WARNING", "crl.der",
                ],
            ),
            (
                "lint_pkix_signer_signee_cert_chain",
                &["lint", "-s", "WARNING", "csca.pem", "ds.pem"],
            ),
        ] {
            let (clean, said) = folder.run(&format!("{programs}/{program}"), arguments);
            assert!(clean, "{program}: {said}");
        }
    });
}

//! `openssl cmp` as the client of our endpoint.

use std::sync::Arc;

use hsm::test_support::with_private_tokens;
use jiff::Timestamp;

use super::world::{DELAY, REFERENCE, SECRET, SUBJECT, World};
use crate::authority::{CertificateAuthority, Status};
use crate::cmp::{CmpClient, CmpClientCredential, CmpServerPolicy};
use crate::crl::RevocationReason;
use crate::register::Register;
use crate::testing::{AUTHENTICATION, profile};

/// Arguments by which the station protects its messages.
fn by_secret(secret: &str) -> [&str; 4] {
    ["-ref", REFERENCE, "-secret", secret]
}

/// Arguments by which a holder of key and certificate does, and knows the authority.
///
/// openssl puts the issuer of its own certificate into templates where none is named.
const BY_RA: [&str; 8] = [
    "-cert", "ra.pem", "-key", "ra.key", "-srvcert", "cmp.pem", "-issuer", ISSUER,
];

/// The authority of `certs/pilot-ca.toml`.
const ISSUER: &str =
    "/C=LV/O=Example Document Issuer/organizationIdentifier=NTRLV-00000000000/CN=PILOT eID CA";

#[test]
fn openssl_gets_certificates_by_every_request_and_protection() {
    with_private_tokens(
        "cmp::tests::openssl_asks::openssl_gets_certificates_by_every_request_and_protection",
        || {
            let world = World::new();
            let address = world.serve(&world.server(world.clients(), World::policy()));
            let secret = format!("pass:{SECRET}");
            let mac = by_secret(&secret);
            world.key("new");
            world.folder.openssl(&[
                "req", "-new", "-key", "new.key", "-subj", SUBJECT, "-out", "new.csr",
            ]);
            let template = [
                "-newkey", "new.key", "-subject", SUBJECT, "-certout", "got.pem",
            ];
            let pkcs10 = ["-csr", "new.csr", "-certout", "got.pem"];
            let mut issued = 0;
            for (command, request) in [("ir", &template[..]), ("cr", &template), ("p10cr", &pkcs10)]
            {
                for protection in [&mac[..], &BY_RA] {
                    for implicit in [&[][..], &["-implicit_confirm"]] {
                        let arguments =
                            [&["-cmd", command], request, protection, implicit].concat();
                        let (done, said) = world.cmp(address, &arguments);
                        assert!(done, "{arguments:?}: {said}");
                        issued += 1;
                        let certificate = world.saved("got.pem");
                        assert_eq!(world.status(&certificate), Status::Good, "{said}");
                        assert_eq!(
                            said.contains("sending CERTCONF"),
                            implicit.is_empty(),
                            "{said}"
                        );
                        let said = world
                            .folder
                            .openssl(&["verify", "-CAfile", "ca.pem", "got.pem"]);
                        assert!(said.contains("got.pem: OK"), "{said}");
                    }
                }
            }
            assert_eq!(world.register.entries().len(), issued);
        },
    );
}

#[test]
fn openssl_polls_renews_and_revokes() {
    with_private_tokens(
        "cmp::tests::openssl_asks::openssl_polls_renews_and_revokes",
        || {
            let world = World::new();
            let mut policy = CmpServerPolicy {
                delay: Some(DELAY),
                ..World::policy()
            };
            // It differs in its policy alone.
            let trial = AUTHENTICATION.replace("32473.1.1.1", "32473.1.1.9");
            let trial = Arc::new(profile(&trial));
            policy.profiles.insert("trial".into(), trial);
            let clients = world.clients();
            let address = world.serve(&world.server(clients.clone(), policy.clone()));
            let secret = format!("pass:{SECRET}");
            world.key("old");
            let request = [
                "-cmd", "ir", "-newkey", "old.key", "-subject", SUBJECT, "-certout", "old.pem",
            ];
            let (done, said) = world.cmp(address, &[&request[..], &by_secret(&secret)].concat());
            assert!(done, "{said}");
            assert!(
                said.contains("sending POLLREQ") && said.contains("received POLLREP"),
                "{said}"
            );
            let old = world.saved("old.pem");
            assert_eq!(world.status(&old), Status::Good);

            // The holder renews, signing with the old key.
            world.key("next");
            let by_holder = ["-cert", "old.pem", "-key", "old.key", "-srvcert", "cmp.pem"];
            let request = ["-cmd", "kur", "-newkey", "next.key", "-certout", "next.pem"];
            let (done, said) = world.cmp(address, &[&request[..], &by_holder].concat());
            assert!(done, "{said}");
            let next = world.saved("next.pem");
            assert_eq!(next.subject(), old.subject());
            assert_ne!(next.public_key(), old.public_key());
            // Somebody else's may not be, nor another profile's.
            let foreign = [
                "-cmd",
                "kur",
                "-newkey",
                "next.key",
                "-certout",
                "no.pem",
                "-subject",
                "/C=LV/CN=EVA CITA/SN=CITA/GN=EVA/serialNumber=PNOLV-321990-12348",
            ];
            let (done, said) = world.cmp(address, &[&foreign[..], &by_holder].concat());
            assert!(!done && said.contains("badCertTemplate"), "{said}");
            for other in ["eid-signature", "trial"] {
                let path = format!("/.well-known/cmp/p/{other}");
                let other = ["-path", &path];
                let (done, said) = world.cmp(address, &[&request[..], &by_holder, &other].concat());
                assert!(!done && said.contains("notAuthorized"), "{said}");
            }
            // Of the document nothing is known but how long the old one holds.
            assert_eq!(next.validity().not_after, old.validity().not_after);
            // Where the new key must be in a chip as well, holders do not renew.
            policy.holders_renew = false;
            let strict = world.serve(&world.server(clients, policy));
            let (done, said) = world.cmp(strict, &[&request[..], &by_holder].concat());
            assert!(!done && said.contains("notAuthorized"), "{said}");
            // A client that is known by a certificate of this authority's, while that is in use.
            let known = CmpClient {
                name: "known".into(),
                credential: CmpClientCredential::Certificate(Box::new(old.clone())),
                is_registration_authority: true,
                profiles: None,
            };
            let known = world.serve(&world.server(vec![known], World::policy()));
            for (status, is_served) in [(Status::OnHold, false), (Status::Good, true)] {
                let moved = world.ca.set_status(&old, status, Timestamp::now());
                world.runtime.block_on(moved).unwrap();
                let asks = [
                    "-cmd",
                    "genm",
                    "-infotype",
                    "caCerts",
                    "-cacertsout",
                    "no.pem",
                ];
                let (done, said) = world.cmp(known, &[&asks[..], &by_holder].concat());
                assert_eq!(done, is_served, "{said}");
                assert_eq!(said.contains("certRevoked"), !is_served, "{said}");
            }

            // The registration authority suspends, releases and revokes.
            let reason = |code: &'static str, certificate: &'static str| {
                ["-cmd", "rr", "-oldcert", certificate, "-revreason", code]
            };
            for (code, status) in [
                ("6", Status::OnHold),
                ("6", Status::OnHold),
                ("8", Status::Good),
                ("4", Status::Revoked(RevocationReason::Superseded)),
            ] {
                let (done, said) =
                    world.cmp(address, &[&reason(code, "old.pem")[..], &BY_RA].concat());
                assert!(done, "{code}: {said}");
                assert_eq!(world.status(&old), status);
            }
            let (done, said) = world.cmp(address, &[&reason("1", "old.pem")[..], &BY_RA].concat());
            assert!(!done && said.contains("certRevoked"), "{said}");
            // Whose certificate is revoked asks for nothing more.
            let (done, said) = world.cmp(address, &[&request[..], &by_holder].concat());
            assert!(!done && said.contains("certRevoked"), "{said}");
            // A client that is no registration authority revokes nobody's.
            let by_station = by_secret(&secret);
            let (done, said) = world.cmp(
                address,
                &[&reason("1", "next.pem")[..], &by_station].concat(),
            );
            assert!(!done && said.contains("notAuthorized"), "{said}");
            // A holder revokes its own.
            let own = [
                "-cert", "next.pem", "-key", "next.key", "-srvcert", "cmp.pem",
            ];
            let (done, said) = world.cmp(address, &[&reason("1", "next.pem")[..], &own].concat());
            assert!(done, "{said}");
            let lost = Status::Revoked(RevocationReason::KeyCompromise);
            assert_eq!(world.status(&next), lost);
            assert_eq!(world.register.entries().len(), 2);
        },
    );
}

#[test]
fn openssl_s_wrong_requests_are_told_what_is_wrong() {
    with_private_tokens(
        "cmp::tests::openssl_asks::openssl_s_wrong_requests_are_told_what_is_wrong",
        || {
            let world = World::new();
            let policy = CmpServerPolicy {
                implicit_confirmation: false,
                ..World::policy()
            };
            let address = world.serve(&world.server(world.clients(), policy));
            world.stranger("stranger");
            world.key("new");
            world.folder.openssl(&[
                "genpkey",
                "-algorithm",
                "EC",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-out",
                "p256.key",
            ]);
            let secret = format!("pass:{SECRET}");
            let mac = by_secret(&secret);
            let wrong = by_secret("pass:a-long-shared-secret-8402617396");
            let other = ["-ref", "station-8", "-secret", &secret];
            let stranger = [
                "-cert",
                "stranger.pem",
                "-key",
                "stranger.key",
                "-srvcert",
                "cmp.pem",
            ];
            let ask = [
                "-cmd", "ir", "-newkey", "new.key", "-subject", SUBJECT, "-certout", "no.pem",
            ];
            // With protection, and what else is said; later arguments take the place of earlier.
            let cases: [(&[&str], &[&str], &str); 11] = [
                (&wrong, &["-unprotected_errors"], "badMessageCheck"),
                (&other, &["-unprotected_errors"], "badMessageCheck"),
                (&stranger, &[], "signerNotTrusted"),
                (
                    &mac,
                    &["-unprotected_requests", "-srvcert", "cmp.pem"],
                    "badMessageCheck",
                ),
                (&mac, &["-popo", "-1"], "badPOP"),
                (&mac, &["-popo", "0"], "badPOP"),
                (&mac, &["-newkey", "p256.key"], "badCertTemplate"),
                (&mac, &["-subject", "/C=LV/CN=ANNA"], "badCertTemplate"),
                (&mac, &["-issuer", "/CN=Another CA"], "wrongAuthority"),
                (&mac, &["-path", "/.well-known/cmp/p/none"], "badRequest"),
                (&mac, &["-implicit_confirm", "-disable_confirm"], ""),
            ];
            for (protection, also, failure) in cases {
                let mut arguments = [&ask[..], protection].concat();
                for pair in also.chunks(2).filter(|pair| pair.len() == 2) {
                    if let Some(at) = arguments.iter().position(|said| *said == pair[0]) {
                        arguments.drain(at..at + 2);
                    }
                }
                arguments.extend(also);
                let (done, said) = world.cmp(address, &arguments);
                assert_eq!(done, failure.is_empty(), "{also:?}: {said}");
                assert!(said.contains(failure), "{failure} {also:?}: {said}");
            }
            // What openssl does not take, it rejects, and it is withdrawn.
            let distrusted = [&ask[..], &mac, &["-out_trusted", "stranger.pem"]].concat();
            let (done, said) = world.cmp(address, &distrusted);
            assert!(!done && said.contains("sending CERTCONF"), "{said}");
            let listed = world
                .runtime
                .block_on(world.register.listed(jiff::Timestamp::now()));
            let withdrawn = listed.unwrap().into_iter();
            let withdrawn = withdrawn.filter(|entry| entry.reason == RevocationReason::Superseded);
            assert_eq!(withdrawn.count(), 1);
            // The last but one was issued, and neither granted implicit confirmation nor confirmed.
            assert_eq!(world.register.entries().len(), 2);
            let certificate = world.saved("no.pem");
            assert_eq!(world.status(&certificate), Status::OnHold);
            let server = world.server(Vec::new(), World::policy());
            let sweep = |after: i64| {
                let at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(after);
                world.runtime.block_on(server.sweep(at)).unwrap()
            };
            assert_eq!(sweep(300), 0);
            assert_eq!(sweep(700), 1);
            assert_eq!(sweep(700), 0);
            let withdrawn = Status::Revoked(RevocationReason::Superseded);
            assert_eq!(world.status(&certificate), withdrawn);
        },
    );
}

#[test]
fn openssl_asks_with_rsa_and_in_general() {
    with_private_tokens(
        "cmp::tests::openssl_asks::openssl_asks_with_rsa_and_in_general",
        || {
            let world = World::new();
            let folder = &world.folder;
            folder.openssl(&["genrsa", "-out", "rsa.key", "2048"]);
            folder.openssl(&[
                "req",
                "-x509",
                "-new",
                "-key",
                "rsa.key",
                "-subj",
                "/CN=rsa",
                "-days",
                "30",
                "-addext",
                "keyUsage=critical,digitalSignature",
                "-out",
                "rsa.pem",
            ]);
            let mut clients = world.clients();
            clients[1].credential =
                CmpClientCredential::Certificate(Box::new(world.saved("rsa.pem")));
            let address = world.serve(&world.server(clients, World::policy()));
            world.key("new");
            let by_rsa = ["-cert", "rsa.pem", "-key", "rsa.key", "-srvcert", "cmp.pem"];
            let request = [
                "-cmd", "cr", "-newkey", "new.key", "-subject", SUBJECT, "-certout", "got.pem",
                "-issuer", ISSUER,
            ];
            for digest in ["sha256", "sha384", "sha512"] {
                let digest = ["-digest", digest];
                let (done, said) = world.cmp(address, &[&request[..], &by_rsa, &digest].concat());
                assert!(done, "{said}");
                assert_eq!(world.status(&world.saved("got.pem")), Status::Good);
            }
            let weak = ["-digest", "sha1"];
            let (done, said) = world.cmp(address, &[&request[..], &by_rsa, &weak].concat());
            assert!(!done && said.contains("badAlg"), "{said}");
            // The usual MACs of password-based protection.
            let secret = format!("pass:{SECRET}");
            for mac in [
                "hmac-sha1",
                "hmacWithSHA256",
                "hmacWithSHA384",
                "hmacWithSHA512",
            ] {
                let by_mac = [&by_secret(&secret)[..], &["-mac", mac]].concat();
                let (done, said) = world.cmp(address, &[&request[..], &by_mac].concat());
                assert!(done, "{mac}: {said}");
            }
            for protection in [&by_rsa[..], &by_secret(&secret)] {
                let ask = ["-cmd", "genm", "-infotype", "caCerts"];
                let (done, said) = world.cmp(address, &[&ask[..], protection].concat());
                assert!(done && said.contains("caCerts"), "{said}");
            }
        },
    );
}

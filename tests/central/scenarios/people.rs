//! How people prove who they are: enrolment, sign-in, second factor, sessions, lock-out.

use audit::Outcome;
use document::Role;
use jiff::SignedDuration;
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::hash::{MessageDigest, hash};
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::{X509, X509NameBuilder};
use zeroize::Zeroizing;

use super::house::{House, actor, is_conflict, is_refused, with_file_house, with_house};
use crate::people::totp_code;
use crate::{
    CentralError, Enrolled, Enrolment, Expected, FactorProof, NewFactor, SecondFactor, Session,
    SessionToken, SignedIn, Thing, TotpAlgorithm, Visit,
};

const PASSWORD: &str = "zila pogas kaste";

fn from(source: &str) -> Visit {
    Visit {
        source: source.into(),
        station: None,
    }
}

fn at(station: &str) -> Visit {
    Visit {
        source: "192.0.2.7".into(),
        station: Some(station.into()),
    }
}

fn with_code(account: &str, code: &str, factor: Option<NewFactor>) -> Enrolment {
    Enrolment {
        account: account.into(),
        code: Zeroizing::new(code.into()),
        password: Zeroizing::new(PASSWORD.into()),
        factor,
    }
}

fn code(secret: &[u8], house: &House) -> FactorProof {
    let now = crate::Clock::now(&*house.clock);
    FactorProof::Totp(Zeroizing::new(totp_code(secret, now)))
}

/// *RFC 4648 §6*, by itself: what the store encodes is not decoded by its own code.
fn typed(text: &str) -> Vec<u8> {
    let mut bits = String::new();
    for letter in text.chars() {
        let value = match letter {
            'A'..='Z' => letter as u32 - 'A' as u32,
            _ => letter as u32 - '2' as u32 + 26,
        };
        bits.push_str(&format!("{value:05b}"));
    }
    let bytes = bits.as_bytes().chunks_exact(8);
    bytes
        .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap())
        .collect()
}

impl House {
    async fn issued(&self, account: &str) -> String {
        let administrator = actor("administrator");
        let code = self.central.issue_code(&administrator, account).await;
        code.unwrap().code.to_string()
    }

    /// Enrols somebody with a password alone.
    async fn with_password(&self, account: &str) {
        let code = self.issued(account).await;
        let done = self
            .central
            .enrol(&from("192.0.2.1"), &with_code(account, &code, None))
            .await;
        assert!(matches!(done, Ok(Enrolled::Whole)), "{done:?}");
    }

    /// Enrols somebody with an app, and returns its secret.
    async fn with_app(&self, account: &str) -> Vec<u8> {
        let code_given = self.issued(account).await;
        let factor = NewFactor::Totp(TotpAlgorithm::Sha1);
        let begun = self
            .central
            .enrol(
                &from("192.0.2.1"),
                &with_code(account, &code_given, Some(factor)),
            )
            .await
            .unwrap();
        let Enrolled::Confirm {
            ticket,
            totp: Some(shown),
            ..
        } = begun
        else {
            panic!("a second factor to confirm");
        };
        let secret = typed(&shown.typed);
        assert!(shown.address.contains(&*shown.typed));
        self.central
            .confirm_enrolment(&from("192.0.2.1"), ticket.expose(), code(&secret, self))
            .await
            .unwrap();
        self.clock.pass(SignedDuration::from_secs(30));
        secret
    }

    async fn try_password(&self, visit: &Visit, account: &str) -> Result<SignedIn, CentralError> {
        self.central.sign_in(visit, account, PASSWORD).await
    }

    async fn in_with_password(&self, visit: &Visit, account: &str) -> (SessionToken, Session) {
        match self.try_password(visit, account).await.unwrap() {
            SignedIn::Session(token, session) => (token, session),
            SignedIn::SecondFactor { .. } => panic!("no second factor"),
        }
    }

    async fn ticket(&self, visit: &Visit, account: &str) -> (SessionToken, String) {
        match self.try_password(visit, account).await.unwrap() {
            SignedIn::SecondFactor {
                ticket, challenge, ..
            } => (ticket, challenge),
            SignedIn::Session(..) => panic!("a second factor"),
        }
    }
}

fn not_in<T>(result: &Result<T, CentralError>) -> bool {
    matches!(result, Err(CentralError::SignIn))
}

fn no_session<T>(result: &Result<T, CentralError>) -> bool {
    matches!(result, Err(CentralError::NoSession))
}

fn wait<T>(result: &Result<T, CentralError>) -> Option<u64> {
    match result {
        Err(CentralError::TooSoon { seconds }) => Some(*seconds),
        _ => None,
    }
}

#[test]
fn a_code_serves_once_and_its_password_lets_in() {
    with_house(
        "scenarios::people::a_code_serves_once_and_its_password_lets_in",
        async |house| {
            let (central, desk) = (&house.central, from("192.0.2.1"));
            assert!(not_in(&house.try_password(&desk, "clerk").await));
            let first = house.issued("clerk").await;
            let code = house.issued("clerk").await;
            let enrol =
                async |code: &str| central.enrol(&desk, &with_code("clerk", code, None)).await;
            assert!(not_in(&enrol(&first).await), "a newer one is out");
            let mut weak = with_code("clerk", &code, None);
            weak.password = Zeroizing::new("passwordpassword".into());
            assert!(matches!(
                central.enrol(&desk, &weak).await,
                Err(CentralError::Invalid { .. })
            ));
            let typed_otherwise = code.to_lowercase().replace('-', " ");
            assert!(matches!(enrol(&typed_otherwise).await, Ok(Enrolled::Whole)));
            assert!(not_in(&enrol(&code).await), "it was used");

            let (token, session) = house.in_with_password(&desk, " Clerk ").await;
            assert_eq!(session.actor.person, "clerk");
            assert_eq!(session.roles, [Role::Clerk]);
            let again = central.session(token.expose(), &desk).await.unwrap();
            assert_eq!(again.id, session.id);
            for wrong in ["", "x", &token.expose()[1..], &"A".repeat(43)] {
                assert!(no_session(&central.session(wrong, &desk).await));
            }
            central.sign_out(&session).await.unwrap();
            assert!(no_session(&central.session(token.expose(), &desk).await));

            let late = house.issued("quality").await;
            house.clock.pass(SignedDuration::from_hours(72));
            let late = with_code("quality", &late, None);
            assert!(not_in(&central.enrol(&desk, &late).await));
            assert_eq!(house.count("session.opened", Outcome::Done).await, 1);
            assert_eq!(house.count("session.ended", Outcome::Done).await, 1);
            assert_eq!(house.count("account.enrolled", Outcome::Done).await, 1);
        },
    );
}

#[test]
fn nothing_of_what_lets_in_is_in_the_books_or_the_log() {
    with_file_house(
        "scenarios::people::nothing_of_what_lets_in_is_in_the_books_or_the_log",
        |_| {},
        async |house| {
            let desk = from("192.0.2.1");
            let secret = house.with_app("officer").await;
            house.with_password("clerk").await;
            let (token, _) = house.in_with_password(&desk, "clerk").await;
            let (ticket, _) = house.ticket(&desk, "officer").await;
            // A password typed into the field for the name.
            assert!(not_in(&house.central.sign_in(&desk, PASSWORD, "").await));
            let code = house.issued("auditor").await;
            for entry in house.entries().await {
                let text = String::from_utf8(entry.encode().unwrap()).unwrap();
                for hidden in [PASSWORD, token.expose(), ticket.expose(), &code, "192.0.2"] {
                    assert!(!text.contains(hidden), "{text}");
                }
            }
            house.central.close().await;
            let mut files = Vec::new();
            for name in ["central.db", "central.db-wal"] {
                files.extend(std::fs::read(house.folder.path().join(name)).unwrap_or_default());
            }
            let holds = |hidden: &[u8]| files.windows(hidden.len()).any(|piece| piece == hidden);
            assert!(holds(b"$argon2id$v=19$m=65536,t=3,p=4$"));
            let without = code.replace('-', "");
            for hidden in [
                PASSWORD.as_bytes(),
                token.expose().as_bytes(),
                ticket.expose().as_bytes(),
                &secret,
                without.as_bytes(),
            ] {
                assert!(!holds(hidden));
            }
        },
    );
}

#[test]
fn a_role_that_needs_a_second_factor_gets_nowhere_without() {
    with_house(
        "scenarios::people::a_role_that_needs_a_second_factor_gets_nowhere_without",
        async |house| {
            let (central, desk) = (&house.central, from("192.0.2.1"));
            let given = house.issued("officer").await;
            let alone = with_code("officer", &given, None);
            assert!(is_refused(&central.enrol(&desk, &alone).await));

            let secret = house.with_app("officer").await;
            let (ticket, _) = house.ticket(&desk, "officer").await;
            let elsewhere = at("station-9");
            let shown = code(&secret, &house);
            assert!(no_session(
                &central
                    .second_factor(&elsewhere, ticket.expose(), shown.clone())
                    .await
            ));
            let (token, session) = central
                .second_factor(&desk, ticket.expose(), shown.clone())
                .await
                .unwrap();
            assert_eq!(session.factor, SecondFactor::Totp.name());
            assert!(central.session(token.expose(), &desk).await.is_ok());
            // The same code is not taken twice, on a ticket of its own.
            let (ticket, _) = house.ticket(&desk, "officer").await;
            assert!(not_in(
                &central.second_factor(&desk, ticket.expose(), shown).await
            ));
            house.clock.pass(SignedDuration::from_secs(30));
            let fresh = code(&secret, &house);
            assert!(
                central
                    .second_factor(&desk, ticket.expose(), fresh.clone())
                    .await
                    .is_ok()
            );
            assert!(no_session(
                &central.second_factor(&desk, ticket.expose(), fresh).await
            ));

            // Three wrong ones, and the password comes first again.
            house.clock.pass(SignedDuration::from_secs(30));
            let (ticket, _) = house.ticket(&desk, "officer").await;
            for _ in 0..3 {
                let wrong = FactorProof::Totp(Zeroizing::new("not it".into()));
                assert!(not_in(
                    &central.second_factor(&desk, ticket.expose(), wrong).await
                ));
            }
            let right = code(&secret, &house);
            assert!(no_session(
                &central.second_factor(&desk, ticket.expose(), right).await
            ));
            // A ticket that waited too long.
            let (ticket, _) = house.ticket(&desk, "officer").await;
            house.clock.pass(SignedDuration::from_mins(5));
            let right = code(&secret, &house);
            assert!(no_session(
                &central.second_factor(&desk, ticket.expose(), right).await
            ));

            // A role that needs one, given to an account that has none.
            house.with_password("clerk").await;
            let both = [Role::Clerk, Role::Approver];
            central
                .set_roles(&actor("administrator"), "clerk", &both)
                .await
                .unwrap();
            assert!(not_in(&house.try_password(&desk, "clerk").await));
        },
    );
}

/// A card's key and certificate, made and signed by openssl.
fn card(nid: Nid, usage: bool) -> (PKey<Private>, Vec<u8>) {
    let group = EcGroup::from_curve_name(nid).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_text("CN", "BERTA").unwrap();
    let name = name.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let serial = BigNum::from_u32(7).unwrap().to_asn1_integer().unwrap();
    builder.set_serial_number(&serial).unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    builder.set_pubkey(&key).unwrap();
    let (from, to) = ("20260101000000Z", "20300101000000Z");
    builder
        .set_not_before(&Asn1Time::from_str(from).unwrap())
        .unwrap();
    builder
        .set_not_after(&Asn1Time::from_str(to).unwrap())
        .unwrap();
    let mut uses = openssl::x509::extension::KeyUsage::new();
    let uses = if usage {
        uses.digital_signature()
    } else {
        uses.key_agreement()
    };
    builder
        .append_extension(uses.critical().build().unwrap())
        .unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    (key, builder.build().to_der().unwrap())
}

fn signed(key: &PKey<Private>, digest: MessageDigest, length: i32, text: &str) -> Vec<u8> {
    let digest = hash(digest, text.as_bytes()).unwrap();
    let signature = EcdsaSig::sign(&digest, &key.ec_key().unwrap()).unwrap();
    let (r, s) = (signature.r(), signature.s());
    [
        r.to_vec_padded(length).unwrap(),
        s.to_vec_padded(length).unwrap(),
    ]
    .concat()
}

#[test]
fn a_card_signs_its_person_in() {
    with_house(
        "scenarios::people::a_card_signs_its_person_in",
        async |house| {
            let (central, desk) = (&house.central, from("192.0.2.1"));
            for (account, nid, digest, length) in [
                (
                    "officer",
                    Nid::X9_62_PRIME256V1,
                    MessageDigest::sha256(),
                    32,
                ),
                ("approver", Nid::SECP384R1, MessageDigest::sha384(), 48),
            ] {
                let (key, certificate) = card(nid, true);
                let (stranger, other) = card(nid, true);
                let (_, unfit) = card(nid, false);
                let given = house.issued(account).await;
                let wrong = with_code(account, &given, Some(NewFactor::Card(unfit)));
                assert!(matches!(
                    central.enrol(&desk, &wrong).await,
                    Err(CentralError::Invalid { .. })
                ));
                let enrolment =
                    with_code(account, &given, Some(NewFactor::Card(certificate.clone())));
                let begun = central.enrol(&desk, &enrolment).await.unwrap();
                let Enrolled::Confirm {
                    ticket,
                    challenge,
                    totp: None,
                    ..
                } = begun
                else {
                    panic!("a card to confirm");
                };
                let proof =
                    |key: &PKey<Private>, certificate: &[u8], text: &str| FactorProof::Card {
                        certificate: certificate.to_vec(),
                        signature: signed(key, digest, length, text),
                    };
                let without_its_key = proof(&stranger, &certificate, &challenge);
                assert!(not_in(
                    &central
                        .confirm_enrolment(&desk, ticket.expose(), without_its_key)
                        .await
                ));
                let right = proof(&key, &certificate, &challenge);
                central
                    .confirm_enrolment(&desk, ticket.expose(), right.clone())
                    .await
                    .unwrap();

                let (ticket, fresh) = house.ticket(&desk, account).await;
                assert_ne!(fresh, challenge);
                assert!(
                    fresh.contains("test.example/central"),
                    "it serves this installation only"
                );
                let replayed = central.second_factor(&desk, ticket.expose(), right).await;
                assert!(not_in(&replayed));
                let another = proof(&stranger, &other, &fresh);
                assert!(not_in(
                    &central.second_factor(&desk, ticket.expose(), another).await
                ));
                let right = proof(&key, &certificate, &fresh);
                let (_, session) = central
                    .second_factor(&desk, ticket.expose(), right.clone())
                    .await
                    .unwrap();
                assert_eq!(session.factor, "card");
                assert!(no_session(
                    &central.second_factor(&desk, ticket.expose(), right).await
                ));
            }
        },
    );
}

#[test]
fn a_session_ends_by_itself_and_by_what_happens_to_its_account() {
    with_house(
        "scenarios::people::a_session_ends_by_itself_and_by_what_happens_to_its_account",
        async |house| {
            let (central, desk) = (&house.central, from("192.0.2.1"));
            let administrator = actor("administrator");
            house.with_password("clerk").await;
            let holds =
                async |token: &SessionToken| match central.session(token.expose(), &desk).await {
                    Ok(_) => true,
                    Err(CentralError::NoSession) => false,
                    Err(error) => panic!("{error}"),
                };
            let (token, _) = house.in_with_password(&desk, "clerk").await;
            house.clock.pass(SignedDuration::from_secs(15 * 60));
            assert!(!holds(&token).await, "nothing was done in it");
            let (token, _) = house.in_with_password(&desk, "clerk").await;
            for _ in 0..51 {
                house.clock.pass(SignedDuration::from_mins(14));
                assert!(holds(&token).await);
            }
            house.clock.pass(SignedDuration::from_mins(6));
            assert!(!holds(&token).await, "a shift is over");

            let (token, _) = house.in_with_password(&desk, "clerk").await;
            central
                .set_roles(&administrator, "clerk", &[Role::Quality])
                .await
                .unwrap();
            assert!(!holds(&token).await);
            let (token, session) = house.in_with_password(&desk, "clerk").await;
            assert_eq!(session.roles, [Role::Quality]);
            central
                .lock_account(&administrator, "clerk", "left")
                .await
                .unwrap();
            assert!(!holds(&token).await);
            assert!(not_in(&house.try_password(&desk, "clerk").await));
            assert!(is_refused(&central.documents(&actor("clerk")).await));
            assert!(is_conflict(
                &central.lock_account(&administrator, "clerk", "left").await
            ));
            central
                .unlock_account(&administrator, "clerk")
                .await
                .unwrap();
            let (token, session) = house.in_with_password(&desk, "clerk").await;
            house.with_password("clerk").await;
            assert!(!holds(&token).await, "the password was reset");

            let (token, listed) = house.in_with_password(&desk, "clerk").await;
            let lines = central.sessions(&administrator).await.unwrap();
            assert_eq!(lines.len(), 1);
            assert_eq!(
                (&lines[0].id, lines[0].account.as_str()),
                (&listed.id, "clerk")
            );
            central
                .end_session(&administrator, &listed.id)
                .await
                .unwrap();
            assert!(!holds(&token).await);
            assert!(matches!(
                central.end_session(&administrator, &session.id).await,
                Err(CentralError::NotFound { .. })
            ));

            // Of many at once the oldest ends.
            let (first, _) = house.in_with_password(&desk, "clerk").await;
            for _ in 0..7 {
                house.clock.pass(SignedDuration::from_secs(1));
                house.in_with_password(&desk, "clerk").await;
            }
            assert!(holds(&first).await);
            house.in_with_password(&desk, "clerk").await;
            assert!(!holds(&first).await);
        },
    );
}

#[test]
fn a_token_is_worth_nothing_at_another_station() {
    with_house(
        "scenarios::people::a_token_is_worth_nothing_at_another_station",
        async |house| {
            house.with_password("operator").await;
            let here = at("station-1");
            let (token, session) = house.in_with_password(&here, "operator").await;
            assert_eq!(session.actor.station, "station-1");
            assert!(house.central.session(token.expose(), &here).await.is_ok());
            for elsewhere in [at("station-2"), from("192.0.2.7")] {
                assert!(no_session(
                    &house.central.session(token.expose(), &elsewhere).await
                ));
            }
            let back = house.central.session(token.expose(), &here).await;
            assert!(no_session(&back), "whoever has it, it ended");
            assert_eq!(house.count("session.strayed", Outcome::Done).await, 1);
        },
    );
}

#[test]
fn guessing_gets_slow_and_locks_no_owner_out() {
    with_house(
        "scenarios::people::guessing_gets_slow_and_locks_no_owner_out",
        async |house| {
            let (central, desk, attacker) =
                (&house.central, from("192.0.2.1"), from("198.51.100.9"));
            house.with_password("clerk").await;
            house.in_with_password(&desk, "clerk").await;
            let guess = async |visit: &Visit, name: &str| {
                central.sign_in(visit, name, "not the password").await
            };
            for name in ["clerk", "nobody-of-this-name"] {
                for _ in 0..5 {
                    assert!(not_in(&guess(&attacker, name).await), "{name}");
                }
                assert_eq!(wait(&guess(&attacker, name).await), Some(1), "{name}");
                house.clock.pass(SignedDuration::from_secs(1));
                assert!(not_in(&guess(&attacker, name).await));
                assert_eq!(wait(&guess(&attacker, name).await), Some(2));
            }
            // From elsewhere too; but the owner, where they always are, gets in.
            assert!(wait(&guess(&from("198.51.100.10"), "clerk").await).is_some());
            house.in_with_password(&desk, "clerk").await;
            // What is refused unjudged is in no log, and does not make the wait longer.
            let refused = house.count("session.opened", Outcome::Refused).await;
            for _ in 0..20 {
                assert!(wait(&guess(&attacker, "clerk").await).is_some_and(|seconds| seconds <= 2));
            }
            assert_eq!(
                house.count("session.opened", Outcome::Refused).await,
                refused
            );
            assert_eq!(refused, 12);
            // The right password helps nobody before its time, and everybody after it.
            assert!(wait(&house.try_password(&attacker, "clerk").await).is_some());
            house.clock.pass(SignedDuration::from_secs(2));
            house.in_with_password(&attacker, "clerk").await;

            // One source that tries many names is slowed down by itself.
            let sprayer = from("203.0.113.5");
            let mut tries = 0;
            while wait(&guess(&sprayer, &format!("name-{tries}")).await).is_none() {
                tries += 1;
            }
            assert_eq!(tries, 20);
            assert!(not_in(&guess(&desk, "name-0").await));
        },
    );
}

#[test]
fn a_hundred_failures_close_an_account_to_strangers_until_it_is_unlocked() {
    with_house(
        "scenarios::people::a_hundred_failures_close_an_account_to_strangers_until_it_is_unlocked",
        async |house| {
            let (desk, stranger) = (from("192.0.2.1"), from("198.51.100.1"));
            house.with_password("clerk").await;
            house.in_with_password(&desk, "clerk").await;
            house
                .meddle("INSERT INTO attempt (subject, failures, last) SELECT 'account/' || id, 100, 1795161600000 FROM account WHERE name = 'clerk'")
                .await;
            house.clock.pass(SignedDuration::from_hours(20));
            assert_eq!(
                wait(&house.try_password(&stranger, "clerk").await),
                Some(900)
            );
            house.in_with_password(&desk, "clerk").await;
            assert_eq!(
                wait(&house.try_password(&stranger, "clerk").await),
                Some(900)
            );
            let administrator = actor("administrator");
            house
                .central
                .unlock_account(&administrator, "clerk")
                .await
                .unwrap();
            house.in_with_password(&stranger, "clerk").await;
        },
    );
}

#[test]
fn an_administrator_changes_others_and_not_themselves() {
    with_house(
        "scenarios::people::an_administrator_changes_others_and_not_themselves",
        async |house| {
            let (central, administrator) = (&house.central, actor("administrator"));
            for refused in [
                central
                    .set_roles(&administrator, "administrator", &[Role::Clerk])
                    .await,
                central
                    .set_roles(&administrator, "clerk", &[Role::Operator, Role::Quality])
                    .await,
                central
                    .lock_account(&administrator, "administrator", "no")
                    .await,
                central
                    .set_roles(&actor("officer"), "clerk", &[Role::Clerk])
                    .await,
                central.lock_account(&actor("officer"), "clerk", "no").await,
                central.unlock_account(&actor("officer"), "clerk").await,
                central.end_session(&actor("officer"), "x").await,
            ] {
                assert!(is_refused(&refused), "{refused:?}");
            }
            assert!(is_refused(
                &central.issue_code(&actor("officer"), "clerk").await
            ));
            assert!(is_refused(&central.sessions(&actor("officer")).await));
            assert!(is_refused(
                &central.account(&actor("officer"), "clerk").await
            ));
            assert!(is_refused(
                &central.accounts_after(&actor("officer"), "", 5).await
            ));
            // The first of all enrols by their own code, once.
            house.with_app("administrator").await;
            assert!(is_refused(
                &central.issue_code(&administrator, "administrator").await
            ));
            assert!(matches!(
                central
                    .set_roles(&administrator, "nobody", &[Role::Clerk])
                    .await,
                Err(CentralError::NotFound { .. })
            ));
            let page = central
                .accounts_after(&administrator, "clerk", 3)
                .await
                .unwrap();
            let names: Vec<_> = page.iter().map(|one| one.name.as_str()).collect();
            assert_eq!(names, ["envelopes", "keeper", "officer"]);
            let one = central
                .account(&administrator, "administrator")
                .await
                .unwrap();
            assert_eq!(one.factor, Some(SecondFactor::Totp));
            assert!(one.needs_factor && one.password_set.is_some() && one.code_expires.is_none());
        },
    );
}

#[test]
fn what_was_changed_meanwhile_is_not_changed_again_unseen() {
    with_house(
        "scenarios::people::what_was_changed_meanwhile_is_not_changed_again_unseen",
        async |house| {
            let (central, administrator) = (&house.central, actor("administrator"));
            let seen = central.account_tag(&administrator, "clerk").await.unwrap();
            let expected = |tags: &[&str]| {
                Some(Expected {
                    thing: Thing::Account,
                    name: "clerk".into(),
                    tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
                })
            };
            let lock = async |expected| {
                let act = central.lock_account(&administrator, "clerk", "on leave");
                central.expecting(expected, act).await
            };
            assert!(matches!(
                lock(expected(&["other"])).await,
                Err(CentralError::Changed)
            ));
            let officer = actor("officer");
            let unseen = central.lock_account(&officer, "clerk", "no");
            let unseen = central.expecting(expected(&["other"]), unseen).await;
            assert!(is_refused(&unseen), "who has no right learns nothing");
            lock(expected(&["other", &seen])).await.unwrap();
            assert!(matches!(
                lock(expected(&[&seen])).await,
                Err(CentralError::Changed)
            ));
            assert!(is_conflict(&lock(None).await));
            assert_eq!(house.count("account.locked", Outcome::Refused).await, 4);
        },
    );
}

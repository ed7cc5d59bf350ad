//! Stations: let in by two people, known by their certificates byte for byte, stopped at once.

use audit::Outcome;
use jiff::SignedDuration;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::sha::sha256;
use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::X509VerifyParam;
use openssl::x509::{X509, X509Builder, X509NameBuilder, X509PurposeId, X509Req, X509StoreContext};

use super::house::{House, actor, is_conflict, is_refused, with_house};
use crate::{CentralError, KnownStation, StationCredential, StationRefusal};

fn key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

/// A station's request, as openssl makes it.
fn request(key: &PKey<Private>) -> Vec<u8> {
    let mut request = X509Req::builder().unwrap();
    request.set_pubkey(key).unwrap();
    request.sign(key, MessageDigest::sha256()).unwrap();
    request.build().to_der().unwrap()
}

fn digest(key: &PKey<Private>) -> String {
    hex::encode(sha256(&key.public_key_to_der().unwrap()))
}

impl House {
    async fn enrolled(&self, name: &str) -> (PKey<Private>, StationCredential) {
        let (central, key) = (&self.central, key());
        let asked = central
            .ask_station(
                &actor("administrator"),
                name,
                Some("RIGA-1"),
                &request(&key),
            )
            .await
            .unwrap();
        assert_eq!(asked, digest(&key));
        let given = central
            .confirm_station(&actor("officer"), name, &asked)
            .await
            .unwrap();
        (key, given)
    }

    async fn known(&self, given: &StationCredential) -> Result<KnownStation, StationRefusal> {
        self.central.recognise_station(&given.certificate).await
    }
}

/// Says whether openssl lets such a certificate open a connection as a client's.
fn openssl_accepts(given: &StationCredential, purpose: X509PurposeId) -> bool {
    let mut store = X509StoreBuilder::new().unwrap();
    let authority = X509::from_der(&given.authority).unwrap();
    store.add_cert(authority).unwrap();
    let mut how = X509VerifyParam::new().unwrap();
    how.set_purpose(purpose).unwrap();
    // The house's clock stands in November 2026.
    how.set_time(1_795_300_000);
    store.set_param(&how).unwrap();
    let certificate = X509::from_der(&given.certificate).unwrap();
    let mut context = X509StoreContext::new().unwrap();
    let chain = Stack::new().unwrap();
    context
        .init(&store.build(), &certificate, &chain, |context| {
            context.verify_cert()
        })
        .unwrap()
}

#[test]
fn two_people_let_a_station_in_and_openssl_reads_its_certificate() {
    with_house(
        "scenarios::stations::two_people_let_a_station_in_and_openssl_reads_its_certificate",
        async |house| {
            let (central, key) = (&house.central, key());
            let (administrator, officer) = (actor("administrator"), actor("officer"));
            let ask = async |who| {
                let request = request(&key);
                central.ask_station(&who, "riga-1", None, &request).await
            };
            assert!(is_refused(&ask(officer.clone()).await), "no administrator");
            let named = ask(administrator.clone()).await.unwrap();
            let confirm = async |who, key: &str| central.confirm_station(&who, "riga-1", key).await;
            assert!(is_refused(&confirm(administrator.clone(), &named).await));
            let other = "00".repeat(32);
            assert!(is_refused(&confirm(officer.clone(), &other).await));
            // As a person copies it.
            let spaced = format!("{} {}", &named[..32], named[32..].to_uppercase());
            let given = confirm(officer.clone(), &spaced).await.unwrap();
            // The answer was lost.
            assert_eq!(confirm(officer.clone(), &named).await.unwrap(), given);

            assert!(openssl_accepts(&given, X509PurposeId::SSL_CLIENT));
            assert!(!openssl_accepts(&given, X509PurposeId::SSL_SERVER));
            let read = X509::from_der(&given.certificate).unwrap();
            assert!(read.public_key().unwrap().public_eq(&key));
            let names = read.subject_alt_names().unwrap();
            assert_eq!(names[0].uri(), Some("zimogs:test/station/riga-1"));
            let known = house.known(&given).await.unwrap();
            assert_eq!((&*known.name, known.is_new), ("riga-1", false));

            // What had a certificate gets no other.
            assert!(is_refused(&ask(administrator.clone()).await));
            let listed = central.stations(&officer).await.unwrap();
            assert_eq!(listed[0].state.name(), "enrolled");
            assert!(listed[0].serial.is_some() && listed[0].waiting_key.is_none());
            assert!(is_refused(&central.stations(&actor("clerk")).await));
            for name in ["", "Riga", "a/b", &"x".repeat(65)] {
                let asked = central
                    .ask_station(&administrator, name, None, &request(&self::key()))
                    .await;
                assert!(matches!(asked, Err(CentralError::Invalid { .. })), "{name}");
            }
            assert_eq!(house.count("station.enrolled", Outcome::Done).await, 1);
            assert_eq!(house.count("station.enrolled", Outcome::Refused).await, 2);
        },
    );
}

#[test]
fn a_request_must_prove_a_key_that_opens_a_channel() {
    with_house(
        "scenarios::stations::a_request_must_prove_a_key_that_opens_a_channel",
        async |house| {
            let rsa = PKey::from_rsa(openssl::rsa::Rsa::generate(2048).unwrap()).unwrap();
            let mut altered = request(&key());
            let last = altered.len() - 1;
            altered[last] ^= 1;
            for request in [request(&rsa), altered, Vec::new(), vec![0x30; 20_000]] {
                let asked = house
                    .central
                    .ask_station(&actor("administrator"), "riga-1", None, &request)
                    .await;
                assert!(matches!(asked, Err(CentralError::Invalid { .. })));
            }
            assert_eq!(house.number("SELECT count(*) FROM station").await, 0);
        },
    );
}

#[test]
fn a_station_that_may_not_ask_is_told_why() {
    with_house(
        "scenarios::stations::a_station_that_may_not_ask_is_told_why",
        async |house| {
            let central = &house.central;
            let (administrator, officer) = (actor("administrator"), actor("officer"));
            let (_, given) = house.enrolled("riga-1").await;

            central
                .suspend_station(&officer, "riga-1", "its room was broken into")
                .await
                .unwrap();
            let refusal = house.known(&given).await.unwrap_err();
            assert!(
                matches!(refusal, StationRefusal::Suspended { .. }),
                "{refusal}"
            );
            let fresh = request(&key());
            let asked = central.ask_station(&administrator, "riga-1", None, &fresh);
            assert!(is_conflict(&asked.await), "a suspended one gets nothing");
            let resume = async |who| central.resume_station(&who, "riga-1", "looked at").await;
            assert!(
                is_refused(&resume(officer.clone()).await),
                "who suspended it"
            );
            assert!(is_refused(&resume(administrator.clone()).await), "no right");
            central
                .add_account(&administrator, "second", &[document::Role::SecurityOfficer])
                .await
                .unwrap();
            resume(actor("second")).await.unwrap();
            house.known(&given).await.unwrap();

            // Let in anew, the certificate before counts no longer.
            let (_, other) = house.enrolled("riga-1").await;
            let refusal = house.known(&given).await.unwrap_err();
            assert!(
                matches!(refusal, StationRefusal::Superseded { .. }),
                "{refusal}"
            );

            house.clock.pass(SignedDuration::from_hours(24 * 731));
            let refusal = house.known(&other).await.unwrap_err();
            assert!(
                matches!(refusal, StationRefusal::Expired { .. }),
                "{refusal}"
            );
            house.clock.pass(-SignedDuration::from_hours(24 * 732));
            let refusal = house.known(&other).await.unwrap_err();
            assert!(
                matches!(refusal, StationRefusal::NotYet { .. }),
                "{refusal}"
            );
            house.clock.pass(SignedDuration::from_hours(24));

            let removed = central
                .remove_station(&administrator, "riga-1", "sold")
                .await;
            removed.unwrap();
            let refusal = house.known(&other).await.unwrap_err();
            assert!(
                matches!(refusal, StationRefusal::Removed { .. }),
                "{refusal}"
            );
            let asked = central.ask_station(&administrator, "riga-1", None, &fresh);
            assert!(is_conflict(&asked.await), "its name is not given again");
        },
    );
}

#[test]
fn a_certificate_of_nobody_here_opens_nothing() {
    with_house(
        "scenarios::stations::a_certificate_of_nobody_here_opens_nothing",
        async |house| {
            let (_, given) = house.enrolled("riga-1").await;
            let said = async |der: &[u8]| house.central.recognise_station(der).await.unwrap_err();
            // Of the same names, by another authority.
            let (foreign, mut name) = (key(), X509NameBuilder::new().unwrap());
            name.append_entry_by_text("CN", "riga-1").unwrap();
            let mut made = X509Builder::new().unwrap();
            made.set_version(2).unwrap();
            made.set_subject_name(&name.build()).unwrap();
            let real = X509::from_der(&given.certificate).unwrap();
            made.set_issuer_name(real.issuer_name()).unwrap();
            made.set_serial_number(real.serial_number()).unwrap();
            made.set_not_before(real.not_before()).unwrap();
            made.set_not_after(real.not_after()).unwrap();
            made.set_pubkey(&foreign).unwrap();
            made.sign(&foreign, MessageDigest::sha256()).unwrap();
            let made = made.build().to_der().unwrap();
            assert!(matches!(said(&made).await, StationRefusal::Foreign));
            // One byte differs.
            let mut altered = given.certificate.clone();
            let last = altered.len() - 1;
            altered[last] ^= 1;
            assert!(matches!(said(&altered).await, StationRefusal::Foreign));
            assert!(matches!(said(b"").await, StationRefusal::Unreadable { .. }));
            assert!(matches!(
                said(&given.authority).await,
                StationRefusal::Unbooked
            ));
            // The authority's key was used behind the store's back.
            house.meddle("DELETE FROM station_certificate").await;
            assert!(matches!(
                said(&given.certificate).await,
                StationRefusal::Unbooked
            ));
        },
    );
}

#[test]
fn a_station_renews_and_the_old_certificate_holds_until_the_new_is_shown() {
    with_house(
        "scenarios::stations::a_station_renews_and_the_old_certificate_holds_until_the_new_is_shown",
        async |house| {
            let (central, (old_key, old)) = (&house.central, house.enrolled("riga-1").await);
            let station = house.known(&old).await.unwrap();
            let same = central.renew_station(&station, &request(&old_key)).await;
            assert!(is_refused(&same), "the same key");
            let lost = key();
            central
                .renew_station(&station, &request(&lost))
                .await
                .unwrap();
            let next = key();
            let certificate = central
                .renew_station(&station, &request(&next))
                .await
                .unwrap();
            let again = central
                .renew_station(&station, &request(&next))
                .await
                .unwrap();
            assert_eq!(again, certificate, "the answer was lost");
            house.known(&old).await.unwrap();

            let new = StationCredential {
                certificate,
                authority: old.authority.clone(),
            };
            assert!(openssl_accepts(&new, X509PurposeId::SSL_CLIENT));
            let shown = house.known(&new).await.unwrap();
            assert!(shown.is_new && shown.seen.is_none());
            central.station_seen(&shown).await.unwrap();
            // Another connection that was recognised at the same time.
            central.station_seen(&shown).await.unwrap();
            assert!(matches!(
                house.known(&old).await,
                Err(StationRefusal::Superseded { .. })
            ));
            let shown = house.known(&new).await.unwrap();
            assert!(!shown.is_new && shown.seen.is_some());
            let current = "SELECT count(*) FROM station_certificate WHERE state = 'current'";
            assert_eq!(house.number(current).await, 1);
            assert_eq!(house.count("station.renewed", Outcome::Done).await, 2);
        },
    );
}

#[test]
fn the_station_authority_stays_the_one_it_is() {
    with_house(
        "scenarios::stations::the_station_authority_stays_the_one_it_is",
        async |house| {
            let made = house.central.station_authority_certificate().await.unwrap();
            house.central.close().await;
            let reopened = crate::Central::open(house.config())
                .await
                .unwrap()
                .on_own_machine();
            assert_eq!(
                reopened.station_authority_certificate().await.unwrap(),
                made
            );
            reopened.close().await;
            let mut config = house.config();
            config.keys.stations = "authority".to_owned();
            let other = crate::Central::open(config).await.unwrap().on_own_machine();
            assert!(other.station_authority_certificate().await.is_err());
            let mut config = house.config();
            config.keys.stations = "nowhere".to_owned();
            let keyless = crate::Central::open(config).await.unwrap().on_own_machine();
            let error = keyless.station_authority_certificate().await.unwrap_err();
            assert!(
                error.to_string().contains("hsm generate nowhere"),
                "{error}"
            );
        },
    );
}

//! Registers: their sources and keys, their packages, and what they are told.

use api::{ANSWER_TYPE, PACKAGE_TYPE, REPORT_TYPE};
use audit::Outcome;
use cert::jws::{Jws, JwsKey, Unsigned};
use document::{DataClass, Kind, OfficeCode, Source as Register, SourceName};
use ed25519_dalek::{Signer as _, SigningKey};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::bench::make;
use super::house::{House, actor, is_conflict, is_refused, sample, with_house};
use crate::{CentralError, NewSource};

/// A register's system, with its key.
pub(super) struct FakeRegister {
    pub(super) name: SourceName,
    secret: SigningKey,
    key: JwsKey,
}

/// Returns an Ed25519 key as *RFC 8410 §10.1* has it.
fn public(secret: &SigningKey) -> JwsKey {
    let prefix = hex::decode("302a300506032b6570032100").unwrap();
    let key = secret.verifying_key();
    JwsKey::from_spki_der(&[&prefix[..], key.as_bytes()].concat()).unwrap()
}

impl FakeRegister {
    pub(super) fn new(name: &str, seed: u8) -> Self {
        let secret = SigningKey::from_bytes(&[seed; 32]);
        Self {
            name: SourceName::parse(name).unwrap(),
            key: public(&secret),
            secret,
        }
    }

    /// Makes it a source of the house, for ID cards, with its key admitted for a year.
    pub(super) async fn admitted(self, house: &House) -> Self {
        let source = NewSource {
            name: self.name.clone(),
            register: Register::PopulationRegister,
            kinds: vec![Kind::IdCard],
            offices: Vec::new(),
        };
        let administrator = actor("administrator");
        house
            .central
            .add_source(&administrator, &source)
            .await
            .unwrap();
        self.admit_key(house, self.key.spki_der()).await;
        self
    }

    async fn admit_key(&self, house: &House, spki: &[u8]) -> String {
        let (central, administrator) = (&house.central, actor("administrator"));
        let now = central.now();
        let year = (now, now + SignedDuration::from_hours(24 * 365));
        let thumbprint = central
            .propose_source_key(&administrator, &self.name, spki, year)
            .await
            .unwrap();
        central
            .admit_source_key(&actor("officer"), &thumbprint)
            .await
            .unwrap();
        thumbprint
    }

    pub(super) fn package(&self, sequence: u64, entries: Value) -> Value {
        json!({
            "format": 1, "source": self.name, "package": format!("P-{sequence}"), "sequence": sequence,
            "created": "2026-11-20T07:00:00Z", "environment": "test", "applications": entries,
        })
    }

    pub(super) fn signed(&self, payload: &Value) -> Vec<u8> {
        let payload = payload.to_string();
        let unsigned = Unsigned::new(&self.key, PACKAGE_TYPE, payload.as_bytes());
        let signature = self.secret.sign(&unsigned.signing_input()).to_bytes();
        unsigned.assemble(&signature).unwrap()
    }

    /// Sends a package; returns what the answer says.
    pub(super) async fn send(&self, house: &House, payload: &Value) -> Value {
        let answer = house
            .central
            .take_package(self.name.as_str(), &self.signed(payload))
            .await;
        opened(house, &answer.unwrap(), ANSWER_TYPE).await
    }

    /// Fetches the reports after a number.
    async fn reports(&self, house: &House, after: u64) -> Vec<Value> {
        let mut read = Vec::new();
        for (number, report) in house.central.reports(&self.name, after).await.unwrap() {
            let report = opened(house, &report, REPORT_TYPE).await;
            assert_eq!(report["sequence"], number);
            read.push(report);
        }
        read
    }
}

/// Reads what the store said, as a register does: by its public key.
pub(super) async fn opened(house: &House, bytes: &[u8], media_type: &'static str) -> Value {
    let key = house.central.registers_key().await.unwrap();
    let payload = Jws::parse(bytes, 1 << 20)
        .unwrap()
        .verify(&key, media_type)
        .unwrap();
    serde_json::from_slice(&payload).unwrap()
}

/// Returns a sample as an entry.
pub(super) fn new(name: &str) -> Value {
    let application: Value = serde_json::from_slice(&sample(name)).unwrap();
    json!({"action": "new", "application": application})
}

/// Returns a sample under another reference.
fn renamed(name: &str, reference: &str) -> Value {
    let mut entry = new(name);
    entry["application"]["reference"] = json!(reference);
    entry
}

fn codes(faults: &Value) -> Vec<&str> {
    let faults = faults.as_array().unwrap().iter();
    faults
        .map(|fault| fault["code"].as_str().unwrap())
        .collect()
}

fn reference(entry: &Value) -> String {
    entry["application"]["reference"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn a_package_is_taken_once_and_answered_the_same_again() {
    with_house(
        "scenarios::registers::a_package_is_taken_once_and_answered_the_same_again",
        async |house| {
            let register = FakeRegister::new("population-register", 1)
                .admitted(&house)
                .await;
            let (adult, twenty) = (new("applications/01-adult"), new("applications/06-twenty"));
            let package = register.package(1, json!([adult, twenty]));
            let bytes = register.signed(&package);
            let central = &house.central;
            let answer = central
                .take_package("population-register", &bytes)
                .await
                .unwrap();
            let said = opened(&house, &answer, ANSWER_TYPE).await;
            assert_eq!(
                (&said["state"], &said["sequence"]),
                (&json!("taken"), &json!(1))
            );
            assert_eq!(
                said["applications"][1]["reference"],
                json!(reference(&twenty))
            );
            assert_eq!(house.number("SELECT count(*) FROM application").await, 2);

            house.clock.pass(SignedDuration::from_hours(5));
            let again = central
                .take_package("population-register", &bytes)
                .await
                .unwrap();
            assert_eq!(again, answer);
            // The answer was lost before it was signed: what it says stands.
            house
                .meddle("UPDATE register_package SET answer = NULL")
                .await;
            let again = central
                .take_package("population-register", &bytes)
                .await
                .unwrap();
            assert_eq!(opened(&house, &again, ANSWER_TYPE).await, said);
            assert_eq!(house.count("package.taken", Outcome::Done).await, 1);
            assert_eq!(house.count("application.imported", Outcome::Done).await, 2);

            let entries = house.entries().await;
            let by_source = entries.iter().filter(|entry| {
                let person = entry.actor.person.as_ref();
                person.is_some_and(|person| person.as_str() == "source/population-register")
            });
            assert_eq!(by_source.count(), 3);
            // A source is nobody's person: it may do nothing by itself, and anybody may approve.
            let as_source = actor("source/population-register");
            assert!(is_refused(
                &central.approve(&as_source, &reference(&adult)).await
            ));
            assert!(is_refused(
                &central
                    .import(&as_source, &sample("applications/05-nineteen"))
                    .await
            ));
            central
                .approve(&actor("approver"), &reference(&adult))
                .await
                .unwrap();
        },
    );
}

#[test]
fn what_does_not_come_in_uses_nothing_up() {
    with_house(
        "scenarios::registers::what_does_not_come_in_uses_nothing_up",
        async |house| {
            let register = FakeRegister::new("population-register", 1)
                .admitted(&house)
                .await;
            let other = FakeRegister::new("second-register", 2)
                .admitted(&house)
                .await;
            let central = &house.central;
            let sound = register.package(1, json!([new("applications/01-adult")]));
            let with = |field: &str, value: Value| {
                let mut package = sound.clone();
                package[field] = value;
                register.signed(&package)
            };
            let mut altered: Value = serde_json::from_slice(&register.signed(&sound)).unwrap();
            let payload = altered["payload"].as_str().unwrap().replacen('e', "f", 1);
            altered["payload"] = json!(payload);
            let wrong: [(Vec<u8>, &str); 9] = [
                (b"{\"payload\":".to_vec(), "not-signed"),
                (sound.to_string().into_bytes(), "not-signed"),
                (altered.to_string().into_bytes(), "wrong-signature"),
                (other.signed(&sound), "key-not-admitted"),
                (with("source", json!("second-register")), "source-mismatch"),
                (
                    with("environment", json!("production")),
                    "environment-mismatch",
                ),
                (with("created", json!("2026-11-20T08:06:00Z")), "in-future"),
                (with("sequence", json!(3)), "sequence-gap"),
                (with("note", json!("x")), "unknown-field"),
            ];
            for (bytes, code) in &wrong {
                let answer = central
                    .take_package("population-register", bytes)
                    .await
                    .unwrap();
                let said = opened(&house, &answer, ANSWER_TYPE).await;
                assert_eq!(said["state"], "not-admitted", "{code}");
                assert_eq!(codes(&said["faults"]), [*code]);
            }
            assert_eq!(house.number("SELECT count(*) FROM application").await, 0);
            assert_eq!(
                house.count("package.not-admitted", Outcome::Refused).await,
                9
            );
            let kept = "SELECT count(*) FROM refused_package WHERE content IS NOT NULL";
            assert_eq!(house.number(kept).await, 9);
            for unknown in ["third-register", "Population Register"] {
                let nobody = central.take_package(unknown, &wrong[0].0).await;
                assert!(matches!(nobody, Err(CentralError::NotFound { .. })));
            }

            assert_eq!(register.send(&house, &sound).await["state"], "taken");
            // Another package under the same number, or the same identity.
            let fresh = json!([new("applications/06-twenty")]);
            let used = register
                .send(&house, &register.package(1, fresh.clone()))
                .await;
            assert_eq!(codes(&used["faults"]), ["package-used", "sequence-used"]);
            let mut next = register.package(2, fresh);
            next["package"] = json!("P-1");
            assert_eq!(
                codes(&register.send(&house, &next).await["faults"]),
                ["package-used"]
            );
            // One that was early is taken when its turn has come.
            next["package"] = json!("P-2");
            assert_eq!(register.send(&house, &next).await["state"], "taken");
            assert_eq!(
                house
                    .number("SELECT next_package FROM source WHERE name = 'population-register'")
                    .await,
                3
            );
        },
    );
}

#[test]
fn each_application_stands_or_falls_by_itself() {
    with_house(
        "scenarios::registers::each_application_stands_or_falls_by_itself",
        async |house| {
            let register = FakeRegister::new("population-register", 1)
                .admitted(&house)
                .await;
            let other = FakeRegister::new("second-register", 2)
                .admitted(&house)
                .await;
            let mut elsewhere = renamed("applications/05-nineteen", "APP-PADIS");
            elsewhere["application"]["source"] = json!("padis");
            let entries = json!([
                new("applications/01-adult"),
                new("malformed/many-faults"),
                renamed("applications/01-adult", "APP-TWIN"),
                new("applications/01-adult"),
                new("applications/09-alien"),
                elsewhere,
                {"action": "withdraw", "reference": "APP-NONE", "cause": "gone"},
                new("applications/06-twenty"),
            ]);
            let said = register.send(&house, &register.package(1, entries)).await;
            assert_eq!(said["state"], "partly");
            let told: Vec<_> = said["applications"]
                .as_array()
                .unwrap()
                .iter()
                .map(|entry| codes(&entry["faults"]))
                .collect();
            assert!(told[1].len() > 3);
            assert_eq!(told[0], [""; 0]);
            assert_eq!(told[2], ["duplicate-application"]);
            assert_eq!(told[3], ["reference-used", "duplicate-application"]);
            assert_eq!(told[4], ["source-mismatch", "kind-not-for-source"]);
            assert_eq!(told[5], ["source-mismatch"]);
            assert_eq!(told[6], ["not-there"]);
            assert_eq!(told[7], [""; 0]);
            assert_eq!(house.number("SELECT count(*) FROM application").await, 2);
            assert_eq!(
                house
                    .count("application.not-admitted", Outcome::Refused)
                    .await,
                6
            );
            // What was taken of it has terms of its own, so that it is not kept whole beside.
            let kept = "SELECT count(*) FROM refused_package";
            assert_eq!(house.number(kept).await, 0);

            // Another source learns that somebody has an application, and not whose it is.
            let twin = renamed("applications/01-adult", "SECOND-1");
            let said = other.send(&house, &other.package(1, json!([twin]))).await;
            assert_eq!(said["state"], "refused");
            let fault = &said["applications"][0]["faults"][0];
            assert_eq!(fault["code"], "duplicate-application");
            let adult = reference(&new("applications/01-adult"));
            assert!(!fault["message"].as_str().unwrap().contains(&adult));
            let foreign = json!([{"action": "withdraw", "reference": adult, "cause": "gone"}]);
            let said = other.send(&house, &other.package(2, foreign)).await;
            assert_eq!(codes(&said["applications"][0]["faults"]), ["not-there"]);

            // A typed-in application of the same person and kind is found too.
            house
                .central
                .import(&actor("clerk"), &sample("applications/05-nineteen"))
                .await
                .unwrap();
            let typed = renamed("applications/05-nineteen", "APP-TYPED");
            let said = register
                .send(&house, &register.package(2, json!([typed])))
                .await;
            assert_eq!(
                codes(&said["applications"][0]["faults"]),
                ["duplicate-application"]
            );
        },
    );
}

#[test]
fn a_register_takes_back_only_what_nobody_decided() {
    with_house(
        "scenarios::registers::a_register_takes_back_only_what_nobody_decided",
        async |house| {
            let register = FakeRegister::new("population-register", 1)
                .admitted(&house)
                .await;
            let (adult, twenty, nineteen) = (
                new("applications/01-adult"),
                new("applications/06-twenty"),
                new("applications/05-nineteen"),
            );
            let package = register.package(1, json!([adult, twenty, nineteen]));
            assert_eq!(register.send(&house, &package).await["state"], "taken");
            let mut better = renamed("applications/01-adult", "APP-BETTER");
            better["action"] = json!("replace");
            better["reference"] = json!(reference(&adult));
            let withdraw = json!({"action": "withdraw", "reference": reference(&twenty), "cause": "moved abroad"});
            // Of one package, what comes second sees what came first.
            let twice = withdraw.clone();
            let said = register
                .send(
                    &house,
                    &register.package(2, json!([better, withdraw, twice])),
                )
                .await;
            assert_eq!(said["state"], "partly", "{said}");
            assert_eq!(codes(&said["applications"][2]["faults"]), ["not-open"]);
            // The register's own words may be about the holder: they stay with the register.
            let states = "SELECT state FROM application WHERE cause = 'its register withdrew it'";
            assert_eq!(house.scalar(states).await, "withdrawn");
            let state = "SELECT a.state FROM application a JOIN application_origin o ON o.application = a.reference WHERE o.superseded_by = 'APP-BETTER'";
            assert_eq!(house.scalar(state).await, "superseded");
            let approved = house
                .central
                .approve(&actor("approver"), &reference(&adult))
                .await;
            assert!(is_conflict(&approved));
            house
                .central
                .approve(&actor("approver"), "APP-BETTER")
                .await
                .unwrap();
            let late = json!([{"action": "withdraw", "reference": "APP-BETTER", "cause": "late"}]);
            let said = register.send(&house, &register.package(3, late)).await;
            assert_eq!(codes(&said["applications"][0]["faults"]), ["not-open"]);
            // The words of a register stand in no log.
            let entries = house.entries().await;
            let logged = entries
                .iter()
                .map(|entry| String::from_utf8(entry.encode().unwrap()).unwrap());
            assert!(
                logged
                    .into_iter()
                    .all(|entry| !entry.contains("moved abroad"))
            );

            house
                .central
                .reject(
                    &actor("approver"),
                    &reference(&nineteen),
                    "a wrong portrait",
                )
                .await
                .unwrap();
            let reports = register.reports(&house, 0).await;
            let told: Vec<_> = reports[0]["events"]
                .as_array()
                .unwrap()
                .iter()
                .map(|event| {
                    (
                        event["application"].as_str().unwrap().to_owned(),
                        event["state"].as_str().unwrap().to_owned(),
                    )
                })
                .collect();
            let expected = [
                (&adult, "superseded"),
                (&twenty, "withdrawn"),
                (&nineteen, "refused"),
            ];
            assert_eq!(
                told,
                expected.map(|(entry, state)| (reference(entry), state.to_owned()))
            );
        },
    );
}

#[test]
fn a_register_hears_of_its_documents_once_and_in_order() {
    with_house(
        "scenarios::registers::a_register_hears_of_its_documents_once_and_in_order",
        async |house| {
            let register = FakeRegister::new("population-register", 1)
                .admitted(&house)
                .await;
            let central = &house.central;
            let adult = new("applications/01-adult");
            register
                .send(&house, &register.package(1, json!([adult])))
                .await;
            let number = central
                .approve(&actor("approver"), &reference(&adult))
                .await
                .unwrap()
                .unwrap()
                .to_string();
            make(&house, 1).await;
            assert_eq!(
                register.reports(&house, 0).await,
                [Value::Null; 0],
                "nobody has it yet"
            );
            let clerk = actor("envelopes");
            let job = central.print_envelope(&clerk, &number).await.unwrap();
            central.envelope_printed(&clerk, &job.serial).await.unwrap();
            central
                .pass_quality(&actor("quality"), &number)
                .await
                .unwrap();
            central.hand_over(&actor("clerk"), &number).await.unwrap();
            let handed_over = central.now();

            house.clock.pass(SignedDuration::from_hours(1));
            let reports = register.reports(&house, 0).await;
            let [report] = &reports[..] else {
                panic!("one report: {reports:?}")
            };
            assert_eq!(report["sequence"], 1);
            let event = &report["events"][0];
            assert_eq!(event["application"], json!(reference(&adult)));
            assert_eq!(
                (&event["subject"], &event["state"]),
                (&json!("document"), &json!("handed-over"))
            );
            assert_eq!(
                (&event["number"], &event["kind"]),
                (&json!(number), &json!("id-card"))
            );
            assert_eq!(
                event["at"].as_str().unwrap().parse::<Timestamp>().unwrap(),
                handed_over
            );
            // Asked again it is the same; what is not signed yet is signed then.
            house
                .meddle("UPDATE register_report SET report = NULL")
                .await;
            assert_eq!(register.reports(&house, 0).await, reports);
            assert_eq!(register.reports(&house, 1).await, [Value::Null; 0]);
            assert!(is_refused(
                &central.acknowledge_reports(&register.name, 2).await
            ));
            central
                .acknowledge_reports(&register.name, 1)
                .await
                .unwrap();
            central
                .acknowledge_reports(&register.name, 1)
                .await
                .unwrap();
            assert_eq!(central.acknowledged(&register.name).await.unwrap(), 1);
            assert_eq!(house.count("report.acknowledged", Outcome::Done).await, 1);
            // What was typed in is nobody else's business.
            let typed = sample("applications/06-twenty");
            let typed = central.import(&actor("clerk"), &typed).await.unwrap();
            central
                .reject(&actor("approver"), typed.as_str(), "no")
                .await
                .unwrap();
            assert_eq!(central.make_reports().await.unwrap(), 0);
        },
    );
}

#[test]
fn a_key_takes_two_people_to_admit_and_one_to_withdraw() {
    with_house(
        "scenarios::registers::a_key_takes_two_people_to_admit_and_one_to_withdraw",
        async |house| {
            let (central, administrator, officer) =
                (&house.central, actor("administrator"), actor("officer"));
            let register = FakeRegister::new("population-register", 1);
            let source = NewSource {
                name: register.name.clone(),
                register: Register::PopulationRegister,
                kinds: vec![Kind::IdCard],
                offices: vec![OfficeCode::parse("LIEPAJA-1").unwrap()],
            };
            assert!(is_refused(&central.add_source(&officer, &source).await));
            central.add_source(&administrator, &source).await.unwrap();
            assert!(is_conflict(
                &central.add_source(&administrator, &source).await
            ));
            let asylum = NewSource {
                name: SourceName::parse("asylum").unwrap(),
                register: Register::AsylumSeekerRegister,
                kinds: vec![Kind::AlienIdCard],
                offices: Vec::new(),
            };
            assert!(is_refused(
                &central.add_source(&administrator, &asylum).await
            ));

            let now = central.now();
            let week = (now, now + SignedDuration::from_hours(24 * 7));
            let package = register.package(1, json!([new("applications/01-adult")]));
            let refused = ["key-not-admitted"];
            assert_eq!(
                codes(&register.send(&house, &package).await["faults"]),
                refused
            );
            let thumbprint = central
                .propose_source_key(
                    &administrator,
                    &register.name,
                    register.key.spki_der(),
                    week,
                )
                .await
                .unwrap();
            assert_eq!(thumbprint, register.key.thumbprint());
            assert_eq!(
                codes(&register.send(&house, &package).await["faults"]),
                refused
            );
            assert!(is_refused(
                &central.admit_source_key(&administrator, &thumbprint).await
            ));
            central
                .admit_source_key(&officer, &thumbprint)
                .await
                .unwrap();
            assert!(is_conflict(
                &central.admit_source_key(&officer, &thumbprint).await
            ));
            let said = register.send(&house, &package).await;
            assert_eq!(
                codes(&said["applications"][0]["faults"]),
                ["office-not-for-source"]
            );

            // The next key before the present one ends; then the old one says nothing any more.
            let next = FakeRegister::new("population-register", 9);
            next.admit_key(&house, next.key.spki_der()).await;
            house.clock.pass(SignedDuration::from_hours(24 * 7));
            let package = next.package(2, json!([new("applications/06-twenty")]));
            assert_eq!(
                codes(&register.send(&house, &package).await["faults"]),
                refused
            );
            assert_eq!(next.send(&house, &package).await["state"], "refused");
            let stolen = next.key.thumbprint();
            assert!(is_refused(
                &central
                    .withdraw_source_key(&actor("clerk"), &stolen, "no")
                    .await
            ));
            central
                .withdraw_source_key(&officer, &stolen, "stolen")
                .await
                .unwrap();
            assert_eq!(codes(&next.send(&house, &package).await["faults"]), refused);

            let listed = central.sources(&actor("auditor")).await.unwrap();
            let states: Vec<_> = listed[0].keys.iter().map(|key| key.state).collect();
            assert_eq!(states, ["admitted", "withdrawn"]);
            assert_eq!((listed[0].next_package, listed[0].removed), (3, false));
            central
                .remove_source(&administrator, &register.name, "replaced")
                .await
                .unwrap();
            let gone = central.take_package("population-register", b"{}").await;
            assert!(is_refused(&gone));
        },
    );
}

#[test]
fn refused_packages_are_erased_when_their_term_is_over() {
    with_house(
        "scenarios::registers::refused_packages_are_erased_when_their_term_is_over",
        async |house| {
            let register = FakeRegister::new("population-register", 1)
                .admitted(&house)
                .await;
            let central = &house.central;
            let approver = actor("approver");
            // Early: it is evidence until it is taken after all.
            let early =
                register.signed(&register.package(2, json!([new("applications/06-twenty")])));
            central
                .take_package("population-register", &early)
                .await
                .unwrap();
            let answer = central
                .take_package("population-register", b"{}")
                .await
                .unwrap();
            let answer = opened(&house, &answer, ANSWER_TYPE).await;
            let digest = answer["digest"].as_str().unwrap();
            let kept = central
                .refused_package(&approver, &register.name, digest)
                .await;
            assert_eq!(kept.unwrap()[..], b"{}"[..]);
            assert!(is_refused(
                &central
                    .refused_package(&actor("auditor"), &register.name, digest)
                    .await
            ));
            let kept = "SELECT count(*) FROM refused_package WHERE content IS NOT NULL";
            assert_eq!(house.number(kept).await, 2);
            register
                .send(
                    &house,
                    &register.package(1, json!([new("applications/01-adult")])),
                )
                .await;
            let taken = central
                .take_package("population-register", &early)
                .await
                .unwrap();
            assert_eq!(opened(&house, &taken, ANSWER_TYPE).await["state"], "taken");
            assert_eq!(house.number(kept).await, 1);

            let days = i64::from(DataClass::RefusedPackage.days().unwrap());
            house.clock.pass(SignedDuration::from_hours(24 * days));
            central.erase().await.unwrap();
            assert_eq!(house.number(kept).await, 0);
            let gone = central
                .refused_package(&approver, &register.name, digest)
                .await;
            assert!(is_conflict(&gone), "{gone:?}");
            assert_eq!(house.count("package.seen", Outcome::Done).await, 1);
        },
    );
}

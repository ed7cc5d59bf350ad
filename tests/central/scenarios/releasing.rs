//! Production opens with released profiles only; the first start founds nothing otherwise.

use std::sync::Arc;

use audit::CheckpointSigner as _;
use document::Environment;
use profile::{ChipProfile, DocumentProfile, Release, Released, Releasers};

use super::house::{PRODUCT, product_file, with_house};
use super::person::Person;
use crate::{Central, CentralError, Config};

fn release(config: &mut Config, about: Released, people: &[Person]) {
    let (kind, name) = (about.kind(), about.name().to_owned());
    let mut release = Release::new(about).unwrap();
    for person in people {
        release.sign(person).unwrap();
    }
    config.releases.put(kind, name, release.to_string());
}

/// Returns a shipped certificate profile with values of somebody's own.
fn meant(text: &str) -> String {
    text.replace("1.3.6.1.4.1.32473", "1.3.6.1.4.1.32061")
        .replace("example.org", "office.lv")
        .replace("NTRLV-00000000000", "NTRLV-40003011203")
        .replace("\"PILOT eID CA\"", "\"Office eID CA\"")
}

#[test]
fn a_production_store_opens_with_released_profiles_only() {
    with_house(
        "scenarios::releasing::a_production_store_opens_with_released_profiles_only",
        async |house| {
            let people = [Person::new("anna", 1), Person::new("juris", 2)];
            let list = format!("{}\n{}\n", people[0].key(), people[1].key());
            // The keys of a test never serve in production.
            let token = Arc::new(hsm::test_support::token("production"));
            let maker = card::gp::Key::new(b"another maker's!").unwrap();
            token.import_master_key("transport-master", &maker).unwrap();
            house.config().keys.generate_missing(&token).unwrap();
            let database = house.another("production").await;
            let config = |signed: usize| {
                let mut config = house.config();
                config.database = database.clone();
                (config.environment, config.series) = (Environment::Production, "PA".into());
                config.token = Arc::clone(&token);
                config
                    .releases
                    .set_releasers(Releasers::parse(&list).unwrap());
                let chip = ChipProfile::load(&config.chips, PRODUCT).unwrap();
                let document = DocumentProfile::load(&config.documents, "eid-card").unwrap();
                let document = Released::document(&document).unwrap();
                release(&mut config, document, &people);
                for name in ["pilot-ca", "eid-authentication", "eid-signature"] {
                    let text = meant(&product_file(&format!("certs/{name}.toml")));
                    config.certificates.put(name, text.as_str());
                    let certificate = Released::certificate(name, &text).unwrap();
                    release(&mut config, certificate, &people);
                }
                release(
                    &mut config,
                    Released::chip(&chip).unwrap(),
                    &people[..signed],
                );
                config
            };
            let refused = Central::establish(config(1)).await;
            let Err(CentralError::Release(error)) = refused else {
                panic!("one signature is not enough")
            };
            assert!(!error.is_alteration());
            assert!(error.to_string().contains(PRODUCT));
            let mut stale = config(2);
            let text = "extends = \"lateid-v2\"\nname = \"draft\"\n";
            stale.chips.put("draft", text);
            let draft = ChipProfile::load(&stale.chips, "draft").unwrap();
            release(&mut stale, Released::chip(&draft).unwrap(), &people);
            stale.chips.put("draft", format!("{text}# changed\n"));
            let refused = Central::establish(stale).await;
            assert!(
                matches!(refused, Err(CentralError::Release(error)) if error.is_alteration()),
                "what was changed after its release"
            );

            // Nothing was founded until now: the series of this start is the one that counts.
            let central = Central::establish(config(2))
                .await
                .unwrap()
                .on_own_machine();
            assert_eq!(central.environment(), Environment::Production);
            central.close().await;
            assert!(Central::open(config(1)).await.is_err(), "nor later");

            let mut tests = config(2);
            tests.database = house.another("other").await;
            tests.token = Arc::clone(&house.token);
            let refused = Central::establish(tests).await;
            assert!(
                matches!(refused, Err(CentralError::Environment { reason }) if reason.contains("bound to \"test\""))
            );
            let example = [("pilot-ca", "PILOT"), ("eid-signature", "example")];
            for (name, word) in example {
                let mut config = config(2);
                config.database = house.another(name).await;
                let text = product_file(&format!("certs/{name}.toml"));
                config.certificates.put(name, text.as_str());
                let certificate = Released::certificate(name, &text).unwrap();
                release(&mut config, certificate, &people);
                let refused = Central::establish(config).await;
                assert!(
                    matches!(refused, Err(CentralError::Environment { reason }) if reason.contains(name)),
                    "{word}"
                );
            }
        },
    );
}

//! What an installation that makes real documents refuses at the start.

use document::Environment;
use profile::ProfileKind;

use super::house::{House, with_house};
use super::judge::chip_text;
use crate::{Central, CentralError, Config};

/// A chip whose keys are these.
fn keyed(transport: &str, issuer: &str) -> String {
    chip_text(
        "open",
        &format!(
            r#"
[channel]
protocol = "scp03"
level = "c-mac c-enc r-mac"
[channel.keys.transport]
version = 0xFF
{transport}
[channel.keys.issuer]
version = 0x01
{issuer}
[[stages]]
name = "take over"
select = "domain"
channel = "transport"
steps = ["replace_keys issuer"]
"#
        ),
    )
}

const TAKING_IT: &str = r#"
format = 1
name = "eid-card"
title = "a card of a test"
kinds = ["id-card"]
[[chips]]
interface = "contact"
products = ["open"]
"#;

#[test]
fn production_refuses_chips_whose_keys_the_world_knows() {
    with_house(
        "scenarios::production::production_refuses_chips_whose_keys_the_world_knows",
        async |house| {
            let published = "known = \"404142434445464748494A4B4C4D4E4F\"";
            let own = "diversification = \"kdf3\"";
            for (transport, issuer, fault) in [
                (published, own, Some("transport")),
                // One that the chip would be left with.
                (own, published, Some("issuer")),
                (own, own, None),
            ] {
                for environment in [Environment::Production, Environment::Test] {
                    let mut config = house.config();
                    config.chips.put("open", keyed(transport, issuer));
                    config.documents.put("eid-card", TAKING_IT);
                    config.environment = environment;
                    if environment == Environment::Production {
                        config.series = "PA".into();
                    }
                    config.database = house
                        .another(&format!("{environment}-{}", fault.unwrap_or("none")))
                        .await;
                    let opened = Central::establish(config).await;
                    match fault.filter(|_| environment == Environment::Production) {
                        // Its keys are not what stands in the way.
                        None if environment == Environment::Production => {
                            assert!(matches!(opened, Err(CentralError::Release(_))));
                        }
                        None => {
                            opened.unwrap().close().await;
                        }
                        Some(set) => {
                            let Err(CentralError::Setup { reason }) = opened else {
                                panic!("it opened with a known key \"{set}\"");
                            };
                            for word in [
                                "\"open\"",
                                &format!("\"{set}\""),
                                "transport key of your own",
                            ] {
                                assert!(reason.contains(word), "{reason}");
                            }
                            assert!(!reason.contains("4041"), "{reason}");
                        }
                    }
                }
            }
        },
    );
}

/// Opens a production store with a chip of such keys, and returns why it does not.
async fn refusal(house: &House, name: &str, adapt: impl FnOnce(&mut Config)) -> CentralError {
    let mut config = house.config();
    config.environment = Environment::Production;
    config.series = "PA".into();
    config.database = house.another(name).await;
    adapt(&mut config);
    match Central::establish(config).await {
        Err(error) => error,
        Ok(_) => panic!("it opened"),
    }
}

#[test]
fn production_refuses_one_key_for_all_chips_where_it_stays() {
    with_house(
        "scenarios::production::production_refuses_one_key_for_all_chips_where_it_stays",
        async |house| {
            let (same, own) = ("diversification = \"none\"", "diversification = \"kdf3\"");
            let refused = async |name: &str, transport: &str, issuer: &str| {
                let text = keyed(transport, issuer);
                refusal(&house, name, |config| {
                    config.chips.put("open", text);
                    config.documents.put("eid-card", TAKING_IT);
                })
                .await
            };
            let CentralError::Setup { reason } = refused("issuer", own, same).await else {
                panic!("every chip would have the same key")
            };
            assert!(reason.contains("same key set \"issuer\""), "{reason}");
            // What the maker delivers so, and is replaced, is no fault.
            let other = refused("transport", same, own).await;
            assert!(matches!(other, CentralError::Release(_)), "{other}");
        },
    );
}

#[test]
fn a_draft_that_does_not_load_stops_no_production() {
    with_house(
        "scenarios::production::a_draft_that_does_not_load_stops_no_production",
        async |house| {
            let draft = "extends = \"open\"\nname = \"draft\"\nnonsense = 1\n";
            let other = refusal(&house, "draft", |config| {
                config.chips.put("draft", draft);
            })
            .await;
            // What stands in the way is that nothing is released.
            assert!(matches!(other, CentralError::Release(_)), "{other}");
            let released = refusal(&house, "released", |config| {
                config.chips.put("draft", draft);
                let kind = ProfileKind::Chip;
                config.releases.put(kind, "draft", "whatever");
            })
            .await;
            assert!(matches!(released, CentralError::Profile(_)), "{released}");
            let taken = refusal(&house, "taken", |config| {
                config.chips.put("open", "nonsense = 1\n");
                config.documents.put("eid-card", TAKING_IT);
            })
            .await;
            assert!(matches!(taken, CentralError::Profile(_)), "{taken}");
            let mut test = house.config();
            test.chips.put("draft", draft);
            test.database = house.another("test").await;
            assert!(
                Central::establish(test).await.is_err(),
                "a test says so at once"
            );
        },
    );
}

/// Masters of AES make no keys for a chip of triple DES: the installation says so when it opens,
/// before anything is leased.
#[test]
fn masters_of_another_kind_than_a_chip_wants_are_found_at_the_start() {
    with_house(
        "scenarios::production::masters_of_another_kind_than_a_chip_wants_are_found_at_the_start",
        async |house| {
            let own = "diversification = \"kdf3\"";
            let old = keyed("diversification = \"emv\"", "diversification = \"emv\"")
                .replace("scp03", "scp02")
                .replace("c-mac c-enc r-mac", "c-mac c-enc");
            let own_labels = ["open/transport", "open/issuer"].map(|set| (set, "of-des"));
            house.token.generate_des3_master_key("of-des").unwrap();
            for (case, chip, labels, opens) in [
                ("aes", keyed(own, own), &[][..], true),
                ("des", old.clone(), &[], false),
                // A chip may have masters of its own beside the others.
                ("its-own", old, &own_labels, true),
                ("of-others", keyed(own, own), &own_labels, false),
            ] {
                let mut config = house.config();
                config.chips.put("open", chip);
                config.documents.put("eid-card", TAKING_IT);
                config.database = house.another(case).await;
                let labels = labels
                    .iter()
                    .map(|(set, label)| (set.to_string(), label.to_string()));
                config.keys.masters.extend(labels);
                let opened = Central::establish(config).await;
                assert_eq!(opened.is_ok(), opens, "{case}: {:?}", opened.err());
            }
        },
    );
}

//! What an installation that makes real documents refuses at the start.

use document::Environment;

use super::house::with_house;
use super::judge::chip_text;
use crate::{Central, CentralError};

/// A chip whose keys are these.
fn known(transport: &str, issuer: &str) -> String {
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
                    config.chips.put("open", known(transport, issuer));
                    config.documents.put("eid-card", TAKING_IT);
                    config.environment = environment;
                    if environment == Environment::Production {
                        config.series = "PA".into();
                    }
                    config.database = house
                        .folder
                        .path()
                        .join(format!("{environment}-{}.db", fault.unwrap_or("none")));
                    let opened = Central::open(config).await;
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

//! Sealed stages of chips that hide nothing: PINs over several stages, and a chip that proves
//! itself.

use api::{ApiError, Centre, ConfirmRequest, ConfirmedStage, Secret};
use audit::Outcome;
use openssl::symm::Mode;

use super::bench::{bare_report, spoiled};
use super::house::{House, actor, operator, request, with_adapted_house};
use super::judge::{aes_cbc, bytes, single_key, told};
use super::key_requests::refused;
use super::small_chips::{SERIALS, data, installed, is_written, leased, sealed, stages};
use crate::Config;

const PLAIN: &str = "plain";

fn plain(config: &mut Config) {
    installed(config, PLAIN, &stages(""), "");
}

fn confirmation(lease: &api::Lease, stage: &str, answers: Vec<Vec<u8>>) -> ConfirmRequest {
    ConfirmRequest {
        lease: lease.id,
        chip: SERIALS[0].into(),
        stage: stage.into(),
        answers,
    }
}

fn conflict<T>(result: Result<T, ApiError>) -> String {
    match result {
        Err(ApiError::Conflict { reason }) => reason,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was given"),
    }
}

const DONE: [u8; 2] = [0x90, 0x00];

/// Seals and confirms the first stage of a plain chip, and returns the PIN that it set.
async fn first(house: &House, lease: &api::Lease) -> Vec<u8> {
    let request = sealed(lease, SERIALS[0], "first", None);
    let grant = house.central.seal(&operator(), &request).await.unwrap();
    assert_eq!(grant.commands.len(), 1);
    let again = house.central.seal(&operator(), &request).await.unwrap();
    assert!(again == grant, "a lost answer is given again");
    let confirm = confirmation(lease, "first", vec![DONE.to_vec()]);
    house.central.confirm(&operator(), &confirm).await.unwrap();
    data(&grant.commands[0])
}

#[test]
fn whoever_goes_on_is_told_what_was_confirmed() {
    with_adapted_house(
        "scenarios::sealed_pins::whoever_goes_on_is_told_what_was_confirmed",
        plain,
        async |house| {
            house.prepared("01-adult").await;
            let lease = leased(&house, PLAIN, SERIALS[0], "a").await;
            assert!(lease.confirmed.is_empty());
            let mut request = request("a", &[PLAIN]);
            request.again = Some(lease.id);
            let ask = async || {
                let lease = house.central.lease(&operator(), &request).await.unwrap();
                lease.unwrap().confirmed
            };
            let asked = sealed(&lease, SERIALS[0], "first", None);
            house.central.seal(&operator(), &asked).await.unwrap();
            assert!(ask().await.is_empty(), "it is sealed, and not confirmed");
            first(&house, &lease).await;
            let confirmed = ConfirmedStage {
                chip: SERIALS[0].into(),
                stage: "first".into(),
            };
            assert_eq!(ask().await, [confirmed]);
        },
    );
}

#[test]
fn stages_of_one_envelope_set_the_same_pins_and_the_last_makes_it_ready() {
    with_adapted_house(
        "scenarios::sealed_pins::stages_of_one_envelope_set_the_same_pins_and_the_last_makes_it_ready",
        plain,
        async |house| {
            let central = &house.central;
            let number = house.prepared("01-adult").await.to_string();
            let lease = leased(&house, PLAIN, SERIALS[0], "a").await;
            let second = sealed(&lease, SERIALS[0], "second", None);
            assert!(conflict(central.seal(&operator(), &second).await).contains("comes first"));
            assert_eq!(house.number("SELECT count(*) FROM envelope").await, 0);

            let puk = first(&house, &lease).await;
            assert_eq!(puk.len(), 12);
            assert_eq!(house.scalar("SELECT state FROM envelope").await, "sealed");
            assert_eq!(house.count("pins.confirmed", Outcome::Done).await, 0);
            let once = sealed(&lease, SERIALS[0], "first", None);
            assert!(refused(central.seal(&operator(), &once).await).contains("was confirmed"));

            let grant = central.seal(&operator(), &second).await.unwrap();
            assert_eq!(grant.commands.len(), 1);
            assert_eq!(grant.commands[0].expect, ["9000", "628X"]);
            let both = data(&grant.commands[0]);
            assert_eq!(both[..12], puk, "the PUK that the first stage set");
            // The store forgets what it waits for, as after a restart: the PINs stay.
            central.sealed().forget(central.now(), lease.id);
            let wait = confirmation(&lease, "second", vec![DONE.to_vec()]);
            assert!(conflict(central.confirm(&operator(), &wait).await).contains("lost"));
            let grant = central.seal(&operator(), &second).await.unwrap();
            assert_eq!(data(&grant.commands[0]), both);
            let pin1 = both[12..].to_vec();
            assert_ne!(puk, pin1);

            // What the chip refuses is not confirmed.
            let wrong = confirmation(&lease, "second", vec![vec![0x69, 0x82]]);
            assert!(refused(central.confirm(&operator(), &wrong).await).contains("6982"));
            central.seal(&operator(), &second).await.unwrap();
            let done = confirmation(&lease, "second", vec![vec![0x62, 0x83]]);
            central.confirm(&operator(), &done).await.unwrap();
            assert_eq!(house.scalar("SELECT state FROM envelope").await, "ready");
            assert_eq!(house.number("SELECT count(*) FROM envelope").await, 1);
            for (action, times) in [
                ("pins.sealed", 1),
                ("pins.resumed", 3),
                ("pins.confirmed", 1),
            ] {
                assert_eq!(house.count(action, Outcome::Done).await, times, "{action}");
            }

            let clerk = actor("envelopes");
            let job = central.print_envelope(&clerk, &number).await.unwrap();
            let pins = central.open_envelope(&clerk, &job).await.unwrap();
            for (name, digits) in [("pin1", &pin1), ("puk", &puk)] {
                assert_eq!(pins.get(name).unwrap().digits(), &digits[..], "{name}");
                assert!(!is_written(&house, digits), "{name} stands in a file");
            }
        },
    );
}

#[test]
fn a_lease_that_ends_between_two_stages_destroys_its_pins() {
    with_adapted_house(
        "scenarios::sealed_pins::a_lease_that_ends_between_two_stages_destroys_its_pins",
        plain,
        async |house| {
            house.prepared("01-adult").await;
            let lease = leased(&house, PLAIN, SERIALS[0], "a").await;
            let before = first(&house, &lease).await;
            let end = bare_report(&lease, 1, spoiled());
            house.central.report(&operator(), &end).await.unwrap();
            assert_eq!(
                house
                    .number("SELECT count(*) FROM envelope WHERE sealed IS NOT NULL")
                    .await,
                0
            );
            assert_eq!(house.count("envelope.destroyed", Outcome::Done).await, 1);
            let second = sealed(&lease, SERIALS[0], "second", None);
            assert!(house.central.seal(&operator(), &second).await.is_err());

            // The next blank of the same document begins with the first stage, and other PINs.
            let lease = leased(&house, PLAIN, SERIALS[1], "b").await;
            let second = sealed(&lease, SERIALS[1], "second", None);
            let early = house.central.seal(&operator(), &second).await;
            assert!(conflict(early).contains("comes first"));
            let request = sealed(&lease, SERIALS[1], "first", None);
            let grant = house.central.seal(&operator(), &request).await.unwrap();
            assert_ne!(data(&grant.commands[0]), before);
        },
    );
}

#[test]
fn a_station_tells_no_pins_that_a_stage_does_not_need() {
    with_adapted_house(
        "scenarios::sealed_pins::a_station_tells_no_pins_that_a_stage_does_not_need",
        plain,
        async |house| {
            house.prepared("01-adult").await;
            let lease = leased(&house, PLAIN, SERIALS[0], "a").await;
            let mut request = sealed(&lease, SERIALS[0], "first", None);
            for pin in ["pin1", "puk", "nobody's"] {
                request.pins = [(pin.to_owned(), Secret::new(*b"123456"))].into();
                let told = house.central.seal(&operator(), &request).await;
                assert!(matches!(told, Err(ApiError::Invalid { .. })));
                let shown = format!("{request:?} {:?}", told.err());
                assert!(
                    !shown.contains("123456") && !shown.contains("49, 50"),
                    "{shown}"
                );
            }
            // A chip without a channel has none to open.
            let opening = told("issuer", &[1; 8], &[("channel.challenge", &[2; 8])]);
            let opened = sealed(&lease, SERIALS[0], "first", Some(opening));
            assert!(house.central.seal(&operator(), &opened).await.is_err());
            assert_eq!(house.number("SELECT count(*) FROM sealed_stage").await, 0);
        },
    );
}

const MUTUAL: &str = "mutual";

/// A chip that is opened by mutual authentication, with keys of the maker's.
pub(super) fn mutual(config: &mut Config) {
    let channel = r#"
[channel]
protocol = "challenge"
host = 8
proof = "aes_cbc(channel.key, channel.host channel.challenge)"
answer = "aes_cbc(channel.key, channel.challenge channel.host)"
[channel.keys.transport]
diversification = "kdf3"
context = "hex_bytes(chip.serial)"

[[operations.open_channel]]
header = "00 84 00 00"
le = 8
take = { "channel.challenge" = "" }
[[operations.open_channel]]
header = "00 82 00 00"
data = "channel.proof"
le = 16
take = { "channel.answer" = "" }
[[operations.open_channel]]
header = "00 70 00 00"
"#;
    let stages = stages("channel = \"transport\"");
    let open = "[[stages]]\nname = \"open\"\nselect = \"domain\"\nchannel = \"transport\"\nsteps = [\"set_state begun\"]\n[states.begun]\ntitle = \"begun\"\n";
    installed(config, MUTUAL, &format!("{channel}{open}{stages}"), "");
}

#[test]
fn a_chip_that_is_opened_by_challenge_proves_itself_under_every_seal() {
    with_adapted_house(
        "scenarios::sealed_pins::a_chip_that_is_opened_by_challenge_proves_itself_under_every_seal",
        mutual,
        async |house| {
            let central = &house.central;
            house.prepared("01-adult").await;
            let lease = leased(&house, MUTUAL, SERIALS[0], "a").await;
            let key = single_key(b"maker's transpor", &bytes(SERIALS[0]));
            let seal = async |stage: &str, challenge: u8| {
                let said = [challenge; 8];
                let opening = told("transport", &[1; 8], &[("channel.challenge", &said)]);
                let request = sealed(&lease, SERIALS[0], stage, Some(opening));
                let grant = central.seal(&operator(), &request).await.unwrap();
                let proof = data(&grant.commands[0]);
                let expected = [[1; 8], said].concat();
                assert_eq!(proof, aes_cbc(Mode::Encrypt, &key, &expected));
                let answer = [said, [1; 8]].concat();
                (grant, aes_cbc(Mode::Encrypt, &key, &answer))
            };
            let answers = |answer: &[u8], rest: usize| {
                let mut answers = vec![[answer, &DONE].concat()];
                answers.extend(vec![DONE.to_vec(); rest]);
                answers
            };

            let (grant, answer) = seal("first", 1).await;
            assert_eq!(grant.commands.len(), 3);
            let mut flipped = answer.clone();
            flipped[15] ^= 1;
            let mut challenge = 1;
            for wrong in [&flipped[..], &answer[..15], &[], &[0; 16]] {
                let confirm = confirmation(&lease, "first", answers(wrong, 2));
                assert!(
                    refused(central.confirm(&operator(), &confirm).await)
                        .contains("does not prove itself")
                );
                assert_eq!(house.scalar("SELECT state FROM envelope").await, "sealed");
                // One guess: then a new challenge.
                let good = confirmation(&lease, "first", answers(&answer, 2));
                conflict(central.confirm(&operator(), &good).await);
                let said = [challenge; 8];
                let opening = told("transport", &[1; 8], &[("channel.challenge", &said)]);
                let again = sealed(&lease, SERIALS[0], "first", Some(opening));
                assert!(conflict(central.seal(&operator(), &again).await).contains("is lost"));
                if challenge < 4 {
                    challenge += 1;
                    seal("first", challenge).await;
                }
            }
            let (_, answer) = seal("first", 5).await;
            let good = confirmation(&lease, "first", answers(&answer, 2));
            central.confirm(&operator(), &good).await.unwrap();
            let (grant, answer) = seal("second", 6).await;
            let good = answers(&answer, grant.commands.len() - 1);
            let good = confirmation(&lease, "second", good);
            central.confirm(&operator(), &good).await.unwrap();
            assert_eq!(house.scalar("SELECT state FROM envelope").await, "ready");
        },
    );
}

/// A chip whose PIN is changed from the value that the personalization gave it.
fn changing(config: &mut Config) {
    let more = r#"
[[operations.change_pin]]
for = "pin"
header = "00 24 00 u8(pin.reference)"
data = "pin.current pin.value"
[[stages]]
name = "begin"
select = "domain"
steps = ["set_temporary_pin pin1"]
"#;
    installed(config, PLAIN, &format!("{more}{}", stages("")), "");
}

#[test]
fn a_pin_is_changed_from_what_the_personalization_tells() {
    with_adapted_house(
        "scenarios::sealed_pins::a_pin_is_changed_from_what_the_personalization_tells",
        changing,
        async |house| {
            house.prepared("01-adult").await;
            let lease = leased(&house, PLAIN, SERIALS[0], "a").await;
            first(&house, &lease).await;
            let mut request = sealed(&lease, SERIALS[0], "second", None);
            for told in [None, Some(""), Some("7391846205189")] {
                let told = told.map(|digits| ("pin1".to_owned(), Secret::new(digits)));
                request.pins = told.into_iter().collect();
                let refused = house.central.seal(&operator(), &request).await;
                let reason = refused.err().unwrap().to_string();
                assert!(!reason.contains("7391846205189"), "{reason}");
            }
            let temporary = b"739184620518";
            request.pins = [("pin1".to_owned(), Secret::new(*temporary))].into();
            let grant = house.central.seal(&operator(), &request).await.unwrap();
            let both = data(&grant.commands[0]);
            assert_eq!((&both[..12], both.len()), (&temporary[..], 24));
            assert!(!is_written(&house, temporary));
        },
    );
}

/// A chip by challenge whose every sealed command is followed by one that names its serial number.
fn numbered(config: &mut Config) {
    let mut profile = r#"
[channel]
protocol = "challenge"
proof = "aes_ecb(channel.key, channel.nonce)"
[channel.keys.transport]
diversification = "kdf3"
context = "hex_bytes(chip.serial)"
[applications.inner]
within = "domain"
[pins.inner]
title = "inner PIN"
application = "inner"
reference = 0x03
tries = 3
minimum = 4
stored = 4
default = "0000"
variant = "inner"
[keys.inner]
application = "inner"
reference = 0x12
algorithm = "p256"
[[operations.open_channel]]
header = "00 84 00 00"
le = 16
take = { "channel.nonce" = "" }
[[operations.open_channel]]
header = "00 82 00 00"
data = "channel.proof"
[[operations.enter]]
header = "00 A4 01 0C"
[[operations.import_key]]
header = "00 DB 3F u8(key.reference)"
data = "key.private"
[[operations.change_pin]]
for = "inner"
header = "00 24 00 u8(pin.reference)"
data = "pin.current pin.value"
[[operations.verify_pin]]
header = "00 20 00 u8(pin.reference)"
data = "pin.value"
[[stages]]
name = "import"
select = "domain"
channel = "transport"
sealed = true
steps = ["verify_pin inner", "import_key inner", "set_holder_pin inner", "set_holder_pin puk", "set_holder_pin pin1", "set_state closed"]
"#
    .to_owned();
    let document = "[chips.pins.inner]\ndigits = 4\n[chips.keys.inner]\n";
    let numbered = [
        "open_channel",
        "enter",
        "import_key",
        "change_pin",
        "verify_pin",
    ];
    for operation in numbered {
        profile.push_str(&number(operation));
    }
    installed(config, "numbered", &profile, document);
    // Behind what every small chip has.
    let text = config.chips.text("numbered").unwrap().to_owned();
    let more = ["set_pin", "set_state"].map(number).concat();
    config.chips.put("numbered", format!("{text}{more}"));
}

fn number(operation: &str) -> String {
    format!(
        "[[operations.{operation}]]\nheader = \"00 FE 00 00\"\ndata = \"hex_bytes(chip.serial)\"\n"
    )
}

#[test]
fn a_chips_serial_number_stands_in_every_sealed_command() {
    with_adapted_house(
        "scenarios::sealed_pins::a_chips_serial_number_stands_in_every_sealed_command",
        numbered,
        async |house| {
            house.prepared("01-adult").await;
            let lease = leased(&house, "numbered", SERIALS[0], "a").await;
            let opening = told("transport", &[], &[("channel.nonce", &[7; 16])]);
            let request = sealed(&lease, SERIALS[0], "import", Some(opening));
            let grant = house.central.seal(&operator(), &request).await.unwrap();
            let told = grant.commands.iter().map(|command| {
                let bytes = command.command.expose();
                let whole = card::Command::parse(bytes).unwrap();
                (whole.ins(), data(command))
            });
            let (others, numbers): (Vec<_>, Vec<_>) = told.partition(|(ins, _)| *ins != 0xFE);
            let others: Vec<_> = others.into_iter().map(|(ins, _)| ins).collect();
            // The proof; in the inner application VERIFY, the key and CHANGE; in the outer one
            // PUK and PIN; the state.
            assert_eq!(
                others,
                [0x82, 0xA4, 0x20, 0xDB, 0x24, 0xA4, 0x24, 0x2C, 0xF0]
            );
            assert_eq!(numbers.len(), others.len());
            assert!(numbers.iter().all(|(_, data)| *data == bytes(SERIALS[0])));
        },
    );
}

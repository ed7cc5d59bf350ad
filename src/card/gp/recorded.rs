//! Sessions that others published, byte for byte.

use serde_json::Value;

use super::testing::{hex, key, vectors};
use super::{
    ChannelMode, ChannelOptions, Handshake, HostChallenge, InitializeUpdate, ScpError, Secured,
    SecurityLevel, SessionKeys, StaticKeys, initialize_update, kdf,
};
use crate::apdu::{Command, Response};
use crate::status::Status;

/// Every published session of SCP03, the computed ones last.
fn scp03() -> Vec<Value> {
    let (file, pysim) = (vectors("scp03.json"), vectors("scp_pysim.json"));
    let mut rows = Vec::new();
    for (list, count) in [
        (&file["recorded"], 5),
        (&pysim["scp03"], 7),
        (&file["computed"]["sessions"], 3),
    ] {
        let list = list.as_array().unwrap();
        assert_eq!(list.len(), count);
        rows.extend(list.iter().cloned());
    }
    rows
}

fn scp02() -> Vec<Value> {
    let (file, pysim) = (vectors("scp02.json"), vectors("scp_pysim.json"));
    let mut rows = file["sessions"].as_array().unwrap().clone();
    rows.extend(pysim["scp02"].as_array().unwrap().iter().cloned());
    assert_eq!(rows.len(), 3);
    rows
}

fn computed() -> Vec<Value> {
    scp03().split_off(12)
}

fn host(row: &Value) -> HostChallenge {
    HostChallenge::try_from(&hex(&row["host_challenge"])[..]).unwrap()
}

fn initialize_response(row: &Value) -> Response {
    response(match &row["initialize_update"] {
        Value::Null => &row["initialize_update_response"],
        update => &update["response"],
    })
}

fn static_keys(row: &Value) -> StaticKeys {
    let of = |name: &str| key(row.get(name).unwrap_or(&row["static_key"]));
    StaticKeys {
        enc: of("static_enc"),
        mac: of("static_mac"),
        dek: of("static_dek"),
    }
}

fn level(row: &Value) -> SecurityLevel {
    SecurityLevel::new(hex(&row["security_level"])[0]).unwrap()
}

fn response(value: &Value) -> Response {
    Response::parse(&hex(value)).unwrap()
}

/// Opens the channel of a row, comparing all that the row tells on the way.
fn opened(row: &Value) -> Secured {
    let host = host(row);
    if let Some(command) = row["initialize_update"].get("command") {
        let command = hex(command);
        let ours = initialize_update(command[2], &host).encode().unwrap();
        assert_eq!(*ours, command);
    }
    let update = InitializeUpdate::parse(initialize_response(row).data()).unwrap();
    let session = update.session_keys(&static_keys(row), &host).unwrap();
    for (name, ours) in [
        ("S_ENC", Some(&session.enc)),
        ("S_MAC", Some(&session.mac)),
        ("S_RMAC", Some(&session.rmac)),
        ("S_DEK", session.dek.as_ref()),
    ] {
        if let Some(published) = row.get(name) {
            assert_eq!(ours, Some(&key(published)), "{name}");
        }
    }
    let handshake = Handshake::new(session, host, &update).unwrap();
    assert_eq!(format!("{handshake:?}"), "Handshake(hidden)");
    let (command, opening) = handshake.external_authenticate(level(row)).unwrap();
    assert_eq!(
        *command.encode().unwrap(),
        hex(&row["external_authenticate"])
    );
    opening.complete(&Response::new([], Status::OK)).unwrap()
}

fn wrapped(channel: &mut Secured, plain: &Value) -> Vec<u8> {
    let command = Command::parse(&hex(plain)).unwrap();
    channel.wrap(&command).unwrap().encode().unwrap().to_vec()
}

fn steps(row: &Value) -> &[Value] {
    row["exchanges"].as_array().unwrap()
}

#[test]
fn sessions_open_wrap_and_unwrap_to_the_byte() {
    let mut exchanges = 0;
    for row in scp02().iter().chain(&scp03()) {
        let mut channel = opened(row);
        for step in steps(row) {
            let (ours, theirs) = (wrapped(&mut channel, &step["plain"]), hex(&step["wrapped"]));
            // Published without the Le that the plain command has.
            let shown = &ours[..ours.len().min(theirs.len())];
            assert_eq!(shown, theirs, "{} {}", row["name"], step["plain"]);
            assert!(ours.len() - shown.len() <= 1);
            let sealed = step.get("response").or(step.get("response_wrapped"));
            if let Some(sealed) = sealed {
                let answer = channel.unwrap(response(sealed)).unwrap();
                match step.get("response_plain") {
                    None => assert_eq!(answer, response(sealed)),
                    // Some are published without their status word.
                    Some(plain) => {
                        let (plain, whole) = (hex(plain), answer.encode());
                        assert!(plain == *whole || plain == answer.data(), "{step}");
                    }
                }
            }
            exchanges += 1;
        }
    }
    assert_eq!(exchanges, 1 + 6 + 4 + 9 + 7 * 5 + 3 * 3);
}

#[test]
fn answers_tell_what_the_card_is() {
    for row in scp03() {
        let update = InitializeUpdate::parse(initialize_response(&row).data()).unwrap();
        if let Some(counter) = row.get("sequence_counter") {
            assert_eq!(update.sequence_counter().unwrap(), hex(counter));
            assert_eq!(update.card_challenge(), hex(&row["card_challenge"]));
            assert_eq!(update.card_cryptogram(), hex(&row["card_cryptogram"]));
            assert_eq!(
                [update.key_version(), 3, update.i_parameter()][..],
                hex(&row["key_info"])
            );
        }
        // The challenge of a pseudo-random card is a derivation of its own (§6.2.2.1).
        let (keys, host) = (static_keys(&row), host(&row));
        if row
            .get("aid")
            .or(row.get("aid_for_card_challenge"))
            .is_some()
        {
            let aid = hex(row.get("aid_for_card_challenge").unwrap_or(&row["aid"]));
            let checked = update.verify_pseudo_random(&keys, &aid);
            let expected = row.get("card_challenge_matches") != Some(&Value::Bool(false));
            assert_eq!(checked.is_ok(), expected, "{row}");
            let context = [update.sequence_counter().unwrap(), &aid].concat();
            let challenge = kdf(&keys.enc, 0x02, &context, 64).unwrap();
            assert_eq!(challenge[..] == *update.card_challenge(), expected);
        }
        assert_eq!(
            SessionKeys::derive(&keys, &host, update.card_challenge()),
            update.session_keys(&keys, &host).unwrap()
        );
    }
    for row in scp02() {
        let update = InitializeUpdate::parse(initialize_response(&row).data()).unwrap();
        assert_eq!(update.options(), ChannelOptions::SCP02_DEFAULT);
        if let Some(counter) = row.get("sequence_counter") {
            assert_eq!(update.sequence_counter().unwrap(), hex(counter));
            assert_eq!(update.card_challenge(), hex(&row["card_challenge"]));
            assert_eq!(update.card_cryptogram(), hex(&row["card_cryptogram"]));
        }
        assert_eq!(update.clone().with_i(0x55).unwrap().i_parameter(), 0x55);
        assert!(update.clone().with_i(0x1A).is_err());
        assert!(!update.supports(SecurityLevel::MAC_RMAC));
        assert!(
            update
                .with_i(0x75)
                .unwrap()
                .supports(SecurityLevel::MAC_RMAC)
        );
    }
}

#[test]
fn each_bit_of_challenge_and_cryptogram_counts() {
    for row in [&scp02()[0], &scp03()[0]] {
        let (host, good) = (host(row), initialize_response(row));
        let keys = static_keys(row);
        let update = InitializeUpdate::parse(good.data()).unwrap();
        let session = update.session_keys(&keys, &host).unwrap();
        let (from, to) = if update.options().mode() == ChannelMode::Scp02 {
            (12, 28)
        } else {
            (13, 29)
        };
        for bit in from * 8..to * 8 {
            let mut data = good.data().to_vec();
            data[bit / 8] ^= 1 << (bit % 8);
            let update = InitializeUpdate::parse(&data).unwrap();
            let refused = Handshake::new(session.clone(), host, &update);
            assert_eq!(refused.err(), Some(ScpError::CardCryptogram), "bit {bit}");
        }
    }
}

#[test]
fn answers_of_other_protocols_and_lengths_are_refused() {
    let scp02 = initialize_response(&scp02()[0]);
    let scp03 = initialize_response(&scp03()[0]);
    let mut s16 = scp03.data().to_vec();
    s16[12] = 0x71;
    s16.resize(48, 9);
    for (good, fits) in [(scp02.data(), 28), (scp03.data(), 32), (&s16, 48)] {
        assert!(InitializeUpdate::parse(good).is_ok());
        for length in (0..60).filter(|&length| length != fits) {
            let mut data = good.to_vec();
            data.resize(length, 0);
            let refused = InitializeUpdate::parse(&data).err();
            assert_eq!(refused, Some(ScpError::InitializeUpdate(length)));
        }
    }
    let mut truly_random = scp03.data()[..29].to_vec();
    truly_random[12] = 0x60;
    let update = InitializeUpdate::parse(&truly_random).unwrap();
    assert_eq!(update.sequence_counter(), None);
    assert!(update.supports(SecurityLevel::FULL));
    assert!(update.with_i(0x70).is_err());
    s16.truncate(45);
    s16[12] = 0x61;
    let update = InitializeUpdate::parse(&s16).unwrap();
    assert_eq!(update.options().mode(), ChannelMode::Scp03S16);
    assert_eq!(update.card_challenge().len(), 16);
    for protocol in [0, 1, 4, 0x11] {
        let mut foreign = scp02.data().to_vec();
        foreign[11] = protocol;
        let i = foreign[12];
        assert_eq!(
            InitializeUpdate::parse(&foreign).err(),
            Some(ScpError::Protocol { protocol, i })
        );
    }
}

#[test]
fn a_refusal_closes_the_channel() {
    for row in [&scp02()[0], &scp03()[0]] {
        let host = host(row);
        let update = InitializeUpdate::parse(initialize_response(row).data()).unwrap();
        let session = update.session_keys(&static_keys(row), &host).unwrap();
        let handshake = Handshake::new(session, host, &update).unwrap();
        let (_, opening) = handshake.external_authenticate(SecurityLevel::MAC).unwrap();
        let refused = Response::new([], Status::AUTHENTICATION_FAILED);
        assert_eq!(
            opening.complete(&refused).err(),
            Some(ScpError::Refused(Status::AUTHENTICATION_FAILED))
        );
    }
}

#[test]
fn keys_of_another_protocol_are_refused() {
    let row = &scp02()[0];
    let update = InitializeUpdate::parse(initialize_response(row).data()).unwrap();
    for length in [24, 32] {
        let keys = super::card_side::keys(length);
        let refused = update.session_keys(&keys, &host(row)).err();
        assert!(matches!(refused, Some(ScpError::Key(_))));
        let session = SessionKeys {
            enc: keys.enc,
            mac: keys.mac,
            rmac: keys.dek,
            dek: None,
        };
        let refused = Handshake::new(session, host(row), &update).err();
        assert!(matches!(refused, Some(ScpError::Key(_))));
    }
}

#[test]
fn commands_wrapped_ahead_have_their_responses_unwrapped_in_order() {
    for row in computed() {
        let steps = steps(&row);
        let mut channel = opened(&row);
        for step in steps {
            assert_eq!(wrapped(&mut channel, &step["plain"]), hex(&step["wrapped"]));
        }
        for step in steps {
            let answer = channel.unwrap(response(&step["response_wrapped"])).unwrap();
            assert_eq!(answer, response(&step["response_plain"]));
        }
        assert_eq!(
            channel.unwrap(Response::new([], Status::OK)).err(),
            Some(ScpError::Unexpected)
        );
        assert!(!channel.is_terminated());
    }
}

#[test]
fn replayed_swapped_and_cut_responses_are_refused() {
    let row = &computed()[0];
    let steps = steps(row);
    let first = hex(&steps[0]["response_wrapped"]);
    let cut = [&first[..first.len() - 3], &[0x90, 0x00]].concat();
    let mut channel = opened(row);
    wrapped(&mut channel, &steps[0]["plain"]);
    wrapped(&mut channel, &steps[1]["plain"]);
    channel.unwrap(Response::parse(&first).unwrap()).unwrap();
    assert_eq!(
        channel.unwrap(Response::parse(&first).unwrap()).err(),
        Some(ScpError::ResponseMac)
    );
    for bad in [
        cut,
        vec![0x90, 0x00],
        vec![0x62, 0x83],
        vec![1, 2, 3, 0x90, 0x00],
    ] {
        let mut channel = opened(row);
        wrapped(&mut channel, &steps[0]["plain"]);
        assert_eq!(
            channel.unwrap(Response::parse(&bad).unwrap()).err(),
            Some(ScpError::ResponseMac)
        );
    }
}

#[test]
fn errors_pass_without_data_and_never_with() {
    let row = &computed()[1];
    let steps = steps(row);
    let mut channel = opened(row);
    wrapped(&mut channel, &steps[0]["plain"]);
    let refused = Response::new([], Status::CONDITIONS_NOT_SATISFIED);
    assert_eq!(channel.unwrap(refused.clone()).unwrap(), refused);
    // The chain goes on: the next command and its answer are those of the vector.
    assert_eq!(
        wrapped(&mut channel, &steps[1]["plain"]),
        hex(&steps[1]["wrapped"])
    );
    channel
        .unwrap(response(&steps[1]["response_wrapped"]))
        .unwrap();
    wrapped(&mut channel, &steps[2]["plain"]);
    let smuggled = Response::new([1], Status::CONDITIONS_NOT_SATISFIED);
    assert_eq!(
        channel.unwrap(smuggled).err(),
        Some(ScpError::UnprotectedData(Status::CONDITIONS_NOT_SATISFIED))
    );
    assert!(channel.is_terminated());
}

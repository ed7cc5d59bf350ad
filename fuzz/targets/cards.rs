//! What cards and readers say.

pub(crate) fn apdu(bytes: &[u8]) {
    if let Ok(command) = card::Command::parse(bytes) {
        let again = command
            .encode()
            .and_then(|encoded| card::Command::parse(&encoded));
        assert!(
            again.is_ok_and(|again| again == command),
            "a command survives its encoding"
        );
    }
    if let Ok(response) = card::Response::parse(bytes) {
        assert_eq!(&response.encode()[..], bytes);
    }
}

pub(crate) fn tlv(bytes: &[u8]) {
    let _ = card::tlv::parse_all(bytes);
    let _ = card::tlv::find(
        bytes,
        &[
            card::tlv::Tag::known::<0x7F49>(),
            card::tlv::Tag::known::<0x86>(),
        ],
    );
}

pub(crate) fn global_platform(bytes: &[u8]) {
    let _ = card::gp::InitializeUpdate::parse(bytes);
    let _ = card::gp::Cplc::parse(bytes);
    let _ = card::gp::parse_key_information(bytes);
    let _ = card::gp::parse_status(bytes);
}

pub(crate) fn initialize_update(bytes: &[u8]) {
    let Ok(update) = card::gp::InitializeUpdate::parse(bytes) else {
        return;
    };
    let key = |byte| card::cipher::Key::new(&[byte; 16]).expect("16 bytes");
    let keys = card::gp::StaticKeys {
        enc: key(1),
        mac: key(2),
        dek: key(3),
    };
    let _ = update.verify_pseudo_random(&keys, &[0xA0, 0, 0, 1, 0x51]);
    let _ = card::gp::parse_card_data(bytes);
    for host in [[4; 8].into(), card::gp::HostChallenge::s16([4; 16])] {
        if let Ok(session) = update.session_keys(&keys, &host) {
            assert!(
                card::gp::Handshake::new(session, host, &update).is_err(),
                "nobody proves keys that he does not have"
            );
        }
    }
}

/// Protocol, "i", key length and level of the channels that responses are fuzzed in.
const CHANNELS: [(u8, u8, usize, u8); 9] = [
    (2, 0x15, 16, 0x03),
    (2, 0x75, 16, 0x11),
    (2, 0x35, 16, 0x13),
    (3, 0x10, 16, 0x01),
    (3, 0x30, 24, 0x11),
    (3, 0x30, 32, 0x13),
    (3, 0x70, 16, 0x33),
    (3, 0x71, 24, 0x33),
    (3, 0x61, 32, 0x13),
];

/// The first byte picks the channel, the second is the length of each response.
pub(crate) fn secured_response(bytes: &[u8]) {
    let Some((&[channel, length], responses)) = bytes.split_first_chunk() else {
        return;
    };
    let way = CHANNELS[usize::from(channel) % CHANNELS.len()];
    let mut secured = opened(way).expect("a channel opens with its own keys");
    let command = card::Command::new(0x80, 0xCA, 0x00, 0x66)
        .with_data([7; 20])
        .with_le(256);
    for response in responses.chunks(usize::from(length).max(1)).take(32) {
        let Ok(response) = card::Response::parse(response) else {
            return;
        };
        let wrapped = secured.wrap(&command);
        assert_eq!(wrapped.is_err(), secured.is_terminated());
        let status = response.status();
        match secured.unwrap(response) {
            Ok(answer) if secured.level().has_rmac() => assert!(
                answer.data().is_empty() && !status.is_ok() && !status.is_warning(),
                "what has no right MAC never passes"
            ),
            Ok(_) => {}
            Err(_) => assert!(secured.is_terminated(), "a failure closes the channel"),
        }
    }
}

fn opened(
    (protocol, i, length, level): (u8, u8, usize, u8),
) -> Result<card::gp::Secured, Box<dyn std::error::Error>> {
    use card::gp::{ChannelMode, ChannelOptions, Handshake, HostChallenge, InitializeUpdate};
    let mode = ChannelOptions::new(protocol, i)?.mode();
    let key = card::cipher::Key::new(&vec![0x41; length])?;
    let keys = card::gp::StaticKeys {
        enc: key.clone(),
        mac: key.clone(),
        dek: key,
    };
    let host = HostChallenge::try_from(&[5; 16][..mode.host_challenge_length()])?;
    // The challenge with its counter is as long as the host's in each mode.
    let challenge = host.as_bytes().to_vec();
    let answer = |cryptogram: &[u8]| {
        let mut answer = vec![0; 10];
        answer.extend([1, protocol]);
        answer.extend((protocol == 3).then_some(i));
        answer.extend(&challenge);
        answer.extend(cryptogram);
        if protocol == 3 && i & 0x10 != 0 {
            answer.extend([0, 0, 1]);
        }
        InitializeUpdate::parse(&answer)
    };
    let session = answer(&vec![0; challenge.len()])?.session_keys(&keys, &host)?;
    let context = [host.as_bytes(), &challenge].concat();
    let cryptogram = if mode == ChannelMode::Scp02 {
        let padded = [&context[..], &[0x80, 0, 0, 0, 0, 0, 0, 0]].concat();
        card::cipher::des3_cbc_encrypt(&session.enc, &padded)?[16..].to_vec()
    } else {
        let bits = if challenge.len() == 8 { 64 } else { 128 };
        card::gp::kdf(&session.mac, 0x00, &context, bits)?.to_vec()
    };
    let update = answer(&cryptogram)?.with_i(i)?;
    let (_, opening) = Handshake::new(session, host, &update)?
        .external_authenticate(card::gp::SecurityLevel::new(level)?)?;
    Ok(opening.assume_accepted())
}

pub(crate) fn atr(bytes: &[u8]) {
    if let Ok(atr) = card::atr::Atr::parse(bytes) {
        let _ = (atr.objects(), atr.capabilities(), atr.contactless());
        let _ = (atr.specific_mode(), atr.block_size());
        assert!(!atr.protocols().is_empty(), "a card speaks something");
    }
}

pub(crate) fn trace(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(trace) = text.parse::<card::trace::Trace>()
    {
        let written = trace.to_string();
        let again = written.parse::<card::trace::Trace>();
        assert!(
            again.is_ok_and(|again| again.to_string() == written),
            "a trace survives its text"
        );
    }
    let mut veil = card::trace::Veil::default();
    assert_eq!(veil.command(bytes).len(), bytes.len());
    assert_eq!(veil.response(bytes, bytes).len(), bytes.len());
}

/// A card that answers what the fuzzer says: each answer is a length and so many bytes.
pub(crate) struct Scripted<'a>(pub(crate) &'a [u8]);

impl card::Channel for Scripted<'_> {
    fn transmit(&mut self, _: &[u8]) -> Result<Vec<u8>, card::ChannelError> {
        let (&length, rest) = self.0.split_first().ok_or(card::ChannelError::Removed)?;
        let (answer, rest) = rest.split_at(rest.len().min(length.into()));
        self.0 = rest;
        Ok(answer.to_vec())
    }

    fn atr(&self) -> &[u8] {
        &[]
    }

    fn reset(&mut self) -> Result<Vec<u8>, card::ChannelError> {
        Ok(Vec::new())
    }
}

pub(crate) fn exchange(bytes: &[u8]) {
    let limits = card::Limits {
        chaining: true,
        total: 1000,
        ..card::Limits::default()
    };
    let command = card::Command::new(0, 0xDB, 0x3F, 0xFF)
        .with_data([0; 600])
        .with_le(256);
    if let Ok(response) = card::exchange(&mut Scripted(bytes), &command, &limits) {
        assert!(response.data().len() <= limits.total);
    }
}

pub(crate) fn pin_pad(bytes: &[u8]) {
    if let Ok(features) = reader::Features::parse(bytes) {
        assert!(bytes.len() >= 6 || features == reader::Features::default());
    }
    let _ = reader::Properties::parse(bytes);
}

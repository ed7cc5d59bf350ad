//! The issuer at a desk: whose keys a chip holds is judged on our side, before any of the chip's
//! attempts is used.

use std::collections::BTreeMap;

use api::ChannelOpening;
use card::gp::{
    Handshake, HostChallenge, InitializeUpdate, Key, StaticKeys, initialize_update, select,
};
use card::{Channel, Limits, Status, exchange};
use central::{CentralError, Opened, Proof};
use profile::{
    Challenge, ChipProfile, Cipher, Dialect, KeySource, ObjectKind, Protocol, Rendered, Renderer,
    Value, Variables,
};
use zeroize::Zeroizing;

use crate::cli::card::desk_keys::ChipKeys;
use crate::cli::card::random;
use crate::cli::failure::{Failure, Kind, OrFail};

/// The name of a chip's answer to INITIALIZE UPDATE in an opening.
const INITIALIZE_UPDATE: &str = "initialize_update";

/// What came of asking a chip for its challenge.
pub(crate) enum Asked {
    /// It gave one.
    Given(ChannelOpening),
    /// It has no such key set (`6A88`).
    Absent,
    /// It takes no more attempts (`6983`).
    Locked,
    /// It refused for another reason.
    Refused(Status),
}

/// Whether our keys are the chip's.
pub(crate) enum Fit {
    /// They are, or only the chip can say.
    Ours(Opened),
    /// The chip's cryptogram does not fit.
    Wrong,
    /// They are not at hand.
    NotAtHand(String),
}

/// Has a chip give the challenge of a key set. No attempt is used. `known` is what its
/// identification took.
pub(crate) fn ask(
    channel: &mut dyn Channel,
    chip: &ChipProfile,
    limits: &Limits,
    key_set: &str,
    known: &Variables,
) -> Result<Asked, Failure> {
    let mut send =
        |rendered: &Rendered| exchange(channel, &rendered.command, limits).or_fail(Kind::Device);
    let spelled = |error: profile::RenderError| Failure::of(Kind::Usage, &error);
    let renderer = Renderer::new(chip, limits, None);
    let selects = match chip.channel_home(key_set) {
        Some(home) => renderer
            .operation_in(Dialect::Select, home, &[], known)
            .map_err(spelled)?,
        None => vec![Rendered::plain(select(&[]))],
    };
    for rendered in &selects {
        let answer = send(rendered)?;
        if !rendered.accepts(answer.status()) {
            return Ok(Asked::Refused(answer.status()));
        }
    }
    let set = chip.channel.keys.get(key_set);
    let protocol = chip.channel.protocol(key_set);
    let challenge = set.and_then(|set| set.protocol.challenge());
    let length = challenge.map_or(protocol.host_challenge(), |one| one.host);
    let mut host = Zeroizing::new(vec![0; length]);
    random::system()(&mut host);
    let mut answers = BTreeMap::new();
    if protocol.is_global_platform() {
        let version = set.map_or(0, |set| set.version);
        let challenge = HostChallenge::try_from(&host[..]).or_fail(Kind::Usage)?;
        let answer = send(&Rendered::plain(initialize_update(version, &challenge)))?;
        match answer.status() {
            Status::OK => {}
            Status::REFERENCE_NOT_FOUND => return Ok(Asked::Absent),
            Status::AUTHENTICATION_BLOCKED => return Ok(Asked::Locked),
            other => return Ok(Asked::Refused(other)),
        }
        answers.insert(INITIALIZE_UPDATE.to_owned(), answer.data().to_vec());
    } else if let Some(object) = chip.object(ObjectKind::KeySet, key_set) {
        let mut known = known.clone();
        known.set("channel.host", Value::bytes(host.to_vec()));
        let commands = renderer
            .open_channel(object, false, &known)
            .map_err(spelled)?;
        for rendered in commands {
            let answer = send(&rendered)?;
            match answer.status() {
                status if rendered.accepts(status) => {}
                Status::REFERENCE_NOT_FOUND => return Ok(Asked::Absent),
                Status::AUTHENTICATION_BLOCKED => return Ok(Asked::Locked),
                other => return Ok(Asked::Refused(other)),
            }
            let taken = rendered.results(&answer).map_err(|result| {
                let fault =
                    format!("the chip's answer has no \"{result}\" where the profile looks for it");
                Failure::new(Kind::Device, fault)
            })?;
            let taken = taken.into_iter();
            answers.extend(taken.map(|(name, value)| (name, value.to_vec())));
        }
    }
    Ok(Asked::Given(ChannelOpening {
        key_set: key_set.to_owned(),
        host_challenge: host.to_vec(),
        answers,
    }))
}

/// Judges whether our keys are the chip's: those of the token, or one that all the world knows.
pub(crate) fn judge(
    keys: Option<&ChipKeys>,
    chip: &ChipProfile,
    serial: &str,
    opening: &ChannelOpening,
) -> Result<Fit, Failure> {
    if let Some(keys) = keys {
        return match keys.service.open(chip, serial, opening) {
            Ok(opened) => Ok(Fit::Ours(opened)),
            Err(CentralError::WrongKeys) => Ok(Fit::Wrong),
            Err(error) => Ok(Fit::NotAtHand(
                Failure::of(Kind::Usage, &error).message().to_owned(),
            )),
        };
    }
    let set = chip.channel.keys.get(&opening.key_set);
    let Some((set, KeySource::Known(key))) = set.map(|set| (set, &set.source)) else {
        return Ok(Fit::NotAtHand(
            "its keys come from a master key: name where that is, --keys KEYS.toml".into(),
        ));
    };
    match set.protocol.challenge() {
        Some(challenge) => prove(challenge, key, set.cipher, opening).map(Fit::Ours),
        None => session(&set.protocol, key, opening),
    }
}

/// Returns why the chip's challenge is not what it announces, where its keys are ones that all the
/// world knows; those of a token stay there, and with them nothing can be said. `aid` is the
/// application that answered.
pub(crate) fn odd_challenge(
    chip: &ChipProfile,
    opening: &ChannelOpening,
    aid: &[u8],
) -> Result<Option<String>, Failure> {
    let set = chip.channel.keys.get(&opening.key_set);
    let set = set.filter(|set| set.protocol.is_global_platform());
    let Some((set, KeySource::Known(key))) = set.map(|set| (set, &set.source)) else {
        return Ok(None);
    };
    let update = update(&set.protocol, opening)?;
    let checked = update.verify_pseudo_random(&three_of(key)?, aid);
    Ok(checked.err().map(|_| {
        format!(
            "by its parameter i, {:02X}, the chip makes its challenge from its sequence counter; this one it did not: look whether the profile's i is right",
            update.i_parameter()
        )
    }))
}

/// Returns a known key as all three of its set.
fn three_of(key: &[u8]) -> Result<StaticKeys, Failure> {
    let key = Key::new(key).or_fail(Kind::Usage)?;
    Ok(StaticKeys {
        enc: key.clone(),
        mac: key.clone(),
        dek: key,
    })
}

fn session(protocol: &Protocol, key: &[u8], opening: &ChannelOpening) -> Result<Fit, Failure> {
    let keys = three_of(key)?;
    let update = update(protocol, opening)?;
    let host = HostChallenge::try_from(&opening.host_challenge[..]).or_fail(Kind::Usage)?;
    let session = update.session_keys(&keys, &host).or_fail(Kind::Device)?;
    Ok(match Handshake::new(session.clone(), host, &update) {
        Ok(_) => Fit::Ours(Opened::Session(Box::new(session))),
        Err(_) => Fit::Wrong,
    })
}

fn prove(
    challenge: &Challenge,
    key: &Zeroizing<Vec<u8>>,
    cipher: Cipher,
    opening: &ChannelOpening,
) -> Result<Opened, Failure> {
    let mut key = key.clone();
    if cipher == Cipher::Des3 && key.len() == 16 {
        // Two-key triple DES: the first key stands again at the end.
        let first = Zeroizing::new(key.get(..8).unwrap_or_default().to_vec());
        key.extend_from_slice(&first);
    }
    let mut known = Variables::default();
    for (name, value) in &opening.answers {
        known.set(name.clone(), Value::bytes(value.as_slice()));
    }
    known.set("channel.host", Value::bytes(&opening.host_challenge[..]));
    known.set("channel.key", Value::Bytes(key));
    let answer = challenge
        .answer
        .as_ref()
        .map(|answer| answer.render(&known));
    Ok(Opened::Proof(Proof {
        proof: challenge.proof.render(&known).or_fail(Kind::Usage)?,
        answer: answer.transpose().or_fail(Kind::Usage)?,
    }))
}

/// Reads the chip's answer to INITIALIZE UPDATE.
pub(crate) fn update(
    protocol: &Protocol,
    opening: &ChannelOpening,
) -> Result<InitializeUpdate, Failure> {
    let answer = opening.answers.get(INITIALIZE_UPDATE);
    let answer = answer.map(Vec::as_slice).unwrap_or_default();
    let update = InitializeUpdate::parse(answer).or_fail(Kind::Device)?;
    match protocol {
        Protocol::Scp02 { i, .. } => update.with_i(*i).or_fail(Kind::Device),
        _ => Ok(update),
    }
}

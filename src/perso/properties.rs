//! Random valid profiles, and chips that say anything: what must hold whatever the chip says.

mod case;
mod chip;

use std::collections::{BTreeMap, VecDeque};
use std::error::Error;
use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

use card::cipher::aes_ecb_encrypt;
use card::gp::{Handshake, HostChallenge, InitializeUpdate};
use card::{Channel, exchange};
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::x509::{X509Builder, X509NameBuilder, X509Req};
use profile::{Dialect, PinBefore, PinValues, Plan, Renderer, Value};
use profile::{ObjectKind, RenderError, StatusPattern, Variables, Verb};
use proptest::prelude::*;

use self::case::{Case, Centre, Way, case};
use self::chip::{Chip, key, session, signing_key};
use crate::{
    Action, Assignment, Event, Executor, Fault, Grant, Moment, Opening, Outcome, Refusal, Request,
};

/// The values of the one PIN: its maker's, this personalization's, the holder's.
const DEFAULT: &str = "740918253664";
const TEMPORARY: &str = "918273645091";
const HOLDER: &str = "605948372615";
/// A file that is empty.
const NOTHING: &str = "nothing";
/// The issuer's key.
const KEY: [u8; 16] = *b"\xC4\x9A\x1F\x77\x0B\xD2\x5E\x83\x36\xEE\x48\xA5\x91\x6C\xF0\x2D";
/// The base point of P-256 (*SEC 2 §2.4.2*): a public key that every verifier takes.
const POINT: &str = "046B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C2964FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5";
/// The levels of SCP03 as a profile writes them, and as EXTERNAL AUTHENTICATE asks for them.
const LEVELS: [(&str, u8); 5] = [
    ("c-mac", 0x01),
    ("c-mac c-enc", 0x03),
    ("c-mac r-mac", 0x11),
    ("c-mac c-enc r-mac", 0x13),
    ("c-mac c-enc r-mac r-enc", 0x33),
];

/// The level at which a card's manager is spoken to.
const MANAGERS: usize = 3;

/// What the books know of the chip.
fn of_chip() -> Variables {
    let mut known = Variables::default();
    known.set("chip.serial", Value::text("0707070707070707"));
    known
}

/// The centre: gives what it is asked for, where it can.
fn grant(case: &Case, plan: &Plan, request: Request) -> Option<Grant> {
    match (case.centre, request) {
        (Centre::Refuses, _) => None,
        (Centre::Confuses, _) => Some(certificate(vec![0x30, 0x00])),
        (_, Request::Claim) => Some(Grant::Claimed),
        (_, Request::PutKeys { .. }) => Some(Grant::PutKeys {
            commands: vec![card::Command::new(0x80, 0xD8, 0x00, 0x81).with_data(vec![2; 16])],
            answer: None,
            kcv: Vec::new(),
        }),
        (_, Request::Certify { request, .. }) => Some(certificate(certify(&request))),
        (_, Request::Prove { .. }) => Some(Grant::Proved),
        (_, Request::OpenChannel(opening)) => {
            match opening.answers.get(Opening::INITIALIZE_UPDATE) {
                Some(update) => {
                    let keys = session(update, &opening.host_challenge)?;
                    Some(Grant::SessionKeys(Box::new(keys)))
                }
                None => {
                    let nonce = opening.answers.get("channel.nonce")?;
                    let answer = aes_ecb_encrypt(&key(), &opening.host_challenge).ok()?;
                    Some(Grant::Proof {
                        proof: aes_ecb_encrypt(&key(), nonce).ok()?,
                        answer: matches!(case.way, Way::Challenge { mutual: true })
                            .then_some(answer),
                    })
                }
            }
        }
        (_, Request::Seal { pins, opening, .. }) => {
            let key_set = opening.as_ref().map(|opening| opening.key_set.as_str());
            let protection = plan.chip.channel.protection(key_set);
            let renderer = Renderer::new(&plan.chip, &case.limits, protection);
            let pin = plan.chip.object(ObjectKind::Pin, "pin")?;
            let known = pins.get("pin").and_then(Value::as_bytes);
            let values = PinValues {
                current: known,
                ..PinValues::of(HOLDER.as_bytes())
            };
            let values = values.variables(pin).ok()?;
            let setting = plan.chip.pin_setting(pin, PinBefore::Known);
            let known = of_chip();
            let commands = renderer.operation_in(setting, pin, &values, &known);
            let mut commands = commands.ok()?;
            let state = plan.chip.object(ObjectKind::State, "closed")?;
            let closing = renderer.operation_in(Dialect::SetState, state, &[], &known);
            commands.extend(closing.ok()?);
            let mut commands: Vec<_> = commands
                .into_iter()
                .map(|rendered| (rendered.command, rendered.expect))
                .collect();
            if let Some(opening) = opening {
                let update = opening.answers.get(Opening::INITIALIZE_UPDATE)?;
                let keys = session(update, &opening.host_challenge)?;
                let host = HostChallenge::try_from(&opening.host_challenge[..]).ok()?;
                let update = InitializeUpdate::parse(update).ok()?;
                let handshake = Handshake::new(keys, host, &update).ok()?;
                let level = protection?.level;
                let (authenticate, opened) = handshake.external_authenticate(level).ok()?;
                let mut channel = opened.assume_accepted();
                for (command, _) in &mut commands {
                    *command = channel.wrap(command).ok()?;
                }
                commands.insert(0, (authenticate, vec![StatusPattern::OK]));
            }
            Some(Grant::Sealed {
                commands,
                publics: BTreeMap::new(),
            })
        }
        (_, Request::Confirm { .. }) => Some(Grant::Confirmed),
        // No document of these has a travel chip.
        (_, Request::SignLds { .. }) => None,
    }
}

/// Makes a certificate for the key of a request.
fn certificate(der: Vec<u8>) -> Grant {
    Grant::Certificate {
        der,
        challenge: vec![7; 32],
    }
}

fn certify(request: &[u8]) -> Vec<u8> {
    let request = X509Req::from_der(request).unwrap();
    let key = request.public_key().unwrap();
    assert!(request.verify(&key).unwrap(), "a proof of possession");
    let mut builder = X509Builder::new().unwrap();
    let serial = BigNum::from_u32(1).unwrap().to_asn1_integer().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&serial).unwrap();
    builder.set_pubkey(&key).unwrap();
    let now = Asn1Time::days_from_now(0).unwrap();
    builder.set_not_before(&now).unwrap();
    builder.set_not_after(&now).unwrap();
    builder
        .sign(&signing_key(), MessageDigest::sha256())
        .unwrap();
    builder.build().to_der().unwrap()
}

/// What was seen of one run.
enum Seen {
    Command(String, u8),
    Entry(String, Moment),
}

struct Run {
    outcome: Outcome,
    seen: Vec<Seen>,
    shown: String,
    written: BTreeMap<String, Vec<u8>>,
}

fn answer(case: &Case, plan: &Plan, id: u32, request: Request) -> Event {
    match grant(case, plan, request) {
        Some(grant) => Event::Given(id, grant),
        None => Event::Refused(id, Refusal::Other("no".into())),
    }
}

fn run(case: &Case, plan: &Plan, record: &document::Record) -> Run {
    let mut digits = TEMPORARY.bytes().cycle();
    let random = Box::new(move |bytes: &mut [u8]| match bytes {
        // A digit of a PIN is drawn byte by byte.
        [byte] => *byte = digits.next().unwrap() - b'0',
        bytes => bytes.fill(0x5A),
    });
    let subject = X509NameBuilder::new().unwrap().build().to_der().unwrap();
    let assignment = Assignment {
        variables: profile::variables(record),
        subjects: BTreeMap::from([("sign".to_owned(), subject)]),
        limits: case.limits,
        blank: None,
    };
    let mut chip = Chip::new(case);
    let mut executor = Executor::new(plan.clone(), assignment, chip.atr(), random)
        .unwrap_or_else(|fault| panic!("{fault}"));
    let mut shown = format!("{plan:?}");
    let mut seen = Vec::new();
    let mut asked = VecDeque::new();
    let mut lines = 0;
    // A write and a read of each byte by itself, and what stands around them.
    let bytes: usize = case.contents().map(|(_, content)| content.len()).sum();
    for turn in 0..2000 + 8 * bytes {
        if case.eager[turn % case.eager.len()]
            && let Some((id, request)) = asked.pop_front()
        {
            executor.handle(answer(case, plan, id, request));
        }
        let action = executor.next_action();
        writeln!(shown, "{action:?}").unwrap();
        match action {
            Action::Transmit(command) => {
                seen.push(Seen::Command(executor.progress().step, command.ins()));
                executor.handle(match exchange(&mut chip, &command, &case.limits) {
                    Ok(response) => Event::Answer(response),
                    Err(error) => Event::Gone(error),
                });
            }
            Action::Journal(entry) => {
                lines += 1;
                if case.unwritten == Some(lines - 1) {
                    executor.handle(Event::NotJournaled("the disk is full".into()));
                } else {
                    seen.push(Seen::Entry(entry.step, entry.moment));
                    executor.handle(Event::Journaled);
                }
            }
            Action::Ask(id, request) => asked.push_back((id, request)),
            Action::Wait => {
                let (id, request) = asked.pop_front().expect("it waits for something");
                executor.handle(answer(case, plan, id, request));
            }
            // No chip of these is a travel document's.
            Action::Inspect(_) => unreachable!("no plan inspects"),
            Action::Finished(outcome) => {
                let mut cause: Option<&dyn Error> = outcome.fault.as_ref().map(|fault| fault as _);
                while let Some(error) = cause {
                    writeln!(shown, "{error}").unwrap();
                    cause = error.source();
                }
                shown.push_str(&chip.shown);
                return Run {
                    outcome,
                    seen,
                    shown,
                    written: chip.written,
                };
            }
        }
    }
    panic!("it does not end");
}

/// A step that lasts has its intent before its first command, and no outcome before its last.
fn is_journaled(plan: &Plan, run: &Run) {
    let open = plan.stages.iter().filter(|stage| !stage.sealed);
    let steps = open.flat_map(|stage| &stage.steps);
    let mut lasting: Vec<String> = steps
        .filter(|step| step.verb.is_lasting() && step.object != NOTHING)
        .map(|step| step.name())
        .collect();
    let sealed = plan.stages.iter().filter(|stage| stage.sealed);
    lasting.extend(sealed.map(|stage| stage.name.clone()));
    assert!(
        lasting
            .iter()
            .any(|step| step.starts_with(Verb::GenerateKey.name()))
    );
    let idle = run.seen.iter().find(|seen| match seen {
        Seen::Command(name, _) | Seen::Entry(name, _) => name.ends_with(NOTHING),
    });
    assert!(idle.is_none(), "an empty file is left alone");
    let mut begun = 0;
    for step in &lasting {
        let (mut intents, mut outcomes) = (0, 0);
        for seen in &run.seen {
            match seen {
                Seen::Entry(name, Moment::Intent) if name == step => intents += 1,
                Seen::Entry(name, Moment::Outcome) if name == step => outcomes += 1,
                // Entering a dedicated file changes nothing, and comes first.
                Seen::Command(name, ins) if name == step && *ins != 0xA4 => {
                    assert_eq!((intents, outcomes), (1, 0), "{step}: {ins:02X}");
                }
                _ => {}
            }
        }
        assert!(outcomes <= intents && intents <= 1, "{step}");
        if run.outcome.fault.is_none() {
            assert_eq!((intents, outcomes), (1, 1), "{step}");
        }
        begun += intents;
    }
    assert_eq!(run.outcome.touched, begun > 0);
}

/// No secret is in what anybody may read, in any of its spellings.
fn is_silent(run: &Run) {
    let shown: String = run.shown.split_whitespace().collect();
    let mut canaries = vec![hex::encode_upper(KEY), hex::encode(KEY)];
    for pin in [DEFAULT, TEMPORARY, HOLDER] {
        // As it is, which is also its BCD; as ASCII in hexadecimal; as a list of numbers.
        canaries.push(pin.to_owned());
        canaries.push(hex::encode(pin));
        canaries.push(hex::encode_upper(hex::encode(pin)));
        canaries.push(format!("{:?}", pin.as_bytes()).replace(' ', ""));
    }
    canaries.push(format!("{KEY:?}").replace(' ', ""));
    for canary in canaries {
        assert!(!shown.contains(&canary), "{canary} is shown");
    }
}

/// How many runs against an obedient chip there were, and how many came to their end.
static OBEDIENT: AtomicUsize = AtomicUsize::new(0);
static FINISHED: AtomicUsize = AtomicUsize::new(0);

fn holds(case: &Case) {
    let (plan, record) = case.plan();
    let run = run(case, &plan, &record);
    is_journaled(&plan, &run);
    is_silent(&run);
    if case.moods.is_some() || case.centre != Centre::Gives || case.unwritten.is_some() {
        return;
    }
    OBEDIENT.fetch_add(1, Ordering::Relaxed);
    match &run.outcome.fault {
        None => {
            FINISHED.fetch_add(1, Ordering::Relaxed);
            for (name, content) in case.contents() {
                assert!(
                    run.written[&name] == content,
                    "{name} is not what was to be written"
                );
            }
        }
        // What does not fit is found before it is sent.
        Some(Fault::Render {
            source: RenderError::TooLong { .. },
            ..
        }) => {}
        // The centre could not spell the holder's PIN within the limits.
        Some(Fault::Centre { step, .. }) if step == "hand over" => {}
        Some(fault) => panic!("{fault:?}"),
    }
}

#[test]
fn whatever_the_chip_says() {
    let config = ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    runner
        .run(&case(), |case| {
            holds(&case);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    let (obedient, finished) = (
        OBEDIENT.load(Ordering::Relaxed),
        FINISHED.load(Ordering::Relaxed),
    );
    assert!(
        finished * 2 > obedient && finished > 10,
        "{finished} of {obedient} obedient chips were personalized"
    );
}

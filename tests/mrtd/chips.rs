//! A border in front of virtual chips that others wrote: right ones, copies, and liars.

mod issuer;

use std::error::Error;

use access::{SystemRandom, TerminalCertificates, TerminalKey};
use card::{Channel, ChannelError, Limits};
use cert::cvc::{
    Chat, CvAlgorithm, CvCertificate, CvContent, CvPublicKey, HolderReference, Parameters, Right,
    Role,
};
use cert::{Curve, PublicKey, ecdsa_der_to_raw};
use jiff::civil::{Date, date};
use openssl::pkey::{PKey, Private};

use super::testing::{NOW, State, at, dg1, new_key, sign, with, zone};
use super::{
    AccessKey, CheckName, ChipInspection, Inspection, ReadError, Reading, Terminal, Trust, Verdict,
    inspect_chip, read_back,
};
use crate::lds::{Difference, File, Group};
use issuer::{BIRTH, CAN, EXPIRY, Made, Make, NUMBER, modern, older};

fn printed() -> AccessKey {
    AccessKey::of_fields(NUMBER, BIRTH, EXPIRY).unwrap()
}

/// Looks at a chip.
fn look(
    channel: &mut dyn Channel,
    limits: Limits,
    trust: &Trust,
    key: &AccessKey,
    terminal: Option<Terminal<'_>>,
) -> Result<ChipInspection, ReadError> {
    let reading = Reading {
        limits,
        key,
        terminal,
        also: &[],
        trust,
        at: at(NOW),
        random: &mut SystemRandom,
        progress: &mut |_| {},
    };
    inspect_chip(channel, reading)
}

fn inspected(made: &mut Made, trust: &Trust, key: &AccessKey) -> ChipInspection {
    look(&mut made.channel, made.limits, trust, key, None).unwrap()
}

fn troubles(inspection: &Inspection) -> Vec<String> {
    let checks = inspection.checks.iter();
    checks
        .filter(|check| check.verdict != Verdict::Passed)
        .map(|check| format!("{} {}: {}", check.name, check.verdict, check.reason))
        .collect()
}

fn verdict(inspection: &Inspection, name: CheckName) -> Option<Verdict> {
    inspection.check(name).map(|check| check.verdict)
}

#[test]
fn a_modern_document_passes() {
    let state = State::new();
    let trust = state.trust();
    for (mapping, key) in [
        (false, printed()),
        (true, AccessKey::of_number(CAN).unwrap()),
    ] {
        let make = Make {
            mapping,
            ..Make::default()
        };
        let mut made = modern(&state, make);
        let chip = inspected(&mut made, &trust, &key);
        assert_eq!(troubles(&chip.inspection), [] as [String; 0]);
        assert_eq!(chip.lds, made.lds);
        assert!(chip.signed_challenge.is_some() && chip.unread.is_empty());
        let names: Vec<_> = chip.inspection.checks.iter().map(|c| c.name).collect();
        assert!(names.is_sorted());
        assert!(names.contains(&CheckName::ChipAuthentication));
        assert_eq!(
            names.contains(&CheckName::ChipAuthenticationMapping),
            mapping
        );
        let way = &chip.inspection.check(CheckName::Access).unwrap().reason;
        let expected = if mapping {
            "PACE with chip authentication mapping on brainpoolP256r1"
        } else {
            "PACE with generic mapping on brainpoolP256r1"
        };
        assert_eq!(way, expected);
    }
}

#[test]
fn an_older_document_passes() {
    let state = State::new();
    let mut made = older(&state);
    let chip = inspected(&mut made, &state.trust(), &printed());
    assert_eq!(troubles(&chip.inspection), [] as [String; 0]);
    assert_eq!(chip.lds, made.lds);
    let genuine = chip.inspection.check(CheckName::ChipGenuine).unwrap();
    assert!(
        genuine.reason.contains("active-authentication"),
        "{genuine:?}"
    );

    let mut made = older(&state);
    let number = AccessKey::of_number(CAN).unwrap();
    let error = look(
        &mut made.channel,
        made.limits,
        &state.trust(),
        &number,
        None,
    )
    .unwrap_err();
    assert!(matches!(error, ReadError::ZoneNeeded), "{error}");
}

#[test]
fn another_document_s_key_opens_nothing() {
    let state = State::new();
    let other = AccessKey::of_fields("XA0000002", BIRTH, EXPIRY).unwrap();
    for mut made in [modern(&state, Make::default()), older(&state)] {
        let error = look(&mut made.channel, made.limits, &state.trust(), &other, None).unwrap_err();
        assert!(error.is_wrong_key(), "{error}");
        let said = format!("{error} {error:?}");
        assert!(!said.contains("XA0000") && !said.contains(BIRTH), "{said}");
    }
}

#[test]
fn a_copy_is_found_and_read_nevertheless() {
    let state = State::new();
    let make = Make {
        is_copy: true,
        ..Make::default()
    };
    let mut made = modern(&state, make);
    let chip = inspected(&mut made, &state.trust(), &printed());
    let failed: Vec<_> = troubles(&chip.inspection);
    assert_eq!(
        failed,
        [
            "chip-authentication failed: chip does not have the static key that its issuer signed",
            "active-authentication failed: the signature is not by the key that the issuer signed",
            "chip-genuine failed: chip-authentication failed: the chip may be a copy",
        ]
    );
    // All of it is shown to the officer.
    assert_eq!(chip.lds, made.lds);

    let make = Make {
        is_half_a_copy: true,
        ..Make::default()
    };
    let mut made = modern(&state, make);
    let chip = inspected(&mut made, &state.trust(), &printed());
    let active = verdict(&chip.inspection, CheckName::ActiveAuthentication);
    assert_eq!(active, Some(Verdict::Failed));
    let genuine = verdict(&chip.inspection, CheckName::ChipGenuine);
    assert_eq!(genuine, Some(Verdict::Failed));
    let make = Make {
        mapping: true,
        is_copy: true,
        ..Make::default()
    };
    let mut made = modern(&state, make);
    let chip = inspected(&mut made, &state.trust(), &printed());
    let mapping = verdict(&chip.inspection, CheckName::ChipAuthenticationMapping);
    assert_eq!(mapping, Some(Verdict::Failed));
}

#[test]
fn a_key_that_nobody_trusted_signed_proves_nothing() {
    let state = State::new();
    let mut made = modern(&state, Make::default());
    let chip = inspected(&mut made, &Trust::default(), &printed());
    let inspection = &chip.inspection;
    assert_eq!(
        verdict(inspection, CheckName::ChipAuthentication),
        Some(Verdict::Passed)
    );
    let genuine = inspection.check(CheckName::ChipGenuine).unwrap();
    assert_eq!(genuine.verdict, Verdict::Unknown);
    assert_eq!(
        genuine.reason,
        "the chip proved a key that no trusted signer vouches for"
    );
}

#[test]
fn another_file_on_the_chip_is_told() {
    let state = State::new();
    let trust = state.trust();
    let other = dg1(zone("LVA", "XA0000009", EXPIRY));
    let make = Make {
        instead: &[(File::Dg(Group::Dg1), &other)],
        ..Make::default()
    };
    let mut made = modern(&state, make);
    let chip = inspected(&mut made, &trust, &printed());
    assert_eq!(
        troubles(&chip.inspection),
        [
            "hash-dg1 failed: DG1 has another hash than the signed one",
            "printed-mrz failed: number or dates in EF.DG1 are not those that opened the chip",
        ]
    );
    // EF.CardAccess says what nobody signed.
    let make = Make {
        boasts: true,
        ..Make::default()
    };
    let mut made = modern(&state, make);
    let chip = inspected(&mut made, &trust, &printed());
    assert_eq!(
        troubles(&chip.inspection),
        ["card-access failed: it says what its issuer did not sign: somebody may have changed it"]
    );
    // A file that says that it is longer than any.
    let long = [0x75, 0x83, 0xFF, 0xFF, 0xFF, 0x00];
    let make = Make {
        instead: &[(File::Dg(Group::Dg2), &long)],
        ..Make::default()
    };
    let mut made = modern(&state, make);
    let chip = inspected(&mut made, &trust, &printed());
    assert_eq!(
        verdict(&chip.inspection, CheckName::File(Group::Dg2.into())),
        Some(Verdict::Failed)
    );
}

/// What stands between border and chip.
struct Between<'c> {
    channel: &'c mut dyn Channel,
    /// Counts down to the answer in which a bit is another; none past zero.
    change: usize,
    /// Counts down to the command at which the card is gone.
    leave: usize,
    /// Whether EF.CardAccess is withheld.
    hides: bool,
}

impl Channel for Between<'_> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        self.leave = self.leave.wrapping_sub(1);
        if self.leave == 0 {
            return Err(ChannelError::Removed);
        }
        if self.hides && command.starts_with(&[0x00, 0xB0, 0x9C]) {
            return Ok(vec![0x6A, 0x82]);
        }
        let mut answer = self.channel.transmit(command)?;
        self.change = self.change.wrapping_sub(1);
        if self.change == 0 {
            let place = answer.len() / 3;
            answer[place] ^= 1;
        }
        Ok(answer)
    }

    fn atr(&self) -> &[u8] {
        self.channel.atr()
    }

    fn reset(&mut self) -> Result<Vec<u8>, ChannelError> {
        self.channel.reset()
    }
}

#[test]
fn hiding_pace_is_found() {
    let state = State::new();
    let mut made = modern(&state, Make::default());
    let mut channel = Between {
        channel: &mut made.channel,
        change: 0,
        leave: 0,
        hides: true,
    };
    let chip = look(&mut channel, made.limits, &state.trust(), &printed(), None).unwrap();
    assert_eq!(
        troubles(&chip.inspection),
        ["access failed: EF.DG14 says that the chip has PACE, and EF.CardAccess was withheld"]
    );
}

/// Whatever answer is changed, or wherever the card is taken away: no document passes, and what
/// happened is an error or a verdict.
#[test]
fn nothing_on_the_way_makes_a_document_pass() {
    let state = State::new();
    let trust = state.trust();
    let mut made = modern(
        &state,
        Make {
            mapping: true,
            ..Make::default()
        },
    );
    let mut ends = 0;
    for turn in 1.. {
        made.channel.reset().unwrap();
        let mut channel = Between {
            channel: &mut made.channel,
            change: turn,
            leave: 0,
            hides: false,
        };
        let found = look(&mut channel, made.limits, &trust, &printed(), None);
        if channel.change > usize::MAX / 2 || channel.change == 0 {
            // The changed answer was given.
            // Whether there is a master file to select, nobody asks.
            if let Ok(found) = &found
                && turn > 1
            {
                assert_ne!(found.inspection.verdict(), Verdict::Passed, "{turn}");
            }
        } else {
            break;
        }
        made.channel.reset().unwrap();
        let mut channel = Between {
            channel: &mut made.channel,
            change: 0,
            leave: turn,
            hides: false,
        };
        let gone = look(&mut channel, made.limits, &trust, &printed(), None);
        assert!(
            matches!(gone, Err(ReadError::Exchange(_))),
            "{turn}: {gone:?}"
        );
        ends += 1;
    }
    assert!(ends > 15, "{ends}");
}

/// A border's own key.
struct Own(PKey<Private>);

impl TerminalKey for Own {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
        Ok(ecdsa_der_to_raw(Curve::P256, &sign(&self.0, message))?)
    }
}

fn certified(
    key: &PKey<Private>,
    (issuer, by): (&str, &PKey<Private>),
    holder: &str,
    role: Role,
    until: Date,
) -> CvCertificate {
    let reference = |text: &str| HolderReference::parse(text.as_bytes()).unwrap();
    let public = PublicKey::from_spki_der(&key.public_key_to_der().unwrap()).unwrap();
    let parameters = match role {
        Role::Cvca => Parameters::Included,
        _ => Parameters::Inherited,
    };
    let content = CvContent {
        issuer: reference(issuer),
        holder: reference(holder),
        public_key: CvPublicKey::new(&public, CvAlgorithm::EcdsaSha256, parameters).unwrap(),
        chat: Chat::inspection(role, &[Right::ReadFingerprints]),
        effective: date(2026, 1, 1),
        expiration: until,
        extensions: Vec::new(),
    };
    let body = content.body().unwrap();
    let signature = ecdsa_der_to_raw(Curve::P256, &sign(by, &body)).unwrap();
    CvCertificate::parse(&CvContent::assemble(&body, &signature)).unwrap()
}

#[test]
fn fingerprints_are_for_terminals_with_rights() {
    let state = State::new();
    let trust = state.trust();
    let (root, verifier, own) = (new_key(), new_key(), new_key());
    let late = date(2027, 1, 1);
    let authority = certified(
        &root,
        ("LVCVCA00001", &root),
        "LVCVCA00001",
        Role::Cvca,
        late,
    );
    let dv = certified(
        &verifier,
        ("LVCVCA00001", &root),
        "LVDV00001",
        Role::DomesticVerifier,
        late,
    );
    let terminal = |until| {
        certified(
            &own,
            ("LVDV00001", &verifier),
            "LVIS00001",
            Role::Terminal,
            until,
        )
    };
    let make = Make {
        trusts: Some(&authority),
        ..Make::default()
    };
    let without = inspected(&mut modern(&state, make), &trust, &printed());
    assert_eq!(troubles(&without.inspection), [] as [String; 0]);
    assert!(without.lds.get(Group::Dg3).is_none());
    let list = without.inspection.check(CheckName::FileList).unwrap();
    assert_eq!(
        list.remarks,
        ["EF.DG3 is for terminals with rights and was not read"]
    );

    // Where mapping proves the chip, the terminal signs PACE's key.
    let mapped = Make {
        mapping: true,
        is_only_mapped: true,
        ..make
    };
    let early = date(2026, 4, 1);
    for (make, until, is_taken) in [
        (make, late, true),
        (mapped, late, true),
        (make, early, false),
        (mapped, early, false),
    ] {
        let mut made = modern(&state, make);
        let certificates = TerminalCertificates::new([dv.clone(), terminal(until)]).unwrap();
        let key = Own(own.clone());
        let terminal = Terminal {
            certificates: &certificates,
            key: &key,
        };
        let chip = look(
            &mut made.channel,
            made.limits,
            &trust,
            &printed(),
            Some(terminal),
        )
        .unwrap();
        assert_eq!(chip.lds.get(Group::Dg3).is_some(), is_taken);
        let name = CheckName::TerminalAuthentication;
        if is_taken {
            assert_eq!(troubles(&chip.inspection), [] as [String; 0]);
            assert_eq!(verdict(&chip.inspection, name), Some(Verdict::Passed));
            assert_eq!(chip.lds, made.lds);
        } else {
            assert_eq!(verdict(&chip.inspection, name), Some(Verdict::Unknown));
            assert_eq!(chip.inspection.verdict(), Verdict::Unknown);
        }
    }
}

#[test]
fn what_was_written_is_compared_byte_for_byte() {
    let state = State::new();
    let trust = state.trust();
    let key = printed();
    let look_back = |made: &mut Made, number: &str| {
        let reading = Reading {
            limits: made.limits,
            key: &key,
            terminal: None,
            also: &[],
            trust: &trust,
            at: at(NOW),
            random: &mut SystemRandom,
            progress: &mut |_| {},
        };
        let face = zone("LVA", number, EXPIRY);
        read_back(&mut made.channel, reading, &made.lds, &face).unwrap()
    };
    let make = Make {
        directory: true,
        ..Make::default()
    };
    let mut made = modern(&state, make);
    let back = look_back(&mut made, NUMBER);
    assert_eq!(back.chip.lds, made.lds);
    assert_eq!(troubles(&back.chip.inspection), [] as [String; 0]);
    assert!(back.fault().is_none() && back.open().next().is_none());
    assert!(back.differences.is_empty() && back.not_compared.is_empty());

    // The face is another document's.
    let mut made = modern(&state, Make::default());
    let back = look_back(&mut made, "XA0000002");
    let fault = back.fault().unwrap();
    assert_eq!(fault.name, CheckName::PrintedZone);
    assert!(fault.reason.contains("document number"), "{}", fault.reason);

    // One byte is another than the one that was written.
    let mut made = modern(&state, Make::default());
    let mut other = made.lds.get(Group::Dg2).unwrap().to_vec();
    let last = other.len() - 1;
    other[last] ^= 1;
    made.lds = with(&made.lds, &[(Group::Dg2.into(), Some(other))]);
    let back = look_back(&mut made, NUMBER);
    assert_eq!(
        back.differences,
        [Difference::Content {
            file: Group::Dg2.into(),
            offset: last
        }]
    );
    assert_eq!(back.fault().unwrap().name, CheckName::ReadBack);
}

//! Probing against readers of every kind, in process.

use proptest::prelude::*;

use super::*;
use crate::{CapabilityCache, CapabilityKey};

/// How a reader behaves that cannot carry a command.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Breaks {
    /// It says so.
    Fails,
    /// It resets the card.
    Resets,
    /// It gives an answer without a byte.
    Empty,
    /// It does not heed the first reset.
    Hangs,
    /// It is silent from then on, until it is plugged in anew.
    Dies,
}

/// A card behind a reader with buffers.
struct Bound {
    /// Longest C-APDU that the reader carries, in bytes.
    command: usize,
    /// Longest R-APDU that the reader carries, in bytes.
    response: usize,
    /// Whether the reader carries extended length.
    extended: bool,
    breaks: Breaks,
    /// What the card says to a name that is too long.
    unknown: u16,
    /// Whether the card itself takes extended length.
    card_extended: bool,
    /// Whether the card takes chains.
    chains: bool,
    /// Longest challenge that the card gives.
    challenge: usize,
    atr: Vec<u8>,
    broken: usize,
    resets: usize,
    commands: usize,
    longest: usize,
    longest_le: usize,
}

impl Default for Bound {
    fn default() -> Self {
        Self {
            command: 70_000,
            response: 70_000,
            extended: true,
            breaks: Breaks::Resets,
            unknown: 0x6A82,
            card_extended: true,
            chains: true,
            challenge: 70_000,
            atr: vec![0x3B, 0x80, 0x01, 0x81],
            broken: 0,
            resets: 0,
            commands: 0,
            longest: 0,
            longest_le: 0,
        }
    }
}

fn silence() -> ChannelError {
    ChannelError::Timeout {
        reader: "bound".into(),
        after: std::time::Duration::from_secs(20),
    }
}

impl Bound {
    fn fail(&mut self) -> Result<Vec<u8>, ChannelError> {
        self.broken = match self.breaks {
            Breaks::Dies => usize::MAX,
            Breaks::Hangs => 2,
            _ => 1,
        };
        match self.breaks {
            Breaks::Dies => Err(silence()),
            Breaks::Resets => Err(ChannelError::Reset),
            Breaks::Empty => Ok(Vec::new()),
            _ => Err(ChannelError::Device {
                context: "sending a command".into(),
                source: None,
            }),
        }
    }
}

impl Channel for Bound {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        assert_eq!(self.broken, 0, "no command before the card is reset");
        self.commands += 1;
        let parsed = card::Command::parse(command).unwrap();
        self.longest = self.longest.max(parsed.data().len());
        let long = command.len() > 5 && command.get(4) == Some(&0);
        if command.len() > self.command || long && !self.extended {
            return self.fail();
        }
        let status = |word: u16| Ok(word.to_be_bytes().to_vec());
        if long && !self.card_extended {
            return status(0x6700);
        }
        match (parsed.cla(), parsed.ins()) {
            (0x00, 0xA4) => {
                assert!(parsed.data().iter().all(|byte| *byte == 0xFF));
                match parsed.data().len() {
                    0..16 => panic!("a name that may exist"),
                    16 => status(0x6A82),
                    _ => status(self.unknown),
                }
            }
            (0x10, 0xA4) if self.chains => status(0x9000),
            (0x10, 0xA4) => status(0x6884),
            (0x00, 0x84) => {
                let le = parsed.le().unwrap() as usize;
                self.longest_le = self.longest_le.max(le);
                if le > self.challenge {
                    return status(0x6700);
                }
                if le + 2 > self.response {
                    return self.fail();
                }
                let mut answer = vec![0x5A; le];
                answer.extend([0x90, 0x00]);
                Ok(answer)
            }
            _ => status(0x6D00),
        }
    }

    fn atr(&self) -> &[u8] {
        &self.atr
    }

    fn reset(&mut self) -> Result<Vec<u8>, ChannelError> {
        self.resets += 1;
        if self.breaks == Breaks::Dies && self.broken > 0 {
            return Err(silence());
        }
        self.broken = self.broken.saturating_sub(1);
        if self.broken > 0 {
            return Err(ChannelError::Unresponsive {
                reader: "bound".into(),
            });
        }
        Ok(self.atr.clone())
    }
}

fn limits() -> Limits {
    Limits {
        command: 4096,
        response: 4096,
        extended: true,
        chaining: true,
        ..Limits::default()
    }
}

fn measure(card: &mut Bound, limits: Limits) -> Capabilities {
    probe(card, Some(Protocol::T1), &ProbePlan::new(limits)).unwrap()
}

#[test]
fn a_large_reader_is_measured_in_five_commands() {
    let mut card = Bound::default();
    let seen = measure(&mut card, limits());
    let expected = Capabilities {
        protocol: Some(Protocol::T1),
        extended: true,
        command: 4096,
        response: Some(4096),
        chaining: Some(true),
    };
    assert_eq!(seen, expected);
    // Two of each length, and a chain of two.
    assert_eq!((card.commands, card.resets), (6, 1));
    assert_eq!((card.longest, card.longest_le), (4096, 4096));
    assert_eq!(seen.narrow(&limits()), limits());
}

#[test]
fn a_small_buffer_is_found_by_bisection() {
    for breaks in [Breaks::Fails, Breaks::Resets, Breaks::Empty, Breaks::Hangs] {
        let mut card = Bound {
            command: 1000,
            breaks,
            ..Bound::default()
        };
        let seen = measure(&mut card, limits());
        // 1000 bytes less header, lengths and Le of an extended command.
        let most = 1000 - 9;
        assert!(seen.extended, "{breaks:?}");
        assert!((most - CLOSE..=most).contains(&seen.command), "{seen:?}");
        assert!(card.commands < 30, "{}", card.commands);
        assert_eq!(seen.narrow(&limits()).unchained(), seen.command);
    }
}

#[test]
fn a_reader_with_a_tiny_buffer_still_works() {
    let mut card = Bound {
        command: 128,
        response: 128,
        ..Bound::default()
    };
    let seen = measure(&mut card, limits());
    assert!(!seen.extended);
    assert!((122 - CLOSE..=122).contains(&seen.command), "{seen:?}");
    assert!(
        (126 - CLOSE..=126).contains(&seen.response.unwrap()),
        "{seen:?}"
    );
    assert_eq!(seen.chaining, Some(true));
    let narrowed = seen.narrow(&limits());
    assert_eq!(narrowed.command, seen.command);
    assert_eq!(Some(narrowed.response), seen.response);
    assert!(narrowed.chaining && !narrowed.extended);
}

#[test]
fn t0_carries_no_extended_length() {
    for breaks in [Breaks::Fails, Breaks::Hangs] {
        let mut card = Bound {
            extended: false,
            breaks,
            atr: vec![0x3B, 0x00],
            ..Bound::default()
        };
        let plan = ProbePlan::new(limits());
        let seen = probe(&mut card, Some(Protocol::T0), &plan).unwrap();
        let expected = Capabilities {
            protocol: Some(Protocol::T0),
            extended: false,
            command: 255,
            response: Some(256),
            chaining: Some(true),
        };
        assert_eq!(seen, expected);
    }
}

#[test]
fn an_answer_buffer_of_258_bytes_is_found() {
    let mut card = Bound {
        response: 258,
        ..Bound::default()
    };
    let seen = measure(&mut card, limits());
    assert_eq!(
        (seen.extended, seen.command, seen.response),
        (true, 4096, Some(256))
    );
}

#[test]
fn what_the_card_itself_refuses_counts_too() {
    let mut card = Bound {
        card_extended: false,
        chains: false,
        challenge: 16,
        ..Bound::default()
    };
    let seen = measure(&mut card, limits());
    assert_eq!(
        (seen.extended, seen.command, seen.response),
        (false, 255, None)
    );
    assert_eq!(seen.chaining, Some(false));
    // Which commands it takes in chains, the profile says.
    assert!(seen.narrow(&limits()).chaining);
    // A card that calls every such name too long is asked by the form alone.
    for card_extended in [true, false] {
        let mut card = Bound {
            unknown: 0x6700,
            card_extended,
            ..Bound::default()
        };
        assert_eq!(measure(&mut card, limits()).extended, card_extended);
    }
}

#[test]
fn a_card_that_does_not_come_back_is_an_error() {
    struct Gone(Bound, Vec<u8>);
    impl Channel for Gone {
        fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
            self.0.transmit(command)
        }
        fn atr(&self) -> &[u8] {
            self.0.atr()
        }
        fn reset(&mut self) -> Result<Vec<u8>, ChannelError> {
            if self.1.is_empty() {
                return Err(ChannelError::Removed);
            }
            Ok(self.1.clone())
        }
    }
    let plan = ProbePlan::new(limits());
    let mut gone = Gone(Bound::default(), Vec::new());
    let error = probe(&mut gone, None, &plan).unwrap_err();
    assert!(matches!(error, ProbeError::Lost(ChannelError::Removed)));
    let mut other = Gone(Bound::default(), vec![0x3B, 0x00]);
    let error = probe(&mut other, None, &plan).unwrap_err();
    assert!(matches!(error, ProbeError::OtherCard));
}

#[test]
fn what_passed_beyond_the_chips_bound_widens_nothing() {
    let chip = Limits {
        command: 200,
        extended: true,
        chaining: true,
        ..Limits::default()
    };
    let seen = Capabilities {
        protocol: None,
        extended: true,
        command: 2000,
        response: Some(256),
        chaining: None,
    };
    let narrowed = seen.narrow(&chip);
    assert_eq!((narrowed.extended, narrowed.command), (true, 200));
    let unchained = Limits {
        chaining: false,
        ..chip
    };
    let narrowed = seen.narrow(&unchained);
    assert_eq!((narrowed.extended, narrowed.command), (true, 200));
    assert_eq!(narrowed.unchained(), 200);

    // Such a chip is sent no longer command, and asked for longer answers all the same.
    let mut card = Bound::default();
    let limits = Limits {
        response: 1000,
        ..unchained
    };
    let seen = measure(&mut card, limits);
    assert_eq!((card.longest, card.longest_le), (200, 1000));
    assert_eq!(seen.narrow(&limits), limits);
}

fn key() -> CapabilityKey {
    CapabilityKey::new("Bound 00 00", &[0x3B], "chip-a")
}

/// Measures as a program does that has the file.
fn measure_kept(card: &mut Bound, path: &std::path::Path) -> Result<Capabilities, ProbeError> {
    let (mut cache, warning) = CapabilityCache::open(path);
    assert!(warning.is_none());
    let plan = ProbePlan::new(limits());
    let (seen, unkept) = cache.get_or_probe(&key(), card, Some(Protocol::T1), &plan)?;
    assert!(unkept.is_none());
    Ok(seen)
}

#[test]
fn a_reader_that_hangs_for_good_is_usable_after_some_measurements() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("readers.json");
    let hanging = || Bound {
        command: 261,
        breaks: Breaks::Dies,
        ..Bound::default()
    };
    // Each length is tried once: the bound, then the shortest extended command.
    for length in [4096, 256] {
        let mut card = hanging();
        let error = measure_kept(&mut card, &path).unwrap_err();
        assert!(matches!(
            error,
            ProbeError::Lost(ChannelError::Timeout { .. })
        ));
        assert_eq!(card.longest, length);
    }
    let seen = measure_kept(&mut hanging(), &path).unwrap();
    assert_eq!((seen.extended, seen.command), (false, 255));
    // And it is known from then on.
    let mut card = hanging();
    assert_eq!(measure_kept(&mut card, &path).unwrap(), seen);
    assert_eq!(card.commands, 0);
    // Measured anew, it is tried anew.
    let (mut cache, _) = CapabilityCache::open(&path);
    assert!(cache.forget(&key()).unwrap());
    measure_kept(&mut hanging(), &path).unwrap_err();
    assert!(cache.forget(&key()).unwrap(), "the note goes too");
    measure_kept(&mut Bound::default(), &path).unwrap();
}

#[test]
fn a_card_that_is_taken_out_leaves_no_note() {
    struct Taken(Bound);
    impl Channel for Taken {
        fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
            match command.len() {
                0..1000 => self.0.transmit(command),
                _ => Err(ChannelError::Removed),
            }
        }
        fn atr(&self) -> &[u8] {
            self.0.atr()
        }
        fn reset(&mut self) -> Result<Vec<u8>, ChannelError> {
            Err(ChannelError::Removed)
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("readers.json");
    let (mut cache, _) = CapabilityCache::open(&path);
    let plan = ProbePlan::new(limits());
    let mut taken = Taken(Bound::default());
    let error = cache.get_or_probe(&key(), &mut taken, None, &plan);
    assert!(matches!(
        error,
        Err(ProbeError::Lost(ChannelError::Removed))
    ));
    assert_eq!(
        measure_kept(&mut Bound::default(), &path).unwrap().command,
        4096
    );
}

#[test]
fn a_failure_is_believed_the_second_time() {
    /// Fails at the n-th command, once.
    struct Flaky(Bound, usize);
    impl Channel for Flaky {
        fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
            if self.1 == 0 {
                self.1 = usize::MAX;
                return Err(ChannelError::Reset);
            }
            self.1 -= 1;
            self.0.transmit(command)
        }
        fn atr(&self) -> &[u8] {
            self.0.atr()
        }
        fn reset(&mut self) -> Result<Vec<u8>, ChannelError> {
            self.0.reset()
        }
    }
    let sound = measure(&mut Bound::default(), limits());
    let plan = ProbePlan::new(limits());
    for command in 0..6 {
        let mut flaky = Flaky(Bound::default(), command);
        let seen = probe(&mut flaky, Some(Protocol::T1), &plan).unwrap();
        assert_eq!(seen, sound, "{command}");
    }
}

#[test]
fn of_a_reader_that_fails_short_commands_nothing_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("readers.json");
    for (command, response) in [(128, 70_000), (70_000, 128)] {
        let mut card = Bound {
            command,
            response,
            ..Bound::default()
        };
        let seen = measure_kept(&mut card, &path).unwrap();
        assert!(seen.command < 255 || seen.response < Some(256), "{seen:?}");
    }
    let seen = measure_kept(&mut Bound::default(), &path).unwrap();
    assert_eq!((seen.command, seen.response), (4096, Some(4096)));
}

proptest! {
    #[test]
    fn nothing_is_tried_beyond_the_bounds_and_what_is_found_passes(
        (command, response) in (1_usize..70_000, 1_usize..70_000),
        (reader_command, reader_response) in (40_usize..70_000, 40_usize..70_000),
        (extended, card_extended, reader_extended, chaining) in any::<(bool, bool, bool, bool)>(),
        challenge in 0_usize..70_000,
        unknown in prop_oneof![Just(0x6A82_u16), Just(0x6700), Just(0x6A80)],
    ) {
        let limits = Limits { command, response, extended, chaining, ..Limits::default() };
        let mut card = Bound {
            command: reader_command,
            response: reader_response,
            extended: reader_extended,
            card_extended,
            challenge,
            unknown,
            ..Bound::default()
        };
        let seen = measure(&mut card, limits);
        prop_assert!(card.longest <= limits.unchained());
        prop_assert!(card.longest_le <= response.clamp(1, 65_536));
        prop_assert!(card.commands <= 60, "{}", card.commands);
        let narrowed = seen.narrow(&limits);
        prop_assert!(narrowed.command <= limits.command);
        prop_assert!(narrowed.unchained() <= limits.unchained());
        let lengths = if seen.extended { 9 } else { 6 };
        prop_assert!(seen.command <= 16 || seen.command + lengths <= reader_command);
        prop_assert!(!seen.extended || (extended && card_extended && reader_extended));
    }
}

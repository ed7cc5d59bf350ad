//! What a command would take on a real chip: the line, the processor, the memory, the keys.
//!
//! ```text
//! time = (bytes both ways + block frames) × bits for a byte / bit rate
//!      + a fixed time per command
//!      + bytes written × time per 256 bytes
//!      + key pair made + private key used
//! ```
//!
//! Key pairs and memory: the means and the longest times of the public measurements of
//! crocs-muni/jcalgtest_results. Line: what the answer to reset offers at a clock of
//! 4.8 MHz; without contacts 848 kbit/s, the fastest of ISO/IEC 14443-4. Estimates, since no
//! measurement was at hand: a curve key's use takes as long as its making, which is the same
//! multiplication; the use of an RSA key; the fixed time.

use std::time::Duration;

use openssl::rand::rand_bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::applet::{KeyWork, Work};

/// Bits on the line for one byte over contacts: start, eight, parity, guard (ISO/IEC 7816-3 §11.2, T=1).
const OVER_CONTACTS: f64 = 11.0;
/// Bits in the field for one byte: eight, parity (ISO/IEC 14443-3 §6.2.3, type A).
const IN_THE_FIELD: f64 = 9.0;
/// Bits per second in the field: a sixteenth of 13.56 MHz (ISO/IEC 14443-4 §5.2.4).
const FIELD_RATE: u32 = 847_500;
/// Most bytes in one block, of T=1 and nearly so of ISO/IEC 14443-4.
const BLOCK: usize = 254;
/// Bytes around a block: node, control, length, check; in the field control, card, and two to check.
const FRAME: usize = 4;
/// Part of the mean before which no RSA key pair is ready: the tests take their time.
const SOONEST: f64 = 0.3;

/// What commands take on one class of chips.
#[derive(Debug, PartialEq)]
pub struct Timing {
    /// Short name, as on the command line.
    pub id: &'static str,
    /// Bits per second on the line.
    pub bit_rate: u32,
    /// Bits on the line for one byte.
    pub byte_bits: f64,
    /// Milliseconds for any command at all, the reader's and the system's share included.
    pub command_ms: f64,
    /// Milliseconds to write 256 bytes to persistent memory.
    pub write_ms: f64,
    /// Milliseconds to make a key pair on P-256 and on P-384.
    pub curve_ms: [f64; 2],
    /// Milliseconds to make a pair of RSA keys: bits, mean, longest.
    pub rsa_ms: &'static [(u16, f64, f64)],
    /// Milliseconds to use an RSA key of 2048 bits.
    pub rsa_use_ms: f64,
}

const J3R180: Timing = Timing {
    id: "j3r180",
    bit_rate: 154_838,
    byte_bits: OVER_CONTACTS,
    command_ms: 3.0,
    write_ms: 2.9,
    curve_ms: [27.0, 39.0],
    rsa_ms: &[
        (2048, 5225.0, 17_320.0),
        (3072, 13_003.0, 40_192.0),
        (4096, 37_687.0, 72_125.0),
    ],
    rsa_use_ms: 150.0,
};

const SECORA: Timing = Timing {
    id: "secora-id-x",
    write_ms: 6.4,
    // Its curves were not measured: those of the J3R180 stand for them, and so does its line.
    rsa_ms: &[
        (2048, 2118.0, 5441.0),
        (3072, 17_123.0, 51_730.0),
        (4096, 39_644.0, 103_452.0),
    ],
    ..J3R180
};

/// The classes of chips.
pub const TIMINGS: &[Timing] = &[
    J3R180,
    Timing {
        id: "j3r180-contactless",
        bit_rate: FIELD_RATE,
        byte_bits: IN_THE_FIELD,
        ..J3R180
    },
    SECORA,
    Timing {
        id: "secora-id-x-contactless",
        bit_rate: FIELD_RATE,
        byte_bits: IN_THE_FIELD,
        ..SECORA
    },
    Timing {
        id: "j2a080",
        bit_rate: 51_612,
        byte_bits: OVER_CONTACTS,
        command_ms: 5.0,
        write_ms: 24.1,
        // P-384 was not measured on it: the ratio is that of the J3H145.
        curve_ms: [569.0, 910.0],
        rsa_ms: &[(2048, 32_217.0, 74_608.0)],
        rsa_use_ms: 600.0,
    },
];

impl Timing {
    /// Returns the class of that name.
    pub fn find(id: &str) -> Option<&'static Self> {
        TIMINGS.iter().find(|timing| timing.id == id)
    }

    /// Returns the milliseconds for bytes on the line, one way.
    fn line(&self, bytes: usize) -> f64 {
        let blocks = bytes.div_ceil(BLOCK).max(1);
        // Each block but the last is acknowledged by an empty one.
        let frames = FRAME * (2 * blocks - 1);
        (bytes + frames) as f64 * self.byte_bits * 1000.0 / f64::from(self.bit_rate)
    }

    /// Returns the milliseconds to make a key pair; `lot` in 0..1 is the luck of the primes.
    fn making(&self, key: KeyWork, lot: f64) -> f64 {
        let [p256, p384] = self.curve_ms;
        match key {
            KeyWork::P256 => p256,
            KeyWork::P384 => p384,
            KeyWork::Rsa(bits) => {
                // The nearest length that was measured, scaled by the fourth power.
                let near = |(measured, _, _): &&(u16, f64, f64)| measured.abs_diff(bits);
                let Some((measured, mean, longest)) = self.rsa_ms.iter().min_by_key(near) else {
                    return 0.0;
                };
                let scale = (f64::from(bits) / f64::from(*measured)).powi(4);
                tailed(mean * scale, longest * scale, lot)
            }
            // A multiplication takes the cube of the length.
            KeyWork::Curve(bits) => p384 * (f64::from(bits) / 384.0).powi(3),
        }
    }

    fn using(&self, key: KeyWork) -> f64 {
        match key {
            KeyWork::P256 | KeyWork::P384 | KeyWork::Curve(_) => self.making(key, 0.0),
            KeyWork::Rsa(bits) => self.rsa_use_ms * (f64::from(bits) / 2048.0).powi(3),
        }
    }
}

/// Draws from a shifted exponential that ends at `longest` and has this mean: `lot` is the
/// place in the distribution, 0 to 1.
fn tailed(mean: f64, longest: f64, lot: f64) -> f64 {
    let soonest = mean * SOONEST;
    let (width, wanted) = (longest - soonest, mean - soonest);
    // The mean of the cut exponential grows with its scale: halve the interval.
    let (mut low, mut high) = (0.0, width * 64.0);
    for _ in 0..60 {
        let scale = f64::midpoint(low, high);
        let cut = width / scale;
        if scale - width / cut.exp_m1() < wanted {
            low = scale;
        } else {
            high = scale;
        }
    }
    let scale = f64::midpoint(low, high);
    let reached = -(-width / scale).exp_m1();
    (soonest - scale * (-lot * reached).ln_1p()).min(longest)
}

/// Whether a chip takes the time of a class, or only counts it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    /// The class of chips, by its name.
    #[serde(serialize_with = "name", deserialize_with = "named")]
    pub class: &'static Timing,
    /// Whether the chip really waits so long.
    pub waits: bool,
}

fn name<S: Serializer>(class: &&'static Timing, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(class.id)
}

fn named<'de, D: Deserializer<'de>>(deserializer: D) -> Result<&'static Timing, D::Error> {
    let id = String::deserialize(deserializer)?;
    Timing::find(&id).ok_or_else(|| de::Error::custom(format!("no chips of class {id:?}")))
}

/// Counts the time.
#[derive(Debug)]
pub(crate) struct Clock {
    pace: Pace,
    /// State of the draws.
    seed: u64,
    passed: Duration,
}

impl Clock {
    /// Starts at nought, with draws of its own.
    pub(crate) fn new(pace: Pace) -> Self {
        let mut seed = [0; 8];
        // Without a random source every chip has the same luck.
        let _ = rand_bytes(&mut seed);
        Self::seeded(pace, u64::from_be_bytes(seed))
    }

    fn seeded(pace: Pace, seed: u64) -> Self {
        Self {
            pace,
            seed,
            passed: Duration::ZERO,
        }
    }

    /// Adds a command and returns what it took.
    pub(crate) fn add(&mut self, command: usize, answer: usize, work: Work) -> Duration {
        let class = self.pace.class;
        let mut ms = class.line(command) + class.line(answer) + class.command_ms;
        ms += work.written as f64 * class.write_ms / 256.0;
        if let Some(key) = work.key {
            ms += class.making(key, self.lot());
        }
        let uses = 1.0 + f64::from(work.more);
        ms += work.signed.map_or(0.0, |key| class.using(key) * uses);
        ms += f64::from(work.pause_ms);
        let taken = Duration::from_secs_f64(ms / 1000.0);
        self.passed += taken;
        taken
    }

    /// Says whether the time is to be waited for.
    pub(crate) fn waits(&self) -> bool {
        self.pace.waits
    }

    /// Returns what has passed.
    pub(crate) fn passed(&self) -> Duration {
        self.passed
    }

    /// Draws a number in 0..1 (SplitMix64: no secret hangs on it).
    fn lot(&mut self) -> f64 {
        self.seed = self.seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.seed;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(id: &str) -> Clock {
        let class = Timing::find(id).unwrap();
        let waits = false;
        Clock::seeded(Pace { class, waits }, 7)
    }

    #[test]
    fn rsa_keys_have_the_measured_mean_and_never_pass_the_longest() {
        for (id, mean, longest) in [
            ("j3r180", 5.225, 17.32),
            ("secora-id-x", 2.118, 5.441),
            ("j2a080", 32.217, 74.608),
        ] {
            let mut clock = clock(id);
            let work = Work {
                key: Some(KeyWork::Rsa(2048)),
                ..Work::default()
            };
            let times: Vec<f64> = (0..20_000)
                .map(|_| clock.add(5, 2, work).as_secs_f64())
                .collect();
            let average = times.iter().sum::<f64>() / 20_000.0;
            assert!((average / mean - 1.0).abs() < 0.02, "{id}: {average}");
            let most = times.iter().copied().fold(0.0, f64::max);
            assert!(
                most < longest + 0.02 && most > longest * 0.9,
                "{id}: {most}"
            );
            let soon = times.iter().filter(|time| **time < mean).count();
            assert!(soon > 11_000, "{id}: a long tail lies above the mean");
        }
    }

    #[test]
    fn a_block_of_255_bytes_takes_what_was_measured() {
        // 60 to 104 ms for LOAD of 255 bytes, writing included (GlobalPlatformPro#255).
        let work = Work {
            written: 255,
            ..Work::default()
        };
        let taken = clock("j2a080").add(260, 2, work).as_secs_f64() * 1000.0;
        assert!((60.0..104.0).contains(&taken), "{taken} ms");
    }

    #[test]
    fn long_curves_many_uses_and_pauses_take_their_time() {
        let ms = |work| clock("j3r180").add(5, 2, work).as_secs_f64() * 1000.0;
        let none = ms(Work::default());
        let using = |key, more| {
            let signed = Some(key);
            ms(Work {
                signed,
                more,
                ..Work::default()
            }) - none
        };
        let one = using(KeyWork::P384, 0);
        assert!((using(KeyWork::P384, 3) - 4.0 * one).abs() < 1e-3);
        let longer = using(KeyWork::Curve(512), 0);
        assert!((longer / one - 64.0 / 27.0).abs() < 1e-3, "{longer}");
        let pause_ms = 1000;
        let paused = Work {
            pause_ms,
            ..Work::default()
        };
        assert!((ms(paused) - none - 1000.0).abs() < 1e-3);
    }

    #[test]
    fn the_field_is_faster_than_the_contacts() {
        let ms = |id| clock(id).add(4096, 2, Work::default()).as_secs_f64() * 1000.0;
        let (contacts, field) = (ms("j3r180"), ms("j3r180-contactless"));
        // 4096 bytes at 154 838 bit/s with eleven bits each take 291 ms; at 848 kbit/s with nine 43 ms.
        assert!((290.0..310.0).contains(&contacts), "{contacts}");
        assert!((43.0..50.0).contains(&field), "{field}");
    }

    #[test]
    fn time_adds_up_and_is_written_by_name() {
        let mut clock = clock("j3r180");
        let first = clock.add(5, 258, Work::default());
        let second = clock.add(5, 258, Work::default());
        assert_eq!(clock.passed(), first + second);
        let pace: Pace = serde_json::from_str(r#"{"class":"j2a080","waits":true}"#).unwrap();
        assert_eq!(pace.class.id, "j2a080");
        assert!(serde_json::from_str::<Pace>(r#"{"class":"x","waits":true}"#).is_err());
    }
}

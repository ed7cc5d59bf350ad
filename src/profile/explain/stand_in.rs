//! Stand-ins: values of the right form and a typical length for what only a chip, a person or the
//! centre will give.

use card::Limits;
use cert::KeyAlgorithm;

use crate::chip::{ChipProfile, Detail, KeyRules};
use crate::command_template::ExpectedLength;
use crate::issuer_channel::Cipher;
use crate::plan::Plan;
use crate::specimen;
use crate::value::{Value, Variables};
use crate::vocabulary::{Dialect, ObjectKind};

/// How often a stand-in is varied: each byte that follows from it changes at least once, but for
/// one in 65 536 of those that a hash makes.
pub(super) const VARIANTS: [u8; 2] = [1, 2];
/// Bytes of something that an identification takes; production life-cycle data have 42.
const TAKEN: usize = 64;
/// Hexadecimal digits of a serial number that cannot be computed from stand-ins.
const SERIAL: usize = 20;
/// Bytes of a certificate besides its public key: names, extensions, a P-384 signature.
const CERTIFICATE: usize = 720;
/// Bytes of a Name in DER.
const NAME: usize = 110;
/// Bytes of a certificate's serial number in DER.
const CERTIFICATE_SERIAL: usize = 18;
/// Bytes of what is signed in a certification request besides the public key.
const REQUEST: usize = 130;
/// Bytes of a random challenge that the chip signs.
const CHALLENGE: usize = 32;

/// Something that is not known yet.
#[derive(Clone, Debug)]
pub(super) struct StandIn {
    /// The variable's name.
    pub(super) name: String,
    /// Whether it is a PIN or a key.
    pub(super) secret: bool,
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    /// Bytes behind some that are always the same.
    Bytes { head: Vec<u8>, length: usize },
    /// ASCII digits.
    Digits(usize),
    /// Text of hexadecimal digits.
    HexText(usize),
}

impl StandIn {
    pub(super) fn bytes(name: impl Into<String>, length: usize) -> Self {
        Self::headed(name, &[], length)
    }

    fn headed(name: impl Into<String>, head: &[u8], length: usize) -> Self {
        Self {
            name: name.into(),
            secret: false,
            form: Form::Bytes {
                head: head.to_vec(),
                length,
            },
        }
    }

    pub(super) fn digits(name: impl Into<String>, length: usize) -> Self {
        Self {
            name: name.into(),
            secret: true,
            form: Form::Digits(length),
        }
    }

    pub(super) fn secret(self) -> Self {
        Self {
            secret: true,
            ..self
        }
    }

    /// Returns its value; another variant differs in every byte that is not always the same.
    pub(super) fn value(&self, variant: u8) -> Value {
        // Bytes without a pattern: a certificate of one byte repeated would compress to nothing.
        let mut state = self.name.bytes().fold(0x9E37_79B9_u32, |state, byte| {
            (state ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            (state >> 8 & 0xFF) as u8
        };
        match &self.form {
            Form::Bytes { head, length } => {
                let mut bytes = head.clone();
                bytes.resize_with(*length, || next() ^ variant.wrapping_mul(0x5B));
                Value::bytes(bytes)
            }
            Form::Digits(length) => {
                let digit = |_| b'0' + (next() % 10 + variant) % 10;
                Value::bytes((0..*length).map(digit).collect::<Vec<u8>>())
            }
            Form::HexText(length) => {
                let digit =
                    |_| char::from(b"0123456789ABCDEF"[usize::from((next() & 7) + variant)]);
                Value::text((0..*length).map(digit).collect::<String>())
            }
        }
    }
}

/// Sets every stand-in's usual value.
pub(super) fn set_all(variables: &mut Variables, stand_ins: &[StandIn]) {
    for stand_in in stand_ins {
        variables.set(stand_in.name.clone(), stand_in.value(0));
    }
}

/// Returns a stand-in for everything that a plan's templates may name and `known` lacks.
pub(super) fn all(plan: &Plan, known: &Variables, limits: &Limits) -> Vec<StandIn> {
    let chip = &*plan.chip;
    let mut found = identification(chip, limits);
    for key in chip.objects(ObjectKind::Key) {
        if let Detail::Key(rules) = &key.detail {
            found.extend(key_pair(&key.name, rules));
        }
    }
    let prepared = specimen::prepared(chip).into_iter();
    found.extend(prepared.map(|name| {
        let length = specimen::usual_length(name);
        StandIn::bytes(format!("prepared.{name}"), length)
    }));
    for (key, _) in &plan.keys {
        let spki = chip.key_rules(key).map_or(0, |rules| spki(rules.algorithm));
        let part = |part: &str| format!("certificate.{key}{part}");
        found.extend([
            StandIn::bytes(part(""), CERTIFICATE + spki),
            StandIn::bytes(part(".issuer"), NAME),
            StandIn::bytes(part(".subject"), NAME),
            StandIn::bytes(part(".serial"), CERTIFICATE_SERIAL),
        ]);
    }
    for pin in chip.objects(ObjectKind::Pin) {
        if let Detail::Pin(rules) = &pin.detail {
            let default = rules.default.as_ref().map(|digits| digits.len());
            let now = default.unwrap_or(usize::from(rules.stored));
            found.push(StandIn::digits(digits(&pin.name), now));
            let holder = plan.pins.iter().find(|(name, ..)| *name == pin.name);
            let length = holder.map_or(rules.stored, |(_, _, digits)| *digits);
            found.push(StandIn::digits(
                holder_digits(&pin.name),
                usize::from(length),
            ));
        }
    }
    found.retain(|stand_in| !known.contains(&stand_in.name));
    found
}

/// The name of the digits of a PIN that the personalization knows.
pub(super) fn digits(pin: &str) -> String {
    format!("pin.{pin}.digits")
}

/// The name of the digits that the holder gets.
pub(super) fn holder_digits(pin: &str) -> String {
    format!("pin.{pin}.holder_digits")
}

fn identification(chip: &ChipProfile, limits: &Limits) -> Vec<StandIn> {
    let commands = chip.identify.commands.iter();
    let names = commands.flat_map(|command| command.take.iter().map(|(name, _)| name));
    let mut found: Vec<_> = names
        .map(|name| StandIn::bytes(name, TAKEN.min(limits.response)))
        .collect();
    let mut taken = Variables::default();
    set_all(&mut taken, &found);
    let serial = chip.identify.serial.as_ref();
    let length = serial.and_then(|serial| serial.render(&taken).ok());
    found.push(StandIn {
        name: "chip.serial".into(),
        secret: false,
        form: Form::HexText(length.map_or(SERIAL, |bytes| 2 * bytes.len())),
    });
    found
}

/// Returns the parts of a public key.
fn key_pair(name: &str, rules: &KeyRules) -> Vec<StandIn> {
    let part = |part: &str| format!("key.{name}.{part}");
    let mut found = public(rules, &part);
    found.extend([
        StandIn::bytes(part("spki"), spki(rules.algorithm)),
        StandIn::bytes(part("id"), 20),
    ]);
    found
}

fn public(rules: &KeyRules, part: &dyn Fn(&str) -> String) -> Vec<StandIn> {
    match (
        rules.algorithm.field_length(),
        rules.algorithm.modulus_length(),
    ) {
        (Some(field), _) => vec![StandIn::headed(part("public"), &[0x04], 1 + 2 * field)],
        (None, Some(modulus)) => vec![
            StandIn::headed(part("modulus"), &[0xB5], modulus),
            // 65537, which every chip takes.
            StandIn::headed(part("exponent"), &[0x01, 0x00, 0x01], 3),
        ],
        (None, None) => Vec::new(),
    }
}

/// Returns how long a `SubjectPublicKeyInfo` of this kind is, in bytes.
pub(super) fn spki(algorithm: KeyAlgorithm) -> usize {
    match (algorithm.field_length(), algorithm.modulus_length()) {
        // Point, BIT STRING, the two identifiers of algorithm and curve, SEQUENCEs.
        (Some(field), _) => 1 + 2 * field + 24,
        (None, Some(modulus)) => modulus + 38,
        (None, None) => 0,
    }
}

/// Returns the private parts of a key pair that is put on the chip, by the names of the
/// operation's own variables.
pub(super) fn imported(rules: &KeyRules) -> Vec<StandIn> {
    let mut found = public(rules, &|part| format!("key.{part}"));
    let secret = |name: &str, length| StandIn::bytes(name, length).secret();
    match (
        rules.algorithm.field_length(),
        rules.algorithm.modulus_length(),
    ) {
        (Some(field), _) => found.push(secret("key.private", field)),
        (None, Some(modulus)) => {
            found.push(secret("key.private", modulus));
            for part in ["prime1", "prime2", "exponent1", "exponent2", "coefficient"] {
                found.push(secret(&format!("key.{part}"), modulus / 2));
            }
        }
        (None, None) => {}
    }
    found
}

/// Returns what a chip is given to sign, in every form: a certification request, or a challenge.
pub(super) fn signed(rules: &KeyRules, is_request: bool) -> Vec<StandIn> {
    let hash = rules.hash.length();
    let message = match is_request {
        true => REQUEST + spki(rules.algorithm),
        false => CHALLENGE,
    };
    // SEQUENCE { SEQUENCE { OID, NULL }, OCTET STRING } (RFC 8017 §9.2): 15 or 19 bytes before.
    let info = if hash == 20 { 15 } else { 19 };
    let mut found = vec![
        StandIn::bytes("message", message),
        StandIn::bytes("digest", hash),
        StandIn::bytes("digest_info", info + hash),
    ];
    if let Some(modulus) = rules.algorithm.modulus_length() {
        found.push(StandIn::headed("padded", &[0x00, 0x01], modulus));
    }
    found
}

/// Returns what passes when a channel is opened by challenge.
pub(super) fn challenge(chip: &ChipProfile, key_set: &str) -> Vec<StandIn> {
    let Some(set) = chip.channel.keys.get(key_set) else {
        return Vec::new();
    };
    let Some(challenge) = set.protocol.challenge() else {
        return Vec::new();
    };
    let block = match set.cipher {
        Cipher::Aes(_) => 16,
        Cipher::Des3 => 8,
    };
    let mut found = vec![StandIn::bytes("channel.host", challenge.host)];
    if let Some(object) = chip.object(ObjectKind::KeySet, key_set) {
        for command in chip.commands(Dialect::OpenChannel, object) {
            // The whole of an answer is as long as was asked for.
            let asked = match command.le {
                Some(ExpectedLength::Fixed(le)) if le < 256 => Some(le as usize),
                _ => None,
            };
            for (name, take) in &command.take {
                let length = asked.filter(|_| take.is_whole()).unwrap_or(block);
                if found.iter().all(|known| known.name != *name) {
                    found.push(StandIn::bytes(name, length));
                }
            }
        }
    }
    let mut known = Variables::default();
    set_all(&mut known, &found);
    known.set(
        "channel.key",
        StandIn::bytes("channel.key", set.cipher.length()).value(0),
    );
    let proof = challenge.proof.render(&known);
    let length = proof.map_or(challenge.host + block, |proof| proof.len());
    found.push(StandIn::bytes("channel.proof", length));
    found
}

/// Returns the one key of a chip that is opened by challenge.
pub(super) fn single_key(cipher: Cipher) -> StandIn {
    StandIn::bytes("key_set.key", cipher.length()).secret()
}

/// A scope in which one stand-in has another value.
pub(super) fn varied(variables: &Variables, stand_in: &StandIn, variant: u8) -> Variables {
    let mut varied = variables.clone();
    varied.set(stand_in.name.clone(), stand_in.value(variant));
    varied
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variant_differs_in_every_byte_that_may() {
        for stand_in in [
            StandIn::headed("a", &[0x04], 97),
            StandIn::digits("pin.pin1.digits", 12),
            StandIn::bytes("certificate.signature", 900),
        ] {
            let [base, one, two] = [0, 1, 2].map(|variant| {
                let value = stand_in.value(variant);
                value.as_bytes().unwrap().to_vec()
            });
            assert_eq!(stand_in.value(0), stand_in.value(0));
            let head = usize::from(base[0] == 0x04);
            for place in head..base.len() {
                assert!(base[place] != one[place] && base[place] != two[place]);
            }
        }
        let serial = StandIn {
            name: "chip.serial".into(),
            secret: false,
            form: Form::HexText(40),
        };
        let digits = [0, 1, 2].map(|variant| match serial.value(variant) {
            Value::Text(text) => text.to_string(),
            _ => panic!("text"),
        });
        assert!(digits.iter().all(|text| hex::decode(text).is_ok()));
        let same = digits[0]
            .bytes()
            .zip(digits[1].bytes())
            .filter(|(a, b)| a == b);
        assert_eq!(same.count(), 0);
        let key = StandIn::bytes("k", 16);
        assert!(key.value(0).as_bytes().is_some());
    }

    #[test]
    fn public_keys_are_as_long_as_they_come() {
        // As `openssl pkey -pubout -outform DER` writes them.
        for (name, length) in [
            ("p256", 91),
            ("p384", 120),
            ("rsa2048", 294),
            ("rsa4096", 550),
        ] {
            let algorithm = KeyAlgorithm::named(name).unwrap();
            let found = spki(algorithm);
            assert!(found.abs_diff(length) <= 2, "{name}: {found}");
        }
    }
}

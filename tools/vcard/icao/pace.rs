//! Password Authenticated Connection Establishment over curves (ICAO Doc 9303-11 §4.4):
//! generic mapping, integrated mapping, chip authentication mapping.
//!
//! ```text
//! MSE:Set AT ─► 7C{} ─► 7C{81} ─► 7C{83} ─► 7C{85}      each but the last with the chaining bit
//!               80 z    82 map    84 key    86 token [8A chip authentication data]
//! ```

use card::Status;
use openssl::ec::EcPoint;
use serde::{Deserialize, Serialize};

use super::curve::Curve;
use super::document::{Document, Outcome, Request, Session};
use super::mapping;
use super::memory::Password;
use super::terminal_authentication::{Inspection, inspection_template};
use crate::applet::{Entropy, Work, broken};
use crate::inspection::cipher::{Cipher, Keys};
use crate::inspection::messaging::Messaging;
use crate::objects::{Objects, object};
use crate::secret::{Secret, same};

/// id-PACE: 0.4.0.127.0.7.2.2.4.
const PACE: [u8; 8] = [0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x04];
/// Bytes of the nonce where it is only multiplied.
const NONCE: usize = 16;

/// How the nonce becomes a generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Mapping {
    Generic,
    Integrated,
    ChipAuthentication,
}

/// One way in which PACE is offered: what a PACEInfo says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Suite {
    pub(super) mapping: Mapping,
    cipher: Cipher,
    pub(super) curve: Curve,
    /// Number of the domain parameters.
    parameters: u8,
}

impl Suite {
    /// Reads a protocol's object identifier and its domain parameters' number.
    pub(super) fn new(identifier: &[u8], parameters: u8) -> Option<Self> {
        let [mapping, cipher] = *identifier.strip_prefix(&PACE)? else {
            return None;
        };
        let cipher = Cipher::from_arc(cipher)?;
        let mapping = match mapping {
            2 => Mapping::Generic,
            4 => Mapping::Integrated,
            6 if cipher != Cipher::TripleDes => Mapping::ChipAuthentication,
            _ => return None,
        };
        let curve = Curve::from_number(parameters)?;
        let served = mapping != Mapping::Integrated || mapping::serves(curve);
        served.then_some(Self {
            mapping,
            cipher,
            curve,
            parameters,
        })
    }

    fn identifier(self) -> [u8; 10] {
        let mapping = match self.mapping {
            Mapping::Generic => 2,
            Mapping::Integrated => 4,
            Mapping::ChipAuthentication => 6,
        };
        let cipher = match self.cipher {
            Cipher::TripleDes => 1,
            Cipher::Aes128 => 2,
            Cipher::Aes192 => 3,
            Cipher::Aes256 => 4,
        };
        let [a, b, c, d, e, f, g, h] = PACE;
        [a, b, c, d, e, f, g, h, mapping, cipher]
    }

    /// Returns its PACEInfo in DER (§9.2.1), as EF.CardAccess must have it.
    pub(super) fn information(self) -> Vec<u8> {
        object::<0x30>(
            &[
                object::<0x06>(&self.identifier()),
                object::<0x02>(&[2]),
                object::<0x02>(&[self.parameters]),
            ]
            .concat(),
        )
    }

    /// Returns the bytes of the nonce: integrated mapping wants a cipher's key of it.
    fn nonce(self) -> usize {
        match self.mapping {
            Mapping::Integrated => self.cipher.key().next_multiple_of(NONCE),
            _ => NONCE,
        }
    }

    /// Returns the token over a key (§4.4.3.4).
    fn token(self, keys: &Keys, public: &[u8]) -> Result<[u8; 8], Status> {
        let content = [object::<0x06>(&self.identifier()), object::<0x86>(public)];
        let input = object::<0x7F49>(&content.concat());
        keys.mac(&input).map_err(broken)
    }
}

/// PACE on its way.
pub(super) struct Dialogue {
    suite: Suite,
    password: Password,
    /// What the terminal may at most be entitled to, where it said so.
    wanted: Option<u8>,
    step: Step,
}

/// What has been exchanged.
enum Step {
    Prepared,
    Nonce(Secret),
    Mapped {
        generator: EcPoint,
        /// The chip's key of the mapping.
        own: Option<Secret>,
    },
    Agreed {
        keys: Keys,
        own: Option<Secret>,
        chip: Vec<u8>,
        terminal: Vec<u8>,
    },
}

impl Document {
    /// `22 C1 A4  80 <protocol> 83 <password> [84 <parameters>] [7F4C]`.
    pub(super) fn prepare_pace(&mut self, request: &Request<'_>) -> Outcome {
        let objects = Objects::parse(request.data, &[0x80, 0x83, 0x84, 0x7F4C])?;
        let identifier = objects.need(0x80)?;
        let password = match objects.byte(0x83)? {
            1 => Password::MachineReadableZone,
            2 => Password::CardAccessNumber,
            _ => return Err(Status::REFERENCE_NOT_FOUND),
        };
        let offered = self
            .memory
            .suites
            .iter()
            .filter(|suite| suite.identifier() == identifier);
        let suite = match objects.get(0x84) {
            Some(&[parameters]) => {
                let mut known = offered.clone().peekable();
                // The protocol is unknown, or the parameters.
                known.peek().ok_or(Status::WRONG_DATA)?;
                let found = offered
                    .copied()
                    .find(|suite| suite.parameters == parameters);
                found.ok_or(Status::REFERENCE_NOT_FOUND)?
            }
            Some(_) => return Err(Status::WRONG_DATA),
            // Without a number there must be no choice.
            None => match offered.copied().collect::<Vec<_>>()[..] {
                [only] => only,
                [] => return Err(Status::WRONG_DATA),
                _ => return Err(Status::REFERENCE_NOT_FOUND),
            },
        };
        if self.memory.password(password, suite.cipher).is_none() {
            return Err(Status::REFERENCE_NOT_FOUND);
        }
        let wanted = objects.get(0x7F4C).map(inspection_template).transpose()?;
        self.dialogue = Some(Dialogue {
            suite,
            password,
            wanted,
            step: Step::Prepared,
        });
        Ok(Vec::new())
    }

    /// `86 00 00  7C{…}`. An error ends the dialogue.
    pub(super) fn continue_pace(
        &mut self,
        mut dialogue: Dialogue,
        request: &Request<'_>,
        entropy: &mut Entropy,
        work: &mut Work,
    ) -> Outcome {
        request.no_parameters()?;
        let template = Objects::single(request.data, 0x7C)?;
        let is_last = matches!(dialogue.step, Step::Agreed { .. });
        if request.is_chained() == is_last {
            return Err(Status::CONDITIONS_NOT_SATISFIED);
        }
        let suite = dialogue.suite;
        work.signed = Some(suite.curve.work());
        let (answer, step) = match dialogue.step {
            Step::Prepared => {
                work.signed = None;
                work.pause_ms = self.memory.pause();
                Objects::parse(template, &[])?;
                let mut nonce = zeroize::Zeroizing::new(vec![0; suite.nonce()]);
                entropy.draw(&mut nonce)?;
                let key = self.memory.password(dialogue.password, suite.cipher);
                let key = key.ok_or(Status::UNKNOWN)?;
                let iv = vec![0; suite.cipher.block()];
                let sealed = suite.cipher.encrypt(&key, &iv, &nonce).map_err(broken)?;
                let nonce = Secret::new(std::mem::take(&mut *nonce));
                (object::<0x80>(&sealed), Step::Nonce(nonce))
            }
            Step::Nonce(nonce) => {
                let data = Objects::single(template, 0x81)?;
                work.more = 3;
                map(suite, &nonce, data, entropy)?
            }
            Step::Mapped { generator, own } => {
                let terminal = Objects::single(template, 0x83)?;
                work.more = 1;
                agree(suite, &generator, own, terminal, entropy)?
            }
            Step::Agreed {
                keys,
                own,
                chip,
                terminal,
            } => {
                work.signed = None;
                let token = Objects::single(template, 0x85)?;
                // Counted before the comparison: taking the power away must not save a guess.
                self.memory.attempt();
                work.written += 1;
                if !same(&suite.token(&keys, &chip)?, token) {
                    return Err(Status::AUTHENTICATION_FAILED);
                }
                self.memory.succeed();
                let mut answer = object::<0x86>(&suite.token(&keys, &terminal)?);
                if dialogue.wanted.is_some() {
                    let references = self.memory.trust.references();
                    let tagged = references.iter().zip([object::<0x87>, object::<0x88>]);
                    answer.extend(tagged.flat_map(|(reference, tag)| tag(reference)));
                }
                let mut inspection = Inspection::restricted(dialogue.wanted);
                if let Some(own) = &own {
                    answer.extend(object::<0x8A>(&self.proof(suite, &keys, own)?));
                    work.signed = Some(suite.curve.work());
                    inspection.chip_is_genuine(suite.curve.abscissa(&terminal));
                }
                self.end();
                self.session = Some(Session {
                    messaging: Messaging::new(keys, 0),
                    identifier: suite.curve.abscissa(&chip),
                    by_pace: true,
                    inspection,
                });
                return Ok(object::<0x7C>(&answer));
            }
        };
        dialogue.step = step;
        self.dialogue = Some(dialogue);
        Ok(object::<0x7C>(&answer))
    }

    /// Makes the encrypted chip authentication data (§4.4.3.5): the key of the mapping over
    /// the chip's own.
    fn proof(&self, suite: Suite, keys: &Keys, own: &Secret) -> Outcome {
        let private = self.memory.keys.for_mapping(suite.curve);
        let private = private.ok_or(Status::REFERENCE_DATA_NOT_USABLE)?;
        let data = suite.curve.quotient(private, own).map_err(broken)?;
        let cipher = suite.cipher;
        let (zeros, ones) = (vec![0; cipher.block()], vec![0xFF; cipher.block()]);
        let iv = cipher.encrypt(&keys.enc, &zeros, &ones).map_err(broken)?;
        let padded = cipher.pad(data.bytes());
        cipher.encrypt(&keys.enc, &iv, &padded).map_err(broken)
    }
}

/// Maps the nonce to a generator.
fn map(
    suite: Suite,
    nonce: &Secret,
    data: &[u8],
    entropy: &mut Entropy,
) -> Result<(Vec<u8>, Step), Status> {
    let curve = suite.curve;
    if suite.mapping == Mapping::Integrated {
        if data.len() != suite.cipher.key() {
            return Err(Status::WRONG_DATA);
        }
        let generator = mapping::generator(curve, suite.cipher, nonce, data)?;
        let generator = generator.ok_or(Status::WRONG_DATA)?;
        let own = None;
        return Ok((object::<0x82>(&[]), Step::Mapped { generator, own }));
    }
    let terminal = curve
        .decode(data)
        .map_err(broken)?
        .ok_or(Status::WRONG_DATA)?;
    let own = curve.draw(entropy)?;
    let public = curve.multiply(None, &own).map_err(broken)?;
    let answer = object::<0x82>(&curve.encode(&public).map_err(broken)?);
    let shared = curve.multiply(Some(&terminal), &own).map_err(broken)?;
    let multiple = curve.multiply(None, nonce).map_err(broken)?;
    let generator = curve.add(&multiple, &shared).map_err(broken)?;
    let generator = generator.ok_or(Status::WRONG_DATA)?;
    let own = (suite.mapping == Mapping::ChipAuthentication).then_some(own);
    Ok((answer, Step::Mapped { generator, own }))
}

/// Agrees on keys over the mapped generator.
fn agree(
    suite: Suite,
    generator: &EcPoint,
    own: Option<Secret>,
    terminal: &[u8],
    entropy: &mut Entropy,
) -> Result<(Vec<u8>, Step), Status> {
    let curve = suite.curve;
    let private = curve.draw(entropy)?;
    let chip = curve.multiply(Some(generator), &private).map_err(broken)?;
    let chip = curve.encode(&chip).map_err(broken)?;
    let shared = curve.agree(&private, terminal).map_err(broken)?;
    // The two keys must differ (§4.4.3.3).
    let shared = shared
        .filter(|_| terminal != chip)
        .ok_or(Status::WRONG_DATA)?;
    let keys = Keys::derive(suite.cipher, shared.bytes());
    let answer = object::<0x84>(&chip);
    let terminal = terminal.to_vec();
    let step = Step::Agreed {
        keys,
        own,
        chip,
        terminal,
    };
    Ok((answer, step))
}

//! Password Authenticated Connection Establishment: a session out of a password that nobody can
//! guess from outside (*ICAO 9303-11 §4.4*).
//!
//! ```text
//!   MSE:Set AT  protocol, password, group
//!   GENERAL AUTHENTICATE  80  z ─► s = D(K_π, z)
//!                         81  mapping: G ─► Ĝ  by s and a key agreement, or by s and t
//!                         83  key agreement over Ĝ ─► KS_enc, KS_mac
//!                         85  tokens: each side's MAC over the other's key
//!                             + 8A the chip's static key, proved (chip authentication mapping)
//! ```

mod choice;
mod mapping;
mod outcome;
mod password;

use std::fmt;

use card::cipher::{aes_cbc_decrypt, des3_cbc_decrypt};
use card::tlv::{self, Tag, Tlv};
use card::{Command, ExchangeError, Response, Status};
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::crypto_error::CryptoError;
use crate::dialogue::{Dialogue, Turn};
use crate::domain_parameters::{DomainParameters, DomainParametersError};
use crate::group::{Element, Group, Scalar};
use crate::public_key_object::public_key_object;
use crate::random::Random;
use crate::secure_messaging::SecureMessaging;
use crate::security_infos::Mapping;
use crate::session_keys::{Cipher, SessionKeys};

pub use choice::{PaceChoice, PaceChoiceError};
pub use outcome::{MappedChipKey, MappedChipKeyError, PaceOutcome};
pub use password::{Password, PasswordError};

const TEMPLATE: Tag = Tag::known::<0x7C>();
const NONCE: Tag = Tag::known::<0x80>();
const TERMINAL_MAPPING: Tag = Tag::known::<0x81>();
const CHIP_MAPPING: Tag = Tag::known::<0x82>();
const TERMINAL_KEY: Tag = Tag::known::<0x83>();
const CHIP_KEY: Tag = Tag::known::<0x84>();
const TERMINAL_TOKEN: Tag = Tag::known::<0x85>();
const CHIP_TOKEN: Tag = Tag::known::<0x86>();
const AUTHORITY: Tag = Tag::known::<0x87>();
const OLDER_AUTHORITY: Tag = Tag::known::<0x88>();
const CHIP_DATA: Tag = Tag::known::<0x8A>();

const PROTOCOL: Tag = Tag::known::<0x80>();
const PASSWORD: Tag = Tag::known::<0x83>();
const GROUP: Tag = Tag::known::<0x84>();

const MANAGE_SECURITY_ENVIRONMENT: u8 = 0x22;
const GENERAL_AUTHENTICATE: u8 = 0x86;
/// More of the protocol follows.
const CHAINED: u8 = 0x10;
/// Longest nonce, bytes: AES with 256 bits takes two blocks.
const MAX_NONCE: usize = 32;
/// Longest certification authority reference, bytes (*TR-03110-3 §A.6.1*).
const MAX_AUTHORITY: usize = 16;

/// The commands of PACE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaceStep {
    /// MSE:Set AT.
    Select,
    /// The encrypted nonce.
    Nonce,
    /// The mapping.
    Mapping,
    /// The key agreement.
    Agreement,
    /// The tokens.
    Token,
}

/// Says why PACE gave no session.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PaceError {
    /// The channel failed.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// The chip refused a command.
    #[error("chip refuses PACE at step {step:?}: {status}")]
    Refused {
        /// The command.
        step: PaceStep,
        /// The answer.
        status: Status,
    },
    /// The chip does not accept the terminal's token: the password is wrong.
    #[error("chip refuses the password: {status}")]
    WrongPassword {
        /// The answer; [`Status::tries_left`] may count.
        status: Status,
    },
    /// A response is not as it should be.
    #[error("malformed answer at step {step:?}: {reason}")]
    Malformed {
        /// The command.
        step: PaceStep,
        /// What is wrong.
        reason: &'static str,
    },
    /// A key that the chip sends is no element of the group.
    #[error("chip sends a key that is none at step {0:?}")]
    PublicKey(PaceStep),
    /// The chip sends the terminal's own key back.
    #[error("chip sends the terminal's own key back")]
    Reflected,
    /// The chip's token is wrong: it does not know the password.
    #[error("chip does not prove that it knows the password")]
    NotProved,
    /// The group has no integrated mapping.
    #[error("{0} has no integrated mapping")]
    NoMapping(DomainParameters),
    /// Nothing could be computed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

/// PACE between two commands.
pub struct Pace {
    run: Box<Run>,
    stage: Stage,
}

/// What stays the same.
struct Run {
    choice: PaceChoice,
    oid: Vec<u8>,
    group: Group,
    cipher: Cipher,
    password: card::cipher::Key,
    own: Own,
    private: Scalar,
    tries_left: Option<u8>,
}

/// The terminal's part of the mapping.
enum Own {
    Private(Scalar),
    Nonce(Vec<u8>),
}

/// What is awaited.
enum Stage {
    Select,
    Nonce,
    Mapping(Zeroizing<Vec<u8>>),
    Agreement {
        generator: Element,
        own: OwnKey,
        chip_mapping: Option<Vec<u8>>,
    },
    Token(Box<Token>),
}

/// The terminal's public key of the agreement.
struct OwnKey {
    encoded: Vec<u8>,
    compressed: Vec<u8>,
}

struct Token {
    keys: SessionKeys,
    expected: [u8; 8],
    chip_id: Vec<u8>,
    terminal_key: Vec<u8>,
    chip_mapping: Option<Vec<u8>>,
}

impl Pace {
    /// Returns MSE:Set AT and what waits for its answer. Draws the mapping's private key (or
    /// the nonce t, as long as a key of the cipher), then the private key of the agreement.
    ///
    /// `chat` is the whole object `7F4C` of a terminal that will prove its rights; the chip then
    /// names the authorities that it trusts.
    ///
    /// # Errors
    /// [`PaceError::NoMapping`], [`PaceError::Crypto`].
    pub fn start(
        choice: &PaceChoice,
        password: &Password,
        chat: Option<&[u8]>,
        random: &mut dyn Random,
    ) -> Result<(Command, Self), PaceError> {
        let protocol = choice.protocol();
        let oid = protocol
            .oid()
            .ok_or(CryptoError::unsupported("no such protocol"))?;
        let oid = oid.as_bytes().to_vec();
        let group = Group::new(choice.parameters())?;
        let own = match protocol.mapping {
            Mapping::Generic | Mapping::ChipAuthentication => Own::Private(group.draw(random)?),
            Mapping::Integrated => {
                if !mapping::is_possible(&group)? {
                    return Err(PaceError::NoMapping(choice.parameters()));
                }
                let mut nonce = vec![0; protocol.cipher.key_length()];
                random.fill(&mut nonce)?;
                Own::Nonce(nonce)
            }
        };
        let private = group.draw(random)?;
        let mut data = tlv::encode(PROTOCOL, &oid);
        data.extend(tlv::encode(PASSWORD, &[password.reference()]));
        if let Some(reference) = choice.reference() {
            let bytes = reference.to_be_bytes();
            let zeros = bytes.iter().take(7).take_while(|byte| **byte == 0).count();
            data.extend(tlv::encode(GROUP, bytes.get(zeros..).unwrap_or_default()));
        }
        data.extend_from_slice(chat.unwrap_or_default());
        let command = Command::new(0x00, MANAGE_SECURITY_ENVIRONMENT, 0xC1, 0xA4).with_data(data);
        let run = Box::new(Run {
            choice: *choice,
            oid,
            group,
            cipher: protocol.cipher,
            password: password.key(protocol.cipher)?,
            own,
            private,
            tries_left: None,
        });
        let stage = Stage::Select;
        Ok((command, Self { run, stage }))
    }
}

impl Dialogue for Pace {
    type Outcome = PaceOutcome;
    type Error = PaceError;

    fn answer(self, response: &Response) -> Result<Turn<Self, PaceOutcome>, PaceError> {
        let Self { mut run, stage } = self;
        let (command, stage) = match stage {
            Stage::Select => {
                run.selected(response.status())?;
                (run.authenticate(CHAINED, &[]), Stage::Nonce)
            }
            Stage::Nonce => run.nonce(response)?,
            Stage::Mapping(nonce) => run.mapping(&nonce, response)?,
            Stage::Agreement {
                generator,
                own,
                chip_mapping,
            } => run.agreement(&generator, own, chip_mapping, response)?,
            Stage::Token(token) => return run.token(*token, response).map(Turn::Done),
        };
        Ok(Turn::Send(command, Self { run, stage }))
    }
}

impl Run {
    fn selected(&mut self, status: Status) -> Result<(), PaceError> {
        // A password that was tried in vain before still works; the chip says how often.
        self.tries_left = status.tries_left();
        match self.tries_left {
            None | Some(0) if !status.is_ok() => {
                let step = PaceStep::Select;
                Err(PaceError::Refused { step, status })
            }
            _ => Ok(()),
        }
    }

    fn authenticate(&self, cla: u8, objects: &[u8]) -> Command {
        // The longest answer is a key, or the chip's data beside its token.
        let longest = self.group.key_length() + 8;
        let le = if longest > 256 { 65_536 } else { 256 };
        Command::new(cla, GENERAL_AUTHENTICATE, 0, 0)
            .with_data(tlv::encode(TEMPLATE, objects))
            .with_le(le)
    }

    fn nonce(&self, response: &Response) -> Result<(Command, Stage), PaceError> {
        let step = PaceStep::Nonce;
        let objects = template(step, response)?;
        let sealed = the(step, &objects, NONCE)?;
        let block = self.cipher.block_length();
        let whole =
            !sealed.is_empty() && sealed.len() <= MAX_NONCE && sealed.len().is_multiple_of(block);
        let fits = match self.own {
            Own::Private(_) => whole,
            Own::Nonce(_) => sealed.len() == mapping::nonce_length(self.cipher),
        };
        if !fits {
            let reason = "nonce of a wrong length";
            return Err(PaceError::Malformed { step, reason });
        }
        let nonce = match self.cipher {
            Cipher::TripleDes => des3_cbc_decrypt(&self.password, sealed),
            Cipher::Aes128 | Cipher::Aes192 | Cipher::Aes256 => {
                aes_cbc_decrypt(&self.password, sealed)
            }
        };
        let nonce = nonce.map_err(CryptoError::from)?;
        let data = match &self.own {
            Own::Private(private) => {
                let public = self.group.power(&self.group.generator()?, private)?;
                self.group.encode(&public)?
            }
            Own::Nonce(own) => own.clone(),
        };
        let command = self.authenticate(CHAINED, &tlv::encode(TERMINAL_MAPPING, &data));
        Ok((command, Stage::Mapping(nonce)))
    }

    fn mapping(&self, nonce: &[u8], response: &Response) -> Result<(Command, Stage), PaceError> {
        let step = PaceStep::Mapping;
        let objects = template(step, response)?;
        let (generator, chip_mapping) = match &self.own {
            Own::Private(private) => {
                let received = the(step, &objects, CHIP_MAPPING)?;
                let public = self.public_key(step, received)?;
                let own = self.group.power(&self.group.generator()?, private)?;
                if self.group.encode(&own)? == self.group.encode(&public)? {
                    return Err(PaceError::Reflected);
                }
                let generator = mapping::generic(&self.group, nonce, private, &public)?;
                (generator, Some(self.group.encode(&public)?))
            }
            // The chip has nothing to say: the object is empty, or not there.
            Own::Nonce(own) => {
                let rest = objects
                    .iter()
                    .all(|each| each.tag == CHIP_MAPPING && each.value.is_empty());
                if !rest {
                    let reason = "mapping data where none belong";
                    return Err(PaceError::Malformed { step, reason });
                }
                (
                    mapping::integrated(&self.group, self.cipher, nonce, own)?,
                    None,
                )
            }
        };
        if self.group.is_neutral(&generator) {
            return Err(PaceError::PublicKey(step));
        }
        let public = self.group.power(&generator, &self.private)?;
        let own = OwnKey {
            encoded: self.group.encode(&public)?,
            compressed: self.group.compress(&public)?,
        };
        let command = self.authenticate(CHAINED, &tlv::encode(TERMINAL_KEY, &own.encoded));
        let chip_mapping =
            chip_mapping.filter(|_| self.choice.protocol().mapping == Mapping::ChipAuthentication);
        let stage = Stage::Agreement {
            generator,
            own,
            chip_mapping,
        };
        Ok((command, stage))
    }

    fn agreement(
        &self,
        generator: &Element,
        public: OwnKey,
        chip_mapping: Option<Vec<u8>>,
        response: &Response,
    ) -> Result<(Command, Stage), PaceError> {
        let step = PaceStep::Agreement;
        let objects = template(step, response)?;
        let chips = self.public_key(step, the(step, &objects, CHIP_KEY)?)?;
        let encoded = self.group.encode(&chips)?;
        if encoded == public.encoded || encoded == self.group.encode(generator)? {
            return Err(PaceError::Reflected);
        }
        let shared = self.group.power(&chips, &self.private)?;
        if self.group.is_neutral(&shared) {
            return Err(PaceError::PublicKey(step));
        }
        let secret = self.group.secret(&shared)?;
        let keys = SessionKeys::derive(self.cipher, &secret, &[])?;
        let token = |key: &[u8]| {
            let object = public_key_object(&self.oid, self.choice.parameters(), key);
            keys.mac(&object)
        };
        let (own, expected) = (token(&encoded)?, token(&public.encoded)?);
        let command = self.authenticate(0x00, &tlv::encode(TERMINAL_TOKEN, &own));
        let token = Box::new(Token {
            keys,
            expected,
            chip_id: self.group.compress(&chips)?,
            terminal_key: public.compressed,
            chip_mapping,
        });
        Ok((command, Stage::Token(token)))
    }

    fn token(&self, token: Token, response: &Response) -> Result<PaceOutcome, PaceError> {
        let step = PaceStep::Token;
        let status = response.status();
        if status == Status::AUTHENTICATION_FAILED || status.tries_left().is_some() {
            return Err(PaceError::WrongPassword { status });
        }
        let objects = template(step, response)?;
        if !bool::from(token.expected[..].ct_eq(the(step, &objects, CHIP_TOKEN)?)) {
            return Err(PaceError::NotProved);
        }
        let mut authorities = Vec::new();
        for tag in [AUTHORITY, OLDER_AUTHORITY] {
            if let Some(name) = at_most_one(step, &objects, tag)? {
                if name.is_empty() || name.len() > MAX_AUTHORITY {
                    let reason = "certification authority reference of a wrong length";
                    return Err(PaceError::Malformed { step, reason });
                }
                authorities.push(name.to_vec());
            }
        }
        let chip_key = match token.chip_mapping {
            Some(mapped) => {
                let sealed = the(step, &objects, CHIP_DATA)?;
                let key =
                    MappedChipKey::open(&token.keys, self.choice.parameters(), mapped, sealed)?;
                let reason = "chip authentication data do not open";
                Some(key.ok_or(PaceError::Malformed { step, reason })?)
            }
            None => None,
        };
        Ok(PaceOutcome {
            messaging: SecureMessaging::new(token.keys),
            chip_id: token.chip_id,
            terminal_key: token.terminal_key,
            authorities,
            chip_key,
            tries_left: self.tries_left,
        })
    }

    fn public_key(&self, step: PaceStep, encoded: &[u8]) -> Result<Element, PaceError> {
        self.group.decode(encoded).map_err(|error| match error {
            DomainParametersError::Crypto(error) => PaceError::Crypto(error),
            _ => PaceError::PublicKey(step),
        })
    }
}

impl fmt::Debug for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let awaited = match self.stage {
            Stage::Select => PaceStep::Select,
            Stage::Nonce => PaceStep::Nonce,
            Stage::Mapping(_) => PaceStep::Mapping,
            Stage::Agreement { .. } => PaceStep::Agreement,
            Stage::Token(_) => PaceStep::Token,
        };
        f.debug_struct("Pace")
            .field("choice", &self.run.choice)
            .field("awaited", &awaited)
            .finish_non_exhaustive()
    }
}

/// Returns the objects in the template of a response that is no refusal.
fn template(step: PaceStep, response: &Response) -> Result<Vec<Tlv<'_>>, PaceError> {
    let status = response.status();
    if !status.is_ok() {
        return Err(PaceError::Refused { step, status });
    }
    let reason = "no dynamic authentication data";
    let malformed = |_| PaceError::Malformed { step, reason };
    let (outer, rest) = tlv::parse(response.data()).map_err(malformed)?;
    if outer.tag != TEMPLATE || !rest.is_empty() {
        return Err(PaceError::Malformed { step, reason });
    }
    tlv::parse_all(outer.value).map_err(malformed)
}

/// Returns the value of the one object with this tag.
fn the<'a>(step: PaceStep, objects: &[Tlv<'a>], tag: Tag) -> Result<&'a [u8], PaceError> {
    let reason = "an object is missing";
    at_most_one(step, objects, tag)?.ok_or(PaceError::Malformed { step, reason })
}

fn at_most_one<'a>(
    step: PaceStep,
    objects: &[Tlv<'a>],
    tag: Tag,
) -> Result<Option<&'a [u8]>, PaceError> {
    let mut found = objects.iter().filter(|object| object.tag == tag);
    match (found.next(), found.next()) {
        (first, None) => Ok(first.map(|object| object.value)),
        (_, Some(_)) => {
            let reason = "an object comes twice";
            Err(PaceError::Malformed { step, reason })
        }
    }
}

#[cfg(test)]
mod tests;

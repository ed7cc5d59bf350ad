//! The administrator: a Triple DES key in a key file, proved by GENERAL AUTHENTICATE, one way
//! or both.

use card::{Command, Response, Status};
use openssl::error::ErrorStack;
use openssl::symm::{Cipher, Crypter, Mode};

use super::files::{Content, Material};
use super::{DATA_INVALID, Gids, NOT_ALLOWED, Outcome, first, objects, single};
use crate::applet::{Answer, Entropy, broken};
use crate::command::parameters;
use crate::objects::object;
use crate::secret::{Secret, same};

/// Length of a Triple DES key, bytes.
pub(super) const KEY: usize = 24;
/// Length of a block, bytes.
const BLOCK: usize = 8;
/// Length of a challenge of the mutual authentication, bytes.
const CHALLENGE: usize = 16;
/// Length of each side's part of the shared secret; the mark 80 follows it.
const SHARE: usize = 7;

/// How far the administrator's authentication has come.
#[derive(Default)]
pub(super) enum Administrator {
    #[default]
    Unknown,
    /// The chip's challenge was sent.
    External([u8; BLOCK]),
    /// Both challenges were sent.
    Mutual {
        chip: [u8; CHALLENGE],
        terminal: [u8; CHALLENGE],
    },
    Proved,
}

impl Administrator {
    /// Says whether the administrator is authenticated.
    pub(super) fn is_proved(&self) -> bool {
        matches!(self, Self::Proved)
    }
}

impl Gids {
    /// `00 87 00 00  7C { 81 … }` or `7C { 82 … }`.
    pub(super) fn general_authenticate(
        &mut self,
        command: &Command,
        entropy: &mut Entropy,
    ) -> Outcome {
        if !self.memory.operational {
            return Err(NOT_ALLOWED);
        }
        parameters(command, 0x00, 0x00)?;
        let template = objects(single(command.data(), 0x7C)?)?;
        if let Some(challenge) = first(&template, 0x81) {
            return self.challenge(challenge, entropy);
        }
        let response = first(&template, 0x82).ok_or(DATA_INVALID)?;
        if response.len() > 40 {
            return Err(DATA_INVALID);
        }
        // Whatever comes of it, what was drawn is good for one try.
        let pending = std::mem::take(&mut self.session.administrator);
        match pending {
            Administrator::Unknown | Administrator::Proved => {
                self.session.administrator = pending;
                Err(Status::CONDITIONS_NOT_SATISFIED)
            }
            Administrator::External(chip) => {
                let key = self.administrator_key()?;
                let expected = encrypt(key, &chip).map_err(broken)?;
                if !same(&expected, response) {
                    return Err(Status::SECURITY_STATUS_NOT_SATISFIED);
                }
                self.session.administrator = Administrator::Proved;
                Ok(Answer::done())
            }
            Administrator::Mutual { chip, terminal } => {
                let answer = self.mutual(&chip, &terminal, response, entropy)?;
                self.session.administrator = Administrator::Proved;
                Ok(object::<0x7C>(&object::<0x82>(&answer)).into())
            }
        }
    }

    /// Draws a challenge: 8 bytes for an empty one, 16 for one of 16.
    fn challenge(&mut self, terminal: &[u8], entropy: &mut Entropy) -> Outcome {
        let (pending, drawn) = if terminal.is_empty() {
            let mut chip = [0; BLOCK];
            entropy.draw(&mut chip)?;
            (Administrator::External(chip), object::<0x81>(&chip))
        } else {
            let terminal = terminal.try_into().map_err(|_| DATA_INVALID)?;
            let mut chip = [0; CHALLENGE];
            entropy.draw(&mut chip)?;
            let pending = Administrator::Mutual { chip, terminal };
            (pending, object::<0x81>(&chip))
        };
        self.session.administrator = pending;
        Ok(object::<0x7C>(&drawn).into())
    }

    /// Wants R2 ‖ R1 ‖ Z1 ‖ 80 encrypted, returns R1 ‖ R2 ‖ Z2 ‖ 80 encrypted; R1 is the
    /// terminal's challenge, R2 the chip's.
    fn mutual(
        &self,
        chip: &[u8],
        terminal: &[u8],
        response: &[u8],
        entropy: &mut Entropy,
    ) -> Result<Vec<u8>, Status> {
        let key = self.administrator_key()?;
        if response.len() != 2 * CHALLENGE + SHARE + 1 {
            return Err(Status::SECURITY_STATUS_NOT_SATISFIED);
        }
        let plain = Secret::new(run(Mode::Decrypt, key, response).map_err(broken)?);
        let (challenges, share) = plain.bytes().split_at(2 * CHALLENGE);
        let right = same(challenges, &[chip, terminal].concat());
        if !right || share.last() != Some(&0x80) {
            return Err(Status::SECURITY_STATUS_NOT_SATISFIED);
        }
        // The chip has no use for the shared secret: there is no secure messaging.
        let mut share = [0x80; SHARE + 1];
        entropy.draw(share.get_mut(..SHARE).unwrap_or_default())?;
        encrypt(key, &[terminal, chip, &share].concat()).map_err(broken)
    }

    /// Returns the key that MANAGE SECURITY ENVIRONMENT chose.
    fn administrator_key(&self) -> Result<&Secret, Status> {
        let chosen = self.session.administrator_key;
        let file = chosen.and_then(|key| self.key_file(key).ok());
        match file.map(|file| &file.content) {
            Some(Content::Key(Some(Material::TripleDes(key)))) => Ok(key),
            _ => Err(Status::CONDITIONS_NOT_SATISFIED),
        }
    }

    /// Returns what the chip drew for a recorded answer: a challenge, or its share of the
    /// secret.
    pub(super) fn drawn_for(&self, command: &Command, answer: &Response) -> Option<Secret> {
        if command.ins() != 0x87 {
            return None;
        }
        match answer.data() {
            [0x7C, 0x0A, 0x81, 0x08, drawn @ ..] | [0x7C, 0x12, 0x81, 0x10, drawn @ ..] => {
                Some(Secret::new(drawn))
            }
            [0x7C, 0x2A, 0x82, 0x28, sealed @ ..] if sealed.len() == 40 => {
                let plain = run(Mode::Decrypt, self.administrator_key().ok()?, sealed).ok()?;
                plain
                    .get(2 * CHALLENGE..2 * CHALLENGE + SHARE)
                    .map(Secret::new)
            }
            _ => None,
        }
    }
}

/// Encrypts whole blocks, CBC, IV zero.
fn encrypt(key: &Secret, blocks: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    run(Mode::Encrypt, key, blocks)
}

fn run(mode: Mode, key: &Secret, blocks: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let cipher = Cipher::des_ede3_cbc();
    let mut crypter = Crypter::new(cipher, mode, key.bytes(), Some(&[0; BLOCK]))?;
    crypter.pad(false);
    let mut out = vec![0; blocks.len() + BLOCK];
    let length = crypter.update(blocks, &mut out)?;
    out.truncate(length);
    Ok(out)
}

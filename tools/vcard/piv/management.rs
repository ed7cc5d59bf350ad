//! The card management key 9B: its ciphers (*SP 800-78-4 §5*), its authentication
//! (*SP 800-73-4 Part 2 §3.2.4, appendix A.1*), and PivApplet's SET MANAGEMENT KEY.

use card::{Command, Response, Status};
use openssl::error::ErrorStack;
use openssl::symm::{self, Crypter, Mode};
use serde::{Deserialize, Serialize};

use super::use_of_keys::Template;
use super::{Outcome, Piv};
use crate::applet::{Answer, Entropy, Work, broken};
use crate::command::parameters;
use crate::objects::object;
use crate::secret::Secret;

/// Reference of the card management key.
pub(super) const REFERENCE: u8 = 0x9B;
/// The management key of a blank, three-key Triple DES.
const DEFAULT: [u8; 24] = [
    1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8,
];

/// A cipher for the management key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Cipher {
    TripleDes,
    Aes128,
    Aes192,
    Aes256,
}

impl Cipher {
    /// Reads an algorithm identifier of *SP 800-78-4 table 6-2*; `00` means Triple DES.
    pub(super) fn from_number(number: u8) -> Option<Self> {
        match number {
            0x00 | 0x03 => Some(Self::TripleDes),
            0x08 => Some(Self::Aes128),
            0x0A => Some(Self::Aes192),
            0x0C => Some(Self::Aes256),
            _ => None,
        }
    }

    /// Returns the algorithm identifier.
    pub(super) fn number(self) -> u8 {
        match self {
            Self::TripleDes => 0x03,
            Self::Aes128 => 0x08,
            Self::Aes192 => 0x0A,
            Self::Aes256 => 0x0C,
        }
    }

    fn key_length(self) -> usize {
        match self {
            Self::Aes128 => 16,
            Self::TripleDes | Self::Aes192 => 24,
            Self::Aes256 => 32,
        }
    }

    fn block(self) -> usize {
        match self {
            Self::TripleDes => 8,
            _ => 16,
        }
    }

    fn openssl(self) -> symm::Cipher {
        match self {
            Self::TripleDes => symm::Cipher::des_ede3(),
            Self::Aes128 => symm::Cipher::aes_128_ecb(),
            Self::Aes192 => symm::Cipher::aes_192_ecb(),
            Self::Aes256 => symm::Cipher::aes_256_ecb(),
        }
    }
}

/// The card management key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ManagementKey {
    cipher: Cipher,
    key: Secret,
}

impl Default for ManagementKey {
    fn default() -> Self {
        let key = Secret::new(DEFAULT);
        let cipher = Cipher::TripleDes;
        Self { cipher, key }
    }
}

impl ManagementKey {
    /// Takes a key whose length suits its cipher.
    fn new(cipher: Cipher, key: &[u8]) -> Option<Self> {
        (key.len() == cipher.key_length()).then(|| Self {
            cipher,
            key: Secret::new(key),
        })
    }

    /// Returns the cipher.
    pub(super) fn cipher(&self) -> Cipher {
        self.cipher
    }

    /// Says whether it is still a blank's.
    pub(super) fn is_default(&self) -> bool {
        self.cipher == Cipher::TripleDes && self.key.matches(&DEFAULT)
    }

    fn run(&self, mode: Mode, block: &[u8]) -> Result<Secret, ErrorStack> {
        let mut crypter = Crypter::new(self.cipher.openssl(), mode, self.key.bytes(), None)?;
        crypter.pad(false);
        // Room for the second block that openssl's interface wants.
        let mut out = zeroize::Zeroizing::new(vec![0; 2 * block.len()]);
        let length = crypter.update(block, &mut out)?;
        Ok(Secret::new(out.get(..length).unwrap_or_default()))
    }

    /// Encrypts one block.
    fn encrypt(&self, block: &[u8]) -> Result<Secret, Status> {
        self.run(Mode::Encrypt, block).map_err(broken)
    }

    /// Decrypts one block.
    fn decrypt(&self, block: &[u8]) -> Result<Secret, Status> {
        self.run(Mode::Decrypt, block).map_err(broken)
    }
}

/// What the card drew, and waits to see again.
pub(super) enum Pending {
    /// Sent in clear; comes back encrypted.
    Challenge(Secret),
    /// Sent encrypted; comes back in clear. Never compared with what was sent in clear, or
    /// anybody could hand a challenge back as a witness.
    Witness(Secret),
}

impl Piv {
    /// Wants the management key to have been proved.
    pub(super) fn managed(&self) -> Result<(), Status> {
        if self.session.managed {
            Ok(())
        } else {
            Err(Status::SECURITY_STATUS_NOT_SATISFIED)
        }
    }

    /// Answers GENERAL AUTHENTICATE with the management key. A refusal ends the
    /// authentication that was (*SP 800-73-4 Part 2 §2.4.2*).
    ///
    /// ```text
    /// external   81 empty            -> 81 challenge
    ///            82 encrypted        -> 9000
    /// mutual     80 empty            -> 80 encrypted witness
    ///            80 witness 81 data  -> 82 encrypted data
    /// ```
    pub(super) fn authenticate(&mut self, command: &Command, entropy: &mut Entropy) -> Outcome {
        let outcome = self.authentication(command, entropy);
        if outcome.is_err() {
            self.session.managed = false;
            self.session.pending = None;
        }
        outcome
    }

    fn authentication(&mut self, command: &Command, entropy: &mut Entropy) -> Outcome {
        let template = Template::parse(command.data())?;
        let cipher = Cipher::from_number(command.p1()).ok_or(Status::WRONG_P1_P2)?;
        if cipher != self.memory.management.cipher {
            return Err(Status::WRONG_P1_P2);
        }
        let block = cipher.block();
        let given = [template.witness, template.challenge, template.response];
        if given.iter().flatten().any(|value| value.len() != block) || template.exponent.is_some() {
            return Err(Status::WRONG_DATA);
        }
        match (template.wanted, given) {
            (Some(0x81), [None, None, None]) => self.challenge(entropy),
            (Some(0x80), [None, None, None]) => self.witness(entropy),
            (None, [None, None, Some(response)]) => {
                self.prove(|key, pending| match pending {
                    Pending::Challenge(drawn) => Ok(drawn.matches(key.decrypt(response)?.bytes())),
                    Pending::Witness(_) => Ok(false),
                })?;
                Ok(Answer::done())
            }
            // yubico-piv-tool leaves the empty 82 out.
            (None | Some(0x82), [witness, challenge, None])
                if witness.is_some() || challenge.is_some() =>
            {
                if let Some(witness) = witness {
                    self.prove(|_, pending| match pending {
                        Pending::Witness(drawn) => Ok(drawn.matches(witness)),
                        Pending::Challenge(_) => Ok(false),
                    })?;
                }
                match challenge {
                    Some(challenge) => self.respond(challenge),
                    None if template.wanted.is_none() => Ok(Answer::done()),
                    None => Err(Status::WRONG_DATA),
                }
            }
            _ => Err(Status::WRONG_DATA),
        }
    }

    fn challenge(&mut self, entropy: &mut Entropy) -> Outcome {
        let drawn = self.draw_block(entropy)?;
        let answer = object::<0x7C>(&object::<0x81>(drawn.bytes()));
        self.session.pending = Some(Pending::Challenge(drawn));
        Ok(answer.into())
    }

    fn witness(&mut self, entropy: &mut Entropy) -> Outcome {
        let drawn = self.draw_block(entropy)?;
        let encrypted = self.memory.management.encrypt(drawn.bytes())?;
        self.session.pending = Some(Pending::Witness(drawn));
        Ok(object::<0x7C>(&object::<0x80>(encrypted.bytes())).into())
    }

    fn draw_block(&self, entropy: &mut Entropy) -> Result<Secret, Status> {
        let mut drawn = zeroize::Zeroizing::new([0; 16]);
        let drawn = drawn.get_mut(..self.memory.management.cipher.block());
        let drawn = drawn.ok_or(Status::UNKNOWN)?;
        entropy.draw(drawn)?;
        Ok(Secret::new(&*drawn))
    }

    /// Compares with what was drawn, which is good for one try.
    fn prove(
        &mut self,
        compare: impl FnOnce(&ManagementKey, &Pending) -> Result<bool, Status>,
    ) -> Result<(), Status> {
        let pending = self.session.pending.take().ok_or(Status::WRONG_DATA)?;
        if !compare(&self.memory.management, &pending)? {
            return Err(Status::WRONG_DATA);
        }
        self.session.managed = true;
        Ok(())
    }

    /// Encrypts the terminal's challenge, only for a terminal that proved itself.
    fn respond(&self, challenge: &[u8]) -> Outcome {
        self.managed()?;
        let response = self.memory.management.encrypt(challenge)?;
        Ok(object::<0x7C>(&object::<0x82>(response.bytes())).into())
    }

    /// `00 FF FF FF  <algorithm> 9B L <key>`. The session stays authenticated.
    pub(super) fn set_management_key(&mut self, command: &Command, work: &mut Work) -> Outcome {
        parameters(command, 0xFF, 0xFF)?;
        self.managed()?;
        let &[algorithm, REFERENCE, length, ref key @ ..] = command.data() else {
            return Err(Status::WRONG_DATA);
        };
        let cipher = match algorithm {
            0x00 => None,
            algorithm => Cipher::from_number(algorithm),
        };
        let cipher = cipher.filter(|_| usize::from(length) == key.len());
        let key = cipher.and_then(|cipher| ManagementKey::new(cipher, key));
        let key = key.ok_or(Status::WRONG_DATA)?;
        work.written += key.key.bytes().len() + 1;
        self.memory.management = key;
        self.session.pending = None;
        Ok(Answer::done())
    }

    /// Returns what a card with this management key drew when it answered so to GENERAL
    /// AUTHENTICATE: the challenge itself, or the witness behind what it sent.
    pub(super) fn drawn_for(&self, command: &Command, answer: &Response) -> Option<Secret> {
        let key = &self.memory.management;
        if (command.ins(), command.p2()) != (0x87, REFERENCE) || !answer.status().is_ok() {
            return None;
        }
        let content = super::single(answer.data(), 0x7C).ok()?;
        let [sent] = super::objects(content).ok()?[..] else {
            return None;
        };
        let sent = (sent.value.len() == key.cipher.block()).then_some(sent)?;
        match sent.tag.value() {
            0x81 => Some(Secret::new(sent.value)),
            0x80 => key.decrypt(sent.value).ok(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AES: FIPS 197 appendix C. Triple DES: what a recorded terminal sent to a blank.
    #[test]
    fn ciphers_give_the_published_blocks() {
        let block = hex::decode("00112233445566778899aabbccddeeff").unwrap();
        let key: Vec<u8> = (0..32).collect();
        for (cipher, length, expected) in [
            (Cipher::Aes128, 16, "69c4e0d86a7b0430d8cdb78070b4c55a"),
            (Cipher::Aes192, 24, "dda97ca4864cdfe06eaf70a0ec0d7191"),
            (Cipher::Aes256, 32, "8ea2b7ca516745bfeafc49904b496089"),
        ] {
            let key = ManagementKey::new(cipher, &key[..length]).unwrap();
            let encrypted = key.encrypt(&block).unwrap();
            assert_eq!(hex::encode(encrypted.bytes()), expected);
            assert!(key.decrypt(encrypted.bytes()).unwrap().matches(&block));
        }
        let challenge = hex::decode("04431b361f2b26dc").unwrap();
        let response = ManagementKey::default().encrypt(&challenge).unwrap();
        assert_eq!(hex::encode(response.bytes()), "cd9342e3da52a3aa");
    }

    #[test]
    fn a_key_must_suit_its_cipher() {
        assert!(ManagementKey::new(Cipher::Aes256, &[0; 24]).is_none());
        assert!(ManagementKey::new(Cipher::TripleDes, &[0; 16]).is_none());
        assert!(ManagementKey::default().is_default());
    }
}

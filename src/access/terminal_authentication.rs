//! Terminal authentication: the chip learns who reads it, and what that reader may read
//! (*ICAO 9303-11 §7.1; BSI TR-03110-3 §A.7, §B.3 and §B.11*).
//!
//! ```text
//!   for each certificate that leads from the chip's trust point to the terminal:
//!     MSE:Set DST 83 CAR ─► PSO: Verify Certificate 7F4E, 5F37
//!   MSE:Set AT 83 CHR ─► GET CHALLENGE ─► EXTERNAL AUTHENTICATE
//!     version 2: with 80, 67, 91          signature over ID ‖ challenge ‖ Comp(key) [‖ 67]
//! ```
//!
//! All of it runs inside of secure messaging. What binds it to the session is given: the chip's
//! identifier (with basic access control the document number with its check digit, with PACE the
//! chip's compressed ephemeral key) and the terminal's compressed ephemeral key of chip
//! authentication.

mod certificates;
#[cfg(test)]
mod tests;
mod trust_points;

use std::error::Error as StdError;
use std::fmt;

use card::tlv::{Tag, encode};
use card::{Command, ExchangeError, Response, Status};
use cert::cvc::HolderReference;
use thiserror::Error;

use crate::dialogue::{Dialogue, Turn};
pub use certificates::{
    MAX_TERMINAL_CERTIFICATES, TerminalCertificates, TerminalCertificatesError,
};
pub use trust_points::{TrustPointsError, read_trust_points};

/// Bytes of a challenge.
const CHALLENGE: usize = 8;
/// Most bytes of a signature: RSA of 4096 bits.
const MAX_SIGNATURE: usize = 512;

const MANAGE_ENVIRONMENT: u8 = 0x22;
const PERFORM_OPERATION: u8 = 0x2A;
const GET_CHALLENGE: u8 = 0x84;
const EXTERNAL_AUTHENTICATE: u8 = 0x82;

const MECHANISM: Tag = Tag::known::<0x80>();
const KEY_REFERENCE: Tag = Tag::known::<0x83>();
const EPHEMERAL_KEY: Tag = Tag::known::<0x91>();

/// The terminal's private key, wherever it is.
pub trait TerminalKey {
    /// Returns the signature by the algorithm of the terminal's certificate over `message`, which
    /// is hashed here: r ‖ s for ECDSA, as long as the modulus for RSA.
    ///
    /// # Errors
    /// Whatever keeps the key from signing.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Box<dyn StdError + Send + Sync>>;
}

/// Says why a chip did not accept the terminal.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TerminalAuthenticationError {
    /// The channel failed.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// No certificates lead from a trust point of the chip to the terminal.
    #[error(
        "no certificates lead from {} to the terminal; get a link certificate or a certificate of that country",
        names(trusted)
    )]
    NoPath {
        /// The chip's trust points.
        trusted: Vec<HolderReference>,
    },
    /// The chip does not know the issuer of a certificate.
    #[error("chip does not know {issuer}: {status}")]
    UnknownIssuer {
        /// The issuer.
        issuer: HolderReference,
        /// The chip's answer.
        status: Status,
    },
    /// The chip does not accept a certificate: for example, its date has passed.
    #[error("chip refuses the certificate of {holder}: {status}")]
    Certificate {
        /// The holder.
        holder: HolderReference,
        /// The chip's answer.
        status: Status,
    },
    /// The chip does not select the terminal's key.
    #[error("chip does not take up the terminal's key: {0}")]
    NotSelected(Status),
    /// The chip gives no challenge.
    #[error("chip gives no challenge: {0}")]
    NoChallenge(Status),
    /// The challenge has a wrong length.
    #[error("chip gives a challenge of {0} bytes; {CHALLENGE} belong there")]
    ChallengeLength(usize),
    /// The terminal's key does not sign.
    #[error("the terminal's key does not sign")]
    Key(#[source] Box<dyn StdError + Send + Sync>),
    /// The terminal's key gives something that is no signature.
    #[error("the terminal's key gives {0} bytes, which are no signature")]
    SignatureLength(usize),
    /// The chip does not accept the signature, or not now: once a session is all there is.
    #[error("chip refuses the terminal: {0}")]
    Refused(Status),
}

fn names(references: &[HolderReference]) -> String {
    let names: Vec<_> = references.iter().map(ToString::to_string).collect();
    names.join(" or ")
}

/// Which version of the protocol, with what only it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TerminalVersion {
    /// Version 1, after chip authentication: every travel document.
    One,
    /// Version 2, before chip authentication: the key that it will use is announced.
    Two {
        /// The authenticated auxiliary data, a whole object 67; empty for none.
        auxiliary: Vec<u8>,
    },
}

/// What binds terminal authentication to the session with the chip.
#[derive(Clone, PartialEq, Eq)]
pub struct TerminalBinding {
    /// The chip's identifier, ID_PICC.
    pub chip: Vec<u8>,
    /// The terminal's compressed ephemeral public key: the x-coordinate for ECDH, SHA-1 for DH.
    pub key: Vec<u8>,
    /// The version.
    pub version: TerminalVersion,
}

/// Terminal authentication between two of its commands.
pub struct TerminalAuthentication<'a> {
    key: &'a dyn TerminalKey,
    binding: TerminalBinding,
    /// The certificates to send, the next one last.
    left: Vec<Step>,
    /// The object identifier of the terminal's algorithm, and the terminal's reference.
    terminal: (Vec<u8>, HolderReference),
    stage: Stage,
}

/// One certificate on its way to the chip.
struct Step {
    issuer: HolderReference,
    holder: HolderReference,
    data: Vec<u8>,
}

enum Stage {
    /// MSE:Set DST is sent for this certificate.
    Issuer(Step),
    /// PSO: Verify Certificate is sent for this holder.
    Certificate(HolderReference),
    /// MSE:Set AT is sent.
    Selected,
    /// GET CHALLENGE is sent.
    Challenge,
    /// EXTERNAL AUTHENTICATE is sent.
    Proof,
}

impl<'a> TerminalAuthentication<'a> {
    /// Returns the first command and what waits for its answer. `trusted` are the chip's trust
    /// points, out of EF.CVCA or of PACE, the most recent first; the shortest way from any of them
    /// is sent.
    ///
    /// # Errors
    /// [`TerminalAuthenticationError::NoPath`].
    pub fn start(
        certificates: &TerminalCertificates,
        trusted: &[HolderReference],
        binding: TerminalBinding,
        key: &'a dyn TerminalKey,
    ) -> Result<(Command, Self), TerminalAuthenticationError> {
        let path = certificates.path(trusted);
        let mut left: Vec<_> = path
            .iter()
            .rev()
            .map(|certificate| Step {
                issuer: certificate.issuer().clone(),
                holder: certificate.holder().clone(),
                data: certificate.verification_data(),
            })
            .collect();
        let Some(first) = left.pop() else {
            let trusted = trusted.to_vec();
            return Err(TerminalAuthenticationError::NoPath { trusted });
        };
        let terminal = certificates.terminal();
        let algorithm = terminal.public_key().algorithm().oid();
        let command = set_issuer(&first);
        Ok((
            command,
            Self {
                key,
                binding,
                left,
                terminal: (algorithm.as_bytes().to_vec(), terminal.holder().clone()),
                stage: Stage::Issuer(first),
            },
        ))
    }

    fn select(&self) -> Command {
        let (algorithm, holder) = &self.terminal;
        let reference = encode(KEY_REFERENCE, holder.as_bytes());
        let data = match &self.binding.version {
            TerminalVersion::One => reference,
            TerminalVersion::Two { auxiliary } => [
                encode(MECHANISM, algorithm),
                reference,
                auxiliary.clone(),
                encode(EPHEMERAL_KEY, &self.binding.key),
            ]
            .concat(),
        };
        Command::new(0x00, MANAGE_ENVIRONMENT, 0x81, 0xA4).with_data(data)
    }

    fn prove(&self, challenge: &[u8]) -> Result<Command, TerminalAuthenticationError> {
        if challenge.len() != CHALLENGE {
            return Err(TerminalAuthenticationError::ChallengeLength(
                challenge.len(),
            ));
        }
        let message = self.binding.message(challenge);
        let signature = self
            .key
            .sign(&message)
            .map_err(TerminalAuthenticationError::Key)?;
        if !(1..=MAX_SIGNATURE).contains(&signature.len()) {
            return Err(TerminalAuthenticationError::SignatureLength(
                signature.len(),
            ));
        }
        Ok(Command::new(0x00, EXTERNAL_AUTHENTICATE, 0, 0).with_data(signature))
    }
}

impl TerminalBinding {
    /// Returns what the terminal signs: ID_PICC ‖ r_PICC ‖ Comp(PK_PCD), and in version 2 the
    /// auxiliary data.
    pub fn message(&self, challenge: &[u8]) -> Vec<u8> {
        let auxiliary = match &self.version {
            TerminalVersion::One => &[][..],
            TerminalVersion::Two { auxiliary } => auxiliary,
        };
        [&self.chip, challenge, &self.key, auxiliary].concat()
    }
}

impl Dialogue for TerminalAuthentication<'_> {
    type Outcome = ();
    type Error = TerminalAuthenticationError;

    fn answer(
        mut self,
        response: &Response,
    ) -> Result<Turn<Self, ()>, TerminalAuthenticationError> {
        let status = response.status();
        let good = status.is_ok();
        let (command, stage) = match self.stage {
            Stage::Issuer(step) if good => {
                let command =
                    Command::new(0x00, PERFORM_OPERATION, 0x00, 0xBE).with_data(step.data);
                (command, Stage::Certificate(step.holder))
            }
            Stage::Issuer(Step { issuer, .. }) => {
                return Err(TerminalAuthenticationError::UnknownIssuer { issuer, status });
            }
            Stage::Certificate(_) if good => match self.left.pop() {
                Some(step) => (set_issuer(&step), Stage::Issuer(step)),
                None => (self.select(), Stage::Selected),
            },
            Stage::Certificate(holder) => {
                return Err(TerminalAuthenticationError::Certificate { holder, status });
            }
            Stage::Selected if good => {
                let command = Command::new(0x00, GET_CHALLENGE, 0, 0).with_le(CHALLENGE as u32);
                (command, Stage::Challenge)
            }
            Stage::Selected => return Err(TerminalAuthenticationError::NotSelected(status)),
            Stage::Challenge if good => (self.prove(response.data())?, Stage::Proof),
            Stage::Challenge => return Err(TerminalAuthenticationError::NoChallenge(status)),
            Stage::Proof if good => return Ok(Turn::Done(())),
            Stage::Proof => return Err(TerminalAuthenticationError::Refused(status)),
        };
        self.stage = stage;
        Ok(Turn::Send(command, self))
    }
}

fn set_issuer(step: &Step) -> Command {
    Command::new(0x00, MANAGE_ENVIRONMENT, 0x81, 0xB6)
        .with_data(encode(KEY_REFERENCE, step.issuer.as_bytes()))
}

// With basic access control the chip's identifier is the document number.
impl fmt::Debug for TerminalBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TerminalBinding")
    }
}

impl fmt::Debug for TerminalAuthentication<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let awaited = match &self.stage {
            Stage::Issuer(step) => format!("{} selected", step.issuer),
            Stage::Certificate(holder) => format!("{holder} accepted"),
            Stage::Selected => "key selected".to_owned(),
            Stage::Challenge => "challenge".to_owned(),
            Stage::Proof => "proof accepted".to_owned(),
        };
        write!(f, "TerminalAuthentication({awaited} awaited)")
    }
}

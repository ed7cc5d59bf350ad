//! The second factor: what an account has, and what is shown of it at a sign-in.

use std::fmt;

use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::central::Central;
use crate::error::{CentralError, Result};
use crate::people::card;
use crate::people::totp::Shared;

/// A kind of second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecondFactor {
    /// Codes of an app (*RFC 6238*).
    Totp,
    /// The person's own card.
    Card,
}

impl SecondFactor {
    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Totp => "totp",
            Self::Card => "card",
        }
    }
}

/// What proves a second factor.
#[derive(Clone)]
pub enum FactorProof {
    /// The code that the app shows.
    Totp(Zeroizing<String>),
    /// The card's answer.
    Card {
        /// The authentication certificate, DER.
        certificate: Vec<u8>,
        /// Its key's signature over the challenge: r and s, as ES256 and ES384 have it.
        signature: Vec<u8>,
    },
}

impl fmt::Debug for FactorProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Totp(_) => "FactorProof::Totp(…)",
            Self::Card { .. } => "FactorProof::Card(…)",
        })
    }
}

/// A second factor as it is stored.
#[derive(PartialEq)]
pub(crate) enum StoredFactor {
    /// The sealed secret.
    Totp(Vec<u8>),
    /// The SHA-256 of the card's public key.
    Card(Vec<u8>),
}

/// How a proof was judged.
pub(crate) enum Judged {
    /// It holds; of a code, with its time step.
    Proved(Option<i64>),
    /// It does not, for this reason.
    Wrong(&'static str),
}

impl StoredFactor {
    /// Reads one of the two columns.
    pub(crate) fn read(totp: Option<Vec<u8>>, card: Option<Vec<u8>>) -> Result<Option<Self>> {
        match (totp, card) {
            (None, None) => Ok(None),
            (Some(sealed), None) => Ok(Some(Self::Totp(sealed))),
            (None, Some(digest)) => Ok(Some(Self::Card(digest))),
            (Some(_), Some(_)) => Err(CentralError::damaged("an account's second factor")),
        }
    }

    /// Returns its kind.
    pub(crate) fn kind(&self) -> SecondFactor {
        match self {
            Self::Totp(_) => SecondFactor::Totp,
            Self::Card(_) => SecondFactor::Card,
        }
    }
}

impl Central {
    /// Seals an app's secret for one account.
    pub(crate) async fn seal_shared(&self, account: &str, shared: &Shared) -> Result<Vec<u8>> {
        let (token, label) = (self.token(), self.labels().people.clone());
        let (bytes, context) = (shared.to_bytes(), context(account));
        self.blocking(move || {
            let key = hsm::EnvelopeKey::from_spki_der(&token.public_key(&label)?)?;
            Ok(key.seal(&bytes, &context)?)
        })
        .await?
    }

    /// Judges what was shown of a second factor.
    pub(crate) async fn judge_factor(
        &self,
        account: &str,
        factor: &StoredFactor,
        last_step: Option<i64>,
        challenge: &str,
        proof: FactorProof,
        now: Timestamp,
    ) -> Result<Judged> {
        match (factor, proof) {
            (StoredFactor::Totp(sealed), FactorProof::Totp(code)) => {
                let (token, label) = (self.token(), self.labels().people.clone());
                let (sealed, context) = (sealed.clone(), context(account));
                let opened = self.blocking(move || token.open_envelope(&label, &sealed, &context));
                let shared = Shared::from_bytes(&opened.await??)?;
                Ok(match shared.step_of(code.trim(), now, last_step) {
                    Some(step) => Judged::Proved(Some(step)),
                    None => Judged::Wrong("the code is wrong, late, or was used"),
                })
            }
            (
                StoredFactor::Card(digest),
                FactorProof::Card {
                    certificate,
                    signature,
                },
            ) => Ok(
                match card::check(&certificate, digest, challenge, &signature, now) {
                    Ok(()) => Judged::Proved(None),
                    Err(reason) => Judged::Wrong(reason),
                },
            ),
            _ => Ok(Judged::Wrong("another kind of second factor was shown")),
        }
    }
}

fn context(account: &str) -> Vec<u8> {
    format!("second factor of account {account}").into_bytes()
}

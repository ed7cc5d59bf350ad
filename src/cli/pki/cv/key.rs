//! The keys of a holder: in a token, labelled with their references.

use std::path::PathBuf;
use std::sync::Arc;

use cert::cvc::{CvCertificate, HolderReference};
use clap::Args;
use hsm::Token;
use pki::CvKey;

use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::hsm::{NewKey, OfficerChoice, TokenChoice, make, officer};

/// Which key is made.
#[derive(Args)]
pub(crate) struct NewKeyChoice {
    /// The kind of key; below a CVCA, that of the CVCA.
    #[arg(long, value_name = "KIND", default_value = "p256")]
    kind: NewKey,
    /// Take the key that the token holds under this reference already: after an interruption.
    #[arg(long)]
    existing_key: bool,
    /// An officer and that officer's key, twice: `zimogs hsm generate --help` says more.
    #[arg(
        long = "officer",
        value_name = "NAME=KEY",
        required_unless_present = "existing_key",
        value_parser = officer
    )]
    officers: Vec<(String, PathBuf)>,
    #[command(flatten)]
    pub(crate) token: TokenChoice,
}

impl NewKeyChoice {
    /// Opens the token; the program may start itself again in here.
    pub(crate) fn open(&self) -> Result<Token, Failure> {
        match self.kind {
            NewKey::Aes128
            | NewKey::Aes192
            | NewKey::Aes256
            | NewKey::Des3
            | NewKey::Ed25519
            | NewKey::Envelope => {
                let fault = format!("a {} key signs no such certificates", self.kind.name());
                Err(Failure::new(Kind::Usage, fault).with_hint("--kind p256, or p384"))
            }
            _ => self.token.place()?.open(),
        }
    }

    /// Has two officers make the key of a reference.
    pub(crate) fn make(&self, token: &Token, holder: &HolderReference) -> Result<CvKey, Failure> {
        let label = holder.to_string();
        if !self.existing_key {
            let place = self.token.place()?;
            let officers = OfficerChoice::of(self.officers.clone()).open(&place)?;
            make(token, &officers, self.kind, &label)?;
        }
        key(token, holder)
    }
}

/// Returns the key of a reference.
pub(crate) fn key(token: &Token, holder: &HolderReference) -> Result<CvKey, Failure> {
    let signer = token.signer(&holder.to_string()).or_fail(Kind::Device)?;
    CvKey::new(Arc::new(signer)).or_fail(Kind::Device)
}

/// Returns the key of a holder's own certificate; another key under its label is a fault.
pub(crate) fn key_of(token: &Token, own: &CvCertificate) -> Result<CvKey, Failure> {
    let key = key(token, own.holder())?;
    match key.is_certified_by(own) {
        true => Ok(key),
        false => {
            let fault = format!("the token's key {} is not the one certified", own.holder());
            Err(Failure::new(Kind::Integrity, fault))
        }
    }
}

/// Reads country and name of a holder: plain letters and digits, as its key's label has them.
pub(crate) fn holder_name(text: &str) -> Result<String, String> {
    if !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err("a holder's name is letters and digits here, as in LVCVCA".to_owned());
    }
    HolderReference::first(text).map_err(|error| error.to_string())?;
    Ok(text.to_owned())
}

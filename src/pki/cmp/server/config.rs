//! How an installation says what its endpoint does, and for whom.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::{CmpClient, CmpClientCredential, CmpServerError, CmpServerPolicy};
use crate::cmp::config::CmpConfigError;
use crate::cmp::files::{CmpFileError, one_certificate, shared_secret};
use crate::profile::CertificateProfile;

/// An endpoint, as the installation describes it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CmpServerConfig {
    /// The names of the certificate profiles that may be asked for.
    pub profiles: Vec<String>,
    /// The profile of a request that names none.
    pub default_profile: Option<String>,
    /// Whether a requester that asks for it need not confirm.
    #[serde(default)]
    pub implicit_confirmation: bool,
    /// How long a certificate waits for its confirmation, before it is revoked.
    #[serde(default = "confirm_within")]
    pub confirm_within_seconds: u32,
    /// Whether a certificate is on hold until it is released.
    #[serde(default = "yes")]
    pub issues_on_hold: bool,
    /// How long requesters must poll; not at all where nothing stands here.
    pub delay_seconds: Option<u32>,
    /// Whether a holder may renew its own certificate for any key that it has.
    #[serde(default)]
    pub holders_renew: bool,
    /// How far a message's time may be from ours.
    #[serde(default = "clocks")]
    pub clocks_seconds: u32,
    /// Who may ask.
    #[serde(default, rename = "client")]
    pub clients: Vec<CmpClientConfig>,
}

/// A client of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CmpClientConfig {
    /// Its name.
    pub name: String,
    /// By what it is known.
    pub credential: CmpClientProof,
    /// Whether it is a registration authority.
    #[serde(default)]
    pub registration_authority: bool,
    /// The profiles that it may ask for; all of them where nothing stands here.
    pub profiles: Option<Vec<String>>,
}

/// By what a client is known, in files.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum CmpClientProof {
    /// A shared secret.
    Mac {
        /// The reference by which the client names it (`senderKID`).
        reference: String,
        /// The file that holds it, and nothing else; a line's end behind it does not count.
        secret_file: PathBuf,
    },
    /// Its certificate, PEM.
    Signature {
        /// The file.
        certificate_file: PathBuf,
    },
}

fn yes() -> bool {
    true
}

fn confirm_within() -> u32 {
    600
}

fn clocks() -> u32 {
    300
}

impl CmpServerConfig {
    /// Returns the configuration that `text` (TOML) describes.
    ///
    /// # Errors
    /// [`CmpConfigError`].
    pub fn parse(text: &str) -> Result<Self, CmpConfigError> {
        let config: Self =
            toml::from_str(text).map_err(|error| CmpConfigError::Syntax(Box::new(error)))?;
        for (field, value, most) in [
            (
                "confirm_within_seconds",
                config.confirm_within_seconds,
                86_400,
            ),
            ("clocks_seconds", config.clocks_seconds, 3600),
            ("delay_seconds", config.delay_seconds.unwrap_or(1), 86_400),
        ] {
            if !(1..=most).contains(&value) {
                return Err(CmpConfigError::Value {
                    field,
                    reason: format!("is not within 1 to {most}"),
                });
            }
        }
        Ok(config)
    }

    /// Returns the policy, with the profiles that `profile` finds by their names.
    ///
    /// # Errors
    /// [`CmpServerError::UnknownProfile`]; what else may be wrong, [`super::CmpServer::new`] says.
    pub fn policy(
        &self,
        profile: impl Fn(&str) -> Option<Arc<CertificateProfile>>,
    ) -> Result<CmpServerPolicy, CmpServerError> {
        let find = |name: &String| {
            let unknown = || CmpServerError::UnknownProfile { name: name.clone() };
            Ok((name.clone(), profile(name).ok_or_else(unknown)?))
        };
        let profiles = self.profiles.iter().map(find);
        let profiles = profiles.collect::<Result<BTreeMap<_, _>, CmpServerError>>()?;
        let allowed = self.clients.iter().flat_map(|client| &client.profiles);
        if let Some(name) = allowed.flatten().find(|name| !profiles.contains_key(*name)) {
            return Err(CmpServerError::UnknownProfile { name: name.clone() });
        }
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        Ok(CmpServerPolicy {
            profiles,
            default_profile: self.default_profile.clone(),
            implicit_confirmation: self.implicit_confirmation,
            confirm_within: seconds(self.confirm_within_seconds),
            issues_on_hold: self.issues_on_hold,
            delay: self.delay_seconds.map(seconds),
            holders_renew: self.holders_renew,
            clocks: seconds(self.clocks_seconds),
        })
    }

    /// Reads the clients' secrets and certificates; the files are seen from `folder`.
    ///
    /// # Errors
    /// [`CmpFileError`].
    pub fn clients(&self, folder: &Path) -> Result<Vec<CmpClient>, CmpFileError> {
        let read = |client: &CmpClientConfig| {
            let credential = match &client.credential {
                CmpClientProof::Mac {
                    reference,
                    secret_file,
                } => CmpClientCredential::Secret(shared_secret(
                    reference,
                    &folder.join(secret_file),
                )?),
                CmpClientProof::Signature { certificate_file } => CmpClientCredential::Certificate(
                    Box::new(one_certificate(&folder.join(certificate_file))?),
                ),
            };
            Ok(CmpClient {
                name: client.name.clone(),
                credential,
                is_registration_authority: client.registration_authority,
                profiles: client.profiles.clone(),
            })
        };
        self.clients.iter().map(read).collect()
    }
}

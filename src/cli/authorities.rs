//! The certification authorities outside an installation, as its `installation.toml` names them.
//!
//! ```text
//! [authorities.qualified]
//! environment = "production"
//! protocol = "cmp"                 # or "est"
//! config = "qualified-cmp.toml"    # how it is reached: docs/certificates.md
//!
//! [authorities.other]              # EST neither revokes nor finds again:
//! environment = "production"
//! protocol = "est"
//! config = "other-est.toml"
//! chain = "other-chain.pem"        # its certificates: the anchor first
//! anchors = "other-tls.pem"        # the anchors of its server
//! certificate = "ra.pem"           # ours, and its key's label in the token
//! key = "ra"
//! revokes_over = "qualified"       # the second channel, another of these
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use document::Environment;
use hsm::{HsmError, Signer, Token};
use pki::{
    CertificateAuthority, CmpAuthority, CmpConfig, CmpParts, EstAccess, EstAuthority, EstConfig,
    Paired,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::cli::card::pem;
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::secret_file;

/// What `installation.toml` says of one.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Connection {
    environment: Environment,
    protocol: Protocol,
    config: PathBuf,
    chain: Option<PathBuf>,
    anchors: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<String>,
    password: Option<PathBuf>,
    revokes_over: Option<String>,
}

/// How it is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Protocol {
    Cmp,
    Est,
}

impl Connection {
    /// Makes the paths absolute that are seen from a folder.
    pub(crate) fn seen_from(&mut self, folder: &Path) {
        let mut paths = vec![&mut self.config];
        paths.extend(self.chain.as_mut());
        paths.extend(self.anchors.as_mut());
        paths.extend(self.certificate.as_mut());
        paths.extend(self.password.as_mut());
        for path in paths {
            *path = folder.join(&*path);
        }
    }

    fn connect(
        &self,
        name: &str,
        folder: &Path,
        token: &Token,
    ) -> Result<Arc<dyn CertificateAuthority>, Failure> {
        let file = folder.join(&self.config);
        let text = std::fs::read_to_string(&file).map_err(|error| {
            let fault = format!("authority {name}: cannot read {}: {error}", file.display());
            Failure::new(Kind::Usage, fault)
        })?;
        // What a configuration names is seen from where it stands.
        let beside = file.parent().unwrap_or(folder);
        let random = Arc::new(token.clone());
        match self.protocol {
            Protocol::Cmp => {
                let config = CmpConfig::parse(&text).or_fail(Kind::Usage)?;
                let parts = CmpParts::read(&config, beside, |label| signer(token, label));
                let parts = parts.or_fail(Kind::Usage)?;
                let made = CmpAuthority::new(config, parts, random).or_fail(Kind::Usage)?;
                Ok(Arc::new(made))
            }
            Protocol::Est => {
                let config = EstConfig::parse(&text).or_fail(Kind::Usage)?;
                let access = self.est_access(name, folder, token)?;
                let chain = pem::read(&folder.join(self.needed(name, "chain", &self.chain)?))?;
                let made = EstAuthority::new(config, access, chain, random).or_fail(Kind::Usage)?;
                Ok(Arc::new(made))
            }
        }
    }

    fn est_access(&self, name: &str, folder: &Path, token: &Token) -> Result<EstAccess, Failure> {
        let anchors = self.needed(name, "anchors", &self.anchors)?;
        let identity = match (&self.certificate, &self.key) {
            (Some(certificate), Some(label)) => Some((
                pem::read(&folder.join(certificate))?,
                signer(token, label).or_fail(Kind::Device)?,
            )),
            (None, None) => None,
            _ => {
                let fault = format!("authority {name}: certificate and key go together");
                return Err(Failure::new(Kind::Usage, fault));
            }
        };
        let password = match &self.password {
            Some(path) => Some(password(&folder.join(path))?),
            None => None,
        };
        Ok(EstAccess {
            server_anchors: pem::read(&folder.join(anchors))?,
            identity,
            password,
        })
    }

    fn needed<'a>(
        &self,
        name: &str,
        what: &str,
        value: &'a Option<PathBuf>,
    ) -> Result<&'a Path, Failure> {
        value.as_deref().ok_or_else(|| {
            let fault = format!("authority {name}: {what} is missing");
            Failure::new(Kind::Usage, fault).with_hint("docs/certificates.md shows the form")
        })
    }
}

fn signer(token: &Token, label: &str) -> Result<Arc<dyn Signer>, HsmError> {
    let signer = token.signer(label)?;
    Ok(Arc::new(signer))
}

fn password(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let text = secret_file::read(path, "password")?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(Zeroizing::new(
        line.strip_suffix('\r').unwrap_or(line).to_owned(),
    ))
}

/// Connects every authority of an installation.
pub(crate) fn connect(
    connections: &BTreeMap<String, Connection>,
    environment: Environment,
    folder: &Path,
    token: &Token,
) -> Result<BTreeMap<String, Arc<dyn CertificateAuthority>>, Failure> {
    let mut alone = BTreeMap::new();
    for (name, connection) in connections {
        if connection.environment != environment {
            return Err(Failure::new(
                Kind::Refused,
                format!(
                    "authority {name} is for {}, this installation is for {environment}",
                    connection.environment
                ),
            )
            .with_hint("give each installation an authority of its own environment"));
        }
        alone.insert(name.clone(), connection.connect(name, folder, token)?);
    }
    let mut all = BTreeMap::new();
    for (name, connection) in connections {
        let own = alone.get(name).cloned();
        let own = own.ok_or_else(|| Failure::new(Kind::Usage, name.clone()))?;
        let made = match &connection.revokes_over {
            None => own,
            Some(second) => {
                let second = alone.get(second).cloned().ok_or_else(|| {
                    let fault =
                        format!("authority {name} revokes over \"{second}\", and there is none");
                    Failure::new(Kind::Usage, fault)
                })?;
                Arc::new(Paired::new(own, second))
            }
        };
        if !made.promises().sets_status {
            return Err(Failure::new(
                Kind::Usage,
                format!("authority {name} cannot revoke: its protocol has no way to"),
            )
            .with_hint(
                "name a second channel: revokes_over = \"NAME\" of another authority here",
            ));
        }
        all.insert(name.clone(), made);
    }
    Ok(all)
}

//! The files that a configuration names.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cert::{Certificate, CertificateError};
use hsm::{HsmError, Signer};
use zeroize::{Zeroize, Zeroizing};

use crate::cmp::client::CmpParts;
use crate::cmp::config::{CmpConfig, CmpProtection};
use crate::cmp::protection::{Credential, ProtectionError, SharedSecret, SigningIdentity};

/// The longest file that is read.
const LONGEST: u64 = 1 << 20;
const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// Why what a configuration names was not brought together.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CmpFileError {
    /// A file was not read.
    #[error("{path} was not read")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A secret's file can be read by others than its owner.
    #[error("{path} holds a secret and can be read by others: chmod 600 {path}")]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// A file has no certificate, or something between its certificates' lines that is none.
    #[error("{path} is no list of certificates in PEM")]
    Pem {
        /// The file.
        path: PathBuf,
    },
    /// A certificate in a file does not read.
    #[error("a certificate in {path} does not read")]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: CertificateError,
    },
    /// The key is not at hand.
    #[error("the key that signs CMP messages is not at hand")]
    Key(#[source] HsmError),
    /// What was read does not make a credential.
    #[error("what protects CMP messages does not serve")]
    Credential(#[source] ProtectionError),
}

impl CmpParts {
    /// Brings together what a configuration names: its files, seen from `folder`, and the key with
    /// a label in the token.
    ///
    /// # Errors
    /// [`CmpFileError`].
    pub fn read(
        config: &CmpConfig,
        folder: &Path,
        signer: impl FnOnce(&str) -> Result<Arc<dyn Signer>, HsmError>,
    ) -> Result<Self, CmpFileError> {
        let list = |path: &Option<PathBuf>| match path {
            None => Ok(Vec::new()),
            Some(path) => certificates(&folder.join(path)),
        };
        let credential = match &config.protection {
            CmpProtection::Mac {
                reference,
                secret_file,
            } => shared_secret(reference, &folder.join(secret_file)).map(Credential::Mac)?,
            CmpProtection::Signature {
                key,
                certificate_file,
            } => {
                let path = folder.join(certificate_file);
                let mut all = certificates(&path)?.into_iter();
                let own = all.next().ok_or(CmpFileError::Pem { path })?;
                let signer = signer(key).map_err(CmpFileError::Key)?;
                SigningIdentity::new(signer, own, all.collect())
                    .map(Credential::Signature)
                    .map_err(CmpFileError::Credential)?
            }
        };
        Ok(Self {
            credential,
            chain: certificates(&folder.join(&config.chain_file))?,
            responders: list(&config.responders_file)?,
            tls_anchors: list(&config.tls_anchors_file)?,
        })
    }
}

/// Reads a secret, in a file of its own that only its owner can read.
pub(crate) fn shared_secret(reference: &str, path: &Path) -> Result<SharedSecret, CmpFileError> {
    let text = Zeroizing::new(read(path, true)?);
    let secret = text.strip_suffix(b"\n").unwrap_or(&text);
    let secret = secret.strip_suffix(b"\r").unwrap_or(secret);
    SharedSecret::new(reference.as_bytes(), secret).map_err(CmpFileError::Credential)
}

/// Reads the first certificate of a PEM file.
pub(crate) fn one_certificate(path: &Path) -> Result<Certificate, CmpFileError> {
    let first = certificates(path)?.into_iter().next();
    first.ok_or_else(|| CmpFileError::Pem {
        path: path.to_owned(),
    })
}

/// Reads a file. Its length and its mode are those of the file that is read, whatever is put in its
/// place meanwhile; and nothing of it is left where a buffer grew.
fn read(path: &Path, is_secret: bool) -> Result<Vec<u8>, CmpFileError> {
    let failed = |source| CmpFileError::Read {
        path: path.to_owned(),
        source,
    };
    let too_long = || failed(io::Error::from(io::ErrorKind::FileTooLarge));
    let mut file = File::open(path).map_err(failed)?;
    let known = file.metadata().map_err(failed)?;
    if is_secret && known.permissions().mode() & 0o077 != 0 {
        return Err(CmpFileError::Exposed {
            path: path.to_owned(),
        });
    }
    if known.len() > LONGEST {
        return Err(too_long());
    }
    let room = usize::try_from(known.len()).map_err(|_| too_long())?;
    let mut bytes = Vec::with_capacity(room + 1);
    let most = known.len() + 1;
    Read::take(&mut file, most)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() > room {
        // It grew, or is no file that has a length.
        bytes.zeroize();
        return Err(too_long());
    }
    Ok(bytes)
}

/// Reads the certificates of a PEM file, one at least; what stands around them is a comment.
fn certificates(path: &Path) -> Result<Vec<Certificate>, CmpFileError> {
    let malformed = || CmpFileError::Pem {
        path: path.to_owned(),
    };
    let text = String::from_utf8(read(path, false)?).map_err(|_| malformed())?;
    let mut rest = text.as_str();
    let mut found = Vec::new();
    while let Some(start) = rest.find(BEGIN) {
        let from = rest.get(start..).unwrap_or_default();
        let end = from.find(END).ok_or_else(malformed)? + END.len();
        let (block, after) = from.split_at(end);
        let (_, der) = pem_rfc7468::decode_vec(block.as_bytes()).map_err(|_| malformed())?;
        let certificate = Certificate::parse(&der).map_err(|source| CmpFileError::Certificate {
            path: path.to_owned(),
            source,
        })?;
        found.push(certificate);
        rest = after;
    }
    if found.is_empty() {
        return Err(malformed());
    }
    Ok(found)
}

//! What travel documents need of an installation: document signers, and the CVCA that their chips
//! trust.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use cert::Certificate;
use hsm::Token;
use jiff::Timestamp;
use pki::country::{DocumentSigners, MessageError, MessageSigner};
use profile::KeyedFiles;
use sqlx::Row;

use crate::database::Connection;
use crate::error::{CentralError, Result};
use crate::statements::sql;

/// What an installation that makes travel documents is told.
#[derive(Clone, Debug, Default)]
pub struct TravelConfig {
    /// The book of document signers; how many documents each signed, the store itself counts on.
    pub signers: DocumentSigners,
    /// The certificates of those in the book. A key has the label of its entry.
    pub certificates: Vec<Certificate>,
    /// The country signing certificates that vouch for them.
    pub anchors: Vec<Certificate>,
    /// Links between those.
    pub links: Vec<Certificate>,
    /// The certificate of the CVCA whose inspection systems may read fingerprints.
    pub trust_point: Option<Vec<u8>>,
}

/// The document signers of an installation.
pub struct TravelSigners {
    book: DocumentSigners,
    /// By the serial numbers of their certificates.
    signers: BTreeMap<String, Arc<MessageSigner>>,
    trust_point: Option<Vec<u8>>,
}

/// Whose turn it is.
pub struct Chosen {
    signer: Arc<MessageSigner>,
    serial: String,
}

impl TravelSigners {
    /// Puts every signer's certificate to its key in the token. Blocks on the token.
    ///
    /// # Errors
    /// [`CentralError::Setup`] where a certificate is missing or not of its key; the token's
    /// failures.
    pub fn open(token: &Token, config: TravelConfig) -> Result<Self> {
        let mut signers = BTreeMap::new();
        for entry in config.signers.entries() {
            let unfit = |reason: String| CentralError::Setup {
                reason: format!("document signer {}: {reason}", entry.label),
            };
            let mut all = config.certificates.iter();
            let certificate = all.find(|certificate| certificate.serial_hex() == entry.serial);
            let certificate = certificate
                .ok_or_else(|| unfit(format!("its certificate {} is not there", entry.serial)))?;
            let signer = MessageSigner::new(
                certificate.clone(),
                config.anchors.clone(),
                config.links.clone(),
                Arc::new(token.signer(&entry.label)?),
            )
            .map_err(|error| unfit(error.to_string()))?;
            signers.insert(entry.serial.clone(), Arc::new(signer));
        }
        Ok(Self {
            book: config.signers,
            signers,
            trust_point: config.trust_point,
        })
    }

    /// Returns the certificate of the CVCA that chips trust.
    pub fn trust_point(&self) -> Option<&[u8]> {
        self.trust_point.as_deref()
    }

    /// Returns whose turn it is to sign a document of this type, and counts it. `used` says how
    /// many documents the signers signed so far, by the serial numbers of their certificates; who
    /// keeps it writes it down before the signature is given out.
    ///
    /// # Errors
    /// [`CentralError::Refused`] where nobody signs, with what keeps each from it.
    pub fn take(
        &self,
        used: &mut BTreeMap<String, u64>,
        at: Timestamp,
        document_type: &str,
    ) -> Result<Chosen> {
        let book = self.counted(used)?;
        let entry = book.current(at, document_type);
        let entry = entry.map_err(|error| CentralError::refused(error.to_string()))?;
        let signer = self.signers.get(&entry.serial);
        let signer = signer.ok_or_else(|| CentralError::damaged("the book of signers"))?;
        *used.entry(entry.serial.clone()).or_default() = entry.used + 1;
        Ok(Chosen {
            signer: Arc::clone(signer),
            serial: entry.serial.clone(),
        })
    }

    /// Returns the book with what was signed since it was written.
    fn counted(&self, used: &BTreeMap<String, u64>) -> Result<DocumentSigners> {
        let mut book = DocumentSigners::default();
        let mut spent = Vec::new();
        for entry in self.book.entries() {
            let mut entry = entry.clone();
            entry.used = entry
                .used
                .max(used.get(&entry.serial).copied().unwrap_or(0));
            // A book takes none that would never sign: it stays as the reason why nobody does.
            match entry.used < entry.most {
                true => book.add(entry).map_err(|error| CentralError::Setup {
                    reason: error.to_string(),
                })?,
                false => spent.push(entry),
            }
        }
        let is_spent = book.entries().is_empty() && !spent.is_empty();
        match spent.first().filter(|_| is_spent) {
            Some(entry) => Err(CentralError::refused(format!(
                "no document signer signs now; {} signed all of its {} documents: request another from the country signing CA",
                entry.label, entry.most
            ))),
            None => Ok(book),
        }
    }
}

impl Chosen {
    /// Returns the serial number of the signer's certificate.
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// Signs what was made of a chip's keys; returns all files by their names. Each signature is
    /// verified with its whole chain first. Blocks on the token.
    ///
    /// # Errors
    /// [`MessageError`].
    pub fn sign(
        &self,
        made: KeyedFiles,
        at: Timestamp,
    ) -> Result<BTreeMap<String, Vec<u8>>, MessageError> {
        let kind = &made.document_type;
        let sod = self.signer.sign_document(&made.security_object, kind, at)?;
        let security = made.card_security.as_ref();
        let security = security.map(|infos| self.signer.sign_card_security(infos, kind, at));
        Ok(made.signed(sod, security.transpose()?))
    }
}

impl fmt::Debug for TravelSigners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TravelSigners({} signers)", self.signers.len())
    }
}

/// Returns how many documents each signer signed.
pub(crate) async fn used(tx: &mut Connection) -> Result<BTreeMap<String, u64>> {
    let rows = sqlx::query(sql!("SELECT serial, used FROM document_signer"))
        .fetch_all(tx)
        .await?;
    let counted = rows.iter().map(|row| {
        let used = u64::try_from(row.get::<i64, _>("used"));
        let used = used.map_err(|_| CentralError::damaged("a document signer's count"))?;
        Ok((row.get("serial"), used))
    });
    counted.collect()
}

/// Writes down how many documents a signer signed.
pub(crate) async fn count(
    tx: &mut Connection,
    used: &BTreeMap<String, u64>,
    serial: &str,
) -> Result<()> {
    let used = used.get(serial).copied().unwrap_or_default();
    let used = i64::try_from(used).map_err(|_| CentralError::damaged("a signer's count"))?;
    sqlx::query(sql!(
        "INSERT INTO document_signer (serial, used) VALUES ($1, $2)
         ON CONFLICT (serial) DO UPDATE SET used = excluded.used"
    ))
    .bind(serial)
    .bind(used)
    .execute(tx)
    .await?;
    Ok(())
}

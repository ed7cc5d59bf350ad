//! What an embedded authority issued, and where each certificate stands.

use async_trait::async_trait;
use cert::Certificate;
use jiff::Timestamp;

use crate::authority::Status;
use crate::crl::CrlEntry;

/// Why a register did not serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// No certificate of this serial number is in it.
    #[error("certificate {serial} is not in the register")]
    Unknown {
        /// The serial number in hexadecimal.
        serial: String,
    },
    /// The certificate is revoked: that is for good (*RFC 5280 §5.3.1*).
    #[error("certificate {serial} is revoked for good")]
    Revoked {
        /// The serial number in hexadecimal.
        serial: String,
    },
    /// Its storage failed.
    #[error("the register's storage failed")]
    Storage(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A certificate in a register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The certificate.
    pub certificate: Certificate,
    /// Where it stands.
    pub status: Status,
    /// Since when.
    pub since: Timestamp,
}

/// What an embedded authority issued. An implementation is durable: what was entered is there
/// after any crash.
#[async_trait]
pub trait Register: Send + Sync {
    /// Returns what was issued under an exchange's name.
    async fn issued(&self, exchange: &[u8]) -> Result<Option<Entry>, RegisterError>;

    /// Enters a certificate, on hold. Where one stands under this exchange already it stays, and
    /// is returned: whoever comes second throws theirs away.
    async fn enter(
        &self,
        exchange: &[u8],
        certificate: &Certificate,
        at: Timestamp,
    ) -> Result<Entry, RegisterError>;

    /// Returns the certificate of a serial number (big-endian, no leading zero byte), as long as it is
    /// kept.
    async fn find(&self, serial: &[u8]) -> Result<Option<Entry>, RegisterError>;

    /// Returns where the certificate of a serial number stands, and since when: also of one that is
    /// kept no more.
    async fn standing(&self, serial: &[u8]) -> Result<Option<(Status, Timestamp)>, RegisterError> {
        let found = self.find(serial).await?;
        Ok(found.map(|entry| (entry.status, entry.since)))
    }

    /// Moves a certificate; to where it stands already changes nothing.
    ///
    /// # Errors
    /// [`RegisterError::Unknown`], and [`RegisterError::Revoked`] for any move away from there.
    async fn set_status(
        &self,
        serial: &[u8],
        status: Status,
        at: Timestamp,
    ) -> Result<(), RegisterError>;

    /// Returns what a CRL of this moment lists: on hold or revoked, and not expired.
    async fn listed(&self, at: Timestamp) -> Result<Vec<CrlEntry>, RegisterError>;
}

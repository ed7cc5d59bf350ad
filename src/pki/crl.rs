//! Certificate revocation lists (*RFC 5280 §5*).

use cert::{Curve, DistinguishedName, EcdsaSignature, PublicKey, SignatureError};
use der::asn1::{BitStringRef, ContextSpecific, Uint};
use der::{Encode, Header, Length, Tag};
use hsm::HsmError;
use jiff::Timestamp;
use x509_cert::Version;
use x509_cert::ext::pkix::{CrlNumber, CrlReason};
use x509_cert::time::Time;

use crate::extensions::{authority_key_identifier, extension};
use crate::register::RegisterError;
use crate::to_be_signed::{algorithm, asn1_time};

/// Why a certificate is on the list (*§5.3.1*).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationReason {
    /// Its private key may be in other hands.
    KeyCompromise,
    /// What it says of its holder is no longer so.
    AffiliationChanged,
    /// Another has taken its place.
    Superseded,
    /// It is not needed any more.
    CessationOfOperation,
    /// It is suspended: before the hand-over, or at the holder's wish. The only one that ends.
    CertificateHold,
    /// Its holder lost the right to it.
    PrivilegeWithdrawn,
}

impl RevocationReason {
    /// Returns the reason's code.
    pub fn number(self) -> u8 {
        self.code() as u8
    }

    fn code(self) -> CrlReason {
        match self {
            Self::KeyCompromise => CrlReason::KeyCompromise,
            Self::AffiliationChanged => CrlReason::AffiliationChanged,
            Self::Superseded => CrlReason::Superseded,
            Self::CessationOfOperation => CrlReason::CessationOfOperation,
            Self::CertificateHold => CrlReason::CertificateHold,
            Self::PrivilegeWithdrawn => CrlReason::PrivilegeWithdrawn,
        }
    }
}

/// One certificate on the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrlEntry {
    /// Its serial number: big-endian, no leading zero byte, as [`cert::Certificate::serial`].
    pub serial: Vec<u8>,
    /// Since when it is revoked or on hold.
    pub since: Timestamp,
    /// Why.
    pub reason: RevocationReason,
}

/// Why a CRL was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CrlError {
    /// The next list would come before this one, or an entry lies in the future.
    #[error("the times of the CRL contradict each other: {0}")]
    Times(&'static str),
    /// A serial number is empty, too long, or starts with a zero byte.
    #[error("an entry's serial number is malformed")]
    Serial,
    /// A certificate is listed twice.
    #[error("certificate {serial} is listed twice")]
    Repeated {
        /// Its serial number in hexadecimal.
        serial: String,
    },
    /// What was built does not encode.
    #[error("the CRL does not encode")]
    Encoding(#[source] der::Error),
    /// The CA's key does not serve.
    #[error("the CA's token does not serve")]
    Token(#[source] HsmError),
    /// The authority's register does not serve.
    #[error("the authority's register does not serve")]
    Register(#[source] RegisterError),
    /// The program is ending.
    #[error("the program is ending")]
    Ending,
    /// The token gave a wrong signature; nothing was given out.
    #[error("the CA's token gave a signature that does not verify; take it out of service")]
    WrongSignature(#[source] SignatureError),
}

/// Room before the signed part for what comes around it: tag and length of the whole.
const HEADROOM: usize = 8;

/// A list that is about to be signed. It is written once, where it stays: a list of a million
/// entries is not copied, and nothing is built for an entry but its bytes.
pub(crate) struct Unsigned {
    bytes: Vec<u8>,
}

impl Unsigned {
    /// Writes the part of a CRL that is signed.
    pub(crate) fn new(
        issuer: &DistinguishedName,
        issuer_key: &[u8],
        entries: &[CrlEntry],
        (this_update, next_update): (Timestamp, Timestamp),
        number: u64,
    ) -> Result<Self, CrlError> {
        if next_update <= this_update {
            return Err(CrlError::Times("nextUpdate is not after thisUpdate"));
        }
        if entries.iter().any(|entry| entry.since > this_update) {
            return Err(CrlError::Times("an entry begins after thisUpdate"));
        }
        let mut entries: Vec<&CrlEntry> = entries.iter().collect();
        // Shorter numbers are smaller: none starts with a zero byte.
        entries.sort_unstable_by_key(|entry| (entry.serial.len(), &entry.serial));
        if let Some([entry, _]) = entries.array_windows().find(|[a, b]| a.serial == b.serial) {
            return Err(CrlError::Repeated {
                serial: entry
                    .serial
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect(),
            });
        }
        let head = head(issuer, this_update, next_update)?;
        let tail = tail(issuer_key, number).map_err(CrlError::Encoding)?;
        let mut listed = 0;
        for entry in &entries {
            listed += whole(entry_length(entry)?);
        }
        // An empty list is left out (§5.1.2.6).
        let list = if entries.is_empty() { 0 } else { whole(listed) };
        let length = head.len() + list + tail.len();
        // The signature is at most 104 bytes long, with its algorithm 120.
        let mut bytes = Vec::with_capacity(HEADROOM + whole(length) + 128);
        bytes.resize(HEADROOM, 0);
        begin(&mut bytes, length)?;
        bytes.extend_from_slice(&head);
        if !entries.is_empty() {
            begin(&mut bytes, listed)?;
            for entry in &entries {
                write_entry(&mut bytes, entry)?;
            }
        }
        bytes.extend_from_slice(&tail);
        Ok(Self { bytes })
    }

    /// Returns what is signed.
    pub(crate) fn to_be_signed(&self) -> &[u8] {
        self.bytes.get(HEADROOM..).unwrap_or_default()
    }

    /// Returns the CRL in DER, once its signature verifies.
    pub(crate) fn proved(mut self, signature: &[u8], key: &PublicKey) -> Result<Vec<u8>, CrlError> {
        EcdsaSignature::from_der(Curve::P384, signature)
            .and_then(|read| key.verify_message(Curve::P384.hash(), self.to_be_signed(), &read))
            .map_err(CrlError::WrongSignature)?;
        let beside = algorithm().to_der().map_err(CrlError::Encoding)?;
        self.bytes.extend_from_slice(&beside);
        BitStringRef::from_bytes(signature)
            .and_then(|signature| signature.encode(&mut self.bytes))
            .map_err(CrlError::Encoding)?;
        let mut outer = Vec::new();
        begin(&mut outer, self.to_be_signed().len())?;
        let start = HEADROOM - outer.len();
        if let Some(room) = self.bytes.get_mut(start..HEADROOM) {
            room.copy_from_slice(&outer);
        }
        self.bytes.drain(..start);
        Ok(self.bytes)
    }
}

/// Returns what stands before the entries.
fn head(
    issuer: &DistinguishedName,
    this_update: Timestamp,
    next_update: Timestamp,
) -> Result<Vec<u8>, CrlError> {
    let mut head = Vec::new();
    let times = [time(this_update)?, time(next_update)?];
    let mut write = || {
        (Version::V2 as u8).encode(&mut head)?;
        algorithm().encode(&mut head)?;
        head.extend_from_slice(issuer.as_der());
        times.iter().try_for_each(|time| time.encode(&mut head))
    };
    write().map_err(CrlError::Encoding)?;
    Ok(head)
}

/// Returns what stands behind the entries: the list's extensions, [0] EXPLICIT.
fn tail(issuer_key: &[u8], number: u64) -> der::Result<Vec<u8>> {
    let extensions = vec![
        authority_key_identifier(issuer_key)?,
        extension(&CrlNumber(Uint::new(&number.to_be_bytes())?), false)?,
    ];
    ContextSpecific {
        tag_number: der::TagNumber(0),
        tag_mode: der::TagMode::Explicit,
        value: extensions,
    }
    .to_der()
}

/// `reasonCode` as the only extension of an entry, up to the code (*§5.3.1*).
const REASON: [u8; 13] = [
    0x30, 0x0C, 0x30, 0x0A, 0x06, 0x03, 0x55, 0x1D, 0x15, 0x04, 0x03, 0x0A, 0x01,
];

/// The first second of 2050, from which a time is a GeneralizedTime (*§4.1.2.5*), with two letters
/// more.
const GENERALIZED: i64 = 2_524_608_000;

/// Returns how long the content of an entry is.
fn entry_length(entry: &CrlEntry) -> Result<usize, CrlError> {
    let first = entry.serial.first().copied().unwrap_or_default();
    if entry.serial.len() > 20 || first == 0 {
        return Err(CrlError::Serial);
    }
    // A number of 20 bytes that would need a sign byte is too long (§5.1.2.6, §4.1.2.2).
    let sign = usize::from(first >= 0x80);
    if entry.serial.len() + sign > 20 {
        return Err(CrlError::Serial);
    }
    let time = match entry.since.as_second() {
        ..GENERALIZED => 15,
        _ => 17,
    };
    Ok(2 + sign + entry.serial.len() + time + REASON.len() + 1)
}

fn write_entry(bytes: &mut Vec<u8>, entry: &CrlEntry) -> Result<(), CrlError> {
    begin(bytes, entry_length(entry)?)?;
    let sign: &[u8] = match entry.serial.first() {
        Some(0x80..) => &[0],
        _ => &[],
    };
    let length = u8::try_from(sign.len() + entry.serial.len()).map_err(|_| CrlError::Serial)?;
    bytes.extend_from_slice(&[0x02, length]);
    bytes.extend_from_slice(sign);
    bytes.extend_from_slice(&entry.serial);
    time(entry.since)?
        .encode(bytes)
        .map_err(CrlError::Encoding)?;
    bytes.extend_from_slice(&REASON);
    bytes.push(entry.reason.number());
    Ok(())
}

fn time(time: Timestamp) -> Result<Time, CrlError> {
    asn1_time(time).ok_or(CrlError::Times("a time is out of range"))
}

/// Writes tag and length of a SEQUENCE with a content of this length.
fn begin(bytes: &mut Vec<u8>, length: usize) -> Result<(), CrlError> {
    let length = Length::try_from(length).map_err(CrlError::Encoding)?;
    Header::new(Tag::Sequence, length)
        .encode(bytes)
        .map_err(CrlError::Encoding)
}

/// Returns how long an element with a content of this length is.
fn whole(length: usize) -> usize {
    let of_length = match length {
        0..0x80 => 1,
        0x80..0x100 => 2,
        0x100..0x1_0000 => 3,
        0x1_0000..0x100_0000 => 4,
        _ => 5,
    };
    1 + of_length + length
}

#[cfg(test)]
mod tests;

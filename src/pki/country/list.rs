//! Revocation lists of a country signing CA (*ICAO 9303-12 §7.1.4*): no reasons, no parts.

use cert::{Certificate, UnverifiedCrl};
use der::asn1::Uint;
use der::{Encode, Header, Length, Tag, TagNumber};
use hsm::Signer;
use jiff::{SignedDuration, Timestamp};
use x509_cert::ext::pkix::CrlNumber;

use crate::country::error::CountryError;
use crate::embedded::IssueError;
use crate::extensions::{authority_key_identifier, extension};
use crate::to_be_signed::{asn1_time, certificate_algorithm, signed};

/// A list is due every 90 days at least (*§4.1.5*).
const LONGEST: SignedDuration = SignedDuration::from_hours(90 * 24);

/// A certificate that is revoked. There is no way back, and the list says no reason (*Table 10*).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokedSigner {
    /// Its serial number: big-endian, no leading zero byte, as [`Certificate::serial`].
    pub serial: Vec<u8>,
    /// Since when.
    pub since: Timestamp,
}

pub(super) struct Issuer<'a> {
    pub(super) certificate: &'a Certificate,
    pub(super) key_identifier: &'a [u8],
    pub(super) signer: &'a dyn Signer,
}

/// Signs a list, and reads it back as a relying party will.
pub(super) fn sign(
    issuer: &Issuer<'_>,
    revoked: &[RevokedSigner],
    (this_update, next_update): (Timestamp, Timestamp),
    number: u64,
) -> Result<Vec<u8>, CountryError> {
    if next_update <= this_update {
        return Err(CountryError::ListTimes(
            "nextUpdate is not after thisUpdate",
        ));
    }
    if next_update.duration_since(this_update) > LONGEST {
        return Err(CountryError::ListTimes(
            "the next list would come after more than 90 days",
        ));
    }
    if revoked.iter().any(|entry| entry.since > this_update) {
        return Err(CountryError::ListTimes("an entry begins after thisUpdate"));
    }
    let algorithm = certificate_algorithm(issuer.signer)?;
    let algorithm = algorithm.to_der().map_err(IssueError::Encoding)?;
    let times = [time(this_update)?, time(next_update)?];
    let entries = entries(revoked)?;
    let encode = || {
        let extensions = vec![
            authority_key_identifier(issuer.key_identifier)?,
            extension(&CrlNumber(Uint::new(&number.to_be_bytes())?), false)?,
        ]
        .to_der()?;
        let explicit = Tag::ContextSpecific {
            constructed: true,
            number: TagNumber(0),
        };
        // A list of nobody is left out (Table 9).
        let listed = match entries.is_empty() {
            true => Vec::new(),
            false => tlv(Tag::Sequence, &entries)?,
        };
        let parts = [
            1_u8.to_der()?,
            algorithm.clone(),
            issuer.certificate.subject().as_der().to_vec(),
            times.concat(),
            listed,
            tlv(explicit, &extensions)?,
        ];
        tlv(Tag::Sequence, &parts.concat())
    };
    let tbs = encode().map_err(IssueError::Encoding)?;
    let signature = issuer.signer.sign(&tbs).map_err(IssueError::Token)?;
    let der = signed(&tbs, &algorithm, &signature).map_err(IssueError::Encoding)?;
    let read = UnverifiedCrl::parse(der).map_err(|_| CountryError::ListEntry)?;
    match read.verify(issuer.certificate, this_update) {
        Ok(list) => Ok(list.as_der().to_vec()),
        Err(cert::CrlVerifyError::Signature(error)) => {
            Err(IssueError::WrongSignature(error).into())
        }
        Err(_) => Err(CountryError::ListTimes(
            "the list does not hold at its own time",
        )),
    }
}

/// Returns the entries, in order of serial number.
fn entries(revoked: &[RevokedSigner]) -> Result<Vec<u8>, CountryError> {
    let mut sorted: Vec<&RevokedSigner> = revoked.iter().collect();
    sorted.sort_unstable_by_key(|entry| (entry.serial.len(), &entry.serial));
    if sorted.array_windows().any(|[a, b]| a.serial == b.serial) {
        return Err(CountryError::ListEntry);
    }
    let mut all = Vec::new();
    for entry in sorted {
        let serial = Uint::new(&entry.serial).and_then(|serial| serial.to_der());
        let serial = serial.map_err(|_| CountryError::ListEntry)?;
        let content = [serial, time(entry.since)?].concat();
        all.extend(tlv(Tag::Sequence, &content).map_err(IssueError::Encoding)?);
    }
    Ok(all)
}

fn time(at: Timestamp) -> Result<Vec<u8>, CountryError> {
    let time = asn1_time(at).ok_or(CountryError::ListTimes("a time is out of range"))?;
    Ok(time.to_der().map_err(IssueError::Encoding)?)
}

fn tlv(tag: Tag, content: &[u8]) -> der::Result<Vec<u8>> {
    let mut out = Header::new(tag, Length::try_from(content.len())?).to_der()?;
    out.extend_from_slice(content);
    Ok(out)
}

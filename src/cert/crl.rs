//! Certificate revocation lists (*RFC 5280 §5*), read and verified.
//!
//! A list of a million entries is held as its own bytes and one place for each entry, in order of
//! serial numbers: nothing of it is copied.

use const_oid::AssociatedOid;
use der::asn1::{AnyRef, BitStringRef, IntRef, OctetStringRef};
use der::{Decode, Header, Reader, Sequence, SliceReader, Tag, Tagged};
use jiff::{SignedDuration, Timestamp};
use spki::{AlgorithmIdentifierRef, ObjectIdentifier};
use x509_cert::ext::pkix::name::DistributionPointName;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, CrlNumber, CrlReason, IssuingDistributionPoint, KeyUsage,
};
use x509_cert::time::Time;

use crate::certificate::{Certificate, read_serial};
use crate::extensions::url;
use crate::name::DistinguishedName;
use crate::signature::SignatureError;
use crate::signature_algorithm::SignatureAlgorithm;

/// The longest list that is read, in bytes: more than two million entries.
pub const MAX_CRL: usize = 128 << 20;

/// The most extensions of a list.
const MAX_EXTENSIONS: usize = 32;

/// *§5.2.5*. x509-cert 0.3 has another extension's identifier there.
const ISSUING_DISTRIBUTION_POINT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.28");

/// *§5.2.4*: the list has changes only, so that not being on it means nothing. Refused also where
/// the authority forgot that it must be critical.
const DELTA_INDICATOR: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.27");

/// *§5.3.3*: the entry is of another authority's certificate; the same holds.
const CERTIFICATE_ISSUER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.29");

/// How far an authority's clock may be ahead of ours.
const CLOCKS: SignedDuration = SignedDuration::from_mins(5);

/// Why bytes were refused as a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CrlError {
    /// Longer than any list that is read here.
    #[error("a revocation list is at most {MAX_CRL} bytes long, not {length}")]
    TooLong {
        /// The length in bytes.
        length: usize,
    },
    /// Not a list in DER.
    #[error("not a revocation list in DER")]
    Syntax(#[source] der::Error),
    /// Not version 2, or without `nextUpdate` (*§5.1.2.1*, *§5.1.2.5*).
    #[error("not a version 2 revocation list that says when the next one comes")]
    Form,
    /// The algorithm beside the signature is not the one under it.
    #[error("the signature algorithm is not the one that was signed")]
    AlgorithmMismatch,
    /// A serial number that no certificate has.
    #[error("a serial number is not a positive number of at most 20 bytes")]
    Serial,
    /// A certificate is listed twice.
    #[error("a certificate is listed twice")]
    Repeated,
    /// A time is out of range.
    #[error("a time is out of range")]
    Time,
    /// There are more extensions than any list has, or one twice.
    #[error("too many extensions, or one twice")]
    Extensions,
    /// An extension that must be understood and is not: of the list, such as changes only or
    /// some reasons, or of an entry, such as another issuer.
    #[error("the list has the extension {oid}, which must be understood and is not")]
    UnknownCritical {
        /// Its identifier.
        oid: ObjectIdentifier,
    },
}

impl From<der::Error> for CrlError {
    fn from(error: der::Error) -> Self {
        Self::Syntax(error)
    }
}

/// Why a list is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CrlVerifyError {
    /// It is another authority's.
    #[error("the revocation list is another authority's")]
    Issuer,
    /// The authority's key may not sign lists.
    #[error("certificate {serial} may not sign revocation lists")]
    MayNotSign {
        /// The authority's certificate.
        serial: String,
    },
    /// It is not signed by the authority.
    #[error("the revocation list is not signed by its authority")]
    Signature(#[source] SignatureError),
    /// It was made in the future.
    #[error("the revocation list is of {this_update} only; compare the clocks")]
    NotYet {
        /// When it was made.
        this_update: Timestamp,
    },
    /// The next one should be there.
    #[error("the revocation list was to be replaced by {next_update}")]
    Outdated {
        /// When the next one was to come.
        next_update: Timestamp,
    },
}

/// A list says nothing of a certificate: it is of another authority, or of another part of what its
/// authority issued.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the revocation list is not one for certificate {serial}")]
pub struct OutOfScope {
    /// The certificate.
    pub serial: String,
}

/// A certificate on a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// Since when.
    pub since: Timestamp,
    /// The code of the reason (*§5.3.1*), where it is said; 6 is `certificateHold`.
    pub reason: Option<u8>,
}

/// A list, read and not verified: nothing can be looked up in it.
#[derive(Clone, PartialEq, Eq)]
pub struct UnverifiedCrl(RevocationList);

/// A verified list.
#[derive(Clone, PartialEq, Eq)]
pub struct RevocationList {
    der: Vec<u8>,
    tbs: (usize, usize),
    algorithm: SignatureAlgorithm,
    signature: Vec<u8>,
    issuer: DistinguishedName,
    this_update: Timestamp,
    next_update: Timestamp,
    number: Option<Vec<u8>>,
    authority_key: Option<Vec<u8>>,
    scope: Option<Scope>,
    /// Where each entry stands, in order of serial numbers.
    entries: Vec<u32>,
}

#[derive(Sequence)]
struct EntryDer<'a> {
    serial: IntRef<'a>,
    since: Time,
    #[asn1(optional = "true")]
    extensions: Option<AnyRef<'a>>,
}

#[derive(Sequence)]
struct ExtensionDer<'a> {
    oid: ObjectIdentifier,
    #[asn1(default = "Default::default")]
    critical: bool,
    value: &'a OctetStringRef,
}

/// What the extensions of a list say.
#[derive(Default)]
struct Said {
    number: Option<Vec<u8>>,
    authority_key: Option<Vec<u8>>,
    scope: Option<Scope>,
}

/// Of which certificates a list says something (`issuingDistributionPoint`, *§5.2.5*).
#[derive(Clone, Debug, PartialEq, Eq)]
struct Scope {
    /// The addresses one of which such a certificate names; none where all do.
    urls: Vec<String>,
    only_holders: bool,
    only_authorities: bool,
}

impl Scope {
    /// Reads a scope; nothing for one that is not understood here: of another's certificates, of
    /// some reasons, of attributes.
    fn read(value: &[u8]) -> der::Result<Option<Self>> {
        let point = IssuingDistributionPoint::from_der(value)?;
        let urls = match &point.distribution_point {
            None => Vec::new(),
            Some(DistributionPointName::FullName(names)) => names.iter().filter_map(url).collect(),
            Some(DistributionPointName::NameRelativeToCRLIssuer(_)) => return Ok(None),
        };
        // A name that is no address cannot be compared.
        let is_nameless = point.distribution_point.is_some() && urls.is_empty();
        let is_other = point.indirect_crl
            || point.only_some_reasons.is_some()
            || point.only_contains_attribute_certs;
        Ok((!is_nameless && !is_other).then_some(Self {
            urls,
            only_holders: point.only_contains_user_certs,
            only_authorities: point.only_contains_ca_certs,
        }))
    }

    fn has(&self, certificate: &Certificate) -> bool {
        let said = certificate.extensions();
        let is_named = said.crl_urls.iter().any(|url| self.urls.contains(url));
        (self.urls.is_empty() || is_named)
            && (!self.only_holders || !said.ca)
            && (!self.only_authorities || said.ca)
    }
}

impl UnverifiedCrl {
    /// Reads a list from DER.
    ///
    /// # Errors
    /// [`CrlError`].
    pub fn parse(der: Vec<u8>) -> Result<Self, CrlError> {
        if der.len() > MAX_CRL {
            return Err(CrlError::TooLong { length: der.len() });
        }
        let mut outer = content(&der, Tag::Sequence)?;
        let tbs = outer.tlv_bytes()?;
        let beside = AlgorithmIdentifierRef::decode(&mut outer)?;
        let signature = BitStringRef::decode(&mut outer)?;
        outer.finish()?;

        let mut list = content(tbs, Tag::Sequence)?;
        if u8::decode(&mut list)? != 1 {
            return Err(CrlError::Form);
        }
        if AlgorithmIdentifierRef::decode(&mut list)? != beside {
            return Err(CrlError::AlgorithmMismatch);
        }
        let issuer = DistinguishedName::from_der(list.tlv_bytes()?);
        let issuer = issuer.map_err(|_| CrlError::Form)?;
        let this_update = read_time(Time::decode(&mut list)?)?;
        if !matches!(Tag::peek(&list), Ok(Tag::UtcTime | Tag::GeneralizedTime)) {
            return Err(CrlError::Form);
        }
        let next_update = read_time(Time::decode(&mut list)?)?;
        let mut entries = Vec::new();
        if !list.is_finished() && Tag::peek(&list)? == Tag::Sequence {
            let listed = list.tlv_bytes()?;
            entries = read_entries(&der, listed)?;
        }
        let said = match list.is_finished() {
            true => Said::default(),
            false => read_extensions(list.tlv_bytes()?)?,
        };
        list.finish()?;
        let start = place(&der, tbs);
        Ok(Self(RevocationList {
            tbs: (start, start + tbs.len()),
            algorithm: SignatureAlgorithm::read(&beside),
            signature: signature.as_bytes().unwrap_or_default().to_vec(),
            issuer,
            this_update,
            next_update,
            number: said.number,
            authority_key: said.authority_key,
            scope: said.scope,
            entries,
            der,
        }))
    }

    /// Verifies that `issuer` signed the list, and that it is the one of `at`. The issuer's own
    /// certificate is judged by its path ([`crate::PathVerifier`]).
    ///
    /// # Errors
    /// [`CrlVerifyError`].
    pub fn verify(
        self,
        issuer: &Certificate,
        at: Timestamp,
    ) -> Result<RevocationList, CrlVerifyError> {
        let list = self.0;
        let extensions = issuer.extensions();
        let is_other = |named: &Vec<u8>| {
            let own = extensions.subject_key_identifier.as_ref();
            own.is_some_and(|own| own != named)
        };
        if list.issuer != *issuer.subject() || list.authority_key.as_ref().is_some_and(is_other) {
            return Err(CrlVerifyError::Issuer);
        }
        let usage = extensions.key_usage.as_ref();
        if !usage.is_none_or(KeyUsage::crl_sign) {
            return Err(CrlVerifyError::MayNotSign {
                serial: issuer.serial_hex(),
            });
        }
        let signed = list.der.get(list.tbs.0..list.tbs.1).unwrap_or_default();
        issuer
            .public_key()
            .verify(list.algorithm, signed, &list.signature)
            .map_err(CrlVerifyError::Signature)?;
        if list.this_update.duration_since(at) > CLOCKS {
            return Err(CrlVerifyError::NotYet {
                this_update: list.this_update,
            });
        }
        if at > list.next_update {
            return Err(CrlVerifyError::Outdated {
                next_update: list.next_update,
            });
        }
        Ok(list)
    }
}

impl RevocationList {
    /// Returns what the list says of a certificate; nothing where it is not on it.
    ///
    /// # Errors
    /// [`OutOfScope`] where its not being listed would mean nothing.
    pub fn status(&self, certificate: &Certificate) -> Result<Option<Revoked>, OutOfScope> {
        let in_scope = |scope: &Scope| scope.has(certificate);
        if *certificate.issuer() != self.issuer || !self.scope.as_ref().is_none_or(in_scope) {
            return Err(OutOfScope {
                serial: certificate.serial_hex(),
            });
        }
        Ok(self.find(certificate.serial()))
    }

    /// Returns what the list says of a serial number (big-endian, no leading zero byte). That it
    /// says nothing means something only of a certificate that the list is for
    /// ([`RevocationList::status`]).
    pub fn find(&self, serial: &[u8]) -> Option<Revoked> {
        let wanted = (serial.len(), serial);
        let found = self.entries.binary_search_by(|start| {
            let listed = serial_at(&self.der, *start).unwrap_or_default();
            (listed.len(), listed).cmp(&wanted)
        });
        let start = self.entries.get(found.ok()?)?;
        let entry = entry_at(&self.der, *start).ok()?;
        Some(Revoked {
            since: read_time(entry.since).ok()?,
            reason: read_reason(entry.extensions).ok()?,
        })
    }

    /// Returns how many certificates are on it.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether none is.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns whose list it is.
    pub fn issuer(&self) -> &DistinguishedName {
        &self.issuer
    }

    /// Returns when it was made.
    pub fn this_update(&self) -> Timestamp {
        self.this_update
    }

    /// Returns when the next one comes at the latest.
    pub fn next_update(&self) -> Timestamp {
        self.next_update
    }

    /// Returns its number (*§5.2.3*), big-endian without leading zero bytes: of two lists, the one
    /// with the greater is the newer.
    pub fn number(&self) -> Option<&[u8]> {
        self.number.as_deref()
    }

    /// Returns the list in DER.
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }
}

impl std::fmt::Debug for UnverifiedCrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "UnverifiedCrl({} entries)", self.0.len())
    }
}

impl std::fmt::Debug for RevocationList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RevocationList({} entries)", self.len())
    }
}

/// Returns a reader of the content of the one element that `der` is.
fn content(der: &[u8], tag: Tag) -> Result<SliceReader<'_>, CrlError> {
    let mut reader = SliceReader::new(der)?;
    let header = Header::decode(&mut reader)?;
    header.tag().assert_eq(tag)?;
    let content = reader.read_slice(header.length())?;
    reader.finish()?;
    Ok(SliceReader::new(content)?)
}

/// Returns where a part of `whole` begins.
fn place(whole: &[u8], part: &[u8]) -> usize {
    part.as_ptr().addr().saturating_sub(whole.as_ptr().addr())
}

/// Reads every entry once, and returns where each stands in `der`, in order of serial numbers.
fn read_entries(der: &[u8], listed: &[u8]) -> Result<Vec<u32>, CrlError> {
    let mut reader = content(listed, Tag::Sequence)?;
    let mut entries = Vec::new();
    while !reader.is_finished() {
        let bytes = reader.tlv_bytes()?;
        let entry = EntryDer::from_der(bytes)?;
        read_serial(entry.serial.as_bytes()).map_err(|_| CrlError::Serial)?;
        read_time(entry.since)?;
        read_reason(entry.extensions)?;
        let start = u32::try_from(place(der, bytes));
        entries.push(start.map_err(|_| CrlError::TooLong { length: der.len() })?);
    }
    let key = |start: &u32| {
        let serial = serial_at(der, *start).unwrap_or_default();
        (serial.len(), serial)
    };
    // Most are in order already.
    entries.sort_by(|one, other| key(one).cmp(&key(other)));
    if entries
        .array_windows()
        .any(|[one, other]| key(one) == key(other))
    {
        return Err(CrlError::Repeated);
    }
    Ok(entries)
}

fn entry_at(der: &[u8], start: u32) -> Result<EntryDer<'_>, CrlError> {
    let rest = der.get(start as usize..).unwrap_or_default();
    let mut reader = SliceReader::new(rest)?;
    Ok(EntryDer::decode(&mut reader)?)
}

/// Returns an entry's serial number, without its sign byte.
fn serial_at(der: &[u8], start: u32) -> Option<&[u8]> {
    let rest = der.get(start as usize..)?;
    let mut reader = SliceReader::new(rest).ok()?;
    Header::decode(&mut reader).ok()?;
    let serial = IntRef::decode(&mut reader).ok()?.as_bytes();
    Some(serial.strip_prefix(&[0]).unwrap_or(serial))
}

/// Returns the reason of an entry.
fn read_reason(extensions: Option<AnyRef<'_>>) -> Result<Option<u8>, CrlError> {
    let Some(extensions) = extensions else {
        return Ok(None);
    };
    extensions.tag().assert_eq(Tag::Sequence)?;
    let mut reader = SliceReader::new(extensions.value())?;
    let mut reason = None;
    let mut count = 0;
    while !reader.is_finished() {
        let extension = ExtensionDer::decode(&mut reader)?;
        count += 1;
        match extension.oid {
            _ if count > MAX_EXTENSIONS => return Err(CrlError::Extensions),
            CrlReason::OID if reason.is_some() => return Err(CrlError::Extensions),
            CrlReason::OID => {
                reason = Some(CrlReason::from_der(extension.value.as_bytes())? as u8);
            }
            oid if extension.critical || oid == CERTIFICATE_ISSUER => {
                return Err(CrlError::UnknownCritical { oid });
            }
            _ => {}
        }
    }
    Ok(reason)
}

/// Reads the extensions of a list, [0] of them.
fn read_extensions(der: &[u8]) -> Result<Said, CrlError> {
    let tag = Tag::ContextSpecific {
        constructed: true,
        number: der::TagNumber(0),
    };
    let mut outer = content(der, tag)?;
    let mut reader = content(outer.tlv_bytes()?, Tag::Sequence)?;
    outer.finish()?;
    let mut said = Said::default();
    let mut seen = Vec::new();
    while !reader.is_finished() {
        let extension = ExtensionDer::decode(&mut reader)?;
        if seen.contains(&extension.oid) || seen.len() == MAX_EXTENSIONS {
            return Err(CrlError::Extensions);
        }
        seen.push(extension.oid);
        let value = extension.value.as_bytes();
        match extension.oid {
            CrlNumber::OID => {
                let number = CrlNumber::from_der(value)?.0;
                said.number = Some(number.as_bytes().to_vec());
            }
            AuthorityKeyIdentifier::OID => {
                let identifier = AuthorityKeyIdentifier::from_der(value)?;
                said.authority_key = identifier
                    .key_identifier
                    .map(|key| key.into_bytes().into_vec());
            }
            oid @ ISSUING_DISTRIBUTION_POINT => match Scope::read(value)? {
                None => return Err(CrlError::UnknownCritical { oid }),
                scope => said.scope = scope,
            },
            oid if extension.critical || oid == DELTA_INDICATOR => {
                return Err(CrlError::UnknownCritical { oid });
            }
            _ => {}
        }
    }
    Ok(said)
}

fn read_time(time: Time) -> Result<Timestamp, CrlError> {
    i64::try_from(time.to_unix_duration().as_secs())
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .ok_or(CrlError::Time)
}

#[cfg(test)]
mod tests;

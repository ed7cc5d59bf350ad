//! Master lists: the country signing certificates that one state found to be others' (*ICAO
//! 9303-12 §9*).

use der::{Decode, Encode, Reader, Tag};

use crate::certificate::{Certificate, CertificateError};
use crate::cms::{CSCA_MASTER_LIST, SignedData, element, inside, tlv};

/// `id-icao-cscaMasterListSigningKey`: the purpose of a master list signer's certificate (*ICAO
/// 9303-12 §7.1.1.3*).
pub const MASTER_LIST_SIGNER: spki::ObjectIdentifier =
    spki::ObjectIdentifier::new_unwrap("2.23.136.1.1.3");

/// The most certificates of a list; the longest have less than a thousand.
const MAX_CERTIFICATES: usize = 8192;

/// Why a master list was refused, or not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MasterListError {
    /// The signed message holds something else.
    #[error("the signed message holds no master list")]
    Kind,
    /// Not `CscaMasterList` in DER.
    #[error("not a master list in DER")]
    Syntax(#[from] der::Error),
    /// Of a version that is not known.
    #[error("the master list is of an unknown version")]
    Version,
    /// No certificate is on it, or too many are.
    #[error("a master list holds 1 to {MAX_CERTIFICATES} certificates")]
    Count,
}

/// A master list, as its signer signed it: who that is, and whether it is believed, is another
/// question ([`SignedData::verify`], [`crate::CountryVerifier`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterList {
    certificates: Vec<Certificate>,
    unread: Vec<Unread>,
}

/// A certificate of a list that does not read: nobody can be verified by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Which, counted from 1.
    pub place: usize,
    /// Why.
    pub error: CertificateError,
}

impl MasterList {
    /// Returns the list that a signed message holds.
    ///
    /// # Errors
    /// [`MasterListError`].
    pub fn of(message: &SignedData) -> Result<Self, MasterListError> {
        if message.content_type() != CSCA_MASTER_LIST {
            return Err(MasterListError::Kind);
        }
        Self::parse(message.content())
    }

    /// Reads `CscaMasterList` in DER. One state's odd certificate does not take the others' away:
    /// what does not read is told.
    ///
    /// # Errors
    /// [`MasterListError`].
    pub fn parse(der: &[u8]) -> Result<Self, MasterListError> {
        let mut list = inside(der, Tag::Sequence)?;
        if u8::decode(&mut list)? != 0 {
            return Err(MasterListError::Version);
        }
        let mut set = inside(element(&mut list, Tag::Set)?, Tag::Set)?;
        list.finish()?;
        let (mut certificates, mut unread) = (Vec::new(), Vec::new());
        while !set.is_finished() {
            let place = certificates.len() + unread.len() + 1;
            if place > MAX_CERTIFICATES {
                return Err(MasterListError::Count);
            }
            match Certificate::parse_of_state(element(&mut set, Tag::Sequence)?) {
                Ok(certificate) => certificates.push(certificate),
                Err(error) => unread.push(Unread { place, error }),
            }
        }
        if certificates.is_empty() && unread.is_empty() {
            return Err(MasterListError::Count);
        }
        Ok(Self {
            certificates,
            unread,
        })
    }

    /// Returns `CscaMasterList` in DER for these certificates; one that is there twice is listed
    /// once.
    ///
    /// # Errors
    /// [`MasterListError`].
    pub fn encode(certificates: &[Certificate]) -> Result<Vec<u8>, MasterListError> {
        let mut all: Vec<_> = certificates.iter().map(Certificate::as_der).collect();
        // DER orders a SET OF by its elements' bytes (X.690 §11.6).
        all.sort_unstable();
        all.dedup();
        if !(1..=MAX_CERTIFICATES).contains(&all.len()) {
            return Err(MasterListError::Count);
        }
        let set = tlv(Tag::Set, &all)?;
        Ok(tlv(Tag::Sequence, &[&0_u8.to_der()?, &set])?)
    }

    /// Returns the certificates, in the list's order: self-signed ones and links.
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// Returns those that do not read.
    pub fn unread(&self) -> &[Unread] {
        &self.unread
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::{MasterList, MasterListError};
    use crate::certificate::Certificate;
    use crate::cms::SignedData;
    use crate::missing;
    use crate::name::AttributeType;
    use crate::public_key::PublicKey;
    use crate::signature::SignatureError;
    use crate::signature_algorithm::SignatureAlgorithm;
    use crate::testing::{Folder, issue};

    /// The Dutch master list of December 2021: counts as its source has them.
    #[test]
    fn a_state_s_list_is_read_whole() {
        let Some(list) = missing::sample("csca/NL_MASTERLIST_20211207.mls") else {
            return;
        };
        let message = SignedData::parse(&list).unwrap();
        let read = MasterList::of(&message).unwrap();
        assert_eq!(read.unread(), []);
        assert_eq!(read.certificates().len(), 306);
        let mut countries = BTreeMap::new();
        for certificate in read.certificates() {
            let country = certificate.subject().get(AttributeType::Country).unwrap();
            *countries.entry(country.to_uppercase()).or_insert(0) += 1;
        }
        assert_eq!(
            (countries["LV"], countries["NL"], countries["CN"]),
            (7, 6, 16)
        );
        // Every self-signed certificate verifies by its own key, whatever its kind, but for the old
        // ones under SHA-1.
        let (mut signed, mut strange) = (0, 0);
        for certificate in read.certificates() {
            let key = certificate.public_key();
            let verified = certificate.verify_signature(key);
            let is_old = matches!(
                certificate.signature_algorithm(),
                SignatureAlgorithm::Other(_)
            );
            assert_eq!(is_old, verified == Err(SignatureError::Unsupported));
            signed += usize::from(verified.is_ok());
            strange += usize::from(matches!(key, PublicKey::Other { .. }));
        }
        assert_eq!((signed, strange), (258, 8));
        assert_eq!(
            MasterList::encode(read.certificates()).unwrap(),
            message.content()
        );
    }

    /// Certificates of 2024 beside it: RSA-4096, and brainpoolP512r1 spelt out.
    #[test]
    fn other_states_certificates_are_read() {
        for file in [
            "CSCA_DE_04CD_2024.cer",
            "CSCA_NL_serial6_2021.cer",
            "CSCA_NL_serial7_2024.cer",
        ] {
            let Some(der) = missing::sample(&format!("csca/{file}")) else {
                return;
            };
            let certificate = Certificate::parse(&der).unwrap();
            certificate
                .verify_signature(certificate.public_key())
                .unwrap();
            let use_of_key = certificate.extensions().private_key_usage.unwrap();
            assert!(use_of_key.not_after.unwrap() < certificate.validity().not_after);
        }
    }

    #[test]
    fn lists_are_sorted_and_read_again() {
        let folder = Folder::new();
        let extensions = "basicConstraints=critical,CA:TRUE\n";
        let one = issue(&folder, "One", None, "P-256", extensions);
        let two = issue(&folder, "Two", None, "P-384", extensions);
        let der = MasterList::encode(&[one.clone(), two.clone(), one.clone()]).unwrap();
        let again = MasterList::encode(&[two.clone(), one.clone()]).unwrap();
        assert_eq!(der, again);
        let read = MasterList::parse(&der).unwrap();
        assert_eq!(read.certificates().len(), 2);
        assert!(read.certificates().contains(&one) && read.certificates().contains(&two));
        assert_eq!(MasterList::encode(&[]), Err(MasterListError::Count));
        let empty = hex::decode("30050201003100").unwrap();
        assert_eq!(MasterList::parse(&empty), Err(MasterListError::Count));
        let later = hex::decode("30050201013100").unwrap();
        assert_eq!(MasterList::parse(&later), Err(MasterListError::Version));
        // What is no certificate is told, and the other stays.
        let mut odd = one.as_der().to_vec();
        odd[8] = 0;
        let set = crate::cms::tlv(der::Tag::Set, &[&odd, two.as_der()]).unwrap();
        let list = crate::cms::tlv(der::Tag::Sequence, &[&[2, 1, 0], &set]).unwrap();
        let read = MasterList::parse(&list).unwrap();
        assert_eq!((read.certificates().len(), read.unread()[0].place), (1, 1));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = MasterList::parse(&bytes);
        }
    }
}

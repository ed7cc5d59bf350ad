//! The files of a travel chip that wait for its keys: DG14, DG15, EF.COM, and what the document
//! signer signs.

use std::collections::{BTreeMap, BTreeSet};

use access::security_infos::{
    ActiveAuthenticationInfo, ChipAuthenticationInfo, ChipAuthenticationProtocol,
    ChipAuthenticationPublicKeyInfo, KeyAgreement, SecurityInfo, TerminalAuthenticationInfo,
};
use access::{AgreementKey, DomainParametersError, SecurityInfos, SecurityInfosError};
use cert::{PublicKey, PublicKeyError};
use document::Record;
use mrtd::lds::{Dg14, Dg15, EfCom, Group, LdsError, LdsSecurityObject};
use thiserror::Error;

use super::{CARD_SECURITY, COM, DocumentLds, PreparationError, SOD, prepared_name};
use crate::chip::ChipProfile;

/// What the centre makes of a chip's keys, and what its document signer has to sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyedFiles {
    /// The files that are whole, by the names that profiles write after `prepared.`: EF.COM, DG14,
    /// DG15.
    pub files: BTreeMap<String, Vec<u8>>,
    /// The security object over all data groups, DER: the content of EF.SOD.
    pub security_object: Vec<u8>,
    /// The content of EF.CardSecurity, `SecurityInfos` in DER, where the chip maps a key.
    pub card_security: Option<Vec<u8>>,
    /// The document's type, as its zone has it: whoever signs must be for it.
    pub document_type: String,
}

impl KeyedFiles {
    /// Returns all files by their names, with EF.SOD and EF.CardSecurity as they were signed.
    #[must_use]
    pub fn signed(self, sod: Vec<u8>, card_security: Option<Vec<u8>>) -> BTreeMap<String, Vec<u8>> {
        let mut files = self.files;
        files.insert(SOD.to_owned(), sod);
        files.extend(card_security.map(|file| (CARD_SECURITY.to_owned(), file)));
        files
    }
}

/// Why nothing can be made of a chip's keys.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeyedError {
    /// Other keys than those that the document profile names.
    #[error("the keys are not those of this document: expected {}", names(.0))]
    Keys(BTreeSet<String>),
    /// The chip profile has no such key.
    #[error("the chip profile has no key \"{0}\"")]
    Unknown(String),
    /// A public key is none, or of another kind than the chip profile says.
    #[error("the public key \"{key}\" cannot be used: {cause}")]
    PublicKey {
        /// The key's name.
        key: String,
        /// What is wrong with it.
        cause: PublicKeyError,
    },
    /// A public key is of another kind than the chip profile says.
    #[error("the public key \"{key}\" is no {expected} key, as the chip profile has it")]
    Kind {
        /// The key's name.
        key: String,
        /// The kind that it should be of.
        expected: &'static str,
    },
    /// Two keys are one.
    #[error("the keys \"{0}\" and \"{1}\" are one; each is to be its own")]
    Same(String, String),
    /// A key for agreement is on no standardized curve.
    #[error("the public key \"{key}\" cannot agree: {cause}")]
    Agreement {
        /// The key's name.
        key: String,
        /// What is wrong with it.
        cause: DomainParametersError,
    },
    /// Security infos cannot be written.
    #[error(transparent)]
    Infos(#[from] SecurityInfosError),
    /// A file cannot be written.
    #[error(transparent)]
    File(#[from] LdsError),
    /// The document has no zone.
    #[error(transparent)]
    Zone(#[from] PreparationError),
    /// What data preparation made is not in the record.
    #[error("data preparation did not make {0}")]
    NotPrepared(Group),
}

fn names(keys: &BTreeSet<String>) -> String {
    let keys: Vec<_> = keys.iter().map(String::as_str).collect();
    match keys.as_slice() {
        [] => "none".to_owned(),
        keys => keys.join(", "),
    }
}

impl DocumentLds {
    /// Makes what waits for the chip's keys: `keys` are their public halves,
    /// `SubjectPublicKeyInfo` in DER, by the chip profile's names. Every hash is over what the
    /// record holds and over what is made here.
    ///
    /// # Errors
    /// [`KeyedError`].
    pub fn with_keys(
        &self,
        chip: &ChipProfile,
        record: &Record,
        keys: &BTreeMap<String, Vec<u8>>,
    ) -> Result<KeyedFiles, KeyedError> {
        let expected = self.keyed_data().keys;
        if !expected.iter().eq(keys.keys()) {
            return Err(KeyedError::Keys(expected));
        }
        let keys = read(chip, keys)?;
        let mut made = BTreeMap::new();
        if self.groups.contains(&Group::Dg14) {
            let infos = SecurityInfos::new(self.security_infos(chip, &keys)?).to_der()?;
            made.insert(Group::Dg14, Dg14::new(infos)?.encode()?.bytes().to_vec());
        }
        if let Some((_, key)) = self.key(self.active.as_ref(), &keys) {
            let file = Dg15::new(key.clone())?.encode()?;
            made.insert(Group::Dg15, file.bytes().to_vec());
        }
        let mut groups: Vec<(Group, &[u8])> = Vec::new();
        for group in &self.groups {
            let name = prepared_name(*group);
            let prepared = record.prepared.get(&name).map(|file| file.as_slice());
            let file = match made.get(group) {
                Some(file) => file.as_slice(),
                None => prepared.ok_or(KeyedError::NotPrepared(*group))?,
            };
            // What this holder does not have is not on the chip.
            if !file.is_empty() {
                groups.push((*group, file));
            }
        }
        let com = EfCom::new(self.version, groups.iter().map(|(group, _)| *group)).encode();
        let object = LdsSecurityObject::new(self.version, self.hash, groups)?.encode()?;
        let card_security = self.card_security(&keys)?;
        let made = made.into_iter();
        let mut files: BTreeMap<_, _> = made
            .map(|(group, file)| (prepared_name(group), file))
            .collect();
        files.insert(COM.to_owned(), com);
        Ok(KeyedFiles {
            files,
            security_object: object,
            card_security,
            document_type: self.conventions(record.kind)?.code,
        })
    }

    fn key<'k>(
        &self,
        name: Option<&String>,
        keys: &'k BTreeMap<String, PublicKey>,
    ) -> Option<(&'k String, &'k PublicKey)> {
        keys.get_key_value(name?)
    }

    /// Returns what DG14 says (*ICAO 9303-10 §4.7.14*).
    fn security_infos(
        &self,
        chip: &ChipProfile,
        keys: &BTreeMap<String, PublicKey>,
    ) -> Result<Vec<SecurityInfo>, KeyedError> {
        let mut infos: Vec<_> = self.pace_infos().collect();
        if let Some(agrees) = &self.chip
            && let Some((name, key)) = self.key(Some(&agrees.key), keys)
        {
            let public = agreement_key(name, key)?;
            infos.push(SecurityInfo::ChipAuthentication(ChipAuthenticationInfo {
                protocol: ChipAuthenticationProtocol {
                    agreement: match public.parameters().is_curve() {
                        true => KeyAgreement::Ecdh,
                        false => KeyAgreement::Dh,
                    },
                    cipher: agrees.cipher,
                },
                version: 1,
                key_id: agrees.id,
            }));
            infos.push(public_key_info(name, &public, agrees.id)?);
        }
        if self.terminal {
            infos.push(SecurityInfo::TerminalAuthentication(
                TerminalAuthenticationInfo {
                    version: 1,
                    ef_cvca: None,
                },
            ));
        }
        if let Some((name, key)) = self.key(self.active.as_ref(), keys)
            && key.rsa().is_none()
        {
            let rules = chip.key_rules(name);
            let rules = rules.ok_or_else(|| KeyedError::Unknown(name.clone()))?;
            let info = ActiveAuthenticationInfo::ecdsa(rules.hash);
            infos.push(SecurityInfo::ActiveAuthentication(info));
        }
        Ok(infos)
    }

    /// Returns the content of EF.CardSecurity: the key that PACE maps, and what EF.CardAccess says
    /// (*ICAO 9303-11 §9.2.11*).
    fn card_security(
        &self,
        keys: &BTreeMap<String, PublicKey>,
    ) -> Result<Option<Vec<u8>>, KeyedError> {
        let Some(mapped) = &self.mapped else {
            return Ok(None);
        };
        let Some((name, key)) = self.key(Some(&mapped.key), keys) else {
            return Ok(None);
        };
        let own = public_key_info(name, &agreement_key(name, key)?, mapped.id)?;
        let infos = SecurityInfos::new(self.pace_infos().chain([own]));
        Ok(Some(infos.to_der()?))
    }
}

/// Reads the public keys: each of the kind that the chip profile says, no two the same.
fn read(
    chip: &ChipProfile,
    keys: &BTreeMap<String, Vec<u8>>,
) -> Result<BTreeMap<String, PublicKey>, KeyedError> {
    let mut read: BTreeMap<String, PublicKey> = BTreeMap::new();
    for (name, spki) in keys {
        let rules = chip.key_rules(name);
        let rules = rules.ok_or_else(|| KeyedError::Unknown(name.clone()))?;
        let key = PublicKey::from_spki_der(spki).map_err(|cause| KeyedError::PublicKey {
            key: name.clone(),
            cause,
        })?;
        if key.algorithm() != Some(rules.algorithm) {
            return Err(KeyedError::Kind {
                key: name.clone(),
                expected: rules.algorithm.name(),
            });
        }
        if let Some((other, _)) = read.iter().find(|(_, other)| **other == key) {
            return Err(KeyedError::Same(other.clone(), name.clone()));
        }
        read.insert(name.clone(), key);
    }
    Ok(read)
}

fn agreement_key(name: &str, key: &PublicKey) -> Result<AgreementKey, KeyedError> {
    let unfit = |cause| KeyedError::PublicKey {
        key: name.to_owned(),
        cause,
    };
    let spki = key.to_spki_der().map_err(unfit)?;
    AgreementKey::from_spki_der(&spki).map_err(|cause| KeyedError::Agreement {
        key: name.to_owned(),
        cause,
    })
}

fn public_key_info(
    name: &str,
    key: &AgreementKey,
    id: Option<u64>,
) -> Result<SecurityInfo, KeyedError> {
    let info = ChipAuthenticationPublicKeyInfo::of_key(key, id);
    let info = info.map_err(|cause| KeyedError::Agreement {
        key: name.to_owned(),
        cause,
    })?;
    Ok(SecurityInfo::ChipAuthenticationPublicKey(info))
}

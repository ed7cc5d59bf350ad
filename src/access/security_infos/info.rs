//! One SecurityInfo: the known ones by their structures.

use cert::Hash;
use der::asn1::{AnyRef, Ia5StringRef, ObjectIdentifier, OctetStringRef};
use der::{Decode, Encode, Sequence, Tag, Tagged};

use super::protocols::{
    ChipAuthenticationProtocol, KeyAgreement, Mapping, PaceProtocol, agreement_of, agreement_oid,
    oid, pace_family_of, pace_family_oid,
};
use crate::domain_parameters::{AgreementKey, DomainParameters, DomainParametersError};

const PUBLIC_KEY: u32 = 1;
const TERMINAL_AUTHENTICATION: u32 = 2;
const CHIP_AUTHENTICATION: u32 = 3;
const CARD_INFO: u32 = 6;
/// id-icao-mrtd-security-aaProtocolObject.
const ACTIVE_AUTHENTICATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.136.1.1.5");
/// id-EFDIR.
const EF_DIR: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.136.1.1.13");

/// What a chip says of one protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecurityInfo {
    /// PACE.
    Pace(PaceInfo),
    /// PACE's domain parameters.
    PaceDomainParameters(PaceDomainParameterInfo),
    /// Chip authentication.
    ChipAuthentication(ChipAuthenticationInfo),
    /// Chip authentication's domain parameters (version 2).
    ChipAuthenticationDomainParameters(ChipAuthenticationDomainParameterInfo),
    /// A public key of chip authentication.
    ChipAuthenticationPublicKey(ChipAuthenticationPublicKeyInfo),
    /// Terminal authentication.
    TerminalAuthentication(TerminalAuthenticationInfo),
    /// Active authentication with ECDSA.
    ActiveAuthentication(ActiveAuthenticationInfo),
    /// A copy of EF.DIR (*ICAO 9303-11 §9.2.10*).
    EfDir(Vec<u8>),
    /// Where more is said of the card.
    Card(CardInfo),
    /// Another protocol.
    Other {
        /// Its identifier.
        protocol: ObjectIdentifier,
        /// The whole SecurityInfo in DER.
        der: Vec<u8>,
    },
}

/// PACEInfo (*ICAO 9303-11 §9.2.1*).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaceInfo {
    /// The protocol.
    pub protocol: PaceProtocol,
    /// Its version: 2. Version 1 was never in documents.
    pub version: u64,
    /// The number of standardized domain parameters, or of a [`PaceDomainParameterInfo`].
    pub parameter_id: Option<u64>,
}

/// PACEDomainParameterInfo (*ICAO 9303-11 §9.2.2*).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaceDomainParameterInfo {
    /// The kind of group.
    pub agreement: KeyAgreement,
    /// The mapping.
    pub mapping: Mapping,
    /// The `AlgorithmIdentifier` in DER.
    pub algorithm: Vec<u8>,
    /// By this number a [`PaceInfo`] refers to it.
    pub parameter_id: Option<u64>,
}

/// ChipAuthenticationInfo (*ICAO 9303-11 §9.2.5*).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChipAuthenticationInfo {
    /// The protocol.
    pub protocol: ChipAuthenticationProtocol,
    /// Its version: 1; 2 after terminal authentication version 2.
    pub version: u64,
    /// The number of the key, where the chip has several.
    pub key_id: Option<u64>,
}

/// ChipAuthenticationDomainParameterInfo (*TR-03110-3 §A.1.1.2*).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChipAuthenticationDomainParameterInfo {
    /// The kind of group.
    pub agreement: KeyAgreement,
    /// The `AlgorithmIdentifier` in DER.
    pub algorithm: Vec<u8>,
    /// The number of the key.
    pub key_id: Option<u64>,
}

/// ChipAuthenticationPublicKeyInfo (*ICAO 9303-11 §9.2.6*).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChipAuthenticationPublicKeyInfo {
    /// The kind of group.
    pub agreement: KeyAgreement,
    /// The `SubjectPublicKeyInfo` in DER.
    pub public_key: Vec<u8>,
    /// The number of the key, where the chip has several.
    pub key_id: Option<u64>,
}

/// TerminalAuthenticationInfo (*ICAO 9303-11 §9.2.8, appendix K.2*).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalAuthenticationInfo {
    /// The protocol's version: 1 or 2.
    pub version: u64,
    /// Where EF.CVCA is, in version 1; `011C` without it.
    pub ef_cvca: Option<FileId>,
}

/// ActiveAuthenticationInfo (*ICAO 9303-11 §9.2.4*).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActiveAuthenticationInfo {
    /// The version: 1.
    pub version: u64,
    /// The signature algorithm, ecdsa-plain with a hash (*TR-03111 §5.2.1*).
    pub signature_algorithm: ObjectIdentifier,
}

impl ActiveAuthenticationInfo {
    /// Says that a chip signs with ECDSA over this hash.
    pub fn ecdsa(hash: Hash) -> Self {
        let signature_algorithm = match hash {
            Hash::Sha1 => "0.4.0.127.0.7.1.1.4.1.1",
            Hash::Sha224 => "0.4.0.127.0.7.1.1.4.1.2",
            Hash::Sha256 => "0.4.0.127.0.7.1.1.4.1.3",
            Hash::Sha384 => "0.4.0.127.0.7.1.1.4.1.4",
            Hash::Sha512 => "0.4.0.127.0.7.1.1.4.1.5",
        };
        Self {
            version: 1,
            signature_algorithm: ObjectIdentifier::new_unwrap(signature_algorithm),
        }
    }
}

/// CardInfo, also CardInfoLocator (*TR-03110-3 §A.1.1.6*).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardInfo {
    /// An address.
    pub url: String,
    /// A file with the same.
    pub ef_card_info: Option<FileId>,
}

/// A file on the chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileId {
    /// The file identifier.
    pub file: u16,
    /// The short one.
    pub short: Option<u8>,
}

#[derive(Sequence)]
struct Raw<'a> {
    protocol: ObjectIdentifier,
    required: AnyRef<'a>,
    optional: Option<AnyRef<'a>>,
}

#[derive(Sequence)]
struct RawFileId<'a> {
    file: &'a OctetStringRef,
    short: Option<&'a OctetStringRef>,
}

impl SecurityInfo {
    /// Reads one; nothing where it is malformed.
    pub(super) fn parse(der: &[u8]) -> Option<Self> {
        let raw = Raw::from_der(der).ok()?;
        let protocol = raw.protocol;
        if let Some(protocol) = PaceProtocol::from_oid(protocol) {
            return Some(Self::Pace(PaceInfo {
                protocol,
                version: raw.number()?,
                parameter_id: raw.optional_number()?,
            }));
        }
        if let Some((agreement, mapping)) = pace_family_of(protocol) {
            return Some(Self::PaceDomainParameters(PaceDomainParameterInfo {
                agreement,
                mapping,
                algorithm: raw.sequence()?,
                parameter_id: raw.optional_number()?,
            }));
        }
        if let Some(protocol) = ChipAuthenticationProtocol::from_oid(protocol) {
            return Some(Self::ChipAuthentication(ChipAuthenticationInfo {
                protocol,
                version: raw.number()?,
                key_id: raw.optional_number()?,
            }));
        }
        if let Some(agreement) = agreement_of(CHIP_AUTHENTICATION, protocol) {
            let info = ChipAuthenticationDomainParameterInfo {
                agreement,
                algorithm: raw.sequence()?,
                key_id: raw.optional_number()?,
            };
            return Some(Self::ChipAuthenticationDomainParameters(info));
        }
        if let Some(agreement) = agreement_of(PUBLIC_KEY, protocol) {
            return Some(Self::ChipAuthenticationPublicKey(
                ChipAuthenticationPublicKeyInfo {
                    agreement,
                    public_key: raw.sequence()?,
                    key_id: raw.optional_number()?,
                },
            ));
        }
        if Some(protocol) == oid([TERMINAL_AUTHENTICATION]) {
            return Some(Self::TerminalAuthentication(TerminalAuthenticationInfo {
                version: raw.number()?,
                ef_cvca: raw.optional_file()?,
            }));
        }
        if protocol == ACTIVE_AUTHENTICATION {
            return Some(Self::ActiveAuthentication(ActiveAuthenticationInfo {
                version: raw.number()?,
                signature_algorithm: raw.optional?.decode_as().ok()?,
            }));
        }
        if protocol == EF_DIR {
            let content = raw.required.decode_as::<&OctetStringRef>();
            return Some(Self::EfDir(content.ok()?.as_bytes().to_vec()));
        }
        if Some(protocol) == oid([CARD_INFO]) && raw.required.tag() == Tag::Ia5String {
            let url = raw.required.decode_as::<Ia5StringRef<'_>>().ok()?;
            return Some(Self::Card(CardInfo {
                url: url.as_str().into(),
                ef_card_info: raw.optional_file()?,
            }));
        }
        let der = der.to_vec();
        Some(Self::Other { protocol, der })
    }

    pub(super) fn to_der(&self) -> der::Result<Vec<u8>> {
        let none = || der::ErrorKind::OidMalformed;
        match self {
            Self::Pace(info) => {
                let protocol = info.protocol.oid().ok_or_else(none)?;
                assemble(protocol, &info.version, info.parameter_id.as_ref())
            }
            Self::PaceDomainParameters(info) => {
                let protocol = pace_family_oid(info.agreement, info.mapping).ok_or_else(none)?;
                let algorithm = AnyRef::from_der(&info.algorithm)?;
                assemble(protocol, &algorithm, info.parameter_id.as_ref())
            }
            Self::ChipAuthentication(info) => {
                let protocol = info.protocol.oid().ok_or_else(none)?;
                assemble(protocol, &info.version, info.key_id.as_ref())
            }
            Self::ChipAuthenticationDomainParameters(info) => {
                let protocol =
                    agreement_oid(CHIP_AUTHENTICATION, info.agreement).ok_or_else(none)?;
                let algorithm = AnyRef::from_der(&info.algorithm)?;
                assemble(protocol, &algorithm, info.key_id.as_ref())
            }
            Self::ChipAuthenticationPublicKey(info) => {
                let protocol = agreement_oid(PUBLIC_KEY, info.agreement).ok_or_else(none)?;
                let key = AnyRef::from_der(&info.public_key)?;
                assemble(protocol, &key, info.key_id.as_ref())
            }
            Self::TerminalAuthentication(info) => {
                let protocol = oid([TERMINAL_AUTHENTICATION]).ok_or_else(none)?;
                let file = info.ef_cvca.map(FileId::to_der).transpose()?;
                let file = file.as_deref().map(AnyRef::from_der).transpose()?;
                assemble(protocol, &info.version, file.as_ref())
            }
            Self::ActiveAuthentication(info) => assemble(
                ACTIVE_AUTHENTICATION,
                &info.version,
                Some(&info.signature_algorithm),
            ),
            Self::EfDir(content) => {
                let content = OctetStringRef::new(content)?;
                assemble(EF_DIR, &content, None::<&AnyRef<'_>>)
            }
            Self::Card(info) => {
                let protocol = oid([CARD_INFO]).ok_or_else(none)?;
                let file = info.ef_card_info.map(FileId::to_der).transpose()?;
                let file = file.as_deref().map(AnyRef::from_der).transpose()?;
                assemble(protocol, &Ia5StringRef::new(&info.url)?, file.as_ref())
            }
            Self::Other { der, .. } => Ok(der.clone()),
        }
    }
}

impl PaceDomainParameterInfo {
    /// Returns the group.
    ///
    /// # Errors
    /// [`DomainParametersError`].
    pub fn parameters(&self) -> Result<DomainParameters, DomainParametersError> {
        DomainParameters::from_algorithm_der(&self.algorithm)
    }
}

impl ChipAuthenticationPublicKeyInfo {
    /// Returns the key.
    ///
    /// # Errors
    /// [`DomainParametersError`].
    pub fn key(&self) -> Result<AgreementKey, DomainParametersError> {
        let key = AgreementKey::from_spki_der(&self.public_key)?;
        if key.parameters().is_curve() == (self.agreement == KeyAgreement::Ecdh) {
            Ok(key)
        } else {
            Err(DomainParametersError::Syntax)
        }
    }

    /// Says that a chip has this key, its group named by its number.
    ///
    /// # Errors
    /// [`DomainParametersError::Syntax`], in theory only.
    pub fn of_key(key: &AgreementKey, key_id: Option<u64>) -> Result<Self, DomainParametersError> {
        let curve = key.parameters().is_curve();
        Ok(Self {
            agreement: if curve {
                KeyAgreement::Ecdh
            } else {
                KeyAgreement::Dh
            },
            public_key: key.to_spki_der()?,
            key_id,
        })
    }
}

impl Raw<'_> {
    fn number(&self) -> Option<u64> {
        self.required.decode_as().ok()
    }

    /// Returns a number or its absence; nothing where something else stands there.
    fn optional_number(&self) -> Option<Option<u64>> {
        self.optional
            .map(|any| any.decode_as().ok())
            .map_or(Some(None), |number| number.map(Some))
    }

    fn sequence(&self) -> Option<Vec<u8>> {
        (self.required.tag() == Tag::Sequence).then(|| self.required.to_der().ok())?
    }

    fn optional_file(&self) -> Option<Option<FileId>> {
        self.optional
            .map_or(Some(None), |any| FileId::parse(any).map(Some))
    }
}

impl FileId {
    fn parse(any: AnyRef<'_>) -> Option<Self> {
        let raw = any.decode_as::<RawFileId<'_>>().ok()?;
        let file = u16::from_be_bytes(raw.file.as_bytes().try_into().ok()?);
        let short = match raw.short.map(OctetStringRef::as_bytes) {
            None => None,
            Some(&[short]) => Some(short),
            Some(_) => return None,
        };
        Some(Self { file, short })
    }

    fn to_der(self) -> der::Result<Vec<u8>> {
        let (file, short) = (self.file.to_be_bytes(), self.short.map(|short| [short]));
        let short = short
            .as_ref()
            .map(|short| OctetStringRef::new(short))
            .transpose()?;
        RawFileId {
            file: OctetStringRef::new(&file)?,
            short,
        }
        .to_der()
    }
}

fn assemble(
    protocol: ObjectIdentifier,
    required: &impl Encode,
    optional: Option<&impl Encode>,
) -> der::Result<Vec<u8>> {
    let required = required.to_der()?;
    let optional = optional.map(Encode::to_der).transpose()?;
    Raw {
        protocol,
        required: AnyRef::from_der(&required)?,
        optional: optional.as_deref().map(AnyRef::from_der).transpose()?,
    }
    .to_der()
}

//! The LDS security object: what the document signer signs (*ICAO 9303-10 §4.6.2, Appendix D*).

use cert::Hash;
use cert::cms::{LDS_SECURITY_OBJECT, SignedData};
use der::asn1::{Any, OctetString, PrintableString};
use der::oid::ObjectIdentifier;
use der::{Decode, Encode, Sequence};

use super::error::{LdsError, LdsFault};
use super::file::{File, Group};
use super::remark::{Read, Remark};
use super::version::{LdsVersion, UnicodeVersion};

/// Plain bytes, id-data: what some documents in the field say of their security object.
const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");

/// The longest that is read, in bytes: sixteen hashes of 64 bytes come to 1 200.
const MAX_SECURITY_OBJECT: usize = 4096;

/// The hashes of a document's data groups, and in LDS 1.8 its versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LdsSecurityObject {
    hash: Hash,
    hashes: Vec<(Group, Vec<u8>)>,
    versions: Option<(LdsVersion, UnicodeVersion)>,
}

#[derive(Sequence)]
struct Structure {
    version: u8,
    hash_algorithm: AlgorithmIdentifier,
    hashes: Vec<DataGroupHash>,
    #[asn1(optional = "true")]
    versions: Option<VersionInfo>,
}

#[derive(Sequence)]
struct AlgorithmIdentifier {
    oid: ObjectIdentifier,
    #[asn1(optional = "true")]
    parameters: Option<Any>,
}

#[derive(Sequence)]
struct DataGroupHash {
    number: u8,
    hash: OctetString,
}

#[derive(Sequence)]
struct VersionInfo {
    lds: PrintableString,
    unicode: PrintableString,
}

impl LdsSecurityObject {
    /// Returns the security object of these data groups, given as whole files; they are listed by
    /// number. From LDS 1.8 on it names the versions (version 1), before it does not (version 0).
    ///
    /// # Errors
    /// [`LdsFault::Count`] for fewer than two, [`LdsFault::Repeated`].
    pub fn new<'a>(
        lds_version: LdsVersion,
        hash: Hash,
        files: impl IntoIterator<Item = (Group, &'a [u8])>,
    ) -> Result<Self, LdsError> {
        let digest = |(group, file)| (group, hash.digest(file));
        let mut hashes: Vec<_> = files.into_iter().map(digest).collect();
        hashes.sort_unstable_by_key(|(group, _)| *group);
        let versions = lds_version
            .is_signed()
            .then_some((lds_version, UnicodeVersion::V4_0_0));
        Self::checked(hash, hashes, versions)
    }

    /// Reads the security object that this message holds; whether its signature is right is to be
    /// judged there.
    ///
    /// # Errors
    /// [`LdsFault::ContentType`] for a message of another kind, and as [`Self::parse`].
    pub fn of_message(message: &SignedData) -> Result<Read<Self>, LdsError> {
        let content_type = message.content_type();
        if content_type != LDS_SECURITY_OBJECT && content_type != DATA {
            let fault = LdsFault::ContentType(content_type);
            return Err(LdsError::of(File::Sod, fault));
        }
        let mut read = Self::parse(message.content())?;
        if content_type == DATA {
            read.remarks.push(Remark::PlainContent);
        }
        Ok(read)
    }

    /// Reads the security object, the signed content of EF.SOD.
    ///
    /// # Errors
    /// [`LdsError`] for what is not DER of the structure, an unknown version, hash function or
    /// data group, a data group named twice, hashes of another length than the function's.
    pub fn parse(der: &[u8]) -> Result<Read<Self>, LdsError> {
        let fault = |fault| LdsError::of(File::Sod, fault);
        if der.len() > MAX_SECURITY_OBJECT {
            return Err(fault(LdsFault::TooLong {
                length: der.len(),
                limit: MAX_SECURITY_OBJECT,
            }));
        }
        let syntax = || fault(LdsFault::Der("an LDSSecurityObject"));
        let read = Structure::from_der(der).map_err(|_| syntax())?;
        let hash = algorithm(&read.hash_algorithm).map_err(fault)?;
        let versions = match (read.version, &read.versions) {
            (0, None) => None,
            (1, Some(info)) => {
                let lds = LdsVersion::parse(info.lds.as_bytes()).ok_or_else(syntax)?;
                let unicode = UnicodeVersion::parse(info.unicode.as_bytes()).ok_or_else(syntax)?;
                Some((lds, unicode))
            }
            (0 | 1, _) => return Err(fault(LdsFault::VersionInfo)),
            (version, _) => return Err(fault(LdsFault::Version(version))),
        };
        let mut hashes = Vec::with_capacity(read.hashes.len().min(16));
        for entry in read.hashes {
            let number = entry.number;
            let group =
                Group::from_number(number).ok_or_else(|| fault(LdsFault::GroupNumber(number)))?;
            if entry.hash.as_bytes().len() != hash.length() {
                return Err(LdsError::at(
                    File::Sod,
                    group.tag(),
                    LdsFault::Length {
                        length: entry.hash.as_bytes().len(),
                        expected: "the length of the hash function",
                    },
                ));
            }
            hashes.push((group, entry.hash.into_bytes().into()));
        }
        // The reference data set itself has 1, 2, 3, 14, 4.
        let ordered = hashes.is_sorted_by_key(|(group, _)| *group);
        let mut remarks = Vec::from_iter((!ordered).then_some(Remark::Unordered));
        if hash == Hash::Sha1 {
            remarks.push(Remark::OldHash);
        }
        Ok(Read {
            content: Self::checked(hash, hashes, versions)?,
            remarks,
        })
    }

    fn checked(
        hash: Hash,
        hashes: Vec<(Group, Vec<u8>)>,
        versions: Option<(LdsVersion, UnicodeVersion)>,
    ) -> Result<Self, LdsError> {
        for (index, (group, _)) in hashes.iter().enumerate() {
            let earlier = hashes.iter().take(index);
            if earlier.into_iter().any(|(other, _)| other == group) {
                return Err(LdsError::at(File::Sod, group.tag(), LdsFault::Repeated));
            }
        }
        if hashes.len() < 2 {
            return Err(LdsError::of(
                File::Sod,
                LdsFault::Count {
                    announced: hashes.len(),
                    present: hashes.len(),
                    allowed: "2 to 16 data groups",
                },
            ));
        }
        Ok(Self {
            hash,
            hashes,
            versions,
        })
    }

    /// Returns the hash function.
    #[must_use]
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// Returns the LDS and the Unicode version; none before LDS 1.8.
    #[must_use]
    pub fn versions(&self) -> Option<(LdsVersion, UnicodeVersion)> {
        self.versions
    }

    /// Returns the data groups with their hashes, in the object's order.
    pub fn hashes(&self) -> impl Iterator<Item = (Group, &[u8])> {
        self.hashes
            .iter()
            .map(|(group, hash)| (*group, hash.as_slice()))
    }

    /// Returns the hash of a data group.
    #[must_use]
    pub fn hash_of(&self, group: Group) -> Option<&[u8]> {
        self.hashes()
            .find_map(|(other, hash)| (other == group).then_some(hash))
    }

    /// Says whether `file`, all bytes of the data group, has the hash that stands here; none where
    /// no hash of it stands here.
    #[must_use]
    pub fn vouches_for(&self, group: Group, file: &[u8]) -> Option<bool> {
        let hash = self.hash_of(group)?;
        Some(self.hash.digest(file) == hash)
    }

    /// Returns the object in DER. The hash function's parameters are absent, as *§4.6.2.3 Note 2*
    /// demands.
    ///
    /// # Errors
    /// [`LdsFault::Der`], in theory only.
    pub fn encode(&self) -> Result<Vec<u8>, LdsError> {
        let encode = || -> der::Result<Vec<u8>> {
            let hashes = self.hashes().map(|(group, hash)| {
                Ok(DataGroupHash {
                    number: group.number(),
                    hash: OctetString::new(hash)?,
                })
            });
            let info = |(lds, unicode): (LdsVersion, UnicodeVersion)| -> der::Result<VersionInfo> {
                Ok(VersionInfo {
                    lds: PrintableString::new(&lds.digits())?,
                    unicode: PrintableString::new(&unicode.digits())?,
                })
            };
            Structure {
                version: u8::from(self.versions.is_some()),
                hash_algorithm: AlgorithmIdentifier {
                    oid: self.hash.oid(),
                    parameters: None,
                },
                hashes: hashes.collect::<der::Result<_>>()?,
                versions: self.versions.map(info).transpose()?,
            }
            .to_der()
        };
        encode().map_err(|_| LdsError::of(File::Sod, LdsFault::Der("an LDSSecurityObject")))
    }
}

/// Returns the hash function; its parameters are absent or NULL.
fn algorithm(identifier: &AlgorithmIdentifier) -> Result<Hash, LdsFault> {
    let named = Hash::ALL
        .into_iter()
        .find(|hash| hash.oid() == identifier.oid);
    match (&identifier.parameters, named) {
        (Some(parameters), _) if *parameters != Any::null() => {
            Err(LdsFault::Der("a hash algorithm"))
        }
        (_, Some(hash)) => Ok(hash),
        (_, None) => Err(LdsFault::Hash(identifier.oid)),
    }
}

#[cfg(test)]
mod tests {
    use cert::Hash;
    use cert::cms::SignedData;
    use proptest::prelude::*;

    use super::LdsSecurityObject;
    use crate::lds::testing::{bytes, vector};
    use crate::lds::{EfSod, Group, LdsVersion, Remark};

    #[test]
    fn published_security_objects() {
        for (name, remarks) in [
            ("bsi", vec![Remark::Unordered]),
            ("etsi", vec![Remark::Unordered]),
        ] {
            let row = &vector(name);
            let read = LdsSecurityObject::parse(&bytes(&row["security_object"])).unwrap();
            assert_eq!(read.remarks, remarks, "{name}");
            let object = read.content;
            assert_eq!((object.hash(), object.versions()), (Hash::Sha256, None));
            let listed = row["hashes"].as_object().unwrap();
            assert_eq!(object.hashes().count(), listed.len());
            for (number, hash) in listed {
                let group = Group::from_number(number.parse().unwrap()).unwrap();
                assert_eq!(object.hash_of(group), Some(&bytes(hash)[..]));
            }
        }
    }

    #[test]
    fn the_hashes_are_those_of_the_files() {
        let bsi = vector("bsi");
        let object = LdsSecurityObject::parse(&bytes(&bsi["security_object"]))
            .unwrap()
            .content;
        for (group, name) in [(Group::Dg1, "dg1"), (Group::Dg14, "dg14")] {
            let mut file = bytes(&bsi[name]);
            assert_eq!(object.vouches_for(group, &file), Some(true));
            file[9] ^= 1;
            assert_eq!(object.vouches_for(group, &file), Some(false));
        }
        // The reference data set does not sign its DG15.
        assert_eq!(object.vouches_for(Group::Dg15, &bytes(&bsi["dg15"])), None);
    }

    #[test]
    fn the_signed_messages_themselves() {
        let folder = "bsi_reference_dataset";
        for (file, name) in [("EF_SOD.bin", "bsi"), ("EF_SOD_etsi_tr103200.bin", "etsi")] {
            let Some(sod) = crate::missing::sample(&format!("{folder}/{file}")) else {
                return;
            };
            let wrapped = EfSod::parse(&sod).unwrap();
            assert_eq!(wrapped.encode(), sod);
            let message = SignedData::parse(wrapped.cms()).unwrap();
            let read = LdsSecurityObject::of_message(&message).unwrap();
            let row = vector(name);
            let expected = LdsSecurityObject::parse(&bytes(&row["security_object"]));
            assert_eq!(read, expected.unwrap());
        }
    }

    #[test]
    fn a_version_1_object_as_the_module_of_the_standard_has_it() {
        let files = [(Group::Dg2, &b"two"[..]), (Group::Dg1, b"one")];
        let object = LdsSecurityObject::new(LdsVersion::V1_8, Hash::Sha256, files).unwrap();
        // SEQUENCE { 1, { sha256 }, { {1, ..}, {2, ..} }, { "0108", "040000" } }, put together by
        // hand; hashes by sha256sum.
        let expected = "307002\
             0101300B0609608648016503040201304E302502010104207692C3AD3540BB803C020B3AEE66CD8887\
             123234EA0C6E7143C0ADD73FF431ED302502010204203FC4CCFE745870E2C0D99F71F30FF0656C8DED\
             D41CC1D7D3D376B0DBE685E2F3300E1304303130381306303430303030";
        assert_eq!(
            hex::encode_upper(object.encode().unwrap()),
            expected.replace(' ', "")
        );
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            numbers in prop::collection::btree_set(1u8..=16, 2..=16),
            content in prop::collection::vec(any::<u8>(), 0..40),
            hash in prop::sample::select(&Hash::ALL),
            version in prop::sample::select(&[LdsVersion::V1_7, LdsVersion::V1_8]),
        ) {
            let files = numbers
                .iter()
                .rev()
                .map(|number| (Group::from_number(*number).unwrap(), &content[..]));
            let object = LdsSecurityObject::new(version, hash, files).unwrap();
            let read = LdsSecurityObject::parse(&object.encode().unwrap()).unwrap();
            prop_assert_eq!(&read.content, &object);
            prop_assert_eq!(read.remarks.is_empty(), hash != Hash::Sha1);
            let listed: Vec<_> = object.hashes().map(|(group, _)| group.number()).collect();
            prop_assert!(numbers.into_iter().eq(listed));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = LdsSecurityObject::parse(&bytes);
        }
    }
}

//! What a document profile says of the files of the logical data structure, read and proved.

use std::collections::BTreeSet;
use std::ops::Range;

use access::security_infos::{KeyAgreement, Mapping, PaceProtocol};
use access::{Cipher as AccessCipher, DomainParameters};
use cert::Hash;
use document::Kind;
use document::mrz::PersonalCodePlace;
use mrtd::biometrics::BiometricEncoding;
use mrtd::lds::{Group, LdsVersion};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{DocumentLds, LdsChip, LdsMapped, LdsPace};
use crate::chip_file::Text;
use crate::chip_load::{Checked, Loader};
use crate::placed::Placed;

/// The most bytes of a picture: with its wrapping it stays within one data group.
const MOST_PICTURE: usize = 65_000;

/// The most bytes of a text in DG12 (*ICAO 9303-10 Table 74*).
const MOST_TEXT: usize = 99;

/// What a document profile says of the files of the logical data structure on one chip.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DocumentLdsFile {
    /// The version of the LDS: 1.7 or 1.8.
    version: Text,
    /// The hash over each data group: sha256, sha384 or sha512.
    hash: Text,
    /// The numbers of the data groups: 1 and 2 at least.
    groups: Placed<Vec<Placed<u8>>>,
    /// How faces and fingerprints are encoded: iso19794 or iso39794.
    biometrics: Text,
    /// The most bytes of the portrait's image.
    portrait_bytes: Placed<usize>,
    /// The most bytes of each fingerprint's image.
    fingerprint_bytes: Option<Placed<usize>>,
    /// The age in years from which a holder's fingerprints are on the chip.
    #[serde(default)]
    fingerprints_from: u16,
    /// The issuing authority, as DG12 names it.
    authority: Option<Text>,
    /// The document code of the machine-readable zone, where it is not the kind's usual one.
    code: Option<Text>,
    /// Where the holder's personal code stands in the zone: optional-data,
    /// second-optional-data or nowhere.
    personal_code: Option<Text>,
    /// The ways in which the chip does PACE, in EF.CardAccess and DG14.
    #[serde(default)]
    pace: Vec<LdsPaceFile>,
    /// The chip's key for active authentication, which is in DG15.
    active: Option<Text>,
    /// The chip's key for chip authentication, which is in DG14.
    chip: Option<LdsChipFile>,
    /// The chip's key for chip authentication mapping, which is in EF.CardSecurity.
    mapped: Option<LdsMappedFile>,
    /// Whether the chip wants terminal authentication before it gives DG3.
    #[serde(default)]
    terminal: bool,
}

/// One way in which the chip does PACE.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LdsPaceFile {
    /// generic, integrated or chip-authentication.
    mapping: Text,
    /// 3des, aes-128, aes-192 or aes-256.
    cipher: Text,
    /// The standardized group by its name, as P-256 or brainpoolP256r1.
    parameters: Text,
}

/// The chip's key for chip authentication.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LdsChipFile {
    /// The key's name in the chip profile.
    key: Text,
    /// The cipher of the session after it: 3des, aes-128, aes-192 or aes-256.
    cipher: Text,
    /// The number by which the chip knows the key, where it has several.
    id: Option<u64>,
}

/// The chip's key for chip authentication mapping.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LdsMappedFile {
    /// The key's name in the chip profile.
    key: Text,
    /// The number by which EF.CardSecurity names it, where the chip has several.
    id: Option<u64>,
}

/// The ciphers of a session with their names.
const CIPHERS: [(AccessCipher, &str); 4] = [
    (AccessCipher::TripleDes, "3des"),
    (AccessCipher::Aes128, "aes-128"),
    (AccessCipher::Aes192, "aes-192"),
    (AccessCipher::Aes256, "aes-256"),
];

/// PACE's mappings with their names.
const MAPPINGS: [(Mapping, &str); 3] = [
    (Mapping::Generic, "generic"),
    (Mapping::Integrated, "integrated"),
    (Mapping::ChipAuthentication, "chip-authentication"),
];

/// Returns which of the known values a text names.
fn named<T: Copy>(loader: &Loader<'_>, text: &Text, what: &str, known: &[(T, &str)]) -> Checked<T> {
    match known.iter().find(|(_, name)| name == text.get_ref()) {
        Some((value, _)) => Ok(*value),
        None => loader.unknown(
            text.span(),
            what,
            text.get_ref(),
            known.iter().map(|(_, name)| *name),
        ),
    }
}

impl LdsPaceFile {
    fn load(&self, loader: &Loader<'_>) -> Checked<LdsPace> {
        let groups = DomainParameters::ALL.map(|group| (group, group.name()));
        let parameters = named(
            loader,
            &self.parameters,
            "no standardized group is",
            &groups,
        )?;
        let protocol = PaceProtocol {
            agreement: match parameters.is_curve() {
                true => KeyAgreement::Ecdh,
                false => KeyAgreement::Dh,
            },
            mapping: named(loader, &self.mapping, "PACE has no mapping", &MAPPINGS)?,
            cipher: named(loader, &self.cipher, "no session has the cipher", &CIPHERS)?,
        };
        if protocol.oid().is_none() {
            return loader.fault(
                self.mapping.span(),
                "PACE has no such mapping for this group and cipher",
                "chip-authentication goes with a curve and AES",
            );
        }
        Ok(LdsPace {
            protocol,
            parameters,
        })
    }
}

impl DocumentLdsFile {
    /// Returns where it stands.
    pub(crate) fn place(&self) -> Range<usize> {
        self.version.span()
    }

    /// Proves what the file says, for documents of these kinds.
    pub(crate) fn load(self, loader: &Loader<'_>, kinds: &[Kind]) -> Checked<DocumentLds> {
        let version = match self.version.get_ref().as_str() {
            "1.7" => LdsVersion::V1_7,
            "1.8" => LdsVersion::V1_8,
            other => {
                return loader.fault(
                    self.version.span(),
                    format!("version {other} of the LDS is not written"),
                    "\"1.7\" or \"1.8\"",
                );
            }
        };
        let strong = [Hash::Sha256, Hash::Sha384, Hash::Sha512].map(|hash| (hash, hash.name()));
        let hash = named(loader, &self.hash, "no data group is hashed with", &strong)?;
        let encodings = BiometricEncoding::ALL.iter();
        let encodings: Vec<_> = encodings.map(|each| (*each, each.name())).collect();
        let what = "faces and fingerprints are not encoded as";
        let biometrics = named(loader, &self.biometrics, what, &encodings)?;
        let personal_code = match &self.personal_code {
            None => PersonalCodePlace::OptionalData,
            Some(text) => {
                let places = PersonalCodePlace::ALL.iter();
                let places: Vec<_> = places.map(|place| (*place, place.name())).collect();
                named(loader, text, "the zone has no place", &places)?
            }
        };
        self.check_code(loader, kinds)?;
        let pace = self.pace.iter().map(|pace| pace.load(loader));
        let pace = pace.collect::<Checked<Vec<_>>>()?;
        self.check_mapping(loader, &pace)?;
        let chip = match &self.chip {
            None => None,
            Some(chip) => Some(LdsChip {
                key: chip.key.get_ref().clone(),
                cipher: named(loader, &chip.cipher, "no session has the cipher", &CIPHERS)?,
                id: chip.id,
            }),
        };
        image_room(loader, &self.portrait_bytes)?;
        if let Some(room) = &self.fingerprint_bytes {
            image_room(loader, room)?;
        }
        let groups = self.groups(loader)?;
        self.check_groups(loader, &groups)?;
        Ok(DocumentLds {
            version,
            hash,
            groups,
            biometrics,
            portrait_bytes: *self.portrait_bytes.get_ref(),
            fingerprint_bytes: self
                .fingerprint_bytes
                .map_or(MOST_PICTURE, Placed::into_inner),
            fingerprints_from: self.fingerprints_from,
            authority: self.authority.map(Placed::into_inner),
            code: self.code.map(Placed::into_inner),
            personal_code,
            pace,
            active: self.active.map(Placed::into_inner),
            chip,
            mapped: self.mapped.map(|mapped| LdsMapped {
                key: mapped.key.into_inner(),
                id: mapped.id,
            }),
            terminal: self.terminal,
        })
    }

    /// Checks that every kind has a machine-readable zone, and may have this document code.
    fn check_code(&self, loader: &Loader<'_>, kinds: &[Kind]) -> Checked<()> {
        if let Some(kind) = kinds.iter().find(|kind| kind.mrz().is_none()) {
            return loader.fault(
                self.groups.span(),
                format!("{kind} has no machine-readable zone, which DG1 holds"),
                "leave that kind to a profile without [chips.lds]",
            );
        }
        let Some(code) = &self.code else {
            return Ok(());
        };
        let known = |kind: &Kind| kind.document_codes().contains(&code.get_ref().as_str());
        match kinds.iter().find(|kind| !known(kind)) {
            None => Ok(()),
            Some(kind) => loader.fault(
                code.span(),
                format!("{kind} has no document code {}", code.get_ref()),
                format!("one of {}", kind.document_codes().join(" ")),
            ),
        }
    }

    /// Checks that mapping a key and naming one go together, and that there is another mapping for
    /// terminals that know no better (*ICAO 9303-11 §4.4*).
    fn check_mapping(&self, loader: &Loader<'_>, pace: &[LdsPace]) -> Checked<()> {
        let is_mapped = |pace: &LdsPace| pace.protocol.mapping == Mapping::ChipAuthentication;
        let place = self.pace.iter().zip(pace);
        let place = place.filter(|(_, pace)| is_mapped(pace));
        let place = place.map(|(file, _)| file.mapping.span()).next();
        match (place, &self.mapped) {
            (Some(place), None) => loader.fault(
                place,
                "chip-authentication maps a key of the chip, and none is named",
                "write mapped = { key = \"…\" }",
            ),
            (None, Some(mapped)) => loader.fault(
                mapped.key.span(),
                "no way of PACE maps this key",
                "write one with mapping = \"chip-authentication\", or leave \"mapped\" out",
            ),
            (Some(place), _) if pace.iter().all(is_mapped) => loader.fault(
                place,
                "a chip that maps its key also does PACE in another way",
                "write one with mapping = \"generic\" beside it",
            ),
            _ => Ok(()),
        }
    }

    fn groups(&self, loader: &Loader<'_>) -> Checked<BTreeSet<Group>> {
        let mut groups = BTreeSet::new();
        for number in self.groups.get_ref() {
            let group = Group::from_number(*number.get_ref());
            let Some(group) = group.filter(|group| PREPARED.contains(group)) else {
                return loader.fault(
                    number.span(),
                    format!("data group {} is not prepared here", number.get_ref()),
                    "1, 2, 3, 5, 7, 11, 12, 14 or 15",
                );
            };
            if !groups.insert(group) {
                return loader.fault(
                    number.span(),
                    format!("{group} stands here twice"),
                    "leave one of them out",
                );
            }
        }
        let mut mandatory = Group::ALL.into_iter().filter(|group| group.is_mandatory());
        match mandatory.find(|group| !groups.contains(group)) {
            None => Ok(groups),
            Some(group) => loader.fault(
                self.groups.span(),
                format!("every travel document has {group}"),
                format!("add {}", group.number()),
            ),
        }
    }

    /// Checks that what the data groups hold is named, and what is named has its data group.
    fn check_groups(&self, loader: &Loader<'_>, groups: &BTreeSet<Group>) -> Checked<()> {
        let chip = self.chip.as_ref().map(|chip| &chip.key);
        let authority = self.authority.as_ref();
        let named = [
            (self.active.as_ref(), Group::Dg15),
            (chip, Group::Dg14),
            (authority, Group::Dg12),
        ];
        for (text, group) in named {
            if let Some(text) = text.filter(|_| !groups.contains(&group)) {
                return loader.fault(
                    text.span(),
                    format!("this is in {group}, which is not among the groups"),
                    format!("add {} to \"groups\"", group.number()),
                );
            }
        }
        if let Some(long) = authority.filter(|text| text.get_ref().len() > MOST_TEXT) {
            return loader.fault(
                long.span(),
                format!("DG12 takes {MOST_TEXT} bytes of text"),
                "shorten it",
            );
        }
        let is_told = !self.pace.is_empty() || chip.is_some() || self.terminal;
        let without = [
            (
                self.active.is_some(),
                Group::Dg15,
                "active = \"…\" with the key's name",
            ),
            (
                is_told,
                Group::Dg14,
                "chip = { key = \"…\", cipher = \"…\" }",
            ),
            (authority.is_some(), Group::Dg12, "authority = \"…\""),
        ];
        let mut without = without.into_iter();
        match without.find(|(is_there, group, _)| !is_there && groups.contains(group)) {
            None => Ok(()),
            Some((_, group, hint)) => loader.fault(
                self.groups.span(),
                format!("nothing is said of what {group} holds"),
                format!("write {hint}, or leave {} out", group.number()),
            ),
        }
    }
}

/// Checks that a picture of so many bytes can be.
fn image_room(loader: &Loader<'_>, room: &Placed<usize>) -> Checked<()> {
    match room.get_ref() {
        1..=MOST_PICTURE => Ok(()),
        bytes => loader.fault(
            room.span(),
            format!("a picture of at most {bytes} bytes"),
            format!("from 1 to {MOST_PICTURE}"),
        ),
    }
}

/// The data groups that data preparation makes.
const PREPARED: [Group; 9] = [
    Group::Dg1,
    Group::Dg2,
    Group::Dg3,
    Group::Dg5,
    Group::Dg7,
    Group::Dg11,
    Group::Dg12,
    Group::Dg14,
    Group::Dg15,
];

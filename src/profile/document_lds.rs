//! What a travel chip holds: the files of the logical data structure that data preparation makes,
//! and those that wait for the keys of the chip (*ICAO 9303-10*).
//!
//! ```text
//! application ──────► dg1, dg2, dg3, dg11 …      before a blank is chosen
//! keys of the chip ─► dg14, dg15 ─► sod, com     while the chip is written
//! ```

mod file;
mod keyed;
mod prepare;
#[cfg(test)]
#[path = "../../tests/profile/lds_preparation.rs"]
mod tests;

use std::collections::BTreeSet;

use access::security_infos::PaceProtocol;
use access::{Cipher as AccessCipher, DomainParameters};
use cert::Hash;
use document::mrz::PersonalCodePlace;
use mrtd::biometrics::BiometricEncoding;
use mrtd::lds::{File, Group, LdsVersion};

pub(crate) use file::DocumentLdsFile;
pub use keyed::{KeyedError, KeyedFiles};
pub use prepare::{Applied, PreparationError};

/// The files of the logical data structure on one chip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentLds {
    /// The version of the LDS, which decides the form of the security object.
    pub version: LdsVersion,
    /// The hash over each data group.
    pub hash: Hash,
    /// The data groups, in order.
    pub groups: BTreeSet<Group>,
    /// How faces and fingerprints are encoded.
    pub biometrics: BiometricEncoding,
    /// The most bytes of the portrait's image.
    pub portrait_bytes: usize,
    /// The most bytes of each fingerprint's image.
    pub fingerprint_bytes: usize,
    /// The age in years from which a holder's fingerprints are on the chip.
    pub fingerprints_from: u16,
    /// The issuing authority, as DG12 names it.
    pub authority: Option<String>,
    /// The document code of the machine-readable zone, where it is not the kind's usual one.
    pub code: Option<String>,
    /// Where the holder's personal code stands in the zone.
    pub personal_code: PersonalCodePlace,
    /// The ways in which the chip does PACE, in EF.CardAccess and DG14.
    pub pace: Vec<LdsPace>,
    /// The chip's key for active authentication: DG15.
    pub active: Option<String>,
    /// The chip's key for chip authentication: DG14.
    pub chip: Option<LdsChip>,
    /// The chip's key for chip authentication mapping: EF.CardSecurity.
    pub mapped: Option<LdsMapped>,
    /// Whether the chip wants terminal authentication before it gives DG3.
    pub terminal: bool,
}

/// What the centre makes once it knows the chip's keys: the data groups that hold them, and the
/// security object over all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyedData {
    /// The keys whose public halves it needs, by the chip profile's names.
    pub keys: BTreeSet<String>,
    /// The names of what it makes: `dg14` where the profile writes `prepared.dg14`.
    pub files: BTreeSet<String>,
}

/// One way in which the chip does PACE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LdsPace {
    /// The mapping, the kind of group and the cipher.
    pub protocol: PaceProtocol,
    /// The group.
    pub parameters: DomainParameters,
}

/// The chip's key for chip authentication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LdsChip {
    /// The key, by the chip profile's name.
    pub key: String,
    /// The cipher of the session after it.
    pub cipher: AccessCipher,
    /// The number by which the chip knows the key, where it has several.
    pub id: Option<u64>,
}

/// The chip's key for chip authentication mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LdsMapped {
    /// The key, by the chip profile's name.
    pub key: String,
    /// The number by which EF.CardSecurity names it, where the chip has several.
    pub id: Option<u64>,
}

impl DocumentLds {
    /// Returns what waits for the chip's keys.
    #[must_use]
    pub fn keyed_data(&self) -> KeyedData {
        let groups = [Group::Dg14, Group::Dg15].into_iter();
        let files = groups
            .filter(|group| self.groups.contains(group))
            .map(prepared_name)
            .chain([COM.to_owned(), SOD.to_owned()])
            .chain(self.mapped.iter().map(|_| CARD_SECURITY.to_owned()));
        let chip = self.chip.iter().map(|chip| &chip.key);
        let mapped = self.mapped.iter().map(|mapped| &mapped.key);
        KeyedData {
            keys: self
                .active
                .iter()
                .chain(chip)
                .chain(mapped)
                .cloned()
                .collect(),
            files: files.collect(),
        }
    }
}

/// What profiles write after `prepared.` for EF.COM.
pub(crate) const COM: &str = "com";
/// What profiles write after `prepared.` for EF.SOD.
pub(crate) const SOD: &str = "sod";
/// What profiles write after `prepared.` for EF.CardAccess.
pub(crate) const CARD_ACCESS: &str = "card_access";
/// What profiles write after `prepared.` for EF.CardSecurity.
pub(crate) const CARD_SECURITY: &str = "card_security";

/// What profiles write after `prepared.` for the certificate by which the chip knows inspection
/// systems.
pub(crate) const TRUST_POINT: &str = "trust_point";

/// Returns what profiles write after `prepared.` for a file.
#[must_use]
pub fn prepared_file(file: File) -> String {
    match file {
        File::Com => COM.to_owned(),
        File::Sod => SOD.to_owned(),
        File::CardAccess => CARD_ACCESS.to_owned(),
        File::CardSecurity => CARD_SECURITY.to_owned(),
        File::Dg(group) => prepared_name(group),
        // None of these is prepared here.
        File::Cvca => "cvca".to_owned(),
        File::AtrInfo => "atr_info".to_owned(),
        File::Dir => "dir".to_owned(),
    }
}

/// Returns what profiles write after `prepared.` for a data group.
pub(crate) fn prepared_name(group: Group) -> String {
    format!("dg{}", group.number())
}

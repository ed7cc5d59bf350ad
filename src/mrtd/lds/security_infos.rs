//! The files that hold `SecurityInfos`: DG14 and EF.CardAccess (*ICAO 9303-10 §3.11.3, §4.7.14*).
//! What the infos say is `access`'s matter.

use card::tlv::{self, Tag};

use super::data_group::DataGroup;
use super::error::{LdsError, LdsFault, within_bound};
use super::file::{File, Group};
use super::template::{objects, outer};

const SET: Tag = Tag::known::<0x31>();
const SEQUENCE: Tag = Tag::known::<0x30>();

/// The most infos that are read of a file.
const MAX_INFOS: usize = 64;

/// DG14: `SecurityInfos` in an object `6E`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dg14 {
    infos: Vec<u8>,
}

impl Dg14 {
    /// Returns the data group with these `SecurityInfos`, a SET in DER.
    ///
    /// # Errors
    /// [`LdsFault::Der`], [`LdsFault::TooMany`].
    pub fn new(infos: Vec<u8>) -> Result<Self, LdsError> {
        check(File::Dg(Group::Dg14), &infos)?;
        Ok(Self { infos })
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`LdsError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, LdsError> {
        let file = File::Dg(Group::Dg14);
        Self::new(outer(file, Group::Dg14.tag(), bytes)?.to_vec())
    }

    /// Returns the `SecurityInfos`, a SET of sequences; what these hold was not looked at.
    #[must_use]
    pub fn security_infos(&self) -> &[u8] {
        &self.infos
    }

    /// Returns the file.
    ///
    /// # Errors
    /// [`LdsFault::TooLong`].
    pub fn encode(&self) -> Result<DataGroup, LdsError> {
        DataGroup::new(Group::Dg14, &self.infos)
    }
}

/// EF.CardAccess: `SecurityInfos` that are the whole file, readable by anybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardAccess {
    infos: Vec<u8>,
}

impl CardAccess {
    /// Reads the file, or takes these `SecurityInfos` as it: they are the same.
    ///
    /// # Errors
    /// [`LdsError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, LdsError> {
        check(File::CardAccess, bytes)?;
        Ok(Self {
            infos: bytes.to_vec(),
        })
    }

    /// Returns the `SecurityInfos`, all bytes of the file; what stands in their sequences was not
    /// looked at.
    #[must_use]
    pub fn security_infos(&self) -> &[u8] {
        &self.infos
    }
}

/// Checks that all bytes are one SET of sequences.
fn check(file: File, bytes: &[u8]) -> Result<(), LdsError> {
    const WHAT: LdsFault = LdsFault::Der("a SET of SecurityInfo");
    within_bound(file, bytes)?;
    let Ok((set, rest)) = tlv::parse(bytes) else {
        return Err(LdsError::of(file, WHAT));
    };
    if set.tag != SET {
        return Err(LdsError::of(file, WHAT));
    }
    if !rest.is_empty() {
        return Err(LdsError::of(file, LdsFault::Trailing(rest.len())));
    }
    let infos = objects(file, set.value, MAX_INFOS)?;
    if infos.is_empty() || infos.iter().any(|info| info.tag != SEQUENCE) {
        return Err(LdsError::of(file, WHAT));
    }
    Ok(())
}

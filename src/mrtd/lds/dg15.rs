//! DG15: the public key of active authentication (*ICAO 9303-10 §4.7.15, 9303-11 §6.1*).

use cert::PublicKey;

use super::data_group::DataGroup;
use super::error::{LdsError, LdsFault};
use super::file::{File, Group};
use super::template::outer;

const FILE: File = File::Dg(Group::Dg15);

/// The public key, a `SubjectPublicKeyInfo` in an object `6F`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dg15 {
    key: PublicKey,
    spki: Vec<u8>,
}

impl Dg15 {
    /// Returns the data group with this key.
    ///
    /// # Errors
    /// [`LdsFault::PublicKey`], in theory only.
    pub fn new(key: PublicKey) -> Result<Self, LdsError> {
        let fault = |error| LdsError::of(FILE, LdsFault::PublicKey(error));
        let spki = key.to_spki_der().map_err(fault)?;
        Ok(Self { key, spki })
    }

    /// Reads the file. Keys of curves and lengths that are not used here come as
    /// [`PublicKey::Other`].
    ///
    /// # Errors
    /// [`LdsError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, LdsError> {
        let spki = outer(FILE, Group::Dg15.tag(), bytes)?;
        let fault = |error| LdsError::of(FILE, LdsFault::PublicKey(error));
        Ok(Self {
            key: PublicKey::from_spki_der(spki).map_err(fault)?,
            spki: spki.to_vec(),
        })
    }

    /// Returns the key.
    #[must_use]
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// Returns the `SubjectPublicKeyInfo` in DER, as the file has it.
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// Returns the file.
    ///
    /// # Errors
    /// [`LdsFault::TooLong`].
    pub fn encode(&self) -> Result<DataGroup, LdsError> {
        DataGroup::new(Group::Dg15, &self.spki)
    }
}

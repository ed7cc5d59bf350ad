//! EF.CVCA: whose certificates a chip accepts (*TR-03110-3 §A.6.2.3, Table 6*).

use crate::cvc::certificate::read_reference;
use crate::cvc::error::CvcError;
use crate::cvc::object::{CAR, Reader};
use crate::cvc::reference::HolderReference;

/// The length that the file always has, in bytes.
const LENGTH: usize = 36;
/// The longest file that is read: some chips give a whole block.
const MOST: usize = 256;

/// The references of the authorities whose keys a chip has as trust points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EfCvca {
    /// The most recent.
    pub current: HolderReference,
    /// The one before, while it is still accepted.
    pub previous: Option<HolderReference>,
}

impl EfCvca {
    /// Reads the file.
    ///
    /// # Errors
    /// [`CvcError::EfCvca`] or [`CvcError::Reference`].
    pub fn parse(file: &[u8]) -> Result<Self, CvcError> {
        if file.len() > MOST {
            return Err(CvcError::EfCvca {
                reason: "it is too long",
            });
        }
        let mut reader = Reader::new(file);
        let current = read_reference(&mut reader, CAR)?;
        let previous = match reader.sees(CAR) {
            true => Some(read_reference(&mut reader, CAR)?),
            false => None,
        };
        if reader.rest().iter().any(|byte| *byte != 0) {
            return Err(CvcError::EfCvca {
                reason: "more than padding follows",
            });
        }
        Ok(Self { current, previous })
    }

    /// Returns the file: 36 bytes, the end filled with zeros.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut file = CAR.encode(self.current.as_bytes());
        if let Some(previous) = &self.previous {
            file.extend(CAR.encode(previous.as_bytes()));
        }
        file.resize(LENGTH, 0);
        file
    }

    /// Returns the references, the most recent first: the order in which a terminal tries them.
    pub fn references(&self) -> impl Iterator<Item = &HolderReference> {
        std::iter::once(&self.current).chain(&self.previous)
    }
}

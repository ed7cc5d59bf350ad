//! A letter that is ready to be printed.

use std::fmt;

use zeroize::Zeroizing;

/// A PDF in memory, wiped when dropped. It is printed by being moved: there is no second copy.
pub struct Letter {
    serial: String,
    pub(crate) pdf: Zeroizing<Vec<u8>>,
}

impl Letter {
    pub(crate) fn new(serial: String, pdf: Zeroizing<Vec<u8>>) -> Self {
        Self { serial, pdf }
    }

    /// Returns the serial number of the envelope.
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// Returns the bytes of the PDF. They hold the holder's PINs.
    pub fn pdf(&self) -> &[u8] {
        &self.pdf
    }
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Letter({})", self.serial)
    }
}

//! Where a printer of this language stands.

use super::driver::EscPrinter;
use super::profile::EscProfile;
use crate::card_printer::{Capabilities, Printer, PrinterError, PrinterPlace};
use crate::link::LinkAddress;

/// Where a card printer of the escape command language stands.
#[derive(Clone, Debug)]
pub struct EscPlace {
    profile: EscProfile,
    capabilities: Capabilities,
    address: LinkAddress,
    serial: Option<String>,
}

impl EscPlace {
    /// Takes note of a place. `serial` is the serial number that the printer there must have, where
    /// that is known.
    #[must_use]
    pub fn new(profile: EscProfile, address: LinkAddress, serial: Option<String>) -> Self {
        Self {
            capabilities: profile.capabilities(),
            profile,
            address,
            serial,
        }
    }
}

impl PrinterPlace for EscPlace {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn connect(&self) -> Result<Box<dyn Printer>, PrinterError> {
        let (profile, address) = (self.profile.clone(), self.address.clone());
        let printer = EscPrinter::connect(profile, address, self.serial.as_deref())?;
        Ok(Box::new(printer))
    }
}

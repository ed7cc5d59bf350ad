//! Which PINs would be taken for one another.

use super::{Checked, Loader};
use crate::chip_file::{ChipFile, PinFile};

impl Loader<'_> {
    /// A global PIN is found from every dedicated file of its application: no other PIN there
    /// may have its reference.
    pub(super) fn global_pins_are_apart(&self, file: &ChipFile) -> Checked<()> {
        for (name, placed) in &file.pins {
            let pin = placed.get_ref();
            let Some(reference) = pin.reference else {
                continue;
            };
            let clashes = |other: &PinFile| {
                (pin.global || other.global)
                    && other.reference == Some(reference)
                    && outermost(file, pin) == outermost(file, other)
            };
            let mut before = file.pins.iter().take_while(|(other, _)| *other != name);
            if let Some((other, _)) = before.find(|(_, other)| clashes(other.get_ref())) {
                return self.fault(
                    placed.span(),
                    format!(
                        "PINs \"{other}\" and \"{name}\" have the same reference {reference:02X}, and one of them is global"
                    ),
                    "a global PIN is found from everywhere in its application: choose another reference",
                );
            }
        }
        Ok(())
    }
}

/// Returns the application that is selected to reach a PIN. The loader has proved that there is
/// one.
fn outermost<'f>(file: &'f ChipFile, pin: &'f PinFile) -> &'f str {
    let mut name = pin.application.get_ref();
    for _ in 0..file.applications.len() {
        let application = file.applications.get(name);
        match application.and_then(|application| application.get_ref().within.as_ref()) {
            Some(outer) => name = outer.get_ref(),
            None => break,
        }
    }
    name
}

//! Where on the chip the next command finds itself.

use crate::chip::{ChipProfile, Detail, Object, PinBefore};
use crate::vocabulary::{Dialect, ObjectKind, Verb};

/// Which dedicated file is current, so that it is entered only when it must be.
#[derive(Clone, Debug, Default)]
pub struct Position {
    selected: Option<String>,
    current: Option<String>,
}

impl Position {
    /// Returns whether `application` is the selected one, with its root current.
    pub fn is_selected(&self, application: &str) -> bool {
        self.selected.as_deref() == Some(application)
            && self.current.as_deref() == Some(application)
    }

    /// Notes that `application` was selected by its identifier.
    pub fn selected(&mut self, application: &str) {
        self.selected = Some(application.to_owned());
        self.current = Some(application.to_owned());
    }

    /// Notes that a dedicated file has become current.
    pub fn entered(&mut self, application: &str) {
        self.current = Some(application.to_owned());
    }

    /// Returns the application or dedicated file that is current.
    pub(crate) fn current(&self) -> Option<&str> {
        self.current.as_deref()
    }

    /// Notes where a step leaves the chip.
    pub(crate) fn passes(&mut self, chip: &ChipProfile, verb: Verb, object: &Object) {
        for operation in chip.operations_of(verb, object, PinBefore::Unknown) {
            if let Some(application) = self.enters(chip, operation, object) {
                self.entered(&application.name);
            }
        }
        // A new dedicated file is the current one (ISO/IEC 7816-9 §6.2).
        if verb == Verb::Install {
            self.entered(&object.name);
        }
    }

    /// Notes that nothing is known any more: after a reset.
    pub fn lost(&mut self) {
        *self = Self::default();
    }

    /// Returns the application that must be entered before an operation on `object`, if any.
    pub fn enters<'c>(
        &self,
        chip: &'c ChipProfile,
        operation: Dialect,
        object: &Object,
    ) -> Option<&'c Object> {
        let home = match &object.detail {
            // A new dedicated file is made inside the one that holds it.
            Detail::Application { within } if operation == Dialect::Install => within.as_ref()?,
            Detail::Pin(rules) if rules.global && operation != Dialect::CreatePin => return None,
            Detail::KeySet | Detail::State { .. } => return None,
            _ => &object.application,
        };
        if self.current.as_deref() == Some(home) {
            return None;
        }
        chip.object(ObjectKind::Application, home)
    }
}

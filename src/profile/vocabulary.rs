//! The closed vocabulary: what a chip profile can be asked to do, and on what.

use std::fmt;

/// What kind of thing on a chip an operation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    /// An application or dedicated file that is selected.
    Application,
    /// An elementary file.
    File,
    /// A PIN or PUK.
    Pin,
    /// A key pair for the holder.
    Key,
    /// A key set of the issuer's secure channel.
    KeySet,
    /// A life-cycle state.
    State,
}

impl ObjectKind {
    /// Returns the word in front of the dot in templates, as in `pin.reference`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::File => "file",
            Self::Pin => "pin",
            Self::Key => "key",
            Self::KeySet => "key_set",
            Self::State => "state",
        }
    }
}

/// An operation that a chip profile spells in its own dialect, as one or more commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// Makes an application the selected one; ends any secure channel.
    Select,
    /// Makes a dedicated file current inside the selected application; keeps the channel.
    Enter,
    /// Makes an application or dedicated file exist.
    Install,
    /// Makes an elementary file exist, with its final size.
    CreateFile,
    /// Makes an elementary file current.
    SelectFile,
    /// Writes one chunk of the current file.
    WriteFile,
    /// Reads one chunk of the current file.
    ReadFile,
    /// Makes a PIN object exist, without value.
    CreatePin,
    /// Sets a PIN's value without knowing the one before.
    SetPin,
    /// Presents a PIN.
    VerifyPin,
    /// Reads how many tries a PIN has left.
    ReadTries,
    /// Has the chip make a key pair, and gives its public point.
    GenerateKey,
    /// Has the chip sign a digest with a key.
    Sign,
    /// Moves a life cycle on.
    SetState,
}

impl Dialect {
    /// Every operation, with its name in a file, what it is about, and the variables that
    /// its templates may use beside those of the object.
    pub const ALL: [(Self, &'static str, ObjectKind, &'static [&'static str]); 14] = [
        (Self::Select, "select", ObjectKind::Application, &[]),
        (Self::Enter, "enter", ObjectKind::Application, &[]),
        (Self::Install, "install", ObjectKind::Application, &[]),
        (Self::CreateFile, "create_file", ObjectKind::File, &[]),
        (Self::SelectFile, "select_file", ObjectKind::File, &[]),
        (
            Self::WriteFile,
            "write_file",
            ObjectKind::File,
            &["offset", "chunk"],
        ),
        (
            Self::ReadFile,
            "read_file",
            ObjectKind::File,
            &["offset", "length"],
        ),
        (Self::CreatePin, "create_pin", ObjectKind::Pin, &[]),
        (Self::SetPin, "set_pin", ObjectKind::Pin, &["pin.value"]),
        (
            Self::VerifyPin,
            "verify_pin",
            ObjectKind::Pin,
            &["pin.value"],
        ),
        (Self::ReadTries, "read_tries", ObjectKind::Pin, &[]),
        (Self::GenerateKey, "generate_key", ObjectKind::Key, &[]),
        (Self::Sign, "sign", ObjectKind::Key, &["digest"]),
        (Self::SetState, "set_state", ObjectKind::State, &[]),
    ];

    /// Returns the operation that a file calls `name`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(_, known, _, _)| *known == name)
            .map(|(operation, ..)| *operation)
    }

    fn row(self) -> (&'static str, ObjectKind, &'static [&'static str]) {
        Self::ALL
            .iter()
            .find(|(operation, ..)| *operation == self)
            .map_or(
                ("", ObjectKind::Application, &[]),
                |(_, name, kind, extra)| (name, *kind, extra),
            )
    }

    /// Returns the operation's name in a file.
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// Returns what the operation is about.
    pub fn object(self) -> ObjectKind {
        self.row().1
    }

    /// Returns the variables that its templates may use beside the object's own.
    pub fn variables(self) -> &'static [&'static str] {
        self.row().2
    }

    /// Returns what the operation must take out of its answers, if anything.
    pub fn result(self) -> Option<&'static str> {
        match self {
            Self::ReadTries => Some("tries"),
            Self::GenerateKey => Some("public"),
            Self::Sign => Some("signature"),
            _ => None,
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A step of a personalization, as a profile's stages list it: `write_file certificate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Makes an application or dedicated file exist.
    Install,
    /// Makes a file exist, as large as its content, and writes it.
    WriteFile,
    /// Reads a file back and compares it byte for byte.
    CheckFile,
    /// Makes a PIN object exist.
    CreatePin,
    /// Sets a random value that only this personalization knows.
    SetTemporaryPin,
    /// Sets the holder's value; only in a sealed stage.
    SetHolderPin,
    /// Presents the personalization's own value.
    VerifyPin,
    /// Reads a PIN's tries and compares them with the full number.
    CheckTries,
    /// Has the chip make a key pair.
    GenerateKey,
    /// Has the chip sign a certificate request, and asks for the certificate.
    RequestCertificate,
    /// Has the chip sign a challenge, and verifies it under the certificate.
    CheckKey,
    /// Replaces the open channel's key set by another.
    ReplaceKeys,
    /// Proves that a key set is no longer taken.
    CheckRefused,
    /// Moves a life cycle on.
    SetState,
}

impl Verb {
    /// Every verb with its name in a file, what it is about, the dialect operations that it
    /// needs, and whether it changes the chip for good.
    pub const ALL: [(Self, &'static str, ObjectKind, &'static [Dialect], bool); 14] = [
        (
            Self::Install,
            "install",
            ObjectKind::Application,
            &[Dialect::Install],
            true,
        ),
        (
            Self::WriteFile,
            "write_file",
            ObjectKind::File,
            &[Dialect::CreateFile, Dialect::WriteFile],
            true,
        ),
        (
            Self::CheckFile,
            "check_file",
            ObjectKind::File,
            &[Dialect::SelectFile, Dialect::ReadFile],
            false,
        ),
        (
            Self::CreatePin,
            "create_pin",
            ObjectKind::Pin,
            &[Dialect::CreatePin],
            true,
        ),
        (
            Self::SetTemporaryPin,
            "set_temporary_pin",
            ObjectKind::Pin,
            &[Dialect::SetPin],
            true,
        ),
        (
            Self::SetHolderPin,
            "set_holder_pin",
            ObjectKind::Pin,
            &[Dialect::SetPin],
            true,
        ),
        (
            Self::VerifyPin,
            "verify_pin",
            ObjectKind::Pin,
            &[Dialect::VerifyPin],
            false,
        ),
        (
            Self::CheckTries,
            "check_tries",
            ObjectKind::Pin,
            &[Dialect::ReadTries],
            false,
        ),
        (
            Self::GenerateKey,
            "generate_key",
            ObjectKind::Key,
            &[Dialect::GenerateKey],
            true,
        ),
        (
            Self::RequestCertificate,
            "request_certificate",
            ObjectKind::Key,
            &[Dialect::Sign],
            false,
        ),
        (
            Self::CheckKey,
            "check_key",
            ObjectKind::Key,
            &[Dialect::Sign],
            false,
        ),
        (
            Self::ReplaceKeys,
            "replace_keys",
            ObjectKind::KeySet,
            &[],
            true,
        ),
        (
            Self::CheckRefused,
            "check_refused",
            ObjectKind::KeySet,
            &[],
            false,
        ),
        (
            Self::SetState,
            "set_state",
            ObjectKind::State,
            &[Dialect::SetState],
            true,
        ),
    ];

    /// Returns the verb that a file calls `name`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(_, known, ..)| *known == name)
            .map(|(verb, ..)| *verb)
    }

    fn row(self) -> (&'static str, ObjectKind, &'static [Dialect], bool) {
        Self::ALL.iter().find(|(verb, ..)| *verb == self).map_or(
            ("", ObjectKind::State, &[], true),
            |(_, name, kind, needs, lasting)| (name, *kind, needs, *lasting),
        )
    }

    /// Returns the verb's name in a file.
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// Returns what the verb is about.
    pub fn object(self) -> ObjectKind {
        self.row().1
    }

    /// Returns the dialect operations that the verb needs.
    pub fn operations(self) -> &'static [Dialect] {
        self.row().2
    }

    /// Returns whether the verb changes the chip for good, so that it is journaled before
    /// and after.
    pub fn is_lasting(self) -> bool {
        self.row().3
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back_to_its_row() {
        for (operation, name, ..) in Dialect::ALL {
            assert_eq!(
                (Dialect::named(name), operation.name()),
                (Some(operation), name)
            );
        }
        for (verb, name, ..) in Verb::ALL {
            assert_eq!((Verb::named(name), verb.name()), (Some(verb), name));
        }
    }
}

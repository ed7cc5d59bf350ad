//! The closed vocabulary: what a chip profile can be asked to do, and on what.

use std::fmt;

/// What kind of thing on a chip an operation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    /// An application or dedicated file that is selected.
    Application,
    /// An elementary file.
    File,
    /// A data object that is put and got by its tag.
    Data,
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
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Application,
        Self::File,
        Self::Data,
        Self::Pin,
        Self::Key,
        Self::KeySet,
        Self::State,
    ];

    /// Returns the word in front of the dot in templates, as in `pin.reference`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::File => "file",
            Self::Data => "data",
            Self::Pin => "pin",
            Self::Key => "key",
            Self::KeySet => "key_set",
            Self::State => "state",
        }
    }

    /// Returns whether things of this kind hold content.
    pub fn has_content(self) -> bool {
        matches!(self, Self::File | Self::Data)
    }
}

macro_rules! operations {
    ($($name:literal $variant:ident $kind:ident [$($variable:literal),*] $doc:literal;)*) => {
        /// An operation that a chip profile spells in its own dialect, as one or more commands.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Dialect {
            $(#[doc = $doc] $variant,)*
        }

        impl Dialect {
            /// Every operation: its name in a file, what it is about, the variables that its
            /// templates may use beside those of the object, and what it does.
            pub const ALL: &'static [(Self, &'static str, ObjectKind, &'static [&'static str], &'static str)] = &[
                $((Self::$variant, $name, ObjectKind::$kind, &[$($variable),*], $doc),)*
            ];
        }
    };
}

operations! {
    "select" Select Application []
        "Makes an application the selected one; ends any secure channel.";
    "enter" Enter Application []
        "Makes a dedicated file current inside the selected application; keeps the channel.";
    "install" Install Application []
        "Makes an application or dedicated file exist.";
    "create_file" CreateFile File ["file.size"]
        "Makes an elementary file exist, with its final size.";
    "select_file" SelectFile File []
        "Makes an elementary file current.";
    "write_file" WriteFile File ["file.size", "offset", "chunk", "block", "record", "content"]
        "Writes the current file: a command with `chunk` or its place is repeated, one with `content` is not.";
    "read_file" ReadFile File ["file.size", "offset", "length", "block", "record"]
        "Reads the current file: a command with `length` or `offset`, `block`, `record` is repeated, any other is not.";
    "put_data" PutData Data ["data.size", "offset", "chunk", "block", "record", "content"]
        "Writes a data object: a command with `chunk` or its place is repeated, one with `content` is not.";
    "get_data" GetData Data ["data.size", "offset", "length", "block", "record"]
        "Reads a data object: a command with `length` or `offset`, `block`, `record` is repeated, any other is not.";
    "create_pin" CreatePin Pin []
        "Makes a PIN object exist, without value.";
    "set_pin" SetPin Pin ["pin.value", "pin.digits", "pin.puk", "pin.puk_digits"]
        "Sets a PIN's value without knowing the one before.";
    "change_pin" ChangePin Pin ["pin.value", "pin.digits", "pin.current", "pin.current_digits"]
        "Sets a PIN's value, knowing the one before.";
    "reset_pin" ResetPin Pin ["pin.value", "pin.digits", "pin.puk", "pin.puk_digits"]
        "Gives a PIN of a finished chip another value and all its tries, without knowing the one before.";
    "unblock_pin" UnblockPin Pin ["pin.value", "pin.digits", "pin.puk", "pin.puk_digits"]
        "Gives a PIN a new value and all its tries, by its PUK: its holder's, and no step's.";
    "verify_pin" VerifyPin Pin ["pin.value", "pin.digits"]
        "Presents a PIN.";
    "read_tries" ReadTries Pin []
        "Reads how many tries a PIN has left.";
    "read_changed" ReadChanged Pin []
        "Reads whether the holder has changed a PIN since it was issued: a byte, 00 where not yet.";
    "generate_key" GenerateKey Key []
        "Has the chip make a key pair, and gives its public key.";
    "read_public_key" ReadPublicKey Key []
        "Reads the public key of a key pair, where making it does not give it.";
    "import_key" ImportKey Key ["key.private", "key.public", "key.modulus", "key.exponent", "key.prime1", "key.prime2", "key.exponent1", "key.exponent2", "key.coefficient"]
        "Puts a key pair on the chip that was made outside.";
    "sign" Sign Key ["message", "digest", "digest_info", "padded"]
        "Has the chip sign with a key.";
    "open_channel" OpenChannel KeySet ["channel.host", "channel.proof"]
        "Proves the issuer to the chip: commands without `channel.proof` come first.";
    "put_key" PutKey KeySet ["key_set.key"]
        "Puts another key set in the place of the one under which the channel is open.";
    "set_state" SetState State []
        "Moves a life cycle on.";
}

impl Dialect {
    /// Returns the operation that a file calls `name`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(_, known, ..)| *known == name)
            .map(|(operation, ..)| *operation)
    }

    fn row(self) -> (&'static str, ObjectKind, &'static [&'static str]) {
        Self::ALL
            .iter()
            .find(|(operation, ..)| *operation == self)
            .map_or(
                ("", ObjectKind::Application, &[]),
                |(_, name, kind, extra, _)| (name, *kind, extra),
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

    /// Returns the results that may be taken out of its answers; `channel.…` beside them for
    /// [`Dialect::OpenChannel`].
    pub fn results(self) -> &'static [&'static str] {
        match self {
            Self::ReadFile | Self::GetData => &["content"],
            Self::ReadTries => &["tries"],
            Self::ReadChanged => &["changed"],
            Self::GenerateKey | Self::ReadPublicKey => &["public", "modulus", "exponent"],
            Self::Sign => &["signature"],
            _ => &[],
        }
    }

    /// Returns whether the centre may encrypt what its commands carry under the channel's DEK.
    pub fn may_use_dek(self) -> bool {
        matches!(
            self,
            Self::SetPin | Self::ChangePin | Self::ResetPin | Self::ImportKey | Self::SetState
        )
    }

    /// Returns whether its commands carry the holder's or the issuer's secrets.
    pub fn is_secret(self) -> bool {
        matches!(
            self,
            Self::SetPin
                | Self::ChangePin
                | Self::ResetPin
                | Self::UnblockPin
                | Self::VerifyPin
                | Self::ImportKey
                | Self::PutKey
        )
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How lasting a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// It changes nothing.
    Nothing,
    /// It changes the chip, and the issuer can change it again. Journaled.
    Change,
    /// It cannot be undone: what was there is gone. Journaled.
    Irreversible,
}

macro_rules! verbs {
    ($($name:literal $variant:ident $kind:ident [$($operation:ident),*] $effect:ident $doc:literal;)*) => {
        /// A step of a personalization, as a profile's stages list it: `write_file certificate`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Verb {
            $(#[doc = $doc] $variant,)*
        }

        impl Verb {
            /// Every verb: its name in a file, what it is about, the dialect operations that it
            /// needs, how lasting it is, and what it does.
            pub const ALL: &'static [(Self, &'static str, ObjectKind, &'static [Dialect], Effect, &'static str)] = &[
                $((Self::$variant, $name, ObjectKind::$kind, &[$(Dialect::$operation),*], Effect::$effect, $doc),)*
            ];
        }
    };
}

verbs! {
    "install" Install Application [Install] Change
        "Makes an application or dedicated file exist.";
    "write_file" WriteFile File [WriteFile] Change
        "Makes a file exist, as large as its content or its `size`, and writes it.";
    "check_file" CheckFile File [ReadFile] Nothing
        "Reads a file back and compares it byte for byte.";
    "put_data" PutData Data [PutData] Change
        "Writes a data object.";
    "check_data" CheckData Data [GetData] Nothing
        "Reads a data object back and compares it byte for byte.";
    "inspect" Inspect Application [] Nothing
        "Reads a travel chip as a border does, and compares every file with what was written.";
    "create_pin" CreatePin Pin [CreatePin] Change
        "Makes a PIN object exist.";
    "set_temporary_pin" SetTemporaryPin Pin [] Change
        "Sets a random value that only this personalization knows, by `set_pin` or `change_pin`.";
    "set_holder_pin" SetHolderPin Pin [] Irreversible
        "Sets the holder's value, by `set_pin` or `change_pin`, of a finished chip by `reset_pin`; only in a sealed stage.";
    "set_issuer_pin" SetIssuerPin Pin [] Irreversible
        "Sets the value that the issuer derives for this chip, by `set_pin` or `change_pin`; only in a sealed stage.";
    "verify_pin" VerifyPin Pin [VerifyPin] Nothing
        "Presents the value that is known: the personalization's own, or the chip's `default`.";
    "check_tries" CheckTries Pin [ReadTries] Nothing
        "Reads a PIN's tries and compares them with the full number.";
    "generate_key" GenerateKey Key [GenerateKey] Irreversible
        "Has the chip make a key pair.";
    "import_key" ImportKey Key [ImportKey] Irreversible
        "Makes a key pair at the centre and puts it on the chip; only in a sealed stage.";
    "request_certificate" RequestCertificate Key [Sign] Nothing
        "Has the chip sign a certificate request, and asks for the certificate.";
    "check_key" CheckKey Key [Sign] Nothing
        "Has the chip sign a challenge, and verifies it under the certificate.";
    "add_keys" AddKeys KeySet [] Change
        "Puts another key set beside the one under which the channel is open.";
    "replace_keys" ReplaceKeys KeySet [] Irreversible
        "Replaces the open channel's key set by another.";
    "remove_keys" RemoveKeys KeySet [] Irreversible
        "Removes a key set that is no longer the channel's own.";
    "check_refused" CheckRefused KeySet [] Nothing
        "Proves that a key set is no longer taken, without using an attempt.";
    "set_state" SetState State [SetState] Irreversible
        "Moves a life cycle on.";
}

impl Verb {
    /// Returns the verb that a file calls `name`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(_, known, ..)| *known == name)
            .map(|(verb, ..)| *verb)
    }

    fn row(self) -> (&'static str, ObjectKind, &'static [Dialect], Effect) {
        Self::ALL.iter().find(|(verb, ..)| *verb == self).map_or(
            ("", ObjectKind::State, &[], Effect::Irreversible),
            |(_, name, kind, needs, effect, _)| (name, *kind, needs, *effect),
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

    /// Returns the dialect operations without which the verb cannot be done.
    pub fn operations(self) -> &'static [Dialect] {
        self.row().2
    }

    /// Returns how lasting the verb is; a state may say that it can be left again.
    pub fn effect(self) -> Effect {
        self.row().3
    }

    /// Returns whether the verb changes the chip, so that it is journaled before and after.
    pub fn is_lasting(self) -> bool {
        self.effect() > Effect::Nothing
    }

    /// Returns whether it may close what earlier steps still write to, or take away the keys by
    /// which they do: it waits for all of them, and later ones for it.
    pub fn closes(self) -> bool {
        matches!(
            self,
            Self::SetState | Self::AddKeys | Self::ReplaceKeys | Self::RemoveKeys
        )
    }

    /// Returns whether the centre can do it in a stage that it seals.
    pub fn is_sealable(self) -> bool {
        matches!(
            self,
            Self::SetHolderPin
                | Self::SetIssuerPin
                | Self::ImportKey
                | Self::SetState
                | Self::VerifyPin
        )
    }

    /// Returns whether only the centre can do it.
    pub fn is_sealed(self) -> bool {
        matches!(
            self,
            Self::SetHolderPin | Self::SetIssuerPin | Self::ImportKey
        )
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
                (Some(*operation), *name)
            );
        }
        for (verb, name, ..) in Verb::ALL {
            assert_eq!((Verb::named(name), verb.name()), (Some(*verb), *name));
        }
    }
}

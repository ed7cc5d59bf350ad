//! Commands and their frames.

use std::fmt;

use zeroize::Zeroizing;

/// Begins a command.
const ESC: u8 = 0x1B;
/// Ends it.
const CR: u8 = 0x0D;

/// A command. Its data are faces: wiped when dropped, and never shown.
pub(super) struct Command {
    text: String,
    data: Option<Zeroizing<Vec<u8>>>,
}

impl Command {
    /// Makes a command of its text: name, and parameters behind semicolons.
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            data: None,
        }
    }

    /// Makes a command with data behind its parameters.
    pub(super) fn with_data(text: String, data: Zeroizing<Vec<u8>>) -> Self {
        Self {
            text,
            data: Some(data),
        }
    }

    /// Returns what is sent.
    pub(super) fn frame(&self) -> Zeroizing<Vec<u8>> {
        let data = self.data.as_deref().map(Vec::as_slice);
        let length = 3 + self.text.len() + data.map_or(0, <[u8]>::len);
        let mut frame = Zeroizing::new(Vec::with_capacity(length));
        frame.push(ESC);
        frame.extend_from_slice(self.text.as_bytes());
        if let Some(data) = data {
            frame.push(b';');
            frame.extend_from_slice(data);
        }
        frame.push(CR);
        frame
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Returns whether a text can be a command: nothing in it ends it early.
pub(super) fn is_command(text: &str) -> bool {
    let begins = text.starts_with(|letter: char| letter.is_ascii_uppercase());
    begins && text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_the_guide_s() {
        assert_eq!(**Command::new("Sis").frame(), *b"\x1BSis\r");
        let data = Zeroizing::new(vec![0x0D, 0x1B]);
        let command = Command::with_data("Dbc;k;2;2".into(), data);
        assert_eq!(**command.frame(), *b"\x1BDbc;k;2;2;\r\x1B\r");
        assert_eq!(command.to_string(), "Dbc;k;2;2");
    }

    #[test]
    fn what_ends_a_command_is_none() {
        for text in ["Pem;18", "Pc;k;=;10", "Ss"] {
            assert!(is_command(text), "{text}");
        }
        for text in ["", "Ss\r", "S s", "\x1BSs", "ss", "Sš"] {
            assert!(!is_command(text), "{text}");
        }
    }
}

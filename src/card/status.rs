//! Status words (*ISO/IEC 7816-4 §5.6, tables 5 to 7*).

use std::fmt;

/// The status word SW1 ‖ SW2 that ends every response.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Status(u16);

impl Status {
    /// `9000`: done.
    pub const OK: Self = Self(0x9000);
    /// `6200`: warning, nothing changed.
    pub const WARNING_UNCHANGED: Self = Self(0x6200);
    /// `6282`: end of file reached before Le bytes were read.
    pub const END_OF_FILE: Self = Self(0x6282);
    /// `6283`: the selected file or application is deactivated.
    pub const DEACTIVATED: Self = Self(0x6283);
    /// `6285`: the selected file is in termination state.
    pub const FILE_TERMINATED: Self = Self(0x6285);
    /// `6300`: authentication failed, or warning with changed memory.
    pub const AUTHENTICATION_FAILED: Self = Self(0x6300);
    /// `6310`: more data available (*GP Card Specification §11.4.3.1*).
    pub const MORE_DATA: Self = Self(0x6310);
    /// `6400`: execution error, nothing changed.
    pub const EXECUTION_ERROR: Self = Self(0x6400);
    /// `6581`: memory failure.
    pub const MEMORY_FAILURE: Self = Self(0x6581);
    /// `6700`: wrong length.
    pub const WRONG_LENGTH: Self = Self(0x6700);
    /// `6881`: logical channel not supported.
    pub const CHANNEL_NOT_SUPPORTED: Self = Self(0x6881);
    /// `6882`: secure messaging not supported.
    pub const SECURE_MESSAGING_NOT_SUPPORTED: Self = Self(0x6882);
    /// `6883`: last command of the chain expected.
    pub const LAST_OF_CHAIN_EXPECTED: Self = Self(0x6883);
    /// `6884`: command chaining not supported.
    pub const CHAINING_NOT_SUPPORTED: Self = Self(0x6884);
    /// `6982`: security status not satisfied.
    pub const SECURITY_STATUS_NOT_SATISFIED: Self = Self(0x6982);
    /// `6983`: authentication method blocked.
    pub const AUTHENTICATION_BLOCKED: Self = Self(0x6983);
    /// `6984`: reference data not usable.
    pub const REFERENCE_DATA_NOT_USABLE: Self = Self(0x6984);
    /// `6985`: conditions of use not satisfied.
    pub const CONDITIONS_NOT_SATISFIED: Self = Self(0x6985);
    /// `6986`: command not allowed, no current file.
    pub const NO_CURRENT_FILE: Self = Self(0x6986);
    /// `6987`: secure messaging data objects missing.
    pub const SECURE_MESSAGING_MISSING: Self = Self(0x6987);
    /// `6988`: secure messaging data objects incorrect.
    pub const SECURE_MESSAGING_INCORRECT: Self = Self(0x6988);
    /// `6999`: applet selection failed (*Java Card*).
    pub const SELECTION_FAILED: Self = Self(0x6999);
    /// `6A80`: incorrect parameters in the data field.
    pub const WRONG_DATA: Self = Self(0x6A80);
    /// `6A81`: function not supported.
    pub const FUNCTION_NOT_SUPPORTED: Self = Self(0x6A81);
    /// `6A82`: file or application not found.
    pub const FILE_NOT_FOUND: Self = Self(0x6A82);
    /// `6A83`: record not found.
    pub const RECORD_NOT_FOUND: Self = Self(0x6A83);
    /// `6A84`: not enough memory.
    pub const NOT_ENOUGH_MEMORY: Self = Self(0x6A84);
    /// `6A86`: incorrect P1 P2.
    pub const WRONG_P1_P2: Self = Self(0x6A86);
    /// `6A88`: referenced data or key not found.
    pub const REFERENCE_NOT_FOUND: Self = Self(0x6A88);
    /// `6A89`: file already exists.
    pub const FILE_EXISTS: Self = Self(0x6A89);
    /// `6A8A`: name of a dedicated file already exists.
    pub const NAME_EXISTS: Self = Self(0x6A8A);
    /// `6B00`: offset or parameters outside the file.
    pub const WRONG_PARAMETERS: Self = Self(0x6B00);
    /// `6D00`: instruction not supported.
    pub const INSTRUCTION_NOT_SUPPORTED: Self = Self(0x6D00);
    /// `6E00`: class not supported.
    pub const CLASS_NOT_SUPPORTED: Self = Self(0x6E00);
    /// `6F00`: no precise diagnosis.
    pub const UNKNOWN: Self = Self(0x6F00);

    /// Returns the status word with this value, SW1 in the high byte.
    pub const fn new(value: u16) -> Self {
        Self(value)
    }

    /// Returns the two bytes, SW1 in the high byte.
    pub const fn value(self) -> u16 {
        self.0
    }

    /// Says whether the word is `9000`. `61xx` is not: there is more to fetch.
    pub const fn is_ok(self) -> bool {
        self.0 == 0x9000
    }

    /// Says whether the word is a warning, `62xx` or `63xx`.
    pub const fn is_warning(self) -> bool {
        matches!(self.0 >> 8, 0x62 | 0x63)
    }

    /// Returns how many bytes GET RESPONSE may fetch, 1 to 256 (`61xx`, `6100` meaning
    /// 256 or more).
    pub const fn more_available(self) -> Option<u32> {
        self.low_byte_after(0x61)
    }

    /// Returns the expected length with which the card wants the command repeated, 1 to
    /// 256 (`6Cxx`).
    pub const fn correct_le(self) -> Option<u32> {
        self.low_byte_after(0x6C)
    }

    /// Returns the tries left after a failed verification, 0 to 15 (`63Cx`).
    pub const fn tries_left(self) -> Option<u8> {
        if self.0 & 0xFFF0 == 0x63C0 {
            Some((self.0 & 0x0F) as u8)
        } else {
            None
        }
    }

    const fn low_byte_after(self, sw1: u16) -> Option<u32> {
        if self.0 >> 8 != sw1 {
            return None;
        }
        match self.0 & 0xFF {
            0 => Some(256),
            length => Some(length as u32),
        }
    }

    /// Returns what the word means, in a few English words.
    pub const fn meaning(self) -> &'static str {
        match self.0 {
            0x9000 => "done",
            0x6100..=0x61FF => "response bytes available",
            0x6200 => "warning, nothing changed",
            0x6281 => "part of the data may be corrupted",
            0x6282 => "end of file reached before Le bytes",
            0x6283 => "selected file or application deactivated",
            0x6284 => "file control information badly formatted",
            0x6285 => "selected file terminated",
            0x6286 => "no input from a sensor",
            0x6202..=0x6280 => "warning, query from the card",
            0x6201 | 0x6287..=0x62FF => "warning, nothing changed",
            0x6300 => "authentication failed",
            0x6310 => "more data available",
            0x6381 => "file filled up by the last write",
            0x63C0 => "verification failed, no tries left",
            0x63C1..=0x63CF => "verification failed, tries left in the last digit",
            0x6301..=0x63FF => "warning, memory changed",
            0x6401 => "immediate response required",
            0x6402..=0x6480 => "error, query from the card",
            0x6400..=0x64FF => "execution error, nothing changed",
            0x6581 => "memory failure",
            0x6500..=0x65FF => "execution error, memory changed",
            0x6600..=0x66FF => "security-related issue",
            0x6700 => "wrong length",
            0x6701..=0x67FF => "wrong length, reason in the last byte",
            0x6881 => "logical channel not supported",
            0x6882 => "secure messaging not supported",
            0x6883 => "last command of the chain expected",
            0x6884 => "command chaining not supported",
            0x6800..=0x68FF => "function in the class byte not supported",
            0x6981 => "command incompatible with the file structure",
            0x6982 => "security status not satisfied",
            0x6983 => "authentication method blocked",
            0x6984 => "reference data not usable",
            0x6985 => "conditions of use not satisfied",
            0x6986 => "command not allowed, no current file",
            0x6987 => "secure messaging data objects missing",
            0x6988 => "secure messaging data objects incorrect",
            0x6999 => "application selection failed",
            0x6900..=0x69FF => "command not allowed",
            0x6A80 => "incorrect data field",
            0x6A81 => "function not supported",
            0x6A82 => "file or application not found",
            0x6A83 => "record not found",
            0x6A84 => "not enough memory",
            0x6A85 => "length inconsistent with the data structure",
            0x6A86 => "incorrect P1 P2",
            0x6A87 => "length inconsistent with P1 P2",
            0x6A88 => "referenced data or key not found",
            0x6A89 => "file already exists",
            0x6A8A => "application name already exists",
            0x6A00..=0x6AFF => "wrong parameters",
            0x6B00..=0x6BFF => "offset or parameters outside the file",
            0x6C00..=0x6CFF => "wrong Le, the right one in the last byte",
            0x6D00..=0x6DFF => "instruction not supported",
            0x6E00..=0x6EFF => "class not supported",
            0x6F00..=0x6FFF => "no precise diagnosis",
            0x9484 => "algorithm not supported",
            0x9485 => "invalid key check value",
            _ => "meaning not in ISO/IEC 7816-4",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X} ({})", self.0, self.meaning())
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_tell_what_they_carry() {
        assert_eq!(
            Status::new(0x6A82).to_string(),
            "6A82 (file or application not found)"
        );
        assert!(Status::OK.is_ok() && !Status::new(0x6110).is_ok());
        assert_eq!(Status::new(0x6110).more_available(), Some(16));
        assert_eq!(Status::new(0x6100).more_available(), Some(256));
        assert_eq!(Status::new(0x6C00).correct_le(), Some(256));
        assert_eq!(Status::new(0x6C09).correct_le(), Some(9));
        assert_eq!(Status::OK.more_available(), None);
        assert_eq!(Status::new(0x63C0).tries_left(), Some(0));
        assert_eq!(Status::new(0x63C3).tries_left(), Some(3));
        assert_eq!(Status::new(0x6300).tries_left(), None);
        assert!(Status::new(0x6310).is_warning() && !Status::new(0x6400).is_warning());
    }
}

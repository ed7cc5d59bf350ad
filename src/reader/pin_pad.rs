//! PIN pads of readers, *PC/SC part 10* (2.02.09): what a reader says that it can, and what it is
//! asked to do. No I/O here.
//!
//! ```text
//!   CM_IOCTL_GET_FEATURE_REQUEST ──► Features ── FEATURE_GET_TLV_PROPERTIES ──► Properties
//!   PinEntry ── encode ──► PIN_VERIFY_STRUCTURE │ PIN_MODIFY_STRUCTURE ──► reader: asks for the
//!                          PIN on its own keys, puts it into the command, sends that to the card
//!   two status bytes ──► the card's word, or PinPadFault
//! ```
//!
//! The PIN never comes to this machine, so nothing here can tell whether it is weak.

use thiserror::Error;

/// Most bytes of a reader's list of features or properties. The whole vocabulary has fewer.
const LONGEST_LIST: usize = 512;
/// How long the reader waits for the first key and for each next one, in seconds.
const TIMEOUT: u8 = 30;
/// `bmFormatString`: the position of the PIN counts in bytes, and its digits are ASCII.
const ASCII: u8 = 0x82;
/// `bmFormatString`: BCD digits behind eight bits, as in ISO 9564-1 format 2.
const BLOCK: u8 = 0x41;
/// `bEntryValidationCondition`: the holder presses a key when done.
const KEY_PRESSED: u8 = 0x02;
/// `bConfirmPIN`: the PIN before is asked for, and the new one twice.
const OLD_AND_CONFIRM: u8 = 0x03;
/// `bNumberMessage`: the reader's own default message.
const DEFAULT_MESSAGE: u8 = 0xFF;

/// Why the reader's pad gave no answer of the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PinPadFault {
    /// Nobody pressed a key in time (`6400`).
    #[error("nobody entered the PIN on the reader's pad in time; nothing was sent to the card")]
    TimedOut,
    /// The entry was cancelled (`6401`).
    #[error("the entry on the reader's pad was cancelled; nothing was sent to the card")]
    Cancelled,
    /// The new PIN and its repetition differ (`6402`).
    #[error(
        "the two entries of the new PIN on the reader's pad differ; nothing was sent to the card"
    )]
    Differ,
    /// The entry had too few digits or too many (`6403`).
    #[error(
        "a PIN on the reader's pad had too few digits or too many; nothing was sent to the card"
    )]
    Length,
    /// The reader does not take what it was asked (`6B80`).
    #[error("the reader does not take what its pad was asked to do; try --no-pin-pad")]
    Refused,
    /// Not two bytes.
    #[error("the reader answered {0} bytes, where a status word has two")]
    Answer(usize),
    /// The list of features or properties is none.
    #[error("the reader's list of what its pad can do is malformed")]
    List,
    /// The reader's pad takes PINs of other lengths alone.
    #[error("the reader's pad takes PINs of {least} to {most} digits alone")]
    Lengths {
        /// The fewest digits.
        least: u8,
        /// The most digits.
        most: u8,
    },
    /// The command's PIN does not stand where the structures can say.
    #[error("the structures of PC/SC part 10 cannot say where this command has its PIN")]
    Place,
}

impl PinPadFault {
    /// Returns what the reader itself says by a status word; nothing where the card speaks.
    pub fn of(status: [u8; 2]) -> Option<Self> {
        match status {
            [0x64, 0x00] => Some(Self::TimedOut),
            [0x64, 0x01] => Some(Self::Cancelled),
            [0x64, 0x02] => Some(Self::Differ),
            [0x64, 0x03] => Some(Self::Length),
            [0x6B, 0x80] => Some(Self::Refused),
            _ => None,
        }
    }
}

/// What a reader can do with its pad, each with the control code that asks for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// `FEATURE_VERIFY_PIN_DIRECT`.
    pub verify: Option<u32>,
    /// `FEATURE_MODIFY_PIN_DIRECT`.
    pub modify: Option<u32>,
    /// `FEATURE_GET_TLV_PROPERTIES`.
    pub properties: Option<u32>,
}

impl Features {
    /// Parses the answer to `CM_IOCTL_GET_FEATURE_REQUEST`: tag, length 4, control code with its
    /// most significant byte first (*§2.2*). An empty answer has no feature.
    ///
    /// # Errors
    /// [`PinPadFault::List`].
    pub fn parse(bytes: &[u8]) -> Result<Self, PinPadFault> {
        let mut found = Self::default();
        let (entries, rest) = bytes.as_chunks::<6>();
        if !rest.is_empty() || bytes.len() > LONGEST_LIST {
            return Err(PinPadFault::List);
        }
        for [tag, length, code @ ..] in entries {
            if *length != 4 {
                return Err(PinPadFault::List);
            }
            let feature = match tag {
                0x06 => &mut found.verify,
                0x07 => &mut found.modify,
                0x12 => &mut found.properties,
                _ => continue,
            };
            *feature = Some(u32::from_be_bytes(*code));
        }
        Ok(found)
    }
}

/// What a reader says of its pad.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Properties {
    /// Whether it has a display (`wLcdLayout`).
    pub display: bool,
    /// The fewest digits (`bMinPINSize`).
    pub least: Option<u8>,
    /// The most digits (`bMaxPINSize`); 0 says nothing.
    pub most: Option<u8>,
}

impl Properties {
    /// Parses the answer to `FEATURE_GET_TLV_PROPERTIES`: tag, length, value with its least
    /// significant byte first (*§2.6.14*).
    ///
    /// # Errors
    /// [`PinPadFault::List`].
    pub fn parse(bytes: &[u8]) -> Result<Self, PinPadFault> {
        if bytes.len() > LONGEST_LIST {
            return Err(PinPadFault::List);
        }
        let mut found = Self::default();
        let mut rest = bytes;
        while let [tag, length, behind @ ..] = rest {
            let (value, next) = behind
                .split_at_checked(usize::from(*length))
                .ok_or(PinPadFault::List)?;
            match (tag, value) {
                (0x01, [low, high]) => found.display = (*low, *high) != (0, 0),
                (0x06, [least]) => found.least = Some(*least),
                (0x07, [most]) => found.most = Some(*most).filter(|most| *most > 0),
                (0x01 | 0x06 | 0x07, _) => return Err(PinPadFault::List),
                _ => {}
            }
            rest = next;
        }
        match rest {
            [] => Ok(found),
            _ => Err(PinPadFault::List),
        }
    }
}

/// How a PIN stands in the data of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinField {
    /// ASCII digits, filled on the right to so many bytes with what the command has there.
    Ascii(u8),
    /// ASCII digits and nothing behind them; the reader adds their number as Lc.
    Bare,
    /// The eight bytes of *ISO 9564-1* format 2: `2`, the number of digits, the digits in BCD,
    /// filled with `F`.
    Block,
}

/// What the reader asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A PIN, in the data at this offset.
    Verify(u8),
    /// The value before and the new one twice, in the data at these offsets. The value before is
    /// the PUK's where that unblocks the PIN.
    Modify {
        /// Where the value before stands.
        old: u8,
        /// Where the new one stands.
        new: u8,
    },
}

/// A command whose PINs the reader asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinEntry {
    command: Vec<u8>,
    field: PinField,
    asked: Asked,
    least: u8,
    most: u8,
}

impl PinEntry {
    /// Makes the entry for a command: its header, and its data with filling where the PINs come.
    /// `least` and `most` are how many digits a PIN has.
    ///
    /// # Errors
    /// [`PinPadFault::Place`] where the structures cannot say where the PIN stands: they have four
    /// bits for its length (*§2.6.1, `bmPINBlockString`*) and for its place.
    pub fn new(
        header: [u8; 4],
        data: &[u8],
        field: PinField,
        asked: Asked,
        (least, most): (u8, u8),
    ) -> Result<Self, PinPadFault> {
        let fits = |offset: u8| {
            let length = match field {
                PinField::Ascii(length) => length,
                PinField::Block => 8,
                PinField::Bare => 0,
            };
            usize::from(offset) + usize::from(length) <= data.len()
        };
        let says = match (field, asked) {
            (PinField::Ascii(16..) | PinField::Ascii(0), _) => false,
            (PinField::Bare, asked) => asked == Asked::Verify(0) && data.is_empty(),
            (PinField::Block, Asked::Verify(offset)) => offset == 0 && fits(offset),
            (_, Asked::Verify(offset)) => offset <= 15 && fits(offset),
            (_, Asked::Modify { old, new }) => fits(old) && fits(new),
        };
        let length = u8::try_from(data.len()).ok();
        let (true, Some(length), true) = (says, length, least <= most) else {
            return Err(PinPadFault::Place);
        };
        let mut command = header.to_vec();
        if !data.is_empty() {
            command.push(length);
            command.extend_from_slice(data);
        }
        Ok(Self {
            command,
            field,
            asked,
            least,
            most,
        })
    }

    /// Keeps to the lengths that the reader takes.
    ///
    /// # Errors
    /// [`PinPadFault::Lengths`] where it takes none of the PIN's.
    pub fn within(mut self, properties: &Properties) -> Result<Self, PinPadFault> {
        self.least = self.least.max(properties.least.unwrap_or(0));
        self.most = self.most.min(properties.most.unwrap_or(u8::MAX));
        if self.least > self.most {
            return Err(PinPadFault::Lengths {
                least: properties.least.unwrap_or(0),
                most: properties.most.unwrap_or(u8::MAX),
            });
        }
        Ok(self)
    }

    /// Returns what the reader asks for.
    pub fn asked(&self) -> Asked {
        self.asked
    }

    /// Returns whether a command, as a channel passes it, is the one whose PIN the reader asks
    /// for: it has this header, and data.
    pub fn fits(&self, command: &[u8]) -> bool {
        command.len() > 5 && command.get(..4) == self.command.get(..4)
    }

    /// Returns `PIN_VERIFY_STRUCTURE` or `PIN_MODIFY_STRUCTURE` (*§2.6.1, §2.6.2*): numbers in the
    /// order of bytes of the USB CCID class, least significant first, packed.
    pub fn encode(&self, display: bool) -> Vec<u8> {
        let (format, block, length) = match self.field {
            PinField::Ascii(length) => (ASCII, length, 0x00),
            PinField::Bare => (ASCII, 0x00, 0x00),
            // The number of digits has four bits, from bit 4 on.
            PinField::Block => (BLOCK, 0x48, 0x04),
        };
        let place = match self.asked {
            Asked::Verify(offset) if self.field != PinField::Block => offset << 3,
            _ => 0,
        };
        let mut bytes = vec![TIMEOUT, TIMEOUT, format | place, block, length];
        if let Asked::Modify { old, new } = self.asked {
            bytes.extend([old, new]);
        }
        // wPINMaxExtraDigit: XXYY, the fewest and the most digits.
        bytes.extend([self.most, self.least]);
        match self.asked {
            Asked::Verify(_) => {
                let messages = if display { DEFAULT_MESSAGE } else { 0 };
                // wLangId 0000 is the reader's own; then message 0.
                bytes.extend([KEY_PRESSED, messages, 0, 0, 0]);
            }
            Asked::Modify { .. } => {
                let messages = if display { 3 } else { 0 };
                bytes.extend([OLD_AND_CONFIRM, KEY_PRESSED, messages, 0, 0, 0, 1, 2]);
            }
        }
        // bTeoPrologue is the driver's business.
        bytes.extend([0, 0, 0]);
        // At most four bytes of header, Lc and 255 bytes.
        let length = u32::try_from(self.command.len()).unwrap_or(u32::MAX);
        bytes.extend(length.to_le_bytes());
        bytes.extend_from_slice(&self.command);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(data: &[u8], field: PinField, asked: Asked) -> Result<PinEntry, PinPadFault> {
        PinEntry::new([0x00, 0x20, 0x00, 0x01], data, field, asked, (4, 12))
    }

    /// What OpenSC sent to a reader with a display, in the log of its issue 1083: a PIN of 4 to 12
    /// digits without filling. OpenSC does not set the bit that counts bytes where the PIN stands
    /// at 0, which is the same place in bits.
    #[test]
    fn a_bare_pin_is_asked_for_as_opensc_does() {
        let recorded = hex::decode("1E1E0200000C0402FF0000000000000400000000200001").unwrap();
        let mut made = entry(&[], PinField::Bare, Asked::Verify(0))
            .unwrap()
            .encode(true);
        assert_eq!(made[2], 0x82);
        made[2] = 0x02;
        assert_eq!(made, recorded);
    }

    /// The worked examples of libccid's `examples/scardcontrol.c`, `00 20 00 00` and `00 24 00 00`
    /// with eight bytes; written out here by the layout of pcsc-lite's `reader.h`, with our time,
    /// language and messages.
    #[test]
    fn filled_pins_stand_as_in_the_drivers_example() {
        let verify = PinEntry::new(
            [0x00, 0x20, 0x00, 0x00],
            b"0000\0\0\0\0",
            PinField::Ascii(4),
            Asked::Verify(0),
            (4, 8),
        );
        let expected =
            "1E1E 82 04 00 0804 02 00 0000 00 000000 0D000000 00200000083030303000000000";
        assert_eq!(
            hex::encode_upper(verify.unwrap().encode(false)),
            expected.replace(' ', "")
        );
        let modify = PinEntry::new(
            [0x00, 0x24, 0x00, 0x00],
            b"00000000",
            PinField::Ascii(4),
            Asked::Modify { old: 0, new: 4 },
            (4, 8),
        );
        let expected = "1E1E 82 04 00 00 04 0804 03 02 03 0000 00 01 02 000000 0D000000 \
                        00240000083030303030303030";
        assert_eq!(
            hex::encode_upper(modify.unwrap().encode(true)),
            expected.replace(' ', "")
        );
    }

    /// As OpenSC's `reader-pcsc.c` has it for `SC_PIN_ENCODING_GLP`.
    #[test]
    fn a_block_of_format_2_is_bcd_behind_its_length() {
        let data = b"\x20\xFF\xFF\xFF\xFF\xFF\xFF\xFF";
        let bytes = entry(data, PinField::Block, Asked::Verify(0))
            .unwrap()
            .encode(false);
        assert_eq!(bytes[2..5], [0x01 | 0x08 << 3, 0x40 | 0x08, 0x04]);
    }

    #[test]
    fn what_the_structures_cannot_say_is_refused() {
        let data = [0xFF; 40];
        for (field, asked) in [
            (PinField::Ascii(16), Asked::Verify(0)),
            (PinField::Ascii(0), Asked::Verify(0)),
            (PinField::Ascii(8), Asked::Verify(16)),
            (PinField::Ascii(12), Asked::Modify { old: 0, new: 29 }),
            (PinField::Bare, Asked::Verify(0)),
            (PinField::Bare, Asked::Modify { old: 0, new: 4 }),
            (PinField::Block, Asked::Verify(1)),
        ] {
            let refused = entry(&data, field, asked);
            assert_eq!(refused, Err(PinPadFault::Place), "{field:?} {asked:?}");
        }
        assert!(entry(&data, PinField::Ascii(8), Asked::Verify(15)).is_ok());
        assert!(entry(&[0; 256], PinField::Ascii(8), Asked::Verify(0)).is_err());
    }

    #[test]
    fn the_lengths_are_those_that_chip_and_reader_take() {
        let entry = entry(&[0xFF; 12], PinField::Ascii(12), Asked::Verify(0)).unwrap();
        let properties = |least, most| Properties {
            display: false,
            least,
            most,
        };
        let bytes = entry.clone().within(&properties(Some(6), Some(8))).unwrap();
        assert_eq!(bytes.encode(false)[5..7], [8, 6]);
        let bytes = entry.clone().within(&properties(None, None)).unwrap();
        assert_eq!(bytes.encode(false)[5..7], [12, 4]);
        let none = entry.within(&properties(Some(13), Some(16)));
        let fault = PinPadFault::Lengths {
            least: 13,
            most: 16,
        };
        assert_eq!(none, Err(fault));
    }

    #[test]
    fn features_and_properties_are_read() {
        let features = hex::decode("060442330006070442330007120442330012").unwrap();
        assert_eq!(
            Features::parse(&features),
            Ok(Features {
                verify: Some(0x4233_0006),
                modify: Some(0x4233_0007),
                properties: Some(0x4233_0012),
            })
        );
        assert_eq!(Features::parse(&[]), Ok(Features::default()));
        for malformed in ["06", "0604423300", "06034233000600", "060342330006"] {
            let bytes = hex::decode(malformed).unwrap();
            assert_eq!(
                Features::parse(&bytes),
                Err(PinPadFault::List),
                "{malformed}"
            );
        }
        let properties = hex::decode("0102100206010407010C080356312E0A0400010000").unwrap();
        assert_eq!(
            Properties::parse(&properties),
            Ok(Properties {
                display: true,
                least: Some(4),
                most: Some(12),
            })
        );
        for malformed in ["06", "0602", "060200", "06020004", "0101"] {
            let bytes = hex::decode(malformed).unwrap();
            assert_eq!(
                Properties::parse(&bytes),
                Err(PinPadFault::List),
                "{malformed}"
            );
        }
    }

    #[test]
    fn what_the_reader_says_is_told_from_what_the_card_says() {
        for (status, fault) in [
            ([0x64, 0x00], Some(PinPadFault::TimedOut)),
            ([0x64, 0x01], Some(PinPadFault::Cancelled)),
            ([0x64, 0x02], Some(PinPadFault::Differ)),
            ([0x64, 0x03], Some(PinPadFault::Length)),
            ([0x6B, 0x80], Some(PinPadFault::Refused)),
            ([0x90, 0x00], None),
            ([0x63, 0xC2], None),
            ([0x69, 0x83], None),
        ] {
            assert_eq!(PinPadFault::of(status), fault);
        }
    }

    proptest! {
        #[test]
        fn any_list_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = Features::parse(&bytes);
            let _ = Properties::parse(&bytes);
        }

        #[test]
        fn an_entry_says_how_long_its_command_is(
            data in prop::collection::vec(any::<u8>(), 1..255),
            length in 1_u8..16,
            old in any::<u8>(),
            new in any::<u8>(),
        ) {
            let asked = Asked::Modify { old, new };
            if let Ok(entry) = entry(&data, PinField::Ascii(length), asked) {
                let bytes = entry.encode(true);
                prop_assert_eq!(bytes.len(), 24 + 5 + data.len());
                let said: [u8; 4] = bytes[20..24].try_into().unwrap();
                prop_assert_eq!(u32::from_le_bytes(said) as usize, 5 + data.len());
                let ends = usize::from(old.max(new)) + usize::from(length);
                prop_assert!(ends <= data.len());
            }
        }
    }
}

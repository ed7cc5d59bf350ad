//! Historical bytes: compact-TLV data objects (*ISO/IEC 7816-4 §12.1.1*).

use super::AtrError;

/// Compact tag of the card capabilities.
const CAPABILITIES: u8 = 7;
/// Compact tag of the status indicator.
const STATUS: u8 = 8;

/// What the first historical byte, the category indicator, says of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Category {
    /// `00`: compact-TLV, then a status indicator of three bytes.
    WithStatus,
    /// `10`: a reference into EF.DIR.
    Directory,
    /// `80`: compact-TLV, the status indicator among it.
    Compact,
    /// `81` to `8F`: reserved.
    Reserved(u8),
    /// Any other: the maker's own.
    Proprietary(u8),
}

impl Category {
    /// Returns the category with this indicator.
    pub const fn of(indicator: u8) -> Self {
        match indicator {
            0x00 => Self::WithStatus,
            0x10 => Self::Directory,
            0x80 => Self::Compact,
            0x81..=0x8F => Self::Reserved(indicator),
            other => Self::Proprietary(other),
        }
    }
}

/// One compact-TLV data object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompactObject<'a> {
    /// The tag, 0 to 15: the interindustry tag less `40`.
    pub tag: u8,
    /// The value, 0 to 15 bytes.
    pub value: &'a [u8],
}

/// Reads the data objects; the status indicator of category 00 becomes one with tag 8.
pub(super) fn objects(historical: &[u8]) -> Result<Vec<CompactObject<'_>>, AtrError> {
    let Some((&indicator, body)) = historical.split_first() else {
        return Ok(Vec::new());
    };
    let (mut rest, status) = match Category::of(indicator) {
        Category::Compact => (body, None),
        Category::WithStatus => {
            let (rest, status) = body
                .split_last_chunk::<3>()
                .ok_or(AtrError::StatusIndicator)?;
            (rest, Some(status))
        }
        _ => return Ok(Vec::new()),
    };
    let end = rest.len();
    let mut objects = Vec::new();
    while let Some((&head, after)) = rest.split_first() {
        let (value, next) = after
            .split_at_checked(usize::from(head & 0x0F))
            .ok_or(AtrError::Object(1 + end - rest.len()))?;
        objects.push(CompactObject {
            tag: head >> 4,
            value,
        });
        rest = next;
    }
    objects.extend(status.map(|value| CompactObject { tag: STATUS, value }));
    Ok(objects)
}

/// Who gives a logical channel its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelAssignment {
    /// Nobody: only the basic channel.
    None,
    /// The host.
    Host,
    /// The card.
    Card,
    /// Either.
    Either,
}

/// The card capabilities: one to three software function tables
/// (*ISO/IEC 7816-4 §12.1.1.9*).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CardCapabilities {
    /// First table: ways of selecting.
    pub selection: u8,
    /// Second table: data coding byte; 0 where it is not there.
    pub coding: u8,
    /// Third table: chaining, length fields, logical channels; 0 where it is not there.
    pub transport: u8,
}

impl CardCapabilities {
    pub(super) fn of(object: &CompactObject<'_>) -> Option<Self> {
        if object.tag != CAPABILITIES {
            return None;
        }
        let (&selection, rest) = object.value.split_first()?;
        if rest.len() > 2 {
            return None;
        }
        Some(Self {
            selection,
            coding: rest.first().copied().unwrap_or_default(),
            transport: rest.get(1).copied().unwrap_or_default(),
        })
    }

    /// Says whether the card takes command chaining.
    pub const fn chaining(self) -> bool {
        self.transport & 0x80 != 0
    }

    /// Says whether the card takes extended Lc and Le.
    pub const fn extended_length(self) -> bool {
        self.transport & 0x40 != 0
    }

    /// Says whether EF.ATR/INFO names the longest command and response (tag `7F66`).
    pub const fn extended_length_information(self) -> bool {
        self.transport & 0x20 != 0
    }

    /// Returns who gives a logical channel its number.
    pub const fn channel_assignment(self) -> ChannelAssignment {
        match self.transport >> 3 & 0b11 {
            0b00 => ChannelAssignment::None,
            0b01 => ChannelAssignment::Host,
            0b10 => ChannelAssignment::Card,
            _ => ChannelAssignment::Either,
        }
    }

    /// Returns the most logical channels, 1 to 8, where 8 means eight or more.
    pub const fn logical_channels(self) -> u8 {
        (self.transport & 0b111) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn categories_have_their_objects() {
        let object = |tag, value| CompactObject { tag, value };
        assert_eq!(objects(&[]), Ok(vec![]));
        assert_eq!(objects(&[0x10, 0x42]), Ok(vec![]));
        assert_eq!(objects(b"JCOP"), Ok(vec![]));
        assert_eq!(
            objects(&[0x80, 0x31, 0x80, 0x82, 0x90, 0x00]),
            Ok(vec![object(3, &[0x80]), object(8, &[0x90, 0x00])])
        );
        assert_eq!(
            objects(&[0x00, 0x31, 0xC1, 0x05, 0x90, 0x00]),
            Ok(vec![object(3, &[0xC1]), object(8, &[0x05, 0x90, 0x00])])
        );
        assert_eq!(objects(&[0x00, 0x90, 0x00]), Err(AtrError::StatusIndicator));
        assert_eq!(
            objects(&[0x80, 0x31, 0x80, 0x75, 0x00]),
            Err(AtrError::Object(3))
        );
    }

    #[test]
    fn the_third_table_is_read_bit_by_bit() {
        let of = |value| CardCapabilities::of(&CompactObject { tag: 7, value });
        let all = of(&[0xFF, 0x01, 0xFF]).unwrap();
        assert!(all.chaining() && all.extended_length() && all.extended_length_information());
        assert_eq!(all.channel_assignment(), ChannelAssignment::Either);
        assert_eq!(all.logical_channels(), 8);
        let one = of(&[0x80]).unwrap();
        assert!(!one.chaining() && !one.extended_length());
        assert_eq!(one.logical_channels(), 1);
        assert_eq!(one.channel_assignment(), ChannelAssignment::None);
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[0; 4]), None);
    }
}

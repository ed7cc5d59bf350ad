//! The answer to reset: what a card says of itself before any command
//! (*ISO/IEC 7816-3 §8.2*; historical bytes: *ISO/IEC 7816-4 §12.1.1*).
//!
//! ```text
//!   TS  T0  TA1 TB1 TC1 TD1  TA2 …  TDi   T1 … TK   TCK
//!   │   │   └── one group each, TDi says which of the next come ──┘
//!   │   └ high half: which of TA1 to TD1 come; low half: K
//!   └ convention                          └ historical bytes  └ unless only T=0
//! ```
//!
//! A reader answers for a contactless card in the same form (*PC/SC part 3 §3.1.3.2.3*).

mod historical;

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use historical::{CardCapabilities, Category, ChannelAssignment, CompactObject};

/// Longest answer to reset, TS included (*ISO/IEC 7816-3 §8.2.1*).
const LONGEST: usize = 33;
/// T of a TD byte that qualifies interface bytes for all protocols.
const GLOBAL: u8 = 15;
/// How a contactless storage card's historical bytes begin: an application identifier of
/// 12 bytes under the PC/SC workgroup's registered identifier.
const STORAGE: [u8; 8] = [0x80, 0x4F, 0x0C, 0xA0, 0x00, 0x00, 0x03, 0x06];

/// Says what is wrong with an answer to reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AtrError {
    /// There are more bytes than an answer to reset has.
    #[error("answer to reset of {0} bytes; the longest has 33")]
    TooLong(usize),
    /// The bytes end where another must follow.
    #[error("answer to reset ends after {length} bytes, before {what}")]
    Short {
        /// How many bytes there are.
        length: usize,
        /// What is missing.
        what: &'static str,
    },
    /// TS names no convention.
    #[error("answer to reset begins with {0:02X}; 3B is direct, 3F inverse convention")]
    Convention(u8),
    /// Bytes follow the last one.
    #[error("answer to reset goes on for {0} bytes after its end")]
    Trailing(usize),
    /// The exclusive-or of T0 to TCK is not zero.
    #[error("check byte of the answer to reset is {found:02X}, not {expected:02X}")]
    Check {
        /// TCK as received.
        found: u8,
        /// TCK as computed.
        expected: u8,
    },
    /// A data object in the historical bytes goes past their end.
    #[error("historical bytes: data object at offset {0} goes past the end")]
    Object(usize),
    /// The historical bytes are too few for the status indicator of category 00.
    #[error("historical bytes: no room for the status indicator of category 00")]
    StatusIndicator,
}

/// How logical one is sent (*ISO/IEC 7816-3 §8.1*). A reader decodes either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Convention {
    /// TS `3B`.
    Direct,
    /// TS `3F`.
    Inverse,
}

/// How card and reader carry an APDU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Protocol {
    /// Characters, T=0 (*ISO/IEC 7816-3 §10*).
    #[serde(rename = "T=0")]
    T0,
    /// Blocks, T=1 (*ISO/IEC 7816-3 §11*).
    #[serde(rename = "T=1")]
    T1,
    /// Contactless, T=CL (*ISO/IEC 14443-4*).
    #[serde(rename = "T=CL")]
    Contactless,
    /// A protocol number without an APDU mapping of its own, 2 to 14.
    #[serde(rename = "T=other")]
    Other(u8),
}

impl Protocol {
    /// Returns the protocol with this T, 0 to 14; `None` for 15, which is no protocol.
    pub const fn from_t(t: u8) -> Option<Self> {
        match t {
            0 => Some(Self::T0),
            1 => Some(Self::T1),
            2..GLOBAL => Some(Self::Other(t)),
            _ => None,
        }
    }

    /// Returns what is spoken: `active` is what the PC/SC service says (which has no word
    /// for contactless and says T=1), the answer to reset tells contactless apart, and
    /// decides where the service says nothing.
    pub fn in_use(active: Option<Self>, atr: &Atr) -> Self {
        match active {
            Some(Self::T0) => Self::T0,
            _ if atr.contactless().is_some() => Self::Contactless,
            Some(active) => active,
            None => atr
                .specific_mode()
                .map_or(atr.first_offered(), |mode| mode.protocol),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::T0 => f.write_str("T=0"),
            Self::T1 => f.write_str("T=1"),
            Self::Contactless => f.write_str("T=CL"),
            Self::Other(t) => write!(f, "T={t}"),
        }
    }
}

/// The interface bytes that one TD byte (or T0) announced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Interface {
    /// The T of the TD byte before; `None` for the first group, which is global.
    pub t: Option<u8>,
    /// TAi.
    pub ta: Option<u8>,
    /// TBi.
    pub tb: Option<u8>,
    /// TCi.
    pub tc: Option<u8>,
    /// TDi.
    pub td: Option<u8>,
}

/// TA2: the card does not negotiate (*ISO/IEC 7816-3 §8.3, TA2*).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpecificMode {
    /// The protocol it speaks at once.
    pub protocol: Protocol,
    /// Whether a reset can bring it back to negotiation.
    pub changeable: bool,
    /// Whether bit rate and frequency are agreed otherwise than by TA1.
    pub implicit: bool,
}

/// What a reader says of a contactless card (*PC/SC part 3 §3.1.3.2.3*).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contactless {
    /// A card with an operating system, ISO/IEC 14443-4. The historical bytes are those of
    /// its ATS, or its ATQB. A contact card may answer with the same interface bytes.
    Processor,
    /// A memory card.
    Storage {
        /// The standard, SS: `03` ISO 14443-A part 3, `0B` ISO 15693 part 3, …
        standard: u8,
        /// The card's name, NN NN: `0001` MIFARE Standard 1K, …
        name: u16,
    },
}

/// A parsed answer to reset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Atr {
    convention: Convention,
    interface: Vec<Interface>,
    protocols: Vec<Protocol>,
    historical: Vec<u8>,
    check: Option<u8>,
}

impl Atr {
    /// Parses TS to TCK. Strict: no byte may be missing or left over, and TCK must be there
    /// and right unless only T=0 is offered.
    ///
    /// # Errors
    /// [`AtrError`]; malformed historical bytes are no error here, see [`Self::objects`].
    pub fn parse(bytes: &[u8]) -> Result<Self, AtrError> {
        if bytes.len() > LONGEST {
            return Err(AtrError::TooLong(bytes.len()));
        }
        let mut rest = Rest {
            bytes,
            length: bytes.len(),
        };
        let convention = match rest.next("TS")? {
            0x3B => Convention::Direct,
            0x3F => Convention::Inverse,
            other => return Err(AtrError::Convention(other)),
        };
        let t0 = rest.next("T0")?;
        let (interface, protocols) = interface(&mut rest, t0)?;
        let historical = rest.take(usize::from(t0 & 0x0F))?.to_vec();
        let only_t0 = interface
            .iter()
            .filter_map(|group| group.td)
            .all(|td| td & 0x0F == 0);
        let check = if only_t0 {
            None
        } else {
            Some(rest.next("its check byte")?)
        };
        if !rest.bytes.is_empty() {
            return Err(AtrError::Trailing(rest.bytes.len()));
        }
        if let Some(found) = check {
            let sum = bytes.iter().skip(1).fold(0, |sum, byte| sum ^ byte);
            if sum != 0 {
                let expected = sum ^ found;
                return Err(AtrError::Check { found, expected });
            }
        }
        Ok(Self {
            convention,
            interface,
            protocols,
            historical,
            check,
        })
    }

    /// Returns the convention.
    pub fn convention(&self) -> Convention {
        self.convention
    }

    /// Returns the groups of interface bytes in their order; the first is that of T0.
    pub fn interface(&self) -> &[Interface] {
        &self.interface
    }

    /// Returns the protocols that the card offers, each once, in its order; T=0 where it
    /// names none.
    pub fn protocols(&self) -> &[Protocol] {
        &self.protocols
    }

    /// Returns the protocol that is spoken where nothing is negotiated.
    pub fn first_offered(&self) -> Protocol {
        self.protocols.first().copied().unwrap_or(Protocol::T0)
    }

    /// Returns what TA2 fixes, where it is there.
    pub fn specific_mode(&self) -> Option<SpecificMode> {
        let ta2 = self.interface.get(1)?.ta?;
        Some(SpecificMode {
            protocol: Protocol::from_t(ta2 & 0x0F)?,
            changeable: ta2 & 0x80 == 0,
            implicit: ta2 & 0x10 != 0,
        })
    }

    /// Returns the most bytes that the card takes in one T=1 block: IFSC, 32 where it says
    /// nothing (*ISO/IEC 7816-3 §11.4.2*). `None` where it does not offer T=1.
    pub fn block_size(&self) -> Option<u8> {
        if !self.protocols.contains(&Protocol::T1) {
            return None;
        }
        // Specific to T=1 is its first group from the third on; the second is global.
        let specific = self.interface.iter().skip(2);
        let first = specific.into_iter().find(|group| group.t == Some(1));
        Some(first.and_then(|group| group.ta).unwrap_or(32))
    }

    /// Returns the historical bytes, at most 15, with their category indicator.
    pub fn historical(&self) -> &[u8] {
        &self.historical
    }

    /// Returns what the first historical byte says of the others; `None` where there is none.
    pub fn category(&self) -> Option<Category> {
        self.historical.first().copied().map(Category::of)
    }

    /// Returns the compact-TLV data objects of the historical bytes, none where their
    /// category has none (*ISO/IEC 7816-4 §12.1.1*).
    ///
    /// # Errors
    /// [`AtrError::Object`], [`AtrError::StatusIndicator`].
    pub fn objects(&self) -> Result<Vec<CompactObject<'_>>, AtrError> {
        historical::objects(&self.historical)
    }

    /// Returns the card capabilities of the historical bytes (compact tag 7); `None` where
    /// they are not there or the data objects are malformed.
    pub fn capabilities(&self) -> Option<CardCapabilities> {
        let objects = self.objects().ok()?;
        objects.iter().find_map(CardCapabilities::of)
    }

    /// Returns TCK where it is sent.
    pub fn check(&self) -> Option<u8> {
        self.check
    }

    /// Says whether a reader made this answer for a contactless card, `3B 8n 80 01 …`.
    pub fn contactless(&self) -> Option<Contactless> {
        let [first, second, third] = self.interface.as_slice() else {
            return None;
        };
        let bare = |group: &Interface| (group.ta, group.tb, group.tc) == (None, None, None);
        let made = self.convention == Convention::Direct
            && [first, second, third].into_iter().all(bare)
            && first.td == Some(0x80)
            && second.td == Some(0x01)
            && third.td.is_none();
        if !made {
            return None;
        }
        match self.historical.strip_prefix(&STORAGE) {
            Some(&[standard, high, low, ..]) => Some(Contactless::Storage {
                standard,
                name: u16::from_be_bytes([high, low]),
            }),
            _ => Some(Contactless::Processor),
        }
    }
}

/// Reads the groups from T0's high half on, and the protocols they offer.
fn interface(rest: &mut Rest<'_>, t0: u8) -> Result<(Vec<Interface>, Vec<Protocol>), AtrError> {
    let mut groups = Vec::new();
    let mut protocols = Vec::new();
    let mut announced = t0;
    let mut t = None;
    loop {
        let mut read = |bit: u8, what| {
            if announced & bit == 0 {
                Ok(None)
            } else {
                rest.next(what).map(Some)
            }
        };
        let group = Interface {
            t,
            ta: read(0x10, "a TA byte")?,
            tb: read(0x20, "a TB byte")?,
            tc: read(0x40, "a TC byte")?,
            td: read(0x80, "a TD byte")?,
        };
        groups.push(group);
        // Ends with the bytes at the latest: every further group takes at least one.
        let Some(td) = group.td else { break };
        t = Some(td & 0x0F);
        if let Some(protocol) = Protocol::from_t(td & 0x0F)
            && !protocols.contains(&protocol)
        {
            protocols.push(protocol);
        }
        announced = td;
    }
    if protocols.is_empty() {
        protocols.push(Protocol::T0);
    }
    Ok((groups, protocols))
}

/// What is still to be read.
struct Rest<'a> {
    bytes: &'a [u8],
    length: usize,
}

impl<'a> Rest<'a> {
    fn next(&mut self, what: &'static str) -> Result<u8, AtrError> {
        let length = self.length;
        let (&first, rest) = self
            .bytes
            .split_first()
            .ok_or(AtrError::Short { length, what })?;
        self.bytes = rest;
        Ok(first)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], AtrError> {
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or(AtrError::Short {
            length: self.length,
            what: "its last historical byte",
        })?;
        self.bytes = rest;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn atr(text: &str) -> Result<Atr, AtrError> {
        Atr::parse(&hex::decode(text.replace(' ', "")).unwrap())
    }

    #[derive(Deserialize)]
    struct Published {
        cards: Vec<PublishedCard>,
    }

    #[derive(Deserialize)]
    struct PublishedCard {
        name: String,
        atr: String,
        protocols: Vec<String>,
        historical: String,
        #[serde(default)]
        block_size: Option<u8>,
        #[serde(default)]
        objects: Vec<(u8, String)>,
        #[serde(default)]
        chaining: Option<bool>,
        #[serde(default)]
        extended: Option<bool>,
        #[serde(default)]
        channels: Option<u8>,
        #[serde(default)]
        contactless: Option<String>,
    }

    #[test]
    fn published_cards_read_as_published() {
        let text = include_str!("../../tests/vectors/iso7816/answers-to-reset.json");
        let published: Published = serde_json::from_str(text).unwrap();
        assert!(published.cards.len() > 5);
        for card in published.cards {
            let name = &card.name;
            let read = atr(&card.atr).unwrap_or_else(|error| panic!("{name}: {error}"));
            let protocols: Vec<_> = read.protocols().iter().map(ToString::to_string).collect();
            assert_eq!(protocols, card.protocols, "{name}");
            assert_eq!(
                hex::encode_upper(read.historical()),
                card.historical,
                "{name}"
            );
            assert_eq!(read.block_size(), card.block_size, "{name}");
            let objects: Vec<_> = read
                .objects()
                .unwrap_or_default()
                .iter()
                .map(|object| (object.tag, hex::encode_upper(object.value)))
                .collect();
            assert_eq!(objects, card.objects, "{name}");
            let can = read.capabilities();
            assert_eq!(can.map(|can| can.chaining()), card.chaining, "{name}");
            assert_eq!(
                can.map(|can| can.extended_length()),
                card.extended,
                "{name}"
            );
            assert_eq!(
                can.map(|can| can.logical_channels()),
                card.channels,
                "{name}"
            );
            let contactless = read.contactless().map(|found| match found {
                Contactless::Processor => "processor".to_owned(),
                Contactless::Storage { standard, name } => format!("{standard:02X} {name:04X}"),
            });
            assert_eq!(contactless, card.contactless, "{name}");
        }
    }

    #[test]
    fn every_fault_has_its_error() {
        let short = |length, what| AtrError::Short { length, what };
        for (text, error) in [
            ("", short(0, "TS")),
            ("3B", short(1, "T0")),
            ("03 00", AtrError::Convention(0x03)),
            ("3B 10", short(2, "a TA byte")),
            ("3B 80", short(2, "a TD byte")),
            ("3B 02 41", short(3, "its last historical byte")),
            ("3B 80 01", short(3, "its check byte")),
            ("3B 00 00", AtrError::Trailing(1)),
            (
                "3B 80 01 80",
                AtrError::Check {
                    found: 0x80,
                    expected: 0x81,
                },
            ),
        ] {
            assert_eq!(atr(text).unwrap_err(), error, "{text}");
        }
        // A chain of TD bytes ends with the bytes.
        let bomb = [[0x3B_u8, 0x80].as_slice(), &[0x80; 31]].concat();
        assert_eq!(Atr::parse(&bomb).unwrap_err(), short(33, "a TD byte"));
        assert_eq!(Atr::parse(&[0x3B; 34]).unwrap_err(), AtrError::TooLong(34));
    }

    #[test]
    fn the_protocol_in_use_is_the_services_but_for_contactless() {
        let contactless = atr("3B 81 80 01 80 80").unwrap();
        let contact = atr("3B 80 01 81").unwrap();
        let bare = atr("3B 00").unwrap();
        for (active, atr, expected) in [
            (Some(Protocol::T1), &contactless, Protocol::Contactless),
            (Some(Protocol::T0), &contactless, Protocol::T0),
            (Some(Protocol::T1), &contact, Protocol::T1),
            (None, &contact, Protocol::T1),
            (None, &bare, Protocol::T0),
        ] {
            assert_eq!(Protocol::in_use(active, atr), expected);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(atr) = Atr::parse(&bytes) {
                let _ = (atr.objects(), atr.capabilities(), atr.contactless(), atr.block_size());
            }
        }

        #[test]
        fn what_is_put_together_is_read_apart(
            groups in prop::collection::vec((any::<[Option<u8>; 3]>(), 0_u8..16), 0..5),
            last in any::<[Option<u8>; 3]>(),
            historical in prop::collection::vec(any::<u8>(), 0..6),
        ) {
            let announce = |values: &[Option<u8>; 3], more: bool| {
                let mut bits = if more { 0x80 } else { 0 };
                for (value, bit) in values.iter().zip([0x10, 0x20, 0x40]) {
                    if value.is_some() { bits |= bit; }
                }
                bits
            };
            let mut all: Vec<_> = groups.iter().map(|(values, _)| *values).collect();
            all.push(last);
            let mut bytes = vec![
                0x3B,
                announce(&all[0], !groups.is_empty()) | u8::try_from(historical.len()).unwrap(),
            ];
            for (place, values) in all.iter().enumerate() {
                bytes.extend(values.iter().flatten());
                if let Some((_, t)) = groups.get(place) {
                    bytes.push(announce(&all[place + 1], place + 1 < groups.len()) | t);
                }
            }
            bytes.extend(&historical);
            if groups.iter().any(|(_, t)| *t != 0) {
                bytes.push(bytes.iter().skip(1).fold(0, |sum, byte| sum ^ byte));
            }
            prop_assume!(bytes.len() <= LONGEST);
            let atr = Atr::parse(&bytes).unwrap();
            prop_assert_eq!(atr.historical(), &historical[..]);
            let read: Vec<_> = atr.interface().iter().map(|g| [g.ta, g.tb, g.tc]).collect();
            prop_assert_eq!(read, all);
        }
    }
}

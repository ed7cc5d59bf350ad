//! Life-cycle states and GET STATUS (*GP Card Specification 2.3 §5, §11.1.1, §11.4*).

use std::fmt;

use super::DataError;
use crate::tlv::{self, Tag};

const NAME: &str = "GET STATUS answer";
const ENTRY: Tag = Tag::known::<0xE3>();
const AID: Tag = Tag::known::<0x4F>();
const STATE: Tag = Tag::known::<0x9F70>();
const PRIVILEGES: Tag = Tag::known::<0xC5>();
const LOAD_FILE: Tag = Tag::known::<0xC4>();
const SECURITY_DOMAIN: Tag = Tag::known::<0xCC>();
const MODULE: Tag = Tag::known::<0x84>();

/// The life-cycle state of a card (*§11.1.1*). The order is that of life; only
/// CARD_LOCKED can be left backwards, to SECURED.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum CardState {
    /// `01` OP_READY: ready for pre-personalization.
    OpReady = 0x01,
    /// `07` INITIALIZED: some data are on the card.
    Initialized = 0x07,
    /// `0F` SECURED: in the issuer's hands, fit for the holder.
    Secured = 0x0F,
    /// `7F` CARD_LOCKED: only the issuer security domain answers.
    CardLocked = 0x7F,
    /// `FF` TERMINATED: the end.
    Terminated = 0xFF,
}

impl CardState {
    /// Returns the state as the card codes it.
    pub const fn value(self) -> u8 {
        self as u8
    }
}

impl TryFrom<u8> for CardState {
    type Error = DataError;

    fn try_from(value: u8) -> Result<Self, DataError> {
        match value {
            0x01 => Ok(Self::OpReady),
            0x07 => Ok(Self::Initialized),
            0x0F => Ok(Self::Secured),
            0x7F => Ok(Self::CardLocked),
            0xFF => Ok(Self::Terminated),
            other => Err(DataError::State(other)),
        }
    }
}

impl fmt::Display for CardState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OpReady => "OP_READY",
            Self::Initialized => "INITIALIZED",
            Self::Secured => "SECURED",
            Self::CardLocked => "CARD_LOCKED",
            Self::Terminated => "TERMINATED",
        })
    }
}

/// What GET STATUS lists (*§11.4.2*).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StatusScope {
    /// `80`: the issuer security domain, that is the card.
    IssuerSecurityDomain,
    /// `40`: applications and supplementary security domains.
    Applications,
    /// `20`: executable load files.
    LoadFiles,
    /// `10`: executable load files and their modules.
    LoadFilesAndModules,
}

impl StatusScope {
    pub(super) const fn p1(self) -> u8 {
        match self {
            Self::IssuerSecurityDomain => 0x80,
            Self::Applications => 0x40,
            Self::LoadFiles => 0x20,
            Self::LoadFilesAndModules => 0x10,
        }
    }
}

/// One entry of GET STATUS, data object `E3` (*§11.4.3*).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StatusEntry {
    /// Application identifier.
    pub aid: Vec<u8>,
    /// Life-cycle state; of the issuer security domain that of the card, a [`CardState`].
    pub state: u8,
    /// Privileges, the bytes not sent being zero.
    pub privileges: Option<[u8; 3]>,
    /// AID of the load file that the application comes from.
    pub load_file: Option<Vec<u8>>,
    /// AID of the security domain that the application belongs to.
    pub security_domain: Option<Vec<u8>>,
    /// AIDs of a load file's modules.
    pub modules: Vec<Vec<u8>>,
}

/// Parses the response to [`get_status`](super::get_status), entries in the card's order.
/// An answer in parts (`6310`) may be joined first.
///
/// # Errors
/// [`DataError`] where the data are malformed or an entry lacks AID or state.
pub fn parse_status(data: &[u8]) -> Result<Vec<StatusEntry>, DataError> {
    let objects = tlv::parse_all(data).map_err(malformed)?;
    objects
        .iter()
        .filter(|object| object.tag == ENTRY)
        .map(|object| entry(object.value))
        .collect()
}

fn malformed(source: tlv::TlvError) -> DataError {
    DataError::Tlv { what: NAME, source }
}

fn entry(value: &[u8]) -> Result<StatusEntry, DataError> {
    let objects = tlv::parse_all(value).map_err(malformed)?;
    let find = |tag| {
        objects
            .iter()
            .find(|object| object.tag == tag)
            .map(|object| object.value)
    };
    let need = |tag| find(tag).ok_or(DataError::Missing { what: NAME, tag });
    let length = |what, value: &[u8]| DataError::Length {
        what,
        length: value.len(),
    };

    // Some cards append a second byte to the state; the first is the state.
    let state = match *need(STATE)? {
        [state] | [state, _] => state,
        ref other => return Err(length("life-cycle state", other)),
    };
    let privileges = match find(PRIVILEGES) {
        None => None,
        Some(&[a]) => Some([a, 0, 0]),
        Some(&[a, b, c]) => Some([a, b, c]),
        Some(other) => return Err(length("privileges", other)),
    };
    Ok(StatusEntry {
        aid: need(AID)?.to_vec(),
        state,
        privileges,
        load_file: find(LOAD_FILE).map(<[u8]>::to_vec),
        security_domain: find(SECURITY_DOMAIN).map(<[u8]>::to_vec),
        modules: objects
            .iter()
            .filter(|object| object.tag == MODULE)
            .map(|object| object.value.to_vec())
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apdu::Response;
    use crate::gp::testing::{hex, vectors};

    #[test]
    fn recorded_answers_of_a_card_are_read() {
        let file = vectors("scp03.json");
        let answers: Vec<_> = file["recorded"][2]["exchanges"]
            .as_array()
            .unwrap()
            .iter()
            .map(|step| {
                parse_status(Response::parse(&hex(&step["response"])).unwrap().data()).unwrap()
            })
            .collect();
        let counts: Vec<usize> = answers.iter().map(Vec::len).collect();
        assert_eq!(counts, [8, 4, 1, 8]);
        let card = &answers[2][0];
        assert_eq!(card.aid, [0xA0, 0, 0, 1, 0x51, 0, 0, 0]);
        assert_eq!(CardState::try_from(card.state), Ok(CardState::Secured));
        assert_eq!(card.privileges, Some([0x82, 0xFC, 0x80]));
        assert_eq!(
            card.load_file.as_deref(),
            Some(&[0xA0, 0, 0, 1, 0x51, 0x53, 0x50][..])
        );
        assert_eq!(card.security_domain.as_ref(), Some(&card.aid));
        let load_file = &answers[0][0];
        assert_eq!((load_file.state, load_file.privileges), (1, None));
    }

    #[test]
    fn modules_and_short_privileges_are_read() {
        let data = ::hex::decode("E3124F05A0000000019F700107C501048402A001").unwrap();
        let entries = parse_status(&data).unwrap();
        assert_eq!(entries[0].privileges, Some([0x04, 0, 0]));
        assert_eq!(entries[0].modules, [vec![0xA0, 0x01]]);
    }

    #[test]
    fn entries_that_lie_are_refused() {
        for bad in [
            "E3054F03A00000",             // no state
            "E3049F700107",               // no AID
            "E3084F01A09F7001",           // cut
            "E3074F01A09F7000",           // empty state
            "E30B4F01A09F700107C502",     // cut privileges
            "E30B4F01A09F700107C5020000", // privileges of two bytes
        ] {
            assert!(parse_status(&::hex::decode(bad).unwrap()).is_err(), "{bad}");
        }
    }

    #[test]
    fn card_states_are_the_five_of_the_specification() {
        let known: Vec<u8> = (0..=255)
            .filter(|&v| CardState::try_from(v).is_ok())
            .collect();
        assert_eq!(known, [0x01, 0x07, 0x0F, 0x7F, 0xFF]);
        assert_eq!(CardState::Secured.to_string(), "SECURED");
        assert!(CardState::OpReady < CardState::CardLocked);
    }
}

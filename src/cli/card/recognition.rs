//! What a chip says itself of its secure channels, beside what its profile says of them.

use card::gp::{ChannelOptions, get_data, parse_card_data, select};
use card::tlv::{self, Tag};
use card::{Channel, Limits, exchange};
use profile::Protocol;
use serde::Serialize;

use crate::cli::failure::{Failure, Kind, OrFail};

/// Tag of the card data (*GP Card Specification 2.3 §H.2*).
const CARD_DATA: u16 = 0x0066;
/// Where the answer to SELECT has the application's identifier.
const IDENTIFIER: [Tag; 2] = [Tag::known::<0x6F>(), Tag::known::<0x84>()];

/// A secure channel protocol that the chip says it speaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Spoken {
    /// As in `SCP03`.
    protocol: String,
    /// Its parameter "i", hexadecimal.
    i: String,
    #[serde(skip)]
    numbers: (u8, u8),
}

/// What the issuer's security domain says of itself.
#[derive(Default)]
pub(crate) struct Recognition {
    /// Its identifier.
    pub(crate) aid: Option<Vec<u8>>,
    /// What it speaks, in its order; nothing where it does not say.
    pub(crate) spoken: Option<Vec<Spoken>>,
}

/// Asks the chip, of whatever product. Nothing is changed, no attempt is used.
pub(crate) fn ask(channel: &mut dyn Channel, limits: &Limits) -> Result<Recognition, Failure> {
    let domain = exchange(channel, &select(&[]), limits).or_fail(Kind::Device)?;
    if !domain.status().is_ok() {
        return Ok(Recognition::default());
    }
    let aid = tlv::find(domain.data(), &IDENTIFIER).ok().flatten();
    let data = exchange(channel, &get_data(CARD_DATA), limits).or_fail(Kind::Device)?;
    // What cannot be read says nothing.
    let protocols = match data.status().is_ok() {
        true => parse_card_data(data.data()).ok(),
        false => None,
    };
    Ok(Recognition {
        aid: aid.map(<[u8]>::to_vec),
        spoken: protocols.map(|all| all.into_iter().map(Spoken::from).collect()),
    })
}

impl From<(u8, u8)> for Spoken {
    fn from((protocol, i): (u8, u8)) -> Self {
        Self {
            protocol: format!("SCP{protocol:02X}"),
            i: format!("{i:02X}"),
            numbers: (protocol, i),
        }
    }
}

impl Spoken {
    fn fits(&self, protocol: &Protocol) -> bool {
        match (protocol, self.numbers) {
            (Protocol::Scp02 { i: expected, .. }, (2, i)) => *expected == i,
            (Protocol::Scp03 { host, .. }, (3, i)) => (*host == 16) == (i & 1 != 0),
            _ => false,
        }
    }

    /// Returns it as a person reads it.
    pub(crate) fn text(&self) -> String {
        format!("{}, i {}", self.protocol, self.i)
    }
}

impl Recognition {
    /// Returns what the chip says otherwise than its profile; nothing where they agree, or the
    /// chip says nothing.
    pub(crate) fn contradicts(&self, protocol: &Protocol) -> Option<String> {
        let spoken = self.spoken.as_deref().filter(|spoken| !spoken.is_empty())?;
        let (level, wanted) = match protocol {
            Protocol::Scp02 { level, i } => (level, format!("SCP02, i {i:02X}")),
            Protocol::Scp03 { level, host: 16 } => (level, "SCP03 S16".to_owned()),
            Protocol::Scp03 { level, .. } => (level, "SCP03 S8".to_owned()),
            Protocol::None | Protocol::Challenge(_) => return None,
        };
        let mut fitting = spoken.iter().filter(|one| one.fits(protocol));
        let said: Vec<_> = spoken.iter().map(Spoken::text).collect();
        let said = said.join("; ");
        let Some(found) = fitting.next() else {
            return Some(format!(
                "the chip says that it speaks {said}; its profile says {wanted}"
            ));
        };
        let (number, i) = found.numbers;
        let serves = |options: ChannelOptions| options.supports(*level);
        match ChannelOptions::new(number, i).is_ok_and(serves) {
            true => None,
            false => Some(format!(
                "the chip says {said}, which does not serve the profile's level"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use card::gp::SecurityLevel;

    use super::*;

    fn says(spoken: &[(u8, u8)]) -> Recognition {
        Recognition {
            aid: None,
            spoken: Some(spoken.iter().copied().map(Spoken::from).collect()),
        }
    }

    #[test]
    fn a_profile_is_held_against_the_chips_word() {
        let scp02 = |i| Protocol::Scp02 {
            level: SecurityLevel::ENC_MAC,
            i,
        };
        let scp03 = |level, host| Protocol::Scp03 { level, host };
        let (full, low) = (SecurityLevel::FULL, SecurityLevel::ENC_MAC);
        for (spoken, protocol, fault) in [
            (&[(2, 0x55)][..], scp02(0x55), None),
            (&[(3, 0x70), (2, 0x15)], scp02(0x15), None),
            (&[(2, 0x55)], scp02(0x15), Some("SCP02, i 15")),
            (&[(2, 0x55)], scp03(low, 8), Some("SCP03 S8")),
            (&[(3, 0x70)], scp03(full, 8), None),
            (&[(3, 0x70)], scp03(full, 16), Some("SCP03 S16")),
            (&[(3, 0x71)], scp03(full, 16), None),
            (&[(3, 0x10)], scp03(low, 8), None),
            (&[(3, 0x10)], scp03(full, 8), Some("level")),
            // Nothing is said, or nothing to compare with.
            (&[], scp02(0x15), None),
            (&[(2, 0x55)], Protocol::None, None),
        ] {
            let found = says(spoken).contradicts(&protocol);
            match (&found, fault) {
                (None, None) => {}
                (Some(text), Some(part)) => assert!(text.contains(part), "{text}"),
                _ => panic!("{spoken:?} {protocol:?}: {found:?}"),
            }
        }
        assert_eq!(Recognition::default().contradicts(&scp02(0x15)), None);
    }
}

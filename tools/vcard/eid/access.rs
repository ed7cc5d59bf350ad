//! Access rules in the compact form of ISO/IEC 7816-4 §7.4.2: an access-mode byte, then one
//! security-condition byte for each of its bits set, b7 first.

use card::Status;
use serde::{Deserialize, Serialize};

use crate::secret::hexadecimal;

/// Number of the issuer's security environment: its channel is SCP03, its user
/// authentication the PUK.
const ISSUER: u8 = 3;
/// Reference of the PUK.
const PUK: u8 = 0x02;

/// What is to be done with an object: the access-mode bit that rules it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// EF: READ BINARY. PIN: GET DATA. Key: read the public key.
    Read = 0x01,
    /// EF: UPDATE BINARY. Key: GENERATE, once the application is personalized.
    Update = 0x02,
    /// Key: sign, authenticate, agree.
    Use = 0x04,
    /// PIN: RESET RETRY COUNTER without the PUK in the command.
    Reset = 0x10,
    /// PIN: VERIFY.
    Verify = 0x20,
    /// PIN: CHANGE REFERENCE DATA knowing the old value.
    Change = 0x40,
}

/// One object's rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AccessRule(#[serde(with = "hexadecimal")] Vec<u8>);

/// What the rule can ask about the present.
pub(crate) trait Present {
    /// Says whether the issuer's channel is open.
    fn issuer_channel(&self) -> bool;
    /// Says whether the PIN with this number (reference & 0F) counts as verified here.
    fn verified(&self, number: u8) -> bool;
}

impl AccessRule {
    /// Returns the rule of a file created without one: free to read, nothing else.
    pub(crate) fn readable() -> Self {
        Self(vec![Mode::Read as u8, 0x00])
    }

    /// Accepts a rule whose conditions fit its access-mode byte and have a meaning here.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Status> {
        let (mode, conditions) = bytes.split_first().ok_or(Status::WRONG_DATA)?;
        let wanted = (mode & 0x7F).count_ones() as usize;
        if conditions.len() != wanted || !conditions.iter().all(|sc| meaningful(*sc)) {
            return Err(Status::WRONG_DATA);
        }
        Ok(Self(bytes.to_vec()))
    }

    /// Returns the rule as it came.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Says whether the rule allows the mode now. A mode that it does not name: never.
    pub(crate) fn allows(&self, mode: Mode, present: &impl Present) -> bool {
        self.condition(mode).is_some_and(|sc| met(sc, present))
    }

    /// Returns the number of the PIN that the mode depends on, where it does.
    pub(crate) fn pin(&self, mode: Mode) -> Option<u8> {
        match self.condition(mode)? {
            0x00 | 0xFF => None,
            sc if sc & 0x10 != 0 => Some(user(sc)),
            _ => None,
        }
    }

    fn condition(&self, mode: Mode) -> Option<u8> {
        let (access, conditions) = self.0.split_first()?;
        let mode = mode as u8;
        if access & mode == 0 {
            return None;
        }
        // Conditions run from b7 down: those of the higher bits come before this one.
        let before = (access & 0x7F & !(mode | (mode - 1))).count_ones() as usize;
        conditions.get(before).copied()
    }
}

fn meaningful(sc: u8) -> bool {
    let asked = sc & 0x70;
    matches!(sc, 0x00 | 0xFF)
        || (asked != 0 && sc & 0x0F != 0 && (asked == 0x10 || sc & 0x0F == ISSUER))
}

fn met(sc: u8, present: &impl Present) -> bool {
    match sc {
        0x00 => return true,
        0xFF => return false,
        _ => {}
    }
    let channel = || present.issuer_channel();
    let mut asked = [
        (sc & 0x60 != 0).then(channel),
        (sc & 0x10 != 0).then(|| present.verified(user(sc))),
    ]
    .into_iter()
    .flatten();
    if sc & 0x80 != 0 {
        asked.all(|holds| holds)
    } else {
        asked.any(|holds| holds)
    }
}

fn user(sc: u8) -> u8 {
    match sc & 0x0F {
        ISSUER => PUK,
        number => number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Now(bool, &'static [u8]);

    impl Present for Now {
        fn issuer_channel(&self) -> bool {
            self.0
        }

        fn verified(&self, number: u8) -> bool {
            self.1.contains(&number)
        }
    }

    const NOBODY: Now = Now(false, &[]);
    const ISSUER: Now = Now(true, &[]);
    const PUK: Now = Now(false, &[2]);

    #[test]
    fn the_recorded_pin_rule_reads_as_documented() {
        let rule = AccessRule::parse(&[0xF3, 0x00, 0x00, 0x73, 0x43, 0x00]).unwrap();
        assert!(rule.allows(Mode::Change, &NOBODY));
        assert!(rule.allows(Mode::Verify, &NOBODY));
        assert!(rule.allows(Mode::Read, &NOBODY));
        assert!(!rule.allows(Mode::Reset, &NOBODY));
        assert!(rule.allows(Mode::Reset, &ISSUER));
        assert!(rule.allows(Mode::Reset, &PUK));
        assert!(!rule.allows(Mode::Update, &PUK));
        assert!(rule.allows(Mode::Update, &ISSUER));
        assert!(!rule.allows(Mode::Use, &ISSUER), "a bit not set: never");
    }

    #[test]
    fn all_wants_all() {
        let rule = AccessRule::parse(&[0x01, 0xF3]).unwrap();
        assert!(!rule.allows(Mode::Read, &ISSUER));
        assert!(!rule.allows(Mode::Read, &PUK));
        assert!(rule.allows(Mode::Read, &Now(true, &[2])));
    }

    #[test]
    fn a_key_names_its_pin() {
        let rule = AccessRule::parse(&[0x07, 0x95, 0x43, 0x00]).unwrap();
        assert_eq!(rule.pin(Mode::Use), Some(5));
        assert_eq!(rule.pin(Mode::Update), None);
        assert!(rule.allows(Mode::Use, &Now(false, &[5])));
        assert!(!rule.allows(Mode::Use, &Now(true, &[1])));
    }

    #[test]
    fn rules_without_meaning_are_refused() {
        for bad in [
            &[][..],
            &[0x03, 0x00],
            &[0x01, 0x00, 0x00],
            &[0x01, 0x80],
            &[0x01, 0x45],
            &[0x01, 0x10],
            &[0x01, 0x03],
        ] {
            assert_eq!(
                AccessRule::parse(bad),
                Err(Status::WRONG_DATA),
                "{bad:02X?}"
            );
        }
    }
}

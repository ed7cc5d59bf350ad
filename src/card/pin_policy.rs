//! Which values a PIN may have: how many digits, and what makes one weak.
//!
//! The rules are few and can be told to a holder. A PIN is weak where whoever finds the card
//! would try it among the first: a pattern of the fingers, one of the values that studies of
//! leaked PINs find at the top, a number that is the holder's own.

use std::ops::RangeInclusive;

use thiserror::Error;

/// The fewest and the most digits of any PIN here.
const DIGITS: RangeInclusive<u8> = 4..=12;
/// Parts of this length of what is the holder's own are refused: shorter ones would forbid too
/// much.
const PART: usize = 4;

/// What many people choose, beyond what another rule refuses: lines and corners of the key pad, keys
/// that spell a word, dates that everybody knows, steps of two. The list is ours, after what *D.
/// Berry, "PIN analysis", DataGenetics 2012* and *Markert and others, "This PIN Can Be Easily
/// Guessed", IEEE S&P 2020* found.
const COMMONEST: &[&str] = &[
    "1004",
    "0007",
    "1342",
    "2468",
    "1357",
    "8520",
    "2580",
    "0852",
    "1470",
    "7410",
    "3690",
    "1397",
    "1379",
    "9713",
    "7913",
    "1793",
    "3197",
    "1590",
    "7530",
    "5683",
    "0420",
    "1225",
    "3141",
    "7531",
    "159753",
    "159357",
    "357159",
    "753159",
    "951753",
    "147258",
    "258369",
    "147369",
    "741852",
    "852963",
    "789456",
    "456123",
    "123654",
    "321456",
    "142536",
    "246810",
    "135790",
    "147258369",
    "741852963",
    "789456123",
    "123456780",
];

/// What makes a PIN weak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WeakRule {
    /// A group of digits repeated throughout (0000, 1212, 123123), or every digit doubled (1122).
    Repeated,
    /// Digits that go up or down by one throughout, modulo ten (1234, 8901, 3210).
    Run,
    /// A value that very many people choose, or a year from 1900 to 2099.
    Common,
    /// A part of the holder's own numbers: birth date, personal code.
    Holder,
}

impl WeakRule {
    /// Every rule: itself, its name in a file, and what it refuses.
    pub const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (
            Self::Repeated,
            "repeated",
            "a repeated group (0000, 1212), or each digit doubled (1122)",
        ),
        (
            Self::Run,
            "run",
            "digits that go up or down by one (1234, 8901)",
        ),
        (
            Self::Common,
            "common",
            "what many people choose (2580, 159753), and years",
        ),
        (
            Self::Holder,
            "holder",
            "four digits in a row of the holder's birth date or personal code",
        ),
    ];

    /// Returns the rule that a file calls `name`.
    pub fn named(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter();
        all.find(|(_, known, _)| *known == name)
            .map(|(rule, ..)| *rule)
    }

    /// Returns the rule's name in a file.
    pub fn name(self) -> &'static str {
        let mut all = Self::ALL.iter();
        all.find(|(rule, ..)| *rule == self)
            .map_or("", |(_, name, _)| name)
    }
}

/// A PIN policy that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a PIN of {digits} digits is not possible; 4 to 12 are")]
pub struct PinLengthError {
    /// The number of digits asked for.
    pub digits: u8,
}

/// Why a value is refused. The value itself is never in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PinFault {
    /// Something else than a decimal digit.
    #[error("a PIN has decimal digits only")]
    NotDigits,
    /// Too few digits or too many.
    #[error("a PIN of {found} digits; it has {}", range(*.least, *.most))]
    Length {
        /// How many there are.
        found: usize,
        /// The fewest.
        least: u8,
        /// The most.
        most: u8,
    },
    /// A repeated group, or doubled digits.
    #[error("weak: a group of digits is repeated throughout, or every digit is doubled")]
    Repeated,
    /// A run.
    #[error("weak: the digits go up or down by one")]
    Run,
    /// Commonly chosen.
    #[error("weak: a value that very many people choose, or a year")]
    Common,
    /// The holder's own.
    #[error("weak: a part of the holder's birth date or personal code")]
    Holder,
}

fn range(least: u8, most: u8) -> String {
    match least == most {
        true => most.to_string(),
        false => format!("{least} to {most}"),
    }
}

/// Which values a PIN may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinPolicy {
    least: u8,
    most: u8,
    rules: Vec<WeakRule>,
    forbidden: Vec<String>,
}

impl PinPolicy {
    /// Returns the policy for PINs of exactly `digits` decimal digits, 4 to 12, none weak.
    ///
    /// # Errors
    /// [`PinLengthError`].
    pub fn digits(digits: u8) -> Result<Self, PinLengthError> {
        Self::between(digits, digits)
    }

    /// Returns the policy for PINs of `least` to `most` digits, none weak.
    ///
    /// # Errors
    /// [`PinLengthError`], also where the range is empty.
    pub fn between(least: u8, most: u8) -> Result<Self, PinLengthError> {
        let mut ends = [least, most].into_iter();
        if let Some(digits) = ends.find(|digits| !DIGITS.contains(digits) || least > most) {
            return Err(PinLengthError { digits });
        }
        Ok(Self {
            least,
            most,
            rules: WeakRule::ALL.iter().map(|(rule, ..)| *rule).collect(),
            forbidden: Vec::new(),
        })
    }

    /// Refuses only what these rules call weak.
    #[must_use]
    pub fn refusing(mut self, rules: &[WeakRule]) -> Self {
        self.rules = rules.to_vec();
        self
    }

    /// Also refuses, by [`WeakRule::Holder`], every PIN in which four digits in a row of one of
    /// these digit strings stand: a holder's birth date, for example.
    #[must_use]
    pub fn forbidding<I: IntoIterator<Item = S>, S: Into<String>>(mut self, own: I) -> Self {
        let windows = |text: String| -> Vec<String> {
            let digits: Vec<char> = text.chars().collect();
            let parts = digits.windows(PART);
            parts.map(|part| part.iter().collect()).collect()
        };
        self.forbidden
            .extend(own.into_iter().map(Into::into).flat_map(windows));
        self
    }

    /// Returns the most digits, which is how many a generated PIN has.
    pub fn length(&self) -> u8 {
        self.most
    }

    /// Returns the rules by which a value is weak.
    pub fn rules(&self) -> &[WeakRule] {
        &self.rules
    }

    /// Returns the fewest digits.
    pub fn least(&self) -> u8 {
        self.least
    }

    /// Judges a value.
    ///
    /// # Errors
    /// The first [`PinFault`].
    pub fn judge(&self, pin: &[u8]) -> Result<(), PinFault> {
        if !pin.iter().all(u8::is_ascii_digit) {
            return Err(PinFault::NotDigits);
        }
        if !(usize::from(self.least)..=usize::from(self.most)).contains(&pin.len()) {
            return Err(PinFault::Length {
                found: pin.len(),
                least: self.least,
                most: self.most,
            });
        }
        for rule in &self.rules {
            match rule {
                WeakRule::Repeated if is_repeated(pin) => return Err(PinFault::Repeated),
                WeakRule::Run if is_run(pin) => return Err(PinFault::Run),
                WeakRule::Common if is_common(pin) => return Err(PinFault::Common),
                WeakRule::Holder if self.is_holders(pin) => return Err(PinFault::Holder),
                _ => {}
            }
        }
        Ok(())
    }

    fn is_holders(&self, pin: &[u8]) -> bool {
        let stands_in = |part: &String| {
            let part = part.as_bytes();
            pin.windows(part.len()).any(|found| found == part)
        };
        self.forbidden.iter().any(stands_in)
    }
}

fn is_repeated(pin: &[u8]) -> bool {
    let repeats = |group: usize| {
        pin.len().is_multiple_of(group)
            && pin.iter().zip(pin.iter().skip(group)).all(|(a, b)| a == b)
    };
    let is_doubled = || {
        let mut pairs = pin.chunks(2);
        pairs.all(|pair| matches!(pair, [a, b] if a == b))
    };
    (1..=pin.len() / 2).any(repeats) || is_doubled()
}

fn is_run(pin: &[u8]) -> bool {
    let step = |by: u8| {
        let mut pairs = pin.windows(2);
        pairs.all(|pair| matches!(pair, [a, b] if (a - b'0' + by) % 10 == b - b'0'))
    };
    // +1 and -1, modulo ten.
    step(1) || step(9)
}

fn is_common(pin: &[u8]) -> bool {
    let is_year = matches!(pin, [b'1', b'9', _, _] | [b'2', b'0', _, _]);
    is_year || COMMONEST.iter().any(|common| common.as_bytes() == pin)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn judged(policy: &PinPolicy, pin: &str) -> Result<(), PinFault> {
        policy.judge(pin.as_bytes())
    }

    #[test]
    fn each_rule_refuses_its_own() {
        let policy = PinPolicy::between(4, 12)
            .unwrap()
            .forbidding(["12121982", "32010112345"]);
        for (pin, fault) in [
            ("0000", PinFault::Repeated),
            ("1212", PinFault::Repeated),
            ("6969", PinFault::Repeated),
            ("1122", PinFault::Repeated),
            ("123123", PinFault::Repeated),
            ("112233", PinFault::Repeated),
            ("1234", PinFault::Run),
            ("8901", PinFault::Run),
            ("3210", PinFault::Run),
            ("0987654321", PinFault::Run),
            ("2580", PinFault::Common),
            ("1004", PinFault::Common),
            ("1987", PinFault::Common),
            ("2026", PinFault::Common),
            ("159753", PinFault::Common),
            ("91219824", PinFault::Holder),
            ("3201", PinFault::Holder),
            ("12a4", PinFault::NotDigits),
            ("١٢٣٤", PinFault::NotDigits),
        ] {
            assert_eq!(judged(&policy, pin), Err(fault), "{pin}");
        }
        // 8219 stands in no number of the holder's in this order.
        for strong in ["1235", "9931", "0001", "8219", "1221", "518273"] {
            assert_eq!(judged(&policy, strong), Ok(()), "{strong}");
        }
        let length = judged(&policy, "123").unwrap_err().to_string();
        assert_eq!(length, "a PIN of 3 digits; it has 4 to 12");
    }

    /// The twenty commonest of 3.4 million PINs (*DataGenetics 2012*).
    #[test]
    fn the_commonest_are_refused() {
        let policy = PinPolicy::digits(4).unwrap();
        for pin in [
            "1234", "1111", "0000", "1212", "7777", "1004", "2000", "4444", "2222", "6969", "9999",
            "3333", "5555", "6666", "1122", "1313", "8888", "4321", "2001", "1010",
        ] {
            assert!(policy.judge(pin.as_bytes()).is_err(), "{pin}");
        }
    }

    #[test]
    fn a_policy_refuses_by_the_rules_that_it_names_alone() {
        let policy = PinPolicy::digits(4).unwrap().refusing(&[WeakRule::Run]);
        assert_eq!(judged(&policy, "1212"), Ok(()));
        assert_eq!(judged(&policy, "1234"), Err(PinFault::Run));
        assert_eq!(
            judged(&policy, "12345").unwrap_err().to_string(),
            "a PIN of 5 digits; it has 4"
        );
    }

    /// Of four digits: 100 repeat a group of two (those of one digit among them), 90 more double
    /// their digits, 20 run, 200 are years from 1900 to 2099, of which 1919, 2020 (repeated),
    /// none doubled, and none that runs are counted before; the rest is the list.
    #[test]
    fn so_many_of_four_digits_are_weak() {
        let policy = PinPolicy::digits(4).unwrap();
        let refused = |fault: PinFault| {
            let all = (0..10_000).map(|n| format!("{n:04}"));
            all.filter(|pin| judged(&policy, pin) == Err(fault)).count()
        };
        let listed = COMMONEST.iter().filter(|pin| pin.len() == 4).count();
        assert_eq!(refused(PinFault::Repeated), 100 + 90);
        assert_eq!(refused(PinFault::Run), 20);
        assert_eq!(refused(PinFault::Common), 200 - 2 + listed);
    }

    #[test]
    fn what_is_listed_is_listed_once_and_for_its_own_rule() {
        for (place, pin) in COMMONEST.iter().enumerate() {
            let digits = pin.as_bytes();
            assert!(!is_repeated(digits) && !is_run(digits), "{pin}");
            assert!(!COMMONEST[..place].contains(pin), "{pin}");
        }
        for (rule, name, _) in WeakRule::ALL {
            assert_eq!((WeakRule::named(name), rule.name()), (Some(*rule), *name));
        }
    }

    #[test]
    fn lengths_are_bounded() {
        for digits in [0, 3, 13, 255] {
            assert_eq!(PinPolicy::digits(digits), Err(PinLengthError { digits }));
        }
        assert!(PinPolicy::between(6, 4).is_err());
        assert!(PinPolicy::between(4, 12).is_ok());
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged(pin in prop::collection::vec(any::<u8>(), 0..40)) {
            let policy = PinPolicy::between(4, 12).unwrap().forbidding(["123", "120382"]);
            if policy.judge(&pin).is_ok() {
                prop_assert!((4..=12).contains(&pin.len()) && pin.iter().all(u8::is_ascii_digit));
            }
        }
    }
}

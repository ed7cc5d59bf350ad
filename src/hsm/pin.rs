//! The holder's PINs: made from the token's random source, never weak, never shown.

use std::fmt;

use card::PinPolicy;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::error::HsmError;
use crate::random::RandomSource;

/// Why an encoded PIN set, or a name in one, was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PinError {
    /// A PIN's name is empty, too long, or used twice.
    #[error("PIN name {name:?} is empty, longer than 16 bytes, or used twice")]
    Name {
        /// The name.
        name: String,
    },
    /// The bytes are not an encoded PIN set. They are not shown: they may hold a PIN.
    #[error("not a PIN set")]
    Encoding,
}

/// A PIN or PUK: decimal digits, wiped when dropped, compared in constant time, never printed.
#[derive(Clone)]
pub struct Pin(Zeroizing<Box<[u8]>>);

impl Pin {
    /// Returns a PIN drawn from `source`, every allowed value equally likely.
    ///
    /// # Errors
    /// [`HsmError`] where the source fails, or gives values that cannot be random.
    pub fn generate(source: &dyn RandomSource, policy: &PinPolicy) -> Result<Self, HsmError> {
        // Of four digits one in 20 is weak at most, the holder's own among them: thirty in a row
        // do not happen.
        for _ in 0..30 {
            let pin = Self(draw(source, policy.length())?);
            if policy.judge(pin.digits()).is_ok() {
                return Ok(pin);
            }
        }
        Err(HsmError::RandomSourceStuck)
    }

    /// Returns the digits in ASCII; padding them is the chip profile's business.
    pub fn digits(&self) -> &[u8] {
        &self.0
    }

    fn from_digits(digits: &[u8]) -> Option<Self> {
        let fits = (4..=12).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
        fits.then(|| Self(Zeroizing::new(digits.into())))
    }
}

impl PartialEq for Pin {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Pin {}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(..)")
    }
}

/// Draws digits without modulo bias: 256 is no multiple of ten, so bytes from 250 are thrown away.
fn draw(source: &dyn RandomSource, digits: u8) -> Result<Zeroizing<Box<[u8]>>, HsmError> {
    let wanted = usize::from(digits);
    let mut pin = Zeroizing::new(vec![0; wanted].into_boxed_slice());
    let mut filled = 0;
    let mut bytes = Zeroizing::new([0_u8; 32]);
    // Sixteen rounds without enough usable bytes do not happen with a fair source.
    for _ in 0..16 {
        source.fill(&mut *bytes)?;
        let usable = bytes.iter().filter(|byte| **byte < 250);
        for (place, byte) in pin.iter_mut().skip(filled).zip(usable) {
            *place = b'0' + byte % 10;
            filled += 1;
        }
        if filled == wanted {
            return Ok(pin);
        }
    }
    Err(HsmError::RandomSourceStuck)
}

/// One document's PINs and PUK by name, in the order in which they were made.
#[derive(Clone, PartialEq, Eq)]
pub struct PinSet(Vec<(String, Pin)>);

impl PinSet {
    /// Returns a PIN set drawn from `source`: one PIN per name.
    ///
    /// # Errors
    /// [`HsmError`] as [`Pin::generate`]. Whether the names will do is [`PinSet::check_names`]'s
    /// business, where a profile is loaded.
    pub fn generate(
        source: &dyn RandomSource,
        policies: &[(String, PinPolicy)],
    ) -> Result<Self, HsmError> {
        let mut pins = Vec::with_capacity(policies.len());
        for (name, policy) in policies {
            pins.push((name.clone(), Pin::generate(source, policy)?));
        }
        Ok(Self(pins))
    }

    /// Checks that `names` can name a PIN set: none empty, none longer than 16 bytes, none twice,
    /// at most eight.
    ///
    /// # Errors
    /// [`PinError::Name`].
    pub fn check_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<(), PinError> {
        let mut seen = Vec::new();
        for name in names {
            if name.is_empty() || name.len() > 16 || seen.contains(&name) || seen.len() == 8 {
                return Err(PinError::Name {
                    name: name.to_owned(),
                });
            }
            seen.push(name);
        }
        Ok(())
    }

    /// Returns the PIN of this name.
    pub fn get(&self, name: &str) -> Option<&Pin> {
        self.0
            .iter()
            .find_map(|(known, pin)| (known == name).then_some(pin))
    }

    /// Returns the set of those whose names are wanted.
    #[must_use]
    pub fn only(&self, wanted: impl Fn(&str) -> bool) -> Self {
        let pins = self.0.iter().filter(|(name, _)| wanted(name));
        Self(pins.cloned().collect())
    }

    /// Returns the names and PINs in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Pin)> {
        self.0.iter().map(|(name, pin)| (name.as_str(), pin))
    }

    /// Returns the set as bytes, to be sealed: per PIN the name's length, the name, the number of
    /// digits, the digits.
    ///
    /// # Errors
    /// [`PinError::Name`] for names that [`PinSet::check_names`] refuses.
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>, PinError> {
        Self::check_names(self.0.iter().map(|(name, _)| name.as_str()))?;
        // Reserved whole, so that growing leaves no copy: 8 PINs of at most 1 + 16 + 1 + 12 bytes.
        let mut bytes = Zeroizing::new(Vec::with_capacity(8 * 30));
        for (name, pin) in &self.0 {
            for part in [name.as_bytes(), pin.digits()] {
                // Both lengths are checked to be at most 16.
                bytes.push(u8::try_from(part.len()).unwrap_or(u8::MAX));
                bytes.extend_from_slice(part);
            }
        }
        Ok(bytes)
    }

    /// Returns the set that [`PinSet::encode`] made.
    ///
    /// # Errors
    /// [`PinError::Encoding`].
    pub fn decode(bytes: &[u8]) -> Result<Self, PinError> {
        fn take<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
            let (length, rest) = bytes.split_first()?;
            let (part, rest) = rest.split_at_checked(usize::from(*length))?;
            *bytes = rest;
            Some(part)
        }
        let mut rest = bytes;
        let mut pins = Vec::new();
        while !rest.is_empty() {
            let name = take(&mut rest).and_then(|name| std::str::from_utf8(name).ok());
            let pin = take(&mut rest).and_then(Pin::from_digits);
            let (Some(name), Some(pin)) = (name, pin) else {
                return Err(PinError::Encoding);
            };
            pins.push((name.to_owned(), pin));
        }
        Self::check_names(pins.iter().map(|(name, _)| name.as_str()))
            .map_err(|_| PinError::Encoding)?;
        Ok(Self(pins))
    }
}

impl fmt::Debug for PinSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(name, _)| name))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use card::PinPolicy;
    use proptest::prelude::*;

    use super::{Pin, PinSet};
    use crate::error::HsmError;
    use crate::random::RandomSource;

    /// Gives the recorded bytes, then zeros.
    struct Recorded(Mutex<Vec<u8>>);

    impl Recorded {
        fn new(bytes: &[u8]) -> Self {
            Self(Mutex::new(bytes.iter().rev().copied().collect()))
        }
    }

    impl RandomSource for Recorded {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), HsmError> {
            let mut left = self.0.lock().unwrap();
            bytes.fill_with(|| left.pop().unwrap_or(0));
            Ok(())
        }
    }

    /// The operating system's source, as a stand-in for the token's.
    struct System;

    impl RandomSource for System {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), HsmError> {
            use std::io::Read as _;
            let mut file = std::fs::File::open("/dev/urandom").unwrap();
            file.read_exact(bytes).unwrap();
            Ok(())
        }
    }

    #[test]
    fn bytes_that_would_bias_are_skipped() {
        let source = Recorded::new(&[255, 250, 249, 13, 254, 240, 7]);
        let pin = Pin::generate(&source, &PinPolicy::digits(4).unwrap()).unwrap();
        assert_eq!(pin.digits(), b"9307");
    }

    #[test]
    fn no_weak_pin_is_generated() {
        // 1234, then 0000 for ever.
        let source = Recorded::new(&[1, 2, 3, 4]);
        let policy = PinPolicy::digits(4).unwrap();
        assert!(matches!(
            Pin::generate(&source, &policy),
            Err(HsmError::RandomSourceStuck)
        ));
        let policy = PinPolicy::digits(4).unwrap().forbidding(["121282"]);
        for _ in 0..2_000 {
            let pin = Pin::generate(&System, &policy).unwrap();
            assert_eq!(policy.judge(pin.digits()), Ok(()));
        }
    }

    #[test]
    fn stuck_source_is_noticed() {
        let policy = PinPolicy::digits(6).unwrap();
        let stuck = Recorded::new(&[]);
        assert!(matches!(
            Pin::generate(&stuck, &policy),
            Err(HsmError::RandomSourceStuck)
        ));
        let high = Recorded::new(&[255; 20_000]);
        assert!(matches!(
            Pin::generate(&high, &policy),
            Err(HsmError::RandomSourceStuck)
        ));
    }

    #[test]
    fn digits_are_even() {
        // Chi-square over 40 000 digits, 9 degrees of freedom: above 40 with a chance below 1e-5.
        let policy = PinPolicy::digits(8).unwrap();
        let mut counts = [0_f64; 10];
        for _ in 0..5_000 {
            for digit in Pin::generate(&System, &policy).unwrap().digits() {
                counts[usize::from(digit - b'0')] += 1.0;
            }
        }
        let chi: f64 = counts.iter().map(|n| (n - 4_000.0).powi(2) / 4_000.0).sum();
        assert!(chi < 40.0, "{chi}");
    }

    #[test]
    fn names_are_checked() {
        assert!(PinSet::check_names(["PIN1", "PIN2", "PUK"]).is_ok());
        assert!(PinSet::check_names(["PIN1", "PIN1"]).is_err());
        assert!(PinSet::check_names([""]).is_err());
        assert!(PinSet::check_names(["A234567890123456x"]).is_err());
    }

    #[test]
    fn debug_shows_no_digit() {
        let policy = PinPolicy::digits(6).unwrap();
        let set = PinSet::generate(&System, &[("PIN".to_owned(), policy)]).unwrap();
        let pin = set.get("PIN").unwrap();
        let shown = format!("{set:?} {pin:?}");
        assert_eq!(shown, "[\"PIN\"] Pin(..)");
    }

    proptest! {
        #[test]
        fn set_survives_its_encoding(lengths in prop::collection::vec(4_u8..=12, 0..=8)) {
            let policies: Vec<_> = lengths
                .iter()
                .enumerate()
                .map(|(i, digits)| (format!("PIN{i}"), PinPolicy::digits(*digits).unwrap()))
                .collect();
            let set = PinSet::generate(&System, &policies).unwrap();
            let back = PinSet::decode(&set.encode().unwrap()).unwrap();
            prop_assert!(back == set);
            prop_assert_eq!(back.iter().count(), lengths.len());
        }

        #[test]
        fn any_bytes_decode_or_fail(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = PinSet::decode(&bytes);
        }
    }
}

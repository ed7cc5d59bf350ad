//! Codes that follow from the time (*RFC 6238*), over HMAC (*RFC 4226 §5.3*).

use document::Environment;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha1::Sha1;
use sha2::Sha256;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroizing;

use crate::error::{CentralError, Result};
use crate::people::base32;
use crate::people::token::random;

/// The seconds of a time step.
const STEP: i64 = 30;

/// The digits of a code.
const DIGITS: u32 = 6;

/// How many steps a clock may be off, each way.
const DRIFT: i64 = 1;

/// The hash that codes are made with. Every authenticator app has SHA-1, whose HMAC is sound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TotpAlgorithm {
    /// HMAC-SHA-1, 160-bit secret.
    #[default]
    Sha1,
    /// HMAC-SHA-256, 256-bit secret.
    Sha256,
}

impl TotpAlgorithm {
    fn length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// Returns its name in `otpauth` addresses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }
}

/// The secret that an app and the store share.
pub(crate) struct Shared {
    algorithm: TotpAlgorithm,
    secret: Zeroizing<Vec<u8>>,
}

impl Shared {
    /// Makes one, as long as its hash (*RFC 4226 §4, R6*).
    pub(crate) fn generate(algorithm: TotpAlgorithm) -> Result<Self> {
        let bytes = random::<32>()?;
        let secret = bytes.iter().take(algorithm.length()).copied().collect();
        Ok(Self {
            algorithm,
            secret: Zeroizing::new(secret),
        })
    }

    /// Returns it as it is sealed: one byte for the hash, then the secret.
    pub(crate) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let tag = u8::from(self.algorithm == TotpAlgorithm::Sha256);
        let mut bytes = Zeroizing::new(vec![tag]);
        bytes.extend_from_slice(&self.secret);
        bytes
    }

    /// Reads what [`Shared::to_bytes`] gave.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let (algorithm, secret) = match bytes.split_first() {
            Some((0, secret)) => (TotpAlgorithm::Sha1, secret),
            Some((1, secret)) => (TotpAlgorithm::Sha256, secret),
            _ => return Err(CentralError::damaged("a second factor")),
        };
        if secret.len() != algorithm.length() {
            return Err(CentralError::damaged("a second factor"));
        }
        Ok(Self {
            algorithm,
            secret: Zeroizing::new(secret.to_vec()),
        })
    }

    /// Returns the secret as an app takes it when it is typed.
    pub(crate) fn typed(&self) -> Zeroizing<String> {
        base32::encode(&self.secret)
    }

    /// Returns the address that an app reads from a picture.
    pub(crate) fn address(&self, account: &str, environment: Environment) -> Zeroizing<String> {
        let issuer = match environment {
            Environment::Production => "zimogs",
            Environment::Test => "zimogs-test",
        };
        // An account's name has no character that an address would escape.
        Zeroizing::new(format!(
            "otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}&algorithm={}&digits={DIGITS}&period={STEP}",
            &*self.typed(),
            self.algorithm.name(),
        ))
    }

    /// Returns the time step whose code this is, if it is one of now or of a step beside, and
    /// later than the last that was taken.
    pub(crate) fn step_of(&self, code: &str, now: Timestamp, last: Option<i64>) -> Option<i64> {
        let well_formed = code.len() == DIGITS as usize && code.bytes().all(|c| c.is_ascii_digit());
        let code: u32 = well_formed.then(|| code.parse().ok()).flatten()?;
        let present = now.as_second().div_euclid(STEP);
        let (mut found, mut matched) = (0_u64, Choice::from(0));
        for step in (present - DRIFT)..=(present + DRIFT) {
            let Ok(step) = u64::try_from(step) else {
                continue;
            };
            let is_it = self.code(step, DIGITS)?.ct_eq(&code);
            found.conditional_assign(&step, is_it);
            matched |= is_it;
        }
        let found = bool::from(matched).then(|| i64::try_from(found).ok())??;
        last.is_none_or(|last| found > last).then_some(found)
    }

    /// Returns the code of a counter.
    fn code(&self, counter: u64, digits: u32) -> Option<u32> {
        let counter = counter.to_be_bytes();
        let hash: Vec<u8> = match self.algorithm {
            TotpAlgorithm::Sha1 => {
                let mut mac = Hmac::<Sha1>::new_from_slice(&self.secret).ok()?;
                mac.update(&counter);
                mac.finalize().into_bytes().to_vec()
            }
            TotpAlgorithm::Sha256 => {
                let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).ok()?;
                mac.update(&counter);
                mac.finalize().into_bytes().to_vec()
            }
        };
        let offset = usize::from(hash.last()? & 0x0F);
        let four: [u8; 4] = hash.get(offset..offset + 4)?.try_into().ok()?;
        Some((u32::from_be_bytes(four) & 0x7FFF_FFFF) % 10_u32.pow(digits))
    }

    /// Returns the code of a moment, for tests of what takes codes.
    #[cfg(test)]
    pub(crate) fn at(secret: &[u8], now: Timestamp) -> String {
        let shared = Self {
            algorithm: TotpAlgorithm::Sha1,
            secret: Zeroizing::new(secret.to_vec()),
        };
        let step = u64::try_from(now.as_second().div_euclid(STEP)).unwrap();
        format!("{:06}", shared.code(step, DIGITS).unwrap())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(algorithm: TotpAlgorithm, secret: &[u8]) -> Shared {
        Shared {
            algorithm,
            secret: Zeroizing::new(secret.to_vec()),
        }
    }

    /// *RFC 6238, Appendix B.*
    #[test]
    fn the_vectors_of_the_rfc() {
        let one = shared(TotpAlgorithm::Sha1, b"12345678901234567890");
        let other = shared(TotpAlgorithm::Sha256, b"12345678901234567890123456789012");
        for (seconds, sha1, sha256) in [
            (59, 94_287_082, 46_119_246),
            (1_111_111_109, 7_081_804, 68_084_774),
            (1_111_111_111, 14_050_471, 67_062_674),
            (1_234_567_890, 89_005_924, 91_819_424),
            (2_000_000_000, 69_279_037, 90_698_825),
            (20_000_000_000, 65_353_130, 77_737_706),
        ] {
            let step = seconds / STEP.unsigned_abs();
            assert_eq!(one.code(step, 8), Some(sha1));
            assert_eq!(other.code(step, 8), Some(sha256));
        }
    }

    /// *RFC 4226, Appendix D.*
    #[test]
    fn the_vectors_of_the_rfc_below_it() {
        let one = shared(TotpAlgorithm::Sha1, b"12345678901234567890");
        let codes = [
            755_224, 287_082, 359_152, 969_429, 338_314, 254_676, 287_922, 162_583, 399_871,
            520_489,
        ];
        for (counter, code) in (0..).zip(codes) {
            assert_eq!(one.code(counter, 6), Some(code));
        }
    }

    #[test]
    fn a_code_is_of_its_step_and_never_taken_twice() {
        let one = shared(TotpAlgorithm::Sha1, b"12345678901234567890");
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        // The last six digits of the RFC's vector for 59 seconds, which is step 1.
        for now in [at(0), at(59), at(89)] {
            assert_eq!(one.step_of("287082", now, None), Some(1));
        }
        assert_eq!(one.step_of("287082", at(90), None), None);
        assert_eq!(one.step_of("287082", at(59), Some(1)), None);
        assert_eq!(one.step_of("287082", at(59), Some(0)), Some(1));
        for wrong in [
            "",
            "28708",
            "2870822",
            "28708x",
            "+87082",
            "２８７０８２",
            "000000",
        ] {
            assert_eq!(one.step_of(wrong, at(59), None), None);
        }
    }

    #[test]
    fn what_is_sealed_comes_back() {
        for algorithm in [TotpAlgorithm::Sha1, TotpAlgorithm::Sha256] {
            let one = Shared::generate(algorithm).unwrap();
            let again = Shared::from_bytes(&one.to_bytes()).unwrap();
            assert_eq!((again.algorithm, &again.secret), (algorithm, &one.secret));
        }
        for wrong in [&[][..], &[2; 21], &[0; 20], &[1; 21]] {
            assert!(Shared::from_bytes(wrong).is_err());
        }
    }
}

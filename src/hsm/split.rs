//! A key split among custodians, m of n (Shamir), and put together again.
//!
//! Every byte of the key is the value at 0 of a polynomial of its own, of degree m - 1, with
//! random coefficients; custodian i has the values at i. Fewer than m shares say nothing about
//! the key: any key fits to them.
//!
//! Written here, since the crates that do it look up tables by secret values, or bring an
//! arithmetic of big numbers for a field of bytes; and none takes the HSM's random source.

use card::cipher::{Key, KeyAlgorithm, kcv};
use zeroize::Zeroizing;

use crate::gf256::{evaluate, interpolate};
use crate::random::RandomSource;
use crate::share::{KeyShare, MAX_CUSTODIANS, ShareError, ShareInfo};

/// Splits a key among `count` custodians, of whom any `threshold` bring it back. The coefficients
/// come from `random`.
///
/// # Errors
/// [`ShareError::Numbers`], [`ShareError::KeyLength`], [`ShareError::Random`].
pub fn split_key(
    key: &Key,
    algorithm: KeyAlgorithm,
    threshold: u8,
    count: u8,
    random: &dyn RandomSource,
) -> Result<Vec<KeyShare>, ShareError> {
    if threshold < 2 || count < threshold || count > MAX_CUSTODIANS {
        return Err(ShareError::Numbers { threshold, count });
    }
    let kcv = check_value(key, algorithm)?;
    let fill = |bytes: &mut [u8]| random.fill(bytes).map_err(|_| ShareError::Random);
    let mut set = [0; 4];
    fill(&mut set)?;
    let length = key.as_bytes().len();
    let degree = usize::from(threshold) - 1;
    let mut coefficients = Zeroizing::new(vec![0; length * degree]);
    fill(&mut coefficients)?;
    let mut polynomial = Zeroizing::new(vec![0; usize::from(threshold)]);
    let mut values: Vec<_> = (0..count)
        .map(|_| Zeroizing::new(Vec::with_capacity(length)))
        .collect();
    for (byte, random) in key.as_bytes().iter().zip(coefficients.chunks_exact(degree)) {
        if let Some((constant, rest)) = polynomial.split_first_mut() {
            *constant = *byte;
            rest.copy_from_slice(random);
        }
        for (value, number) in values.iter_mut().zip(1..) {
            value.push(evaluate(&polynomial, number));
        }
    }
    let share = |(value, number)| {
        let info = ShareInfo {
            algorithm,
            set,
            number,
            threshold,
            kcv,
        };
        KeyShare::new(info, value)
    };
    Ok(values.into_iter().zip(1..).map(share).collect())
}

/// Puts a key together from shares; there may be more than needed. The key that comes out has the
/// check value that every share names.
///
/// # Errors
/// [`ShareError`]: what is wrong with which share.
pub fn join_key(shares: &[KeyShare]) -> Result<Key, ShareError> {
    let Some((first, rest)) = shares.split_first() else {
        return Err(ShareError::TooFew {
            found: 0,
            needed: 2,
        });
    };
    for (at, share) in rest.iter().enumerate() {
        same_ceremony(first, share)?;
        let number = share.info().number;
        if shares[..=at].iter().any(|s| s.info().number == number) {
            return Err(ShareError::Twice { number });
        }
    }
    let needed = first.info().threshold;
    let Some((taken, more)) = shares.split_at_checked(usize::from(needed)) else {
        return Err(ShareError::TooFew {
            found: shares.len(),
            needed,
        });
    };
    for share in more {
        let number = share.info().number;
        if *values_at(taken, number) != share.value() {
            return Err(ShareError::Disagrees { number });
        }
    }
    let value = values_at(taken, 0);
    let key = Key::new(&value).map_err(|error| ShareError::KeyLength { length: error.0 })?;
    let (found, expected) = (check_value(&key, first.info().algorithm)?, first.info().kcv);
    if found == expected {
        Ok(key)
    } else {
        Err(ShareError::CheckValue { found, expected })
    }
}

/// Demands that two shares are of one set, key and threshold.
fn same_ceremony(first: &KeyShare, share: &KeyShare) -> Result<(), ShareError> {
    let (a, b) = (first.info(), share.info());
    let number = b.number;
    if (ShareInfo { number, ..a }) == b && first.value().len() == share.value().len() {
        return Ok(());
    }
    Err(ShareError::OtherCeremony {
        number,
        set: b.set,
        kcv: b.kcv,
        first: a.number,
        first_set: a.set,
        first_kcv: a.kcv,
    })
}

fn values_at(shares: &[KeyShare], x: u8) -> Zeroizing<Vec<u8>> {
    let length = shares.first().map_or(0, |share| share.value().len());
    let mut points = Zeroizing::new(vec![(0, 0); shares.len()]);
    let mut values = Zeroizing::new(Vec::with_capacity(length));
    for byte in 0..length {
        for (point, share) in points.iter_mut().zip(shares) {
            let value = share.value().get(byte).copied().unwrap_or_default();
            *point = (share.info().number, value);
        }
        values.push(interpolate(&points, x));
    }
    values
}

fn check_value(key: &Key, algorithm: KeyAlgorithm) -> Result<[u8; 3], ShareError> {
    kcv(key, algorithm).map_err(|_| ShareError::KeyLength {
        length: key.as_bytes().len(),
    })
}

#[cfg(test)]
#[path = "../../tests/hsm/split.rs"]
mod tests;

//! A key that somebody else sends in components: each a whole key's length, the key their XOR.
//!
//! That is how suppliers send a zone master key: two or three letters to two or three people,
//! each with the component's own check value, and one check value of the whole.

use card::cipher::{Key, KeyAlgorithm};
use zeroize::Zeroizing;

use crate::check_method::CheckMethod;
use crate::share::hex;

/// How many components a key may have.
pub const MAX_COMPONENTS: usize = 3;

/// Why components make no key. None of these shows a component.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ComponentError {
    /// There are too few or too many.
    #[error("a key has 2 to {MAX_COMPONENTS} components, not {count}")]
    Count {
        /// How many there are.
        count: usize,
    },
    /// The text is not hexadecimal digits of a key's length.
    #[error("a component is 32, 48 or 64 hexadecimal digits, a key of its algorithm")]
    Form,
    /// The components have different lengths.
    #[error("component {number} has another length than the first")]
    Length {
        /// The component's number, from 1.
        number: usize,
    },
    /// A component was mistyped, or is another one.
    #[error(
        "component {number} has check value {found}, not {expected}: it was mistyped, or is another key's",
        found = hex(found), expected = hex(expected)
    )]
    ComponentCheckValue {
        /// The component's number, from 1.
        number: usize,
        /// Its check value.
        found: [u8; 3],
        /// What was said of it.
        expected: [u8; 3],
    },
    /// The same component came twice: the key would lose it.
    #[error("components {number} and {other} are the same")]
    Same {
        /// The number of the later one.
        number: usize,
        /// The number of the earlier one.
        other: usize,
    },
    /// The whole has another check value.
    #[error(
        "the components make a key with check value {found}, not {expected}",
        found = hex(found), expected = hex(expected)
    )]
    CheckValue {
        /// The check value of what they make.
        found: [u8; 3],
        /// What was said of the whole.
        expected: [u8; 3],
    },
}

/// Reads a component that a person typed: hexadecimal digits, blanks and case do not matter.
///
/// # Errors
/// [`ComponentError::Form`].
pub fn parse_component(typed: &str) -> Result<Key, ComponentError> {
    // Two digits a byte, with a blank behind each at most.
    if typed.len() > 4 * 32 {
        return Err(ComponentError::Form);
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(32));
    let mut high = None;
    for letter in typed.chars().filter(|c| !matches!(c, ' ' | '\t' | '-')) {
        let digit = letter.to_digit(16).ok_or(ComponentError::Form)?;
        let digit = u8::try_from(digit).map_err(|_| ComponentError::Form)?;
        match high.take() {
            None => high = Some(digit),
            Some(high) => bytes.push(high << 4 | digit),
        }
    }
    match high {
        None => Key::new(&bytes).map_err(|_| ComponentError::Form),
        Some(_) => Err(ComponentError::Form),
    }
}

/// Demands that a component has the check value that was sent with it.
///
/// # Errors
/// [`ComponentError::ComponentCheckValue`], or [`ComponentError::Form`] for a length that the
/// algorithm has not.
pub fn check_component(
    number: usize,
    component: &Key,
    algorithm: KeyAlgorithm,
    method: CheckMethod,
    expected: [u8; 3],
) -> Result<(), ComponentError> {
    let found = method
        .value(component, algorithm)
        .map_err(|_| ComponentError::Form)?;
    if found == expected {
        return Ok(());
    }
    Err(ComponentError::ComponentCheckValue {
        number,
        found,
        expected,
    })
}

/// Puts a key together from its components and compares its check value.
///
/// # Errors
/// [`ComponentError`]: what is wrong.
pub fn join_components(
    components: &[Key],
    algorithm: KeyAlgorithm,
    method: CheckMethod,
    expected: [u8; 3],
) -> Result<Key, ComponentError> {
    let count = components.len();
    let (Some(first), 2..=MAX_COMPONENTS) = (components.first(), count) else {
        return Err(ComponentError::Count { count });
    };
    let mut sum = Zeroizing::new(first.as_bytes().to_vec());
    for (at, component) in components.iter().enumerate().skip(1) {
        if component.as_bytes().len() != sum.len() {
            return Err(ComponentError::Length { number: at + 1 });
        }
        if let Some(other) = components[..at].iter().position(|c| c == component) {
            return Err(ComponentError::Same {
                number: at + 1,
                other: other + 1,
            });
        }
        for (sum, byte) in sum.iter_mut().zip(component.as_bytes()) {
            *sum ^= byte;
        }
    }
    let key = Key::new(&sum).map_err(|_| ComponentError::Form)?;
    let found = method
        .value(&key, algorithm)
        .map_err(|_| ComponentError::Form)?;
    if found == expected {
        Ok(key)
    } else {
        Err(ComponentError::CheckValue { found, expected })
    }
}

#[cfg(test)]
mod tests {
    use card::cipher::{Key, KeyAlgorithm};

    use crate::check_method::CheckMethod;

    use super::{ComponentError, check_component, join_components, parse_component};

    const GP: CheckMethod = CheckMethod::GlobalPlatform;

    fn key(text: &str) -> Key {
        parse_component(text).unwrap()
    }

    #[test]
    fn components_make_the_key_that_openssl_checks() {
        // Sixteen bytes 01 | openssl enc -aes-128-ecb -nopad -K 0123456789ABCDEFFEDCBA9876543210:
        // CD FB F8. The components are A, B and A ^ B ^ that key.
        let (a, b) = (
            key("1111 1111 1111 1111 2222 2222 2222 2222"),
            key("0f0f0f0f0f0f0f0f-f0f0f0f0f0f0f0f0"),
        );
        let c = key("1F3D5B7997B5D3F12C0E684AA486E0C2");
        let sum = Key::new(&hex::decode("0123456789ABCDEFFEDCBA9876543210").unwrap()).unwrap();
        let joined =
            join_components(&[a, b, c], KeyAlgorithm::Aes, GP, [0xCD, 0xFB, 0xF8]).unwrap();
        assert_eq!(joined, sum);
    }

    #[test]
    fn every_fault_is_named() {
        let (a, b) = (Key::new(&[1; 16]).unwrap(), Key::new(&[2; 16]).unwrap());
        let long = Key::new(&[3; 24]).unwrap();
        let aes = KeyAlgorithm::Aes;
        for typed in ["", "00", "0g", "0", &"00".repeat(17), &"0 ".repeat(200)] {
            assert_eq!(parse_component(typed), Err(ComponentError::Form), "{typed}");
        }
        let fault = check_component(2, &a, aes, GP, [0; 3]).unwrap_err();
        assert!(matches!(
            fault,
            ComponentError::ComponentCheckValue { number: 2, .. }
        ));
        assert!(check_component(2, &a, aes, GP, a.kcv()).is_ok());
        for (components, fault) in [
            (vec![a.clone()], ComponentError::Count { count: 1 }),
            (vec![a.clone(); 4], ComponentError::Count { count: 4 }),
            (
                vec![a.clone(), b.clone(), a.clone()],
                ComponentError::Same {
                    number: 3,
                    other: 1,
                },
            ),
            (vec![a.clone(), long], ComponentError::Length { number: 2 }),
        ] {
            assert_eq!(join_components(&components, aes, GP, [0; 3]), Err(fault));
        }
        let fault = join_components(&[a, b], aes, GP, [0; 3]).unwrap_err();
        assert!(matches!(fault, ComponentError::CheckValue { .. }));
    }
}

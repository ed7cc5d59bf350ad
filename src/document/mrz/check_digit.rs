//! Check digits (*ICAO Doc 9303-3 §4.9*).

/// Weights, repeated from left to right.
const WEIGHTS: [u32; 3] = [7, 3, 1];

/// Returns the check digit of characters of the zone as an ASCII digit: the sum of their values
/// (digits as they are, `A` to `Z` as 10 to 35, `<` as 0) by the weights 7, 3, 1, modulo 10.
///
/// A character that no zone holds counts as `<`; [`Mrz`](super::Mrz) never holds one.
#[must_use]
pub fn check_digit(characters: &[u8]) -> u8 {
    over(characters.iter().copied())
}

/// Does the same over characters that do not stand together, as the composite check digit's.
pub(super) fn over(characters: impl Iterator<Item = u8>) -> u8 {
    let sum = characters
        .zip(WEIGHTS.iter().cycle())
        .fold(0, |sum, (character, weight)| {
            (sum + value(character) * weight) % 10
        });
    // Below 10, so that it is one digit.
    b'0' + u8::try_from(sum).unwrap_or_default()
}

fn value(character: u8) -> u32 {
    match character {
        b'0'..=b'9' => u32::from(character - b'0'),
        b'A'..=b'Z' => u32::from(character - b'A') + 10,
        _ => 0,
    }
}

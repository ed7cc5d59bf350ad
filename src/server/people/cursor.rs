//! Cursors: where the next page of a list begins. What is in one is nobody's business but ours.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::problem::{Fault, Problem};

/// The first byte of a cursor: its form.
const FORM: u8 = 1;

/// The longest key in a cursor.
const MAX_KEY: usize = 128;

/// Makes the cursor of a list that goes on behind `key`.
pub(crate) fn encode(list: &str, key: &str) -> String {
    let mut bytes = vec![FORM];
    bytes.extend_from_slice(list.as_bytes());
    bytes.push(0);
    bytes.extend_from_slice(key.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Returns the key behind which a list goes on.
///
/// # Errors
/// A [`Problem`] for what is no cursor, or that of another list.
pub(crate) fn decode(list: &str, cursor: &str) -> Result<String, Problem> {
    let key = || {
        let bytes = (cursor.len() <= 4 * MAX_KEY)
            .then(|| URL_SAFE_NO_PAD.decode(cursor).ok())
            .flatten()?;
        let text = std::str::from_utf8(bytes.strip_prefix(&[FORM])?).ok()?;
        let (of, key) = text.split_once('\0')?;
        let fits = of == list && key.len() <= MAX_KEY && !key.contains(char::is_control);
        fits.then(|| key.to_owned())
    };
    key().ok_or_else(|| {
        Problem::new(
            Fault::Invalid,
            "the cursor is not one of this list; begin without",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_of_its_list_alone() {
        let cursor = encode("documents", "XA0000001");
        assert_eq!(decode("documents", &cursor).unwrap(), "XA0000001");
        assert!(decode("blanks", &cursor).is_err());
        for wrong in [
            "",
            "x",
            "AA",
            "AQ",
            &"A".repeat(5000),
            &encode("documents", "a\nb"),
        ] {
            assert!(decode("documents", wrong).is_err(), "{wrong}");
        }
    }
}

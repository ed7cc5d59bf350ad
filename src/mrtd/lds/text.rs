//! Texts and images in data groups.

use std::fmt;

use zeroize::Zeroizing;

use super::error::LdsFault;

/// A text in UTF-8 as a data group holds it. Personal data: wiped when dropped, and `Debug` shows
/// only how long it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Text(Zeroizing<String>);

impl Text {
    /// Returns this text, free in form.
    ///
    /// # Errors
    /// [`LdsFault::Text`] where it is empty or has control characters.
    pub fn new(text: &str) -> Result<Self, LdsFault> {
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(LdsFault::Text("printable characters"));
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    /// Returns a name in the form of *ICAO 9303-10 Table 72*, but in the letters it is given in:
    /// spaces and hyphens are written as `<`, and `<<` stands between the primary identifier (the
    /// surname) and the secondary one (given names): `BĒRZIŅŠ<<JĀNIS`.
    ///
    /// # Errors
    /// [`LdsFault::Text`] where the primary identifier is empty or one of them holds `<` or
    /// control characters.
    pub fn of_name(primary: &str, secondary: &str) -> Result<Self, LdsFault> {
        let mut name = Zeroizing::new(String::with_capacity(primary.len() + secondary.len() + 2));
        for (index, identifier) in [primary, secondary].into_iter().enumerate() {
            if identifier.contains('<') {
                return Err(LdsFault::Text("a name, without <"));
            }
            let words = identifier.split(|letter: char| letter == '-' || letter.is_whitespace());
            for (place, word) in words.filter(|word| !word.is_empty()).enumerate() {
                match (index, place) {
                    (0, 0) => {}
                    (1, 0) => name.push_str("<<"),
                    _ => name.push('<'),
                }
                name.push_str(word);
            }
            if name.is_empty() {
                return Err(LdsFault::Text("a name, with a primary identifier"));
            }
        }
        Self::new(&name)
    }

    /// Returns fields separated by `<`, as places and addresses have them.
    ///
    /// # Errors
    /// [`LdsFault::Text`] where there is none, or one is empty or holds `<` or control characters.
    pub fn of_fields(fields: &[&str]) -> Result<Self, LdsFault> {
        if fields
            .iter()
            .any(|field| field.is_empty() || field.contains('<'))
        {
            return Err(LdsFault::Text("fields, without <"));
        }
        Self::new(&Zeroizing::new(fields.join("<")))
    }

    /// Returns the text that these bytes are, whatever it holds.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, LdsFault> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Self(Zeroizing::new(text.to_owned()))),
            Err(_) => Err(LdsFault::Text("UTF-8")),
        }
    }

    /// Returns the text as it stands in the file.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the fields between `<`.
    #[must_use]
    pub fn fields(&self) -> Vec<&str> {
        self.0.split('<').collect()
    }

    /// Returns the primary and the secondary identifier of a name, with spaces for `<`.
    #[must_use]
    pub fn name(&self) -> (Zeroizing<String>, Zeroizing<String>) {
        let (primary, secondary) = self.0.split_once("<<").unwrap_or((&self.0, ""));
        let spaced = |part: &str| Zeroizing::new(part.trim_matches('<').replace('<', " "));
        (spaced(primary), spaced(secondary))
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.0.len())
    }
}

/// An image as a data group holds it, JPEG or JPEG 2000; not looked at here. Wiped when dropped,
/// and `Debug` shows only how long it is.
#[derive(Clone, PartialEq, Eq)]
pub struct ImageData(Zeroizing<Vec<u8>>);

impl ImageData {
    /// Returns the image with these bytes.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }

    /// Returns the image's bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for ImageData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ImageData({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::{ImageData, Text};

    #[test]
    fn names_in_the_form_of_the_zone_and_their_own_letters() {
        for (primary, secondary, text) in [
            ("BĒRZIŅŠ", "JĀNIS", "BĒRZIŅŠ<<JĀNIS"),
            (
                "KALNIŅA-OZOLA",
                "ANNA  MARIJA",
                "KALNIŅA<OZOLA<<ANNA<MARIJA",
            ),
            ("D'ARTA", "", "D'ARTA"),
        ] {
            let name = Text::of_name(primary, secondary).unwrap();
            assert_eq!(name.as_str(), text);
            let (first, second) = name.name();
            let spaced = |part: &str| part.replace('-', " ").replace("  ", " ");
            assert_eq!(*first, spaced(primary));
            assert_eq!(*second, spaced(secondary));
        }
        for (primary, secondary) in [("", "JĀNIS"), (" - ", "A"), ("A<B", "C"), ("A", "B\0C")] {
            assert!(Text::of_name(primary, secondary).is_err());
        }
    }

    #[test]
    fn fields_and_free_text() {
        let place = Text::of_fields(&["RĪGA", "LATVIJA"]).unwrap();
        assert_eq!(place.as_str(), "RĪGA<LATVIJA");
        assert_eq!(place.fields(), ["RĪGA", "LATVIJA"]);
        assert!(Text::of_fields(&[]).is_err());
        assert!(Text::of_fields(&["RĪGA", ""]).is_err());
        assert!(Text::of_fields(&["RĪGA<"]).is_err());
        assert!(Text::new("").is_err() && Text::new("a\0").is_err());
        assert!(Text::read(b"\xC4").is_err());
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Text::new("RĪGA").unwrap()), "Text(5 bytes)");
        assert_eq!(
            format!("{:?}", ImageData::new(b"JPEG")),
            "ImageData(4 bytes)"
        );
    }
}

//! Letters of the Latin script without their marks, as machine-readable zones and chips that
//! hold seven bits write them (*ICAO 9303-3 §6, table A*). Where the table leaves a choice, the
//! first is taken: Å is AA, Ä is AE, Ñ is N, Ö is OE, Ü is UE.

/// Pairs of a capital letter and what it becomes, by code point.
const LETTERS: &[(char, &str)] = &[
    ('À', "A"),
    ('Á', "A"),
    ('Â', "A"),
    ('Ã', "A"),
    ('Ä', "AE"),
    ('Å', "AA"),
    ('Æ', "AE"),
    ('Ç', "C"),
    ('È', "E"),
    ('É', "E"),
    ('Ê', "E"),
    ('Ë', "E"),
    ('Ì', "I"),
    ('Í', "I"),
    ('Î', "I"),
    ('Ï', "I"),
    ('Ð', "D"),
    ('Ñ', "N"),
    ('Ò', "O"),
    ('Ó', "O"),
    ('Ô', "O"),
    ('Õ', "O"),
    ('Ö', "OE"),
    ('Ø', "OE"),
    ('Ù', "U"),
    ('Ú', "U"),
    ('Û', "U"),
    ('Ü', "UE"),
    ('Ý', "Y"),
    ('Þ', "TH"),
    ('Ā', "A"),
    ('Ă', "A"),
    ('Ą', "A"),
    ('Ć', "C"),
    ('Ĉ', "C"),
    ('Ċ', "C"),
    ('Č', "C"),
    ('Ď', "D"),
    ('Đ', "D"),
    ('Ē', "E"),
    ('Ĕ', "E"),
    ('Ė', "E"),
    ('Ę', "E"),
    ('Ě', "E"),
    ('Ĝ', "G"),
    ('Ğ', "G"),
    ('Ġ', "G"),
    ('Ģ', "G"),
    ('Ĥ', "H"),
    ('Ħ', "H"),
    ('Ĩ', "I"),
    ('Ī', "I"),
    ('Ĭ', "I"),
    ('Į', "I"),
    ('İ', "I"),
    ('ı', "I"),
    ('Ĳ', "IJ"),
    ('Ĵ', "J"),
    ('Ķ', "K"),
    ('Ĺ', "L"),
    ('Ļ', "L"),
    ('Ľ', "L"),
    ('Ŀ', "L"),
    ('Ł', "L"),
    ('Ń', "N"),
    ('Ņ', "N"),
    ('Ň', "N"),
    ('Ŋ', "N"),
    ('Ō', "O"),
    ('Ŏ', "O"),
    ('Ő', "O"),
    ('Œ', "OE"),
    ('Ŕ', "R"),
    ('Ŗ', "R"),
    ('Ř', "R"),
    ('Ś', "S"),
    ('Ŝ', "S"),
    ('Ş', "S"),
    ('Š', "S"),
    ('Ţ', "T"),
    ('Ť', "T"),
    ('Ŧ', "T"),
    ('Ũ', "U"),
    ('Ū', "U"),
    ('Ŭ', "U"),
    ('Ů', "U"),
    ('Ű', "U"),
    ('Ų', "U"),
    ('Ŵ', "W"),
    ('Ŷ', "Y"),
    ('Ÿ', "Y"),
    ('Ź', "Z"),
    ('Ż', "Z"),
    ('Ž', "Z"),
    ('ẞ', "SS"),
];

/// Returns a text in capitals without marks: `BĒRZIŅŠ` becomes `BERZINS`. What is ASCII stays.
/// Nothing where a letter is of another script.
#[must_use]
pub fn transliterate(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    for letter in text.to_uppercase().chars() {
        if letter.is_ascii() {
            plain.push(letter);
            continue;
        }
        let found = LETTERS.binary_search_by_key(&letter, |(known, _)| *known);
        let (_, becomes) = LETTERS.get(found.ok()?)?;
        plain.push_str(becomes);
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_latvian_letter_loses_its_mark() {
        assert_eq!(transliterate("āčēģīķļņšūž").as_deref(), Some("ACEGIKLNSUZ"));
        assert_eq!(transliterate("Straße").as_deref(), Some("STRASSE"));
        assert_eq!(
            transliterate("O'Neill-Łukasz Æble").as_deref(),
            Some("O'NEILL-LUKASZ AEBLE")
        );
        assert_eq!(transliterate("Иван"), None);
    }

    #[test]
    fn the_table_is_in_order_and_of_plain_letters() {
        assert!(LETTERS.is_sorted_by(|(a, _), (b, _)| a < b));
        for (letter, becomes) in LETTERS {
            assert!(!letter.is_ascii());
            assert!(
                becomes.bytes().all(|byte| byte.is_ascii_uppercase()),
                "{letter}"
            );
        }
    }
}

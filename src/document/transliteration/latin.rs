//! The Latin letters (*ICAO Doc 9303-3 §6, table A*).

/// Letters for which the table leaves a choice, and what it allows, its first before the others.
pub(super) const CHOICES: [(char, &[&str]); 5] = [
    ('Ä', &["AE", "A"]),
    ('Å', &["AA", "A"]),
    ('Ñ', &["N", "NXX"]),
    ('Ö', &["OE", "O"]),
    ('Ü', &["UE", "UXX", "U"]),
];

/// The other capitals, by code point, and what each becomes. A to Z stay as they are.
const LETTERS: &[(char, &str)] = &[
    ('À', "A"),
    ('Á', "A"),
    ('Â', "A"),
    ('Ã', "A"),
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
    ('Ò', "O"),
    ('Ó', "O"),
    ('Ô', "O"),
    ('Õ', "O"),
    ('Ø', "OE"),
    ('Ù', "U"),
    ('Ú', "U"),
    ('Û', "U"),
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

/// What A to Z become.
const PLAIN: [&str; 26] = [
    "A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M", "N", "O", "P", "Q", "R", "S",
    "T", "U", "V", "W", "X", "Y", "Z",
];

/// Returns what a capital becomes that leaves no choice; nothing where the table lacks it.
pub(super) fn letter(capital: char) -> Option<&'static str> {
    if let 'A'..='Z' = capital {
        let place = u32::from(capital) - u32::from('A');
        return PLAIN.get(usize::try_from(place).ok()?).copied();
    }
    let found = LETTERS.binary_search_by_key(&capital, |(known, _)| *known);
    LETTERS.get(found.ok()?).map(|(_, becomes)| *becomes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_apart_from_the_choices() {
        assert!(LETTERS.is_sorted_by(|(a, _), (b, _)| a < b));
        for (letter, _) in CHOICES {
            assert!(!LETTERS.iter().any(|(known, _)| *known == letter));
        }
    }
}

//! Bar codes: QR (*ISO/IEC 18004*) and Code 128 (*ISO/IEC 15417*).

use qrcode::{Color, EcLevel, QrCode};

/// A kind of bar code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CodeKind {
    /// QR, which survives the loss of a quarter of it.
    Qr,
    /// Code 128: ASCII in bars.
    Code128,
}

impl CodeKind {
    /// Returns the kind of a name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "qr" => Some(Self::Qr),
            "code-128" => Some(Self::Code128),
            _ => None,
        }
    }

    /// Returns the least size of a module in mm that a hand-held reader makes out.
    pub(crate) const fn least(self) -> f32 {
        match self {
            Self::Qr => 0.25,
            Self::Code128 => 0.19,
        }
    }
}

/// The modules of a bar code: rows of dark and light, with the light ones around it that readers
/// need. Code 128 has one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Modules {
    pub(crate) columns: usize,
    pub(crate) rows: usize,
    /// Row by row; dark is true.
    pub(crate) dark: Vec<bool>,
}

/// Light modules around a QR code (*ISO/IEC 18004 §9.1*).
const QR_QUIET: usize = 4;
/// Light modules on both sides of a Code 128 (*ISO/IEC 15417 §4.4*).
const BARS_QUIET: usize = 10;

/// Returns the modules of a text, or why it has none.
pub(crate) fn modules(kind: CodeKind, text: &str) -> Result<Modules, String> {
    match kind {
        CodeKind::Qr => qr(text),
        CodeKind::Code128 => code_128(text),
    }
}

fn qr(text: &str) -> Result<Modules, String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::Q)
        .map_err(|error| format!("is no QR code: {error}"))?;
    let (side, colours) = (code.width(), code.to_colors());
    let whole = side + 2 * QR_QUIET;
    let mut dark = vec![false; whole * whole];
    for (at, colour) in colours.into_iter().enumerate() {
        let place = (at / side + QR_QUIET) * whole + at % side + QR_QUIET;
        if let Some(module) = dark.get_mut(place) {
            *module = colour == Color::Dark;
        }
    }
    Ok(Modules {
        columns: whole,
        rows: whole,
        dark,
    })
}

/// The widths of bars and spaces of each symbol value (*ISO/IEC 15417 Table 1*): bar, space, bar,
/// space, bar, space; the stop has a bar more.
const WIDTHS: [&str; 107] = [
    "212222", "222122", "222221", "121223", "121322", "131222", "122213", "122312", "132212",
    "221213", "221312", "231212", "112232", "122132", "122231", "113222", "123122", "123221",
    "223211", "221132", "221231", "213212", "223112", "312131", "311222", "321122", "321221",
    "312212", "322112", "322211", "212123", "212321", "232121", "111323", "131123", "131321",
    "112313", "132113", "132311", "211313", "231113", "231311", "112133", "112331", "132131",
    "113123", "113321", "133121", "313121", "211331", "231131", "213113", "213311", "213131",
    "311123", "311321", "331121", "312113", "312311", "332111", "314111", "221411", "431111",
    "111224", "111422", "121124", "121421", "141122", "141221", "112214", "112412", "122114",
    "122411", "142112", "142211", "241211", "221114", "413111", "241112", "134111", "111242",
    "121142", "121241", "114212", "124112", "124211", "411212", "421112", "421211", "212141",
    "214121", "412121", "111143", "111341", "131141", "114113", "114311", "411113", "411311",
    "113141", "114131", "311141", "411131", "211412", "211214", "211232", "2331112",
];
const START_B: usize = 104;
const STOP: usize = 106;
/// The check symbol is a sum modulo this (*§4.3.3*).
const MODULUS: usize = 103;
/// Most characters: a label is no wider.
const MOST: usize = 40;

fn code_128(text: &str) -> Result<Modules, String> {
    let characters = text.chars().count();
    if characters > MOST {
        return Err(format!(
            "has {characters} characters, and a Code 128 here at most {MOST}"
        ));
    }
    let mut values = vec![START_B];
    for (character, position) in text.bytes().zip(1..) {
        // Code set B: the printable characters of ASCII from the space on.
        match character {
            0x20..=0x7E => values.push(usize::from(character - 0x20)),
            _ => {
                return Err(format!(
                    "character {position} is none of Code 128's code set B"
                ));
            }
        }
    }
    let weighted = values.iter().enumerate().skip(1);
    let sum: usize = START_B + weighted.map(|(at, value)| at * value).sum::<usize>();
    values.push(sum % MODULUS);
    values.push(STOP);
    let mut dark = vec![false; BARS_QUIET];
    for value in values {
        let widths = WIDTHS.get(value).copied().unwrap_or_default();
        for (at, width) in widths.bytes().enumerate() {
            let modules = usize::from(width - b'0');
            dark.extend(std::iter::repeat_n(at % 2 == 0, modules));
        }
    }
    dark.extend([false; BARS_QUIET]);
    Ok(Modules {
        columns: dark.len(),
        rows: 1,
        dark,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_symbol_has_eleven_modules_and_the_stop_thirteen() {
        for (value, widths) in WIDTHS.iter().enumerate() {
            let modules: u32 = widths.chars().filter_map(|width| width.to_digit(10)).sum();
            assert_eq!(modules, if value == STOP { 13 } else { 11 }, "{value}");
            // Bars are an even number of modules (§4.3.2.1).
            let bars = widths
                .chars()
                .step_by(2)
                .filter_map(|width| width.to_digit(10));
            assert_eq!(bars.sum::<u32>() % 2, 0, "{value}");
        }
        let mut sorted = WIDTHS.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), WIDTHS.len(), "no two are alike");
    }

    #[test]
    fn what_has_no_code_is_refused() {
        assert!(code_128("RĪGA").unwrap_err().contains("character 2"));
        assert!(code_128(&"1".repeat(41)).unwrap_err().contains("41"));
        assert!(qr(&"x".repeat(4000)).is_err());
    }
}

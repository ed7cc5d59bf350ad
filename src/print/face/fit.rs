//! Fitting a text into its field by the rules that its layout declares.
//!
//! ```text
//!   z:width="40"  z:lines="2"  z:least="1.9"  font-size="2.6"
//!
//!   z:fit="shrink"   one line at 2.6, 2.55 … 1.9, then two lines at 2.6 … 1.9
//!   z:fit="break"    at 2.6 one line, then two; at 2.55 one line, then two … at 1.9
//! ```
//!
//! A text breaks at a blank, or behind a hyphen; never inside a name. A line feed in it begins a
//! new line. What fits by no rule is refused before anything is printed: nothing is cut.

use super::error::FaceError;
use super::field::TextField;
use super::lettering::{Lettering, NoGlyph, Style};

/// By how much letters shrink at a time, in mm: less cannot be told apart at 600 dots an inch.
const STEP: f32 = 0.05;

/// Which is tried first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Smaller letters, then another line.
    Shrink,
    /// Another line, then smaller letters.
    Break,
}

/// The rules of one field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) style: Style,
    /// The size of the letters, in mm.
    pub(crate) size: f32,
    /// The least size, in mm.
    pub(crate) least: f32,
    /// Between letters, in mm.
    pub(crate) spacing: f32,
    /// How wide a line is, in mm.
    pub(crate) width: f32,
    /// Most lines.
    pub(crate) lines: usize,
    pub(crate) order: Order,
}

/// A text that fits.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fitted<'a> {
    /// The size of its letters, in mm.
    pub(crate) size: f32,
    /// Its lines.
    pub(crate) lines: Vec<&'a str>,
}

impl Rules {
    /// Fits a text.
    pub(crate) fn fit<'a>(
        &self,
        lettering: &Lettering,
        field: TextField,
        text: &'a str,
    ) -> Result<Fitted<'a>, FaceError> {
        let letter = |NoGlyph(character)| FaceError::Letter { field, character };
        let measured = Measured::new(lettering, self, text).map_err(letter)?;
        let sizes = || self.sizes();
        let tries: Vec<(f32, usize)> = match self.order {
            Order::Shrink => (1..=self.lines)
                .flat_map(|lines| sizes().map(move |size| (size, lines)))
                .collect(),
            Order::Break => sizes()
                .flat_map(|size| (1..=self.lines).map(move |lines| (size, lines)))
                .collect(),
        };
        for (size, most) in tries {
            if let Some(lines) = measured.lines_at(size, most) {
                return Ok(Fitted { size, lines });
            }
        }
        Err(FaceError::Room {
            field,
            width: self.width,
            lines: self.lines,
            least: self.least,
        })
    }

    /// Returns the sizes that are tried, the largest first and the least last.
    fn sizes(&self) -> impl Iterator<Item = f32> {
        let (size, least) = (self.size, self.least);
        let steps = ((size - least) / STEP).ceil().max(0.0) as u16;
        (0..=steps).map(move |step| (size - f32::from(step) * STEP).max(least))
    }
}

/// A text that was measured once, for every size.
struct Measured<'a, 'r> {
    rules: &'r Rules,
    text: &'a str,
    /// The pieces that stay together.
    pieces: Vec<Piece>,
    /// How wide the text is up to each byte, in sizes of its letters, and how many letters.
    upto: Vec<(f32, f32)>,
}

impl<'a, 'r> Measured<'a, 'r> {
    fn new(lettering: &Lettering, rules: &'r Rules, text: &'a str) -> Result<Self, NoGlyph> {
        let mut upto = Vec::with_capacity(text.len() + 1);
        let (mut width, mut letters) = (0.0, 0.0);
        for character in text.chars() {
            let place = (width, letters);
            upto.extend(std::iter::repeat_n(place, character.len_utf8()));
            if character != '\n' {
                width += lettering.advance(rules.style, character)?;
                letters += 1.0;
            }
        }
        upto.push((width, letters));
        Ok(Self {
            rules,
            text,
            pieces: pieces(text),
            upto,
        })
    }

    fn fits(&self, size: f32, from: usize, to: usize) -> bool {
        let place = |at: usize| self.upto.get(at).copied().unwrap_or_default();
        let ((left, before), (right, after)) = (place(from), place(to));
        let spaces = (after - before - 1.0_f32).max(0.0) * self.rules.spacing;
        (right - left) * size + spaces <= self.rules.width
    }

    /// Breaks the text into as few lines as it needs at a size; none where a piece is wider than a
    /// line, or these are more than `most`.
    fn lines_at(&self, size: f32, most: usize) -> Option<Vec<&'a str>> {
        let mut lines: Vec<(usize, usize)> = Vec::new();
        for &Piece { from, to, begins } in &self.pieces {
            let has_room = lines.len() < most;
            match lines.last_mut() {
                Some(line) if !begins && self.fits(size, line.0, to) => line.1 = to,
                _ if has_room && self.fits(size, from, to) => lines.push((from, to)),
                _ => return None,
            }
        }
        let text = self.text;
        let lines = lines.into_iter();
        Some(lines.filter_map(|(from, to)| text.get(from..to)).collect())
    }
}

/// A piece of a text that stays together, as a range of bytes.
#[derive(Clone, Copy)]
struct Piece {
    from: usize,
    to: usize,
    /// Whether a line feed stands before it.
    begins: bool,
}

/// Returns the pieces of a text that stay together: words, and the parts of hyphenated ones with
/// their hyphens.
fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut start = None;
    let mut begins = false;
    for (at, character) in text.char_indices() {
        if character.is_whitespace() {
            if let Some(from) = start.take() {
                let to = at;
                pieces.push(Piece { from, to, begins });
                begins = false;
            }
            begins |= character == '\n';
            continue;
        }
        let from = *start.get_or_insert(at);
        // A hyphen that begins a word stays with it.
        if character == '-' && at > from {
            let to = at + 1;
            pieces.push(Piece { from, to, begins });
            (start, begins) = (None, false);
        }
    }
    let to = text.len();
    pieces.extend(start.map(|from| Piece { from, to, begins }));
    pieces
}

#[cfg(test)]
#[path = "../../../tests/print/fit.rs"]
mod tests;

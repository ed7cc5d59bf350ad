//! The typefaces of faces, embedded: how wide a text is, and its outlines.

use resvg::tiny_skia::{Path, PathBuilder};
use ttf_parser::{Face, OutlineBuilder};

/// A typeface, as layouts name it by `font-family` and `font-weight`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Light,
    Regular,
    Bold,
    /// The letters that machines read (*ISO 1073-2*).
    OcrB,
}

impl Style {
    const ALL: [Self; 4] = [Self::Light, Self::Regular, Self::Bold, Self::OcrB];

    /// Returns the style of a family and a weight.
    pub(crate) fn of(family: &str, weight: &str) -> Option<Self> {
        match (family, weight) {
            ("OCR-B", "400" | "normal") => Some(Self::OcrB),
            ("Roboto Condensed", "300") => Some(Self::Light),
            ("Roboto Condensed", "400" | "normal") => Some(Self::Regular),
            ("Roboto Condensed", "700" | "bold") => Some(Self::Bold),
            _ => None,
        }
    }

    /// Returns the file of the typeface.
    pub(crate) const fn bytes(self) -> &'static [u8] {
        match self {
            Self::Light => include_bytes!("../fonts/RobotoCondensed-Light.ttf"),
            Self::Regular => include_bytes!("../fonts/RobotoCondensed-Regular.ttf"),
            Self::Bold => include_bytes!("../fonts/RobotoCondensed-Bold.ttf"),
            Self::OcrB => include_bytes!("../fonts/OCR-B.otf"),
        }
    }
}

/// All typefaces, read once.
pub(crate) struct Lettering {
    faces: [Face<'static>; 4],
}

/// A character that the typeface lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoGlyph(pub(crate) char);

impl Lettering {
    /// Reads the typefaces; nothing where what was compiled in is damaged.
    pub(crate) fn embedded() -> Option<Self> {
        let mut faces = Style::ALL
            .into_iter()
            .filter_map(|style| Face::parse(style.bytes(), 0).ok());
        let mut next = || faces.next();
        Some(Self {
            faces: [next()?, next()?, next()?, next()?],
        })
    }

    /// Returns a typeface.
    pub(crate) fn face(&self, style: Style) -> &Face<'static> {
        let [light, regular, bold, ocr_b] = &self.faces;
        match style {
            Style::Light => light,
            Style::Regular => regular,
            Style::Bold => bold,
            Style::OcrB => ocr_b,
        }
    }

    /// Returns how wide a text is, in the unit of `size`. `spacing` is added behind each letter
    /// but the last.
    pub(crate) fn width(
        &self,
        style: Style,
        size: f32,
        spacing: f32,
        text: &str,
    ) -> Result<f32, NoGlyph> {
        let mut width = 0.0;
        for character in text.chars() {
            width += self.advance(style, character)? * size + spacing;
        }
        Ok((width - spacing).max(0.0))
    }

    /// Returns the number of a character's glyph.
    pub(crate) fn glyph(&self, style: Style, character: char) -> Result<u16, NoGlyph> {
        let glyph = self.face(style).glyph_index(character);
        glyph.map(|glyph| glyph.0).ok_or(NoGlyph(character))
    }

    /// Returns how far it is from a character to the next, in sizes of the letters.
    pub(crate) fn advance(&self, style: Style, character: char) -> Result<f32, NoGlyph> {
        let face = self.face(style);
        let glyph = face.glyph_index(character).ok_or(NoGlyph(character))?;
        let advance = face.glyph_hor_advance(glyph).unwrap_or(0);
        Ok(f32::from(advance) / f32::from(face.units_per_em()))
    }

    /// Adds the outlines of a text to a path: its base line begins at `at`.
    pub(crate) fn outline(
        &self,
        path: &mut PathBuilder,
        style: Style,
        size: f32,
        spacing: f32,
        at: (f32, f32),
        text: &str,
    ) -> Result<(), NoGlyph> {
        let face = self.face(style);
        let scale = size / f32::from(face.units_per_em());
        let mut left = at.0;
        for character in text.chars() {
            let glyph = face.glyph_index(character).ok_or(NoGlyph(character))?;
            let mut pen = Pen {
                path,
                scale,
                left,
                base: at.1,
            };
            face.outline_glyph(glyph, &mut pen);
            let advance = face.glyph_hor_advance(glyph).unwrap_or(0);
            left += f32::from(advance) * scale + spacing;
        }
        Ok(())
    }

    /// Returns the outline of a line of text; none where it has nothing but blanks.
    pub(crate) fn path(
        &self,
        style: Style,
        size: f32,
        spacing: f32,
        at: (f32, f32),
        text: &str,
    ) -> Result<Option<Path>, NoGlyph> {
        let mut path = PathBuilder::new();
        self.outline(&mut path, style, size, spacing, at, text)?;
        Ok(path.finish())
    }
}

/// Turns a glyph's outline, whose y goes up, into one on the page.
struct Pen<'a> {
    path: &'a mut PathBuilder,
    scale: f32,
    left: f32,
    base: f32,
}

impl Pen<'_> {
    fn place(&self, x: f32, y: f32) -> (f32, f32) {
        (self.left + x * self.scale, self.base - y * self.scale)
    }
}

impl OutlineBuilder for Pen<'_> {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.place(x, y);
        self.path.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.place(x, y);
        self.path.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ((x1, y1), (x, y)) = (self.place(x1, y1), self.place(x, y));
        self.path.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ((x1, y1), (x2, y2)) = (self.place(x1, y1), self.place(x2, y2));
        let (x, y) = self.place(x, y);
        self.path.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}

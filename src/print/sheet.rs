//! A sheet of A4 as a PDF has it. What is written here may be secret: one content stream and one PDF, each of
//! its full size from the beginning, so that growing leaves no copy, and each wiped.

use pdf_writer::{Content, Name, Pdf, Rect, Ref, Str};
use zeroize::Zeroizing;

use crate::envelope_letter::LetterError;
use crate::layout::{Area, PAGE, place, points};
use crate::typeface::{Typeface, TypefaceRefs};

/// What stays free at the right edge of the paper, in millimetres.
const MARGIN: f32 = 12.0;
/// Bytes reserved for the content stream. The longest letter has a fifth of them.
pub(crate) const CONTENT: usize = 128 * 1024;
/// Bytes reserved for the PDF: both typefaces, and the content.
pub(crate) const WHOLE: usize = 512 * 1024;

/// Breaks a text into lines at its blanks.
pub(crate) fn wrap(
    face: &Typeface,
    size: f32,
    most: f32,
    text: &str,
    what: &'static str,
) -> Result<Vec<String>, LetterError> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let longer = lines.last().map(|line| format!("{line} {word}"));
        match (longer, lines.last_mut()) {
            (Some(longer), Some(last)) if face.width(&longer, size) <= most => *last = longer,
            _ if face.width(word, size) <= most => lines.push(word.to_owned()),
            _ => return Err(LetterError::Room { what }),
        }
    }
    Ok(lines)
}

/// The page's content stream.
pub(crate) struct Sheet {
    content: Content,
}

impl Sheet {
    pub(crate) fn new() -> Self {
        Self {
            content: Content::with_capacity(CONTENT),
        }
    }

    /// Writes a line.
    pub(crate) fn text(
        &mut self,
        face: &Typeface,
        size: f32,
        at: (f32, f32),
        text: &str,
        what: &'static str,
    ) -> Result<(), LetterError> {
        if points(at.0) + face.width(text, size) > points(PAGE.width - MARGIN) {
            return Err(LetterError::Room { what });
        }
        let mut glyphs = Vec::with_capacity(2 * text.len());
        for character in text.chars() {
            let glyph = face
                .glyph(character)
                .ok_or(LetterError::Character { what, character })?;
            glyphs.extend(glyph.to_be_bytes());
        }
        self.show(face, size, at, &glyphs, 0.0);
        Ok(())
    }

    /// Writes a PIN, its digits apart from each other.
    pub(crate) fn digits(&mut self, face: &Typeface, size: f32, at: (f32, f32), digits: &[u8]) {
        let mut glyphs = Zeroizing::new(Vec::with_capacity(2 * digits.len()));
        for digit in digits {
            // The typefaces have every digit: a test says so.
            let glyph = face.glyph(char::from(*digit)).unwrap_or(0);
            glyphs.extend(glyph.to_be_bytes());
        }
        self.show(face, size, at, &glyphs, 2.0);
    }

    fn show(&mut self, face: &Typeface, size: f32, at: (f32, f32), glyphs: &[u8], spacing: f32) {
        let (x, y) = place(at.0, at.1);
        self.content
            .begin_text()
            .set_font(Name(face.resource.as_bytes()), size)
            .set_char_spacing(spacing)
            .set_text_matrix([1.0, 0.0, 0.0, 1.0, x, y])
            .show(Str(glyphs))
            .end_text();
    }

    /// Draws a thin frame.
    pub(crate) fn frame(&mut self, area: Area) {
        let (x, y) = place(area.left, area.top + area.height);
        self.content
            .set_line_width(0.4)
            .rect(x, y, points(area.width), points(area.height))
            .stroke();
    }

    /// Draws a thin line from left to right.
    pub(crate) fn line(&mut self, left: f32, right: f32, top: f32) {
        let (x, y) = place(left, top);
        self.content
            .set_line_width(0.4)
            .move_to(x, y)
            .line_to(x + points(right - left), y)
            .stroke();
    }

    /// Fills a rectangle.
    pub(crate) fn fill(&mut self, area: Area) {
        let (x, y) = place(area.left, area.top + area.height);
        self.content
            .rect(x, y, points(area.width), points(area.height))
            .fill_nonzero();
    }

    pub(crate) fn finish(self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.content.finish().into_vec())
    }
}

/// Puts pages into a file, in their order (*ISO 32000-1 §7.5*).
pub(crate) fn pdf(
    contents: &[Zeroizing<Vec<u8>>],
    book: &Typeface,
    bold: &Typeface,
) -> Zeroizing<Vec<u8>> {
    let mut next = Ref::new(1);
    let mut refs = || TypefaceRefs {
        font: next.bump(),
        descendant: next.bump(),
        descriptor: next.bump(),
        file: next.bump(),
        cmap: next.bump(),
    };
    let (books, bolds) = (refs(), refs());
    let (catalog, pages) = (next.bump(), next.bump());
    let sheets: Vec<_> = contents
        .iter()
        .map(|content| (next.bump(), next.bump(), content))
        .collect();
    let longer: usize = contents.iter().skip(1).map(|content| content.len()).sum();
    let mut pdf = Pdf::with_capacity(WHOLE + longer);
    pdf.catalog(catalog).pages(pages);
    let count = i32::try_from(sheets.len()).unwrap_or(i32::MAX);
    pdf.pages(pages)
        .kids(sheets.iter().map(|(page, _, _)| *page))
        .count(count);
    for (page, stream, content) in sheets {
        let mut sheet = pdf.page(page);
        sheet
            .media_box(Rect::new(0.0, 0.0, points(PAGE.width), points(PAGE.height)))
            .parent(pages)
            .contents(stream);
        sheet
            .resources()
            .fonts()
            .pair(Name(book.resource.as_bytes()), books.font)
            .pair(Name(bold.resource.as_bytes()), bolds.font);
        drop(sheet);
        pdf.stream(stream, content);
    }
    book.embed(&mut pdf, &books);
    bold.embed(&mut pdf, &bolds);
    Zeroizing::new(pdf.finish())
}

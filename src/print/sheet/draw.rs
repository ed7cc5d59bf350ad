//! Renders a sheet: its pages, row by row.

use zeroize::Zeroizing;

use super::POINTS;
use super::ink::{self, Line};
use super::layout::{Block, Piece, SheetLayout};
use super::pdf::pdf;
use super::rows::Run;
use crate::face::code::modules;
use crate::face::element::{CodeElement, Element, Frame, TextElement};
use crate::face::error::FaceError;
use crate::face::facts::Facts;
use crate::face::field::TextField;
use crate::face::lettering::NoGlyph;

/// What a page is put together from.
enum Part<'a> {
    /// The same on every sheet.
    Art(&'a [u8]),
    /// Of this one.
    Own(Zeroizing<Vec<u8>>),
}

impl SheetLayout {
    /// Renders the pages of a sheet as a PDF; `rows` are the texts of each row, in order.
    ///
    /// # Errors
    /// [`FaceError`] with the field; nothing was rendered then.
    pub(crate) fn pages(
        &self,
        facts: &Facts,
        rows: &[Facts],
    ) -> Result<Zeroizing<Vec<u8>>, FaceError> {
        let mut of_rows = self.blocks.iter().filter_map(|block| block.rows);
        let runs = match of_rows.next() {
            Some(place) => place.pages(rows.len()),
            None => vec![Run {
                from: 0,
                to: 0,
                top: 0.0,
            }],
        };
        let mut facts = facts.clone();
        let mut contents = Vec::with_capacity(runs.len());
        for (page, run) in runs.iter().enumerate() {
            facts.set(TextField::Page, format!("{}/{}", page + 1, runs.len()));
            let mut parts = Vec::new();
            for block in &self.blocks {
                if !block.pages.has(page, runs.len()) {
                    continue;
                }
                self.block(block, (&facts, rows), run, &mut parts)?;
            }
            contents.push(whole(&parts));
        }
        let paper = (self.width * POINTS, self.height * POINTS);
        Ok(pdf(&contents, paper, &self.styles, &self.lettering))
    }

    fn block<'a>(
        &'a self,
        block: &'a Block,
        (facts, rows): (&Facts, &[Facts]),
        run: &Run,
        parts: &mut Vec<Part<'a>>,
    ) -> Result<(), FaceError> {
        let Some(place) = block.rows else {
            return self.pieces(&block.pieces, facts, parts);
        };
        for (row, at) in rows.iter().take(run.to).skip(run.from).zip(0_u16..) {
            // The layout draws the first row: each other one is that, further down.
            let down = run.top - place.top + f32::from(at) * place.step;
            parts.push(Part::Own(moved(down)));
            self.pieces(&block.pieces, row, parts)?;
            parts.push(Part::Art(b"Q\n"));
        }
        Ok(())
    }

    fn pieces<'a>(
        &'a self,
        pieces: &'a [Piece],
        facts: &Facts,
        parts: &mut Vec<Part<'a>>,
    ) -> Result<(), FaceError> {
        let there = |piece: &&Piece| piece.when.is_none_or(|field| facts.text(field).is_some());
        for piece in pieces.iter().filter(there) {
            parts.push(Part::Art(&piece.art));
            for element in &piece.elements {
                match element {
                    Element::Text(text) => self.text(text, facts, parts)?,
                    Element::Code(code) => self.code(code, facts, parts)?,
                    // A sheet has none: it was refused when it was read.
                    Element::Picture(_) | Element::Zone(_) => {}
                }
            }
        }
        Ok(())
    }

    fn text(
        &self,
        element: &TextElement,
        facts: &Facts,
        parts: &mut Vec<Part<'_>>,
    ) -> Result<(), FaceError> {
        let field = element.field;
        let Some(text) = facts.text(field) else {
            return missing(field, element.optional);
        };
        let rules = element.rules;
        let fitted = rules.fit(&self.lettering, field, text)?;
        let size = fitted.size;
        let letter = |NoGlyph(character)| FaceError::Letter { field, character };
        for (words, number) in fitted.lines.iter().zip(0_u8..) {
            let width = self
                .lettering
                .width(rules.style, size, rules.spacing, words);
            let left = element.left(width.map_err(letter)?);
            let down = f32::from(number) * size * element.leading;
            let line = Line {
                style: rules.style,
                size,
                spacing: rules.spacing,
                at: (left, element.at.1 + down),
                ink: element.ink,
            };
            let written = ink::text(&self.lettering, &line, words, self.height);
            parts.push(Part::Own(written.map_err(letter)?));
        }
        Ok(())
    }

    fn code(
        &self,
        element: &CodeElement,
        facts: &Facts,
        parts: &mut Vec<Part<'_>>,
    ) -> Result<(), FaceError> {
        let field = element.field;
        let Some(text) = facts.text(field) else {
            return missing(field, element.optional);
        };
        let fault = |fault| FaceError::Code { field, fault };
        let modules = modules(element.kind, text).map_err(fault)?;
        let place = element.place;
        let (columns, rows) = (modules.columns as f32, modules.rows as f32);
        let (across, down) = match modules.rows {
            1 => (place.width / columns, place.height),
            _ => {
                let side = (place.width / columns).min(place.height / rows);
                (side, side)
            }
        };
        let least = element.kind.least();
        if across < least {
            return Err(fault(format!(
                "its bar code needs modules of {least} mm, and {columns} of them in {:.1} mm are narrower: widen its place in the layout",
                place.width
            )));
        }
        let left = place.left + (place.width - across * columns) / 2.0;
        let top = place.top + (place.height - down * rows) / 2.0;
        let mut dark = Vec::new();
        for (row, cells) in modules.dark.chunks(modules.columns).enumerate() {
            // Neighbours are one rectangle, so that no viewer draws a gap between them.
            let mut at = 0;
            for cells in cells.chunk_by(|one, other| one == other) {
                if cells.first() == Some(&true) {
                    dark.push(Frame {
                        left: left + across * at as f32,
                        top: top + down * row as f32,
                        width: across * cells.len() as f32,
                        height: down,
                    });
                }
                at += cells.len();
            }
        }
        parts.push(Part::Own(ink::rectangles(
            dark.into_iter(),
            element.ink,
            self.height,
        )));
        Ok(())
    }
}

fn missing(field: TextField, optional: bool) -> Result<(), FaceError> {
    match optional {
        true => Ok(()),
        false => Err(FaceError::Missing {
            field: field.name(),
        }),
    }
}

/// Begins what stands so much further down, in mm.
fn moved(down: f32) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(format!("q\n1 0 0 1 0 {:.3} cm\n", -down * POINTS).into_bytes())
}

/// Puts a page together in one buffer of its full size.
fn whole(parts: &[Part<'_>]) -> Zeroizing<Vec<u8>> {
    let bytes = |part: &Part<'_>| match part {
        Part::Art(art) => art.len(),
        Part::Own(own) => own.len(),
    };
    let length = parts.iter().map(bytes).sum();
    let mut content = Zeroizing::new(Vec::with_capacity(length));
    for part in parts {
        match part {
            Part::Art(art) => content.extend_from_slice(art),
            Part::Own(own) => content.extend_from_slice(own),
        }
    }
    content
}

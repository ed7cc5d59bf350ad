//! Renders a face: its panels apart, as printers take them, and together, as people see it.

use zeroize::Zeroizing;

use super::canvas::{Canvas, Grid};
use super::code::modules;
use super::element::{CodeElement, Element, Ink, PictureElement, TextElement};
use super::error::FaceError;
use super::facts::Facts;
use super::field::{PictureField, ZONE};
use super::layout::Layout;
use super::lettering::Style;
use super::panel::{Panel, Raster, RasterForm};
use super::picture::Pixels;
use super::tone;
use super::zone::{PITCH, SIZE, ZonePlace};
use super::{preview, specimen};

/// How a face is rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rendering {
    /// Dots an inch, 150 to 1200; printers have 300 or 600.
    pub dots: u16,
    /// Whether SPECIMEN stands over it. On a test installation it always does.
    pub specimen: bool,
}

/// A rendered face. Personal data: wiped on drop.
#[derive(Debug)]
pub struct Face {
    /// Dots an inch.
    pub dots: u16,
    /// What is printed, in the order in which it is.
    pub panels: Vec<(Panel, Raster)>,
    /// The radius of the corners in dots.
    radius: f32,
}

impl Layout {
    /// Renders a face, but for what the blank brings.
    ///
    /// The same layout, facts and resolution give the same dots on every machine.
    ///
    /// # Errors
    /// [`FaceError`] with the field; nothing was rendered then.
    pub fn render(&self, facts: &Facts, how: Rendering) -> Result<Face, FaceError> {
        let dots = how.dots;
        let grid = Grid::of(self.width, self.height, dots);
        let grid = grid.ok_or(FaceError::Resolution { dots })?;
        let portrait = self.picture(facts, PictureField::Portrait)?;
        let signature = self.picture(facts, PictureField::Signature)?;
        let pictures = [portrait, signature];
        let printed = self
            .parts
            .iter()
            .filter(|part| part.panel != Panel::Preprint);
        let marked = printed
            .clone()
            .map(|part| part.panel)
            .find(|panel| panel.has_fields());
        let mut panels = Vec::new();
        for part in printed {
            let mut canvas = Canvas::blank(grid).ok_or(FaceError::Resolution { dots })?;
            if let Some(art) = &part.art {
                canvas.art(art);
            }
            let is_marked = how.specimen && marked == Some(part.panel);
            // Over portraits, but under what is black or white alone, so that it stays readable.
            if is_marked && !part.panel.has_tones() {
                specimen::draw(&mut canvas, self, part.panel);
            }
            for element in &part.elements {
                self.element(&mut canvas, element, facts, &pictures)?;
            }
            if is_marked && part.panel.has_tones() {
                specimen::draw(&mut canvas, self, part.panel);
            }
            let form = match part.panel {
                Panel::Colour | Panel::Preprint => RasterForm::Rgb,
                Panel::Laser => RasterForm::Grey,
                Panel::Black | Panel::Overlay => RasterForm::Bits,
            };
            panels.push((part.panel, canvas.raster(form)));
        }
        Ok(Face {
            dots,
            panels,
            radius: self.radius * grid.scale,
        })
    }

    /// Renders what the blank brings: the same for every document. Blank paper where the layout
    /// says nothing of it.
    ///
    /// # Errors
    /// [`FaceError::Resolution`].
    pub fn render_preprint(&self, dots: u16) -> Result<Raster, FaceError> {
        let grid = Grid::of(self.width, self.height, dots);
        let canvas = grid.and_then(Canvas::blank);
        let mut canvas = canvas.ok_or(FaceError::Resolution { dots })?;
        let mut parts = self.parts.iter();
        let preprint = parts.find(|part| part.panel == Panel::Preprint);
        if let Some(art) = preprint.and_then(|part| part.art.as_ref()) {
            canvas.art(art);
        }
        Ok(canvas.raster(RasterForm::Rgb))
    }

    /// Decodes a picture, where the layout prints it.
    fn picture(&self, facts: &Facts, field: PictureField) -> Result<Option<Pixels>, FaceError> {
        let image = match field {
            PictureField::Portrait => &facts.portrait,
            PictureField::Signature => &facts.signature,
        };
        let mut elements = self.parts.iter().flat_map(|part| &part.elements);
        let wanted = elements.any(|element| element.field() == field.name());
        let Some(image) = image.as_ref().filter(|_| wanted) else {
            return Ok(None);
        };
        let pixels = Pixels::decode(image);
        pixels
            .map(Some)
            .map_err(|fault| FaceError::Picture { field, fault })
    }

    fn element(
        &self,
        canvas: &mut Canvas,
        element: &Element,
        facts: &Facts,
        pictures: &[Option<Pixels>; 2],
    ) -> Result<(), FaceError> {
        match element {
            Element::Text(text) => self.text(canvas, text, facts),
            Element::Code(code) => draw_code(canvas, code, facts),
            Element::Zone(place) => self.zone(canvas, place, facts),
            Element::Picture(picture) => {
                let [portrait, signature] = pictures;
                let pixels = match picture.field {
                    PictureField::Portrait => portrait,
                    PictureField::Signature => signature,
                };
                draw_picture(canvas, picture, pixels.as_ref())
            }
        }
    }

    fn text(
        &self,
        canvas: &mut Canvas,
        element: &TextElement,
        facts: &Facts,
    ) -> Result<(), FaceError> {
        let field = element.field;
        let Some(text) = facts.text(field) else {
            return missing(field.name(), element.optional);
        };
        let rules = element.rules;
        let fitted = rules.fit(&self.lettering, field, text)?;
        let size = fitted.size;
        for (line, number) in fitted.lines.iter().zip(0_u8..) {
            let width = self.lettering.width(rules.style, size, rules.spacing, line);
            let width = width.unwrap_or(rules.width);
            let down = f32::from(number) * size * element.leading;
            let at = (element.left(width), element.at.1 + down);
            let path = self
                .lettering
                .path(rules.style, size, rules.spacing, at, line);
            if let Ok(Some(path)) = path {
                canvas.fill(&path, element.ink, 255);
            }
        }
        Ok(())
    }

    fn zone(&self, canvas: &mut Canvas, place: &ZonePlace, facts: &Facts) -> Result<(), FaceError> {
        let Some(zone) = &facts.zone else {
            return missing(ZONE, false);
        };
        if zone.format() != place.format {
            return Err(FaceError::Zone {
                expected: place.format,
                found: zone.format(),
            });
        }
        let black = Ink {
            red: 0,
            green: 0,
            blue: 0,
        };
        for (line, number) in zone.lines().zip(0..) {
            let (left, base) = place.line(number);
            for (at, cell) in line.char_indices() {
                // Each character by itself, so that no rounding adds up along the line.
                let left = left + PITCH * at as f32;
                let mut letter = Zeroizing::new(String::with_capacity(4));
                letter.push(cell);
                let path = self
                    .lettering
                    .path(Style::OcrB, SIZE, 0.0, (left, base), &letter);
                // Every character of a zone is in the typeface: a test says so.
                if let Ok(Some(path)) = path {
                    canvas.fill(&path, black, 255);
                }
            }
        }
        Ok(())
    }
}

impl Face {
    /// Returns what people see: the panels over the blank, as RGBA with the corners cut off.
    #[must_use]
    pub fn over(&self, preprint: &Raster) -> Raster {
        preview::over(preprint, &self.panels)
    }

    /// Writes what people see as a PNG that knows its resolution.
    #[must_use]
    pub fn png(&self, preprint: &Raster) -> Zeroizing<Vec<u8>> {
        preview::png(&self.over(preprint), self.dots, self.radius)
    }

    /// Writes what people see as a PDF of the document's own size.
    #[must_use]
    pub fn pdf(&self, preprint: &Raster) -> Zeroizing<Vec<u8>> {
        preview::pdf(&self.over(preprint), self.dots)
    }
}

fn missing(field: &'static str, optional: bool) -> Result<(), FaceError> {
    match optional {
        true => Ok(()),
        false => Err(FaceError::Missing { field }),
    }
}

fn draw_picture(
    canvas: &mut Canvas,
    element: &PictureElement,
    pixels: Option<&Pixels>,
) -> Result<(), FaceError> {
    let field = element.field;
    let Some(pixels) = pixels else {
        return missing(field.name(), element.optional);
    };
    tone::draw(canvas, element, pixels).map_err(|fault| FaceError::Picture { field, fault })
}

fn draw_code(canvas: &mut Canvas, element: &CodeElement, facts: &Facts) -> Result<(), FaceError> {
    let field = element.field;
    let Some(text) = facts.text(field) else {
        return missing(field.name(), element.optional);
    };
    let fault = |fault| FaceError::Code { field, fault };
    let modules = modules(element.kind, text).map_err(fault)?;
    let (left, top, width, height) = canvas.grid.dots(element.place);
    let (columns, rows) = (modules.columns as u32, modules.rows as u32);
    // Whole dots, so that all modules are alike.
    let module = match rows {
        1 => width / columns,
        _ => (width / columns).min(height / rows),
    };
    let least = element.kind.least();
    let millimetres = module as f32 / canvas.grid.scale;
    if millimetres < least {
        return Err(fault(format!(
            "its bar code needs modules of {least} mm, and {columns} of them in {:.1} mm are narrower: widen its place in the layout",
            element.place.width
        )));
    }
    let white = Ink {
        red: 255,
        green: 255,
        blue: 255,
    };
    canvas.dots(left, top, width, height, white);
    let down = if rows == 1 { height } else { module };
    let left = left + (width - module * columns) / 2;
    let top = top + (height - down * rows) / 2;
    for (dark, at) in modules.dark.iter().zip(0_u32..) {
        if *dark {
            let (x, y) = (at % columns, at / columns);
            canvas.dots(left + x * module, top + y * down, module, down, element.ink);
        }
    }
    Ok(())
}

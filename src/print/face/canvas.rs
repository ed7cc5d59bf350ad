//! One panel while it is drawn: millimetres in, dots out.

use resvg::tiny_skia::{
    BlendMode, Color, FillRule, Paint, Path, Pixmap, PremultipliedColorU8, Rect, Stroke, Transform,
};
use resvg::usvg::Tree;
use zeroize::Zeroize;

use super::element::{Frame, Ink};
use super::panel::{Raster, RasterForm};

/// Millimetres in an inch.
const INCH: f32 = 25.4;

/// Sizes in dots.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Grid {
    pub(super) width: u32,
    pub(super) height: u32,
    /// Dots in a mm.
    pub(super) scale: f32,
}

impl Grid {
    /// Returns the dots of a sheet; none where there are too many for one to be thought of.
    pub(super) fn of(width: f32, height: f32, dots: u16) -> Option<Self> {
        let scale = f32::from(dots) / INCH;
        let count = |length: f32| (length * scale).round() as u32;
        let known = (150..=1200).contains(&dots);
        known.then(|| Self {
            width: count(width),
            height: count(height),
            scale,
        })
    }

    /// Returns a rectangle in whole dots: left, top, width, height.
    pub(super) fn dots(&self, place: Frame) -> (u32, u32, u32, u32) {
        let at = |length: f32| (length * self.scale).round().max(0.0) as u32;
        let (left, top) = (at(place.left), at(place.top));
        let right = at(place.left + place.width).min(self.width);
        let bottom = at(place.top + place.height).min(self.height);
        (
            left,
            top,
            right.saturating_sub(left).max(1),
            bottom.saturating_sub(top).max(1),
        )
    }
}

/// A panel that is being drawn. Wiped when dropped.
pub(super) struct Canvas {
    pixmap: Pixmap,
    pub(super) grid: Grid,
}

impl Canvas {
    /// Returns a blank one; none where there is no memory for it.
    pub(super) fn blank(grid: Grid) -> Option<Self> {
        let mut pixmap = Pixmap::new(grid.width, grid.height)?;
        pixmap.fill(Color::WHITE);
        Some(Self { pixmap, grid })
    }

    fn transform(&self) -> Transform {
        Transform::from_scale(self.grid.scale, self.grid.scale)
    }

    /// Draws art.
    pub(super) fn art(&mut self, tree: &Tree) {
        // What usvg made of the size in mm, back into mm.
        let width = tree.size().width();
        let scale = self.grid.width as f32 / width;
        resvg::render(
            tree,
            Transform::from_scale(scale, scale),
            &mut self.pixmap.as_mut(),
        );
    }

    /// Fills a path.
    pub(super) fn fill(&mut self, path: &Path, ink: Ink, alpha: u8) {
        let paint = paint(ink, alpha);
        let transform = self.transform();
        self.pixmap
            .fill_path(path, &paint, FillRule::Winding, transform, None);
    }

    /// Draws along a path.
    pub(super) fn stroke(&mut self, path: &Path, ink: Ink, alpha: u8, width: f32) {
        let stroke = Stroke {
            width,
            ..Stroke::default()
        };
        let transform = self.transform();
        self.pixmap
            .stroke_path(path, &paint(ink, alpha), &stroke, transform, None);
    }

    /// Fills a rectangle of whole dots.
    pub(super) fn dots(&mut self, left: u32, top: u32, width: u32, height: u32, ink: Ink) {
        let rect = Rect::from_xywh(left as f32, top as f32, width as f32, height as f32);
        if let Some(rect) = rect {
            let mut paint = paint(ink, 255);
            paint.anti_alias = false;
            self.pixmap
                .fill_rect(rect, &paint, Transform::identity(), None);
        }
    }

    /// Sets dots from a corner on: each is mixed with what is there, as much as its cover says,
    /// from 0 to 255.
    pub(super) fn mix(
        &mut self,
        corner: (u32, u32),
        width: u32,
        dots: impl Iterator<Item = (Ink, u8)>,
    ) {
        let (left, top) = (corner.0 as usize, corner.1 as usize);
        let (columns, across) = (self.grid.width as usize, width as usize);
        let pixels = self.pixmap.pixels_mut();
        for (at, (ink, cover)) in dots.enumerate() {
            let (x, y) = (left + at % across, top + at / across);
            if x >= columns {
                continue;
            }
            if let Some(pixel) = pixels.get_mut(y * columns + x) {
                let mixed = |below: u8, above: u8| {
                    let cover = u32::from(cover);
                    let sum = u32::from(above) * cover + u32::from(below) * (255 - cover);
                    ((sum + 127) / 255) as u8
                };
                let mixed = PremultipliedColorU8::from_rgba(
                    mixed(pixel.red(), ink.red),
                    mixed(pixel.green(), ink.green),
                    mixed(pixel.blue(), ink.blue),
                    255,
                );
                *pixel = mixed.unwrap_or(*pixel);
            }
        }
    }

    /// Returns the dots.
    pub(super) fn raster(&self, form: RasterForm) -> Raster {
        let pixels = self.pixmap.pixels();
        let grey = |pixel: &PremultipliedColorU8| {
            let sum = 299 * u32::from(pixel.red())
                + 587 * u32::from(pixel.green())
                + 114 * u32::from(pixel.blue());
            (sum / 1000) as u8
        };
        let bytes = match form {
            RasterForm::Rgb => pixels
                .iter()
                .flat_map(|pixel| [pixel.red(), pixel.green(), pixel.blue()])
                .collect(),
            RasterForm::Grey => pixels.iter().map(grey).collect(),
            RasterForm::Bits => {
                let rows = pixels.chunks_exact(self.grid.width as usize);
                rows.flat_map(|row| {
                    row.chunks(8).map(|dots| {
                        let bits = dots.iter().enumerate();
                        bits.fold(0, |byte, (at, dot)| {
                            byte | u8::from(grey(dot) < 128) << (7 - at)
                        })
                    })
                })
                .collect()
            }
        };
        Raster {
            width: self.grid.width,
            height: self.grid.height,
            form,
            bytes,
        }
    }
}

impl Drop for Canvas {
    fn drop(&mut self) {
        self.pixmap.data_mut().zeroize();
    }
}

fn paint(ink: Ink, alpha: u8) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color_rgba8(ink.red, ink.green, ink.blue, alpha);
    paint.blend_mode = BlendMode::SourceOver;
    paint
}

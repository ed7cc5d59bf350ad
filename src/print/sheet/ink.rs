//! What a layout draws, as a PDF has it (*ISO 32000-1 §8.2*): shapes and lines of text.

use pdf_writer::types::{LineCapStyle, LineJoinStyle};
use pdf_writer::{Content, Name, Str};
use resvg::tiny_skia::PathSegment;
use resvg::usvg::{Fill, FillRule, Group, LineCap, LineJoin, Node, Paint, Path, Stroke, Tree};
use zeroize::Zeroizing;

use super::POINTS;
use super::typeface::resource;
use crate::face::element::{Frame, Ink};
use crate::face::lettering::{Lettering, NoGlyph, Style};

/// A pixel of SVG is so many points: 96 pixels and 72 points are an inch.
const PIXEL: f32 = 0.75;

/// How a line is written, and where.
#[derive(Clone, Copy)]
pub(super) struct Line {
    pub(super) style: Style,
    /// The size of the letters, in mm.
    pub(super) size: f32,
    /// Between letters, in mm.
    pub(super) spacing: f32,
    /// Where its base line begins, in mm.
    pub(super) at: (f32, f32),
    pub(super) ink: Ink,
}

/// Writes a line of text on a sheet of a height in mm. It may be secret: nothing of it is left
/// elsewhere.
pub(super) fn text(
    lettering: &Lettering,
    line: &Line,
    text: &str,
    height: f32,
) -> Result<Zeroizing<Vec<u8>>, NoGlyph> {
    let mut glyphs = Zeroizing::new(Vec::with_capacity(2 * text.len()));
    for character in text.chars() {
        let glyph = lettering.glyph(line.style, character)?;
        glyphs.extend(glyph.to_be_bytes());
    }
    // A string is written in at most four characters a byte (§7.3.4): it never grows.
    let most = 256 + 4 * glyphs.len();
    let mut content = Content::with_capacity(most);
    colour(&mut content, line.ink, true);
    content
        .begin_text()
        .set_font(Name(resource(line.style).as_bytes()), line.size * POINTS)
        .set_char_spacing(line.spacing * POINTS)
        .set_text_matrix([
            1.0,
            0.0,
            0.0,
            1.0,
            line.at.0 * POINTS,
            (height - line.at.1) * POINTS,
        ])
        .show(Str(&glyphs))
        .end_text();
    debug_assert!(content.len() < most, "{most}");
    Ok(ended(content))
}

/// Fills rectangles.
pub(super) fn rectangles(
    places: impl Iterator<Item = Frame>,
    ink: Ink,
    height: f32,
) -> Zeroizing<Vec<u8>> {
    let mut content = Content::new();
    colour(&mut content, ink, true);
    for place in places {
        let below = height - place.top - place.height;
        let (width, high) = (place.width * POINTS, place.height * POINTS);
        content.rect(place.left * POINTS, below * POINTS, width, high);
    }
    content.fill_nonzero();
    ended(content)
}

fn ended(content: Content) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(content.finish().into_vec());
    if bytes.len() < bytes.capacity() {
        bytes.push(b'\n');
    }
    bytes
}

fn colour(content: &mut Content, ink: Ink, fills: bool) {
    let [red, green, blue] = [ink.red, ink.green, ink.blue].map(|part| f32::from(part) / 255.0);
    match (red == green && green == blue, fills) {
        (true, true) => content.set_fill_gray(red),
        (true, false) => content.set_stroke_gray(red),
        (false, true) => content.set_fill_rgb(red, green, blue),
        (false, false) => content.set_stroke_rgb(red, green, blue),
    };
}

/// Writes the shapes of a drawing on a sheet of a height in mm, or says what of them a sheet does
/// not have.
pub(super) fn shapes(tree: &Tree, height: f32) -> Result<Vec<u8>, &'static str> {
    let mut content = Content::new();
    content.save_state();
    group(&mut content, tree.root(), height * POINTS)?;
    content.restore_state();
    let mut bytes = content.finish().into_vec();
    bytes.push(b'\n');
    Ok(bytes)
}

fn group(content: &mut Content, drawn: &Group, height: f32) -> Result<(), &'static str> {
    if drawn.should_isolate() {
        return Err("the drawing has a group that is seen through, clipped or filtered");
    }
    for node in drawn.children() {
        match node {
            Node::Group(inner) => group(content, inner, height)?,
            Node::Path(path) if path.is_visible() => shape(content, path, height)?,
            Node::Path(_) => {}
            Node::Image(_) | Node::Text(_) => return Err("the drawing has a picture"),
        }
    }
    Ok(())
}

fn shape(content: &mut Content, path: &Path, height: f32) -> Result<(), &'static str> {
    let (scale, _) = path.abs_transform().get_scale();
    if let Some(fill) = path.fill() {
        colour(content, solid(fill.paint(), fill.opacity().get())?, true);
    }
    if let Some(stroke) = path.stroke() {
        pen(content, stroke, scale * PIXEL)?;
    }
    let outline = path.data().clone().transform(path.abs_transform());
    let outline = outline.ok_or("the drawing has a shape without a size")?;
    let place = |x: f32, y: f32| (x * PIXEL, height - y * PIXEL);
    let mut from = (0.0, 0.0);
    for segment in outline.segments() {
        match segment {
            PathSegment::MoveTo(to) => {
                let (x, y) = place(to.x, to.y);
                content.move_to(x, y);
                from = (to.x, to.y);
            }
            PathSegment::LineTo(to) => {
                let (x, y) = place(to.x, to.y);
                content.line_to(x, y);
                from = (to.x, to.y);
            }
            // A quadratic curve as a cubic one: its control points are two thirds on the way.
            PathSegment::QuadTo(by, to) => {
                let third = |end: (f32, f32)| {
                    let part = |end: f32, by: f32| end + 2.0 / 3.0 * (by - end);
                    place(part(end.0, by.x), part(end.1, by.y))
                };
                let ((x1, y1), (x2, y2)) = (third(from), third((to.x, to.y)));
                let (x, y) = place(to.x, to.y);
                content.cubic_to(x1, y1, x2, y2, x, y);
                from = (to.x, to.y);
            }
            PathSegment::CubicTo(first, second, to) => {
                let ((x1, y1), (x2, y2)) = (place(first.x, first.y), place(second.x, second.y));
                let (x, y) = place(to.x, to.y);
                content.cubic_to(x1, y1, x2, y2, x, y);
                from = (to.x, to.y);
            }
            PathSegment::Close => {
                content.close_path();
            }
        }
    }
    let even_odd = |fill: &Fill| fill.rule() == FillRule::EvenOdd;
    match (path.fill().map(even_odd), path.stroke().is_some()) {
        (Some(false), false) => content.fill_nonzero(),
        (Some(true), false) => content.fill_even_odd(),
        (Some(false), true) => content.fill_nonzero_and_stroke(),
        (Some(true), true) => content.fill_even_odd_and_stroke(),
        (None, true) => content.stroke(),
        (None, false) => content.end_path(),
    };
    Ok(())
}

fn pen(content: &mut Content, stroke: &Stroke, scale: f32) -> Result<(), &'static str> {
    colour(
        content,
        solid(stroke.paint(), stroke.opacity().get())?,
        false,
    );
    content
        .set_line_width(stroke.width().get() * scale)
        .set_line_cap(match stroke.linecap() {
            LineCap::Butt => LineCapStyle::ButtCap,
            LineCap::Round => LineCapStyle::RoundCap,
            LineCap::Square => LineCapStyle::ProjectingSquareCap,
        })
        .set_line_join(match stroke.linejoin() {
            LineJoin::Miter | LineJoin::MiterClip => LineJoinStyle::MiterJoin,
            LineJoin::Round => LineJoinStyle::RoundJoin,
            LineJoin::Bevel => LineJoinStyle::BevelJoin,
        })
        .set_miter_limit(stroke.miterlimit().get());
    let dashes = stroke.dasharray().unwrap_or_default();
    let dashes = dashes.iter().map(|dash| dash * scale);
    content.set_dash_pattern(dashes, stroke.dashoffset() * scale);
    Ok(())
}

fn solid(paint: &Paint, opacity: f32) -> Result<Ink, &'static str> {
    match paint {
        Paint::Color(colour) if opacity >= 1.0 => Ok(Ink {
            red: colour.red,
            green: colour.green,
            blue: colour.blue,
        }),
        Paint::Color(_) => Err("the drawing has a colour that is seen through"),
        _ => Err("the drawing has a gradient or a pattern"),
    }
}

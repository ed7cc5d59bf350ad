//! SPECIMEN over a face: what a test installation makes is told from a document at a glance.

use resvg::tiny_skia::Transform;

use super::canvas::Canvas;
use super::element::Ink;
use super::layout::Layout;
use super::lettering::Style;
use super::panel::Panel;
use super::zone::HEIGHT;

/// What is written, in both languages.
pub(crate) const WORDS: &str = "PARAUGS  SPECIMEN";
/// How much of the diagonal the words take.
const PART: f32 = 0.86;
/// How thick their outlines are, in sizes of the letters.
const OUTLINE: f32 = 0.022;

/// What stays free above and below, in mm.
const EDGE: f32 = 1.0;

/// Draws the words from corner to corner, above the zone: that must stay readable.
pub(super) fn draw(canvas: &mut Canvas, layout: &Layout, panel: Panel) {
    let height = match layout.zone {
        Some(_) => layout.height - HEIGHT,
        None => layout.height,
    };
    let width = layout.width;
    let diagonal = (width * width + height * height).sqrt();
    let style = Style::Bold;
    let Ok(unit) = layout.lettering.width(style, 1.0, 0.06, WORDS) else {
        return;
    };
    // Along the rising diagonal, its middle in the middle.
    let (along, up) = (width / diagonal, height / diagonal);
    let turn = Transform::from_row(along, -up, up, along, width / 2.0, height / 2.0);
    let written = |size: f32| {
        let path = layout
            .lettering
            .path(style, size, 0.06 * size, (0.0, 0.0), WORDS);
        let centre = turn.pre_translate(-unit * size / 2.0, 0.36 * size);
        path.ok().flatten()?.transform(centre)
    };
    let size = (diagonal * PART / unit).min(0.42 * height);
    let Some(large) = written(size) else {
        return;
    };
    // Turned letters reach beyond the line that they stand on: as small as needed for all of them
    // to stay above the zone.
    let reach = (height / 2.0 - large.bounds().top()).max(large.bounds().bottom() - height / 2.0);
    let size = size * ((height / 2.0 - EDGE) / reach).min(1.0);
    let Some(path) = written(size) else {
        return;
    };
    let red = Ink {
        red: 0xC8,
        green: 0x10,
        blue: 0x20,
    };
    let black = Ink {
        red: 0,
        green: 0,
        blue: 0,
    };
    match panel {
        Panel::Colour => {
            canvas.fill(&path, red, 38);
            canvas.stroke(&path, red, 150, OUTLINE * size);
        }
        Panel::Laser => {
            canvas.fill(&path, black, 22);
            canvas.stroke(&path, black, 120, OUTLINE * size);
        }
        // One bit a dot: an outline hides nothing.
        _ => canvas.stroke(&path, black, 255, OUTLINE * size),
    }
}

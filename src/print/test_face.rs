//! What a printer prints to be looked at: which edge is up, how far from the edges, every panel.

use std::fmt::Write as _;

use crate::face::{Face, FaceError, Facts, Layout, LayoutError, NAMESPACE, Panel, Rendering};

/// Why there is no test face.
#[derive(Debug, thiserror::Error)]
pub enum TestFaceError {
    /// The sheet is of a size at which it cannot be drawn.
    #[error("a test face of this size cannot be drawn")]
    Layout(#[from] LayoutError),
    /// It is of a resolution that no printer has.
    #[error("a test face of this resolution cannot be rendered")]
    Face(#[from] FaceError),
}

/// Renders a test face of a size in millimetres for these panels. Nobody's data are on it.
///
/// # Errors
/// [`TestFaceError`].
pub fn test_face(
    (width, height): (f32, f32),
    dots: u16,
    panels: &[Panel],
) -> Result<Face, TestFaceError> {
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:z=\"{NAMESPACE}\" width=\"{width}mm\" \
         height=\"{height}mm\" viewBox=\"0 0 {width} {height}\" z:dpi=\"300\" \
         font-family=\"Roboto Condensed\">\n"
    );
    for panel in Panel::ALL {
        let art = match panel {
            Panel::Preprint => continue,
            _ if !panels.contains(&panel) => continue,
            Panel::Colour => colours(width, height),
            // One of them says which edge is up.
            Panel::Black => frame(width, height, "black"),
            Panel::Laser if panels.contains(&Panel::Black) => String::new(),
            Panel::Laser => frame(width, height, "laser") + &greys(width, height),
            Panel::Overlay => varnish(width, height),
        };
        // A text takes everything.
        let _ = writeln!(text, "<g z:panel=\"{}\">{art}</g>", panel.name());
    }
    text.push_str("</svg>\n");
    let layout = Layout::parse("test", &text)?;
    let how = Rendering {
        dots,
        specimen: false,
    };
    Ok(layout.render(&Facts::default(), how)?)
}

/// A frame three millimetres from the edges, a scale of centimetres, and which edge is up.
fn frame(width: f32, height: f32, panel: &str) -> String {
    let mut art = format!(
        "<path d=\"M3 3H{right}V{bottom}H3Z\" fill=\"none\" stroke=\"#000\" stroke-width=\"0.3\"/>\
         <path d=\"M{middle} 4L{left} 8H{behind}Z\" fill=\"#000\"/>\
         <text x=\"5\" y=\"8\" font-size=\"3\">TEST: this edge is up ({panel})</text>",
        right = width - 3.0,
        bottom = height - 3.0,
        middle = width - 8.0,
        left = width - 10.0,
        behind = width - 6.0,
    );
    for mark in 1..((width - 6.0) / 10.0) as u16 {
        let x = 3.0 + 10.0 * f32::from(mark);
        let _ = write!(
            art,
            "<rect x=\"{x}\" y=\"{}\" width=\"0.2\" height=\"2\" fill=\"#000\"/>",
            height - 5.0
        );
    }
    art
}

/// Each ink, and from each to white.
fn colours(width: f32, height: f32) -> String {
    let step = (width - 10.0) / 8.0;
    let row = (height - 24.0) / 4.0;
    let mut art = String::new();
    for (line, (red, green, blue)) in [(0, 1, 1), (1, 0, 1), (1, 1, 0), (1, 1, 1)]
        .into_iter()
        .enumerate()
    {
        for at in 0_u8..8 {
            let light = 36 * at;
            // Cyan takes red from white, and so on; all three are grey.
            let of = |stays: u8| if stays == 1 && line < 3 { 255 } else { light };
            let _ = write!(
                art,
                "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"#{:02x}{:02x}{:02x}\"/>",
                5.0 + step * f32::from(at),
                11.0 + row * line as f32,
                step - 0.5,
                row - 0.5,
                of(red),
                of(green),
                of(blue),
            );
        }
    }
    art
}

/// Greys from deepest to none.
fn greys(width: f32, height: f32) -> String {
    let step = (width - 10.0) / 8.0;
    let patches = (0_u8..8).map(|at| {
        let light = 36 * at;
        format!(
            "<rect x=\"{}\" y=\"11\" width=\"{}\" height=\"{}\" fill=\"#{light:02x}{light:02x}{light:02x}\"/>",
            5.0 + step * f32::from(at),
            step - 0.5,
            height - 24.0,
        )
    });
    patches.collect()
}

/// A bar that is seen at an angle.
fn varnish(width: f32, height: f32) -> String {
    format!(
        "<rect x=\"5\" y=\"{}\" width=\"{}\" height=\"5\" fill=\"#000\"/>",
        height - 12.0,
        width - 10.0
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_panel_of_every_printer_has_something_on_it() {
        for (size, panels) in [
            (
                (85.6, 53.98),
                &[Panel::Colour, Panel::Black, Panel::Overlay][..],
            ),
            ((85.6, 53.98), &[Panel::Laser]),
            ((100.0, 60.0), &[Panel::Black]),
            ((210.0, 297.0), &[Panel::Colour, Panel::Black]),
        ] {
            let face = test_face(size, 150, panels).unwrap();
            let found: Vec<_> = face.panels.iter().map(|(panel, _)| *panel).collect();
            assert_eq!(found, panels);
            for (panel, raster) in &face.panels {
                let first = raster.bytes.first();
                assert!(
                    raster.bytes.iter().any(|byte| Some(byte) != first),
                    "{panel:?} is blank"
                );
            }
        }
    }
}

//! The few elements that charts are made of.

use std::fmt::Write;

use super::Style;

/// How a text looks.
#[derive(Clone, Copy)]
pub(super) struct Look {
    size: u32,
    bold: bool,
    colour: &'static str,
    anchor: &'static str,
}

/// The chart's title.
pub(super) const TITLE: Look = Look {
    size: 20,
    bold: true,
    colour: "#1f2933",
    anchor: "start",
};
/// A panel's title.
pub(super) const HEADING: Look = Look {
    size: 14,
    bold: true,
    colour: "#1f2933",
    anchor: "start",
};
/// Names, at the left.
pub(super) const LABEL: Look = Look {
    size: 12,
    bold: false,
    colour: "#1f2933",
    anchor: "start",
};
/// Names under bars.
pub(super) const CENTRED: Look = Look {
    anchor: "middle",
    ..LABEL
};
/// Names that end at the bars.
pub(super) const ENDING: Look = Look {
    anchor: "end",
    ..LABEL
};
/// Values at bars.
pub(super) const VALUE: Look = Look {
    size: 11,
    ..CENTRED
};
/// Values beside bars that lie.
pub(super) const BESIDE: Look = Look { size: 11, ..LABEL };
/// Values at the lines behind.
pub(super) const STEP: Look = Look {
    size: 11,
    colour: "#52606d",
    ..ENDING
};
/// What the categories are.
pub(super) const AXIS: Look = Look {
    size: 11,
    colour: "#52606d",
    ..CENTRED
};
/// A mark's label.
pub(super) const MARK: Look = Look {
    size: 12,
    bold: true,
    colour: "#9c3d10",
    anchor: "start",
};

/// A drawing that grows.
#[derive(Default)]
pub(super) struct Svg {
    body: String,
}

impl Svg {
    /// Draws a text at a point.
    pub(super) fn text(&mut self, look: Look, x: u32, y: u32, text: &str) {
        self.placed(look, &format!("x=\"{x}\" y=\"{y}\""), text);
    }

    /// Draws a text that goes upwards from a point, in tenths of a unit.
    pub(super) fn upwards(&mut self, look: Look, x: u32, y: u32, text: &str) {
        let (x, y) = (tenths(x), tenths(y));
        let place = format!("x=\"{x}\" y=\"{y}\" transform=\"rotate(-90 {x} {y})\"");
        let look = Look {
            anchor: "start",
            ..look
        };
        self.placed(look, &place, text);
    }

    fn placed(&mut self, look: Look, place: &str, text: &str) {
        let weight = if look.bold {
            " font-weight=\"bold\""
        } else {
            ""
        };
        let _ = writeln!(
            self.body,
            "<text {place} font-size=\"{}\"{weight} fill=\"{}\" text-anchor=\"{}\">{}</text>",
            look.size,
            look.colour,
            look.anchor,
            escaped(text)
        );
    }

    /// Draws a bar, in tenths of a unit; what it says is its own title.
    pub(super) fn bar(
        &mut self,
        style: Style,
        (x, y): (u32, u32),
        (width, height): (u32, u32),
        says: Option<&str>,
    ) {
        let look = match style {
            Style::Solid => "fill=\"#1c5d99\"",
            Style::Outline => "fill=\"#eaf2f9\" stroke=\"#1c5d99\" stroke-dasharray=\"4 2\"",
            Style::Warning => "fill=\"url(#stripes)\" stroke=\"#9c3d10\"",
        };
        let (x, y, width, height) = (tenths(x), tenths(y), tenths(width), tenths(height));
        let _ = write!(
            self.body,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" {look}"
        );
        let _ = match says {
            Some(says) => writeln!(self.body, "><title>{}</title></rect>", escaped(says)),
            None => writeln!(self.body, "/>"),
        };
    }

    /// Draws a line between two points, in tenths of a unit.
    pub(super) fn line(&mut self, colour: &str, width: u32, from: (u32, u32), to: (u32, u32)) {
        let _ = writeln!(
            self.body,
            "<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" stroke=\"{colour}\" stroke-width=\"{width}\"/>",
            tenths(from.0),
            tenths(from.1),
            tenths(to.0),
            tenths(to.1)
        );
    }

    /// Returns the whole file.
    pub(super) fn file(
        self,
        language: &str,
        width: u32,
        height: u32,
        title: &str,
        words: &str,
    ) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
             role=\"img\" aria-labelledby=\"chart-title chart-words\" xml:lang=\"{language}\" font-family=\"sans-serif\">\n\
             <title id=\"chart-title\">{}</title>\n<desc id=\"chart-words\">{}</desc>\n\
             <defs><pattern id=\"stripes\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">\
             <rect width=\"6\" height=\"6\" fill=\"#f4c7ab\"/><rect width=\"3\" height=\"6\" fill=\"#c2571a\"/></pattern></defs>\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n{}</svg>\n",
            escaped(title),
            escaped(words),
            self.body
        )
    }
}

/// Returns a length in units.
fn tenths(length: u32) -> String {
    match length % 10 {
        0 => (length / 10).to_string(),
        rest => format!("{}.{rest}", length / 10),
    }
}

/// Returns a text as XML 1.0 takes it: five characters escaped, those that it has not left out.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\t' | '\n' | '\r' => escaped.push(' '),
            control if control.is_control() => {}
            '\u{fffe}' | '\u{ffff}' => {}
            other => escaped.push(other),
        }
    }
    escaped
}

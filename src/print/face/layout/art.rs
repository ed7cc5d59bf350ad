//! The art of a panel: what is the same on every document, as SVG that reaches nothing outside
//! itself, its texts as outlines.

use std::fmt::Write as _;

use resvg::tiny_skia::{Path, PathSegment};
use resvg::usvg::{Options, Tree};
use roxmltree::{Node, NodeType};

use super::attributes::{Source, own, plain};
use super::fields::{Fonts, Letters, anchor, written};
use crate::face::element::Anchor;
use crate::face::error::LayoutError;
use crate::face::lettering::NoGlyph;

/// What SVG has and a layout has not: what reaches outside, what moves, what has a language of its
/// own.
const FORBIDDEN: [&str; 11] = [
    "a",
    "animate",
    "animateTransform",
    "audio",
    "filter",
    "foreignObject",
    "image",
    "script",
    "style",
    "switch",
    "video",
];

/// Draws the art of one panel into a tree; none where the panel has fields alone. Its texts are
/// outlines; without typefaces they are left out, and so are the groups in it that have one of the
/// attributes `apart`. A shape may have our own attributes `known`.
pub(crate) fn tree(
    source: Source<'_>,
    fonts: Option<&Fonts<'_>>,
    (root, panel): (Node<'_, '_>, Node<'_, '_>),
    apart: &[&str],
    known: &[&str],
) -> Result<Option<Tree>, LayoutError> {
    let drawing = Drawing {
        source,
        fonts,
        panel,
        apart,
        known,
    };
    let mut svg = String::from("<svg xmlns=\"http://www.w3.org/2000/svg\"");
    for name in ["width", "height", "viewBox"] {
        if let Some(attribute) = plain(root, name) {
            write_attribute(&mut svg, name, attribute.value());
        }
    }
    svg.push('>');
    let mut drawn = 0;
    let defs = root
        .children()
        .filter(|node| node.has_tag_name("defs") || is(*node, "defs"));
    for node in defs {
        drawing.element(node, &mut svg, &mut 0)?;
    }
    // What it stands in may say how it is drawn.
    let outer = panel.ancestors().skip(1).take_while(|node| *node != root);
    let mut outer: Vec<_> = outer.collect();
    outer.reverse();
    for node in &outer {
        svg.push_str("<g");
        drawing.attributes(*node, &mut svg);
        svg.push('>');
    }
    drawing.element(panel, &mut svg, &mut drawn)?;
    outer.iter().for_each(|_| svg.push_str("</g>"));
    svg.push_str("</svg>");
    if drawn == 0 {
        return Ok(None);
    }
    Tree::from_str(&svg, &Options::default())
        .map(Some)
        .map_err(|error| {
            source.at(
                panel,
                format!("the art of this panel cannot be drawn: {error}"),
                "the panel must be SVG 1.1",
            )
        })
}

fn is(node: Node<'_, '_>, name: &str) -> bool {
    node.is_element() && node.tag_name().name() == name
}

/// What is drawn of which panel.
struct Drawing<'a, 'n, 'i> {
    source: Source<'a>,
    fonts: Option<&'a Fonts<'a>>,
    panel: Node<'n, 'i>,
    apart: &'a [&'a str],
    known: &'a [&'a str],
}

impl Drawing<'_, '_, '_> {
    /// Writes an element with all that is in it, but for fields; `drawn` counts what is to be seen.
    fn element(
        &self,
        node: Node<'_, '_>,
        svg: &mut String,
        drawn: &mut usize,
    ) -> Result<(), LayoutError> {
        let source = self.source;
        let name = node.tag_name().name();
        if FORBIDDEN.contains(&name) {
            return Err(source.at(
                node,
                format!("<{name}> does not belong in a layout"),
                "a layout has shapes, texts and fields",
            ));
        }
        if own(node, "field").is_some() || self.is_apart(node) {
            return Ok(());
        }
        reaches_nothing(source, node)?;
        if name == "text" {
            let Some(fonts) = self.fonts else {
                return Ok(());
            };
            *drawn += 1;
            return outlines(source, fonts, node, svg);
        }
        if node != self.panel {
            source.only(node, self.known)?;
        }
        if !matches!(name, "g" | "defs") {
            *drawn += 1;
        }
        let _ = write!(svg, "<{name}");
        self.attributes(node, svg);
        svg.push('>');
        for child in node.children() {
            match child.node_type() {
                NodeType::Element => self.element(child, svg, drawn)?,
                NodeType::Text if child.text().is_some_and(|text| !text.trim().is_empty()) => {
                    return Err(source.at(
                        child,
                        "text stands outside of <text>",
                        "put it into one, or take it out",
                    ));
                }
                _ => {}
            }
        }
        let _ = write!(svg, "</{name}>");
        Ok(())
    }

    fn is_apart(&self, node: Node<'_, '_>) -> bool {
        let mut apart = self.apart.iter();
        node != self.panel && apart.any(|name| own(node, name).is_some())
    }

    fn attributes(&self, node: Node<'_, '_>, svg: &mut String) {
        for attribute in node.attributes() {
            match attribute.namespace() {
                None => write_attribute(svg, attribute.name(), attribute.value()),
                Some("http://www.w3.org/1999/xlink") => {
                    write_attribute(svg, attribute.name(), attribute.value());
                }
                _ => {}
            }
        }
    }
}

/// Demands that every reference stays in the layout, and that nothing is drawn again by what is
/// drawn again: a few lines could otherwise take hours to draw.
fn reaches_nothing(source: Source<'_>, node: Node<'_, '_>) -> Result<(), LayoutError> {
    for attribute in node.attributes() {
        let value = attribute.value();
        let outside = match attribute.name() {
            "href" => !value.starts_with('#'),
            _ => value.match_indices("url(").any(|(at, _)| {
                !value
                    .get(at + 4..)
                    .is_some_and(|rest| rest.starts_with('#'))
            }),
        };
        if outside {
            let fault = format!("\"{value}\" is outside of the layout");
            return Err(source.of(&attribute, fault, "refer to something in <defs>: #name"));
        }
    }
    if is(node, "use") && node.ancestors().any(|ancestor| is(ancestor, "defs")) {
        let fault = "<use> stands in <defs>";
        return Err(source.at(node, fault, "draw it where it is to be seen"));
    }
    Ok(())
}

/// A text that is the same on every document, and where it begins.
pub(crate) struct Placed {
    pub(crate) text: String,
    pub(crate) letters: Letters,
    /// Where its base line begins, in mm.
    pub(crate) at: (f32, f32),
}

/// Reads such a text.
pub(crate) fn placed(
    source: Source<'_>,
    fonts: &Fonts<'_>,
    node: Node<'_, '_>,
) -> Result<Placed, LayoutError> {
    source.only(node, &[])?;
    let text = written(source, node)?;
    let letters = fonts.letters(source, node)?;
    let lettering = fonts.lettering;
    let width = lettering.width(letters.style, letters.size, letters.spacing, &text);
    let width = width.map_err(|missing| no_glyph(source, node, missing))?;
    let (x, y) = (source.needed(node, "x")?, source.needed(node, "y")?);
    let left = match anchor(source, node)? {
        Anchor::Start => x,
        Anchor::Middle => x - width / 2.0,
        Anchor::End => x - width,
    };
    Ok(Placed {
        text,
        letters,
        at: (left, y),
    })
}

fn no_glyph(source: Source<'_>, node: Node<'_, '_>, missing: NoGlyph) -> LayoutError {
    let NoGlyph(character) = missing;
    let fault = format!("the typeface has no {character:?}");
    source.at(node, fault, "letters are those of Latin script")
}

/// Writes a text as its outlines.
fn outlines(
    source: Source<'_>,
    fonts: &Fonts<'_>,
    node: Node<'_, '_>,
    svg: &mut String,
) -> Result<(), LayoutError> {
    let Placed { text, letters, at } = placed(source, fonts, node)?;
    let Letters {
        style,
        size,
        spacing,
    } = letters;
    let path = fonts.lettering.path(style, size, spacing, at, &text);
    let path = path.map_err(|missing| no_glyph(source, node, missing))?;
    let Some(path) = path else {
        return Ok(());
    };
    let _ = write!(svg, "<path d=\"{}\"", data(&path));
    for name in [
        "fill",
        "fill-opacity",
        "opacity",
        "stroke",
        "stroke-width",
        "transform",
    ] {
        if let Some(attribute) = plain(node, name) {
            write_attribute(svg, name, attribute.value());
        }
    }
    svg.push_str("/>");
    Ok(())
}

/// Returns a path as SVG writes it.
fn data(path: &Path) -> String {
    let mut data = String::new();
    for segment in path.segments() {
        let _ = match segment {
            PathSegment::MoveTo(to) => write!(data, "M{:.4} {:.4}", to.x, to.y),
            PathSegment::LineTo(to) => write!(data, "L{:.4} {:.4}", to.x, to.y),
            PathSegment::QuadTo(by, to) => {
                write!(data, "Q{:.4} {:.4} {:.4} {:.4}", by.x, by.y, to.x, to.y)
            }
            PathSegment::CubicTo(first, second, to) => write!(
                data,
                "C{:.4} {:.4} {:.4} {:.4} {:.4} {:.4}",
                first.x, first.y, second.x, second.y, to.x, to.y
            ),
            PathSegment::Close => write!(data, "Z"),
        };
    }
    data
}

fn write_attribute(svg: &mut String, name: &str, value: &str) {
    let _ = write!(svg, " {name}=\"");
    for character in value.chars() {
        match character {
            '"' => svg.push_str("&quot;"),
            '&' => svg.push_str("&amp;"),
            '<' => svg.push_str("&lt;"),
            other => svg.push(other),
        }
    }
    svg.push('"');
}

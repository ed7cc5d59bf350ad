//! Reads a layout and proves it.

use document::mrz::Format;
use roxmltree::{Document, Node, ParsingOptions};

use super::art;
use super::attributes::{Source, inherited, own, plain};
use super::{Layout, MAX_TEXT, Part};
use crate::face::code::CodeKind;
use crate::face::element::{
    Anchor, CodeElement, Element, Frame, PictureElement, TextElement, Tone,
};
use crate::face::error::LayoutError;
use crate::face::field::{self, PictureField, TextField, ZONE};
use crate::face::fit::{Order, Rules};
use crate::face::lettering::{Lettering, Style};
use crate::face::panel::Panel;
use crate::face::zone::{HEIGHT, MARGIN, ZonePlace};

/// The least letters that are printed, in mm: a capital of 0.9 mm is as small as legends are.
const LEAST: f32 = 1.2;
/// Most lines of one text.
const LINES: f32 = 8.0;
/// Most elements of a layout.
const NODES: u32 = 20_000;

/// The typefaces.
pub(super) struct Fonts<'a> {
    pub(super) lettering: &'a Lettering,
}

/// How a text is written.
pub(super) struct Letters {
    pub(super) style: Style,
    pub(super) size: f32,
    pub(super) spacing: f32,
}

/// Reads a layout.
pub(super) fn layout(name: &str, text: &str) -> Result<Layout, LayoutError> {
    let source = Source { name, text };
    if text.len() > MAX_TEXT {
        let fault = format!("the layout is longer than {MAX_TEXT} bytes");
        return Err(source.error(MAX_TEXT, fault, "draw with fewer points"));
    }
    let options = ParsingOptions {
        allow_dtd: false,
        nodes_limit: NODES,
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(text, options).map_err(|error| {
        let place = error.pos();
        LayoutError {
            file: format!("{name}.svg"),
            line: place.row,
            column: place.col,
            fault: format!("is no XML: {error}"),
            hint: "a layout is SVG without a document type".to_owned(),
        }
    })?;
    let root = document.root_element();
    if root.tag_name().name() != "svg" {
        return Err(source.at(root, "is no SVG", "the first element is <svg>"));
    }
    source.only(root, &["dpi", "radius"])?;
    let (width, height) = size(source, root)?;
    let lettering = Lettering::embedded().ok_or_else(|| {
        source.at(
            root,
            "the program's typefaces are damaged",
            "install the program anew",
        )
    })?;
    let fonts = Fonts {
        lettering: &lettering,
    };
    let mut parts: Vec<Part> = Vec::new();
    for node in root.children().filter(Node::is_element) {
        match node.tag_name().name() {
            "defs" | "title" | "desc" => {
                let mut inside = node.descendants();
                if let Some(field) = inside.find(|node| own(*node, "field").is_some()) {
                    let fault = "a field stands on no panel";
                    return Err(source.at(field, fault, "put it into <g z:panel=\"…\">"));
                }
            }
            "g" => {
                let part = part(source, &fonts, root, node)?;
                if let Some(last) = parts.last()
                    && last.panel >= part.panel
                {
                    let fault = format!(
                        "the panel \"{}\" stands after \"{}\"",
                        part.panel.name(),
                        last.panel.name()
                    );
                    return Err(source.at(
                        node,
                        fault,
                        "each panel is there once, in the order preprint, colour, black, laser, overlay",
                    ));
                }
                parts.push(part);
            }
            other => {
                let fault = format!("<{other}> stands in no panel");
                return Err(source.at(node, fault, "put it into <g z:panel=\"…\">"));
            }
        }
    }
    let zone = apart(source, &document, &parts, width, height)?;
    let dots = source.own_number(root, "dpi")?.unwrap_or(300.0);
    if dots != 300.0 && dots != 600.0 {
        return Err(source.at(root, format!("z:dpi is {dots}"), "it is 300 or 600"));
    }
    let radius = source.own_number(root, "radius")?.unwrap_or(0.0);
    if !(0.0..=10.0).contains(&radius) {
        return Err(source.at(root, format!("z:radius is {radius}"), "it is 0 to 10 mm"));
    }
    Ok(Layout {
        name: name.to_owned(),
        width,
        height,
        radius,
        dots: dots as u16,
        parts,
        zone,
        lettering,
    })
}

/// Reads the size, which the unit of the drawing follows from.
fn size(source: Source<'_>, root: Node<'_, '_>) -> Result<(f32, f32), LayoutError> {
    let hint = "write width=\"85.6mm\" height=\"53.98mm\" viewBox=\"0 0 85.6 53.98\", or another size up to 300 mm";
    let length = |name: &str| {
        let attribute = plain(root, name)?;
        let number = attribute.value().strip_suffix("mm")?.parse::<f32>().ok()?;
        (10.0..=300.0).contains(&number).then_some(number)
    };
    let (Some(width), Some(height)) = (length("width"), length("height")) else {
        return Err(source.at(root, "the layout has no size in millimetres", hint));
    };
    let view = plain(root, "viewBox").map(|attribute| {
        let numbers = attribute.value().split_whitespace();
        numbers
            .filter_map(|number| number.parse::<f32>().ok())
            .collect::<Vec<_>>()
    });
    if view.as_deref() != Some(&[0.0, 0.0, width, height][..]) {
        return Err(source.at(root, "the unit of the drawing is not the millimetre", hint));
    }
    Ok((width, height))
}

/// Reads a panel.
fn part(
    source: Source<'_>,
    fonts: &Fonts<'_>,
    root: Node<'_, '_>,
    node: Node<'_, '_>,
) -> Result<Part, LayoutError> {
    source.only(node, &["panel"])?;
    let names = "panels are preprint, colour, black, laser and overlay";
    let Some(attribute) = own(node, "panel") else {
        return Err(source.at(node, "the group names no panel", names));
    };
    let Some(panel) = Panel::named(attribute.value()) else {
        let fault = format!("no panel is named \"{}\"", attribute.value());
        return Err(source.of(&attribute, fault, names));
    };
    let mut elements = Vec::new();
    for field in node
        .descendants()
        .filter(|node| own(*node, "field").is_some())
    {
        if !panel.has_fields() {
            let fault = format!("a field stands on the panel {}", panel.name());
            return Err(source.at(field, fault, "fields are on colour, black or laser"));
        }
        let mut outer = field.ancestors().take_while(|ancestor| *ancestor != root);
        if let Some(moved) = outer.find_map(|ancestor| plain(ancestor, "transform")) {
            let fault = "a field is moved by a transformation";
            return Err(source.of(&moved, fault, "give it its own x and y"));
        }
        elements.push(element(source, fonts, panel, field)?);
    }
    Ok(Part {
        panel,
        art: art::tree(source, fonts, root, node)?,
        elements,
    })
}

/// Reads a field.
fn element(
    source: Source<'_>,
    fonts: &Fonts<'_>,
    panel: Panel,
    node: Node<'_, '_>,
) -> Result<Element, LayoutError> {
    let Some(attribute) = own(node, "field") else {
        return Err(source.at(node, "names no field", "write z:field"));
    };
    let name = attribute.value();
    if name == ZONE {
        return zone(source, node).map(Element::Zone);
    }
    if let Some(field) = PictureField::named(name) {
        return picture(source, panel, node, field).map(Element::Picture);
    }
    match TextField::named(name) {
        Some(field) if own(node, "code").is_some() => code(source, node, field).map(Element::Code),
        Some(field) => text(source, fonts, node, field).map(Element::Text),
        None => {
            let known: Vec<_> = field::names().collect();
            let fault = format!("no field is named \"{name}\"");
            Err(source.of(
                &attribute,
                fault,
                &format!("fields are {}", known.join(", ")),
            ))
        }
    }
}

fn text(
    source: Source<'_>,
    fonts: &Fonts<'_>,
    node: Node<'_, '_>,
    field: TextField,
) -> Result<TextElement, LayoutError> {
    source.only(
        node,
        &[
            "field", "width", "lines", "least", "leading", "fit", "optional",
        ],
    )?;
    if node.tag_name().name() != "text" {
        let fault = format!("<{}> cannot hold a text", node.tag_name().name());
        return Err(source.at(
            node,
            fault,
            "the place of a text is a <text>, of a bar code a <rect> with z:code",
        ));
    }
    written(source, node)?;
    let Letters {
        style,
        size,
        spacing,
    } = fonts.letters(source, node)?;
    let Some(width) = source.own_number(node, "width")? else {
        let fault = "the field does not say how wide it is";
        return Err(source.at(node, fault, "write z:width, in millimetres"));
    };
    let least = source.own_number(node, "least")?.unwrap_or(size);
    if !(LEAST..=size).contains(&least) {
        let fault = format!("z:least is {least}");
        let hint = format!("it is from {LEAST} to the size of the letters, {size}");
        return Err(source.at(node, fault, &hint));
    }
    let lines = source.own_number(node, "lines")?.unwrap_or(1.0);
    if lines.fract() != 0.0 || !(1.0..=LINES).contains(&lines) {
        let fault = format!("z:lines is {lines}");
        return Err(source.at(node, fault, "it is a whole number from 1 to 8"));
    }
    let leading = source.own_number(node, "leading")?.unwrap_or(1.15);
    if !(0.9..=3.0).contains(&leading) {
        let fault = format!("z:leading is {leading}");
        return Err(source.at(node, fault, "it is from 0.9 to 3 sizes of the letters"));
    }
    let order = match own(node, "fit") {
        None => Order::Shrink,
        Some(attribute) => match attribute.value() {
            "shrink" => Order::Shrink,
            "break" => Order::Break,
            other => {
                let fault = format!("no rule is named \"{other}\"");
                let hint = "\"shrink\" makes letters smaller first, \"break\" lines more";
                return Err(source.of(&attribute, fault, hint));
            }
        },
    };
    Ok(TextElement {
        field,
        at: (source.needed(node, "x")?, source.needed(node, "y")?),
        anchor: anchor(source, node)?,
        rules: Rules {
            style,
            size,
            least,
            spacing,
            width,
            lines: lines as usize,
            order,
        },
        leading,
        ink: source.ink(node)?,
        optional: source.yes(node, "optional")?,
    })
}

fn picture(
    source: Source<'_>,
    panel: Panel,
    node: Node<'_, '_>,
    field: PictureField,
) -> Result<PictureElement, LayoutError> {
    source.only(node, &["field", "tone", "optional"])?;
    let place = source.rectangle(node)?;
    let usual = match (field, panel) {
        (PictureField::Signature, _) => Tone::Line,
        (PictureField::Portrait, Panel::Laser) => Tone::Grey,
        (PictureField::Portrait, _) => Tone::Colour,
    };
    let tone = match own(node, "tone") {
        None => usual,
        Some(attribute) => match attribute.value() {
            "colour" => Tone::Colour,
            "grey" => Tone::Grey,
            "ghost" => Tone::Ghost,
            "line" => Tone::Line,
            other => {
                let fault = format!("no tone is named \"{other}\"");
                return Err(source.of(&attribute, fault, "tones are colour, grey, ghost and line"));
            }
        },
    };
    let fault = match (tone, panel) {
        (Tone::Line, _) => None,
        (_, panel) if !panel.has_tones() => {
            Some(format!("the panel {} has no tones", panel.name()))
        }
        (Tone::Colour, Panel::Laser) => Some("a laser engraves no colours".to_owned()),
        _ => None,
    };
    if let Some(fault) = fault {
        return Err(source.at(
            node,
            fault,
            "colour stands on colour, grey and ghost on colour or laser, line everywhere",
        ));
    }
    Ok(PictureElement {
        field,
        place,
        tone,
        ink: source.ink(node)?,
        optional: source.yes(node, "optional")?,
    })
}

fn code(
    source: Source<'_>,
    node: Node<'_, '_>,
    field: TextField,
) -> Result<CodeElement, LayoutError> {
    source.only(node, &["field", "code", "optional"])?;
    let kind = own(node, "code").and_then(|attribute| CodeKind::named(attribute.value()));
    let Some(kind) = kind else {
        let fault = "no bar code is named so";
        return Err(source.at(node, fault, "bar codes are qr and code-128"));
    };
    Ok(CodeElement {
        field,
        place: source.rectangle(node)?,
        kind,
        ink: source.ink(node)?,
        optional: source.yes(node, "optional")?,
    })
}

fn zone(source: Source<'_>, node: Node<'_, '_>) -> Result<ZonePlace, LayoutError> {
    source.only(node, &["field", "format"])?;
    let place = source.rectangle(node)?;
    let format = own(node, "format").and_then(|attribute| attribute.value().parse::<Format>().ok());
    let Some(format) = format else {
        let fault = "the zone has no format";
        return Err(source.at(node, fault, "write z:format: td1, td2 or td3"));
    };
    Ok(ZonePlace {
        format,
        left: place.left,
        top: place.top,
        base: place.top + place.height,
    })
}

/// Demands that every field stands on the document, that the zone stands where it must, and that
/// nothing else stands in its part; returns the zone.
fn apart(
    source: Source<'_>,
    document: &Document<'_>,
    parts: &[Part],
    width: f32,
    height: f32,
) -> Result<Option<ZonePlace>, LayoutError> {
    let nodes = document
        .descendants()
        .filter(|node| own(*node, "field").is_some());
    let elements = parts.iter().flat_map(|part| &part.elements);
    let fields: Vec<_> = nodes.zip(elements).collect();
    let mut found: Option<ZonePlace> = None;
    for (node, element) in &fields {
        if let Element::Zone(zone) = element {
            if found.is_some() {
                return Err(source.at(*node, "the zone is there twice", "take one out"));
            }
            if let Some((fault, hint)) = zone.fault(width, height) {
                return Err(source.at(*node, fault, hint));
            }
            found = Some(*zone);
        }
    }
    let reserved = found.map(|_| Frame {
        left: 0.0,
        top: height - HEIGHT,
        width,
        height: HEIGHT,
    });
    for (node, element) in fields {
        let place = element.place();
        let right = place.left + place.width;
        let bottom = place.top + place.height;
        // What a printer does not reach, or a card's edge cuts off.
        let edge = if found.is_some() { MARGIN } else { 0.0 };
        if place.left < edge || place.top < edge || right > width - edge || bottom > height - edge {
            let fault = format!(
                "the field {} reaches from {:.2}, {:.2} to {right:.2}, {bottom:.2} mm, beyond the edge",
                element.field(),
                place.left,
                place.top
            );
            return Err(source.at(
                node,
                fault,
                &format!("between it and the edge stay {edge} mm"),
            ));
        }
        if !matches!(element, Element::Zone(_))
            && reserved.is_some_and(|reserved| reserved.meets(place))
        {
            let fault = format!(
                "the field {} reaches down to {bottom:.2} mm, into the machine readable zone",
                element.field()
            );
            let hint = format!("nothing else stands below {:.2} mm", height - HEIGHT);
            return Err(source.at(node, fault, &hint));
        }
    }
    Ok(found)
}

/// Returns what is written in a text.
pub(super) fn written(source: Source<'_>, node: Node<'_, '_>) -> Result<String, LayoutError> {
    if let Some(child) = node.children().find(Node::is_element) {
        let fault = format!("<{}> stands in a text", child.tag_name().name());
        return Err(source.at(child, fault, "write each line as a <text> of its own"));
    }
    let text = node.text().unwrap_or_default().trim().to_owned();
    if text.is_empty() {
        return Err(source.at(node, "the text is empty", "write a sample, or take it out"));
    }
    Ok(text)
}

/// Reads where a line stands in its width.
pub(super) fn anchor(source: Source<'_>, node: Node<'_, '_>) -> Result<Anchor, LayoutError> {
    match inherited(node, "text-anchor") {
        None => Ok(Anchor::Start),
        Some(attribute) => match attribute.value() {
            "start" => Ok(Anchor::Start),
            "middle" => Ok(Anchor::Middle),
            "end" => Ok(Anchor::End),
            other => {
                let fault = format!("text-anchor is \"{other}\"");
                Err(source.of(&attribute, fault, "it is start, middle or end"))
            }
        },
    }
}

impl Fonts<'_> {
    /// Reads how a text is written.
    pub(super) fn letters(
        &self,
        source: Source<'_>,
        node: Node<'_, '_>,
    ) -> Result<Letters, LayoutError> {
        let value = |name: &str, usual: &'static str| {
            inherited(node, name).map_or(usual, |attribute| attribute.value())
        };
        let (family, weight) = (
            value("font-family", "Roboto Condensed"),
            value("font-weight", "400"),
        );
        let Some(style) = Style::of(family, weight) else {
            let fault = format!("there is no typeface {family} of weight {weight}");
            return Err(source.at(
                node,
                fault,
                "there are Roboto Condensed (300, 400, 700) and OCR-B (400)",
            ));
        };
        let Some(size) = inherited(node, "font-size") else {
            let fault = "the text has no size";
            return Err(source.at(node, fault, "write font-size, in millimetres"));
        };
        let size = source.number(&size)?;
        if !(0.2..=100.0).contains(&size) {
            let fault = format!("the letters are {size} mm high");
            return Err(source.at(node, fault, "font-size is in millimetres"));
        }
        let spacing = inherited(node, "letter-spacing");
        let spacing = spacing.map_or(Ok(0.0), |attribute| source.number(&attribute))?;
        Ok(Letters {
            style,
            size,
            spacing,
        })
    }
}

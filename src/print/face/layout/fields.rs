//! Reads the fields of a layout, each with its rules.

use document::mrz::Format;
use roxmltree::Node;

use super::attributes::{Source, inherited, own};
use crate::face::code::CodeKind;
use crate::face::element::{Anchor, CodeElement, Element, PictureElement, TextElement, Tone};
use crate::face::error::LayoutError;
use crate::face::field::{self, PictureField, TextField, ZONE};
use crate::face::fit::{Order, Rules};
use crate::face::lettering::{Lettering, Style};
use crate::face::panel::Panel;
use crate::face::zone::ZonePlace;

/// The least letters that are printed, in mm: a capital of 0.9 mm is as small as legends are.
const LEAST: f32 = 1.2;
/// Most lines of one text.
const LINES: f32 = 8.0;
/// The typefaces.
pub(crate) struct Fonts<'a> {
    pub(crate) lettering: &'a Lettering,
}

/// How a text is written.
pub(crate) struct Letters {
    pub(crate) style: Style,
    pub(crate) size: f32,
    pub(crate) spacing: f32,
}

/// Reads a field; `belongs` tells which texts there are where it stands.
pub(crate) fn element(
    source: Source<'_>,
    fonts: &Fonts<'_>,
    panel: Panel,
    node: Node<'_, '_>,
    belongs: &dyn Fn(&TextField) -> bool,
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
    match TextField::named(name).filter(belongs) {
        Some(field) if own(node, "code").is_some() => code(source, node, field).map(Element::Code),
        Some(field) => text(source, fonts, node, field).map(Element::Text),
        None => {
            let known: Vec<_> = field::names(belongs).collect();
            let fault = format!("no field is named \"{name}\" here");
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

/// Returns what is written in a text.
pub(crate) fn written(source: Source<'_>, node: Node<'_, '_>) -> Result<String, LayoutError> {
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
pub(crate) fn anchor(source: Source<'_>, node: Node<'_, '_>) -> Result<Anchor, LayoutError> {
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
    pub(crate) fn letters(
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

//! Reads a layout and proves it.

use roxmltree::{Document, Node, ParsingOptions};

use super::attributes::{Source, own, plain};
use super::fields::{Fonts, element};
use super::{Layout, MAX_TEXT, Part, art};
use crate::face::element::{Element, Frame};
use crate::face::error::LayoutError;
use crate::face::field::TextField;
use crate::face::lettering::Lettering;
use crate::face::panel::Panel;
use crate::face::zone::{HEIGHT, MARGIN, ZonePlace};

/// Most elements of a layout.
const NODES: u32 = 20_000;

/// Reads a layout.
pub(crate) fn layout(name: &str, text: &str) -> Result<Layout, LayoutError> {
    let source = Source { name, text };
    let document = xml(source)?;
    let root = document.root_element();
    source.only(root, &["dpi", "radius"])?;
    let (width, height) = size(source, root)?;
    let lettering = lettering(source, root)?;
    let fonts = Fonts {
        lettering: &lettering,
    };
    let mut parts: Vec<Part> = Vec::new();
    for node in root.children().filter(Node::is_element) {
        match node.tag_name().name() {
            "defs" | "title" | "desc" => no_fields(source, node)?,
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

/// Reads the XML of a layout, whose first element is `<svg>`.
pub(crate) fn xml(source: Source<'_>) -> Result<Document<'_>, LayoutError> {
    let Source { name, text } = source;
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
    match root.tag_name().name() {
        "svg" => Ok(document),
        _ => Err(source.at(root, "is no SVG", "the first element is <svg>")),
    }
}

/// Reads the typefaces.
pub(crate) fn lettering(source: Source<'_>, root: Node<'_, '_>) -> Result<Lettering, LayoutError> {
    Lettering::embedded().ok_or_else(|| {
        source.at(
            root,
            "the program's typefaces are damaged",
            "install the program anew",
        )
    })
}

/// Demands that no field stands in what is drawn elsewhere.
pub(crate) fn no_fields(source: Source<'_>, node: Node<'_, '_>) -> Result<(), LayoutError> {
    let mut inside = node.descendants();
    match inside.find(|node| own(*node, "field").is_some()) {
        None => Ok(()),
        Some(field) => {
            let fault = "a field stands on no panel";
            Err(source.at(field, fault, "put it into <g z:panel=\"…\">"))
        }
    }
}

/// Demands that nothing between a node and the root moves it.
pub(crate) fn unmoved(
    source: Source<'_>,
    root: Node<'_, '_>,
    node: Node<'_, '_>,
) -> Result<(), LayoutError> {
    let mut outer = node.ancestors().take_while(|ancestor| *ancestor != root);
    match outer.find_map(|ancestor| plain(ancestor, "transform")) {
        None => Ok(()),
        Some(moved) => {
            let fault = "a field is moved by a transformation";
            Err(source.of(&moved, fault, "give it its own x and y"))
        }
    }
}

/// Reads the size, which the unit of the drawing follows from.
pub(crate) fn size(source: Source<'_>, root: Node<'_, '_>) -> Result<(f32, f32), LayoutError> {
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
        unmoved(source, root, field)?;
        elements.push(element(
            source,
            fonts,
            panel,
            field,
            &TextField::is_of_face,
        )?);
    }
    Ok(Part {
        panel,
        art: art::tree(source, Some(fonts), (root, node), &[], &[])?,
        elements,
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

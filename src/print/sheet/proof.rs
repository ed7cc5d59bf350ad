//! Proves where the fields of a sheet stand.

use roxmltree::Node;

use super::kind::SheetKind;
use super::rows::Rows;
use crate::face::element::{Element, Frame, TextElement};
use crate::face::error::LayoutError;
use crate::face::field::TextField;
use crate::face::layout::attributes::{Source, own};
use crate::face::lettering::Lettering;

/// What printers of pages leave white, in mm.
const MARGIN: f32 = 5.0;

/// A field, and how it stands.
pub(super) struct Stand<'n, 'i> {
    pub(super) node: Node<'n, 'i>,
    pub(super) element: Element,
    pub(super) rows: Option<Rows>,
    /// Whether it is there under a condition.
    pub(super) when: bool,
}

/// Proves a layout's fields.
pub(super) fn prove(
    kind: SheetKind,
    source: Source<'_>,
    (root, paper): (Node<'_, '_>, (f32, f32)),
    lettering: &Lettering,
    stands: &[Stand<'_, '_>],
) -> Result<(), LayoutError> {
    for field in kind.needed() {
        let named = |stand: &&Stand<'_, '_>| {
            stand.element.field() == field.name() && matches!(stand.element, Element::Text(_))
        };
        let Some(stand) = stands.iter().find(named) else {
            let fault = format!("the {kind} does not say {field}");
            return Err(source.at(root, fault, "write it as a text: it must be on the paper"));
        };
        if stand.when || is_optional(&stand.element) {
            let fault = format!("{field} may be left out");
            let hint = "it must be on the paper: take z:when and z:optional out";
            return Err(source.at(stand.node, fault, hint));
        }
    }
    for stand in stands {
        on_paper(source, paper, stand)?;
        if let Some(rows) = &stand.rows {
            in_row(kind, source, rows, stand)?;
        }
    }
    match kind.is_covered() {
        true => covered(kind, source, (root, lettering), stands),
        false => Ok(()),
    }
}

fn is_optional(element: &Element) -> bool {
    match element {
        Element::Text(text) => text.optional,
        Element::Code(code) => code.optional,
        Element::Picture(picture) => picture.optional,
        Element::Zone(_) => false,
    }
}

fn on_paper(
    source: Source<'_>,
    (width, height): (f32, f32),
    stand: &Stand<'_, '_>,
) -> Result<(), LayoutError> {
    let place = stand.element.place();
    let (right, bottom) = (place.left + place.width, place.top + place.height);
    let is_on = place.left >= MARGIN
        && place.top >= MARGIN
        && right <= width - MARGIN
        && bottom <= height - MARGIN;
    match is_on {
        true => Ok(()),
        false => {
            let fault = format!(
                "the field {} reaches from {:.2}, {:.2} to {right:.2}, {bottom:.2} mm, beyond the edge",
                stand.element.field(),
                place.left,
                place.top
            );
            let hint = format!("between it and the edge stay {MARGIN} mm");
            Err(source.at(stand.node, fault, &hint))
        }
    }
}

/// Demands that a field stands within its row, so that no two rows meet, and that as many rows as
/// may be have room where there is one page.
fn in_row(
    kind: SheetKind,
    source: Source<'_>,
    rows: &Rows,
    stand: &Stand<'_, '_>,
) -> Result<(), LayoutError> {
    let place = stand.element.place();
    let (top, bottom) = (place.top, place.top + place.height);
    if top < rows.top - 0.01 || bottom > rows.top + rows.step + 0.01 {
        let fault = format!(
            "the field {} reaches from {top:.2} to {bottom:.2} mm, and the first row from {:.2} to {:.2}",
            stand.element.field(),
            rows.top,
            rows.top + rows.step
        );
        let hint = "draw the first row, between z:top and z:top + z:step";
        return Err(source.at(stand.node, fault, hint));
    }
    let room = rows.room(rows.top, rows.last.min(rows.bottom));
    match kind.one_page() {
        Some(most) if room < most => {
            let fault = format!("{room} rows have room, and there may be {most}");
            Err(source.at(stand.node, fault, "make z:step less, or z:bottom more"))
        }
        _ => Ok(()),
    }
}

/// Demands that the rows stand in the field that the printer covers, and nothing else does.
fn covered(
    kind: SheetKind,
    source: Source<'_>,
    (root, lettering): (Node<'_, '_>, &Lettering),
    stands: &[Stand<'_, '_>],
) -> Result<(), LayoutError> {
    let mut covers = root
        .descendants()
        .filter_map(|node| own(node, "cover").map(|_| node));
    let (Some(node), None) = (covers.next(), covers.next()) else {
        let fault = format!("a {kind} has one field that the printer covers");
        return Err(source.at(root, fault, "mark its rectangle: <rect z:cover=\"yes\" …>"));
    };
    let cover = source.rectangle(node)?;
    for stand in stands {
        let place = match &stand.rows {
            None => stand.element.place(),
            Some(rows) => Frame {
                top: rows.top,
                height: rows.bottom.max(rows.last) - rows.top,
                ..stand.element.place()
            },
        };
        let name = stand.element.field();
        match stand.rows {
            Some(_) if !is_inside(place, cover) => {
                let fault = format!("the field {name} does not stand in what the printer covers");
                return Err(source.at(
                    stand.node,
                    fault,
                    "draw it within the rectangle of z:cover",
                ));
            }
            None if place.meets(cover) => {
                let fault = format!("the field {name} stands in what the printer covers");
                return Err(source.at(stand.node, fault, "only the rows of PINs are covered"));
            }
            _ => {}
        }
        if let Element::Text(text) = &stand.element
            && text.field == TextField::PinDigits
        {
            digits(source, stand.node, lettering, text)?;
        }
        if let Element::Code(_) = stand.element
            && stand.rows.is_some()
        {
            let fault = "a secret is no bar code";
            return Err(source.at(stand.node, fault, "write it as a text"));
        }
    }
    Ok(())
}

/// Demands that the longest PIN has room in letters that do not shrink: none is printed smaller
/// than another.
fn digits(
    source: Source<'_>,
    node: Node<'_, '_>,
    lettering: &Lettering,
    text: &TextElement,
) -> Result<(), LayoutError> {
    let rules = &text.rules;
    let fits = |digit: char| {
        let longest = digit.to_string().repeat(SheetKind::DIGITS);
        rules.fit(lettering, text.field, &longest).is_ok()
    };
    match rules.least == rules.size && ('0'..='9').all(fits) {
        true => Ok(()),
        false => {
            let fault = format!("a PIN of {} digits has no room", SheetKind::DIGITS);
            Err(source.at(node, fault, "make z:width more, and take z:least out"))
        }
    }
}

fn is_inside(place: Frame, cover: Frame) -> bool {
    place.left >= cover.left
        && place.top >= cover.top
        && place.left + place.width <= cover.left + cover.width
        && place.top + place.height <= cover.top + cover.height
}

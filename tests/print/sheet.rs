//! Layouts of sheets: those that are shipped, and what is wrong with others.

use super::*;
use crate::face::LayoutError;

fn text(kind: SheetKind) -> String {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../firmware-profiles/sheets"
    );
    std::fs::read_to_string(format!("{folder}/{kind}.svg")).unwrap()
}

/// A shipped layout.
pub(crate) fn shipped(kind: SheetKind) -> SheetLayout {
    SheetLayout::parse(kind, &text(kind)).unwrap_or_else(|error| panic!("{error}"))
}

fn fault(kind: SheetKind, old: &str, new: &str) -> LayoutError {
    let sound = text(kind);
    assert!(sound.contains(old), "{old}");
    let spoiled = sound.replacen(old, new, 1);
    let read = SheetLayout::parse(kind, &spoiled);
    read.err().unwrap_or_else(|| panic!("{new} was taken"))
}

#[test]
fn every_sheet_has_a_layout_and_an_example() {
    for kind in SheetKind::ALL {
        let layout = shipped(kind);
        let pdf = layout.sample().unwrap();
        assert!(pdf.starts_with(b"%PDF-1.7"));
        assert_eq!(layout.sample().unwrap(), pdf, "the same bytes each time");
    }
}

#[test]
fn a_pin_stands_where_it_is_covered_or_the_layout_is_none() {
    let kind = SheetKind::PinEnvelope;
    for (old, new, expected) in [
        (" z:cover=\"yes\"", "", "one field that the printer covers"),
        (
            "<rect x=\"20\" y=\"200\"",
            "<rect x=\"20\" y=\"206\"",
            "pin.title does not stand in what",
        ),
        (
            "x=\"70\" y=\"209.6\"",
            "x=\"150\" y=\"209.6\"",
            "pin.digits does not stand in what",
        ),
        (
            "z:bottom=\"255\"",
            "z:bottom=\"262\"",
            "does not stand in what the printer covers",
        ),
        (
            "z:step=\"6.25\"",
            "z:step=\"9\"",
            "5 rows have room, and there may be 8",
        ),
        (
            "z:field=\"pin.digits\" z:width=\"46\"",
            "z:field=\"pin.digits\" z:width=\"20\"",
            "a PIN of 12 digits has no room",
        ),
        (
            "z:field=\"pin.digits\"",
            "z:field=\"pin.digits\" z:least=\"2\"",
            "a PIN of 12 digits has no room",
        ),
        (
            "z:field=\"pin.digits\"",
            "z:field=\"pin.digits\" z:optional=\"yes\"",
            "pin.digits may be left out",
        ),
        (
            "z:field=\"pin.digits\"",
            "z:field=\"pin.title\"",
            "the pin-envelope does not say pin.digits",
        ),
        (
            "z:field=\"envelope.number\"",
            "z:field=\"pin.digits\"",
            "no field is named \"pin.digits\" here",
        ),
        (
            "x=\"125\" y=\"69.2\"",
            "x=\"125\" y=\"205\"",
            "document.number stands in what the printer covers",
        ),
        (
            "<g z:rows=\"pins\"",
            "<g z:when=\"pin.transport\" z:rows=\"pins\"",
            "pin.title may be left out",
        ),
    ] {
        let error = fault(kind, old, new);
        assert!(error.fault.contains(expected), "{new}: {error}");
        assert!(
            error.line > 1 || error.fault.contains("cover") || error.fault.contains("does not say"),
            "{error}"
        );
        assert!(!error.hint.is_empty());
    }
}

#[test]
fn every_fault_has_its_place_and_says_what_to_do() {
    let kind = SheetKind::DispatchList;
    for (old, new, expected) in [
        ("</svg>", "", "is no XML"),
        (
            "<svg xmlns",
            "<svg z:dpi=\"300\" xmlns",
            "z:dpi is not known here",
        ),
        (
            "<g z:on=\"first\">",
            "<g z:on=\"odd\">",
            "no page is \"odd\"",
        ),
        (
            "<g z:on=\"last\">",
            "<rect z:on=\"last\"/><g>",
            "<rect> stands in no group",
        ),
        (
            "z:rows=\"documents\"",
            "z:rows=\"pins\"",
            "no rows are named \"pins\"",
        ),
        ("z:rows=\"documents\" ", "", "z:top is an edge of rows"),
        ("z:step=\"5.5\" ", "", "the rows have no z:step"),
        ("z:step=\"5.5\"", "z:step=\"0.1\"", "no room on every page"),
        ("z:last=\"221\"", "z:last=\"33\"", "no room on every page"),
        ("z:next=\"31\"", "z:next=\"270\"", "no room on every page"),
        (
            "<g z:rows",
            "<g z:on=\"first\" z:rows",
            "rows choose their pages themselves",
        ),
        (
            "<g z:when=\"parcel.way\">",
            "<g z:when=\"parcel.weight\">",
            "no text is named \"parcel.weight\" here",
        ),
        (
            "<g z:when=\"parcel.way\">",
            "<g z:only=\"parcel.way\">",
            "z:only is not known here",
        ),
        (
            "z:field=\"sheet.page\"",
            "z:field=\"holder.surname\"",
            "no field is named \"holder.surname\" here",
        ),
        (
            "z:field=\"sheet.page\"",
            "z:field=\"parcel.way\" z:optional=\"yes\"",
            "the dispatch-list does not say sheet.page",
        ),
        (
            "x=\"20\" y=\"88\"",
            "x=\"20\" y=\"92\"",
            "and the first row from 84.00 to 89.50",
        ),
        ("x=\"20\" y=\"286\"", "x=\"2\" y=\"286\"", "beyond the edge"),
        (
            "font-weight=\"700\">Nosūtāmo",
            "font-weight=\"700\" opacity=\"0.5\">Nosūtāmo",
            "a text has opacity",
        ),
        (
            ">Nosūtāmo",
            " transform=\"rotate(2)\">Nosūtāmo",
            "moved by a transformation",
        ),
        (
            ">Nosūtāmo",
            " font-family=\"OCR-B\" >NO",
            "no typeface OCR-B of weight 700",
        ),
        (
            "stroke=\"#000000\"",
            "stroke=\"#000000\" stroke-opacity=\"0.5\"",
            "seen through",
        ),
        (
            "<g z:on=\"last\">",
            "<g z:on=\"last\" opacity=\"0.5\">",
            "seen through, clipped or filtered",
        ),
        (
            "<g z:on=\"last\">",
            "<g z:on=\"last\"><image href=\"#a\"/>",
            "<image> does not belong",
        ),
    ] {
        let error = fault(kind, old, new);
        assert!(error.fault.contains(expected), "{new}: {error}");
        assert!(
            error.to_string().starts_with("dispatch-list.svg:"),
            "{error}"
        );
        assert!(!error.hint.is_empty());
    }
}

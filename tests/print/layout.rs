//! Layouts: those that are shipped, and what is wrong with others.

use std::collections::BTreeMap;

use document::mrz::Conventions;
use document::{
    BirthPlace, DocumentNumber, GivenNames, Holder, Image, Kind, Mrz, Nationality, PORTRAIT_LIMITS,
    PersonalCode, Record, Sex, Surname,
};
use jiff::civil::date;

use super::*;
use crate::face::error::FaceError;
use crate::face::facts::Facts;
use crate::face::field::TextField;
use crate::face::panel::RasterForm;
use crate::face::render::Rendering;

const SOUND: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" xmlns:z="urn:zimogs:layout:1"
    width="85.6mm" height="53.98mm" viewBox="0 0 85.6 53.98" z:dpi="300" z:radius="3.18">
<defs><linearGradient id="sky"><stop offset="0" stop-color="#ffffff"/></linearGradient></defs>
<g z:panel="preprint"><rect width="85" height="53" fill="url(#sky)"/></g>
<g z:panel="black" font-size="2.5">
<text x="4" y="8">Uzvārds</text>
<text x="4" y="12" z:field="holder.surname" z:width="40" z:lines="2" z:least="1.5">A</text>
<rect x="60" y="5" width="20" height="20" z:field="document.number" z:code="qr"/>
<rect x="4.5" y="35.3" width="75" height="14" z:field="document.mrz" z:format="td1"/>
</g>
</svg>
"##;

fn shipped() -> Vec<Layout> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../firmware-profiles/faces");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let read = |path: std::path::PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(path).unwrap();
        Layout::parse(&name, &text).unwrap_or_else(|error| panic!("{error}"))
    };
    paths.into_iter().map(read).collect()
}

/// A grey portrait as simple as they come.
fn portrait() -> Image {
    let mut file = Vec::new();
    let mut encoder = ::png::Encoder::new(&mut file, 300, 400);
    encoder.set_color(::png::ColorType::Grayscale);
    let mut writer = encoder.write_header().unwrap();
    let pixels: Vec<u8> = (0..300 * 400)
        .map(|at| (at / 300 * 255 / 400) as u8)
        .collect();
    writer.write_image_data(&pixels).unwrap();
    drop(writer);
    Image::recognise(file, PORTRAIT_LIMITS).unwrap()
}

fn record(kind: Kind, surname: &str, given_names: &str) -> Record {
    Record {
        number: DocumentNumber::parse("XA0000001").unwrap(),
        kind,
        issued: date(2026, 3, 1),
        expires: date(2031, 2, 28),
        holder: Holder {
            surname: Surname::parse(surname).unwrap(),
            given_names: GivenNames::parse(given_names).unwrap(),
            personal_code: PersonalCode::parse("121282-88882").unwrap(),
            birth_date: date(1982, 12, 12),
            sex: Sex::Female,
            nationality: Nationality::LATVIA,
            birth_place: Some(BirthPlace::parse(&"W".repeat(50)).unwrap()),
        },
        certificates: false,
        prepared: BTreeMap::new(),
    }
}

fn facts(kind: Kind, surname: &str, given_names: &str) -> Facts {
    let record = record(kind, surname, given_names);
    let zone = Conventions::of(kind).map(|how| Mrz::of(&record, &how).unwrap());
    Facts::of(&record, zone, "PMLP", portrait(), None)
}

fn kinds(layout: &Layout) -> Vec<Kind> {
    let format = layout.zone.map(|zone| zone.format);
    let all = Kind::ALL.iter().copied();
    all.filter(|kind| match format {
        Some(format) => kind.mrz().is_some_and(|(own, _)| own == format),
        None => true,
    })
    .collect()
}

const QUICK: Rendering = Rendering {
    dots: 150,
    specimen: true,
};

#[test]
fn any_name_that_a_holder_may_have_is_printed_on_every_layout() {
    for layout in shipped() {
        if layout.fields().contains(&"parcel.number") {
            continue;
        }
        for kind in kinds(&layout) {
            for letter in ["W", "Œ", "M", "Ŵ", "Ж"] {
                let surname = letter.repeat(document::SURNAME_LIMIT);
                let given_names = letter.repeat(document::GIVEN_NAMES_LIMIT);
                let (Ok(_), Ok(_)) = (Surname::parse(&surname), GivenNames::parse(&given_names))
                else {
                    continue;
                };
                let facts = facts(kind, &surname, &given_names);
                let rendered = layout.render(&facts, QUICK);
                assert!(
                    rendered.is_ok(),
                    "{layout:?} {kind}: {}",
                    rendered.unwrap_err()
                );
            }
        }
    }
}

#[test]
fn every_kind_with_a_zone_has_a_layout_that_shows_it() {
    let shipped = shipped();
    for kind in Kind::ALL.iter().filter(|kind| kind.mrz().is_some()) {
        assert!(
            shipped
                .iter()
                .any(|layout| layout.zone.is_some() && kinds(layout).contains(kind)),
            "{kind}"
        );
    }
}

#[test]
fn the_same_face_is_the_same_dots_and_panels_have_their_forms() {
    let layout = Layout::parse("sound", SOUND).unwrap();
    let facts = facts(Kind::IdCard, "Izdomāta", "Anna");
    let how = Rendering {
        dots: 300,
        specimen: false,
    };
    let (one, other) = (
        layout.render(&facts, how).unwrap(),
        layout.render(&facts, how).unwrap(),
    );
    assert!(one.panels == other.panels);
    let [(Panel::Black, raster)] = one.panels.as_slice() else {
        panic!("{:?}", one.panels)
    };
    assert_eq!(
        (raster.width, raster.height, raster.form),
        (1011, 638, RasterForm::Bits)
    );
    assert_eq!(raster.bytes.len(), raster.stride() * 638);
    // The zone's first line: ink from its top on, and none left of its first character.
    let row = |millimetres: f32| {
        let row = (millimetres / 25.4 * 300.0) as usize;
        let stride = raster.stride();
        raster.bytes[row * stride..(row + 1) * stride].to_vec()
    };
    let inked = |millimetres: f32| row(millimetres).iter().any(|byte| *byte != 0);
    assert!(!inked(34.9) && inked(36.5) && inked(48.8) && !inked(49.8));
    let left = (4.4 / 25.4 * 300.0 / 8.0) as usize;
    assert!((35..50).all(|at| row(at as f32)[..left].iter().all(|byte| *byte == 0)));
    let larger = layout
        .render(
            &facts,
            Rendering {
                dots: 600,
                specimen: false,
            },
        )
        .unwrap();
    assert_eq!(
        (larger.panels[0].1.width, larger.panels[0].1.height),
        (2022, 1275)
    );
}

#[test]
fn specimen_is_seen_and_leaves_the_zone_alone() {
    for layout in shipped() {
        let kind = kinds(&layout)[0];
        let mut facts = facts(kind, "Izdomāta", "Anna");
        for field in TextField::ALL {
            if facts.text(*field).is_none() {
                facts.set(*field, "PC0000001");
            }
        }
        let render = |specimen| {
            layout
                .render(
                    &facts,
                    Rendering {
                        dots: 150,
                        specimen,
                    },
                )
                .unwrap()
        };
        let (plain, marked) = (render(false), render(true));
        assert!(plain.panels != marked.panels, "{layout:?}");
        if layout.zone.is_none() {
            continue;
        }
        for ((_, plain), (_, marked)) in plain.panels.iter().zip(&marked.panels) {
            let first = ((layout.height - 23.2) / 25.4 * 150.0).ceil() as usize + 1;
            let skip = first * plain.stride();
            assert!(plain.bytes[skip..] == marked.bytes[skip..], "{layout:?}");
        }
    }
}

#[test]
fn what_is_missing_or_of_another_format_is_named() {
    let layout = Layout::parse("sound", SOUND).unwrap();
    let mut of_passport = facts(Kind::Passport, "Izdomāta", "Anna");
    assert_eq!(
        layout.render(&of_passport, QUICK).unwrap_err().to_string(),
        "document.mrz: the layout has the zone of a td1, and the document's is a td3; name another \
         layout in the document profile"
    );
    of_passport.set(TextField::Surname, " ");
    assert_eq!(
        layout.render(&of_passport, QUICK).unwrap_err(),
        FaceError::Missing {
            field: "holder.surname"
        }
    );
    let none = layout.render(
        &of_passport,
        Rendering {
            dots: 72,
            specimen: false,
        },
    );
    assert_eq!(none.unwrap_err(), FaceError::Resolution { dots: 72 });
}

#[test]
fn every_fault_has_its_place_and_says_what_to_do() {
    assert!(Layout::parse("sound", SOUND).is_ok());
    for (old, new, place, fault) in [
        ("</svg>", "", "1:1", "is no XML"),
        (
            "<svg xmlns",
            "<!DOCTYPE svg [<!ENTITY a \"b\">]><svg xmlns",
            "1:1",
            "is no XML",
        ),
        ("85.6mm", "85.6", "1:1", "no size in millimetres"),
        (
            "0 0 85.6 53.98",
            "0 0 856 539.8",
            "1:1",
            "unit of the drawing",
        ),
        ("z:dpi=\"300\"", "z:dpi=\"72\"", "1:1", "z:dpi is 72"),
        ("z:radius", "z:round", "2:", "z:round is not known"),
        (
            "z:panel=\"preprint\"",
            "z:panel=\"gold\"",
            "4:",
            "no panel is named \"gold\"",
        ),
        (
            "z:panel=\"preprint\"",
            "z:panel=\"laser\"",
            "5:1",
            "stands after \"laser\"",
        ),
        (
            "z:panel=\"black\"",
            "z:panel=\"overlay\"",
            "7:1",
            "a field stands on the panel overlay",
        ),
        (
            "url(#sky)",
            "url(other.svg#sky)",
            "4:",
            "outside of the layout",
        ),
        (
            "<rect width=\"85\"",
            "<image width=\"85\"",
            "4:",
            "<image> does not belong",
        ),
        (
            "<rect width=\"85\"",
            "<script>x</script><rect width=\"85\"",
            "4:",
            "<script> does not belong",
        ),
        (">Uzvārds<", "><", "6:1", "the text is empty"),
        (">Uzvārds<", ">Жук<", "6:1", "the typeface has no 'Ж'"),
        (
            "holder.surname",
            "holder.name",
            "7:",
            "no field is named \"holder.name\"",
        ),
        (" z:width=\"40\"", "", "7:1", "how wide it is"),
        (
            "z:least=\"1.5\"",
            "z:least=\"0.3\"",
            "7:1",
            "z:least is 0.3",
        ),
        ("z:lines=\"2\"", "z:lines=\"1.5\"", "7:1", "z:lines is 1.5"),
        (
            "z:lines=\"2\"",
            "z:fit=\"squeeze\"",
            "7:",
            "no rule is named \"squeeze\"",
        ),
        (
            "x=\"4\" y=\"12\"",
            "x=\"four\" y=\"12\"",
            "7:",
            "\"four\" is no number",
        ),
        (
            "x=\"4\" y=\"12\"",
            "x=\"50\" y=\"12\"",
            "7:1",
            "beyond the edge",
        ),
        (
            "x=\"4\" y=\"12\"",
            "x=\"4\" y=\"29\"",
            "7:1",
            "into the machine readable zone",
        ),
        (
            "z:code=\"qr\"",
            "z:code=\"aztec\"",
            "8:1",
            "no bar code is named so",
        ),
        (
            "z:format=\"td1\"",
            "z:format=\"mrv-a\"",
            "9:1",
            "is of a visa",
        ),
        ("z:format=\"td1\"", "z:format=\"td3\"", "9:1", "125 x 88 mm"),
        (
            "x=\"4.5\"",
            "x=\"2.5\"",
            "9:1",
            "begins 2.5 mm from the left edge",
        ),
        (
            "y=\"35.3\"",
            "y=\"29.3\"",
            "9:1",
            "the zone must stand between",
        ),
        (
            "height=\"14\"",
            "height=\"6\"",
            "9:1",
            "the lines of the zone stand",
        ),
        (
            "<g z:panel=\"preprint\">",
            "<g z:panel=\"preprint\"><use href=\"#sky\"/>",
            "",
            "",
        ),
        (
            "<defs>",
            "<defs><use href=\"#sky\"/>",
            "3:7",
            "<use> stands in <defs>",
        ),
        (
            "<defs>",
            "<defs><rect z:field=\"document.number\"/>",
            "3:7",
            "a field stands on no panel",
        ),
        (
            "<defs>",
            "<circle r=\"4\"/><defs>",
            "3:1",
            "<circle> stands in no panel",
        ),
        (
            "<text x=\"4\" y=\"12\"",
            "<text transform=\"rotate(4)\" x=\"4\" y=\"12\"",
            "7:",
            "moved by a transformation",
        ),
    ] {
        assert!(SOUND.contains(old), "{old}");
        let spoiled = SOUND.replacen(old, new, 1);
        let read = Layout::parse("spoiled", &spoiled);
        if fault.is_empty() {
            assert!(read.is_ok(), "{new}: {:?}", read.err());
            continue;
        }
        let error = read.err().unwrap_or_else(|| panic!("{new} was taken"));
        let said = error.to_string();
        assert!(
            said.starts_with(&format!("spoiled.svg:{place}")),
            "{new}: {said}"
        );
        assert!(error.fault.contains(fault), "{new}: {said}");
        assert!(!error.hint.is_empty());
    }
    let long = SOUND.replace("</svg>", &format!("{}</svg>", " ".repeat(MAX_TEXT)));
    assert!(
        Layout::parse("long", &long)
            .unwrap_err()
            .fault
            .contains("longer than")
    );
}

//! The rules by which texts fit.

use proptest::prelude::*;

use super::*;

fn rules(order: Order, width: f32, lines: usize) -> Rules {
    Rules {
        style: Style::Regular,
        size: 2.6,
        least: 1.8,
        spacing: 0.0,
        width,
        lines,
        order,
    }
}

fn lettering() -> Lettering {
    Lettering::embedded().unwrap()
}

fn fit(rules: Rules, text: &str) -> Result<(f32, Vec<String>), FaceError> {
    let lettering = lettering();
    let fitted = rules.fit(&lettering, TextField::GivenNames, text)?;
    let lines = fitted.lines.iter().map(ToString::to_string).collect();
    Ok((fitted.size, lines))
}

#[test]
fn what_fits_stays_as_it_is() {
    for order in [Order::Shrink, Order::Break] {
        let (size, lines) = fit(rules(order, 40.0, 2), "PARAUDZĪTE").unwrap();
        assert_eq!((size, lines), (2.6, vec!["PARAUDZĪTE".to_owned()]));
    }
}

#[test]
fn the_order_says_what_is_tried_first() {
    let name = "PIRMAISIZDOMĀTAIS OTRAISIZDOMĀTAISVS";
    let (size, lines) = fit(rules(Order::Break, 40.0, 2), name).unwrap();
    assert_eq!((size, lines.len()), (2.6, 2));
    let (size, lines) = fit(rules(Order::Shrink, 40.0, 2), name).unwrap();
    assert!(size < 2.6 && lines.len() == 1, "{size} {lines:?}");
    // Where one line never does, smaller letters were of no use: two at the full size.
    let (size, lines) = fit(rules(Order::Shrink, 26.0, 2), name).unwrap();
    assert_eq!((size, lines.len()), (2.6, 2));
}

#[test]
fn a_hyphen_ends_a_line_and_a_name_is_never_cut() {
    let name = "PĀRGARIZDOMĀTAIS-NEESOŠAISUZVĀRD";
    let (_, lines) = fit(rules(Order::Break, 25.0, 2), name).unwrap();
    assert_eq!(lines, ["PĀRGARIZDOMĀTAIS-", "NEESOŠAISUZVĀRD"]);
    let whole = name.replace('-', "");
    let refused = fit(rules(Order::Break, 25.0, 2), &whole).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "holder.given-names: does not fit in 25 mm x 2 line(s) down to letters of 1.8 mm; widen the \
         field in the layout, or allow smaller letters or more lines"
    );
}

#[test]
fn a_letter_that_the_typeface_lacks_is_named() {
    assert_eq!(
        fit(rules(Order::Break, 25.0, 2), "ANNA Ж"),
        Err(FaceError::Letter {
            field: TextField::GivenNames,
            character: 'Ж'
        })
    );
}

#[test]
fn the_typefaces_have_every_letter_of_a_name() {
    let lettering = lettering();
    let letters: String = (' '..='\u{1EFF}')
        .filter(|letter| document::is_name_letter(*letter))
        .collect();
    assert!(letters.chars().count() > 150);
    for style in [Style::Light, Style::Regular, Style::Bold] {
        let width = lettering.width(style, 1.0, 0.0, &letters.to_uppercase());
        assert!(
            width.is_ok_and(|width| width > 50.0),
            "{style:?}: {width:?}"
        );
    }
    let zone = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789<";
    let width = lettering.width(Style::OcrB, 1.0, 0.0, zone).unwrap();
    // One pitch for all of them.
    let pitch = lettering.width(Style::OcrB, 1.0, 0.0, "<").unwrap();
    assert!((width - 37.0 * pitch).abs() < 1e-4);
}

proptest! {
    #[test]
    fn nothing_is_lost_cut_or_wider_than_its_line(
        words in prop::collection::vec("[A-ZĀČĒĢĪĶĻŅŠŪŽ]{1,14}(-[A-ZĀČĒĢĪĶĻŅŠŪŽ]{1,14})?", 1..6),
        width in 8.0_f32..60.0,
        lines in 1_usize..4,
        shrink: bool,
    ) {
        let text = words.join(" ");
        let order = if shrink { Order::Shrink } else { Order::Break };
        let rules = rules(order, width, lines);
        let lettering = lettering();
        match rules.fit(&lettering, TextField::Surname, &text) {
            Ok(fitted) => {
                // The same letters in the same order, with nothing between but blanks.
                let joined: String = fitted.lines.concat().split_whitespace().collect();
                prop_assert_eq!(joined, text.replace(' ', ""));
                prop_assert!(fitted.lines.len() <= lines);
                prop_assert!(fitted.size >= rules.least && fitted.size <= rules.size);
                for line in &fitted.lines {
                    let wide = lettering.width(rules.style, fitted.size, 0.0, line).unwrap();
                    prop_assert!(wide <= width, "{} mm in {} mm", wide, width);
                    // A line ends at the end of a word or behind a hyphen.
                    let whole = line.ends_with('-')
                        || line.split(' ').next_back().is_some_and(|last| {
                            words.iter().any(|word| word.split('-').any(|part| last.ends_with(part)))
                        });
                    prop_assert!(whole, "{:?}", line);
                }
            }
            Err(FaceError::Room { .. }) => {
                // Even at the least size: one word that is too wide, or too many lines.
                let least = Rules { size: rules.least, lines: usize::from(u16::MAX), ..rules };
                let needed = least.fit(&lettering, TextField::Surname, &text);
                prop_assert!(needed.is_err() || needed.is_ok_and(|needed| needed.lines.len() > lines));
            }
            Err(other) => prop_assert!(false, "{other}"),
        }
    }

    #[test]
    fn more_room_never_makes_letters_smaller(
        words in prop::collection::vec("[A-ZĀČĒĢĪĶĻŅŠŪŽ]{1,14}", 1..5),
        width in 8.0_f32..40.0,
        more in 0.0_f32..20.0,
    ) {
        let text = words.join(" ");
        let lettering = lettering();
        let narrow = rules(Order::Break, width, 2);
        let wide = Rules { width: width + more, ..narrow };
        if let Ok(narrow) = narrow.fit(&lettering, TextField::Surname, &text) {
            let wide = wide.fit(&lettering, TextField::Surname, &text).unwrap();
            prop_assert!(wide.size >= narrow.size);
        }
    }
}

use std::io::Write;
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;

/// Reads XML with Python's expat, and returns every text of it.
fn texts(svg: &str) -> Vec<String> {
    let program = "import json, sys, xml.etree.ElementTree as tree\n\
        root = tree.fromstring(sys.stdin.buffer.read())\n\
        assert root.tag == '{http://www.w3.org/2000/svg}svg', root.tag\n\
        json.dump([text for text in root.itertext() if text.strip()], sys.stdout)";
    let mut python = Command::new("python3")
        .args(["-c", program])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = python.stdin.take().unwrap();
    input.write_all(svg.as_bytes()).unwrap();
    drop(input);
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "no well-formed XML");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn panel(categories: &[&str], values: &[Option<u64>]) -> Panel {
    Panel {
        title: "Passports".into(),
        categories: categories.iter().map(|&name| name.to_owned()).collect(),
        series: vec![Series {
            name: "Issued".into(),
            style: Style::Solid,
            values: values.to_vec(),
        }],
        mark: None,
        axis: None,
    }
}

fn chart(panels: Vec<Panel>) -> Chart {
    Chart {
        title: "Documents & plan <2026>".into(),
        panels,
        language: Language::English,
    }
}

#[test]
fn every_figure_is_drawn_said_and_described() {
    let standing = panel(&["2025", "2026"], &[Some(113_998), Some(12_026)]);
    let lying = panel(&["torn out while it was written"], &[Some(4_810)]);
    let svg = chart(vec![standing, lying]).svg();
    let texts = texts(&svg);
    for figure in ["113\u{a0}998", "12\u{a0}026", "4\u{a0}810"] {
        let drawn = texts.iter().any(|text| text == figure);
        let said = texts
            .iter()
            .any(|text| text.ends_with(&format!("Issued {figure}")));
        let described = texts[1].contains(figure);
        assert!(drawn && said && described, "{figure}: {texts:?}");
    }
    assert_eq!(texts[0], "Documents & plan <2026>");
    assert!(svg.contains("role=\"img\"") && svg.contains("xml:lang=\"en\""));
    assert!(!svg.contains("href") && !svg.contains("<script") && !svg.contains("@import"));
}

#[test]
fn nothing_to_draw_is_said() {
    assert!(texts(&chart(Vec::new()).svg()).contains(&"No figures in this time".to_owned()));
}

#[test]
fn steps_are_round_and_reach_the_largest() {
    assert_eq!(steps(1), [0, 1]);
    assert_eq!(steps(7), [0, 2, 4, 6, 8]);
    assert_eq!(steps(113_998), [0, 50_000, 100_000, 150_000]);
    assert_eq!(
        steps(420_500),
        [0, 100_000, 200_000, 300_000, 400_000, 500_000]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn any_names_and_figures_make_well_formed_xml(
        names in prop::collection::vec(any::<String>(), 0..40),
        largest in 0_u64..=u64::MAX,
    ) {
        let values = vec![Some(largest); names.len()];
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let mut panel = panel(&names, &values);
        panel.title = names.concat();
        let svg = chart(vec![panel]).svg();
        prop_assert!(!texts(&svg).is_empty());
        // Every step is a step on, and the last is enough.
        let steps = steps(largest.max(1));
        prop_assert!(steps.windows(2).all(|pair| pair[0] < pair[1]) || largest > u64::MAX / 2);
        prop_assert!(steps.len() <= 7);
    }
}

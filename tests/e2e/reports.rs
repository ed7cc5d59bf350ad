//! The reports of the command line: table, JSON, CSV and chart tell the same figures, against the plan.

use std::fs;

use serde_json::{Value, json};

use crate::world::{JUDGED, Ran};

fn report(arguments: &[&str]) -> Ran {
    let mut command = JUDGED.command(&[&["report"], arguments].concat());
    Ran::of(command.arg("--data").arg(&JUDGED.data).output().unwrap())
}

/// The lines of a table as CSV, each by its columns. No field of these has quotes.
fn lines(csv: &str) -> Vec<serde_json::Map<String, Value>> {
    let mut lines = csv.lines();
    let columns: Vec<&str> = lines.next().unwrap().split(',').collect();
    let read = |line: &str| {
        let fields = columns.iter().zip(line.split(','));
        fields
            .map(|(column, field)| ((*column).to_owned(), json!(field)))
            .collect()
    };
    lines.map(read).collect()
}

#[test]
fn what_was_issued_is_told_against_the_plan_in_every_shape() {
    let made = JUDGED.report["totals"]["personalized"].as_u64().unwrap();
    assert!(made > 0);
    let year = jiff::Zoned::now().year().to_string();
    let folder = tempfile::tempdir().unwrap();
    let plan = folder.path().join("plan.toml");
    let text = format!(
        "format = 1\n[[groups]]\nname = \"cards\"\ntitle = \"Cards\"\ntitle_lv = \"Kartes\"\nkinds = [\"id-card\"]\nplanned = {{ \"{year}\" = 2000 }}\n"
    );
    fs::write(&plan, text).unwrap();
    let plan = plan.to_str().unwrap();
    let kpi = |more: &[&str]| {
        let some = ["kpi", "--year", &year, "--by", "year", "--plan", plan];
        report(&[&some[..], more].concat())
    };
    let whole = kpi(&["--json"]).ends(0).json();
    assert_eq!(
        (&whole["report"], &whole["by"]),
        (&json!("kpi"), &json!("year"))
    );
    let rows = whole["tables"]["issued"].as_array().unwrap();
    let total = rows.iter().find(|row| row["group"] == "total").unwrap();
    assert_eq!(total["made"], made, "{whole:#}");
    let cards = rows.iter().find(|row| row["group"] == "cards").unwrap();
    assert_eq!(cards["planned"], 2000);

    let csv = kpi(&["--csv"]).ends(0).out;
    let same = lines(&csv);
    assert_eq!(same.len(), rows.len());
    for (line, row) in same.iter().zip(rows) {
        for column in ["year", "group"] {
            assert_eq!(line[column], row[column], "{csv}");
        }
        assert_eq!(line["made"], row["made"].to_string(), "{csv}");
    }
    let table = kpi(&["--language", "lv"]).ends(0).out;
    assert!(table.contains("Kartes") && table.contains(&year), "{table}");

    let chart = folder.path().join("issued.svg");
    let file = chart.to_str().unwrap();
    kpi(&["--svg", file]).ends(0);
    let svg = fs::read_to_string(&chart).unwrap();
    assert!(
        svg.trim_start().starts_with("<svg") || svg.contains("<svg "),
        "{svg}"
    );
    assert!(svg.contains("Cards"), "the plan's group is in the chart");
    // A file that is there is another's.
    kpi(&["--svg", file]).ends(4);
    assert_eq!(fs::read_to_string(&chart).unwrap(), svg);
}

#[test]
fn the_other_reports_have_their_tables_and_their_errors() {
    let year = jiff::Zoned::now().year().to_string();
    for (name, dated) in [
        ("turnaround", true),
        ("quality", true),
        ("stock", false),
        ("numbers", false),
    ] {
        let mut some = vec![name];
        if dated {
            some.extend(["--year", &year]);
        }
        let whole = report(&[&some[..], &["--json"]].concat()).ends(0).json();
        assert_eq!(whole["report"], name);
        let tables = whole["tables"].as_object().unwrap();
        assert!(!tables.is_empty(), "{name}");
        for (table, rows) in tables {
            let csv = [&some[..], &["--csv", "--table", table]].concat();
            let csv = report(&csv).ends(0).out;
            let rows = rows.as_array().unwrap().len();
            assert_eq!(csv.lines().count(), rows + 1, "{name} {table}: {csv}");
        }
        report(&[&some[..], &["--table", "no-such-table"]].concat()).ends(2);
        report(&[&some[..], &["--csv", "--json"]].concat()).ends(2);
        report(&[&some[..], &["--as", "clerk"]].concat()).ends(4);
    }
    report(&["kpi", "--from", "2026-02-01", "--to", "2026-01-01"]).ends(2);
    report(&["kpi", "--year", "2026", "--from", "2026-01-01"]).ends(2);
    report(&["kpi", "--plan", "no-such-file.toml"]).ends(2);
    report(&["kpi", "--by", "colour"]).ends(2);
}

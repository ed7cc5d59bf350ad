//! Tables as comma-separated values, *RFC 4180*.

use crate::table::Table;

/// Returns a table in *RFC 4180*: a header line with the columns' keys, lines that end in CR LF,
/// quotes where they are needed. The text is UTF-8.
///
/// A text that a spreadsheet would take for a formula begins with an apostrophe, as these programs
/// have it: causes are what stations and people wrote.
#[must_use]
pub fn csv(table: &Table) -> String {
    let mut text = String::new();
    line(
        &mut text,
        table.columns.iter().map(|column| column.key.to_owned()),
    );
    for row in &table.rows {
        line(
            &mut text,
            row.iter().map(|cell| match cell.is_figure() {
                true => cell.plain(),
                false => harmless(cell.plain()),
            }),
        );
    }
    text
}

fn harmless(text: String) -> String {
    match text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{text}"),
        false => text,
    }
}

fn line(text: &mut String, fields: impl Iterator<Item = String>) {
    for (place, field) in fields.enumerate() {
        if place > 0 {
            text.push(',');
        }
        if field.contains([',', '"', '\r', '\n']) || field.starts_with(' ') || field.ends_with(' ')
        {
            text.push('"');
            text.push_str(&field.replace('"', "\"\""));
            text.push('"');
        } else {
            text.push_str(&field);
        }
    }
    text.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use proptest::prelude::*;

    use super::*;
    use crate::table::Cell;

    /// Reads CSV with Python's own reader, which gives rows as JSON.
    fn read(text: &str) -> Vec<Vec<String>> {
        let program = "import csv, io, json, sys\n\
            text = sys.stdin.buffer.read().decode('utf-8')\n\
            json.dump(list(csv.reader(io.StringIO(text, newline=''), strict=True)), sys.stdout)";
        let mut python = Command::new("python3")
            .args(["-c", program])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = python.stdin.take().unwrap();
        input.write_all(text.as_bytes()).unwrap();
        drop(input);
        let output = python.wait_with_output().unwrap();
        assert!(output.status.success());
        serde_json::from_slice(&output.stdout).unwrap()
    }

    #[test]
    fn an_independent_reader_reads_it_back() {
        let mut table = Table::new(
            "causes",
            "Causes",
            &[("cause", "Cause"), ("blanks", "Blanks")],
        );
        let causes = [
            "torn, twice",
            "the chip said \"6A80\"",
            "two\r\nlines",
            "ģīmetne nav salasāma",
            " spaces ",
            "",
        ];
        for cause in causes {
            table
                .rows
                .push(vec![Cell::Text(cause.into()), Cell::Count(1_200)]);
        }
        table
            .rows
            .push(vec![Cell::Nothing, Cell::Share { part: 1, of: 3 }]);
        let text = csv(&table);
        assert!(text.ends_with("\r\n"));
        let rows = read(&text);
        assert_eq!(rows[0], ["cause", "blanks"]);
        for (row, cause) in rows[1..].iter().zip(causes) {
            assert_eq!(row, &[cause, "1200"]);
        }
        assert_eq!(rows[7], ["", "0.3333"]);
    }

    #[test]
    fn no_text_becomes_a_formula() {
        let mut table = Table::new("causes", "Causes", &[("cause", "Cause")]);
        table
            .rows
            .push(vec![Cell::Text("=HYPERLINK(\"x\")".into())]);
        assert_eq!(read(&csv(&table))[1], ["'=HYPERLINK(\"x\")"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]
        #[test]
        fn any_text_comes_back(texts in prop::collection::vec("[^\0]{0,12}", 1..60)) {
            let mut table = Table::new("t", "T", &[("a", "A"), ("b", "B")]);
            for text in &texts {
                table.rows.push(vec![Cell::Text(text.clone()), Cell::Text(text.clone())]);
            }
            let rows = read(&csv(&table));
            prop_assert_eq!(rows.len(), texts.len() + 1);
            for (row, text) in rows[1..].iter().zip(&texts) {
                let shown = harmless(text.clone());
                prop_assert_eq!(row, &vec![shown.clone(), shown]);
            }
        }
    }
}

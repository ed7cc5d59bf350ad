//! Personal data at rest: every value opens under its own key, and what was erased has none.

use std::collections::HashMap;

use document::DataClass;
use futures_util::TryStreamExt as _;
use sqlx::{AssertSqlSafe, Row};

use super::{Findings, Rule};
use crate::cells::{Cell, DataKey};
use crate::central::Central;
use crate::certificate_contents::{certificate_cell, register_cell};
use crate::database::Connection;
use crate::error::Result;
use crate::personal::{biometric_cell, content_cell, decoded, document_cell, signed_cell};
use crate::protection::{KeyOf, open};
use crate::refused_packages;
use crate::statements::{assembled, sql};
use crate::told_lines;

/// How many subjects are looked at in one statement.
const PAGE: i64 = 512;

/// An encrypted value: whose it is, its place, and what is stored there.
struct Value {
    subject: String,
    column: &'static str,
    /// The row's key, where it is not the subject.
    row: String,
    sealed: Vec<u8>,
}

/// Opens every encrypted value, without looking into it.
pub(super) async fn audit(
    central: &Central,
    tx: &mut Connection,
    findings: &mut Findings<'_>,
) -> Result<()> {
    for &class in DataClass::SEALED {
        keys(central, tx, class, findings).await?;
        keyless(tx, class, findings).await?;
    }
    Ok(())
}

/// Unwraps each key of a class, and opens with it what it encrypts.
async fn keys(
    central: &Central,
    tx: &mut Connection,
    class: DataClass,
    findings: &mut Findings<'_>,
) -> Result<()> {
    let mut after = String::new();
    loop {
        let protection = central.protection();
        let keys = protection.keys_after(tx, class, &after, PAGE).await?;
        let Some(last) = keys.last() else {
            return Ok(());
        };
        let from = std::mem::replace(&mut after, last.subject.clone());
        let subjects = keys.iter().map(|key| (key.subject.clone(), Vec::new()));
        let mut of_page: HashMap<String, Vec<Value>> = subjects.collect();
        values(tx, class, (&from, &after), &mut of_page).await?;
        findings.passed(keys.len() as u64);
        for key in keys {
            let values = of_page.remove(&key.subject).unwrap_or_default();
            judge(class, &key, &values, findings);
        }
    }
}

/// Judges one key, and what it encrypts.
fn judge(class: DataClass, key: &KeyOf, values: &[Value], findings: &mut Findings<'_>) {
    let KeyOf {
        subject,
        under,
        key,
    } = key;
    let mut fault = |fault| findings.fault(Rule::Protection, fault);
    if matches!(under.as_str(), "planned" | "waiting" | "destroyed") {
        fault(format!(
            "the {class} key of {subject} is wrapped under one that is {under}"
        ));
    }
    if values.is_empty() {
        fault(format!(
            "a {class} key of {subject} is left, and nothing that it encrypts"
        ));
    }
    match key {
        None => fault(format!("the {class} key of {subject} does not open")),
        Some(key) => {
            for value in values.iter().filter(|value| !opens(key, class, value)) {
                fault(format!(
                    "{} of {subject} does not open under its key",
                    value.column
                ));
            }
            findings.checked(Rule::Protection, values.len() as u64);
        }
    }
    findings.checked(Rule::Protection, 1);
}

fn opens(key: &DataKey, class: DataClass, value: &Value) -> bool {
    let cell = match class {
        DataClass::Identity => content_cell(&value.subject),
        DataClass::Biometrics if value.column == "signed_lds.files" => {
            signed_cell(&value.subject, &value.row)
        }
        DataClass::Biometrics => biometric_cell(&value.subject, bare(value.column)),
        DataClass::Record => match value.column.split_once('.') {
            Some(("certificate", column)) => certificate_cell(&value.subject, &value.row, column),
            Some(("authority_register", _)) => register_cell(&value.subject, &value.row),
            Some(("told_line", _)) => told_lines::cell(&value.subject, &value.row),
            _ => document_cell(&value.subject, &value.row, bare(value.column)),
        },
        DataClass::RefusedPackage => refused_packages::cell(&value.subject),
        DataClass::Evidence | DataClass::Log => return false,
    };
    is_open(key, &cell, &value.sealed)
}

fn is_open(key: &DataKey, cell: &Cell<'_>, sealed: &[u8]) -> bool {
    open(key, cell, sealed).is_ok()
}

/// Returns a column's name without its table's.
fn bare(column: &'static str) -> &'static str {
    column.split_once('.').map_or(column, |(_, column)| column)
}

/// Where the values of a class lie: the column as `table.column`, and a statement over a range of
/// subjects.
fn places(class: DataClass) -> &'static [(&'static str, &'static str)] {
    match class {
        DataClass::Identity => &[(
            "application.content",
            sql!("SELECT reference AS subject, reference AS place, content AS value FROM application WHERE reference > $1 AND reference <= $2 AND length(content) > 0"),
        )],
        DataClass::Biometrics => &[
            (
                "biometric_data.images",
                sql!("SELECT application AS subject, application AS place, images AS value FROM biometric_data WHERE application > $1 AND application <= $2"),
            ),
            (
                "biometric_data.files",
                sql!("SELECT application AS subject, application AS place, files AS value FROM biometric_data WHERE application > $1 AND application <= $2 AND files IS NOT NULL"),
            ),
            (
                "signed_lds.files",
                sql!("SELECT d.application AS subject, s.lease || '/' || s.chip AS place, s.files AS value FROM document d JOIN lease l ON l.document = d.id JOIN signed_lds s ON s.lease = l.id
                 WHERE d.application > $1 AND d.application <= $2 AND s.files <> ''"),
            ),
        ],
        DataClass::Record => &[
            (
                "document.record",
                sql!("SELECT application AS subject, id AS place, record AS value FROM document WHERE application > $1 AND application <= $2 AND record <> ''"),
            ),
            (
                "document.subjects",
                sql!("SELECT application AS subject, id AS place, subjects AS value FROM document WHERE application > $1 AND application <= $2 AND subjects <> ''"),
            ),
            (
                "certificate.request",
                sql!("SELECT d.application AS subject, c.id AS place, c.request AS value FROM certificate c JOIN document d ON d.id = c.document
                 WHERE d.application > $1 AND d.application <= $2 AND length(c.request) > 0"),
            ),
            (
                "certificate.exchange",
                sql!("SELECT d.application AS subject, c.id AS place, c.exchange AS value FROM certificate c JOIN document d ON d.id = c.document
                 WHERE d.application > $1 AND d.application <= $2 AND length(c.exchange) > 0"),
            ),
            (
                "certificate.der",
                sql!("SELECT d.application AS subject, c.id AS place, c.der AS value FROM certificate c JOIN document d ON d.id = c.document
                 WHERE d.application > $1 AND d.application <= $2 AND length(c.der) > 0"),
            ),
            (
                "authority_register.der",
                sql!("SELECT application AS subject, serial AS place, der AS value FROM authority_register WHERE application > $1 AND application <= $2 AND length(der) > 0"),
            ),
            (
                "told_line.line",
                sql!("SELECT d.application AS subject, t.lease || ' ' || CAST(t.place AS TEXT) AS place, t.line AS value FROM told_line t JOIN lease l ON l.id = t.lease JOIN document d ON d.id = l.document
                 WHERE d.application > $1 AND d.application <= $2"),
            ),
        ],
        DataClass::RefusedPackage => &[(
            "refused_package.content",
            sql!("SELECT reference AS subject, reference AS place, content AS value FROM refused_package WHERE reference > $1 AND reference <= $2 AND content IS NOT NULL"),
        )],
        DataClass::Evidence | DataClass::Log => &[],
    }
}

/// Reads what the keys of a page encrypt: the values of the subjects between two, for those that are
/// asked for. Row by row, since there may be any number between them whose keys are gone.
async fn values(
    tx: &mut Connection,
    class: DataClass,
    (from, to): (&str, &str),
    of_page: &mut HashMap<String, Vec<Value>>,
) -> Result<()> {
    for &(column, sql) in places(class) {
        let is_text = matches!(
            column,
            "signed_lds.files" | "document.record" | "document.subjects"
        );
        let mut rows = sqlx::query(sql).bind(from).bind(to).fetch(&mut *tx);
        while let Some(row) = rows.try_next().await? {
            let Some(values) = of_page.get_mut(row.get::<&str, _>("subject")) else {
                continue;
            };
            values.push(Value {
                subject: row.get("subject"),
                column,
                row: row.get("place"),
                sealed: match is_text {
                    // What is no text of a sealed value does not open either.
                    true => decoded(row.get("value")).unwrap_or_default(),
                    false => row.get("value"),
                },
            });
        }
    }
    Ok(())
}

/// Returns the search for values whose key is gone: a statement of [`places`] over everything, beside
/// the keys.
fn without_key(sql: &str) -> String {
    let all = sql
        .replace("> $1", "> ''")
        .replace(" AND reference <= $2", "")
        .replace(" AND application <= $2", "")
        .replace(" AND d.application <= $2", "");
    format!(
        "SELECT v.subject FROM ({all}) v LEFT JOIN data_key k ON k.subject = v.subject AND k.class = $1
         WHERE k.subject IS NULL ORDER BY v.subject LIMIT 1000"
    )
}

assembled!(without_key => |_| {
    let places = DataClass::ALL.iter().copied().flat_map(places);
    places.map(|(_, sql)| without_key(sql)).collect()
});

/// Finds values whose key is gone.
async fn keyless(tx: &mut Connection, class: DataClass, findings: &mut Findings<'_>) -> Result<()> {
    for &(column, sql) in places(class) {
        let rows = sqlx::query(AssertSqlSafe(without_key(sql)))
            .bind(class.name())
            .fetch_all(&mut *tx)
            .await?;
        for row in &rows {
            let subject: &str = row.get("subject");
            findings.fault(
                Rule::Protection,
                format!("{column} of {subject} is there, and its key is gone"),
            );
        }
    }
    Ok(())
}

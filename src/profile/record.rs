//! What templates may ask of the prepared record of a document.

use document::Record;

use crate::value::{Value, Variables};

/// The variables that a record gives. All are text.
const VARIABLES: &[&str] = &[
    "document.number",
    "document.kind",
    "document.issued",
    "document.expires",
    "holder.surname",
    "holder.given_names",
    "holder.personal_code",
    "holder.birth_date",
    "holder.sex",
    "holder.nationality",
];

/// In front of the names of what data preparation made: `prepared.dg1`.
const PREPARED: &str = "prepared.";

/// Returns whether a record may give this variable.
pub(crate) fn is_record_variable(name: &str) -> bool {
    VARIABLES.contains(&name)
        || name
            .strip_prefix(PREPARED)
            .is_some_and(|rest| !rest.is_empty() && !rest.contains('.'))
}

/// Returns a record's variables: names in capitals, dates as `YYYYMMDD`, and as bytes what data
/// preparation made.
pub fn variables(record: &Record) -> Variables {
    let mut variables = Variables::default();
    let holder = &record.holder;
    for (name, text) in VARIABLES.iter().zip([
        record.number.to_string(),
        record.kind.to_string(),
        record.issued.strftime("%Y%m%d").to_string(),
        record.expires.strftime("%Y%m%d").to_string(),
        holder.surname.upper(),
        holder.given_names.upper(),
        holder.personal_code.to_string(),
        holder.birth_date.strftime("%Y%m%d").to_string(),
        holder.sex.to_string(),
        holder.nationality.to_string(),
    ]) {
        variables.set(*name, Value::text(text));
    }
    for (name, bytes) in &record.prepared {
        variables.set(format!("{PREPARED}{name}"), Value::bytes(bytes.as_slice()));
    }
    variables
}

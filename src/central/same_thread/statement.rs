//! One statement: its values in, its rows out.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Batch, Connection, Statement};
use sqlx::Either;
use sqlx::any::{AnyArguments, AnyQueryResult, AnyRow, AnyTypeInfo, AnyTypeInfoKind};
use sqlx_core::HashMap as NameMap;
use sqlx_core::any::{AnyColumn, AnyValue, AnyValueKind};
use sqlx_core::ext::ustr::UStr;

use super::fault::fault;

/// What a statement leaves: its rows, and how many it changed.
pub(super) type Found = Vec<sqlx::Result<Either<AnyQueryResult, AnyRow>>>;

/// How the statements that were prepared name their values and columns.
#[derive(Debug, Default)]
pub(super) struct Shapes(HashMap<Arc<str>, Arc<Shape>>);

/// How one statement names its values and columns.
#[derive(Debug)]
struct Shape {
    /// Which argument each of SQLite's parameters takes.
    parameters: Vec<usize>,
    columns: Vec<UStr>,
    names: Arc<NameMap<UStr, usize>>,
}

impl Shape {
    fn of(statement: &Statement<'_>) -> sqlx::Result<Self> {
        let parameters = (1..=statement.parameter_count())
            .map(|index| match statement.parameter_name(index) {
                // `$N` is a name to SQLite, which numbers names as they come.
                Some(name) => name
                    .get(1..)
                    .and_then(|number| number.parse::<usize>().ok())
                    .and_then(|number| number.checked_sub(1))
                    .ok_or_else(|| invalid(format!("{name} is not numbered, as $1 is"))),
                None => Ok(index - 1),
            })
            .collect::<Result<_, _>>()?;
        let columns: Vec<UStr> = statement
            .column_names()
            .into_iter()
            .map(UStr::new)
            .collect();
        let names = columns.iter().cloned().zip(0..).collect();
        Ok(Self {
            parameters,
            columns,
            names: Arc::new(names),
        })
    }
}

/// Runs a statement that has values, of which at most `most` rows are wanted.
pub(super) fn run(
    connection: &Connection,
    shapes: &mut Shapes,
    sql: &str,
    arguments: AnyArguments,
    most: usize,
) -> sqlx::Result<Found> {
    let mut statement = connection.prepare_cached(sql).map_err(fault)?;
    let shape = match shapes.0.get(sql) {
        // A column may have come since: then SQLite prepares the statement anew by itself.
        Some(shape) if shape.columns.len() == statement.column_count() => Arc::clone(shape),
        _ => {
            let shape = Arc::new(Shape::of(&statement)?);
            shapes.0.insert(sql.into(), Arc::clone(&shape));
            shape
        }
    };
    let values = arguments.values.0;
    for (index, argument) in (1..).zip(&shape.parameters) {
        let Some(value) = values.get(*argument) else {
            let given = values.len();
            return Err(invalid(format!(
                "a statement names value {}, and {given} were given",
                argument + 1
            )));
        };
        statement
            .raw_bind_parameter(index, bound(value)?)
            .map_err(fault)?;
    }
    let mut found = rows(&mut statement, &shape, most)?;
    let rows_affected = match statement.readonly() {
        true => 0,
        false => connection.changes(),
    };
    found.push(Ok(Either::Left(changed(rows_affected))));
    Ok(found)
}

/// Runs statements without values, one after the other.
pub(super) fn run_all(connection: &Connection, sql: &str) -> sqlx::Result<Found> {
    let mut found = Vec::new();
    let mut batch = Batch::new(connection, sql);
    while let Some(mut statement) = batch.next().map_err(fault)? {
        let shape = Shape::of(&statement)?;
        found.append(&mut rows(&mut statement, &shape, usize::MAX)?);
        let rows_affected = match statement.readonly() {
            true => 0,
            false => connection.changes(),
        };
        found.push(Ok(Either::Left(changed(rows_affected))));
    }
    Ok(found)
}

fn changed(rows_affected: u64) -> AnyQueryResult {
    AnyQueryResult {
        rows_affected,
        last_insert_id: None,
    }
}

fn rows(statement: &mut Statement<'_>, shape: &Shape, most: usize) -> sqlx::Result<Found> {
    let mut found = Vec::new();
    let mut rows = statement.raw_query();
    while found.len() < most
        && let Some(row) = rows.next().map_err(fault)?
    {
        let mut columns = Vec::with_capacity(shape.columns.len());
        let mut values = Vec::with_capacity(shape.columns.len());
        for (ordinal, name) in shape.columns.iter().enumerate() {
            let (kind, value) = read(row.get_ref(ordinal).map_err(fault)?)?;
            columns.push(AnyColumn {
                ordinal,
                name: name.clone(),
                type_info: AnyTypeInfo { kind },
            });
            values.push(AnyValue { kind: value });
        }
        found.push(Ok(Either::Right(AnyRow {
            column_names: Arc::clone(&shape.names),
            columns,
            values,
        })));
    }
    Ok(found)
}

/// Reads a value of a row.
fn read(value: ValueRef<'_>) -> sqlx::Result<(AnyTypeInfoKind, AnyValueKind)> {
    Ok(match value {
        ValueRef::Null => (
            AnyTypeInfoKind::Null,
            AnyValueKind::Null(AnyTypeInfoKind::Null),
        ),
        ValueRef::Integer(number) => (AnyTypeInfoKind::BigInt, AnyValueKind::BigInt(number)),
        ValueRef::Real(number) => (AnyTypeInfoKind::Double, AnyValueKind::Double(number)),
        ValueRef::Text(text) => {
            let text =
                std::str::from_utf8(text).map_err(|error| sqlx::Error::Decode(error.into()))?;
            let text = AnyValueKind::Text(Arc::new(text.to_owned()));
            (AnyTypeInfoKind::Text, text)
        }
        ValueRef::Blob(bytes) => {
            let bytes = AnyValueKind::Blob(Arc::new(bytes.to_vec()));
            (AnyTypeInfoKind::Blob, bytes)
        }
    })
}

/// Returns a value as SQLite takes it.
fn bound(value: &AnyValueKind) -> sqlx::Result<ToSqlOutput<'_>> {
    let owned = |value: Value| Ok(ToSqlOutput::Owned(value));
    let borrowed = |value| Ok(ToSqlOutput::Borrowed(value));
    match value {
        AnyValueKind::Null(_) => owned(Value::Null),
        AnyValueKind::Bool(value) => owned(Value::Integer((*value).into())),
        AnyValueKind::SmallInt(value) => owned(Value::Integer((*value).into())),
        AnyValueKind::Integer(value) => owned(Value::Integer((*value).into())),
        AnyValueKind::BigInt(value) => owned(Value::Integer(*value)),
        AnyValueKind::Real(value) => owned(Value::Real((*value).into())),
        AnyValueKind::Double(value) => owned(Value::Real(*value)),
        AnyValueKind::Text(text) => borrowed(ValueRef::Text(text.as_bytes())),
        AnyValueKind::TextSlice(text) => borrowed(ValueRef::Text(text.as_bytes())),
        AnyValueKind::Blob(bytes) => borrowed(ValueRef::Blob(bytes)),
        _ => Err(invalid("a value of a kind that SQLite has not".to_owned())),
    }
}

fn invalid(message: String) -> sqlx::Error {
    sqlx::Error::AnyDriverError(message.into())
}

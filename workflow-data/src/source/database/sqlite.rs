//! Queries to SQLite, record by record.

use std::path::Path;

use rusqlite::types::{Value as SqlValue, ValueRef};
use rusqlite::{Connection, OpenFlags, Statement};
use serde_json::Value;

use super::super::table::SAMPLE;
use super::{Hand, Message, Query, Row};
use crate::row::RowReason;
use crate::text::{of_json, raw};
use crate::value::{self, ColumnType, Guess};

pub(super) fn read(query: &Query, hand: Hand<'_>) -> Result<(), String> {
    let file = query.options.sqlite_file().unwrap_or(Path::new(""));
    let path = file.display();
    if !file.is_file() {
        return Err(format!("the database `{path}` does not exist"));
    }
    let fail = |error: rusqlite::Error| format!("the query fails: {}", reason(&error));
    // A shared cache would let other connections of the process disturb the query.
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)
        .map_err(|error| format!("cannot open the database `{path}`: {}", reason(&error)))?;
    let mut statement = connection.prepare(&query.options.query).map_err(fail)?;
    if !statement.readonly() {
        return Err("the query changes data; write a `SELECT`".to_owned());
    }
    super::check_names(&statement.column_names().collect::<Vec<_>>())?;
    bind(&mut statement, &query.options.parameters)?;
    let names: Vec<_> = statement.column_names().map(str::to_owned).collect();
    let declared: Vec<_> = declared(&statement);
    let mut rows = statement.raw_query();
    let mut sample: Vec<_> = vec![Guess::default(); names.len()];
    let mut batch: Vec<Row> = Vec::new();
    let mut columns = Some((names.clone(), declared));
    let mut tell = |batch: &mut Vec<Row>, sample: &[Guess]| {
        let first = columns.take().map(|(names, declared)| {
            let kinds = declared.into_iter().zip(sample);
            let kinds = kinds.map(|(kind, guess)| kind.unwrap_or_else(|| guess.kind()));
            names.into_iter().zip(kinds).collect()
        });
        first.is_none_or(|columns| hand(Message::Columns(columns)))
            && (batch.is_empty() || hand(Message::Rows(std::mem::take(batch))))
    };
    let mut count = 0;
    while let Some(row) = rows.next().map_err(fail)? {
        let mut read = Row { cells: Vec::with_capacity(names.len()), ..Row::default() };
        for (place, name) in names.iter().enumerate() {
            let value = row.get_ref(place).map_err(fail)?;
            if count < SAMPLE {
                match (value, kind(value)) {
                    (ValueRef::Integer(integer), _) => sample[place].add_integer(integer),
                    (_, Some(kind)) => sample[place].add(kind),
                    (_, None) => {}
                }
            }
            let cell = text(name, value).map_err(|reason| read.reasons.push(reason));
            read.cells.push(cell.unwrap_or_default());
        }
        count += 1;
        batch.push(read);
        if batch.len() == query.batch_size && !tell(&mut batch, &sample) {
            return Ok(());
        }
    }
    tell(&mut batch, &sample);
    Ok(())
}

/// Binds the parameters: `$2` and `?2` are the second one, and `?` counts.
fn bind(statement: &mut Statement<'_>, parameters: &[Value]) -> Result<(), String> {
    let places = statement.parameter_count();
    let mut highest = 0;
    for place in 1..=places {
        let name = statement.parameter_name(place);
        let number = match name {
            None => place,
            Some(name) => name[1..].parse().map_err(|_| {
                format!("the query has the parameter `{name}`; write `$1` for the first one")
            })?,
        };
        highest = number.max(highest);
        let Some(value) = number.checked_sub(1).and_then(|index| parameters.get(index)) else {
            let given = parameters.len();
            return Err(format!("the query uses parameter {number}, and `parameters` has {given}"));
        };
        let bound = statement.raw_bind_parameter(place, sql_value(value));
        bound.map_err(|error| format!("parameter {number} does not fit: {}", reason(&error)))?;
    }
    match parameters.len() {
        given if given > highest => {
            Err(format!("the query uses {highest} parameters, and `parameters` has {given}"))
        }
        _ => Ok(()),
    }
}

fn sql_value(value: &Value) -> SqlValue {
    match value {
        Value::Bool(value) => SqlValue::Integer((*value).into()),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => SqlValue::Integer(integer),
            // As text, more digits than 64 bits have are kept.
            (None, Some(float)) if !number.is_u64() => SqlValue::Real(float),
            _ => SqlValue::Text(number.to_string()),
        },
        other => of_json(other.clone()).map_or(SqlValue::Null, SqlValue::Text),
    }
}

/// The types that the tables declare. `None` if the values decide.
fn declared(statement: &Statement<'_>) -> Vec<Option<ColumnType>> {
    let columns = statement.columns();
    columns.map(|column| value::declared(column.decl_type()?)).collect()
}

fn kind(value: ValueRef<'_>) -> Option<ColumnType> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(_) => Some(ColumnType::Integer),
        ValueRef::Real(_) => Some(ColumnType::Number),
        ValueRef::Text(_) | ValueRef::Blob(_) => Some(ColumnType::Text),
    }
}

fn text(column: &str, value: ValueRef<'_>) -> Result<Option<String>, RowReason> {
    Ok(match value {
        ValueRef::Null => None,
        ValueRef::Integer(integer) => Some(integer.to_string()),
        // The shortest text that is read as the same number.
        ValueRef::Real(number) => Some(format!("{number:?}")),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Some(text.to_owned()),
            Err(_) => {
                return Err(RowReason::of_value(column, Some(raw(bytes)), "is not UTF-8"));
            }
        },
        ValueRef::Blob(bytes) => {
            let length = bytes.len();
            let message = format!("has {length} bytes; select `hex({column})` to read them");
            return Err(RowReason::of_value(column, Some("blob".to_owned()), message));
        }
    })
}

/// The reason of an error, without the query.
fn reason(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqlInputError { msg, offset, .. } => {
            format!("{msg}, at byte {offset} of `query`")
        }
        rusqlite::Error::SqliteFailure(_, Some(text)) => text.clone(),
        other => other.to_string(),
    }
}

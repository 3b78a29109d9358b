//! `Demands`: what a record must have so that a sink takes it.
//!
//! The pipeline checks it before it writes, so that the policy decides about a record that does not
//! have it. An error of a database would end the whole load.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, DataType};

use crate::policy::Failures;
use crate::row::RowReason;
use crate::value::{self, ColumnType};

/// What a record must have so that a sink takes it. By default nothing.
#[derive(Debug, Default)]
pub(crate) struct Demands {
    /// The columns of a key, which need a value.
    pub(super) key: Vec<String>,
    /// The types of columns of numbers in a table that is there.
    pub(super) types: BTreeMap<String, ColumnType>,
    /// How many digits of a decimal are kept.
    pub(super) decimals: Decimals,
    /// Which characters texts may have.
    pub(super) texts: Texts,
}

/// How many digits of a decimal a sink keeps.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Decimals {
    #[default]
    All,
    /// Those of a floating-point number.
    Numbers,
}

/// Which characters the texts of a sink may have.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Texts {
    #[default]
    Any,
    WithoutNul,
}

impl Demands {
    /// Adds the records of a batch that do not have what is demanded.
    pub(crate) fn check(
        &self,
        records: &RecordBatch,
        failures: &mut Failures,
    ) -> Result<(), ArrowError> {
        let schema = records.schema();
        for (field, column) in schema.fields().iter().zip(records.columns()) {
            let name = field.name();
            if self.key.contains(name) {
                check_key(name, column, failures);
            }
            if let Some(kind) = self.declared(name) {
                check_type(name, column, kind, failures)?;
            } else if self.decimals == Decimals::Numbers && value::is_decimal(column.data_type()) {
                failures.convert(name, column, ColumnType::Number)?;
            }
            if self.texts == Texts::WithoutNul {
                check_text(name, column, failures);
            }
        }
        Ok(())
    }

    /// The type of a column of the table. SQLite does not regard the case of ASCII letters.
    fn declared(&self, name: &str) -> Option<ColumnType> {
        let similar = || self.types.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        self.types.get(name).or_else(|| similar().map(|(_, kind)| kind)).copied()
    }
}

fn check_key(name: &str, column: &ArrayRef, failures: &mut Failures) {
    if column.logical_null_count() == 0 {
        return;
    }
    for row in (0..column.len()).filter(|row| column.is_null(*row)) {
        let message = "has no place in a key; drop such records with the stage `cleaning`";
        failures.add(row, RowReason::of_value(name, None, message));
    }
}

fn check_type(
    name: &str,
    column: &ArrayRef,
    kind: ColumnType,
    failures: &mut Failures,
) -> Result<(), ArrowError> {
    let from = column.data_type();
    // Databases have no type for truth values, and integers stand for them.
    if *from == DataType::Boolean {
        return Ok(());
    }
    let misfits = if from.is_numeric() || *from == DataType::Utf8 {
        value::convert(column, kind)?.misfits
    } else {
        (0..column.len()).filter(|row| column.is_valid(*row)).collect()
    };
    for row in misfits {
        failures.add_value(row, name, column, |value| {
            format!("{}, as the column of the output is declared", kind.mismatch(value))
        });
    }
    Ok(())
}

fn check_text(name: &str, column: &ArrayRef, failures: &mut Failures) {
    let Some(texts) = column.as_string_opt::<i32>() else { return };
    // One look at all texts of the column.
    if !texts.value_data().contains(&0) {
        return;
    }
    let rows = texts.iter().enumerate();
    for (row, _) in rows.filter(|(_, text)| text.is_some_and(|text| text.contains('\0'))) {
        failures.add_value(row, name, column, |_| {
            "has the character NUL, which PostgreSQL does not keep".to_owned()
        });
    }
}

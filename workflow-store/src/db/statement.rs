//! Statements that are built at run time.

use crate::db::sql::{Sql, SqlError};
use crate::db::value::{Row, Value};

/// A statement with its bound parameters.
#[derive(Debug, Default)]
pub(crate) struct Statement {
    text: String,
    values: Vec<Owned>,
}

#[derive(Debug)]
enum Owned {
    Text(String),
    Number(i64),
    Bool(bool),
    Time(i64),
    Uuid(u128),
    #[cfg(feature = "postgres")]
    Ints(Vec<i64>),
}

impl Statement {
    pub(crate) fn add(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    fn bind(&mut self, value: Owned) -> &mut Self {
        self.values.push(value);
        self.text.push_str(&format!("${}", self.values.len()));
        self
    }

    pub(crate) fn text(&mut self, value: &str) -> &mut Self {
        self.bind(Owned::Text(value.to_owned()))
    }

    pub(crate) fn number(&mut self, value: i64) -> &mut Self {
        self.bind(Owned::Number(value))
    }

    pub(crate) fn bool(&mut self, value: bool) -> &mut Self {
        self.bind(Owned::Bool(value))
    }

    pub(crate) fn time(&mut self, micros: i64) -> &mut Self {
        self.bind(Owned::Time(micros))
    }

    pub(crate) fn uuid(&mut self, bits: u128) -> &mut Self {
        self.bind(Owned::Uuid(bits))
    }

    /// A list, one statement for many rows.
    #[cfg(feature = "postgres")]
    pub(crate) fn ints(&mut self, list: &[i64]) -> &mut Self {
        self.bind(Owned::Ints(list.to_vec()))
    }

    pub(crate) fn first(&self, sql: &mut dyn Sql) -> Result<Option<Row>, SqlError> {
        Ok(self.query(sql)?.into_iter().next())
    }

    pub(crate) fn query(&self, sql: &mut dyn Sql) -> Result<Vec<Row>, SqlError> {
        sql.query(&self.text, &self.bound())
    }

    pub(crate) fn execute(&self, sql: &mut dyn Sql) -> Result<u64, SqlError> {
        sql.execute(&self.text, &self.bound())
    }

    /// The query plan.
    #[cfg(test)]
    pub(crate) fn explain(&self, sql: &mut dyn Sql, prefix: &str) -> Result<Vec<Row>, SqlError> {
        sql.query(&format!("{prefix} {}", self.text), &self.bound())
    }

    fn bound(&self) -> Vec<Value<'_>> {
        self.values.iter().map(Owned::bound).collect()
    }
}

impl Owned {
    fn bound(&self) -> Value<'_> {
        match self {
            Self::Text(text) => Value::Text(text),
            Self::Number(number) => Value::Int(*number),
            Self::Bool(value) => Value::Bool(*value),
            Self::Time(micros) => Value::Time(*micros),
            Self::Uuid(bits) => Value::Uuid(*bits),
            #[cfg(feature = "postgres")]
            Self::Ints(list) => Value::Ints(list),
        }
    }
}

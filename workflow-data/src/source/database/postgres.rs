//! Queries to PostgreSQL, batch by batch, in a transaction that sees one state of the database.

use bytes::BytesMut;
use tokio_postgres::error::{DbError, ErrorPosition};
use tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Column, IsolationLevel, SimpleQueryMessage, SimpleQueryRow};
use tokio_postgres::{Statement, Transaction};

use super::{Hand, Message, Query, Row};
use crate::postgres::{Server, reason, reason_at};
use crate::text::of_json;
use crate::value::ColumnType;

pub(super) fn read(query: &Query, hand: Hand<'_>) -> Result<(), String> {
    let server = Server::new(&query.options.url)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| crate::text::io_reason(&error))?;
    runtime.block_on(async {
        let (mut client, driver) = server.connect().await?;
        let transaction = client
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true)
            .start()
            .await;
        let transaction = transaction.map_err(|error| reason(&error))?;
        let result = send(&transaction, query, hand).await;
        drop(transaction);
        drop(client);
        // A connection that breaks now has served its purpose.
        let _ = driver.await;
        result
    })
}

/// Texts of values do not depend on the settings of the user or the database.
const FORMATS: &str = "SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL timezone = 'UTC'; \
    SET LOCAL intervalstyle = 'iso_8601'; SET LOCAL bytea_output = 'hex'; \
    SET LOCAL extra_float_digits = 1";

async fn send(transaction: &Transaction<'_>, query: &Query, hand: Hand<'_>) -> Result<(), String> {
    let fail = |error: tokio_postgres::Error| format!("the query fails: {}", reason(&error));
    transaction.batch_execute(FORMATS).await.map_err(fail)?;
    if let Some(timeout) = query.statement_timeout {
        let limit = format!("SET LOCAL statement_timeout = {}", timeout.as_millis());
        transaction.batch_execute(&limit).await.map_err(fail)?;
    }
    // By itself first: its errors have their place in the query, and it is one statement.
    let written = transaction
        .prepare(&query.options.query)
        .await
        .map_err(|error| format!("the query fails: {}", reason_at(&error, &place(&error))))?;
    check_parameters(&written, query)?;
    let columns = written.columns();
    super::check_names(&columns.iter().map(Column::name).collect::<Vec<_>>())?;
    let columns = columns.iter();
    let columns: Vec<_> =
        columns.map(|column| (column.name().to_owned(), column_type(column.type_()))).collect();
    if !hand(Message::Columns(columns)) {
        return Ok(());
    }
    let parameters = query.options.parameters.iter();
    let parameters: Vec<_> = parameters.map(|value| Text(of_json(value.clone()))).collect();
    let parameters: Vec<_> = parameters.iter().map(|text| text as &(dyn ToSql + Sync)).collect();
    let declare = format!("DECLARE rows NO SCROLL CURSOR FOR {}", query.options.query);
    let declared = transaction.prepare_typed(&declare, written.params()).await.map_err(fail)?;
    transaction.execute(&declared, &parameters).await.map_err(fail)?;
    let fetch = format!("FETCH {} FROM rows", query.batch_size);
    loop {
        // Without preparation, all values are texts.
        let messages = transaction.simple_query(&fetch).await.map_err(fail)?;
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(texts(row)),
            _ => None,
        });
        let rows: Vec<_> = rows.collect();
        let is_last = rows.len() < query.batch_size;
        let is_wanted = rows.is_empty() || hand(Message::Rows(rows));
        if is_last || !is_wanted {
            return Ok(());
        }
    }
}

/// Where an error is in the query; empty if the server does not say.
fn place(error: &tokio_postgres::Error) -> String {
    match error.as_db_error().and_then(DbError::position) {
        Some(ErrorPosition::Original(place)) => format!(", at character {place} of `query`"),
        _ => String::new(),
    }
}

fn texts(row: &SimpleQueryRow) -> Row {
    let cells = (0..row.len()).map(|place| row.get(place).map(str::to_owned));
    Row { cells: cells.collect(), ..Row::default() }
}

fn check_parameters(written: &Statement, query: &Query) -> Result<(), String> {
    let (used, given) = (written.params().len(), query.options.parameters.len());
    if used == given {
        return Ok(());
    }
    Err(format!("the query uses {used} parameters, and `parameters` has {given}"))
}

/// Types that would lose something as a type of columns are texts: `numeric`, and times without a
/// zone.
fn column_type(kind: &Type) -> ColumnType {
    match *kind {
        Type::INT2 | Type::INT4 | Type::INT8 | Type::OID => ColumnType::Integer,
        Type::FLOAT4 | Type::FLOAT8 => ColumnType::Number,
        Type::BOOL => ColumnType::Boolean,
        Type::DATE => ColumnType::Date,
        Type::TIMESTAMPTZ => ColumnType::Timestamp,
        _ => ColumnType::Text,
    }
}

/// A parameter as text, which the server reads as the type that the query needs.
#[derive(Debug)]
struct Text(Option<String>);

impl ToSql for Text {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match &self.0 {
            None => Ok(IsNull::Yes),
            Some(text) => {
                out.extend_from_slice(text.as_bytes());
                Ok(IsNull::No)
            }
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

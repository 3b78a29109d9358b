//! Tables that a run has written: their records among its events, and readers that show them.
//!
//! A job [records](record) its tables, and a reader of the crate that wrote them turns a record into
//! a [`TablePreview`]. So a server shows tables without a dependency on the libraries that read them.
//!
//! A record may name a file, so only code of the program writes one: outputs and results of runs,
//! which clients can send, are never read as records.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::event::EventKind;
use crate::id::RunId;
use crate::job::{JobContext, JobError};
use crate::registry::inventory;
use crate::store::{Store, StoreError};

/// A table that a job has written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TableRecord {
    /// The name, such as that of a table of a database.
    pub name: String,
    /// The place for people: a file, or a table of a server. Without credentials.
    pub place: String,
    /// How many rows the job wrote. The table may have more.
    pub written: Option<u64>,
    /// The name of the [`TableReader`].
    pub reader: String,
    /// Where the reader finds the table. Without credentials.
    pub source: Json,
}

impl TableRecord {
    /// A table that this reader can read.
    pub fn new(
        name: impl Into<String>,
        place: impl Into<String>,
        reader: impl Into<String>,
        source: Json,
    ) -> Self {
        let (name, place, reader) = (name.into(), place.into(), reader.into());
        Self { name, place, written: None, reader, source }
    }
}

/// The key under which a job persists its tables.
const KEY: &str = "workflow.tables";

/// Records the tables that a job has written, in place of those that it recorded before. Does
/// nothing outside of a run.
///
/// ```
/// use serde_json::json;
/// use workflow_core::prelude::*;
/// use workflow_core::table::{self, TableRecord};
///
/// #[job]
/// fn load(ctx: &JobContext) -> Result<(), JobError> {
///     let source = json!({ "path": "data/orders.parquet" });
///     table::record(ctx, &[TableRecord::new("orders", "data/orders.parquet", "my_reader", source)])
/// }
/// ```
///
/// # Errors
///
/// Fails when the attempt has ended.
pub fn record(context: &JobContext, tables: &[TableRecord]) -> Result<(), JobError> {
    context.persist(KEY, tables)
}

/// A table of a run.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RunTable {
    /// The name, which no other table of the run has: a repeated name has a number, as `orders-2`.
    pub name: String,
    /// The job that wrote it.
    pub job: String,
    /// What the job recorded.
    pub record: TableRecord,
}

/// How many persisted values are read at a time.
const PAGE: usize = 1000;

/// Returns the tables that the jobs of a run have recorded, in the order of their first records.
///
/// # Errors
///
/// Fails when the store cannot be read.
pub async fn of_run<S: Store + ?Sized>(store: &S, run: RunId) -> Result<Vec<RunTable>, StoreError> {
    let (mut jobs, mut from) = (Vec::new(), 0);
    loop {
        let events = store.persisted(run, from, PAGE).await?;
        let is_last = events.len() < PAGE;
        from = events.last().map_or(from, |event| event.sequence + 1);
        events.into_iter().for_each(|event| add(&mut jobs, event.kind));
        if is_last {
            return Ok(named(jobs));
        }
    }
}

/// Takes the tables of a job from an event, in place of its earlier ones.
fn add(jobs: &mut Vec<(String, Vec<TableRecord>)>, event: EventKind) {
    let EventKind::ValuePersisted { job, key, value } = event else { return };
    if key != KEY {
        return;
    }
    let tables: Vec<TableRecord> = match serde_json::from_value(value) {
        Ok(tables) => tables,
        Err(error) => {
            tracing::warn!(job, %error, "the tables of a job are recorded in an unknown form");
            return;
        }
    };
    match jobs.iter_mut().find(|(known, _)| *known == job) {
        Some((_, known)) => *known = tables,
        None => jobs.push((job, tables)),
    }
}

/// Gives each table a name of its own.
fn named(jobs: Vec<(String, Vec<TableRecord>)>) -> Vec<RunTable> {
    let mut named: Vec<RunTable> = Vec::new();
    for (job, tables) in jobs {
        for record in tables {
            let is_free = |name: &String| named.iter().all(|table| table.name != *name);
            let numbered = (2..).map(|number| format!("{}-{number}", record.name));
            let name = std::iter::once(record.name.clone()).chain(numbered).find(is_free);
            let name = name.unwrap_or_else(|| record.name.clone());
            named.push(RunTable { name, job: job.clone(), record });
        }
    }
    named
}

/// Reads tables that jobs have recorded. A crate whose jobs write tables submits one.
///
/// ```
/// use workflow_core::table::{TableError, TablePreview, TableReader, TableRecord};
///
/// fn read(record: &TableRecord) -> Result<TablePreview, TableError> {
///     Err(TableError::new(&record.place, "the disk is not mounted"))
/// }
///
/// workflow_core::registry::inventory::submit! {
///     TableReader { name: "my_reader", read }
/// }
/// ```
pub struct TableReader {
    /// The name, as in [`TableRecord::reader`].
    pub name: &'static str,
    /// Reads the start of a table, within bounds. It may block.
    pub read: fn(&TableRecord) -> Result<TablePreview, TableError>,
}

inventory::collect!(TableReader);

/// Reads the start of a table as it is now, with the reader of its record. Blocks meanwhile.
///
/// # Errors
///
/// Fails when this program does not have the reader, and when the table cannot be read.
pub fn preview(record: &TableRecord) -> Result<TablePreview, TableError> {
    let mut readers = inventory::iter::<TableReader>();
    match readers.find(|reader| reader.name == record.reader) {
        Some(reader) => (reader.read)(record),
        None => Err(TableError::new(
            &record.place,
            format!(
                "this program has no reader `{}`; ask the program that runs the workflow",
                record.reader
            ),
        )),
    }
}

/// Why a table cannot be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read `{place}`: {reason}")]
#[non_exhaustive]
pub struct TableError {
    /// The place of the table, for people.
    pub place: String,
    /// Why it cannot be read.
    pub reason: String,
}

impl TableError {
    /// A reason why a table cannot be read.
    pub fn new(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { place: place.into(), reason: reason.into() }
    }
}

/// The start of a table: its columns and its first rows.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct TablePreview {
    /// The columns that are shown.
    pub columns: Vec<TableColumn>,
    /// How many columns the table has.
    pub column_count: u64,
    /// The first rows, with a cell for each column; `None` is null. A long cell is cut off, and ends
    /// in `…`.
    pub rows: Vec<Vec<Option<String>>>,
    /// How many rows the table has; `None` if that is not known without reading all of it.
    pub row_count: Option<u64>,
    /// How many rows the charts are of, from the first one on.
    pub sampled: u64,
    /// How many rows of the start were left out, because a value does not fit its column.
    pub unreadable: u64,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TableColumn {
    /// The name.
    pub name: String,
    /// The type: `text`, `integer`, `number`, `boolean`, `date`, `timestamp`, or a name of the
    /// format.
    #[serde(rename = "type")]
    pub kind: String,
    /// How many of the sampled rows have no value.
    pub nulls: u64,
    /// What the values of the sampled rows are; `None` if there are none.
    pub chart: Option<ColumnChart>,
}

/// What the values of a column are.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ColumnChart {
    /// Numbers or times, in ranges of the same width.
    Histogram {
        /// The ranges, from the smallest values to the largest.
        buckets: Vec<Bucket>,
    },
    /// Other values.
    Frequent {
        /// The most frequent values, the most frequent one first.
        values: Vec<ValueCount>,
        /// How many different values there are. Values that differ only after their cut are one.
        distinct: u64,
    },
}

/// A range of a histogram.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bucket {
    /// The smallest value of the range, as text.
    pub from: String,
    /// The end of the range, as text. Only the last range includes it.
    pub to: String,
    /// How many values are in the range.
    pub count: u64,
}

/// How often a value occurs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ValueCount {
    /// The value as text.
    pub value: String,
    /// How often it occurs.
    pub count: u64,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(job: &str, key: &str, names: &[&str]) -> EventKind {
        let tables = names.iter().map(|name| TableRecord::new(*name, *name, "none", json!({})));
        let value = serde_json::to_value(tables.collect::<Vec<_>>()).expect("JSON");
        EventKind::ValuePersisted { job: job.to_owned(), key: key.to_owned(), value }
    }

    fn tables(events: impl IntoIterator<Item = EventKind>) -> Vec<(String, String)> {
        let mut jobs = Vec::new();
        events.into_iter().for_each(|event| add(&mut jobs, event));
        named(jobs).into_iter().map(|table| (table.job, table.name)).collect()
    }

    fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
        of.iter().map(|(job, name)| ((*job).to_owned(), (*name).to_owned())).collect()
    }

    #[test]
    fn the_last_record_of_a_job_counts() {
        let events = [event("a", KEY, &["x"]), event("b", KEY, &["y"]), event("a", KEY, &["z"])];
        assert_eq!(tables(events), pairs(&[("a", "z"), ("b", "y")]));
    }

    #[test]
    fn repeated_names_are_told_apart() {
        let events = [event("a", KEY, &["x", "x", "x-2"]), event("b", KEY, &["x"])];
        let expected = [("a", "x"), ("a", "x-2"), ("a", "x-2-2"), ("b", "x-3")];
        assert_eq!(tables(events), pairs(&expected));
    }

    #[test]
    fn other_values_are_no_tables() {
        let (job, key) = ("a".to_owned(), KEY.to_owned());
        let strange = EventKind::ValuePersisted { job, key, value: json!([{ "path": "/etc/x" }]) };
        assert_eq!(tables([event("a", "orders", &["x"]), strange]), []);
    }

    #[test]
    fn a_missing_reader_is_named() {
        let record = TableRecord::new("x", "x.csv", "none", json!({}));
        let text = preview(&record).expect_err("no reader").to_string();
        assert!(
            text.starts_with("cannot read `x.csv`: this program has no reader `none`"),
            "{text}"
        );
    }
}

//! Tables that runs have written, and the start of one.

use serde::Serialize;
use utoipa::ToSchema;
use workflow_core::table::{ColumnChart, RunTable, TableColumn, TablePreview};

/// A table that a job of a run has written.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "name": "orders", "job": "load", "place": "data/orders.parquet", "written": 975
}))]
pub(crate) struct Table {
    /// Name of the table, unique in the run.
    name: String,
    /// Job that wrote it.
    job: String,
    /// Where it is: a file, or a table of a server.
    place: String,
    /// How many rows the job wrote.
    written: Option<u64>,
}

impl From<&RunTable> for Table {
    fn from(of: &RunTable) -> Self {
        Self {
            name: of.name.clone(),
            job: of.job.clone(),
            place: of.record.place.clone(),
            written: of.record.written,
        }
    }
}

/// The start of a table, as it is now.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Preview {
    #[serde(flatten)]
    table: Table,
    /// The first 100 columns.
    columns: Vec<Column>,
    /// How many columns the table has.
    column_count: u64,
    /// The first 100 rows, with a text or null for each column. A text of more than 200 characters
    /// is cut off, and ends in `…`.
    #[schema(value_type = Vec<Vec<Option<String>>>)]
    rows: Vec<Vec<Option<String>>>,
    /// How many rows the table has; null if that is not known without reading all of it.
    row_count: Option<u64>,
    /// How many rows the charts are of, from the first one on; at most 10,000.
    sampled: u64,
    /// How many of the first rows were left out, because a value does not fit its column.
    unreadable: u64,
}

/// A column of a table.
#[derive(Debug, Serialize, ToSchema)]
struct Column {
    /// Name of the column.
    name: String,
    /// Type: `text`, `integer`, `number`, `boolean`, `date`, `timestamp`, or another one of the
    /// format.
    #[serde(rename = "type")]
    #[schema(examples("integer"))]
    kind: String,
    /// How many of the sampled rows have no value.
    nulls: u64,
    /// What the values of the sampled rows are; null if there are none.
    chart: Option<Chart>,
}

/// What the values of a column are.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Chart {
    /// Numbers or times.
    Histogram {
        /// At most 20 ranges of the same width, from the smallest values to the largest.
        buckets: Vec<Bucket>,
    },
    /// Other values.
    Frequent {
        /// The 10 most frequent values, the most frequent one first.
        values: Vec<Frequency>,
        /// How many different values there are.
        distinct: u64,
    },
}

/// A range of a histogram.
#[derive(Debug, Serialize, ToSchema)]
struct Bucket {
    /// The smallest value of the range.
    from: String,
    /// The end of the range. Only the last range includes it.
    to: String,
    /// How many values are in the range.
    count: u64,
}

/// How often a value occurs.
#[derive(Debug, Serialize, ToSchema)]
struct Frequency {
    /// The value, cut off as in rows.
    value: String,
    /// How often it occurs.
    count: u64,
}

impl Preview {
    pub(crate) fn new(table: &RunTable, preview: TablePreview) -> Self {
        let TablePreview { columns, column_count, rows, row_count, sampled, unreadable } = preview;
        let columns = columns.into_iter().map(Column::from).collect();
        let table = Table::from(table);
        Self { table, columns, column_count, rows, row_count, sampled, unreadable }
    }
}

impl From<TableColumn> for Column {
    fn from(of: TableColumn) -> Self {
        let chart = of.chart.map(Chart::from);
        Self { name: of.name, kind: of.kind, nulls: of.nulls, chart }
    }
}

impl From<ColumnChart> for Chart {
    fn from(of: ColumnChart) -> Self {
        match of {
            ColumnChart::Histogram { buckets } => {
                let buckets = buckets.into_iter();
                let buckets =
                    buckets.map(|it| Bucket { from: it.from, to: it.to, count: it.count });
                Self::Histogram { buckets: buckets.collect() }
            }
            ColumnChart::Frequent { values, distinct } => {
                let values = values.into_iter();
                let values = values.map(|it| Frequency { value: it.value, count: it.count });
                Self::Frequent { values: values.collect(), distinct }
            }
        }
    }
}

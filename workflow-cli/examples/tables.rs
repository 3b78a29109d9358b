//! A job that writes a table, and a reader that shows it: `workflow data` and the page of the server
//! show tables of any format. Pipelines of `workflow-data` need no reader of their own.
//!
//! ```sh
//! cargo run -p workflow-cli --example tables -- run lines --input '["one", "two"]' --db sqlite://tables.db
//! cargo run -p workflow-cli --example tables -- data lines --db sqlite://tables.db
//! ```

use std::process::ExitCode;

use serde_json::json;
use workflow_core::prelude::*;
use workflow_core::table::{self, TableColumn, TableError, TablePreview, TableReader, TableRecord};

const FILE: &str = "lines.txt";

#[job]
fn write_lines(ctx: &JobContext, lines: &[String]) -> Result<usize, JobError> {
    std::fs::write(FILE, lines.join("\0"))?;
    table::record(ctx, &[TableRecord::new("lines", FILE, "lines", json!({ "path": FILE }))])?;
    Ok(lines.len())
}

#[register_workflow(name = "lines")]
fn lines(flow: &mut Flow, lines: Handle<Vec<String>>) -> Handle<usize> {
    flow.job(write_lines(lines))
}

workflow_core::registry::inventory::submit! {
    TableReader { name: "lines", read }
}

fn read(record: &TableRecord) -> Result<TablePreview, TableError> {
    let path = record.source["path"].as_str().unwrap_or_default();
    let text = std::fs::read_to_string(path)
        .map_err(|error| TableError::new(&record.place, error.to_string()))?;
    let rows: Vec<_> = text.split('\0').map(|line| vec![Some(line.to_owned())]).collect();
    let count = rows.len() as u64;
    let column =
        TableColumn { name: "line".to_owned(), kind: "text".to_owned(), nulls: 0, chart: None };
    Ok(TablePreview {
        columns: vec![column],
        column_count: 1,
        rows: rows.into_iter().take(100).collect(),
        row_count: Some(count),
        sampled: count,
        unreadable: 0,
    })
}

fn main() -> ExitCode {
    workflow_cli::main()
}

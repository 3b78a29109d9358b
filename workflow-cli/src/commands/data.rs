//! `data`: shows the tables that a workflow has written.

use clap::Args;
use serde::Serialize;
use workflow_core::registry;
use workflow_core::table::{self, RunTable, TablePreview};
use workflow_store::{Catalog, CatalogError, RunQuery};

use crate::args::{ListFormat, StoreArguments, integer};
use crate::failure::{Failure, Outcome};
use crate::output::{self, DIM, HEADING, styled};

/// Show the columns and the first rows of the tables that a workflow has written
///
/// Shows the current contents of the tables that the latest run with tables wrote. A workflow
/// records its tables with `Pipeline::run_in`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DataArguments {
    /// Workflow: its name, ID or slug
    #[arg(value_name = "NAME")]
    name: String,
    /// Only this table
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
    /// Maximum number of rows, up to 100
    #[arg(short, long, value_name = "N", default_value_t = 10,
        value_parser = integer::<u8>(1..=100))]
    limit: u8,
    /// Output format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    format: ListFormat,
    #[command(flatten)]
    pub(crate) store: StoreArguments,
}

const EXAMPLES: &str = "\
Examples:
  workflow data sales
  workflow data sales --table sales --limit 3
  workflow data sales -f json | jq '.[0].columns'

Exit codes:
  0 success, 1 a table cannot be read, 2 no run has written a table";

/// How many runs are searched for tables.
const SEARCHED: usize = 20;

const RECORDING: &str = "only Rust jobs that call `Pipeline::run_in` do";

pub(crate) fn data(args: &DataArguments) -> Result<Outcome, Failure> {
    let store = args.store.open_existing()?;
    let mut tables = newest(&*store, args)?;
    if let Some(wanted) = &args.table {
        tables.retain(|table| table.name == *wanted);
        if tables.is_empty() {
            let message = format!("`{}` has written no table `{wanted}`", args.name);
            return Err(Failure::Usage(message));
        }
    }
    let mut outcome = Outcome::Success;
    let mut shown = Vec::new();
    for of in tables {
        match table::preview(&of.record) {
            Ok(mut preview) => {
                preview.rows.truncate(args.limit.into());
                shown.push((of, preview));
            }
            Err(error) => {
                output::error(&error);
                outcome = Outcome::Failed;
            }
        }
    }
    print(&shown, args)?;
    Ok(outcome)
}

/// The tables of the newest run that has recorded some.
fn newest(store: &dyn Catalog, args: &DataArguments) -> Result<Vec<RunTable>, Failure> {
    let name = &args.name;
    let query =
        RunQuery { workflow: Some(name.clone()), limit: Some(SEARCHED), ..RunQuery::default() };
    let runs = match pollster::block_on(store.runs(query)) {
        // The store learns of a registered workflow from its first run.
        Err(CatalogError::NoWorkflow(_)) if registry::get(name).is_ok() => Vec::new(),
        runs => runs?.items,
    };
    for run in &runs {
        let tables = pollster::block_on(table::of_run(store, run.id))?;
        if !tables.is_empty() {
            return Ok(tables);
        }
    }
    Err(Failure::Usage(match runs.len() {
        0 => format!("`{name}` has no saved run; start one with `run {name} --db ..`"),
        SEARCHED.. => format!(
            "none of the last {SEARCHED} runs of `{name}` has recorded a table; {RECORDING}"
        ),
        _ => format!("none of the runs of `{name}` has recorded a table; {RECORDING}"),
    }))
}

fn print(tables: &[(RunTable, TablePreview)], args: &DataArguments) -> Result<(), Failure> {
    if args.format == ListFormat::Json {
        let documents = tables.iter().map(|(of, preview)| Document::new(of, preview));
        return output::print_json(&documents.collect::<Vec<_>>());
    }
    output::print(|out| {
        for (index, (of, preview)) in tables.iter().enumerate() {
            if index > 0 {
                writeln!(out)?;
            }
            let (name, facts) = (styled(HEADING, &of.name), facts(&of.record.place, preview));
            writeln!(out, "{name}  {}", styled(DIM, facts))?;
            output::write_table(out, rows(preview))?;
        }
        Ok(())
    })
}

/// Where the table is, and how large it is.
fn facts(place: &str, preview: &TablePreview) -> String {
    let rows = |count: u64| output::count(count, "row");
    let row_count = match preview.row_count {
        Some(count) => rows(count),
        None => format!("at least {}", rows(preview.sampled + preview.unreadable)),
    };
    let mut facts = format!("{place}, {row_count}");
    let hidden = preview.column_count.saturating_sub(preview.columns.len() as u64);
    if hidden > 0 {
        facts.push_str(&format!(", {}", output::count(hidden, "more column")));
    }
    if preview.unreadable > 0 {
        let left_out = rows(preview.unreadable);
        facts.push_str(&format!(", {left_out} left out: a value does not fit its column"));
    }
    facts
}

fn rows(preview: &TablePreview) -> comfy_table::Table {
    let mut table = output::table();
    table.set_header(preview.columns.iter().map(|column| one_line(&column.name)));
    table.add_row(preview.columns.iter().map(|column| one_line(&column.kind)));
    for row in &preview.rows {
        table.add_row(row.iter().map(|cell| match cell {
            Some(text) => one_line(text),
            None => "-".to_owned(),
        }));
    }
    table
}

/// A text without line breaks, which would look like another row.
fn one_line(text: &str) -> String {
    let characters = text.chars();
    let escaped = characters.map(|character| match character.is_control() {
        true => character.escape_default().to_string(),
        false => character.to_string(),
    });
    escaped.collect()
}

/// A table as JSON.
#[derive(Serialize)]
struct Document<'a> {
    name: &'a str,
    job: &'a str,
    place: &'a str,
    written: Option<u64>,
    #[serde(flatten)]
    preview: &'a TablePreview,
}

impl<'a> Document<'a> {
    fn new(of: &'a RunTable, preview: &'a TablePreview) -> Self {
        let RunTable { name, job, record, .. } = of;
        Self { name, job, place: &record.place, written: record.written, preview }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_facts_say_what_is_not_shown() {
        let mut preview = TablePreview { row_count: Some(1), ..TablePreview::default() };
        assert_eq!(facts("a.csv", &preview), "a.csv, 1 row");
        preview = TablePreview { column_count: 1, sampled: 9_999, unreadable: 1, ..preview };
        preview.row_count = None;
        let expected = "a.csv, at least 10000 rows, 1 more column, 1 row left out: a value does \
                        not fit its column";
        assert_eq!(facts("a.csv", &preview), expected);
    }
}

//! `workflows history`: the versions of a workflow file.

use clap::Args;
use comfy_table::Table;
use serde_json::{Value as Json, json};
use workflow_files::WorkflowFile;
use workflow_store::WorkflowVersion;

use crate::args::{ListFormat, PageArguments, StoreArguments, integer};
use crate::failure::{Failure, Outcome};
use crate::output::{self, or_dash};
use crate::render::{print_page, time};

/// List the versions of a workflow file, newest first, or show one of them
///
/// `workflows update WORKFLOW FILE` adds a version. So does running a changed file that was not
/// added with `workflows create`. A run and its retries use the version that the run started with.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct HistoryArguments {
    /// Workflow: its ID, name or slug
    #[arg(value_name = "WORKFLOW")]
    workflow: String,
    /// Show the text of this version
    #[arg(long, value_name = "N", conflicts_with_all = ["limit", "cursor"],
        value_parser = integer::<i64>(1..))]
    version: Option<i64>,
    #[command(flatten)]
    page: PageArguments,
    /// Output format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    format: ListFormat,
}

const EXAMPLES: &str = "\
Examples:
  workflow workflows history daily-etl
  workflow workflows history daily-etl --version 3 > etl.yaml
  workflow workflows update daily-etl etl.yaml

JSON output: {\"items\": [..], \"next\": cursor of the next page, or null}
With --version, the text is in \"yaml\".";

pub(super) fn history(args: &HistoryArguments, store: &StoreArguments) -> Result<Outcome, Failure> {
    let which = &args.workflow;
    let catalog = store.open_existing()?;
    if let Some(number) = args.version {
        let version = pollster::block_on(catalog.version(which, number))?;
        return one(args, &version);
    }
    let (after, limit) = (args.page.after(), args.page.limit());
    let page = pollster::block_on(catalog.versions(which, after, limit))?;
    if args.format == ListFormat::Json {
        output::print_json(&page)?;
        return Ok(Outcome::Success);
    }
    print_page(
        &page,
        format_args!("`{which}` does not come from a file, so it has no versions"),
        table,
    )?;
    Ok(Outcome::Success)
}

fn one(args: &HistoryArguments, version: &WorkflowVersion) -> Result<Outcome, Failure> {
    let text = version.definition.as_ref().and_then(WorkflowFile::text_of);
    if args.format == ListFormat::Json {
        let mut document = json!(version);
        document["yaml"] = text.map_or(Json::Null, Json::from);
        output::print_json(&document)?;
        return Ok(Outcome::Success);
    }
    let text = text.ok_or_else(|| {
        Failure::Usage(format!(
            "version {} of `{}` is not a workflow file; -f json shows its data",
            version.version, args.workflow
        ))
    })?;
    output::print(|out| out.write_all(text.as_bytes()))?;
    Ok(Outcome::Success)
}

fn table(versions: &[WorkflowVersion]) -> Table {
    let mut table = output::table();
    table.set_header(["VERSION", "AUTHOR", "CREATED"]);
    for version in versions {
        table.add_row([
            version.version.to_string(),
            or_dash(version.author.as_deref().unwrap_or_default()).to_owned(),
            time(Some(version.created_at)),
        ]);
    }
    table
}

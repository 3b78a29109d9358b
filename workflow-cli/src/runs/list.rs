//! Runs are found.

use std::time::SystemTime;

use clap::Args;
use workflow_core::Status;
use workflow_store::RunQuery;

use super::which::WhichRun;
use crate::failure::{Failure, Outcome};
use crate::output;
use crate::run_table;
use crate::store::{Format, PageArguments, StoreArguments, moment, print_page_with, run_status};

/// List runs, newest first
///
/// Of several filters, all apply.
#[derive(Debug, Args)]
#[command(after_help = LIST_EXAMPLES)]
pub(super) struct ListArguments {
    /// Only runs of this workflow: its id, name or slug
    #[arg(long, value_name = "WORKFLOW")]
    workflow: Option<String>,
    /// Only runs of workflows whose names contain this
    #[arg(long, value_name = "TEXT")]
    q: Option<String>,
    /// Only runs that this user asked for
    #[arg(short, long, value_name = "NAME")]
    user: Option<String>,
    /// Only runs that stand there: pending, running, completed, failed or cancelled
    #[arg(long, value_name = "STATUS", value_parser = run_status)]
    status: Option<Status>,
    /// Only runs that were asked for since then: how long ago, as 2h, or a time
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<SystemTime>,
    /// Only runs that were asked for before then: how long ago, as 2h, or a time
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<SystemTime>,
    /// Only the run that began under this key
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    page: PageArguments,
    /// How to write the list
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    format: Format,
}

const LIST_EXAMPLES: &str = "\
Examples:
  workflow runs list --workflow daily-etl --status failed
  workflow runs list --since 2h -f json | jq -r '.items[].id'
  workflow runs list --since 2026-01-01 --until 2026-02-01

With -f json: {\"items\": [..], \"next\": the cursor of what follows, or null}. Times there are in
UTC; in the table they are those of this machine.";

/// Show one run with its jobs
#[derive(Debug, Args)]
#[command(after_help = GET_EXAMPLES)]
pub(super) struct GetArguments {
    /// The run: its number, its id or the first 8 characters of it or more, or `latest`
    #[arg(value_name = "RUN")]
    run: WhichRun,
    /// How to write it
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    format: Format,
}

const GET_EXAMPLES: &str = "\
Examples:
  workflow runs get 472
  workflow runs get 01980000-0000-7000-8000-000000000000 -f json | jq '.jobs[] | .name'";

pub(super) fn list(wanted: &ListArguments, store: &StoreArguments) -> Result<Outcome, Failure> {
    let query = RunQuery {
        workflow: wanted.workflow.clone(),
        name_contains: wanted.q.clone(),
        user: wanted.user.clone(),
        status: wanted.status,
        since: wanted.since,
        until: wanted.until,
        idempotency_key: wanted.idempotency_key.clone(),
        after: wanted.page.after(),
        limit: wanted.page.limit(),
        ..RunQuery::default()
    };
    let page = pollster::block_on(store.open()?.runs(query))?;
    if wanted.format == Format::Json {
        output::print_json(&page)?;
        return Ok(Outcome::Good);
    }
    let none = format_args!("no run of `{}` fits", store.shown());
    print_page_with(&page, none, |out, runs| {
        run_table::lines(runs, output::width()).iter().try_for_each(|line| writeln!(out, "{line}"))
    })?;
    Ok(Outcome::Good)
}

pub(super) fn get(wanted: &GetArguments, store: &StoreArguments) -> Result<Outcome, Failure> {
    let store = store.open()?;
    let details = pollster::block_on(store.run_details(wanted.run.find(&*store)?))?;
    match wanted.format {
        Format::Json => output::print_json(&details)?,
        Format::Table => run_table::write(&details)?,
    }
    Ok(Outcome::Good)
}

//! `runs list`, `get` and `watch`.

use std::time::SystemTime;

use clap::{Args, ValueEnum};
use workflow_core::Status;
use workflow_store::RunQuery;
use workflow_store::time::parse_time;

use crate::args::{
    Format, ListFormat, PageArguments, RunSelector, ShowArguments, StoreArguments, integer,
    parse_run_status,
};
use crate::failure::{Failure, Outcome};
use crate::output;
use crate::render::{print_page_with, run_table};
use crate::session::{follow_from, stored_run};

/// List runs, newest first
///
/// Multiple filters must all match.
#[derive(Debug, Args)]
#[command(after_help = LIST_EXAMPLES)]
pub(super) struct ListArguments {
    /// Only runs of this workflow: its ID, name or slug
    #[arg(long, value_name = "WORKFLOW")]
    workflow: Option<String>,
    /// Only runs of workflows whose name contains this text
    #[arg(long, value_name = "TEXT")]
    q: Option<String>,
    /// Only runs requested by this user
    #[arg(short, long, value_name = "NAME")]
    user: Option<String>,
    /// Only runs with this status: pending, running, completed, failed or cancelled
    #[arg(long, value_name = "STATUS", value_parser = parse_run_status)]
    status: Option<Status>,
    /// Only runs requested since this time: an age such as 2h, or a date or time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    since: Option<SystemTime>,
    /// Only runs requested before this time: an age such as 2h, or a date or time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    until: Option<SystemTime>,
    /// Only the run with this idempotency key
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    page: PageArguments,
    /// Output format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    format: ListFormat,
}

const LIST_EXAMPLES: &str = "\
Examples:
  workflow runs list --workflow daily-etl --status failed
  workflow runs list --since 2h -f json | jq -r '.items[].id'
  workflow runs list --since 2026-01-01 --until 2026-02-01

JSON output: {\"items\": [..], \"next\": cursor of the next page, or null}
Times in JSON are UTC, times in the table are local.";

/// Show a run and its jobs
#[derive(Debug, Args)]
#[command(after_help = GET_EXAMPLES)]
pub(super) struct GetArguments {
    /// Run: its number, its ID or the first 8 or more characters of it, or `latest`
    #[arg(value_name = "RUN")]
    run: RunSelector,
    /// Output format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    format: ListFormat,
}

const GET_EXAMPLES: &str = "\
Examples:
  workflow runs get 472
  workflow runs get 01980000-0000-7000-8000-000000000000 -f json | jq '.jobs[] | .name'";

/// Show the events of a run until it ends
///
/// Works for running and ended runs. `runs logs -F` shows the output of jobs. Ctrl-C stops watching,
/// and does not cancel the run.
#[derive(Debug, Args)]
#[command(after_help = WATCH_EXAMPLES)]
pub(super) struct WatchArguments {
    /// Run: its number, its ID or the first 8 or more characters of it, or `latest`
    #[arg(value_name = "RUN")]
    run: RunSelector,
    /// Start at the event with this sequence number
    #[arg(long, value_name = "SEQUENCE", default_value_t = 0, value_parser = integer::<u64>(0..))]
    from: u64,
    /// Output format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    format: WatchFormat,
    /// Show no progress
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum WatchFormat {
    /// Readable events, and the jobs at the end
    #[default]
    Text,
    /// The run as one JSON document
    Json,
    /// One JSON object per line: events as they happen, and finally `{"run": ...}`
    Jsonl,
}

impl WatchArguments {
    fn show(&self) -> ShowArguments {
        let format = match self.format {
            WatchFormat::Text => Format::Text,
            WatchFormat::Json => Format::Json,
            WatchFormat::Jsonl => Format::Jsonl,
        };
        ShowArguments { format, quiet: self.quiet }
    }
}

const WATCH_EXAMPLES: &str = "\
Examples:
  workflow runs watch 01980000-0000-7000-8000-000000000000
  workflow runs watch 01980000-0000-7000-8000-000000000000 -f jsonl --from 17

Exit codes:
  0 the run completed, 1 it failed, 2 invalid usage or input, 130 it was cancelled";

pub(super) fn list(args: &ListArguments, store: &StoreArguments) -> Result<Outcome, Failure> {
    let query = RunQuery {
        workflow: args.workflow.clone(),
        name_contains: args.q.clone(),
        user: args.user.clone(),
        status: args.status,
        since: args.since,
        until: args.until,
        idempotency_key: args.idempotency_key.clone(),
        after: args.page.after(),
        limit: args.page.limit(),
        ..RunQuery::default()
    };
    let page = pollster::block_on(store.open_existing()?.runs(query))?;
    if args.format == ListFormat::Json {
        output::print_json(&page)?;
        return Ok(Outcome::Success);
    }
    let none = format_args!("no matching run in `{}`", store.display_name());
    print_page_with(&page, none, |out, runs| {
        run_table::lines(runs, output::terminal_width())
            .iter()
            .try_for_each(|line| writeln!(out, "{line}"))
    })?;
    Ok(Outcome::Success)
}

pub(super) fn get(args: &GetArguments, store: &StoreArguments) -> Result<Outcome, Failure> {
    let store = store.open_existing()?;
    let details = pollster::block_on(store.run_details(args.run.find(&*store)?))?;
    match args.format {
        ListFormat::Json => output::print_json(&details)?,
        ListFormat::Table => run_table::write(&details)?,
    }
    Ok(Outcome::Success)
}

pub(super) fn watch(args: &WatchArguments, store: &StoreArguments) -> Result<Outcome, Failure> {
    let store = store.open_existing()?;
    let run = stored_run(&*store, args.run.find(&*store)?)?;
    follow_from(&store, &run, &args.show(), None, args.from)
}

#[cfg(feature = "temporal")]
impl ListArguments {
    /// Lists runs of a Temporal cluster.
    pub(super) fn on_temporal(
        &self,
        options: &workflow_temporal::TemporalOptions,
    ) -> Result<Outcome, Failure> {
        let others = [
            (self.q.is_some(), "q"),
            (self.user.is_some(), "user"),
            (self.idempotency_key.is_some(), "idempotency-key"),
            (self.since.is_some(), "since"),
            (self.until.is_some(), "until"),
        ];
        if let Some((_, option)) = others.into_iter().find(|(is_given, _)| *is_given) {
            return Err(Failure::Usage(format!(
                "--{option} works on a store; on Temporal, use --workflow and --status"
            )));
        }
        let limit = self.page.limit().unwrap_or(50);
        let filter = (self.workflow.as_deref(), self.status);
        crate::commands::temporal::list(options, filter, limit, self.format)
    }
}

#[cfg(feature = "temporal")]
impl GetArguments {
    pub(super) fn run(&self) -> &RunSelector {
        &self.run
    }

    pub(super) fn format(&self) -> ListFormat {
        self.format
    }
}

#[cfg(feature = "temporal")]
impl WatchArguments {
    pub(super) fn run(&self) -> &RunSelector {
        &self.run
    }
}

//! `schedules`: when scheduled workflows run next; pausing them, and making up for missed times.

mod act;
mod backfill;

use std::collections::BTreeSet;
use std::time::Duration;

use clap::{Args, Subcommand};
use comfy_table::Table;
use jiff::{Timestamp, Zoned};
use serde::{Serialize, Serializer};
use workflow_core::definition::Metadata;
use workflow_core::event::format_time;
use workflow_core::registry;
use workflow_core::store::ScheduleState;
use workflow_cron::{Overlap, Times};
use workflow_store::{StoredWorkflow, Viewer, WorkflowSource};

#[cfg(feature = "temporal")]
use super::temporal;
use crate::args::{HostStore, ListFormat, StoreArguments, integer};
use crate::failure::{Failure, Outcome};
use crate::output;

/// List, pause and resume schedules, and start their runs
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SchedulesArguments {
    #[command(subcommand)]
    command: SchedulesCommand,
}

#[derive(Debug, Subcommand)]
enum SchedulesCommand {
    List(ListArguments),
    Pause(act::PauseArguments),
    Resume(act::ResumeArguments),
    RunNow(act::RunNowArguments),
    Backfill(backfill::BackfillArguments),
    #[cfg(feature = "temporal")]
    Sync(temporal::SyncArguments),
}

/// List scheduled workflows: what their schedules mean, and their next times
///
/// These are the workflows of this program, and the active ones of the database, if there is one.
/// `serve` on the database starts their runs. Times are in the time zone of each schedule.
#[derive(Debug, Args)]
#[command(after_help = LIST_EXAMPLES)]
struct ListArguments {
    #[command(flatten)]
    store: StoreArguments,
    /// Show this many of the next times of each schedule
    #[arg(long, value_name = "N", default_value_t = 5,
          value_parser = integer::<u16>(1..=1000))]
    next: u16,
    /// Output format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    format: ListFormat,
}

const EXAMPLES: &str = "\
Examples:
  workflow schedules list
  workflow schedules pause nightly
  workflow schedules backfill nightly --from 2026-01-01 --to 2026-01-07 --dry-run";

const LIST_EXAMPLES: &str = "\
Examples:
  workflow schedules list --next 1
  workflow schedules list -f json | jq -r '.[] | \"\\(.next[0]) \\(.workflow)\"' | sort";

impl SchedulesArguments {
    /// Sets the store that is used without `--db`.
    pub(crate) fn set_store(&mut self, host: HostStore) {
        match &mut self.command {
            SchedulesCommand::List(args) => args.store.host = Some(host),
            SchedulesCommand::Pause(args) => args.store.host = Some(host),
            SchedulesCommand::Resume(args) => args.store.host = Some(host),
            SchedulesCommand::RunNow(args) => args.store.host = Some(host),
            SchedulesCommand::Backfill(args) => args.store.host = Some(host),
            #[cfg(feature = "temporal")]
            SchedulesCommand::Sync(_) => {}
        }
    }
}

pub(crate) fn schedules(args: &SchedulesArguments) -> Result<Outcome, Failure> {
    match &args.command {
        SchedulesCommand::List(args) => list(args),
        SchedulesCommand::Pause(args) => act::pause(args),
        SchedulesCommand::Resume(args) => act::resume(args),
        SchedulesCommand::RunNow(args) => act::run_now(args),
        SchedulesCommand::Backfill(args) => backfill::backfill(args),
        #[cfg(feature = "temporal")]
        SchedulesCommand::Sync(args) => temporal::sync_schedules(args),
    }
}

/// A scheduled workflow, as it is listed.
#[derive(Serialize)]
struct Row {
    workflow: String,
    /// Its number in the database, if it is there.
    id: Option<i64>,
    schedule: String,
    timezone: String,
    /// What happens at a time while an earlier scheduled run is unfinished.
    overlap: &'static str,
    /// How long a missed time can still start a run, in seconds.
    catch_up: u64,
    /// The longest delay after each time, in seconds.
    jitter: u64,
    /// Whether it is paused.
    paused: bool,
    /// The last time that was started or skipped.
    last: Option<String>,
    /// The last time that was skipped, and why.
    skipped: Option<Skipped>,
    /// What the schedule means; `None` if it is invalid.
    meaning: Option<String>,
    #[serde(serialize_with = "as_rfc3339")]
    next: Vec<Zoned>,
    /// Why it never runs.
    problem: Option<String>,
}

/// A time at which no run started.
#[derive(Serialize)]
struct Skipped {
    at: String,
    reason: String,
}

fn list(args: &ListArguments) -> Result<Outcome, Failure> {
    let now = Timestamp::now();
    let rows = args.rows(now)?;
    if args.format == ListFormat::Json {
        output::print_json(&rows)?;
        return Ok(Outcome::Success);
    }
    if rows.is_empty() {
        output::message("no workflow has a schedule; set `schedule` in its metadata");
        return Ok(Outcome::Success);
    }
    output::print(|out| output::write_table(out, table(&rows, now)))?;
    Ok(Outcome::Success)
}

impl ListArguments {
    /// The scheduled workflows, those that run first at the top, and those that never run at the end.
    fn rows(&self, now: Timestamp) -> Result<Vec<Row>, Failure> {
        let store = self.store.open_if_exists()?;
        let stored = match &store {
            Some(store) => pollster::block_on(store.all_scheduled())?,
            None => Vec::new(),
        };
        let all = store.map(|store| store.seen_by(Viewer::All));
        let is_registered =
            |workflow: &&StoredWorkflow| workflow.source == WorkflowSource::Registered;
        let known: BTreeSet<&str> =
            stored.iter().filter(is_registered).map(|workflow| workflow.name.as_str()).collect();
        let mut rows = Vec::new();
        for entry in registry::list()?.iter().filter(|entry| !known.contains(entry.name())) {
            rows.extend(self.row(entry.name(), None, entry.metadata(), now));
        }
        for workflow in &stored {
            let metadata = act::current_metadata(workflow);
            let row = self.row(&workflow.name, Some(workflow.id), &metadata, now);
            let Some(mut row) = row else { continue };
            if let Some(store) = &all {
                row.set_state(act::state(&**store, workflow)?);
            }
            rows.push(row);
        }
        rows.sort_by_key(|row| (row.next.is_empty(), row.next.first().map(Zoned::timestamp)));
        Ok(rows)
    }

    fn row(&self, name: &str, id: Option<i64>, metadata: &Metadata, now: Timestamp) -> Option<Row> {
        let schedule = metadata.schedule()?;
        let policy = metadata.schedule_policy();
        let row = Row {
            workflow: name.to_owned(),
            id,
            schedule: schedule.to_owned(),
            timezone: metadata.timezone().unwrap_or("UTC").to_owned(),
            overlap: policy.overlap.as_str(),
            catch_up: policy.catch_up.as_secs(),
            jitter: policy.jitter.as_secs(),
            paused: false,
            last: None,
            skipped: None,
            meaning: None,
            next: Vec::new(),
            problem: None,
        };
        Some(match Times::new(schedule, metadata.timezone()) {
            Ok(times) => Row {
                meaning: Some(times.meaning()),
                next: times.after(now).take(self.next.into()).collect(),
                ..row
            },
            Err(error) => Row { problem: Some(error.to_string()), ..row },
        })
    }
}

impl Row {
    fn set_state(&mut self, state: ScheduleState) {
        self.paused = state.is_paused;
        self.last = state.handled.map(format_time);
        self.skipped = state
            .skipped
            .map(|skipped| Skipped { at: format_time(skipped.at), reason: skipped.reason });
    }

    /// The policy and the state, a line each.
    fn state(&self) -> String {
        let mut lines = Vec::new();
        if self.paused {
            lines.push("paused".to_owned());
        }
        if self.overlap != Overlap::Allow.as_str() {
            lines.push(format!("overlap: {}", self.overlap));
        }
        for (name, seconds) in [("catch up", self.catch_up), ("jitter", self.jitter)] {
            if seconds > 0 {
                let time = output::short_duration(Duration::from_secs(seconds));
                lines.push(format!("{name}: {time}"));
            }
        }
        lines.extend(self.last.as_ref().map(|last| format!("last: {last}")));
        let skipped = self.skipped.as_ref();
        lines.extend(skipped.map(|of| format!("skipped: {}, {}", of.at, of.reason)));
        if lines.is_empty() { "-".to_owned() } else { lines.join("\n") }
    }
}

/// With the offset of the zone, and without its name.
fn as_rfc3339<S: Serializer>(times: &[Zoned], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(times.iter().map(|at| at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()))
}

fn table(rows: &[Row], now: Timestamp) -> Table {
    let mut table = output::table();
    table.set_header(["WORKFLOW", "SCHEDULE", "TIME ZONE", "MEANING", "STATE", "NEXT"]);
    for row in rows {
        let next: Vec<String> = row.next.iter().map(|at| in_words(at, now)).collect();
        table.add_row([
            row.workflow.clone(),
            row.schedule.clone(),
            row.timezone.clone(),
            row.meaning.clone().unwrap_or_else(|| "-".to_owned()),
            row.state(),
            row.problem.as_ref().map_or_else(|| next.join("\n"), |why| format!("never: {why}")),
        ]);
    }
    table
}

/// A time with its weekday, and how far away it is.
fn in_words(at: &Zoned, now: Timestamp) -> String {
    let seconds = at.timestamp().duration_since(now).as_secs().max(0);
    let away = match seconds {
        0..60 => "in less than a minute".to_owned(),
        60..3600 => counted(seconds / 60, "minute"),
        3600..86_400 => counted(seconds / 3600, "hour"),
        _ => counted(seconds / 86_400, "day"),
    };
    format!("{}, {away}", at.strftime("%a %Y-%m-%d %H:%M:%S %:z"))
}

fn counted(number: i64, unit: &str) -> String {
    format!("in {number} {unit}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_its_distance_in_one_unit() {
        let now: Timestamp = "2026-11-26T12:00:00Z".parse().expect("a time");
        let distance = |seconds: i64| {
            let at = now + jiff::SignedDuration::from_secs(seconds);
            let text = in_words(&at.to_zoned(jiff::tz::TimeZone::UTC), now);
            text.split_once(", ").map(|(_, away)| away.to_owned()).expect("two parts")
        };
        assert_eq!(distance(59), "in less than a minute");
        assert_eq!(distance(60), "in 1 minute");
        assert_eq!(distance(3_599), "in 59 minutes");
        assert_eq!(distance(86_399), "in 23 hours");
        assert_eq!(distance(40 * 86_400), "in 40 days");
        let zone = jiff::tz::TimeZone::get("Europe/Berlin").expect("known");
        let text = in_words(&now.to_zoned(zone), now);
        assert_eq!(text, "Thu 2026-11-26 13:00:00 +01:00, in less than a minute");
    }
}

//! Runs as tables.

use std::time::{Duration, SystemTime};

use comfy_table::Table;
use console::Alignment;
use serde_json::Value as Json;
use workflow_core::Status;
use workflow_core::event::{Blocked, Death, Stall, Waiting, decisive_line};
use workflow_store::{JobSummary, RunDetails, RunSummary};

use super::time::{short_time, time};
use crate::failure::Failure;
use crate::output::{self, DIM, ERROR, HEADING, SUCCESS, Style, WARNING, short_duration, styled};

/// Writes a run with its jobs.
///
/// # Errors
///
/// Fails when writing fails.
pub(crate) fn write(details: &RunDetails) -> Result<(), Failure> {
    output::print(|out| {
        let run = &details.run;
        let status = status(run);
        let status = in_style(style(status), status);
        writeln!(
            out,
            "{} {status}",
            styled(HEADING, format_args!("{} #{}", run.workflow, run.number))
        )?;
        output::write_table(out, details_table(details))?;
        if !details.jobs.is_empty() {
            writeln!(out)?;
            output::write_table(out, jobs_table(&details.jobs))?;
        }
        Ok(())
    })
}

fn details_table(details: &RunDetails) -> Table {
    let RunDetails { run, input, result, .. } = details;
    let has_result = match result {
        Json::Null => false,
        Json::Object(result) => !result.is_empty(),
        _ => true,
    };
    let rows = [
        ("run", Some(run.id.to_string())),
        ("trigger", Some(run.trigger.as_str().to_owned())),
        ("retry of", details.retry_of.map(|of| of.to_string())),
        ("key", run.idempotency_key.clone()),
        ("parent", run.parent.as_ref().map(|of| format!("job {} of run {}", of.job, of.run))),
        ("queue", Some(queue(run))),
        ("scheduled", run.scheduled_for.map(|at| time(Some(at)))),
        ("requested", Some(time(Some(run.started_at)))),
        ("started", run.begun_at.map(|at| time(Some(at)))),
        ("ended", run.completed_at.map(|at| time(Some(at)))),
        ("duration", took(run.begun_at, until(run))),
        ("input", input.as_ref().filter(|input| !input.is_null()).map(ToString::to_string)),
        ("result", has_result.then(|| result.to_string())),
        ("error", run.error.clone()),
        ("state", run.stall.as_ref().map(ToString::to_string)),
        ("waited", waiting(run).map(|of| for_how_long(of.since()))),
        ("fix", run.stall.as_ref().map(Stall::cure)),
        ("jobs", Some(counts(&details.jobs))),
    ];
    let mut table = output::table();
    for (what, text) in rows {
        if let Some(text) = text {
            table.add_row([format!("  {what}"), text]);
        }
    }
    if let Some(Stall::Blocked(Blocked::Poisoned { deaths, .. })) = &run.stall {
        for Death { attempt, found_at, .. } in deaths {
            let text = format!("in attempt {attempt}, detected {}", time(Some(*found_at)));
            table.add_row(["  crash".to_owned(), text]);
        }
    }
    table
}

/// The task queue, with the priority if the run has one.
fn queue(run: &RunSummary) -> String {
    match run.priority {
        0 => run.task_queue.clone(),
        priority => format!("{}, priority {priority}", run.task_queue),
    }
}

/// The number of jobs by status, such as `2 of 4 completed, 1 running, 1 pending`.
fn counts(jobs: &[JobSummary]) -> String {
    let of = |status| jobs.iter().filter(|job| job.status == status).count();
    let others =
        [Status::Running, Status::Failed, Status::Cancelled, Status::Skipped, Status::Pending];
    let others = others.map(|status| (of(status), status)).into_iter();
    let others = others.filter(|(count, _)| *count > 0);
    let others: String = others.map(|(count, status)| format!(", {count} {status}")).collect();
    format!("{} of {} completed{others}", of(Status::Completed), jobs.len())
}

fn jobs_table(jobs: &[JobSummary]) -> Table {
    let mut table = output::table();
    table.set_header(["JOB", "STATUS", "ATTEMPTS", "STARTED", "DURATION", "ERROR"]);
    for job in jobs {
        let took = took(job.started_at, job.completed_at);
        let error = job.error_line.as_deref().or(job.error.as_deref()).map(decisive_line);
        table.add_row([
            job.name.clone(),
            if job.is_reused { "reused".to_owned() } else { job.status.to_string() },
            job.attempts.to_string(),
            time(job.started_at),
            or_dash(took),
            or_dash(error),
        ]);
    }
    table
}

/// Formats one line per run, cut to the width of the terminal.
pub(crate) fn lines(runs: &[RunSummary], width: usize) -> Vec<String> {
    let cells: Vec<_> = runs.iter().map(Cells::of).collect();
    let widest = |of: fn(&Cells) -> &str, title: &str, most: usize| {
        let widths = cells.iter().map(|cells| console::measure_text_width(of(cells)));
        widths.chain([title.len()]).max().unwrap_or(0).min(most)
    };
    let columns = Columns {
        run: widest(|cells| &cells.run, "RUN", usize::MAX),
        status: widest(|cells| cells.status, "STATUS", usize::MAX),
        workflow: widest(|cells| &cells.workflow, "WORKFLOW", LONGEST_NAME),
        started: widest(|cells| &cells.started, "STARTED", usize::MAX),
        took: widest(|cells| &cells.took, "DURATION", usize::MAX),
        width,
    };
    let titles = Cells {
        run: "RUN".to_owned(),
        status: "STATUS",
        workflow: "WORKFLOW".to_owned(),
        started: "STARTED".to_owned(),
        took: "DURATION".to_owned(),
        note: String::new(),
    };
    let titles = columns.line(&titles, None);
    [titles].into_iter().chain(cells.iter().map(|of| columns.line(of, style(of.status)))).collect()
}

/// The maximum width of the workflow column.
const LONGEST_NAME: usize = 24;

/// The columns of a run in a list.
struct Cells {
    run: String,
    status: &'static str,
    workflow: String,
    started: String,
    took: String,
    /// Why the run failed, or what it waits for.
    note: String,
}

impl Cells {
    fn of(run: &RunSummary) -> Self {
        let note = match (&run.error, &run.stall) {
            (Some(error), _) => brief_reason(&decisive_line(error)),
            (None, Some(Stall::Waiting(waiting))) => waits_for(waiting),
            (None, Some(Stall::Blocked(blocked))) => blocked.to_string(),
            _ => String::new(),
        };
        Self {
            run: run.number.to_string(),
            status: status(run),
            workflow: run.workflow.clone(),
            started: short_time(run.started_at),
            took: or_dash(took(run.begun_at, until(run))),
            note,
        }
    }
}

/// Shortens the reason of a failed run: `load: no route` for a failed job `load`.
fn brief_reason(reason: &str) -> String {
    let of_job = reason.strip_prefix("job `").and_then(|rest| rest.split_once("` failed: "));
    of_job.map_or_else(|| reason.to_owned(), |(job, error)| format!("{job}: {error}"))
}

/// The widths of the columns of a list.
struct Columns {
    run: usize,
    status: usize,
    workflow: usize,
    started: usize,
    took: usize,
    width: usize,
}

impl Columns {
    fn line(&self, cells: &Cells, status: Option<Style>) -> String {
        let pad = |text: &str, width, alignment| {
            console::pad_str(text, width, alignment, Some("…")).into_owned()
        };
        let begin = [
            pad(&cells.run, self.run, Alignment::Right),
            in_style(status, &pad(cells.status, self.status, Alignment::Left)),
            pad(&cells.workflow, self.workflow, Alignment::Left),
            pad(&cells.started, self.started, Alignment::Left),
            pad(&cells.took, self.took, Alignment::Right),
        ];
        let begin = begin.join("  ");
        let taken = self.run + self.status + self.workflow + self.started + self.took + 5 * 2;
        let room = self.width.saturating_sub(taken);
        let note = console::truncate_str(&cells.note, room, "…");
        format!("{begin}  {note}").trim_end().to_owned()
    }
}

/// The status of a run, or the more precise state `waiting` or `blocked`.
fn status(run: &RunSummary) -> &'static str {
    run.stall.as_ref().map_or(run.status.as_str(), Stall::as_str)
}

fn style(status: &str) -> Option<Style> {
    match status {
        "completed" => Some(SUCCESS),
        "failed" | "blocked" => Some(ERROR),
        "waiting" | "cancelled" => Some(WARNING),
        "pending" => Some(DIM),
        _ => None,
    }
}

fn in_style(style: Option<Style>, text: &str) -> String {
    style.map_or_else(|| text.to_owned(), |style| styled(style, text))
}

fn waiting(run: &RunSummary) -> Option<&Waiting> {
    match &run.stall {
        Some(Stall::Waiting(waiting)) => Some(waiting),
        _ => None,
    }
}

/// What a run waits for, and for how long so far, such as ``for `approved`, 4m 12s``.
fn waits_for(waiting: &Waiting) -> String {
    match waiting {
        Waiting::Signal { signal, since, .. } => {
            format!("for `{signal}`, {}", for_how_long(*since))
        }
        Waiting::Time { until, .. } => format!("until {}", short_time(*until)),
        other => other.to_string(),
    }
}

fn for_how_long(since: SystemTime) -> String {
    short_duration(SystemTime::now().duration_since(since).unwrap_or_default())
}

/// The end of a run, or now while it is running.
fn until(run: &RunSummary) -> Option<SystemTime> {
    match run.status {
        Status::Running => Some(SystemTime::now()),
        _ => run.completed_at,
    }
}

fn took(from: Option<SystemTime>, to: Option<SystemTime>) -> Option<String> {
    let span: Duration = to?.duration_since(from?).ok()?;
    Some(short_duration(span))
}

fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".to_owned())
}

//! Runs as people are shown them.

use std::time::{Duration, SystemTime};

use comfy_table::Table;
use serde_json::Value as Json;
use workflow_core::{Blocked, Death, Stall, Status};
use workflow_store::{JobSummary, RunDetails, RunSummary};

use crate::failure::Failure;
use crate::output::{self, TITLE, brief, styled};
use crate::store::time;

/// Writes a run with its jobs.
///
/// # Errors
///
/// Fails when nobody reads it.
pub(crate) fn write(details: &RunDetails) -> Result<(), Failure> {
    output::print(|out| {
        let run = &details.run;
        writeln!(out, "{}", styled(TITLE, format_args!("{} {}", run.workflow, run.status)))?;
        output::write_table(out, about(details))?;
        if !details.jobs.is_empty() {
            writeln!(out)?;
            output::write_table(out, jobs(&details.jobs))?;
        }
        Ok(())
    })
}

fn about(details: &RunDetails) -> Table {
    let RunDetails { run, input, result, .. } = details;
    let has_result = match result {
        Json::Null => false,
        Json::Object(result) => !result.is_empty(),
        _ => true,
    };
    let rows = [
        ("run", Some(run.id.to_string())),
        ("trigger", Some(run.trigger.as_str().to_owned())),
        ("key", run.idempotency_key.clone()),
        ("parent", run.parent.as_ref().map(|of| format!("job {} of run {}", of.job, of.run))),
        ("asked for", Some(time(Some(run.started_at)))),
        ("began", run.begun_at.map(|at| time(Some(at)))),
        ("ended", run.completed_at.map(|at| time(Some(at)))),
        ("took", took(run.begun_at, run.completed_at)),
        ("input", input.as_ref().filter(|input| !input.is_null()).map(ToString::to_string)),
        ("result", has_result.then(|| result.to_string())),
        ("error", run.error.clone()),
        ("state", details.stall.as_ref().map(ToString::to_string)),
        ("cure", details.stall.as_ref().map(Stall::cure)),
    ];
    let mut table = output::table();
    for (what, text) in rows {
        if let Some(text) = text {
            table.add_row([format!("  {what}"), text]);
        }
    }
    if let Some(Blocked::Poisoned { deaths, .. }) = &run.blocked {
        for Death { attempt, found_at, .. } in deaths {
            let text = format!("in attempt {attempt}, found at {}", time(Some(*found_at)));
            table.add_row(["  death".to_owned(), text]);
        }
    }
    table
}

fn jobs(jobs: &[JobSummary]) -> Table {
    let mut table = output::table();
    table.set_header(["JOB", "STATUS", "ATTEMPTS", "STARTED", "TOOK", "ERROR"]);
    for job in jobs {
        table.add_row([
            job.name.clone(),
            job.status.to_string(),
            job.attempts.to_string(),
            time(job.started_at),
            or_dash(took(job.started_at, job.completed_at)),
            or_dash(job.error.as_deref().map(first_line)),
        ]);
    }
    table
}

/// One line for each run.
pub(crate) fn table(runs: &[RunSummary]) -> Table {
    let mut table = output::table();
    table.set_header(["RUN", "WORKFLOW", "STATUS", "TRIGGER", "ASKED FOR", "TOOK", "ERROR"]);
    for run in runs {
        let until = match run.status {
            Status::Running => Some(SystemTime::now()),
            _ => run.completed_at,
        };
        let blocked = run.blocked.clone().map(Stall::Blocked);
        let status = blocked.as_ref().map_or(run.status.as_str(), Stall::as_str);
        let blocked = run.blocked.as_ref().map(ToString::to_string);
        table.add_row([
            run.id.to_string(),
            run.workflow.clone(),
            status.to_owned(),
            run.trigger.as_str().to_owned(),
            time(Some(run.started_at)),
            or_dash(took(run.begun_at, until)),
            or_dash(run.error.as_deref().or(blocked.as_deref()).map(first_line)),
        ]);
    }
    table
}

fn took(from: Option<SystemTime>, to: Option<SystemTime>) -> Option<String> {
    let span: Duration = to?.duration_since(from?).ok()?;
    Some(brief(span))
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".to_owned())
}

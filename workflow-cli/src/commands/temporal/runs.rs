//! Runs on a Temporal cluster: lists, states, events, logs, and requests to them.

use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::{Value as Json, json};
use workflow_core::Status;
use workflow_core::event::{JobView, RunView, Stall, Waiting};
use workflow_core::run_log::path_in;
use workflow_store::{Cause, StallReason};
use workflow_temporal::{
    AttemptState, RunEvents, RunState, TemporalOptions, TemporalRun, TemporalRunSummary,
};

use super::follow::News;
use super::{with_client, with_run};
use crate::args::{ListFormat, RUNS_DIR};
use crate::commands::runs::{LogsArguments, print_reasons};
use crate::failure::{Failure, Outcome};
use crate::output;

/// The time between two looks at a run.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Lists runs of a workflow with a status, each if it is given.
pub(in crate::commands) fn list(
    options: &TemporalOptions,
    (workflow, status): (Option<&str>, Option<Status>),
    limit: usize,
    format: ListFormat,
) -> Result<Outcome, Failure> {
    let status = status.map(|status| match status {
        Status::Completed => "ExecutionStatus = 'Completed'",
        Status::Failed => "ExecutionStatus IN ('Failed', 'TimedOut', 'Terminated')",
        Status::Cancelled => "ExecutionStatus = 'Canceled'",
        _ => "ExecutionStatus = 'Running'",
    });
    let workflow = workflow.map(|name| format!("WorkflowType = '{}'", name.replace('\'', "''")));
    let filters: Vec<String> = workflow.into_iter().chain(status.map(str::to_owned)).collect();
    with_client(options, async |client| {
        let runs = client.list(&filters.join(" AND "), limit).await;
        let runs = runs?;
        match format {
            ListFormat::Json => output::print_json(&json!({ "items": runs }))?,
            ListFormat::Table => print_runs(&runs)?,
        }
        Ok(Outcome::Success)
    })
}

fn print_runs(runs: &[TemporalRunSummary]) -> Result<(), Failure> {
    let mut table = output::table();
    table.set_header(["RUN", "WORKFLOW", "STATUS", "TASK QUEUE"]);
    for run in runs {
        let status = run.status.to_string();
        table.add_row([&run.workflow_id, &run.workflow, &status, &run.task_queue]);
    }
    output::print(|out| output::write_table(out, table))
}

pub(in crate::commands) fn get(
    options: &TemporalOptions,
    run: &str,
    format: ListFormat,
) -> Result<Outcome, Failure> {
    with_run(options, run, async |run| {
        match format {
            ListFormat::Json => output::print_json(&as_json(&run).await?)?,
            ListFormat::Table => {
                let seen = Seen::of(&run).await?;
                print_run(&run, &seen)?;
            }
        }
        Ok(Outcome::Success)
    })
}

/// What is known about a run.
struct Seen {
    state: RunState,
    view: RunView,
    /// Whether a worker answered. Otherwise, the view comes from the history.
    is_answered: bool,
}

impl Seen {
    async fn of(run: &TemporalRun) -> Result<Self, Failure> {
        let state = run.state().await?;
        let mut view = RunView::default();
        let mut is_answered = false;
        // No worker has had a pending run.
        if state.status != Status::Pending {
            let events = run.events(0).await?;
            is_answered = matches!(events, RunEvents::Recorded(_));
            events.into_vec().iter().for_each(|event| view.apply(event));
        }
        Ok(Self { state, view, is_answered })
    }

    /// The status of a job. One whose attempt no worker has begun is pending.
    fn status(&self, job: &JobView) -> Status {
        match self.attempt(&job.name) {
            Some(attempt) if job.status == Status::Running && !attempt.is_running => {
                Status::Pending
            }
            _ => job.status,
        }
    }

    fn attempt(&self, job: &str) -> Option<&AttemptState> {
        self.state.attempts.iter().find(|attempt| attempt.job == job)
    }

    /// Why the run makes no progress.
    fn stall(&self) -> Option<Stall> {
        let blocked = self.state.blocked.clone().map(Stall::Blocked);
        blocked.or_else(|| self.view.stall(SystemTime::now()))
    }
}

/// A run as JSON.
pub(super) async fn as_json(run: &TemporalRun) -> Result<Json, Failure> {
    let seen = Seen::of(run).await?;
    let Seen { state, view, .. } = &seen;
    let result = match state.status {
        Status::Completed => Some(run.output().await?),
        _ => None,
    };
    let job = |job: &JobView| json!({ "name": job.name, "status": seen.status(job), "attempts": job.attempt_count() });
    Ok(json!({
        "run": run.workflow_id(),
        "run_id": run.id(),
        "workflow": run.workflow(),
        "status": state.status,
        "task_queue": state.task_queue,
        "has_worker": state.has_worker,
        "stall": seen.stall(),
        "reason": view.reason(),
        "result": result,
        "jobs": view.jobs().iter().map(job).collect::<Vec<_>>(),
    }))
}

fn print_run(run: &TemporalRun, seen: &Seen) -> Result<(), Failure> {
    let mut table = output::table();
    table.set_header(["JOB", "STATUS", "ATTEMPTS"]);
    for job in seen.view.jobs() {
        table.add_row([&job.name, &seen.status(job).to_string(), &job.attempt_count().to_string()]);
    }
    output::print(|out| {
        let status = seen.state.status;
        writeln!(out, "{} of `{}`: {status}", run.workflow_id(), run.workflow())?;
        if let Some(stall) = seen.stall() {
            writeln!(out, "{stall}")?;
        }
        if let Some(reason) = seen.view.reason() {
            writeln!(out, "{reason}")?;
        }
        output::write_table(out, table)
    })
}

/// Prints the events of a run until it ends.
pub(in crate::commands) fn watch(options: &TemporalOptions, run: &str) -> Result<Outcome, Failure> {
    with_run(options, run, async |run| {
        let mut seen = Vec::new();
        let mut is_warned = false;
        loop {
            // Asked before the events, so that those of an ended run are all there.
            let status = run.status().await?;
            let news = News::of(&run, status, seen.len() as u64).await;
            let news = news?;
            if news.is_unrecorded && !std::mem::replace(&mut is_warned, true) {
                output::warning(
                    "no worker answers, and this program cannot replay the run; its events follow \
                     when a worker answers, or when it ends",
                );
            }
            let mut events = news.next;
            if let Some(closing) = news.closing {
                events.extend(closing.events(&[&seen[..], &events[..]].concat()));
            }
            for event in &events {
                output::print(|out| writeln!(out, "{}", event.kind))?;
            }
            seen.extend(events);
            if let Some(status) = seen.last().and_then(|last| last.kind.run_status())
                && status.is_final()
            {
                return Ok(status.into());
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    })
}

pub(in crate::commands) fn cancel(
    options: &TemporalOptions,
    run: &str,
) -> Result<Outcome, Failure> {
    with_run(options, run, async |run| {
        run.cancel().await?;
        output::message(format_args!("cancellation of {} requested", run.workflow_id()));
        Ok(Outcome::Success)
    })
}

pub(in crate::commands) fn signal(
    options: &TemporalOptions,
    run: &str,
    name: &str,
    payload: Json,
) -> Result<Outcome, Failure> {
    with_run(options, run, async |run| {
        run.signal(name, payload).await?;
        output::message(format_args!("signal `{name}` sent to {}", run.workflow_id()));
        Ok(Outcome::Success)
    })
}

/// Prints why a run makes no progress.
pub(in crate::commands) fn why(
    options: &TemporalOptions,
    run: &str,
    format: ListFormat,
) -> Result<Outcome, Failure> {
    with_run(options, run, async |run| {
        let status = run.status().await?;
        let reasons = match status.is_final() {
            true => vec![StallReason { job: None, cause: Cause::EndedForGood(status, None) }],
            false => reasons(&Seen::of(&run).await?),
        };
        print_reasons(&reasons, format)?;
        Ok(Outcome::Success)
    })
}

/// One reason for the whole run, or one for each job that has not ended.
fn reasons(seen: &Seen) -> Vec<StallReason> {
    let Seen { state, view, is_answered } = seen;
    let whole = |cause| vec![StallReason { job: None, cause }];
    if state.status.is_final() {
        return whole(Cause::EndedForGood(state.status, None));
    }
    if let Some(blocked) = &state.blocked {
        return whole(Cause::Stalled(Stall::Blocked(blocked.clone())));
    }
    if !state.has_worker {
        return whole(Cause::NoWorker { queue: state.task_queue.clone() });
    }
    let mut reasons = why_jobs(seen);
    if view.is_cancelling() {
        reasons.insert(0, StallReason { job: None, cause: Cause::Cancelling });
    } else if reasons.is_empty() {
        let queue = state.task_queue.clone();
        let cause = match (state.status, is_answered) {
            (Status::Pending, _) => Cause::Queued { queue },
            (_, true) => Cause::Starting,
            (_, false) => Cause::NoWorker { queue },
        };
        reasons.push(StallReason { job: None, cause });
    }
    reasons
}

/// Why the jobs that have started have not ended. Function workflows that wait for their jobs are
/// left out.
fn why_jobs(seen: &Seen) -> Vec<StallReason> {
    let Seen { state, view, is_answered } = seen;
    let waiting = view.waiting(SystemTime::now());
    let open = view.jobs().iter().filter(|job| job.status == Status::Running);
    let callers: Vec<&str> = open.clone().filter_map(|job| job.started_by.as_deref()).collect();
    let cause = |name: &str| -> Option<Cause> {
        let job = view.job(name)?;
        if let Some(waiting) = waiting.iter().find(|waiting: &&Waiting| waiting.job() == name) {
            return Some(Cause::Waiting(waiting.clone()));
        }
        if let Some(at) = job.retry_at {
            return Some(Cause::Retry { at });
        }
        match seen.attempt(name) {
            Some(attempt) if !attempt.is_running => Some(Cause::JobSlot { full: None }),
            Some(attempt) => {
                Some(Cause::Running { attempt: attempt.attempt, since: attempt.since })
            }
            None if callers.contains(&name) => None,
            // Nobody knows what it does.
            None if !is_answered => Some(Cause::NoWorker { queue: state.task_queue.clone() }),
            None => {
                let since = job.started_at().unwrap_or_else(SystemTime::now);
                Some(Cause::Running { attempt: job.attempt_count().max(1), since })
            }
        }
    };
    let reason = |name: &str| Some(StallReason { job: Some(name.to_owned()), cause: cause(name)? });
    open.clone().filter_map(|job| reason(&job.name)).collect()
}

/// Prints what the jobs of a run printed on this machine.
pub(in crate::commands) fn logs(
    options: &TemporalOptions,
    args: &LogsArguments,
) -> Result<Outcome, Failure> {
    with_run(options, args.run().text(), async |run| {
        let path = path_in(&Path::new(RUNS_DIR).join(run.id().to_string()));
        if !args.follows() && !path.exists() {
            return Err(Failure::Usage(format!(
                "{} has no log at `{}`: no job has printed anything yet, or its jobs ran on another \
                 machine or in another folder",
                run.workflow_id(),
                path.display()
            )));
        }
        let mut log = args.log(path);
        loop {
            // Checked before reading, so that output up to the end is not missed.
            let is_over = !args.follows() || has_ended(&run).await?;
            log.print()?;
            if is_over {
                return Ok(Outcome::Success);
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    })
}

async fn has_ended(run: &TemporalRun) -> Result<bool, Failure> {
    Ok(run.status().await?.is_final())
}

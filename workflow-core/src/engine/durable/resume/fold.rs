//! Folds the recorded events of a run into the state that it had. Reads and decides nothing: the
//! scheduler is told what happened.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::Value as Json;

use super::ResumeError;
use super::deaths::Deaths;
use crate::engine::durable::replay::Replay;
use crate::engine::state::Signals;
use crate::event::{Event, EventKind, JobOrigin, Log};
use crate::graph::Graph;
use crate::run::{Annotations, CalledJob, ChildName, JobNames};
use crate::scheduler::{Cause, Effect, Phase, Recorded, Scheduler};

/// The restored state of a run.
pub(super) struct Restored {
    pub(super) scheduler: Scheduler,
    pub(super) log: Log,
    pub(super) names: JobNames,
    pub(super) annotations: Annotations,
    pub(super) replay: Replay,
    pub(super) signals: Signals,
    /// Outputs of jobs of the graph.
    pub(super) outputs: Vec<(u32, Arc<Json>)>,
    /// The deaths of the run's process.
    pub(super) deaths: Deaths,
}

struct Fold<'a> {
    graph: &'a Graph,
    numbers: HashMap<String, u32>,
    state: Restored,
    /// Effects of the events that are still to be performed.
    effects: Vec<Effect>,
    /// Jobs whose end is on record.
    ended: HashSet<u32>,
    now: SystemTime,
}

/// Folds all events of a run up to `now`, into a scheduler that has not begun. With `after_crash`, the
/// run's last process died.
///
/// # Errors
///
/// Fails if the events do not belong to the graph.
pub(super) fn fold(
    graph: &Graph,
    scheduler: Scheduler,
    events: Vec<Event>,
    began: SystemTime,
    now: SystemTime,
    after_crash: bool,
) -> Result<Restored, ResumeError> {
    let numbers = graph.job_names().map(str::to_owned).zip(0..).collect();
    let mut fold = Fold {
        graph,
        numbers,
        state: Restored {
            scheduler,
            log: Log::new(began, graph.len()),
            names: JobNames::default(),
            annotations: Annotations::new(),
            replay: Replay::default(),
            signals: Signals::default(),
            outputs: Vec::new(),
            deaths: Deaths::default(),
        },
        effects: Vec::new(),
        ended: HashSet::new(),
        now,
    };
    fold.take_effects(began);
    for event in events {
        fold.event(event)?;
    }
    if after_crash {
        let Restored { deaths, scheduler, .. } = &mut fold.state;
        deaths.died(now, ready(graph, scheduler));
    }
    let Fold { mut state, effects, ended, .. } = fold;
    let remaining = effects.into_iter().filter(|effect| !is_on_record(effect, &ended));
    state.scheduler.resume(remaining.collect());
    state.replay.finish();
    Ok(state)
}

/// The jobs of the graph that wait only for a worker.
fn ready<'a>(graph: &'a Graph, scheduler: &'a Scheduler) -> impl Iterator<Item = &'a str> {
    let jobs = graph.job_names().zip(0..);
    jobs.filter(|(_, job)| scheduler.phase(*job) == Phase::Ready).map(|(name, _)| name)
}

/// Whether the effect would record an end that is on record already.
fn is_on_record(effect: &Effect, ended: &HashSet<u32>) -> bool {
    match effect {
        Effect::Skip { job, .. }
        | Effect::Fail { job, .. }
        | Effect::Cancel { job, .. }
        | Effect::Expire { job } => ended.contains(job),
        Effect::Arm { .. } => false,
        _ => true,
    }
}

impl Fold<'_> {
    fn event(&mut self, event: Event) -> Result<(), ResumeError> {
        let sequence = event.sequence;
        let damaged = |problem: String| ResumeError::Damaged { sequence, problem };
        if sequence != self.state.log.entries.len() as u64 {
            let wanted = self.state.log.entries.len();
            return Err(damaged(format!("is where event {wanted} must be")));
        }
        let number = match (event.kind.job(), &event.kind) {
            (None, _) => None,
            (Some(job), EventKind::JobStarted { attempt, origin: Some(origin), .. }) => {
                Some(self.child(job, *attempt, origin).map_err(damaged)?)
            }
            (Some(job), EventKind::JobCancelled { attempt, .. }) => {
                Some(self.number_or_unstarted(job, *attempt).map_err(damaged)?)
            }
            (Some(job), _) => Some(self.number(job).map_err(damaged)?),
        };
        let Restored { deaths, scheduler, .. } = &mut self.state;
        deaths.apply(&event, ready(self.graph, scheduler));
        match number {
            Some(job) => self.apply_to_job(job, &event),
            None if matches!(event.kind, EventKind::CancelRequested { .. }) => {
                self.state.scheduler.cancel(Cause::Cancelled);
            }
            None => {}
        }
        self.take_effects(event.at);
        let at = nanos_between(self.state.log.began, event.at);
        self.state.log.push_event(at, number, event.kind);
        Ok(())
    }

    /// Takes the effects of the latest event. Timers are shortened by the time since.
    fn take_effects(&mut self, at: SystemTime) {
        let elapsed = self.now.duration_since(at).unwrap_or_default();
        for effect in self.state.scheduler.take_effects() {
            self.effects.push(match effect {
                Effect::Arm { timer, after } => {
                    Effect::Arm { timer, after: after.saturating_sub(elapsed) }
                }
                other => other,
            });
        }
    }

    fn number(&self, job: &str) -> Result<u32, String> {
        let number = self.numbers.get(job).copied();
        number.ok_or_else(|| format!("names a job `{job}` that the run does not have"))
    }

    /// Returns the number of a job that was cancelled, perhaps before it started: such as the other
    /// elements of a map after one has failed. No event tells its origin then.
    fn number_or_unstarted(&mut self, job: &str, attempt: u32) -> Result<u32, String> {
        if let Some(known) = self.numbers.get(job).copied() {
            return Ok(known);
        }
        let element = job.strip_suffix(']').and_then(|job| job.rsplit_once('['));
        let element = element.and_then(|(of, index)| Some((of, index.parse().ok()?)));
        if let Some((of, index)) = element.filter(|(of, _)| self.numbers.contains_key(*of)) {
            return self.child(job, attempt, &JobOrigin::Element { of: of.to_owned(), index });
        }
        let number = self.state.scheduler.replay();
        self.state.replay.histories.entry(number).or_default();
        self.state.names.children.push(ChildName::Own(job.to_owned().into()));
        self.numbers.insert(job.to_owned(), number);
        Ok(number)
    }

    /// Returns the number of a job that was started by another job.
    fn child(&mut self, job: &str, attempt: u32, origin: &JobOrigin) -> Result<u32, String> {
        if let Some(known) = self.numbers.get(job).copied() {
            // Each attempt of a map starts its elements again, under the same names.
            if let JobOrigin::Element { of, index } = origin {
                let parent = self.number(of)?;
                let name = ChildName::Element { parent, index: *index };
                self.state.replay.note(known, attempt, &name, parent);
            }
            return Ok(known);
        }
        let number = self.state.scheduler.replay();
        let (by, in_attempt, name) = match origin {
            JobOrigin::Element { of, index } => {
                let parent = self.number(of)?;
                (parent, attempt, ChildName::Element { parent, index: *index })
            }
            JobOrigin::Compensation { of } => {
                let of = self.number(of)?;
                (of, attempt, ChildName::Compensation { of })
            }
            JobOrigin::Called { by, attempt, job: called, input } => {
                let (by, attempt) = (self.number(by)?, *attempt);
                let (called, input) = (Cow::from(called.clone()), input.clone());
                self.state.names.count(called.clone(), job);
                let call = CalledJob { by, attempt, job: called, input };
                self.state.names.calls.insert(number, call);
                (by, attempt, ChildName::Own(job.to_owned().into()))
            }
        };
        self.state.replay.note(number, in_attempt, &name, by);
        self.state.names.children.push(name);
        self.numbers.insert(job.to_owned(), number);
        Ok(number)
    }

    fn apply_to_job(&mut self, job: u32, event: &Event) {
        self.state.signals.restore(job, &event.kind);
        if let Some(annotations) = event.kind.annotations() {
            self.state.annotations.insert(job, annotations.clone());
        }
        if let Some(recorded) = recorded(&event.kind) {
            self.record(job, recorded, &event.kind, event.at);
        }
    }

    /// Restores the job in the scheduler, or records its history for the job that will call it
    /// again.
    fn record(&mut self, job: u32, recorded: Recorded, kind: &EventKind, at: SystemTime) {
        if let Recorded::Started { attempt } = recorded {
            self.state.replay.begin(job, attempt);
        } else if !matches!(recorded, Recorded::Retried { .. }) {
            self.ended.insert(job);
        }
        if (job as usize) < self.graph.len() {
            self.state.scheduler.restore(job, recorded);
            if let EventKind::JobCompleted { output: Some(output), .. } = kind {
                self.state.outputs.push((job, Arc::clone(output)));
            }
            return;
        }
        let elapsed = self.now.duration_since(at).unwrap_or_default();
        let history = self.state.replay.histories.entry(job).or_default();
        history.recorded = Some(match recorded {
            Recorded::Retried { attempt, delay } => {
                Recorded::Retried { attempt, delay: delay.saturating_sub(elapsed) }
            }
            other => other,
        });
        match kind {
            EventKind::JobCompleted { output, .. } => history.output.clone_from(output),
            EventKind::JobFailed { error, .. } => history.error = Some(error.clone()),
            _ => {}
        }
    }
}

/// Nanoseconds from one time to another.
fn nanos_between(from: SystemTime, to: SystemTime) -> i64 {
    let nanos = |span: Duration| i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
    to.duration_since(from).map_or_else(|before| -nanos(before.duration()), nanos)
}

/// What the scheduler learns from an event of a job.
fn recorded(kind: &EventKind) -> Option<Recorded> {
    Some(match *kind {
        EventKind::JobStarted { attempt, .. } => Recorded::Started { attempt },
        EventKind::AttemptFailed { attempt, retry_in, .. } => {
            Recorded::Retried { attempt, delay: retry_in }
        }
        EventKind::JobCompleted { .. } => Recorded::Completed,
        EventKind::JobFailed { attempt, .. } => Recorded::Failed { attempt },
        EventKind::JobSkipped { .. } => Recorded::Skipped,
        EventKind::JobCancelled { attempt, .. } => Recorded::Cancelled { attempt },
        _ => return None,
    })
}

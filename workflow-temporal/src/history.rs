//! The events of a run, translated from the history of its workflow: for runs that no worker knows,
//! and that this program cannot replay. It has what Temporal sees: attempts that are activities,
//! child workflows, and the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value as Json;
use temporalio_common::protos::temporal::api::common::v1::{Payload, Payloads};
use temporalio_common::protos::temporal::api::failure::v1::Failure as TemporalFailure;
use temporalio_common::protos::temporal::api::failure::v1::failure::FailureInfo;
use temporalio_common::protos::temporal::api::history::v1::HistoryEvent;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use workflow_core::JobError;
use workflow_core::event::{Event, EventKind, Failure};
use workflow_core::executor::{AttemptOutcome, AttemptResult, JobTask};
use workflow_core::job::JobErrorKind;

use crate::activity_id::attempt_of;
use crate::continuation::Arguments;
use crate::payload;

/// The events of the run with this history.
pub(crate) fn translate(history: &[HistoryEvent]) -> Vec<Event> {
    let mut translation = Translation { attempts: attempts(history), ..Translation::default() };
    history.iter().for_each(|event| translation.event(event));
    translation.events
}

/// The number of each job's latest attempt.
fn attempts(history: &[HistoryEvent]) -> BTreeMap<String, u32> {
    let mut attempts = BTreeMap::new();
    for event in history {
        if let Some(Attributes::ActivityTaskScheduledEventAttributes(scheduled)) = &event.attributes
            && let Some(task) = read::<JobTask>(scheduled.input.as_ref())
        {
            attempts.insert(task.job, task.attempt);
        }
    }
    attempts
}

#[derive(Default)]
struct Translation {
    events: Vec<Event>,
    /// The number of each job's latest attempt.
    attempts: BTreeMap<String, u32>,
    /// Attempts by the number of the event that scheduled their activity.
    activities: BTreeMap<i64, (String, u32)>,
    /// Attempts that have started: one that waits for signals is several activities.
    started: BTreeSet<(String, u32)>,
    /// Jobs by the number of the event that initiated their child workflow.
    children: BTreeMap<i64, String>,
    /// The workflow ID of the run.
    workflow_id: String,
}

impl Translation {
    fn push(&mut self, at: SystemTime, kind: EventKind) {
        self.events.push(Event::new(self.events.len() as u64, at, kind));
    }

    fn event(&mut self, event: &HistoryEvent) {
        let at = event.event_time.as_ref().map_or(UNIX_EPOCH, |time| {
            let seconds = u64::try_from(time.seconds).unwrap_or_default();
            UNIX_EPOCH + Duration::new(seconds, u32::try_from(time.nanos).unwrap_or_default())
        });
        if let Some(attributes) = &event.attributes {
            self.run_event(at, attributes);
            self.activity_event(at, event.event_id, attributes);
            self.child_event(at, event.event_id, attributes);
        }
    }

    fn run_event(&mut self, at: SystemTime, attributes: &Attributes) {
        use Attributes as A;
        match attributes {
            A::WorkflowExecutionStartedEventAttributes(started) => {
                self.workflow_id.clone_from(&started.workflow_id);
                self.begin(at, started.input.as_ref());
            }
            A::WorkflowExecutionCancelRequestedEventAttributes(_) => {
                self.push(at, EventKind::CancelRequested { reason: None });
            }
            A::WorkflowExecutionCompletedEventAttributes(done) => {
                let output = read::<Json>(done.result.as_ref()).map(Arc::new);
                self.push(at, EventKind::RunCompleted { output });
            }
            A::WorkflowExecutionFailedEventAttributes(failed) => {
                let reason = failed.failure.as_ref().map(|failure| failure.message.clone());
                self.push(at, EventKind::RunFailed { reason: reason.unwrap_or_default() });
            }
            A::WorkflowExecutionTerminatedEventAttributes(terminated) => {
                let reason = match terminated.reason.as_str() {
                    "" => "it was terminated".to_owned(),
                    reason => format!("it was terminated: {reason}"),
                };
                self.push(at, EventKind::RunFailed { reason });
            }
            A::WorkflowExecutionTimedOutEventAttributes(_) => {
                let reason = "its Temporal timeout expired".to_owned();
                self.push(at, EventKind::RunFailed { reason });
            }
            A::WorkflowExecutionCanceledEventAttributes(_) => {
                self.push(at, EventKind::RunCancelled);
            }
            _ => {}
        }
    }

    fn activity_event(&mut self, at: SystemTime, id: i64, attributes: &Attributes) {
        use Attributes as A;
        match attributes {
            A::ActivityTaskScheduledEventAttributes(scheduled) => {
                if let Some(task) = read::<JobTask>(scheduled.input.as_ref()) {
                    self.activities.insert(id, (task.job.clone(), task.attempt));
                    self.start(at, task.job, task.attempt);
                }
            }
            A::ActivityTaskCompletedEventAttributes(completed) => {
                let outcome = read::<AttemptOutcome>(completed.result.as_ref());
                self.activity_ended(at, completed.scheduled_event_id, outcome);
            }
            A::ActivityTaskFailedEventAttributes(failed) => {
                let outcome = failed.failure.as_ref().map(outcome_of);
                self.activity_ended(at, failed.scheduled_event_id, outcome);
            }
            A::ActivityTaskTimedOutEventAttributes(timed_out) => {
                let outcome = timed_out.failure.as_ref().map(outcome_of);
                self.activity_ended(at, timed_out.scheduled_event_id, outcome);
            }
            A::ActivityTaskCanceledEventAttributes(cancelled) => {
                let outcome = read::<AttemptOutcome>(cancelled.details.as_ref());
                let outcome = outcome.unwrap_or_else(AttemptOutcome::cancelled);
                self.activity_ended(at, cancelled.scheduled_event_id, Some(outcome));
            }
            A::MarkerRecordedEventAttributes(marker) => {
                let data = read::<Json>(marker.details.get("data")).unwrap_or_default();
                let outcome = read::<AttemptOutcome>(marker.details.get("result"));
                if let Some((name, outcome)) = data["activity_id"].as_str().zip(outcome) {
                    let (job, attempt) = attempt_of(name);
                    self.start(at, job.clone(), attempt);
                    self.ended(at, job, attempt, outcome);
                }
            }
            _ => {}
        }
    }

    fn child_event(&mut self, at: SystemTime, id: i64, attributes: &Attributes) {
        use Attributes as A;
        match attributes {
            A::StartChildWorkflowExecutionInitiatedEventAttributes(child) => {
                let own = format!("{}/", self.workflow_id);
                let name = child.workflow_id.strip_prefix(&own).unwrap_or(&child.workflow_id);
                let (job, attempt) = attempt_of(name);
                self.children.insert(id, job.clone());
                self.start(at, job, attempt);
            }
            A::ChildWorkflowExecutionCompletedEventAttributes(child) => {
                let output = read::<Json>(child.result.as_ref()).unwrap_or_default();
                let outcome = completed(output);
                self.child_ended(at, child.initiated_event_id, outcome);
            }
            A::ChildWorkflowExecutionFailedEventAttributes(child) => {
                let outcome =
                    child.failure.as_ref().map_or_else(AttemptOutcome::cancelled, outcome_of);
                self.child_ended(at, child.initiated_event_id, outcome);
            }
            A::ChildWorkflowExecutionCanceledEventAttributes(child) => {
                self.child_ended(at, child.initiated_event_id, AttemptOutcome::cancelled());
            }
            _ => {}
        }
    }

    /// Begins with the events of earlier executions.
    fn begin(&mut self, at: SystemTime, arguments: Option<&Payloads>) {
        let payloads = arguments.map(|arguments| arguments.payloads.as_slice()).unwrap_or_default();
        match Arguments::read(payloads).ok().and_then(|arguments| arguments.record) {
            Some(record) => {
                self.events = record.events;
                self.push(at, EventKind::RunResumed { after_crash: false });
            }
            None => self.push(at, EventKind::RunStarted { retry_of: None }),
        }
    }

    fn start(&mut self, at: SystemTime, job: String, attempt: u32) {
        if self.started.insert((job.clone(), attempt)) {
            self.push(at, EventKind::JobStarted { job, attempt, origin: None });
        }
    }

    fn activity_ended(&mut self, at: SystemTime, scheduled: i64, outcome: Option<AttemptOutcome>) {
        if let Some(((job, attempt), outcome)) = self.activities.remove(&scheduled).zip(outcome) {
            self.ended(at, job, attempt, outcome);
        }
    }

    fn child_ended(&mut self, at: SystemTime, initiated: i64, outcome: AttemptOutcome) {
        if let Some(job) = self.children.remove(&initiated) {
            self.ended(at, job, 1, outcome);
        }
    }

    fn ended(&mut self, at: SystemTime, job: String, attempt: u32, outcome: AttemptOutcome) {
        let AttemptOutcome { result, persisted, annotations, .. } = outcome;
        for (key, value) in persisted {
            self.push(at, EventKind::ValuePersisted { job: job.clone(), key, value });
        }
        let kind = match result {
            AttemptResult::Completed(output) => {
                EventKind::JobCompleted { job, attempt, output: Some(output.into()), annotations }
            }
            AttemptResult::AwaitsSignal(signal) => {
                EventKind::SignalAwaited { job, attempt, signal }
            }
            AttemptResult::Failed(error) if error.kind == JobErrorKind::Cancelled => {
                EventKind::JobCancelled { job, attempt, error: Some(error) }
            }
            AttemptResult::Failed(error) if self.attempts.get(&job) > Some(&attempt) => {
                EventKind::AttemptFailed { job, attempt, error, retry_in: Duration::ZERO }
            }
            AttemptResult::Failed(error) => {
                EventKind::JobFailed { job, attempt, error, annotations }
            }
        };
        self.push(at, kind);
    }
}

fn completed(output: Json) -> AttemptOutcome {
    let mut outcome = AttemptOutcome::cancelled();
    outcome.result = AttemptResult::Completed(output);
    outcome
}

/// The outcome of an attempt that failed.
fn outcome_of(failure: &TemporalFailure) -> AttemptOutcome {
    let details = match &failure.failure_info {
        Some(FailureInfo::ApplicationFailureInfo(info)) => info.details.as_ref(),
        Some(FailureInfo::CanceledFailureInfo(info)) => info.details.as_ref(),
        _ => None,
    };
    read(details).unwrap_or_else(|| {
        let mut outcome = AttemptOutcome::cancelled();
        // The cause says what went wrong, and the outer failure only that something did.
        let cause = failure.cause.as_deref().unwrap_or(failure);
        let error = JobError::retryable(cause.message.clone());
        outcome.result = AttemptResult::Failed(Failure::from(&error));
        outcome
    })
}

/// Reads the first payload.
fn read<T: serde::de::DeserializeOwned>(payloads: Option<&Payloads>) -> Option<T> {
    let payloads: &[Payload] = &payloads?.payloads;
    serde_json::from_value(payload::read(payloads).ok()?).ok()
}

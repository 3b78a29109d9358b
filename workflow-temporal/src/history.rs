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
use workflow_core::event::{Event, EventKind};
use workflow_core::executor::{AttemptOutcome, AttemptResult, JobTask};
use workflow_core::job::JobErrorKind;

use crate::activity_id::attempt_of;
use crate::continuation::Arguments;
use crate::payload;

/// The events of the run with this history.
///
/// # Errors
///
/// Fails if the record of earlier executions is damaged.
pub(crate) fn translate(history: &[HistoryEvent]) -> Result<Vec<Event>, String> {
    let mut translation = Translation::default();
    history.iter().try_for_each(|event| translation.event(event))?;
    Ok(translation.events)
}

/// A job, and the number of one of its attempts.
type Attempt = (String, u32);

#[derive(Default)]
struct Translation {
    events: Vec<Event>,
    /// Attempts by the number of the event that scheduled their activity.
    activities: BTreeMap<i64, Attempt>,
    /// Attempts by the number of the event that initiated their child workflow.
    children: BTreeMap<i64, Attempt>,
    /// Attempts that have started: one that waits for signals is several activities.
    started: BTreeSet<Attempt>,
    /// The places of the events of jobs that failed, and have not started again.
    failed: BTreeMap<String, usize>,
    /// The workflow ID of the run.
    workflow_id: String,
}

impl Translation {
    fn push(&mut self, at: SystemTime, kind: EventKind) {
        self.events.push(Event::new(self.events.len() as u64, at, kind));
    }

    fn event(&mut self, event: &HistoryEvent) -> Result<(), String> {
        let at = event.event_time.as_ref().map_or(UNIX_EPOCH, |time| {
            let seconds = u64::try_from(time.seconds).unwrap_or_default();
            UNIX_EPOCH + Duration::new(seconds, u32::try_from(time.nanos).unwrap_or_default())
        });
        if let Some(attributes) = &event.attributes {
            if let Attributes::WorkflowExecutionStartedEventAttributes(started) = attributes {
                self.workflow_id.clone_from(&started.workflow_id);
                self.begin(at, started.input.as_ref())?;
            }
            self.run_event(at, attributes);
            self.activity_event(at, event.event_id, attributes);
            self.child_event(at, event.event_id, attributes);
        }
        Ok(())
    }

    fn run_event(&mut self, at: SystemTime, attributes: &Attributes) {
        use Attributes as A;
        match attributes {
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
                let outcome = read::<AttemptOutcome>(marker.details.get("result"))
                    .or_else(|| marker.failure.as_ref().map(outcome_of));
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
                self.children.insert(id, (job.clone(), attempt));
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
            A::ChildWorkflowExecutionTerminatedEventAttributes(child) => {
                let outcome = failed("the child workflow was terminated");
                self.child_ended(at, child.initiated_event_id, outcome);
            }
            A::ChildWorkflowExecutionTimedOutEventAttributes(child) => {
                let outcome = failed("Temporal's timeout of the child workflow is over");
                self.child_ended(at, child.initiated_event_id, outcome);
            }
            A::StartChildWorkflowExecutionFailedEventAttributes(child) => {
                let cause = child.cause().as_str_name();
                let cause = cause.strip_prefix(NOT_STARTED).unwrap_or(cause);
                let cause = cause.to_lowercase().replace('_', " ");
                let outcome = failed(format!("the child workflow did not start: {cause}"));
                self.child_ended(at, child.initiated_event_id, outcome);
            }
            _ => {}
        }
    }

    /// Begins with the events of earlier executions.
    fn begin(&mut self, at: SystemTime, arguments: Option<&Payloads>) -> Result<(), String> {
        let payloads = arguments.map(|arguments| arguments.payloads.as_slice()).unwrap_or_default();
        match Arguments::read(payloads)?.record {
            Some(record) => {
                self.events = record.events;
                self.push(at, EventKind::RunResumed { after_crash: false });
            }
            None => self.push(at, EventKind::RunStarted { retry_of: None }),
        }
        Ok(())
    }

    fn start(&mut self, at: SystemTime, job: String, attempt: u32) {
        if self.started.insert((job.clone(), attempt)) {
            self.retry(at, &job);
            self.push(at, EventKind::JobStarted { job, attempt, origin: None });
        }
    }

    /// A job that starts again did not fail for good.
    fn retry(&mut self, at: SystemTime, job: &str) {
        let failed = self.failed.remove(job).and_then(|place| self.events.get_mut(place));
        let Some(event) = failed else { return };
        let retry_in = at.duration_since(event.at).unwrap_or_default();
        if let EventKind::JobFailed { job, attempt, error, .. } = event.kind.clone() {
            event.kind = EventKind::AttemptFailed { job, attempt, error, retry_in };
        }
    }

    fn activity_ended(&mut self, at: SystemTime, scheduled: i64, outcome: Option<AttemptOutcome>) {
        if let Some(((job, attempt), outcome)) = self.activities.remove(&scheduled).zip(outcome) {
            self.ended(at, job, attempt, outcome);
        }
    }

    fn child_ended(&mut self, at: SystemTime, initiated: i64, outcome: AttemptOutcome) {
        if let Some((job, attempt)) = self.children.remove(&initiated) {
            self.ended(at, job, attempt, outcome);
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
            AttemptResult::Failed(error) => {
                self.failed.insert(job.clone(), self.events.len());
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

fn failed(message: impl Into<String>) -> AttemptOutcome {
    AttemptOutcome::failed(&JobError::retryable(message.into()))
}

/// What the names of the causes begin with why a child workflow did not start.
const NOT_STARTED: &str = "START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_";

/// The outcome of an attempt that failed.
fn outcome_of(failure: &TemporalFailure) -> AttemptOutcome {
    let details = match &failure.failure_info {
        Some(FailureInfo::ApplicationFailureInfo(info)) => info.details.as_ref(),
        Some(FailureInfo::CanceledFailureInfo(info)) => info.details.as_ref(),
        _ => None,
    };
    read(details).unwrap_or_else(|| {
        // The cause says what went wrong, and the outer failure only that something did.
        match (&failure.cause, &failure.failure_info) {
            (Some(cause), _) => failed(cause.message.clone()),
            (None, Some(FailureInfo::CanceledFailureInfo(_))) => AttemptOutcome::cancelled(),
            (None, _) => failed(failure.message.clone()),
        }
    })
}

/// Reads the first payload.
fn read<T: serde::de::DeserializeOwned>(payloads: Option<&Payloads>) -> Option<T> {
    let payloads: &[Payload] = &payloads?.payloads;
    serde_json::from_value(payload::read(payloads).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt as _;
    use futures::executor::block_on;
    use serde_json::json;
    use temporalio_client::WorkflowHistory;
    use temporalio_common::protos::temporal::api::enums::v1::StartChildWorkflowExecutionFailedCause;
    use temporalio_common::protos::temporal::api::history::v1 as proto;
    use workflow_core::Status;
    use workflow_core::event::RunView;

    use super::*;

    /// The history of workflow `run` with these events.
    fn history(rest: impl IntoIterator<Item = Attributes>) -> Vec<HistoryEvent> {
        let started = proto::WorkflowExecutionStartedEventAttributes {
            workflow_id: "run".to_owned(),
            ..Default::default()
        };
        let first = Attributes::WorkflowExecutionStartedEventAttributes(started);
        let event = |(id, attributes)| HistoryEvent {
            event_id: id,
            attributes: Some(attributes),
            ..HistoryEvent::default()
        };
        (1..).zip(std::iter::once(first).chain(rest)).map(event).collect()
    }

    fn failure(message: &str) -> Option<TemporalFailure> {
        Some(TemporalFailure { message: message.to_owned(), ..TemporalFailure::default() })
    }

    fn child(workflow_id: &str) -> Attributes {
        Attributes::StartChildWorkflowExecutionInitiatedEventAttributes(
            proto::StartChildWorkflowExecutionInitiatedEventAttributes {
                workflow_id: workflow_id.to_owned(),
                ..Default::default()
            },
        )
    }

    fn child_failed(initiated_event_id: i64) -> Attributes {
        let failed = proto::ChildWorkflowExecutionFailedEventAttributes {
            initiated_event_id,
            failure: failure("no"),
            ..Default::default()
        };
        Attributes::ChildWorkflowExecutionFailedEventAttributes(failed)
    }

    fn child_completed(initiated_event_id: i64) -> Attributes {
        let completed = proto::ChildWorkflowExecutionCompletedEventAttributes {
            initiated_event_id,
            ..Default::default()
        };
        Attributes::ChildWorkflowExecutionCompletedEventAttributes(completed)
    }

    fn marker(activity_id: &str, outcome: &AttemptOutcome) -> Attributes {
        let payloads = |value| Payloads { payloads: payload::write(&value).payloads };
        Attributes::MarkerRecordedEventAttributes(proto::MarkerRecordedEventAttributes {
            marker_name: "core_local_activity".to_owned(),
            details: [
                ("data".to_owned(), payloads(json!({ "activity_id": activity_id }))),
                ("result".to_owned(), payloads(json!(outcome))),
            ]
            .into(),
            ..Default::default()
        })
    }

    /// The events as text.
    fn told(history: &[HistoryEvent]) -> Vec<String> {
        let events = translate(history).expect("it is not damaged");
        events.iter().map(|event| event.kind.to_string()).collect()
    }

    #[test]
    fn an_attempt_of_a_child_workflow_ends_as_itself() {
        let history = history([
            child("run/ship"),
            child_failed(2),
            child("run/ship#2"),
            child_failed(4),
            child("run/ship#3"),
            child_completed(6),
        ]);
        let events = translate(&history).expect("it is not damaged");
        let codes: Vec<_> = events.iter().map(|it| (it.kind.code(), it.kind.attempt())).collect();
        assert_eq!(
            codes,
            [
                ("run_started", None),
                ("job_started", Some(1)),
                ("attempt_failed", Some(1)),
                ("job_started", Some(2)),
                ("attempt_failed", Some(2)),
                ("job_started", Some(3)),
                ("job_completed", Some(3)),
            ]
        );
        let mut view = RunView::default();
        events.iter().for_each(|event| view.apply(event));
        let job = view.job("ship").expect("it has started");
        let attempts: Vec<_> = job.attempts.iter().map(|attempt| attempt.status).collect();
        assert_eq!(attempts, [Status::Failed, Status::Failed, Status::Completed]);
    }

    #[test]
    fn a_local_activity_that_is_tried_again_has_not_failed_for_good() {
        let history = history([
            marker("pack", &failed("busy")),
            marker("pack#2", &failed("busy")),
            marker("load#1#1", &completed(json!(7))),
        ]);
        let events = translate(&history).expect("it is not damaged");
        let codes: Vec<_> = events.iter().map(|it| (it.kind.code(), it.kind.job())).collect();
        assert_eq!(
            codes,
            [
                ("run_started", None),
                ("job_started", Some("pack")),
                ("attempt_failed", Some("pack")),
                ("job_started", Some("pack")),
                ("job_failed", Some("pack")),
                ("job_started", Some("load#1")),
                ("job_completed", Some("load#1")),
            ]
        );
    }

    #[test]
    fn every_end_of_a_child_workflow_ends_its_job() {
        let terminated = proto::ChildWorkflowExecutionTerminatedEventAttributes {
            initiated_event_id: 2,
            ..Default::default()
        };
        let timed_out = proto::ChildWorkflowExecutionTimedOutEventAttributes {
            initiated_event_id: 3,
            ..Default::default()
        };
        let unstarted = proto::StartChildWorkflowExecutionFailedEventAttributes {
            initiated_event_id: 4,
            cause: StartChildWorkflowExecutionFailedCause::WorkflowAlreadyExists.into(),
            ..Default::default()
        };
        let history = history([
            child("run/a"),
            child("run/b"),
            child("run/c"),
            Attributes::ChildWorkflowExecutionTerminatedEventAttributes(terminated),
            Attributes::ChildWorkflowExecutionTimedOutEventAttributes(timed_out),
            Attributes::StartChildWorkflowExecutionFailedEventAttributes(unstarted),
        ]);
        assert_eq!(
            told(&history)[4..],
            [
                "a failed: the child workflow was terminated",
                "b failed: Temporal's timeout of the child workflow is over",
                "c failed: the child workflow did not start: workflow already exists",
            ]
        );
    }

    #[test]
    fn a_damaged_record_is_an_error() {
        let mut payloads = payload::write(&json!(7)).payloads;
        let mark = ("workflow-record".to_owned(), b"brotli".to_vec());
        payloads[0].metadata.extend([mark]);
        let mut history = history([]);
        let Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) =
            &mut history[0].attributes
        else {
            panic!("it starts")
        };
        started.input = Some(Payloads { payloads });
        let error = translate(&history).expect_err("its compression is unknown");
        assert!(error.ends_with("its compression is unknown; use a newer worker"), "{error}");
    }

    #[test]
    fn recorded_histories_are_translated() {
        let read = |json: &[u8]| -> Vec<HistoryEvent> {
            let history = WorkflowHistory::from_json(json).expect("a history");
            block_on(history.try_collect()).expect("its events")
        };
        let graph = told(&read(include_bytes!("../tests/replay/histories/graph.json")));
        for part in ["flaky_sum failed", "flaky_sum completed", "run completed"] {
            assert!(graph.iter().any(|told| told.contains(part)), "{part}: {graph:#?}");
        }
        let function = told(&read(include_bytes!("../tests/replay/histories/function.json")));
        assert!(function.contains(&"add one completed".to_owned()), "{function:#?}");
        let compensation = read(include_bytes!("../tests/replay/histories/compensation.json"));
        let compensation = told(&compensation);
        for part in ["replay: graph started", "replay: graph completed", "refuse failed"] {
            assert!(compensation.iter().any(|told| told.contains(part)), "{compensation:#?}");
        }
    }
}

//! Attempts of jobs as activities.

use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Either, select};
use serde_json::{Value as Json, json};
use temporalio_common::ActivityDefinition;
use temporalio_common::data_converters::RawValue;
use temporalio_common::error::ApplicationFailure;
use temporalio_sdk::activities::{
    ActivityContext, ActivityDefinitions, ActivityError, ActivityImplementer, ExecutableActivity,
};
use tracing::Instrument as _;
use workflow_core::engine::Engine;
use workflow_core::event::Failure;
use workflow_core::executor::{
    AttemptOutcome, AttemptRequest, AttemptResult, JobTask, Surroundings, UNKNOWN_DEFINITION,
    execute,
};
use workflow_core::job::JobErrorKind;
use workflow_core::registry;
use workflow_core::run_log::OutputStream;

use crate::logs::{AttemptLog, Logs};
use crate::names::{self, named};
use crate::payload;

/// The type of the activity of jobs whose name is no registered job.
pub(crate) const JOB: &str = "job";
/// The type of the local activity of all jobs that are made by the worker of their workflow.
pub(crate) const LOCAL: &str = "local job";

/// The activities of a worker.
pub(crate) struct Activities {
    engine: Engine,
    lease: Duration,
    /// Names of jobs, as types of activities.
    types: Vec<String>,
    /// Whether the worker is shutting down, which cancels its activities.
    stopping: AtomicBool,
    held: Mutex<HashMap<u64, AttemptRequest>>,
    next_key: AtomicU64,
    /// Where the output of jobs is written.
    logs: Option<Arc<Logs>>,
}

impl Activities {
    pub(crate) fn new(
        engine: Engine,
        lease: Duration,
        logs: Option<Arc<Logs>>,
    ) -> Result<Arc<Self>, registry::RegistryError> {
        let mut types: Vec<String> = registry::jobs().map(|job| job.name.to_owned()).collect();
        // Functions without a context are workflows and jobs at once.
        types.extend(registry::list()?.into_iter().map(|entry| entry.name().to_owned()));
        types.sort_unstable();
        types.dedup();
        Ok(Arc::new(Self {
            engine,
            lease,
            types,
            stopping: AtomicBool::new(false),
            held: Mutex::default(),
            next_key: AtomicU64::new(0),
            logs,
        }))
    }

    /// The type of the activity for a job with this function.
    pub(crate) fn type_of(&self, function: &str) -> String {
        match self.types.binary_search_by(|name| name.as_str().cmp(function)) {
            Ok(_) => function.to_owned(),
            Err(_) => JOB.to_owned(),
        }
    }

    /// Notes that the worker is shutting down.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    /// Keeps an attempt for the local activity that makes it.
    pub(crate) fn hold(self: &Arc<Self>, attempt: AttemptRequest) -> Held {
        let key = self.next_key.fetch_add(1, Ordering::Relaxed);
        self.attempts().insert(key, attempt);
        Held { activities: Arc::clone(self), key }
    }

    fn attempts(&self) -> MutexGuard<'_, HashMap<u64, AttemptRequest>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn perform(&self, ctx: ActivityContext, input: RawValue) -> Result<Json, ActivityError> {
        let invalid = |error: String| ApplicationFailure::non_retryable(error);
        let input = payload::read(&input.payloads);
        let input = input.map_err(|_| invalid("the payload is not JSON".to_owned()))?;
        let (heartbeat, heartbeats) = tokio::sync::mpsc::unbounded_channel();
        let surroundings = |task: &JobTask| {
            let log = self.logs.as_ref().map(|logs| logs.attempt(task));
            Arc::new(ActivitySurroundings { ctx: ctx.clone(), heartbeat, log })
        };
        if ctx.info().activity_type == LOCAL {
            let key = input.as_u64().unwrap_or(u64::MAX);
            let attempt = self.attempts().get(&key).cloned();
            let gone = || ApplicationFailure::new("another worker makes the attempt by now");
            let attempt = attempt.ok_or_else(gone)?;
            let (span, surroundings) = (span(&attempt.task), surroundings(&attempt.task));
            let outcome = attempt.perform_here(&self.engine, surroundings).instrument(span).await;
            // Its failures are no failures of the local activity, which Temporal would retry.
            return Ok(json!(outcome));
        }
        let task: JobTask =
            serde_json::from_value(input).map_err(|error| invalid(error.to_string()))?;
        let (span, surroundings) = (span(&task), surroundings(&task));
        let attempt = execute(&self.engine, task, surroundings).instrument(span);
        let alive = keep_alive(&ctx, self.lease / 3, heartbeats);
        let outcome = match select(pin!(attempt), pin!(alive)).await {
            Either::Left((outcome, _)) => outcome,
            Either::Right((never, _)) => match never {},
        };
        self.result(&ctx, outcome)
    }

    /// The result of an activity whose attempt had this outcome.
    fn result(
        &self,
        ctx: &ActivityContext,
        outcome: AttemptOutcome,
    ) -> Result<Json, ActivityError> {
        let AttemptResult::Failed(failure) = &outcome.result else { return Ok(json!(outcome)) };
        let is_lost = failure.kind == JobErrorKind::Cancelled;
        if is_lost && ctx.is_cancelled() && self.stopping.load(Ordering::SeqCst) {
            // Another worker starts the attempt again.
            let text = "the worker was shut down during the attempt";
            return Err(ApplicationFailure::builder(text)
                .type_name("WorkerShutdown".to_owned())
                .next_retry_delay(Duration::from_millis(10))
                .build()
                .into());
        }
        if is_lost && ctx.is_cancelled() {
            return Err(ActivityError::Cancelled { details: Some(json!(outcome).into()) });
        }
        let Failure { message, error_type, .. } = failure;
        let is_unknown = error_type == UNKNOWN_DEFINITION;
        let failure = ApplicationFailure::builder(message.clone())
            .type_name(workflow_core::value::short(error_type))
            // Another worker, or a later version of this one, may have the definition.
            .non_retryable(!is_unknown);
        Err(match is_unknown {
            true => failure.build(),
            false => failure.details(json!(outcome)).build(),
        }
        .into())
    }
}

/// An attempt that a local activity may make, until this is dropped.
pub(crate) struct Held {
    activities: Arc<Activities>,
    key: u64,
}

impl Held {
    pub(crate) fn key(&self) -> u64 {
        self.key
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.activities.attempts().remove(&self.key);
    }
}

/// Sends heartbeats for as long as an attempt runs, whatever its job does: without them Temporal
/// would not notice that the worker has died.
async fn keep_alive(
    ctx: &ActivityContext,
    every: Duration,
    mut heartbeats: tokio::sync::mpsc::UnboundedReceiver<()>,
) -> Infallible {
    loop {
        if let Err(error) = ctx.record_heartbeat(()).await {
            tracing::debug!(%error, "a heartbeat was not recorded");
        }
        // Early if the job sends one.
        if let Ok(None) = tokio::time::timeout(every, heartbeats.recv()).await {
            tokio::time::sleep(every).await;
        }
    }
}

/// The span of an attempt, as an engine has it. The SDK has the workflow ID in its own.
fn span(task: &JobTask) -> tracing::Span {
    let JobTask { run, workflow, job, attempt, .. } = task;
    let run = tracing::info_span!("run", %workflow, %run);
    let job = tracing::info_span!(parent: &run, "job", %job);
    tracing::info_span!(parent: &job, "attempt", attempt)
}

struct ActivitySurroundings {
    ctx: ActivityContext,
    heartbeat: tokio::sync::mpsc::UnboundedSender<()>,
    log: Option<AttemptLog>,
}

impl Surroundings for ActivitySurroundings {
    fn heartbeat(&self) {
        // Fails once the attempt is over.
        let _over = self.heartbeat.send(());
    }

    fn print(&self, stream: OutputStream, text: &str) {
        if let Some(log) = &self.log {
            log.print(stream, text);
        }
    }

    fn cancelled(&self) -> BoxFuture<'static, ()> {
        let ctx = self.ctx.clone();
        async move { ctx.cancelled().await }.boxed()
    }
}

/// The activity of jobs, under one of its names.
pub(crate) struct JobActivity(String);

impl ActivityDefinition for JobActivity {
    type Input = RawValue;
    type Output = RawValue;

    fn name(&self) -> &str {
        &self.0
    }
}

/// The activities of a worker, for one of its task queues.
pub(crate) struct SharedActivities(pub(crate) Arc<Activities>);

impl ActivityImplementer for SharedActivities {
    fn register_all(self: Arc<Self>, definitions: &mut ActivityDefinitions) {
        let types = self.0.types.iter().map(String::as_str);
        for name in types.chain([JOB, LOCAL]) {
            named(name, || definitions.register_activity::<JobActivity>(Arc::clone(&self)));
        }
    }
}

impl ExecutableActivity for JobActivity {
    type Implementer = SharedActivities;
    const REQUIRES_INSTANCE: bool = true;

    fn definition() -> Self {
        Self(names::current())
    }

    fn execute(
        activities: Option<Arc<SharedActivities>>,
        ctx: ActivityContext,
        input: RawValue,
    ) -> BoxFuture<'static, Result<RawValue, ActivityError>> {
        async move {
            let missing = || ApplicationFailure::non_retryable("the worker has no activities");
            let output = activities.ok_or_else(missing)?.0.perform(ctx, input).await?;
            Ok(payload::write(&output))
        }
        .boxed()
    }
}

//! Starts runs: of registered workflows, of workflow files, and for external programs.

use std::sync::Arc;
use std::time::SystemTime;

use futures::future::BoxFuture;
use serde_json::{Value, json};
use workflow_core::engine::{Enqueued, RunHandle, RunRequest};
use workflow_core::flow_control::FlowControl;
use workflow_core::id::RunId;
use workflow_core::store::{BeginOutcome, NewRun, SharedBy, StoreError, Trigger, WorkflowSnapshot};
use workflow_core::{Workflow, registry};
use workflow_files::WorkflowFile;
use workflow_store::{Cause, StoredWorkflow, WorkflowSource, serving};

use crate::app::App;
use crate::problem::Problem;
use crate::remote::{Remote, RemoteStart};

/// The parameters of a new run.
#[derive(Debug, Default)]
pub(crate) struct LaunchRequest {
    /// The user who starts it.
    pub(crate) user: Option<String>,
    pub(crate) trigger: Trigger,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) input: Option<Value>,
    /// The task queue in which the run waits for a worker. Without one, this server runs it.
    pub(crate) task_queue: Option<TaskQueue>,
    /// The priority among the runs of its task queue.
    pub(crate) priority: i32,
    /// Limits and fairness that the workflow does not have.
    pub(crate) flow_control: FlowControl,
    /// The time of the schedule for which the run stands.
    pub(crate) scheduled_for: Option<SystemTime>,
}

/// A task queue in which a run waits for a worker.
#[derive(Debug)]
pub(crate) enum TaskQueue {
    Named(String),
    /// That of the workflow's domain.
    OfWorkflow,
}

/// A run that is persisted.
pub(crate) struct Launched {
    pub(crate) run: RunId,
    /// Whether the run existed before.
    pub(crate) existing: bool,
    pub(crate) message: &'static str,
    /// Why the run will not start soon.
    pub(crate) warning: Option<String>,
    /// The handle of a run that this server has started.
    pub(crate) handle: Option<RunHandle>,
}

impl Launched {
    /// A run that existed before.
    pub(crate) fn existing(run: RunId, by: SharedBy) -> Self {
        let message = match by {
            SharedBy::Key => "Run exists already: same idempotency key",
            SharedBy::Debounce => "Run exists already: it waits for further requests of its key",
            SharedBy::Slot => "Run exists already: it holds the slot of its key",
        };
        Self { run, existing: true, message, warning: None, handle: None }
    }

    /// A run that its limit has cancelled.
    pub(crate) fn cancelled(run: RunId) -> Self {
        Self { message: CANCELLED, ..Self::new(run, None) }
    }

    /// A new run.
    pub(crate) fn new(run: RunId, handle: Option<RunHandle>) -> Self {
        Self { run, existing: false, message: STARTED, warning: None, handle }
    }
}

const QUEUED: &str = "Run queued";
const STARTED: &str = "Run started";
const CANCELLED: &str = "Run cancelled: other runs hold all slots of its key";
const RECORDED: &str = "Run recorded; an external program runs it";

/// Starts a run of a workflow, and waits until it is persisted.
///
/// # Errors
///
/// Fails if the workflow is inactive, if this server cannot run it, if the input is invalid, or if
/// the run cannot be persisted.
pub(crate) async fn launch(
    app: &App,
    workflow: &StoredWorkflow,
    request: LaunchRequest,
) -> Result<Launched, Problem> {
    Launchable::new(app, workflow).await?.launch(request).await
}

/// A workflow whose runs this server can start. Its file is parsed once for all of them.
pub(crate) struct Launchable<'a> {
    app: &'a App,
    workflow: &'a StoredWorkflow,
    /// `None` if an external program runs the workflow: its runs are recorded.
    found: Option<Arc<dyn Workflow>>,
}

impl<'a> Launchable<'a> {
    /// Prepares a workflow.
    ///
    /// # Errors
    ///
    /// Fails if this server cannot run the workflow.
    pub(crate) async fn new(app: &'a App, workflow: &'a StoredWorkflow) -> Result<Self, Problem> {
        let found = if workflow.source == WorkflowSource::Registered {
            Some(registered_workflow(&workflow.name)?)
        } else {
            app.check_local("runs only registered workflows")?;
            file_workflow(app, workflow.definition.clone()).await?
        };
        Ok(Self { app, workflow, found })
    }

    /// Whether runs take an input, as far as this server knows the workflow.
    pub(crate) fn takes_input(&self) -> bool {
        self.found.as_ref().is_none_or(|found| found.input().is_some())
    }

    /// Starts a run, and waits until it is persisted.
    ///
    /// # Errors
    ///
    /// See [`launch`].
    pub(crate) async fn launch(&self, request: LaunchRequest) -> Result<Launched, Problem> {
        let (app, workflow) = (self.app, self.workflow);
        // The store checks this as well. Checked here first, it takes precedence over errors of the
        // request.
        if !workflow.is_active {
            let (workflow, id) = (workflow.name.clone(), workflow.id);
            return Err(StoreError::NotActive { workflow, id }.into());
        }
        if let Some(remote) = app.remote() {
            return launch_remotely(app, remote, workflow, request).await;
        }
        let Some(found) = &self.found else { return record(app, workflow, request).await };
        check_limits(found.metadata().flow_control(), &request.flow_control)?;
        let run = app.engine().run(Arc::clone(found)).workflow_id(workflow.id);
        start_persisted(app, run, request).await
    }
}

/// Checks that a request replaces no limit of its workflow: whoever may run a workflow may not lift
/// its limits.
fn check_limits(own: Option<&FlowControl>, requested: &FlowControl) -> Result<(), Problem> {
    let Some(own) = own else { return Ok(()) };
    let both = [
        ("concurrency", own.concurrency.is_some() && requested.concurrency.is_some()),
        ("rate_limit", own.rate_limit.is_some() && requested.rate_limit.is_some()),
        ("debounce", own.debounce.is_some() && requested.debounce.is_some()),
        ("fairness", own.fairness.is_some() && requested.fairness.is_some()),
    ];
    match both.into_iter().find(|(_, is_both)| *is_both) {
        Some((part, _)) => Err(Problem::invalid(
            part,
            "the workflow has its own, which a request cannot replace; omit it, or change the workflow",
        )),
        None => Ok(()),
    }
}

/// Has another system run a registered workflow.
async fn launch_remotely(
    app: &App,
    remote: &dyn Remote,
    workflow: &StoredWorkflow,
    request: LaunchRequest,
) -> Result<Launched, Problem> {
    if !request.flow_control.is_empty() {
        app.check_local("has no limits of runs")?;
    }
    let started = remote
        .start(RemoteStart {
            workflow: workflow.name.clone(),
            input: request.input,
            task_queue: match request.task_queue {
                Some(TaskQueue::Named(queue)) => Some(queue),
                Some(TaskQueue::OfWorkflow) | None => None,
            },
            idempotency_key: request.idempotency_key,
            priority: request.priority,
        })
        .await?;
    Ok(match started.existing {
        true => Launched::existing(started.run, SharedBy::Key),
        false => Launched { warning: started.warning, ..Launched::new(started.run, None) },
    })
}

/// Checks that the owner of a workflow may start runs. Nothing but an explicit request starts one in
/// the name of an inactive account.
///
/// # Errors
///
/// Fails with `owner_inactive`.
pub(crate) fn check_owner(workflow: &StoredWorkflow) -> Result<(), Problem> {
    if workflow.owner_is_active {
        return Ok(());
    }
    let detail = format!(
        "the account of its owner `{}` is inactive; activate the account, or give the workflow to \
         another user",
        workflow.user.as_deref().unwrap_or_default()
    );
    Err(Problem::conflict("owner_inactive", detail))
}

/// Checks that this server can run a workflow.
///
/// # Errors
///
/// Fails with the reason if it cannot.
pub(crate) async fn check(app: &App, workflow: &StoredWorkflow) -> Result<(), Problem> {
    Launchable::new(app, workflow).await?;
    Ok(())
}

/// Returns a workflow that is registered in this program.
///
/// # Errors
///
/// Fails if no workflow has this name.
pub(crate) fn registered_workflow(name: &str) -> Result<Arc<dyn Workflow>, Problem> {
    let entry = registry::get(name).map_err(|error| {
        Problem::conflict("not_registered", format!("this server cannot run the workflow: {error}"))
    })?;
    Ok(entry.workflow())
}

/// Parses the stored source of a workflow; `None` if it is not a workflow file.
///
/// # Errors
///
/// Fails if the file is no longer valid, or if it has commands and this server does not allow them.
pub(crate) async fn file_workflow(
    app: &App,
    source: Option<Value>,
) -> Result<Option<Arc<dyn Workflow>>, Problem> {
    let Some(source) = source else { return Ok(None) };
    let Some(file) = app.parsing.run(move || WorkflowFile::from_source(&source)).await? else {
        return Ok(None);
    };
    let file = file.map_err(|wrong| Problem::from(&wrong))?;
    app.check_commands(&file)?;
    Ok(Some(Arc::new(file)))
}

/// Starts a run, or queues it if it has a task queue, and waits until it is persisted.
///
/// # Errors
///
/// See [`launch`].
pub(crate) async fn start_persisted(
    app: &App,
    run: RunRequest,
    request: LaunchRequest,
) -> Result<Launched, Problem> {
    let mut run = run.trigger(request.trigger).priority(request.priority);
    let FlowControl { concurrency, rate_limit, debounce, fairness, .. } = request.flow_control;
    if let Some(limit) = concurrency {
        run = run.concurrency(limit);
    }
    if let Some(limit) = rate_limit {
        run = run.rate_limit(limit);
    }
    if let Some(debounce) = debounce {
        run = run.debounce(debounce);
    }
    if let Some(fairness) = fairness {
        run = run.fairness(fairness);
    }
    if let Some(at) = request.scheduled_for {
        run = run.scheduled_for(at);
    }
    if let Some(user) = request.user {
        run = run.user(user);
    }
    if let Some(key) = request.idempotency_key {
        run = run.idempotency_key(key);
    }
    if let Some(input) = request.input {
        run = run.input(input);
    }
    if let Some(queue) = request.task_queue {
        let (run, needs_worker) = match queue {
            TaskQueue::Named(queue) => (run.task_queue(&queue), true),
            TaskQueue::OfWorkflow => (run, false),
        };
        let run = match run.enqueue_once().await? {
            Enqueued::Existing(run, by) => return Ok(Launched::existing(run, by)),
            Enqueued::Cancelled(run) => return Ok(Launched::cancelled(run)),
            Enqueued::New(run) => run,
        };
        let warning = if needs_worker { unserved(app, run).await? } else { None };
        return Ok(Launched { message: QUEUED, warning, ..Launched::new(run, None) });
    }
    let handle = run.start()?;
    let run = handle.persisted().await?;
    Ok(match handle.existing() {
        Some((run, by)) => Launched::existing(run, by),
        None => Launched::new(run, Some(handle)),
    })
}

/// A warning if no live worker of its task queue runs a run.
///
/// Boxed, because the compiler cannot prove otherwise that callers that spawn tasks are `Send`.
fn unserved(app: &App, run: RunId) -> BoxFuture<'_, Result<Option<String>, Problem>> {
    Box::pin(async move {
        let Some(workers) = app.catalog.workers().await? else { return Ok(None) };
        let Some(run) = app.catalog.run(run).await? else { return Ok(None) };
        let queue = &run.task_queue;
        let lack = match serving(&workers, queue, &run.workflow) {
            Ok(_) => return Ok(None),
            Err(Cause::UnknownWorkflow { workflow, .. }) => {
                format!("no live worker of task queue `{queue}` has workflow `{workflow}`")
            }
            Err(_) => format!("no live worker serves task queue `{queue}`"),
        };
        Ok(Some(format!("{lack}; the run waits for one")))
    })
}

/// Records a run for an external program.
async fn record(
    app: &App,
    workflow: &StoredWorkflow,
    request: LaunchRequest,
) -> Result<Launched, Problem> {
    if !request.flow_control.is_empty() {
        let detail = "an external program runs this workflow, and limits do not apply to its runs; \
                      omit them";
        return Err(Problem::conflict("external", detail));
    }
    let graph = match &workflow.dag_spec {
        Value::Object(graph) if !graph.is_empty() => workflow.dag_spec.clone(),
        _ => json!({ "nodes": [], "edges": [] }),
    };
    let version = format!("{}-{}", workflow.id, workflow.version);
    let snapshot = WorkflowSnapshot::external(&workflow.name, version, graph);
    let new = NewRun {
        workflow_id: Some(workflow.id),
        user: request.user,
        input: request.input,
        trigger: request.trigger,
        idempotency_key: request.idempotency_key,
        scheduled_for: request.scheduled_for,
        ..NewRun::new(snapshot)
    };
    let id = new.id;
    Ok(match app.catalog.begin(new, Vec::new()).await? {
        BeginOutcome::New(_) | BeginOutcome::Cancelled => {
            Launched { message: RECORDED, ..Launched::new(id, None) }
        }
        BeginOutcome::Existing(run, by) => Launched::existing(run.id, by),
    })
}

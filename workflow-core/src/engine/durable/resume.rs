//! Resumes stored runs: finds abandoned ones, claims their leases, and folds their events into the
//! state that they had.

mod cancel;
mod deaths;
mod error;
mod fold;
mod follow;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::writer::Recorder;
use serde_json::Value as Json;

use crate::engine::active::ActiveRun;
use crate::engine::handle::RunHandle;
use crate::engine::request::Runnable;
use crate::engine::runtime::Runtime;
use crate::engine::state::RunState;
use crate::engine::{Engine, LookupError};
use crate::event::{Event, EventKind};
use crate::guard;
use crate::id::RunId;
use crate::store::{
    ClaimRequest, ClaimedRun, HeldLeases, Lease, MessageKind, Queues, Store, StoreError, StoredRun,
    WorkflowSnapshot, read_events,
};
use crate::value::{Boxed, Type};
use crate::workflow::{Plan, PlanError, Workflow};

pub use cancel::Cancellation;
use cancel::Released;
pub use error::ResumeError;
use fold::{Restored, fold};

/// Finds the workflow of a stored run, so that an engine can resume the run.
///
/// By default, an engine uses [`WorkflowSnapshot::workflow`], which finds registered workflows and
/// those of every linked [format](crate::registry::SourceFormat). A host with other workflows sets
/// its own resolver with [`EngineBuilder::resolver`](crate::engine::EngineBuilder::resolver).
/// Functions and closures are resolvers.
///
/// ```
/// use std::sync::Arc;
/// use workflow_core::prelude::*;
/// use workflow_core::store::{MemoryStore, WorkflowSnapshot};
/// use workflow_core::workflow::FunctionWorkflow;
///
/// #[job]
/// fn hello() -> String { "hello".to_owned() }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let greet: Arc<dyn Workflow> = Arc::new(FunctionWorkflow::new("greet", |flow| flow.job(hello::draw()))?);
/// let engine = Engine::builder()
///     .store(MemoryStore::new())
///     .resolver(move |snapshot: &WorkflowSnapshot| match &*snapshot.name {
///         "greet" => Ok(Arc::clone(&greet)),
///         _ => snapshot.workflow(),
///     })
///     .build();
/// # let recovery = futures::executor::block_on(engine.recover())?;
/// # assert!(recovery.runs.is_empty());
/// # Ok(())
/// # }
/// ```
pub trait Resolve: Send + Sync {
    /// Returns the workflow of a run that started with this snapshot.
    ///
    /// # Errors
    ///
    /// Fails if there is none. The run then stays as it is, and shows the reason.
    fn resolve(&self, snapshot: &WorkflowSnapshot) -> Result<Arc<dyn Workflow>, LookupError>;
}

impl<F> Resolve for F
where
    F: Fn(&WorkflowSnapshot) -> Result<Arc<dyn Workflow>, LookupError> + Send + Sync,
{
    fn resolve(&self, snapshot: &WorkflowSnapshot) -> Result<Arc<dyn Workflow>, LookupError> {
        self(snapshot)
    }
}

/// The result of [`Engine::recover`].
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Recovery {
    /// Runs that were resumed, and continue in the background.
    pub runs: Vec<RunHandle>,
    /// Runs that could not be resumed, and why. They stay as they are, for an engine that can
    /// resume them.
    pub refused: Vec<(RunId, ResumeError)>,
    /// Runs that other engines hold. If one of these engines has died, its runs can be recovered
    /// once their lease has expired, at the latest after [`HeldLeases::expires_in`].
    pub held: HeldLeases,
}

/// The result of [`Engine::claim_next`].
#[derive(Default)]
pub(crate) struct ClaimedBatch {
    /// The number of runs that were claimed.
    pub(crate) claimed: usize,
    /// Those that continue in the background.
    pub(crate) runs: Vec<RunHandle>,
    /// Those that cannot be resumed and are blocked from now on.
    pub(crate) blocked: Vec<(RunId, ResumeError)>,
    /// Those that were released for others, because this program lacks something.
    pub(crate) left: Vec<(StoredRun, ResumeError)>,
}

/// What became of a run that was claimed.
enum Resumed {
    /// It continues in the background.
    Runs(RunHandle),
    /// It cannot be resumed, and was released.
    Refused(ResumeError, Released),
}

/// Which runs to resume.
#[derive(Clone, Copy)]
enum Search<'a> {
    /// All that no living engine drives.
    Abandoned,
    /// Those of them that wait in no task queue, and belong to one of these.
    Stranded(&'a Queues),
}

/// The number of runs, or events, that are read at once.
const PAGE: usize = 1000;

/// The bounds of the pause between two searches for abandoned runs, which is a twentieth of the
/// lease.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// The shortest pause before a run that is due at a time.
const SHORTEST_DUE_PAUSE: Duration = Duration::from_millis(5);

impl Engine {
    /// Resumes every unfinished run of the engine's store that no living engine drives.
    pub(crate) async fn recover_with(&self, find: &dyn Resolve) -> Result<Recovery, StoreError> {
        let mut recovery = Recovery::default();
        let Some(store) = self.store() else { return Ok(recovery) };
        // Before the abandoned runs, so that a run whose lease expires meanwhile is in at least one
        // of the two lists.
        recovery.held = self.held_by_others(store).await?;
        self.resume_all(Search::Abandoned, find, &mut recovery).await?;
        Ok(recovery)
    }

    /// Resumes the stranded runs of these queues: see [`Store::stranded`].
    pub(crate) async fn recover_stranded(
        &self,
        queues: &Queues,
        find: &dyn Resolve,
    ) -> Result<Recovery, StoreError> {
        let mut recovery = Recovery::default();
        self.resume_all(Search::Stranded(queues), find, &mut recovery).await?;
        Ok(recovery)
    }

    async fn resume_all(
        &self,
        search: Search<'_>,
        find: &dyn Resolve,
        recovery: &mut Recovery,
    ) -> Result<(), StoreError> {
        let Some(store) = self.store() else { return Ok(()) };
        let mut after = None;
        loop {
            let mut found = match search {
                Search::Abandoned => store.abandoned(after, PAGE).await?,
                Search::Stranded(_) => store.stranded(after, PAGE).await?,
            };
            let Some(last) = found.last() else { return Ok(()) };
            after = Some(last.id);
            if let Search::Stranded(queues) = search {
                found.retain(|run| queues.contains(&run.task_queue));
            }
            self.resume_abandoned(found, find, recovery).await?;
        }
    }

    /// Claims runs that wait in task queues, and resumes those that it can.
    pub(crate) async fn claim_next(
        &self,
        request: &ClaimRequest,
        find: &dyn Resolve,
    ) -> Result<ClaimedBatch, StoreError> {
        let mut batch = ClaimedBatch::default();
        let Some(lease_renewer) = &self.0.lease_renewer else { return Ok(batch) };
        if self.is_stopping() {
            return Ok(batch);
        }
        let store = lease_renewer.store();
        for ClaimedRun { lease, run: stored } in
            store.claim_next(lease_renewer.owner(), request).await?
        {
            batch.claimed += 1;
            let what = self.load(&stored, find);
            match self.resume_claimed(what, lease, &stored).await? {
                Resumed::Runs(run) => batch.runs.push(run),
                Resumed::Refused(error, Released::Blocked) => {
                    batch.blocked.push((lease.run, error));
                }
                Resumed::Refused(error, Released::ToOthers) => batch.left.push((stored, error)),
                Resumed::Refused(_, Released::Cancelled) => {}
            }
        }
        Ok(batch)
    }

    /// Returns the leases that other engines hold.
    async fn held_by_others(&self, store: &Arc<dyn Store>) -> Result<HeldLeases, StoreError> {
        let held = store.held().await?;
        let own = self.0.lease_renewer.as_ref().map_or(0, |lease_renewer| lease_renewer.held());
        match held.runs.saturating_sub(own) {
            0 => Ok(HeldLeases::default()),
            runs => Ok(HeldLeases { runs, ..held }),
        }
    }

    /// Waits between two searches for abandoned runs, and at most as long as given.
    pub(crate) async fn pause_at_most(&self, longest: Option<Duration>) {
        match longest {
            Some(longest) if longest < self.pause_length() => {
                self.sleep(longest.max(SHORTEST_DUE_PAUSE)).await;
            }
            _ => self.pause().await,
        }
    }

    /// Waits between two searches for abandoned runs.
    pub(crate) async fn pause(&self) {
        self.sleep(self.pause_length()).await;
    }

    fn pause_length(&self) -> Duration {
        let lease = self
            .0
            .lease_renewer
            .as_ref()
            .map(|lease_renewer| lease_renewer.lease())
            .unwrap_or_default();
        (lease / 20).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
    }

    async fn resume_abandoned(
        &self,
        abandoned: Vec<StoredRun>,
        find: &dyn Resolve,
        recovery: &mut Recovery,
    ) -> Result<(), StoreError> {
        let Some(lease_renewer) = &self.0.lease_renewer else { return Ok(()) };
        let store = lease_renewer.store();
        if self.is_stopping() {
            return Ok(());
        }
        let mut known = HashMap::new();
        for stored in abandoned {
            let id = stored.id;
            if stored.workflow.is_external() {
                continue;
            }
            // An engine that was slow resumes runs that nobody has taken over.
            if lease_renewer.find(id).is_some_and(|active| !active.is_lost()) {
                continue;
            }
            match self.load(&stored, find) {
                Ok(what) => drop(known.insert(id, (stored, what))),
                // The engine that drives the outer run resumes it, with what it inherits from
                // there.
                Err(_) if is_inside_unfinished(&**store, &stored).await? => {}
                Err(error) => {
                    self.refuse(&stored, &error).await?;
                    recovery.refused.push((id, error));
                }
            }
        }
        let ids: Vec<RunId> = known.keys().copied().collect();
        for lease in store.claim(lease_renewer.owner(), &ids).await? {
            let Some((stored, what)) = known.remove(&lease.run) else { continue };
            match self.resume_claimed(Ok(what), lease, &stored).await? {
                Resumed::Runs(run) => recovery.runs.push(run),
                Resumed::Refused(error, _) => recovery.refused.push((lease.run, error)),
            }
        }
        Ok(())
    }

    /// Finds the workflow of a run, and checks that this engine can run it.
    fn load(&self, stored: &StoredRun, find: &dyn Resolve) -> Result<Runnable, ResumeError> {
        load_workflow(stored, find).and_then(|what| self.check_requirements(what))
    }

    /// Resumes a run that this engine has claimed, and drives it in the background. Releases it if
    /// it cannot be resumed.
    async fn resume_claimed(
        &self,
        what: Result<Runnable, ResumeError>,
        lease: Lease,
        stored: &StoredRun,
    ) -> Result<Resumed, StoreError> {
        let resumed = match what {
            Ok(what) => self.resume(what, lease, stored).await,
            Err(error) => Err(error),
        };
        match resumed {
            Ok(active) => {
                active.drive_in_background();
                Ok(Resumed::Runs(RunHandle(active)))
            }
            Err(error) => {
                let released = self.release_refused(lease, stored, &error).await?;
                Ok(Resumed::Refused(error, released))
            }
        }
    }

    /// Restores a run that this engine has claimed. The run is not driven yet.
    async fn resume(
        &self,
        what: Runnable,
        lease: Lease,
        stored: &StoredRun,
    ) -> Result<Arc<ActiveRun>, ResumeError> {
        let Some(store) = self.store() else { return Err(ResumeError::NoStore) };
        let events = read_events(&**store, lease.run).await?;
        let after_crash = is_after_crash(stored);
        let recorder = Recorder::resumed(store.clone(), lease, events.len(), after_crash);
        let count = events.len();
        let has_started =
            events.iter().any(|event| matches!(event.kind, EventKind::RunStarted { .. }));
        let active = self.restore(what, lease.run, events, Some(recorder), after_crash)?;
        tracing::info!(parent: &active.span, events = count, "run resumed");
        active.change(|state, _| {
            state.record_run_event(match has_started {
                true => EventKind::RunResumed { after_crash },
                false => EventKind::RunStarted { retry_of: None },
            });
        });
        // New messages reach the run from now on. Earlier ones are read after this.
        active.hold_lease(lease);
        let messages = store.messages(lease.run).await?;
        messages.into_iter().for_each(|message| active.receive(message));
        Ok(active)
    }

    /// Checks that the engine has the limits and the state that the jobs need.
    fn check_requirements(&self, what: Runnable) -> Result<Runnable, ResumeError> {
        self.check_limits(&what).map_err(|error| ResumeError::Limit(Box::new(error)))?;
        self.check_state(&what).map_err(|error| ResumeError::State(Box::new(error)))?;
        Ok(what)
    }

    /// Creates a run in the state that its events describe.
    pub(in crate::engine) fn restore(
        &self,
        what: Runnable,
        id: RunId,
        events: Vec<Event>,
        recorder: Option<Box<Recorder>>,
        after_crash: bool,
    ) -> Result<Arc<ActiveRun>, ResumeError> {
        let now = self.0.time.time_of_day();
        let began = events.first().map_or(now, |first| first.at);
        // The clock may have been set back, but new events come after those on record.
        let now = events.iter().map(|event| event.at).fold(now, SystemTime::max);
        let scheduler = self.0.scheduler(&what.plan.graph, id);
        let restored = fold(&what.plan.graph, scheduler, events, began, now, after_crash)?;
        let Restored { scheduler, log, names, annotations, replay, signals, outputs, mut deaths } =
            restored;
        if self.0.hands_out {
            let graph = &what.plan.graph;
            deaths.acquit(|job| graph.task_queues().any(|(elsewhere, _)| elsewhere == job));
        }
        if recorder.is_some()
            && let Some(limit) = self.0.poison_after
            && let Some((job, deaths)) = deaths.poisoned(limit)
        {
            return Err(ResumeError::Poisoned { job, deaths });
        }
        let mut state = RunState::new(scheduler, log, recorder);
        (state.names, state.annotations) = (names, annotations);
        (state.signals, state.replay) = (Some(Box::new(signals)), Some(Box::new(replay)));
        let already = now.duration_since(began).unwrap_or_default().as_nanos();
        let already = i64::try_from(already).unwrap_or(i64::MAX);
        let run = ActiveRun::with(self, Runtime::current(), what, id, already, || state);
        for (job, output) in outputs {
            run.run_values.restore(job, (*output).clone()).map_err(|error| {
                let job = run.plan.graph.names.get(job as usize).to_owned();
                ResumeError::Output { job, error }
            })?;
        }
        Ok(run)
    }
}

/// Whether the run is a child of a run that has not ended.
async fn is_inside_unfinished(store: &dyn Store, stored: &StoredRun) -> Result<bool, StoreError> {
    let Some(outer) = &stored.parent else { return Ok(false) };
    Ok(store.run(outer.run).await?.is_some_and(|outer| !outer.status.is_final()))
}

/// Whether the last engine that drove the run died without releasing it.
fn is_after_crash(stored: &StoredRun) -> bool {
    stored.owner.is_some()
}

/// Finds the workflow of a run, and checks that it is the one that the run started with.
fn load_workflow(stored: &StoredRun, find: &dyn Resolve) -> Result<Runnable, ResumeError> {
    if let Some(crate::event::Blocked::Poisoned { job, deaths }) = &stored.blocked {
        return Err(ResumeError::Poisoned { job: job.clone(), deaths: deaths.clone() });
    }
    // Lookup, reading the input and planning are code of the host.
    guard::call(|| find_and_plan(stored, find))
        .unwrap_or_else(|panic| Err(ResumeError::Plan(PlanError::Panicked(panic))))
}

fn find_and_plan(stored: &StoredRun, find: &dyn Resolve) -> Result<Runnable, ResumeError> {
    let snapshot = &stored.workflow;
    let workflow = find.resolve(snapshot).map_err(ResumeError::Lookup)?;
    let (input, plan) = plan(&*workflow, stored.input.as_ref())?;
    let graph = plan.stored_graph();
    if graph.fingerprint != snapshot.fingerprint {
        let difference = error::difference(&snapshot.graph, &graph.graph);
        return Err(ResumeError::Changed { workflow: snapshot.name.clone(), difference });
    }
    let user = stored.user.as_deref().map(Arc::from);
    // The setting of a file comes first.
    let runs_dir = workflow.runs_dir().or(stored.runs_dir.as_deref()).map(Arc::from);
    Ok(Runnable {
        workflow,
        plan,
        input,
        user,
        scheduled_for: stored.scheduled_for.map(Box::new),
        level: 1,
        outer: None,
        inherited: None,
        runs_dir,
        holds_slot: stored.flow_control.concurrency.is_some(),
        is_child: stored.parent.is_some(),
    })
}

/// Reads the input of a run, and plans its workflow.
fn plan(
    workflow: &dyn Workflow,
    input: Option<&Json>,
) -> Result<(Option<Boxed>, Arc<Plan>), ResumeError> {
    let read = |kind: Type| kind.read(input.cloned().unwrap_or_default());
    let input = workflow.input().map(read).transpose().map_err(ResumeError::Input)?;
    let plan = workflow.plan(input.as_deref()).map_err(ResumeError::Plan)?;
    Ok((input, plan))
}

/// Whether the cancellation of the run was requested.
async fn is_cancel_requested(store: &dyn Store, run: RunId) -> Result<bool, StoreError> {
    let messages = store.messages(run).await?;
    Ok(messages.iter().any(|message| message.kind == MessageKind::Cancel))
}

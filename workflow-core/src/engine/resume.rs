//! Takes runs up again: folds what is on record into the state that a run had.

mod error;
mod fold;

use std::sync::Arc;
use std::time::Duration;

use super::active::ActiveRun;
use super::handle::RunHandle;
use super::request::Runnable;
use super::runtime::Runtime;
use super::state::{Recorder, State};
use super::{Engine, LookupError};
use crate::event::{Event, What};
use crate::id::RunId;
use crate::run::{Report, RunError};
use crate::store::{Lease, Store, StoreError, StoredRun, WorkflowSnapshot};
use crate::workflow::Workflow;

pub use error::ResumeError;
use fold::{Restored, fold};

/// What [`Engine::recover`] did.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Recovery {
    /// Runs that were taken up again, and go on in the background.
    pub runs: Vec<RunHandle>,
    /// Runs that were not, and why. They stay as they are, for an engine that can.
    pub refused: Vec<(RunId, ResumeError)>,
}

/// Finds the workflow of a run on record, as it is now or as it was then.
pub(crate) type Find<'a> =
    &'a (dyn Fn(&WorkflowSnapshot) -> Result<Arc<dyn Workflow>, LookupError> + Send + Sync);

/// How many runs, or events, are read at once.
const PAGE: usize = 1000;

/// Of the time in which runs of a dead engine are taken over, a twentieth passes between two
/// looks, within these bounds.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// How often a run that another process drives is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

impl Engine {
    /// Takes up every run of the engine's store that has not ended and that no living engine
    /// drives. `find` gives the workflow of a run; [`Engine::recover`] looks into the registry.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read. What cannot be taken up is no error, and is told in
    /// [`Recovery::refused`].
    pub async fn recover_with(
        &self,
        find: impl Fn(&WorkflowSnapshot) -> Result<Arc<dyn Workflow>, LookupError> + Send + Sync,
    ) -> Result<Recovery, StoreError> {
        let mut recovery = Recovery::default();
        let Some(store) = self.store() else { return Ok(recovery) };
        let mut after = None;
        loop {
            let orphans = store.orphans(after, PAGE).await?;
            let Some(last) = orphans.last() else { return Ok(recovery) };
            after = Some(last.id);
            self.take_up(orphans, &find, &mut recovery).await?;
        }
    }

    /// Waits between two looks for runs that nobody drives.
    pub(crate) async fn pause(&self) {
        let lease = self.0.keeper.as_ref().map(|keeper| keeper.lease()).unwrap_or_default();
        let pause = (lease / 20).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        self.0.time.sleep(&Runtime::current(), pause).await;
    }

    async fn take_up(
        &self,
        orphans: Vec<StoredRun>,
        find: Find<'_>,
        recovery: &mut Recovery,
    ) -> Result<(), StoreError> {
        let (Some(store), Some(keeper)) = (self.store(), &self.0.keeper) else { return Ok(()) };
        let mut known = std::collections::HashMap::new();
        for stored in orphans {
            let id = stored.id;
            // An engine that was slow goes on with what nobody has taken from it.
            if keeper.find(id).is_some_and(|active| !active.is_lost()) {
                continue;
            }
            match know(stored, find) {
                Ok(what) => drop(known.insert(id, what)),
                Err(error) => recovery.refused.push((id, error)),
            }
        }
        let ids: Vec<RunId> = known.keys().copied().collect();
        let mut given_back = Vec::new();
        for lease in store.claim(keeper.owner(), &ids).await? {
            let Some(what) = known.remove(&lease.run) else { continue };
            match self.resume(what, lease).await {
                Ok(handle) => recovery.runs.push(handle),
                Err(error) => {
                    given_back.push(lease);
                    recovery.refused.push((lease.run, error));
                }
            }
        }
        store.release(&given_back).await
    }

    /// Goes on with a run that this engine has claimed.
    async fn resume(&self, what: Runnable, lease: Lease) -> Result<RunHandle, ResumeError> {
        let Some(store) = self.store() else { return Err(ResumeError::NoStore) };
        let events = on_record(&**store, lease.run).await?;
        let recorder = Recorder::resumed(store.clone(), lease, events.len());
        let active = self.restore(what, lease.run, &events, Some(recorder))?;
        tracing::info!(parent: &active.span, events = events.len(), "run taken up");
        let again = if events.is_empty() { What::RunStarted } else { What::RunResumed };
        active.change(|state, _| state.note(again, u32::MAX, 0));
        // What is sent from now on reaches the run; what was sent before is read after.
        active.hold_on(lease);
        let messages = store.messages(lease.run).await?;
        messages.into_iter().for_each(|message| active.receive(message));
        active.drive_in_background();
        Ok(RunHandle(active))
    }

    /// Waits for the end of a run on record, whoever drives it, and returns its report. Takes the
    /// run up when nobody does.
    ///
    /// # Errors
    ///
    /// Fails when the run failed or was cancelled, when there is none with this id, and when
    /// `find` does not find its workflow.
    pub async fn follow_with(
        &self,
        run: RunId,
        find: impl Fn(&WorkflowSnapshot) -> Result<Arc<dyn Workflow>, LookupError> + Send + Sync,
    ) -> Result<Report, RunError> {
        let failed = |error: StoreError| RunError::Store { run, error: Arc::new(error) };
        let refused = |error: ResumeError| RunError::Resume { run, error: Box::new(error) };
        let (Some(store), Some(keeper)) = (self.store(), &self.0.keeper) else {
            return Err(refused(ResumeError::NoStore));
        };
        loop {
            let active = match keeper.find(run) {
                Some(active) => active,
                None => {
                    let stored = store.run(run).await.map_err(failed)?;
                    let stored = stored.ok_or_else(|| failed(StoreError::NoRun { run }))?;
                    let is_over = stored.status.is_final();
                    let known = know(stored, &find).map_err(refused)?;
                    if is_over {
                        let events = on_record(&**store, run).await.map_err(failed)?;
                        let over = self.restore(known, run, &events, None).map_err(refused)?;
                        over.publish();
                        return over.until_end().await;
                    }
                    match self.take_one(run, known).await.map_err(refused)? {
                        Some(taken) => taken.0,
                        None => {
                            self.0.time.sleep(&Runtime::current(), LOOK_EVERY).await;
                            continue;
                        }
                    }
                }
            };
            match active.until_end().await {
                // Another engine drives it by now.
                Err(RunError::Store { error, .. })
                    if matches!(*error, StoreError::LeaseLost { .. }) =>
                {
                    self.0.time.sleep(&Runtime::current(), LOOK_EVERY).await;
                }
                ended => return ended,
            }
        }
    }

    /// Takes a run up, if nobody drives it.
    async fn take_one(&self, run: RunId, what: Runnable) -> Result<Option<RunHandle>, ResumeError> {
        let (Some(store), Some(keeper)) = (self.store(), &self.0.keeper) else {
            return Err(ResumeError::NoStore);
        };
        let [lease] = store.claim(keeper.owner(), &[run]).await?[..] else { return Ok(None) };
        match self.resume(what, lease).await {
            Ok(resumed) => Ok(Some(resumed)),
            Err(error) => {
                store.release(&[lease]).await?;
                Err(error)
            }
        }
    }
}

impl Engine {
    /// A run in the state that its events tell of.
    fn restore(
        &self,
        what: Runnable,
        id: RunId,
        events: &[Event],
        recorder: Option<Box<Recorder>>,
    ) -> Result<Arc<ActiveRun>, ResumeError> {
        let now = self.0.time.time_of_day();
        let began = events.first().map_or(now, |first| first.at);
        let restored = fold(&what.plan.graph, id, events, began, now)?;
        let Restored { scheduler, log, names, facts, recall, mail, outputs } = restored;
        let mut state = State::new(scheduler, log, recorder);
        (state.names, state.facts) = (names, facts);
        (state.mail, state.recall) = (Some(Box::new(mail)), Some(Box::new(recall)));
        let already = now.duration_since(began).unwrap_or_default().as_nanos();
        let already = u64::try_from(already).unwrap_or(u64::MAX);
        let run = ActiveRun::with(self, Runtime::current(), what, id, state, already, None);
        for (job, output) in outputs {
            run.slots.restore(job, (*output).clone()).map_err(|error| {
                let job = run.plan.graph.names.get(job as usize).to_owned();
                ResumeError::Output { job, error }
            })?;
        }
        Ok(run)
    }
}

/// Finds the workflow of a run, and sees to it that it is what the run began with.
fn know(stored: StoredRun, find: Find<'_>) -> Result<Runnable, ResumeError> {
    let snapshot = &stored.workflow;
    let workflow = find(snapshot).map_err(ResumeError::Lookup)?;
    let input = match (workflow.input(), &stored.input) {
        (Some(kind), input) => {
            let json = input.clone().unwrap_or_default();
            Some(kind.read(json).map_err(ResumeError::Input)?)
        }
        (None, _) => None,
    };
    let plan = workflow.plan(input.as_deref()).map_err(ResumeError::Plan)?;
    let graph = plan.kept();
    if graph.fingerprint != snapshot.fingerprint {
        let difference = error::difference(&snapshot.graph, &graph.graph);
        return Err(ResumeError::Changed { workflow: snapshot.name.clone(), difference });
    }
    let user = stored.user.as_deref().map(Arc::from);
    Ok(Runnable { workflow, plan, input, user })
}

/// All that is on record of a run.
async fn on_record(store: &dyn Store, run: RunId) -> Result<Vec<Event>, StoreError> {
    let mut events = Vec::new();
    loop {
        let page = store.events(run, events.len() as u64, PAGE).await?;
        let last = page.len() < PAGE;
        events.extend(page);
        if last {
            return Ok(events);
        }
    }
}

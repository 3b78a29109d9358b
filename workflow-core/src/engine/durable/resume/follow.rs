//! Follows a stored run, whichever engine drives it: to its end, or event by event.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, Stream, StreamExt as _};
use serde_json::Value as Json;

use super::Resolve;
use super::{PAGE, ResumeError, Resumed, RunHandle, Runnable, load_workflow, plan};
use crate::engine::active::ActiveRun;
use crate::engine::permits::Inherited;
use crate::engine::runtime::Runtime;
use crate::engine::{Engine, IntoWorkflow};
use crate::event::Event;
use crate::guard;
use crate::id::RunId;
use crate::job::known_wait;
use crate::run::{Report, RunError};
use crate::store::{OwnerId, Store, StoreError, StoredRun, read_events};
use crate::workflow::PlanError;

/// The pause between two checks of a run that another process drives.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

impl Engine {
    /// Waits for the end of a stored run, whichever engine drives it, and returns its report.
    /// Resumes the run if no engine drives it.
    pub(crate) async fn follow_with(
        &self,
        run: RunId,
        find: &dyn Resolve,
    ) -> Result<Report, RunError> {
        self.follow_inside(run, find, None).await
    }

    /// [Follows](Self::follow_with) a child run, with what it inherits from its outer job.
    pub(in crate::engine) async fn follow_inside(
        &self,
        run: RunId,
        find: &dyn Resolve,
        inherited: Option<Arc<Inherited>>,
    ) -> Result<Report, RunError> {
        loop {
            if let Some(active) = self.find_or_claim(run, find, inherited.clone()).await? {
                match known_wait(active.until_end()).await {
                    // Another engine may drive it by now.
                    Err(error) if error.is_left_to_others() => {}
                    ended => return ended,
                }
            }
            self.pause_poll().await;
        }
    }

    /// Streams the events of a stored run, whichever engine drives it. Waits on the executor that
    /// polls the stream.
    pub(in crate::engine) fn events(self, run: RunId) -> impl Stream<Item = Event> + use<> {
        let read = move |(from, is_over): (u64, bool)| {
            let engine = self.clone();
            async move {
                let store = engine.store().filter(|_| !is_over)?;
                loop {
                    match store.events(run, from, PAGE).await {
                        Ok(events) if !events.is_empty() => {
                            let is_over = events.last().is_some_and(|last| last.kind.is_last());
                            let next = from + events.len() as u64;
                            return Some((stream::iter(events), (next, is_over)));
                        }
                        Ok(_) => {}
                        Err(error) => {
                            tracing::warn!(%run, %error, "cannot read events");
                        }
                    }
                    engine.pause_poll().await;
                }
            }
        };
        stream::unfold((0, false), read).flatten()
    }

    /// Waits between two checks of a run that another process drives.
    async fn pause_poll(&self) {
        self.0.time.sleep(&Runtime::current(), POLL_INTERVAL).await;
    }

    /// Returns the run if this engine drives it or can claim it, or if it has ended.
    async fn find_or_claim(
        &self,
        run: RunId,
        find: &dyn Resolve,
        inherited: Option<Arc<Inherited>>,
    ) -> Result<Option<Arc<ActiveRun>>, RunError> {
        let failed = |error: StoreError| RunError::Store { run, error: Arc::new(error) };
        let refused = |error: ResumeError| RunError::Resume { run, error: Box::new(error) };
        let lease_renewer =
            self.0.lease_renewer.as_ref().ok_or_else(|| refused(ResumeError::NoStore))?;
        let store = lease_renewer.store();
        if let Some(active) = lease_renewer.find(run) {
            if let Some(inherited) = inherited {
                active.inherit(inherited);
            }
            return Ok(Some(active));
        }
        let stored = store.run(run).await.map_err(failed)?;
        let stored = stored.ok_or_else(|| failed(StoreError::NoRun { run }))?;
        if stored.status.is_final() {
            let known = load_workflow(&stored, find).map_err(refused)?;
            let events = read_events(&**store, run).await.map_err(failed)?;
            let over = self.restore(known, run, events, None, false).map_err(refused)?;
            over.publish();
            return Ok(Some(over));
        }
        if self.is_stopping() {
            let error = Arc::new(StoreError::ShutDown { run });
            return Err(RunError::of_store(&stored.workflow.name, run, error));
        }
        // A job resumes its child run with its own.
        if inherited.is_none() && stored.owner.is_none() {
            let asleep = store.asleep(run).await.map_err(failed)?;
            if asleep.is_some_and(|asleep| !asleep.is_due()) {
                return Ok(None);
            }
        }
        let Some(stored) =
            unless_driven(store, lease_renewer.owner().id, stored).await.map_err(failed)?
        else {
            return Ok(None);
        };
        let known = load_workflow(&stored, find).map_err(refused)?;
        let known = self.check_requirements(Runnable { inherited, ..known }).map_err(refused)?;
        match self.claim_one(&stored, known).await.map_err(refused)? {
            Some(RunHandle(taken)) => Ok(Some(taken)),
            None => Ok(None),
        }
    }

    /// Claims and resumes a run, if no engine drives it.
    async fn claim_one(
        &self,
        stored: &StoredRun,
        what: Runnable,
    ) -> Result<Option<RunHandle>, ResumeError> {
        let lease_renewer = self.0.lease_renewer.as_ref().ok_or(ResumeError::NoStore)?;
        let store = lease_renewer.store();
        let [lease] = store.claim(lease_renewer.owner(), &[stored.id]).await?[..] else {
            return Ok(None);
        };
        match self.resume_claimed(Ok(what), lease, stored).await? {
            Resumed::Runs(run) => Ok(Some(run)),
            Resumed::Refused(error, _) => Err(error),
        }
    }
}

impl Engine {
    /// Restores the report of a run that has ended from its recorded events, wherever it ran.
    ///
    /// # Errors
    ///
    /// Fails if there is no such workflow, if it does not take this input, if the events are not
    /// those of a run of it, and if they do not contain the end of the run.
    pub fn restore_report(
        &self,
        workflow: impl IntoWorkflow,
        run: RunId,
        input: Option<Json>,
        events: Vec<Event>,
    ) -> Result<Report, ResumeError> {
        let workflow = workflow.into_workflow().map_err(ResumeError::Lookup)?;
        if !events.last().is_some_and(|last| last.kind.is_last()) {
            let problem = "is the last one, and does not end the run".to_owned();
            let sequence = events.last().map_or(0, |last| last.sequence);
            return Err(ResumeError::Damaged { sequence, problem });
        }
        let planned = guard::call(|| plan(&*workflow, input.as_ref()));
        let panicked = |panic| Err(ResumeError::Plan(PlanError::Panicked(panic)));
        let (input, plan) = planned.unwrap_or_else(panicked)?;
        let what = Runnable {
            workflow,
            plan,
            input,
            user: None,
            scheduled_for: None,
            level: 1,
            outer: None,
            inherited: None,
            runs_dir: None,
            holds_slot: false,
            is_child: false,
        };
        let over = self.restore(what, run, events, None, false)?;
        over.publish();
        Ok(over.report().expect("it was published").clone())
    }
}

/// Returns the run if no other engine drives it, as it is then: its owner may have released it since
/// it was read, which is not a crash.
async fn unless_driven(
    store: &Arc<dyn Store>,
    own: OwnerId,
    stored: StoredRun,
) -> Result<Option<StoredRun>, StoreError> {
    if stored.owner.is_none_or(|owner| owner == own) {
        return Ok(Some(stored));
    }
    let before = stored.id.to_u128().checked_sub(1).map(RunId::from_u128);
    let first = store.abandoned(before, 1).await?.into_iter().next();
    Ok(first.filter(|first| first.id == stored.id))
}

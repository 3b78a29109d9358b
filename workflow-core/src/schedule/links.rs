//! Registered workflows whose runs start when runs of others end.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::definition::{EventTrigger, RunEnd};
use crate::downstream::{EndedRun, downstream_key, way};
use crate::engine::Engine;
use crate::id::RunId;
use crate::registry::{Entry, Listing};
use crate::run::RunError;
use crate::store::{
    DownstreamStore, ScheduledWorkflow, Store, StoreError, StoredLink, Trigger, WorkflowLink,
    WorkflowSnapshot,
};

/// The most downstream runs that a check starts for each link.
const BATCH: usize = 100;

/// The links of the registered workflows.
#[derive(Default)]
pub(super) struct Links {
    wanted: HashMap<WorkflowLink, RunEnd>,
    /// Those that the store has.
    stored: HashSet<WorkflowLink>,
    /// Cycles that were logged.
    logged: HashSet<String>,
}

impl Links {
    /// Whether ended runs have to be looked for.
    pub(super) fn are_empty(&self) -> bool {
        self.wanted.is_empty()
    }

    /// Reads the triggers of the registered workflows.
    fn update(&mut self, all: &Listing) {
        let mut wanted = HashMap::new();
        for entry in all.iter() {
            for trigger in entry.metadata().triggers() {
                let EventTrigger::After(after) = trigger else { continue };
                let [upstream, downstream] = [&*after.workflow, entry.name()]
                    .map(|name| ScheduledWorkflow::Registered(name.to_owned()));
                wanted.insert(WorkflowLink { upstream, downstream }, after.on);
            }
        }
        for (link, cycle) in cycles(wanted.keys()) {
            wanted.remove(&link);
            if self.logged.insert(cycle.clone()) {
                tracing::warn!(
                    cycle,
                    "runs would start each other forever and start none; remove one of these triggers"
                );
            }
        }
        self.wanted = wanted;
    }
}

/// The links on cycles, with the names along them.
fn cycles<'a>(
    wanted: impl Iterator<Item = &'a WorkflowLink> + Clone,
) -> Vec<(WorkflowLink, String)> {
    let mut downstream = HashMap::<_, Vec<_>>::new();
    for link in wanted.clone() {
        downstream.entry(&link.upstream).or_default().push(&link.downstream);
    }
    let downstream_of = |of: &&ScheduledWorkflow| downstream.get(*of).cloned().unwrap_or_default();
    let mut found = Vec::new();
    for link in wanted {
        let Some(back) = way(&link.downstream, &link.upstream, downstream_of) else { continue };
        let names = back.iter().chain(&back[..1]).filter_map(|on| match on {
            ScheduledWorkflow::Registered(name) => Some(name.as_str()),
            ScheduledWorkflow::Number(_) => None,
        });
        found.push((link.clone(), names.collect::<Vec<_>>().join(" -> ")));
    }
    found
}

impl Engine {
    /// Starts the downstream runs of the runs that have ended. Logs what fails; the next check tries
    /// again.
    pub(super) async fn check_links(&self, links: &mut Links, all: &Listing) {
        links.update(all);
        let Some(store) = self.store().map(Arc::clone) else { return };
        let Some(downstream) = store.downstream_store() else { return };
        if links.are_empty() {
            return;
        }
        let checked = match self.store_links(links, all, downstream).await {
            Ok(()) => self.start_downstream(links, all, &*store, downstream).await,
            Err(error) => Err(error),
        };
        if let Err(error) = checked {
            tracing::warn!(%error, "cannot read or record what has ended upstream; will retry");
        }
    }

    /// Adds the links to the store. Those that are no longer wanted stay, because another version of
    /// the program, or an edited row of the store, may want them.
    async fn store_links(
        &self,
        links: &mut Links,
        all: &Listing,
        store: &dyn DownstreamStore,
    ) -> Result<(), StoreError> {
        let Links { wanted, stored, .. } = links;
        let new: Vec<_> = wanted.keys().filter(|link| !stored.contains(*link)).cloned().collect();
        if new.is_empty() {
            return Ok(());
        }
        let is_linked = |entry: &&Entry| {
            let name = ScheduledWorkflow::Registered(entry.name().to_owned());
            new.iter().any(|link| link.upstream == name || link.downstream == name)
        };
        let linked = all.iter().filter(is_linked);
        let linked: Vec<_> = linked.map(|entry| WorkflowSnapshot::of(&*entry.workflow())).collect();
        store.add_registered(&linked).await?;
        for link in new {
            if store.link(&link).await? {
                stored.insert(link);
            } else {
                tracing::debug!(?link, "the store does not have both workflows yet");
            }
        }
        Ok(())
    }

    async fn start_downstream(
        &self,
        links: &Links,
        all: &Listing,
        store: &dyn Store,
        downstream: &dyn DownstreamStore,
    ) -> Result<(), StoreError> {
        for StoredLink { link, has_waiting } in downstream.links().await? {
            let Some(on) = links.wanted.get(&link).filter(|_| has_waiting) else { continue };
            let is_downstream = |entry: &&Entry| {
                link.downstream == ScheduledWorkflow::Registered(entry.name().to_owned())
            };
            let Some(entry) = all.iter().find(is_downstream) else { continue };
            for run in downstream.waiting(&link, BATCH).await? {
                let ended = EndedRun::read(store, run).await?;
                if let Some(ended) = ended.filter(|ended| ended.status.has_ended(*on)) {
                    let started = self.start_after(entry, &link, &ended).await;
                    let is_over = started.as_ref().err().is_none_or(|error| !is_temporary(error));
                    log(entry, run, started);
                    if !is_over {
                        return Ok(());
                    }
                }
                downstream.handled(&link, run).await?;
            }
        }
        Ok(())
    }

    async fn start_after(
        &self,
        entry: &Entry,
        link: &WorkflowLink,
        ended: &EndedRun,
    ) -> Result<RunId, RunError> {
        let workflow = entry.workflow();
        let takes_input = workflow.input().is_some();
        let request = self.run(workflow).trigger(Trigger::Event);
        let request = request.idempotency_key(downstream_key(link, ended.run));
        let request = if takes_input { request.input(ended.input()) } else { request };
        request.start()?.persisted().await
    }
}

/// Whether the same request may succeed later.
fn is_temporary(error: &RunError) -> bool {
    match error {
        RunError::ShutDown { .. } | RunError::Abandoned { .. } => true,
        RunError::Store { error, .. } => {
            matches!(**error, StoreError::Unavailable(_) | StoreError::ShutDown { .. })
        }
        _ => false,
    }
}

fn log(entry: &Entry, upstream: RunId, started: Result<RunId, RunError>) {
    let workflow = entry.name();
    match started {
        Ok(run) => tracing::info!(workflow, %run, %upstream, "started a downstream run"),
        Err(error) => {
            tracing::warn!(workflow, %upstream, %error, "cannot start the downstream run");
        }
    }
}

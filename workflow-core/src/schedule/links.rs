//! Registered workflows whose runs start when runs of others end, or when assets were made.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde_json::Value as Json;

use super::is_temporary;
use crate::definition::{EventTrigger, RunEnd};
use crate::downstream::{causes, cycles, downstream_input, downstream_key};
use crate::engine::Engine;
use crate::id::RunId;
use crate::registry::{Entry, Listing};
use crate::run::RunError;
use crate::store::{
    DownstreamStore, ScheduledWorkflow, Store, StoreError, StoredLink, StoredRun, Trigger,
    Upstream, WorkflowLink, WorkflowSnapshot,
};

/// The most downstream runs that a check starts for each link.
const BATCH: usize = 100;

/// The links of the registered workflows.
#[derive(Default)]
pub(super) struct Links {
    wanted: BTreeMap<WorkflowLink, RunEnd>,
    /// Problems that were logged.
    logged: HashSet<String>,
}

impl Links {
    /// Whether ended runs have to be looked for.
    pub(super) fn are_empty(&self) -> bool {
        self.wanted.is_empty()
    }

    /// Reads the triggers of the registered workflows.
    fn update(&mut self, all: &Listing) {
        self.wanted.clear();
        let names: HashSet<&str> = all.iter().map(Entry::name).collect();
        for entry in all.iter() {
            for trigger in entry.metadata().triggers() {
                let (is_known, upstream, on) = match trigger {
                    EventTrigger::After(after) => {
                        let upstream = Upstream::Workflow(registered(&after.workflow));
                        (names.contains(&*after.workflow), upstream, after.on)
                    }
                    EventTrigger::Asset(asset) => {
                        let upstream = Upstream::Asset(asset.name.clone());
                        (is_asset(&asset.name), upstream, RunEnd::Finished)
                    }
                    EventTrigger::Webhook(_) | EventTrigger::File(_) => continue,
                };
                if !is_known {
                    self.log_unknown(&upstream, entry.name());
                    continue;
                }
                let downstream = registered(entry.name());
                self.wanted.insert(WorkflowLink { upstream, downstream }, on);
            }
        }
        for (link, cycle) in cycles(self.wanted.keys()) {
            self.wanted.remove(&link);
            self.log_cycle(&cycle);
        }
    }

    fn log_unknown(&mut self, upstream: &Upstream, downstream: &str) {
        if !self.logged.insert(format!("{downstream} after {upstream:?}")) {
            return;
        }
        match upstream {
            Upstream::Workflow(upstream) => {
                let upstream = match upstream {
                    ScheduledWorkflow::Registered(name) => name.clone(),
                    ScheduledWorkflow::Number(number) => number.to_string(),
                };
                tracing::warn!(
                    workflow = downstream,
                    upstream,
                    "the trigger `after` has no effect: workflow `{upstream}` is not registered; \
                     register it, or remove the trigger"
                );
            }
            Upstream::Asset(asset) => tracing::warn!(
                workflow = downstream,
                asset,
                "the trigger `asset` has no effect: this program has no asset `{asset}`; declare it \
                 with `#[asset]`, or remove the trigger"
            ),
        }
    }

    fn log_cycle(&mut self, cycle: &[ScheduledWorkflow]) {
        let names = cycle.iter().filter_map(|on| match on {
            ScheduledWorkflow::Registered(name) => Some(name.as_str()),
            ScheduledWorkflow::Number(_) => None,
        });
        let cycle = names.collect::<Vec<_>>().join(" -> ");
        if self.logged.insert(cycle.clone()) {
            tracing::warn!(
                cycle,
                "runs would start each other forever and start none; remove one of these triggers"
            );
        }
    }
}

impl Engine {
    /// Starts the downstream runs of the runs that have ended. Logs what fails; the next check tries
    /// again.
    pub(super) async fn check_links(&self, links: &mut Links, all: &Listing) {
        links.update(all);
        let Some(store) = self.store().map(Arc::clone) else { return };
        if links.are_empty() {
            return;
        }
        if let Err(error) = self.follow_links(links, all, &*store).await {
            tracing::warn!(%error, "cannot read or record what has ended upstream; will retry");
        }
    }

    async fn follow_links(
        &self,
        links: &Links,
        all: &Listing,
        store: &dyn Store,
    ) -> Result<(), StoreError> {
        let Some(downstream) = store.downstream_store() else { return Ok(()) };
        let stored = downstream.links().await?;
        store_links(links, &stored, all, downstream).await?;
        for StoredLink { link, .. } in stored.iter().filter(|stored| stored.has_waiting) {
            let Some(on) = links.wanted.get(link) else { continue };
            let is_downstream = |entry: &&Entry| link.downstream == registered(entry.name());
            let Some(entry) = all.iter().find(is_downstream) else { continue };
            for run in downstream.waiting(link, BATCH).await? {
                let mut input =
                    downstream_input(store, store.asset_store(), link, run, *on).await?;
                if input.is_some() && starts_itself(store, entry, link, run).await? {
                    input = None;
                }
                if let Some(input) = input {
                    let started = self.start_after(entry, link, run, input).await;
                    let is_over = started.as_ref().err().is_none_or(|error| !is_temporary(error));
                    log(entry, run, started);
                    if !is_over {
                        return Ok(());
                    }
                }
                downstream.handled(link, run).await?;
            }
        }
        Ok(())
    }

    async fn start_after(
        &self,
        entry: &Entry,
        link: &WorkflowLink,
        upstream: RunId,
        input: Json,
    ) -> Result<RunId, RunError> {
        let workflow = entry.workflow();
        let takes_input = workflow.input().is_some();
        let request = self.run(workflow).trigger(Trigger::Event);
        let request = request.idempotency_key(downstream_key(link, upstream));
        let request = if takes_input { request.input(input) } else { request };
        request.start()?.persisted().await
    }
}

/// Adds the links that the store does not have. Those that are no longer wanted stay, because another
/// version of the program, or an edited row of the store, may want them.
async fn store_links(
    links: &Links,
    stored: &[StoredLink],
    all: &Listing,
    store: &dyn DownstreamStore,
) -> Result<(), StoreError> {
    let stored: HashSet<_> = stored.iter().map(|stored| &stored.link).collect();
    let new: Vec<_> = links.wanted.keys().filter(|link| !stored.contains(link)).collect();
    if new.is_empty() {
        return Ok(());
    }
    let is_linked = |entry: &&Entry| {
        let name = registered(entry.name());
        let upstream = Upstream::Workflow(name.clone());
        new.iter().any(|link| link.upstream == upstream || link.downstream == name)
    };
    let linked = all.iter().filter(is_linked);
    let linked: Vec<_> = linked.map(|entry| WorkflowSnapshot::of(&*entry.workflow())).collect();
    store.add_registered(&linked).await?;
    for link in new {
        if !store.link(link).await? {
            tracing::debug!(?link, "the store does not have both workflows yet");
        }
    }
    Ok(())
}

/// Whether a run that has made an asset goes back to a run of the workflow that it would start. Logs
/// it.
async fn starts_itself(
    store: &dyn Store,
    entry: &Entry,
    link: &WorkflowLink,
    run: RunId,
) -> Result<bool, StoreError> {
    let Upstream::Asset(asset) = &link.upstream else { return Ok(false) };
    let workflow = entry.name();
    let is_own =
        |cause: &StoredRun| cause.workflow.source.is_none() && cause.workflow.name == workflow;
    let starts_itself = causes(store, run).await?.iter().any(is_own);
    if starts_itself {
        tracing::warn!(
            workflow, asset, upstream = %run,
            "the workflow has made the asset that starts it, and would start itself forever; started \
             no run"
        );
    }
    Ok(starts_itself)
}

fn registered(name: &str) -> ScheduledWorkflow {
    ScheduledWorkflow::Registered(name.to_owned())
}

#[cfg(feature = "assets")]
fn is_asset(name: &str) -> bool {
    crate::asset::graph().is_ok_and(|graph| graph.number(name).is_ok())
}

/// A program without assets.
#[cfg(not(feature = "assets"))]
fn is_asset(_: &str) -> bool {
    false
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

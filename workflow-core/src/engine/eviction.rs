//! Evicts waiting runs from memory: they are left to the store, and resumed when their wait ends.
//! Which runs a worker evicts is decided here, and how many by the worker.
//!
//! A run is evicted with its child runs, because a child run uses what it inherits from its outer
//! job. While the store decides, nothing happens in these runs.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures::channel::oneshot;

use super::Engine;
use super::active::ActiveRun;
use super::handle::RunHandle;
use super::runtime::Runtime;
use super::state::Rest;
use crate::id::RunId;
use crate::store::{Eviction, Lease, MessageKind, StoreError};

/// The shortest wait for which a run is evicted: a transaction and a replay cost more than a shorter
/// one.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);

/// The pause between two requests to an unreachable store.
const RETRY_INTERVAL: Duration = Duration::from_millis(200);

impl Engine {
    /// Evicts at most this many of the runs, with their child runs: those first that wake last, and
    /// among equals those that were resumed first. Leaves runs in memory in which something is in
    /// progress.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be changed.
    pub(crate) async fn evict<'a>(
        &self,
        runs: impl Iterator<Item = &'a RunHandle>,
        most: usize,
    ) -> Result<(), StoreError> {
        let Some(lease_renewer) = &self.0.lease_renewer else { return Ok(()) };
        let active = lease_renewer.runs().into_iter().map(|run| (run.id, run)).collect();
        let mut resting: Vec<_> = runs
            .filter(|run| !run.0.is_child)
            .filter_map(|run| {
                let tree = tree(&run.0, &active, &mut |run| run.lock().rest(run)).ok()?;
                let wakes_in = wakes_in(&tree);
                let is_long = wakes_in.is_none_or(|wakes_in| wakes_in >= SHORTEST_WAIT);
                is_long.then(|| (Reverse(wakes_in.unwrap_or(Duration::MAX)), run.0.id, run))
            })
            .collect();
        resting.sort_by_key(|(wakes_in, id, _)| (*wakes_in, *id));
        let chosen = resting.into_iter().take(most);
        let suspended: Vec<Suspended> =
            chosen.filter_map(|(_, _, run)| Suspended::new(&run.0, &active)).collect();
        if suspended.is_empty() {
            return Ok(());
        }
        // Goes on if the caller does not: the store may have evicted the runs.
        let (tell, told) = oneshot::channel();
        let engine = self.clone();
        Runtime::current().spawn(async move {
            // The caller may have stopped waiting.
            let _ = tell.send(engine.evict_suspended(suspended).await);
        });
        told.await.unwrap_or(Ok(()))
    }
}

/// A run and the child runs that it waits for.
type Tree = Vec<(Arc<ActiveRun>, Rest)>;

/// Collects a run and the child runs that it waits for, if all of them rest. Fails with those that
/// were looked at before one that does not.
fn tree(
    run: &Arc<ActiveRun>,
    active: &HashMap<RunId, Arc<ActiveRun>>,
    look: &mut dyn FnMut(&ActiveRun) -> Option<Rest>,
) -> Result<Tree, Tree> {
    let (mut tree, mut next) = (Tree::new(), vec![run]);
    while let Some(run) = next.pop() {
        let Some(rest) = look(run) else { return Err(tree) };
        for child in &rest.children {
            match active.get(child) {
                Some(child) => next.push(child),
                // Another engine drives it.
                None => {
                    tree.push((run.clone(), rest));
                    return Err(tree);
                }
            }
        }
        tree.push((run.clone(), rest));
    }
    Ok(tree)
}

fn wakes_in(tree: &Tree) -> Option<Duration> {
    tree.iter().filter_map(|(_, rest)| rest.wakes_in).min()
}

/// Runs in which nothing happens until this is dropped.
struct Suspended(Tree);

impl Suspended {
    /// Suspends a run and its child runs, if all of them rest.
    fn new(run: &Arc<ActiveRun>, active: &HashMap<RunId, Arc<ActiveRun>>) -> Option<Self> {
        match tree(run, active, &mut ActiveRun::suspend) {
            Ok(tree) => Some(Self(tree)),
            Err(tree) => {
                drop(Self(tree));
                None
            }
        }
    }

    /// The outermost run.
    fn run(&self) -> RunId {
        self.0[0].0.id
    }

    fn leases(&self) -> impl Iterator<Item = Lease> {
        self.0.iter().map(|(_, rest)| rest.evicted.lease)
    }

    fn eviction(&self) -> Eviction {
        let mut runs = self.0.iter().map(|(_, rest)| rest.evicted);
        Eviction {
            run: runs.next().expect("a tree has a root"),
            children: runs.collect(),
            wakes_in: wakes_in(&self.0),
        }
    }

    /// Ends the runs in this process, because the store has them. Returns those whose cancellation
    /// was requested meanwhile.
    fn leave_memory(&self) -> Vec<RunId> {
        let cancelled = self.0.iter().filter(|(run, _)| run.leave_memory());
        cancelled.map(|(run, _)| run.id).collect()
    }
}

impl Drop for Suspended {
    fn drop(&mut self) {
        for (run, _) in &self.0 {
            run.change(|state, deferred| {
                state.suspended = false;
                // Whoever waits for the decision.
                deferred.wake.append(&mut state.waiters);
            });
        }
    }
}

impl ActiveRun {
    /// Suspends the run and returns how it rests, if it does.
    fn suspend(&self) -> Option<Rest> {
        let mut state = self.lock();
        let rest = state.rest(self)?;
        state.suspended = true;
        Some(rest)
    }

    /// Ends the run in this process. Returns whether its cancellation was requested while the store
    /// evicted it.
    fn leave_memory(self: &Arc<Self>) -> bool {
        let mut is_cancelled = false;
        self.change(|state, deferred| {
            if !state.published {
                is_cancelled = state.scheduler.is_cancelling() && !state.is_lost();
                state.leave_memory(self, deferred);
            }
        });
        is_cancelled
    }

    /// Waits until it is decided whether the run is evicted.
    pub(super) async fn until_not_suspended(&self) {
        futures::future::poll_fn(|cx| {
            let mut state = self.lock();
            if !state.suspended || state.published {
                return std::task::Poll::Ready(());
            }
            super::active::add_waker(&mut state.waiters, cx.waker());
            std::task::Poll::Pending
        })
        .await;
    }
}

impl Engine {
    /// Leaves runs to the store, and ends them in this process.
    async fn evict_suspended(&self, suspended: Vec<Suspended>) -> Result<(), StoreError> {
        let Some(lease_renewer) = &self.0.lease_renewer else { return Ok(()) };
        let store = lease_renewer.store();
        let evictions: Vec<Eviction> = suspended.iter().map(Suspended::eviction).collect();
        let evicted = match store.evict(&evictions).await {
            Ok(evicted) => evicted.into_iter().collect(),
            Err(StoreError::Unavailable(error)) => {
                tracing::warn!(%error, "cannot tell whether waiting runs were evicted; reading leases");
                self.lost(&suspended).await?
            }
            Err(error) => return Err(error),
        };
        let left = suspended.iter().filter(|tree| evicted.contains(&tree.run()));
        let cancelled: Vec<RunId> = left.flat_map(Suspended::leave_memory).collect();
        // The other runs go on, also while the store is unreachable.
        drop(suspended);
        for run in cancelled {
            let sent = self.until_reachable(|| store.send(run, MessageKind::Cancel)).await;
            log_cancellation(run, sent.map(drop));
        }
        Ok(())
    }

    /// The runs whose leases are lost, after an eviction without an answer.
    async fn lost(&self, suspended: &[Suspended]) -> Result<HashSet<RunId>, StoreError> {
        let Some(lease_renewer) = &self.0.lease_renewer else { return Ok(HashSet::new()) };
        let leases: Vec<Lease> = suspended.iter().flat_map(Suspended::leases).collect();
        let renew = || lease_renewer.store().renew(lease_renewer.owner(), &leases);
        let lost = self.until_reachable(renew).await?;
        Ok(lost.into_iter().map(|lease| lease.run).collect())
    }

    /// Repeats a request until the store is reachable or the engine stops.
    pub(super) async fn until_reachable<T, F: Future<Output = Result<T, StoreError>>>(
        &self,
        request: impl Fn() -> F,
    ) -> Result<T, StoreError> {
        let mut was_reachable = true;
        loop {
            match request().await {
                Err(StoreError::Unavailable(error)) if !self.is_stopping() => {
                    if std::mem::replace(&mut was_reachable, false) {
                        tracing::warn!(%error, "the store is unavailable; retrying");
                    }
                    super::runtime::sleep(RETRY_INTERVAL).await;
                }
                answer => return answer,
            }
        }
    }
}

/// Logs a cancellation that failed. A run that has ended needs none.
pub(super) fn log_cancellation(run: RunId, cancelled: Result<(), StoreError>) {
    match cancelled {
        Ok(()) | Err(StoreError::Ended { .. }) => {}
        Err(error) => tracing::warn!(%run, %error, "cannot cancel the run; cancel it again"),
    }
}

#[cfg(test)]
mod tests;

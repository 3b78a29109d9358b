//! Runs that wait outside of the memory of engines.

use std::time::Duration;

use super::Lease;
use crate::id::RunId;

/// A waiting run that leaves the memory of its engine, with its unfinished child runs: see
/// [`Store::evict`](super::Store::evict).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Eviction {
    /// The run.
    pub run: EvictedRun,
    /// Its unfinished child runs, at any depth. They are evicted with it, and resumed by it.
    pub children: Vec<EvictedRun>,
    /// The time until the first timer of these runs; `None` if they have none.
    pub wakes_in: Option<Duration>,
}

impl Eviction {
    /// The run and its child runs.
    pub fn runs(&self) -> impl Iterator<Item = &EvictedRun> {
        std::iter::once(&self.run).chain(&self.children)
    }
}

/// One of the runs of an [`Eviction`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EvictedRun {
    /// The lease under which its engine drives it.
    pub lease: Lease,
    /// The number of messages for the run that its engine has received. With another number in the
    /// store, the run has something to do.
    pub messages: u64,
}

/// How an evicted run waits: see [`Store::asleep`](super::Store::asleep).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asleep {
    /// The run with which it is resumed: itself, or for a child run the outermost run.
    pub resumes_with: RunId,
    /// The time until the first timer of that run; `None` if it waits for messages only.
    pub wakes_in: Option<Duration>,
}

impl Asleep {
    /// Whether its time has come.
    pub fn is_due(&self) -> bool {
        self.wakes_in.is_some_and(|left| left.is_zero())
    }
}

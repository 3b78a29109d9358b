//! Ownership of runs.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::RunId;

/// The ID of an engine among all engines that share a store: a UUID, created with the engine.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OwnerId(uuid::Uuid);

impl OwnerId {
    /// Creates a unique ID.
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4())
    }

    /// The 128 bits of the ID, for stores that have a column type for them.
    pub fn to_u128(self) -> u128 {
        self.0.as_u128()
    }

    /// Creates an ID from its 128 bits.
    pub fn from_u128(bits: u128) -> Self {
        Self(uuid::Uuid::from_u128(bits))
    }
}

impl fmt::Display for OwnerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for OwnerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A live engine, and how long it counts as alive without a renewal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Owner {
    /// The engine.
    pub id: OwnerId,
    /// The time for which it counts as alive, from the call of the store on.
    pub lifetime: Duration,
}

/// A summary of the leases of live engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HeldLeases {
    /// The number of runs with a lease.
    pub runs: usize,
    /// The time after which the last of these leases expires, unless its engine renews it.
    pub expires_in: Duration,
}

/// The right to append to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The run.
    pub run: RunId,
    /// The engine that owns it.
    pub owner: OwnerId,
    /// The fencing token: the number of owners that the run has had, from 1. A lease with a smaller
    /// token than the run's is no longer valid.
    pub token: u64,
}

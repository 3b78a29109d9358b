//! Who drives a run.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::RunId;

/// Identifies an engine among all that share a store: a UUID, made when the engine is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OwnerId(uuid::Uuid);

impl OwnerId {
    /// Makes an id that no other engine has.
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4())
    }

    /// The id's 128 bits, for stores that keep them as such.
    pub fn to_u128(self) -> u128 {
        self.0.as_u128()
    }

    /// The id with these 128 bits.
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

/// An engine that is alive, and will count as such for this long if nothing more is heard of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Owner {
    /// Which engine.
    pub id: OwnerId,
    /// How long, from the moment at which the store is told.
    pub lifetime: Duration,
}

/// The leases that engines which count as alive have on runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HeldLeases {
    /// How many runs are held.
    pub runs: usize,
    /// The time after which the last of these leases expires, unless its engine renews it.
    pub expires_in: Duration,
}

/// The right to append to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The run.
    pub run: RunId,
    /// Who drives it.
    pub owner: OwnerId,
    /// How often the run has changed hands, from 1: the fencing token. A lease with a smaller
    /// number than the run's is worth nothing any more.
    pub token: u64,
}

//! Durable runs, which outlive the process: leases, the record in the store, and resuming from it.
//! A run without a store uses nothing of this. How a store persists what it gets is not known here.

pub(super) mod lease_renewer;
pub(super) mod replay;
pub(super) mod resume;
pub(super) mod snapshot;
pub(super) mod writer;

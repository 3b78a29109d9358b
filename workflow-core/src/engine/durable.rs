//! Runs that outlive the process: leases, the record in the store, and the way back from it.

pub(super) mod lease_renewer;
pub(super) mod replay;
pub(super) mod resume;
pub(super) mod snapshot;
pub(super) mod writer;

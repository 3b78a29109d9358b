//! Rows of runs, prepared by the caller, so that the thread that writes has less to do.

pub(crate) mod beginning;
pub(crate) mod bulk_update;
pub(crate) mod deferred;
pub(crate) mod event;
pub(crate) mod step;

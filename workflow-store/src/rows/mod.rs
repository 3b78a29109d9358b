//! Rows of runs, prepared by the caller to take work off the writer thread.

pub(crate) mod beginning;
pub(crate) mod bulk_update;
pub(crate) mod deferred;
pub(crate) mod event;
pub(crate) mod slots;
pub(crate) mod step;

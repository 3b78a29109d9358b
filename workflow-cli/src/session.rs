//! Runs from their start to their end: here, in a process of their own, and in the store.

pub(crate) mod detach;
mod engine;
mod follow;
mod run_session;

pub(crate) use engine::{builder, engine, is_orphan, stored, workflow_of};
pub(crate) use follow::{follow, follow_from};
pub(crate) use run_session::{Conduct, tell_existing};

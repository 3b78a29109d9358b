//! A run from its start to its end: in this process, in a background process, or followed through
//! the store.

mod answer;
mod assets;
pub(crate) mod detach;
mod engine;
mod follow;
#[cfg(feature = "openlineage")]
mod lineage;
mod run_session;
mod unserved;

pub(crate) use answer::{print_existing, print_existing_key, print_refused};
pub(crate) use assets::{assets, flush_assets, with_store};
pub(crate) use engine::{engine, engine_builder, is_abandoned, resolve_workflow, stored_run};
pub(crate) use follow::{follow, follow_for, follow_from};
pub(crate) use run_session::{RunSession, request};
pub(crate) use unserved::{warn_of_jobs, warn_of_queue};

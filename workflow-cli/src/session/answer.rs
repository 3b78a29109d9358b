//! What became of a request that began no run of its own.

use std::time::SystemTime;

use workflow_core::Status;
use workflow_core::flow_control::Concurrency;
use workflow_core::id::RunId;
use workflow_core::store::{LimitWait, SharedBy, StoredRun};
use workflow_store::Catalog;

use crate::failure::Failure;
use crate::output;
use crate::render::time;

/// Prints which run stands for the request, and why.
///
/// # Errors
///
/// Fails when the store cannot be read.
pub(crate) fn print_existing(
    store: &dyn Catalog,
    run: &StoredRun,
    by: SharedBy,
) -> Result<(), Failure> {
    let StoredRun { id, status, .. } = run;
    match by {
        SharedBy::Key => print_existing_key(*id, *status),
        SharedBy::Slot => output::message(format_args!("run {id} holds {}: {status}", slot(run))),
        SharedBy::Debounce => match pollster::block_on(store.waits_for(*id))? {
            Some(LimitWait::Debounce { begins_in, .. }) => output::message(format_args!(
                "joined run {id}, which begins at {} unless another request comes",
                time(Some(SystemTime::now() + begins_in))
            )),
            _ => output::message(format_args!("joined run {id}: {status}")),
        },
    }
    Ok(())
}

/// Prints which run an idempotency key stands for.
pub(crate) fn print_existing_key(run: RunId, status: Status) {
    output::message(format_args!("run {run} already exists for this idempotency key: {status}"));
}

/// The slot of a run, such as ``the only slot of key `ann` ``.
fn slot(run: &StoredRun) -> String {
    let of = |key: &str| match key {
        "" => format!("workflow `{}`", run.workflow.name),
        key => format!("key `{key}`"),
    };
    match &run.flow_control.concurrency {
        Some(Concurrency { key, limit: 1, .. }) => format!("the only slot of {}", of(key)),
        Some(Concurrency { key, limit, .. }) => format!("one of the {limit} slots of {}", of(key)),
        None => "the slot".to_owned(),
    }
}

/// Prints why a limit has cancelled a run at its beginning.
///
/// # Errors
///
/// Fails when the store cannot be read.
pub(crate) fn print_refused(store: &dyn Catalog, run: RunId) -> Result<(), Failure> {
    let reason = pollster::block_on(store.run_summary(run))?.error.unwrap_or_default();
    output::message(format_args!("cancelled: {reason}"));
    Ok(())
}

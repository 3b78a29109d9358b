//! The tokio runtime that jobs run in.

use crate::failure::Failure;

/// Calls a function inside a tokio runtime: the host's multi-threaded one, or a new one.
///
/// # Errors
///
/// Fails when the function fails, or no thread can be started.
#[cfg(feature = "tokio")]
pub(crate) fn inside<T>(act: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    use tokio::runtime::{Builder, Handle, RuntimeFlavor};

    // A single-threaded runtime would never run jobs: its thread waits here.
    let host = Handle::try_current();
    if host.is_ok_and(|host| host.runtime_flavor() != RuntimeFlavor::CurrentThread) {
        return act();
    }
    let runtime = Builder::new_multi_thread().enable_all().build().map_err(|error| {
        Failure::Machine { what: "cannot start a runtime for jobs".to_owned(), error }
    })?;
    let result = {
        let _inside = runtime.enter();
        act()
    };
    // Blocking functions cannot be stopped, so a cancelled run may have left some behind.
    runtime.shutdown_background();
    result
}

/// Calls a function. Jobs run on the threads of the library.
///
/// # Errors
///
/// Fails when the function fails.
#[cfg(not(feature = "tokio"))]
pub(crate) fn inside<T>(act: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    act()
}

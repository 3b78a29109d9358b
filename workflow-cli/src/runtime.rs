//! The runtime that jobs find.

use crate::failure::Failure;

/// Does something inside a tokio runtime: the host's, where jobs can run in it, or one that is
/// made for this.
///
/// # Errors
///
/// Fails when the machine gives no threads.
#[cfg(feature = "tokio")]
pub(crate) fn inside<T>(act: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    use tokio::runtime::{Builder, Handle, RuntimeFlavor};

    // One thread, which waits here for the run, would never come to drive it.
    let host = Handle::try_current();
    if host.is_ok_and(|host| host.runtime_flavor() != RuntimeFlavor::CurrentThread) {
        return act();
    }
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Machine { what: "no runtime for the jobs".to_owned(), error })?;
    let result = {
        let _inside = runtime.enter();
        act()
    };
    // Functions that block cannot be stopped; a cancelled run has left them to themselves.
    runtime.shutdown_background();
    result
}

/// Does something; jobs run on threads of the library.
///
/// # Errors
///
/// Fails when that does.
#[cfg(not(feature = "tokio"))]
pub(crate) fn inside<T>(act: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    act()
}

//! Names for the SDK, which asks the type of a workflow or activity for its name, while one type of
//! this crate stands for all.

use std::cell::RefCell;

thread_local! {
    static NAME: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Registers something under this name, while `register` runs.
pub(crate) fn named<T>(name: &str, register: impl FnOnce() -> T) -> T {
    NAME.with(|of| name.clone_into(&mut of.borrow_mut()));
    register()
}

/// The name of the registration in progress.
pub(crate) fn current() -> String {
    NAME.with(|name| name.borrow().clone())
}

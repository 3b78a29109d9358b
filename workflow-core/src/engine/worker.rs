//! The threads of control of a run: the driver that polls its jobs, and the threads that help.

pub(super) mod abandoned;
pub(super) mod driver;
pub(super) mod monitor;
pub(super) mod nesting;
pub(super) mod task;

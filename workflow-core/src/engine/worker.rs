//! The workers of a run: the driver, which polls its jobs, and the threads that help it. They ask
//! [`state`](super::state) for the next step, and execute it outside of the run's lock. What a step
//! leads to is not decided here.

pub(super) mod abandoned;
pub(super) mod driver;
pub(super) mod monitor;
pub(super) mod nesting;
pub(super) mod task;

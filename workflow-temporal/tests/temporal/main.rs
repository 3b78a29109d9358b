//! Registered workflows on a real Temporal server, which the tests start.

mod crash;
mod flows;
mod queues;
mod schedules;
mod support;
mod waits;

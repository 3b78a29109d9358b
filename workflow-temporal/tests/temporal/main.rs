//! Registered workflows on a real Temporal server, which the tests start.

mod continued;
mod crash;
mod flows;
mod queues;
mod restart;
mod schedules;
mod support;
mod unserved;
mod waits;

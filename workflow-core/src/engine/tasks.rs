//! Attempts of jobs with a task queue of their own, from both sides: the engine of the run hands
//! them out, and a worker of the queue makes them. Between the two is a store with
//! [tasks](crate::store::TaskStore).
//!
//! | module | holds |
//! |---|---|
//! | `hand_out` | the side of the run: opens a task, and waits for its outcome |
//! | `claim` | the side of the worker: claims tasks within its slots, and makes their attempts |
//! | `performed` | one attempt of a worker: its progress, and why it must stop |
//! | `board` | what an engine waits for and what it makes, and what it asks the store for that |
//!
//! Which function an attempt calls is found above: [`worker`](crate::worker).

mod board;
mod claim;
mod hand_out;
mod performed;

pub(super) use board::{Board, Output};
pub(super) use hand_out::hand_out;

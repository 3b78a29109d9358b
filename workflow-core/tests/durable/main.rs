//! Durable runs: cut off at every point, and resumed.

mod clocks;
#[path = "../support/cut_off.rs"]
mod cut_off;
mod eviction;
mod flow_control;
mod flow_model;
mod functions;
#[path = "../support/gated.rs"]
mod gated;
mod graphs;
mod keys;
mod limits;
mod lost;
#[path = "../support/over_memory.rs"]
mod over_memory;
mod stranded;
mod takeover;
mod users;
mod values;
mod workers;

use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use workflow_core::Engine;
use workflow_core::event::Event;
use workflow_core::id::RunId;
use workflow_core::prelude::*;
use workflow_core::store::{MemoryStore, Store as _};

use cut_off::CutOff;

/// An engine whose store takes this many batches, and which then counts as dead at once.
fn engine_for(batches: usize, store: &Arc<MemoryStore>) -> Engine {
    Engine::builder().store(CutOff::after(batches, store)).lease(Duration::ZERO).build()
}

/// The only run of the store.
fn only(store: &MemoryStore) -> Option<RunId> {
    store.runs().first().map(|(run, _)| *run)
}

fn events(store: &MemoryStore, run: RunId) -> Vec<Event> {
    block_on(store.events(run, 0, usize::MAX)).expect("memory can be read")
}

/// Resumes the only run of the store, and waits for its end.
fn take_up(store: &Arc<MemoryStore>) -> Result<Report, RunError> {
    take_up_with(&Engine::builder().store(store.clone()).build())
}

fn take_up_with(engine: &Engine) -> Result<Report, RunError> {
    let recovery = block_on(engine.recover()).expect("memory can be read");
    assert!(recovery.refused.is_empty(), "{:?}", recovery.refused);
    let [run] = &recovery.runs[..] else { panic!("{} runs", recovery.runs.len()) };
    run.wait()
}

/// Resumes a run and the runs inside of it with another engine after the death of the first one,
/// and waits for the end of the outer run, which started first.
fn go_on(
    engine: &Engine,
    store: &MemoryStore,
    ended: Result<Report, RunError>,
) -> Result<Report, RunError> {
    let recovery = block_on(engine.recover()).expect("memory can be read");
    assert!(recovery.refused.is_empty(), "{:?}", recovery.refused);
    let outer = only(store).expect("it began");
    match ended {
        Err(RunError::Store { .. } | RunError::Failed(_)) => block_on(engine.follow(outer)),
        ended => ended,
    }
}

/// Runs a workflow that is cut off after every number of batches, resumed, cut off again after
/// every number of batches, and resumed by an engine that finishes it. Calls `check` with the
/// result.
fn cut_off_everywhere(
    name: &'static str,
    check: impl Fn((usize, usize), Result<Report, RunError>, &[Event]),
) {
    let is_cut_off = |ended: &_| matches!(ended, Err(RunError::Store { .. }));
    for first in 1.. {
        for second in 0.. {
            let store = Arc::new(MemoryStore::new());
            let mut ended = engine_for(first, &store).run(name).wait();
            let is_cut_off_once = is_cut_off(&ended);
            if is_cut_off_once {
                ended = take_up_with(&engine_for(second, &store));
            }
            let is_cut_off_twice = is_cut_off(&ended);
            if is_cut_off_twice {
                ended = take_up(&store);
            }
            let run = only(&store).expect("it began");
            check((first, second), ended, &events(&store, run));
            if !is_cut_off_once {
                return;
            }
            if !is_cut_off_twice {
                break;
            }
        }
    }
}

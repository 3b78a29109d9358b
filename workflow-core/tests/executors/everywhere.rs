//! A mixed graph that is dropped, cancelled, panics or is shut down at each of its await points in
//! turn. The run ends each time, and all places are free.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::channel::oneshot;
use futures::future::{Either, select};
use workflow_core::engine::LimitScope;
use workflow_core::prelude::*;
use workflow_core::store::MemoryStore;

use crate::support::turns;

/// What happens to a run at one of its await points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Harm {
    /// The future of the run is dropped.
    Drop,
    Cancel,
    /// The job at that point panics.
    Panic,
    /// The engine is shut down, without a grace period.
    Shutdown,
}

/// Counts the await points of a run, and injects a fault at one of them.
struct Points {
    passed: AtomicUsize,
    at: usize,
    harm: Harm,
    reached: Mutex<Option<oneshot::Sender<()>>>,
}

static POINTS: Mutex<Option<HashMap<u64, Arc<Points>>>> = Mutex::new(None);

fn points(id: u64) -> Arc<Points> {
    let points = POINTS.lock().expect("no panic under the lock");
    Arc::clone(&points.as_ref().expect("there are some")[&id])
}

impl Points {
    /// The points of the run with this input. They are not removed, because a dropped run may end
    /// later.
    fn of(id: u64, at: usize, harm: Harm) -> (Arc<Self>, oneshot::Receiver<()>) {
        let (reach, reached) = oneshot::channel();
        let (passed, reach) = (AtomicUsize::new(0), Mutex::new(Some(reach)));
        let new = Arc::new(Self { passed, at, harm, reached: reach });
        let mut points = POINTS.lock().expect("no panic under the lock");
        points.get_or_insert_default().insert(id, Arc::clone(&new));
        (new, reached)
    }

    /// Counts the next point of the run.
    fn pass(&self) {
        if self.passed.fetch_add(1, Ordering::SeqCst) != self.at {
            return;
        }
        if self.harm == Harm::Panic {
            panic!("at point {}", self.at);
        }
        let reached = self.reached.lock().expect("no panic under the lock").take();
        // Nobody waits if the run was given up.
        _ = reached.map(|reached| reached.send(()));
    }
}

/// Passes some points, and yields at each.
async fn steps(id: u64) {
    let points = points(id);
    for _ in 0..2 {
        points.pass();
        turns(1).await;
    }
}

#[job(limit = "db", retry(maximum_attempts = 2, initial_interval = "1us"))]
async fn flaky(ctx: &JobContext, id: u64) -> Result<u64, JobError> {
    steps(id).await;
    if ctx.attempt() == 1 { Err("again".into()) } else { Ok(id) }
}

#[job(limit = "db")]
async fn element(id: u64) -> u64 {
    steps(id).await;
    id
}

#[job]
fn blocks(id: u64) -> u64 {
    points(id).pass();
    id
}

/// Holds a place and lends it to its children, one of which is dropped.
#[job(limit = "db")]
async fn calls(ctx: WorkflowContext, id: u64) -> Result<u64, JobError> {
    steps(id).await;
    let dropped = Box::pin(ctx.run(element, id));
    drop(select(dropped, Box::pin(steps(id))).await);
    ctx.sleep(Duration::from_micros(1)).await;
    ctx.run(element, id).await
}

#[job]
async fn gives_back(_ctx: &JobContext, id: u64) {
    steps(id).await;
}

#[register_workflow(name = "everywhere: inner")]
fn inner(flow: &mut Flow, id: u64) -> Handle<u64> {
    let id = flow.value(id);
    flow.job(element(id))
}

#[register_workflow(name = "everywhere")]
fn everywhere(flow: &mut Flow, id: u64) -> Handle<u64> {
    let start = flow.value(id);
    let list = flow.value(vec![id; 3]);
    let flaky = flow.job(flaky(start).compensate(gives_back));
    let elements = flow.job(map(list, element).name("elements").concurrency(2));
    let blocks = flow.job(blocks(flaky));
    let nested = flow.job(registry::call::<_, u64>("everywhere: inner", start).name("nested"));
    let calls = flow.job(calls(blocks).after(elements));
    flow.job(element(calls).name("last").after(nested))
}

/// Nobody holds or waits for a place of the engine.
fn is_free(engine: &Engine) -> bool {
    let limits = engine.limits();
    let mut own = limits.iter().filter(|limit| limit.scope == LimitScope::Engine);
    own.all(|limit| (limit.in_use, limit.waiting) == (0, 0))
}

/// Waits until all places are free, because a dropped run ends in the background.
async fn until_free(engine: &Engine, what: &str) {
    for _ in 0..20_000 {
        if is_free(engine) {
            return;
        }
        futures_timer::Delay::new(Duration::from_micros(500)).await;
    }
    panic!("{what}: {:?}", engine.limits());
}

/// Runs the graph and injects a fault at one point. Returns false if the run has no such point.
async fn harmed(harm: Harm, at: usize, is_kept: bool) -> bool {
    static IDS: AtomicU64 = AtomicU64::new(0);
    let what = format!("{harm:?} at point {at}, kept: {is_kept}");
    let id = IDS.fetch_add(1, Ordering::SeqCst);
    let (new, reached) = Points::of(id, at, harm);
    let builder = Engine::builder().limit("db", 2).max_parallel(2);
    let builder = if is_kept { builder.store(MemoryStore::new()) } else { builder };
    let engine = builder.build();
    let request = engine.run("everywhere").input(id);
    if harm == Harm::Drop {
        // Ends with the run, or is dropped at the point.
        drop(select(Box::pin(request.into_future()), reached).await);
    } else {
        let run = request.start().expect("it starts");
        let ended = Box::pin(run.outcome());
        if let Either::Right((Ok(()), ended)) = select(ended, reached).await {
            match harm {
                Harm::Cancel => run.cancel(),
                Harm::Shutdown => drop(engine.shutdown(Duration::ZERO).await),
                _ => {}
            }
            let deadline = futures_timer::Delay::new(Duration::from_secs(20));
            let ended = select(ended, deadline).await;
            assert!(matches!(ended, Either::Left(_)), "{what}: the run does not end");
        }
    }
    until_free(&engine, &what).await;
    if harm != Harm::Shutdown {
        let unharmed = IDS.fetch_add(1, Ordering::SeqCst);
        drop(Points::of(unharmed, usize::MAX, harm));
        let next = engine.run("everywhere: inner").input(unharmed).await;
        assert!(next.is_ok(), "{what}: {next:?}");
    }
    new.passed.load(Ordering::SeqCst) > at
}

pub(crate) async fn faults_at_every_point_leak_nothing() {
    for harm in [Harm::Drop, Harm::Cancel, Harm::Panic, Harm::Shutdown] {
        for is_kept in [false, true] {
            let mut at = 0;
            while harmed(harm, at, is_kept).await {
                at += 1;
            }
            assert!(at > 10, "{harm:?}: only {at} points");
        }
    }
}

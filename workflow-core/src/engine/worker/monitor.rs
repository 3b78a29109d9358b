//! Watches busy runs, and sends a thread where work piles up behind something slow.
//!
//! Workers take no time and wake nobody: most runs are over before a second thread could have
//! begun. Instead, a thread that drives a run with work waiting says so in its [`Lamp`], and a
//! single thread looks at the lamps a few thousand times a second, and sleeps when all are out.

use std::cell::OnceCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread::{self, Thread};
use std::time::Duration;

use crate::engine::active::ActiveRun;
use crate::engine::state::{Deferred, Role, RunState};

/// The time between two looks.
const TICK: Duration = Duration::from_micros(200);

/// A run that makes more steps than this in a tick is better off with a single thread: handing
/// a job over costs more than to do it.
const BUSY_STEPS: u64 = 300;

/// The looks without anything to see after which a run is left alone, and the thread sleeps.
const PATIENCE: u32 = 50;

/// Says which run a thread is driving, while that has work waiting.
#[derive(Default)]
struct Watchdog(Mutex<Weak<ActiveRun>>);

/// Keeps a watchdog lit.
pub(in crate::engine) struct WatchGuard {
    watchdog: Arc<Watchdog>,
    /// The run that the thread was driving when it began to drive this one inside a job.
    outer: Weak<ActiveRun>,
}

#[derive(Default)]
struct Watch {
    watchdogs: Vec<Weak<Watchdog>>,
    /// Runs whose jobs wait for threads, whoever drives them.
    runs: Vec<Weak<ActiveRun>>,
}

static WATCH: Mutex<Watch> = Mutex::new(Watch { watchdogs: Vec::new(), runs: Vec::new() });
static ASLEEP: AtomicBool = AtomicBool::new(false);

thread_local! {
    static WATCHDOG: OnceCell<Arc<Watchdog>> = const { OnceCell::new() };
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has a run watched for as long as the calling thread drives it.
pub(in crate::engine) fn watch(run: &Arc<ActiveRun>) -> WatchGuard {
    let watchdog = WATCHDOG.with(|watchdog| {
        let new = || {
            let watchdog = Arc::new(Watchdog::default());
            lock(&WATCH).watchdogs.push(Arc::downgrade(&watchdog));
            watchdog
        };
        Arc::clone(watchdog.get_or_init(new))
    });
    let outer = std::mem::replace(&mut *lock(&watchdog.0), Arc::downgrade(run));
    wake();
    WatchGuard { watchdog: watchdog, outer }
}

impl Drop for WatchGuard {
    fn drop(&mut self) {
        *lock(&self.watchdog.0) = std::mem::take(&mut self.outer);
    }
}

/// Has a run watched for as long as jobs of it wait for threads.
pub(in crate::engine) fn watch_blocking(run: &Arc<ActiveRun>) {
    lock(&WATCH).runs.push(Arc::downgrade(run));
    wake();
}

/// Sees to it that someone watches.
fn wake() {
    static THREAD: OnceLock<Option<Thread>> = OnceLock::new();
    let thread = THREAD.get_or_init(|| {
        let started = thread::Builder::new().name("workflow-monitor".to_owned()).spawn(look_on);
        // Without a thread to watch, runs go on; slow jobs just get no help.
        started.ok().map(|handle| handle.thread().clone())
    });
    if ASLEEP.load(Ordering::SeqCst)
        && ASLEEP.swap(false, Ordering::SeqCst)
        && let Some(thread) = thread
    {
        thread.unpark();
    }
}

fn look_on() {
    let mut quiet = 0;
    loop {
        thread::park_timeout(TICK);
        if look_around() {
            quiet = 0;
        } else {
            quiet += 1;
        }
        if quiet > PATIENCE {
            ASLEEP.store(true, Ordering::SeqCst);
            // Once more, for who came before the sleep was announced.
            while !look_around() && ASLEEP.load(Ordering::SeqCst) {
                thread::park();
            }
            ASLEEP.store(false, Ordering::SeqCst);
            quiet = 0;
        }
    }
}

/// Looks at every run that is to be watched; false when there is none.
fn look_around() -> bool {
    let mut watch = lock(&WATCH);
    let mut lit = Vec::new();
    watch.watchdogs.retain(|watchdog| {
        let watchdog = watchdog.upgrade();
        lit.extend(watchdog.as_ref().and_then(|watchdog| lock(&watchdog.0).upgrade()));
        watchdog.is_some()
    });
    let runs = std::mem::take(&mut watch.runs);
    drop(watch);
    let watching = !lit.is_empty() || !runs.is_empty();
    for run in lit {
        look_at(&run);
    }
    let still = runs.into_iter().filter(|run| run.upgrade().is_some_and(|run| look_at(&run)));
    let mut still: Vec<_> = still.collect();
    lock(&WATCH).runs.append(&mut still);
    watching
}

/// Looks at one run; false when nothing of it waits for a thread any more.
fn look_at(run: &Arc<ActiveRun>) -> bool {
    let Some(mut state) = run.try_lock() else { return true };
    let progress = state.steps - state.seen_steps;
    state.seen_steps = state.steps;
    // One slow tick may be the driver's thread that had to wait for a core; two are the jobs.
    let slow = progress < BUSY_STEPS;
    state.threads.worthwhile = slow && (state.threads.was_slow || !state.blocking.is_empty());
    state.threads.was_slow = slow;
    if state.waiting() > 0 && state.threads.worthwhile && state.threads.idle == 0 {
        let mut deferred = Deferred::default();
        let wanted = wanted(run, &state, progress);
        state.threads.start(wanted, &mut deferred);
        drop(state);
        deferred.run(run);
        return true;
    }
    if state.blocking.is_empty() || state.scheduler.is_finished() {
        state.watched = false;
    }
    state.watched
}

/// How many more threads the run should have.
fn wanted(run: &ActiveRun, state: &RunState, progress: u64) -> usize {
    if !state.blocking.is_empty() {
        // As many again as there are, so that many long waits soon overlap.
        return state.blocking.len().min(state.threads.count.max(1));
    }
    if run.thread_role() == Role::BlockingThread {
        return 0;
    }
    let busy = state.threads.count - state.threads.blocked.min(state.threads.count);
    let threads = run.engine.threads;
    // Beside the driver; one more than there are cores when nothing moves at all.
    let room = if progress == 0 { threads } else { threads - 1 };
    state.waiting().min(room.saturating_sub(busy)).min(1)
}

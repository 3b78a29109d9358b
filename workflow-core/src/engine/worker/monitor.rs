//! Watches busy runs, and starts threads where work piles up behind something slow.
//!
//! Workers spend no time on this: most runs are over before a second thread could start. A thread
//! that drives a run with waiting work names the run in its [`Watchdog`]. One monitor thread checks
//! all watchdogs a few thousand times a second, and sleeps while none names a run. The monitor does
//! not know what the work is.

use std::cell::OnceCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread::{self, Thread};
use std::time::Duration;

use crate::engine::active::ActiveRun;
use crate::engine::state::{Deferred, Role, RunState};

/// The time between two checks.
const TICK: Duration = Duration::from_micros(200);

/// A run that makes more steps than this in a tick is faster with a single thread: handing over a
/// job costs more than running it.
const BUSY_STEPS: u64 = 300;

/// The number of checks without any watched run after which the monitor sleeps.
const IDLE_TICKS: u32 = 50;

/// The run that a thread is driving, while that run has waiting work.
#[derive(Default)]
struct Watchdog(Mutex<Weak<ActiveRun>>);

/// Keeps a run in the thread's watchdog until it is dropped.
pub(in crate::engine) struct WatchGuard {
    watchdog: Arc<Watchdog>,
    /// The run that the thread was driving before, if a job of that run drives this one.
    outer: Weak<ActiveRun>,
}

#[derive(Default)]
struct Watch {
    watchdogs: Vec<Weak<Watchdog>>,
    /// Runs whose jobs wait for threads, whichever thread drives them.
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

/// Watches a run for as long as the calling thread drives it.
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
    WatchGuard { watchdog, outer }
}

impl Drop for WatchGuard {
    fn drop(&mut self) {
        *lock(&self.watchdog.0) = std::mem::take(&mut self.outer);
    }
}

/// Watches a run for as long as its jobs wait for threads.
pub(in crate::engine) fn watch_blocking(run: &Arc<ActiveRun>) {
    lock(&WATCH).runs.push(Arc::downgrade(run));
    wake();
}

/// Starts or wakes the monitor thread.
fn wake() {
    static THREAD: OnceLock<Option<Thread>> = OnceLock::new();
    let thread = THREAD.get_or_init(|| {
        let started = thread::Builder::new().name("workflow-monitor".to_owned()).spawn(run_monitor);
        // Without a monitor, runs continue, but slow jobs get no help.
        started.ok().map(|handle| handle.thread().clone())
    });
    if ASLEEP.load(Ordering::SeqCst)
        && ASLEEP.swap(false, Ordering::SeqCst)
        && let Some(thread) = thread
    {
        thread.unpark();
    }
}

fn run_monitor() {
    let mut quiet = 0;
    loop {
        thread::park_timeout(TICK);
        if check_all() {
            quiet = 0;
        } else {
            quiet += 1;
        }
        if quiet > IDLE_TICKS {
            ASLEEP.store(true, Ordering::SeqCst);
            // Again, for a run that was added before the sleep was announced.
            while !check_all() && ASLEEP.load(Ordering::SeqCst) {
                thread::park();
            }
            ASLEEP.store(false, Ordering::SeqCst);
            quiet = 0;
        }
    }
}

/// Checks every watched run. Returns false if there is none.
fn check_all() -> bool {
    let mut watch = lock(&WATCH);
    let mut driven = Vec::new();
    watch.watchdogs.retain(|watchdog| {
        let watchdog = watchdog.upgrade();
        driven.extend(watchdog.as_ref().and_then(|watchdog| lock(&watchdog.0).upgrade()));
        watchdog.is_some()
    });
    let runs = std::mem::take(&mut watch.runs);
    drop(watch);
    let watching = !driven.is_empty() || !runs.is_empty();
    for run in driven {
        check(&run);
    }
    let still = runs.into_iter().filter(|run| run.upgrade().is_some_and(|run| check(&run)));
    let mut still: Vec<_> = still.collect();
    lock(&WATCH).runs.append(&mut still);
    watching
}

/// Checks one run. Returns false if none of its jobs waits for a thread any more.
fn check(run: &Arc<ActiveRun>) -> bool {
    let Some(mut state) = run.try_lock() else { return true };
    let progress = state.steps - state.seen_steps;
    state.seen_steps = state.steps;
    // In one slow tick, the driver's thread may have waited for a core. Two in a row are slow jobs.
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

/// The number of threads to add to the run.
fn wanted(run: &ActiveRun, state: &RunState, progress: u64) -> usize {
    if !state.blocking.is_empty() {
        // Doubles the threads, so that many long waits soon overlap.
        return state.blocking.len().min(state.threads.count.max(1));
    }
    if run.thread_role() == Role::BlockingThread {
        return 0;
    }
    let busy = state.threads.count - state.threads.blocked.min(state.threads.count);
    let threads = run.engine.threads;
    // Beside the driver. One more thread than cores if nothing moves at all.
    let room = if progress == 0 { threads } else { threads - 1 };
    state.waiting().min(room.saturating_sub(busy)).min(1)
}

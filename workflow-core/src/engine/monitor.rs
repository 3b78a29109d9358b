//! Watches busy runs, and sends a thread where work piles up behind something slow.
//!
//! The workers themselves take no time and wake nobody: most runs are over before a second
//! thread could have begun. A single thread looks at the runs that have work waiting, a few
//! thousand times a second, and sleeps when there are none.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread::{self, Thread};
use std::time::Duration;

use super::active::ActiveRun;
use super::state::{Errands, Role, State};

/// The time between two looks.
const TICK: Duration = Duration::from_micros(200);

/// A run that makes more steps than this in a tick is better off with a single thread: handing
/// a job over costs more than to do it.
const BRISK: u64 = 300;

/// The looks without anything to see after which a run is left alone, and the thread sleeps.
const PATIENCE: u32 = 50;

struct Watched {
    run: Weak<ActiveRun>,
    steps: u64,
    quiet: u32,
}

static RUNS: Mutex<Vec<Watched>> = Mutex::new(Vec::new());
static ASLEEP: AtomicBool = AtomicBool::new(false);

fn runs() -> MutexGuard<'static, Vec<Watched>> {
    RUNS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Watches a run for as long as it has work waiting.
pub(super) fn watch(run: &Arc<ActiveRun>) {
    static THREAD: OnceLock<Option<Thread>> = OnceLock::new();
    runs().push(Watched { run: Arc::downgrade(run), steps: 0, quiet: 0 });
    let thread = THREAD.get_or_init(|| {
        let started = thread::Builder::new().name("workflow-monitor".to_owned()).spawn(look_on);
        // Without a thread to watch, runs go on; slow jobs just get no help.
        started.ok().map(|handle| handle.thread().clone())
    });
    if ASLEEP.swap(false, Ordering::AcqRel)
        && let Some(thread) = thread
    {
        thread.unpark();
    }
}

fn look_on() {
    let mut quiet = 0;
    loop {
        thread::park_timeout(TICK);
        let mut watched = std::mem::take(&mut *runs());
        quiet = if watched.is_empty() { quiet + 1 } else { 0 };
        watched
            .retain_mut(|watched| watched.run.upgrade().is_some_and(|run| look_at(&run, watched)));
        let mut all = runs();
        all.append(&mut watched);
        if all.is_empty() && quiet > PATIENCE {
            ASLEEP.store(true, Ordering::Release);
            drop(all);
            while ASLEEP.load(Ordering::Acquire) {
                thread::park();
            }
            quiet = 0;
        }
    }
}

/// Looks at one run; false when it needs no more watching.
fn look_at(run: &Arc<ActiveRun>, watched: &mut Watched) -> bool {
    let Some(mut state) = run.try_lock() else { return true };
    if state.scheduler.is_finished() {
        return false;
    }
    let progress = state.steps - watched.steps;
    watched.steps = state.steps;
    let waiting = state.waiting();
    watched.quiet = if waiting == 0 && progress == 0 { watched.quiet + 1 } else { 0 };
    if watched.quiet > PATIENCE {
        state.watched = false;
        return false;
    }
    state.threads.worthwhile = progress < BRISK;
    if waiting > 0 && state.threads.worthwhile && state.threads.idle == 0 {
        let mut errands = Errands::default();
        let wanted = wanted(run, &state, progress);
        state.threads.start(wanted, &mut errands);
        drop(state);
        errands.run(run);
    }
    true
}

/// How many more threads the run should have.
fn wanted(run: &ActiveRun, state: &State, progress: u64) -> usize {
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

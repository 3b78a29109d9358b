//! A clock for tests, which stands still until nothing else is left to do.

use std::cell::Cell;
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::thread::ThreadId;
use std::time::{Duration, SystemTime};

use futures::channel::oneshot;
use futures::future::BoxFuture;

use super::Clock;
use crate::engine::active::{ActiveRun, add_waker};
use crate::engine::runtime::{go_round, sleep};

/// A clock that stands still until it is moved, so that tests of hours take no time.
///
/// Move it by hand with [`advance`](Self::advance), or let [`drive`](Self::drive) move it whenever
/// nothing else is left to do.
///
/// ```
/// use std::time::Duration;
/// use workflow_core::{Clock, ManualClock};
///
/// let clock = ManualClock::new();
/// clock.advance(Duration::from_secs(3600));
/// assert_eq!(clock.now(), Duration::from_secs(3600));
/// ```
#[derive(Clone, Default)]
pub struct ManualClock(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<ClockState>,
    /// The runs that go by the clock. Never locked together with the hands, which runs lock while
    /// they are locked themselves.
    runs: Mutex<Vec<Weak<ActiveRun>>>,
}

#[derive(Default)]
struct ClockState {
    now: Duration,
    /// Sleepers by the time at which they wake, and their number.
    sleepers: BTreeMap<(Duration, u64), Sleeper>,
    count: u64,
    /// Changes whenever something may have happened that `drive` waits for.
    stirred: u64,
    /// Who drives.
    driving: Vec<Waker>,
}

struct Sleeper {
    wake: oneshot::Sender<()>,
    /// The thread that waits for it inside of a function.
    thread: Option<ThreadId>,
}

/// How much of a run is under way.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::engine) struct Activity {
    /// Work that waits for a worker.
    pub(in crate::engine) waiting: bool,
    /// Workers that are not at rest.
    pub(in crate::engine) workers: usize,
}

/// After so many turns of its executor without anything to do, a driver is at rest. What jobs
/// start on the same executor has had as many turns by then.
pub(in crate::engine) const TURNS_AT_REST: u8 = 64;

/// For so long, in real time, work that is not seen to make progress holds the clock.
const PATIENCE: Duration = Duration::from_secs(1);

impl ManualClock {
    /// A clock that stands at zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves the clock, and wakes whoever has slept long enough.
    pub fn advance(&self, by: Duration) {
        let mut state = self.state();
        state.now = state.now.saturating_add(by);
        let first_later = (state.now.saturating_add(Duration::from_nanos(1)), 0);
        let later = state.sleepers.split_off(&first_later);
        let due = std::mem::replace(&mut state.sleepers, later);
        drop(state);
        for (_, sleeper) in due {
            // One that is no longer waited for has nobody to tell.
            let _ = sleeper.wake.send(());
        }
    }

    /// The time that must pass until the next sleeper wakes; `None` when nobody sleeps.
    pub fn until_next(&self) -> Option<Duration> {
        self.state().until_next()
    }

    /// Awaits, and moves the clock to the next sleeper whenever nothing else is left to do.
    ///
    /// That is when all runs that go by this clock wait: for the clock, or for something that the
    /// engine does not know. Jobs that yield, functions that are being called, and work on other
    /// threads hold the clock. What a job waits for outside of the engine, such as a task that it
    /// has spawned, does so as well if the executor gets it done in a few turns. Real time that a
    /// job waits, as in `tokio::time::sleep`, does not: use [`JobContext::sleep`] in its place.
    ///
    /// Should nothing be seen to make progress for a second of real time, the clock moves
    /// nevertheless: a function may wait for what only time will bring.
    ///
    /// Under tokio:
    ///
    /// ```
    /// use std::time::Duration;
    /// use workflow_core::prelude::*;
    /// use workflow_core::{Clock, ManualClock};
    ///
    /// #[register_workflow(name = "sleepy")]
    /// async fn sleepy(ctx: JobContext) { ctx.sleep(Duration::from_secs(86_400)).await }
    ///
    /// #[tokio::main] // or #[tokio::test], of either flavor
    /// async fn main() -> Result<(), RunError> {
    ///     let clock = ManualClock::new();
    ///     let engine = Engine::builder().clock(clock.clone()).build();
    ///     clock.drive(engine.run("sleepy").into_future()).await?;
    ///     assert_eq!(clock.now(), Duration::from_secs(86_400));
    ///     Ok(())
    /// }
    /// ```
    ///
    /// Under smol, with a run in the background:
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use workflow_core::prelude::*;
    /// # use workflow_core::{Clock, ManualClock};
    /// # #[register_workflow(name = "sleepy_in_smol")]
    /// # async fn sleepy(ctx: JobContext) { ctx.sleep(Duration::from_secs(86_400)).await }
    /// # fn main() -> Result<(), RunError> {
    /// smol::block_on(async {
    ///     let clock = ManualClock::new();
    ///     let engine = Engine::builder().clock(clock.clone()).build();
    ///     let run = engine.run("sleepy_in_smol").start()?;
    ///     clock.drive(run.outcome()).await?;
    ///     assert_eq!(clock.now(), Duration::from_secs(86_400));
    ///     Ok(())
    /// })
    /// # }
    /// ```
    ///
    /// And without a runtime:
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use workflow_core::prelude::*;
    /// # use workflow_core::{Clock, ManualClock};
    /// # #[register_workflow(name = "sleepy_alone")]
    /// # async fn sleepy(ctx: JobContext) { ctx.sleep(Duration::from_secs(86_400)).await }
    /// # fn main() -> Result<(), RunError> {
    /// let clock = ManualClock::new();
    /// let engine = Engine::builder().clock(clock.clone()).build();
    /// futures::executor::block_on(clock.drive(engine.run("sleepy_alone").into_future()))?;
    /// assert_eq!(clock.now(), Duration::from_secs(86_400));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// [`JobContext::sleep`]: crate::JobContext::sleep
    pub async fn drive<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        let mut calm = Calm::default();
        poll_fn(|cx| {
            loop {
                if let Poll::Ready(output) = future.as_mut().poll(cx) {
                    return Poll::Ready(output);
                }
                match self.next_move(&mut calm, cx) {
                    Move::To(time) => self.advance(time),
                    Move::NotYet => return Poll::Pending,
                }
            }
        })
        .await
    }

    /// What to do now that the future waits.
    fn next_move(&self, calm: &mut Calm, cx: &mut Context<'_>) -> Move {
        let stirred = {
            let mut state = self.state();
            // Before anybody is looked at, so that no news is missed.
            add_waker(&mut state.driving, cx.waker());
            state.stirred
        };
        if calm.stirred != stirred {
            *calm = Calm { stirred, ..Calm::default() };
        }
        if self.is_busy() {
            calm.turns = 0;
            if !calm.lasts(cx) {
                return Move::NotYet;
            }
        } else if calm.turns < TURNS_AT_REST {
            calm.turns += 1;
            go_round(cx);
            return Move::NotYet;
        }
        match self.until_next() {
            Some(time) => {
                *calm = Calm { stirred, ..Calm::default() };
                Move::To(time)
            }
            // Whoever goes to sleep next will tell.
            None => Move::NotYet,
        }
    }

    /// Whether a run has something to do.
    fn is_busy(&self) -> bool {
        let mut runs = lock(&self.0.runs);
        runs.retain(|run| run.strong_count() > 0);
        let runs = runs.clone();
        let mut workers = 0;
        // Unlocked, because the last owner of a run drops what is the host's.
        for run in runs.iter().filter_map(Weak::upgrade) {
            let activity = run.activity();
            if activity.waiting {
                return true;
            }
            workers += activity.workers;
        }
        workers > 0 && workers > self.state().threads_asleep()
    }

    /// Has the clock wait for a run whenever that has something to do.
    pub(in crate::engine) fn watch(&self, run: Weak<ActiveRun>) {
        lock(&self.0.runs).push(run);
    }

    /// Tells who drives that something has happened, or that a run is at rest.
    pub(in crate::engine) fn stir(&self) {
        let mut state = self.state();
        let driving = state.stir();
        drop(state);
        driving.into_iter().for_each(Waker::wake);
    }

    fn state(&self) -> MutexGuard<'_, ClockState> {
        lock(&self.0.state)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ClockState {
    fn until_next(&self) -> Option<Duration> {
        let ((at, _), _) = self.sleepers.first_key_value()?;
        Some(at.saturating_sub(self.now))
    }

    /// How many threads wait for sleepers inside of functions.
    fn threads_asleep(&self) -> usize {
        let threads = self.sleepers.values().filter_map(|sleeper| sleeper.thread);
        threads.collect::<HashSet<_>>().len()
    }

    /// Returns who is to be woken, once the hands are unlocked.
    fn stir(&mut self) -> Vec<Waker> {
        self.stirred += 1;
        std::mem::take(&mut self.driving)
    }
}

/// What [`ManualClock::drive`] does next.
enum Move {
    To(Duration),
    NotYet,
}

/// For how long nothing has happened.
#[derive(Default)]
struct Calm {
    stirred: u64,
    /// Turns of the executor in which nobody had anything to do.
    turns: u8,
    /// In real time, while somebody has.
    patience: Option<BoxFuture<'static, ()>>,
}

impl Calm {
    /// Whether nothing has happened for as long as that is waited for.
    fn lasts(&mut self, cx: &mut Context<'_>) -> bool {
        let patience = self.patience.get_or_insert_with(|| sleep(PATIENCE));
        patience.as_mut().poll(cx).is_ready()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Duration {
        self.state().now
    }

    fn time_of_day(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH.checked_add(self.now()).unwrap_or(SystemTime::UNIX_EPOCH)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let (wake, woken) = oneshot::channel();
        let mut state = self.state();
        state.count += 1;
        let key = (state.now.saturating_add(duration), state.count);
        let mut driving = Vec::new();
        if duration > Duration::ZERO {
            state.sleepers.insert(key, Sleeper { wake, thread: None });
            driving = state.stir();
        }
        drop(state);
        driving.into_iter().for_each(Waker::wake);
        Box::pin(Sleep { clock: self.clone(), key, woken: Some(woken) })
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        let sleepers = state.sleepers.len();
        f.debug_struct("ManualClock").field("now", &state.now).field("sleepers", &sleepers).finish()
    }
}

/// What a sleeper awaits.
struct Sleep {
    clock: ManualClock,
    key: (Duration, u64),
    /// Present until it is dropped.
    woken: Option<oneshot::Receiver<()>>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let woken = self.woken.as_mut().map(|woken| Pin::new(woken).poll(cx));
        if woken.is_none_or(|woken| woken.is_ready()) {
            return Poll::Ready(());
        }
        let thread = IN_FUNCTION.get().then(|| std::thread::current().id());
        let mut state = self.clock.state();
        if let Some(sleeper) = state.sleepers.get_mut(&self.key)
            && sleeper.thread != thread
        {
            sleeper.thread = thread;
            let driving = state.stir();
            drop(state);
            driving.into_iter().for_each(Waker::wake);
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        // First, so that the other end, which is dropped after it, wakes nobody: the run that
        // the sleeper belongs to may be locked.
        self.woken = None;
        let sleeper = self.clock.state().sleepers.remove(&self.key);
        drop(sleeper);
    }
}

thread_local! {
    static IN_FUNCTION: Cell<bool> = const { Cell::new(false) };
}

/// Notes that the calling thread calls a function of a job: should that wait for the clock, the
/// thread does.
pub(in crate::engine) fn in_function() -> InFunction {
    InFunction { outer: IN_FUNCTION.replace(true) }
}

/// Calls a function until it is dropped.
pub(in crate::engine) struct InFunction {
    outer: bool,
}

impl Drop for InFunction {
    fn drop(&mut self) {
        IN_FUNCTION.set(self.outer);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn who_drives_hears_of_sleepers_on_other_threads() {
        let (clock, (wake, waked)) = (ManualClock::new(), oneshot::channel::<()>());
        let mut driven = pin!(clock.drive(waked));
        let told = Arc::new(Told::default());
        let waker = Waker::from(told.clone());
        let mut cx = Context::from_waker(&waker);
        let mut until_calm = || {
            while told.0.swap(false, Ordering::SeqCst) {
                assert!(driven.as_mut().poll(&mut cx).is_pending());
            }
        };
        until_calm();
        let sleep = clock.sleep(Duration::from_secs(60));
        assert!(told.0.load(Ordering::SeqCst), "nobody was told");
        until_calm();
        futures::executor::block_on(sleep);
        assert_eq!(clock.now(), Duration::from_secs(60));
        drop(wake);
    }

    #[test]
    fn a_sleep_that_was_dropped_moves_nothing() {
        let clock = ManualClock::new();
        drop(clock.sleep(Duration::from_secs(60)));
        assert_eq!(clock.until_next(), None);
        let _late = clock.sleep(Duration::MAX);
        clock.advance(Duration::MAX);
        clock.advance(Duration::MAX);
        assert_eq!(clock.now(), Duration::MAX);
    }

    struct Told(AtomicBool);

    impl Default for Told {
        fn default() -> Self {
            Self(true.into())
        }
    }

    impl std::task::Wake for Told {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
}

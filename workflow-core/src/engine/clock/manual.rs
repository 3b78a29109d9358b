//! The clock for tests, which moves only when told to, or when all its runs are idle.

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
use crate::engine::runtime::{sleep, yield_once};

/// A clock for tests that stands still until it is moved, so that a test of hours takes no time.
///
/// Move it by hand with [`advance`](Self::advance), or let [`drive`](Self::drive) move it whenever
/// all runs are idle.
///
/// ```
/// use std::time::Duration;
/// use workflow_core::engine::{Clock, ManualClock};
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
    /// The runs that use the clock. Never locked together with `state`, which runs lock while they
    /// are locked themselves.
    runs: Mutex<Vec<Weak<ActiveRun>>>,
}

#[derive(Default)]
struct ClockState {
    now: Duration,
    /// Sleepers, by wake time and number.
    sleepers: BTreeMap<(Duration, u64), Sleeper>,
    count: u64,
    /// Incremented whenever something may have happened that `drive` waits for.
    notifications: u64,
    /// Wakers of the callers of `drive`.
    driving: Vec<Waker>,
}

struct Sleeper {
    wake: oneshot::Sender<()>,
    /// The thread that waits for it inside of a job's function.
    thread: Option<ThreadId>,
}

/// The work in progress of a run.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::engine) struct Activity {
    /// Whether work waits for a worker.
    pub(in crate::engine) waiting: bool,
    /// The number of workers that are not idle.
    pub(in crate::engine) workers: usize,
}

/// The number of turns of its executor without work after which a driver counts as idle. By then,
/// tasks that jobs have spawned on the same executor had as many turns.
pub(in crate::engine) const IDLE_TURNS: u8 = 64;

/// The real time for which work without visible progress holds the clock.
const STALL_TIMEOUT: Duration = Duration::from_secs(1);

impl ManualClock {
    /// Creates a clock that stands at zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves the clock, and wakes the sleepers whose time has come.
    pub fn advance(&self, by: Duration) {
        let mut state = self.state();
        state.now = state.now.saturating_add(by);
        let first_later = (state.now.saturating_add(Duration::from_nanos(1)), 0);
        let later = state.sleepers.split_off(&first_later);
        let due = std::mem::replace(&mut state.sleepers, later);
        drop(state);
        for (_, sleeper) in due {
            // Fails if nobody waits for it any more.
            let _ = sleeper.wake.send(());
        }
    }

    /// Returns the time until the next sleeper wakes. `None` if nobody sleeps.
    pub fn until_next(&self) -> Option<Duration> {
        self.state().until_next()
    }

    /// Awaits a future, and moves the clock to the next sleeper whenever all runs are idle.
    ///
    /// Runs are idle when they all wait for this clock, or for something that the engine does not
    /// know. Jobs that yield, functions that are being called, and work on other threads hold the
    /// clock. So does work outside of the engine, such as a spawned task, if the executor finishes
    /// it in a few turns. Waiting in real time, as with `tokio::time::sleep`, does not hold it: use
    /// [`JobContext::sleep`] instead.
    ///
    /// Without visible progress for a second of real time, the clock moves nevertheless: a function
    /// may wait for something that only time brings.
    ///
    /// Under tokio:
    ///
    /// ```
    /// use std::time::Duration;
    /// use workflow_core::prelude::*;
    /// use workflow_core::engine::{Clock, ManualClock};
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
    /// # use workflow_core::engine::{Clock, ManualClock};
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
    /// # use workflow_core::engine::{Clock, ManualClock};
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
        let mut quiet = Quiet::default();
        poll_fn(|cx| {
            loop {
                if let Poll::Ready(output) = future.as_mut().poll(cx) {
                    return Poll::Ready(output);
                }
                match self.next_move(&mut quiet, cx) {
                    Move::To(time) => self.advance(time),
                    Move::NotYet => return Poll::Pending,
                }
            }
        })
        .await
    }

    /// Decides what to do while the future waits.
    fn next_move(&self, quiet: &mut Quiet, cx: &mut Context<'_>) -> Move {
        let notifications = {
            let mut state = self.state();
            // Before the runs are checked, so that no notification is missed.
            add_waker(&mut state.driving, cx.waker());
            state.notifications
        };
        if quiet.notifications != notifications {
            *quiet = Quiet { notifications, ..Quiet::default() };
        }
        if self.is_busy() {
            quiet.turns = 0;
            if !quiet.has_lasted(cx) {
                return Move::NotYet;
            }
        } else if quiet.turns < IDLE_TURNS {
            quiet.turns += 1;
            yield_once(cx);
            return Move::NotYet;
        }
        match self.until_next() {
            Some(time) => {
                *quiet = Quiet { notifications, ..Quiet::default() };
                Move::To(time)
            }
            // The next sleeper notifies.
            None => Move::NotYet,
        }
    }

    /// Whether a run is not idle.
    fn is_busy(&self) -> bool {
        let mut runs = lock(&self.0.runs);
        runs.retain(|run| run.strong_count() > 0);
        let runs = runs.clone();
        let mut workers = 0;
        // Unlocked, because the last reference to a run drops values of the host.
        for run in runs.iter().filter_map(Weak::upgrade) {
            let activity = run.activity();
            if activity.waiting {
                return true;
            }
            workers += activity.workers;
        }
        workers > 0 && workers > self.state().threads_asleep()
    }

    /// Makes the clock wait for a run whenever it is not idle.
    pub(in crate::engine) fn watch(&self, run: Weak<ActiveRun>) {
        lock(&self.0.runs).push(run);
    }

    /// Notifies the callers of `drive` that something has happened, or that a run is idle.
    pub(in crate::engine) fn notify(&self) {
        let mut state = self.state();
        let driving = state.notify();
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

    /// The number of threads that wait for the clock inside of functions.
    fn threads_asleep(&self) -> usize {
        let threads = self.sleepers.values().filter_map(|sleeper| sleeper.thread);
        threads.collect::<HashSet<_>>().len()
    }

    /// Returns the wakers to wake once the state is unlocked.
    fn notify(&mut self) -> Vec<Waker> {
        self.notifications += 1;
        std::mem::take(&mut self.driving)
    }
}

/// The next action of [`ManualClock::drive`].
enum Move {
    To(Duration),
    NotYet,
}

/// How long nothing has happened.
#[derive(Default)]
struct Quiet {
    notifications: u64,
    /// Turns of the executor in which all runs were idle.
    turns: u8,
    /// The timer in real time, while a run is not idle.
    stall_timer: Option<BoxFuture<'static, ()>>,
}

impl Quiet {
    /// Whether nothing has happened for [`STALL_TIMEOUT`].
    fn has_lasted(&mut self, cx: &mut Context<'_>) -> bool {
        let stall_timer = self.stall_timer.get_or_insert_with(|| sleep(STALL_TIMEOUT));
        stall_timer.as_mut().poll(cx).is_ready()
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
            driving = state.notify();
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

/// The future of a sleeper.
struct Sleep {
    clock: ManualClock,
    key: (Duration, u64),
    /// `None` while it is being dropped.
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
            let driving = state.notify();
            drop(state);
            driving.into_iter().for_each(Waker::wake);
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        // The receiver goes first, so that dropping the sender wakes nobody: the sleeper's run may
        // be locked.
        self.woken = None;
        let sleeper = self.clock.state().sleepers.remove(&self.key);
        drop(sleeper);
    }
}

thread_local! {
    static IN_FUNCTION: Cell<bool> = const { Cell::new(false) };
}

/// Marks the calling thread as inside of a job's function, until the guard is dropped. If the
/// function waits for the clock, so does the thread.
pub(in crate::engine) fn in_function() -> InFunction {
    InFunction { outer: IN_FUNCTION.replace(true) }
}

/// The guard of [`in_function`].
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

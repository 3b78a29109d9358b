//! Timers without a runtime: one thread wakes all sleepers.
//!
//! Thousands of sleepers cost less than with `futures-timer`: a new sleeper wakes the thread only
//! if it is the first to be woken.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

static TIMERS: Mutex<Timers> =
    Mutex::new(Timers { sleepers: BTreeMap::new(), count: 0, started: false });
static EARLIER: Condvar = Condvar::new();

struct Timers {
    /// The wakers of sleepers, by wake time and number.
    sleepers: BTreeMap<Key, Waker>,
    count: u64,
    /// Whether the thread is running.
    started: bool,
}

type Key = (Instant, u64);

fn timers() -> MutexGuard<'static, Timers> {
    TIMERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A future that ends after a duration.
pub(super) struct Sleep {
    until: Instant,
    /// The number among the sleepers, once polled.
    number: Option<u64>,
}

impl Sleep {
    pub(super) fn new(duration: Duration) -> Self {
        let now = Instant::now();
        let until = now.checked_add(duration).unwrap_or_else(|| now + LONGEST_SLEEP);
        Self { until, number: None }
    }
}

/// The longest sleep, thirty years.
const LONGEST_SLEEP: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if Instant::now() >= self.until {
            return Poll::Ready(());
        }
        let mut timers = timers();
        if !timers.started {
            timers.start();
        }
        let number = match self.number {
            Some(number) => number,
            None => {
                timers.count += 1;
                timers.count
            }
        };
        self.number = Some(number);
        let key = (self.until, number);
        let old = match timers.sleepers.get_mut(&key) {
            Some(waker) if waker.will_wake(cx.waker()) => None,
            Some(waker) => Some(std::mem::replace(waker, cx.waker().clone())),
            None => timers.sleepers.insert(key, cx.waker().clone()),
        };
        let is_first = timers.sleepers.first_key_value().is_some_and(|(first, _)| *first == key);
        drop(timers);
        drop(old);
        if is_first {
            EARLIER.notify_one();
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            let waker = timers().sleepers.remove(&(self.until, number));
            // Unlocked, because the waker may be the last reference to a task.
            drop(waker);
        }
    }
}

impl Timers {
    fn start(&mut self) {
        let thread = thread::Builder::new().name("workflow-timer".to_owned());
        match thread.spawn(wake_sleepers) {
            Ok(_) => self.started = true,
            // The next sleeper tries again.
            Err(error) => tracing::error!(%error, "cannot start the timer thread"),
        }
    }
}

/// The loop of the thread.
fn wake_sleepers() {
    let mut timers = timers();
    loop {
        let now = Instant::now();
        let later = timers.sleepers.split_off(&(now, u64::MAX));
        let due = std::mem::replace(&mut timers.sleepers, later);
        if !due.is_empty() {
            drop(timers);
            for waker in due.into_values() {
                // A waker may be code of the host. If it panics, the others must still be woken.
                let _ = catch_unwind(AssertUnwindSafe(|| waker.wake()));
            }
            timers = self::timers();
            continue;
        }
        timers = match timers.sleepers.first_key_value() {
            Some(((first, _), _)) => {
                let left = first.saturating_duration_since(now);
                EARLIER.wait_timeout(timers, left).unwrap_or_else(PoisonError::into_inner).0
            }
            None => EARLIER.wait(timers).unwrap_or_else(PoisonError::into_inner),
        };
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::task::Wake;

    use super::*;

    /// Reports which sleeper was woken, and when.
    struct Tells(usize, mpsc::Sender<(usize, Instant)>);

    impl Wake for Tells {
        fn wake(self: Arc<Self>) {
            self.1.send((self.0, Instant::now())).expect("somebody listens");
        }
    }

    /// Sleeps for these milliseconds each, and checks the order in which the sleepers are woken.
    fn wake_in_order(millis: &[u64]) {
        let (tell, told) = mpsc::channel();
        let sleeps = millis.iter().enumerate().filter_map(|(which, millis)| {
            let mut sleep = Box::pin(Sleep::new(Duration::from_millis(*millis)));
            let waker = Waker::from(Arc::new(Tells(which, tell.clone())));
            let polled = sleep.as_mut().poll(&mut Context::from_waker(&waker));
            polled.is_pending().then_some((which, sleep))
        });
        let mut sleeps: Vec<_> = sleeps.collect();
        sleeps.sort_by_key(|(_, sleep)| (sleep.until, sleep.number));
        for (which, sleep) in &sleeps {
            let (woken, at) = told.recv().expect("it is woken");
            assert_eq!(woken, *which);
            assert!(at >= sleep.until);
        }
    }

    #[test]
    fn sleepers_wake_in_their_time_and_order() {
        wake_in_order(&[30, 10, 20, 10, 1]);
    }

    #[test]
    fn a_dropped_sleeper_is_forgotten() {
        let waker = Waker::noop();
        let mut cx = Context::from_waker(waker);
        for duration in [Duration::from_secs(60), Duration::MAX] {
            let mut sleep = Box::pin(Sleep::new(duration));
            assert!(sleep.as_mut().poll(&mut cx).is_pending());
            assert!(sleep.as_mut().poll(&mut cx).is_pending());
            let key = (sleep.until, sleep.number.expect("it sleeps"));
            assert!(timers().sleepers.contains_key(&key));
            drop(sleep);
            assert!(!timers().sleepers.contains_key(&key));
        }
    }

    #[test]
    fn an_earlier_sleeper_wakes_the_thread() {
        wake_in_order(&[200, 5]);
    }

    #[test]
    fn whoever_polls_last_is_woken() {
        let mut sleep = Box::pin(Sleep::new(Duration::from_millis(5)));
        assert!(sleep.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        futures::executor::block_on(sleep);
    }
}

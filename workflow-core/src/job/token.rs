//! The request to stop, which a job can look at or wait for.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Poll, Waker};

use crate::guard;

/// Set once; wakes everyone who waits.
#[derive(Default)]
pub(crate) struct Token {
    set: AtomicBool,
    waiting: Mutex<Vec<Waker>>,
}

impl Token {
    pub(crate) fn is_set(&self) -> bool {
        self.set.load(Ordering::Acquire)
    }

    /// A token of an attempt that has ended.
    pub(crate) fn already_set() -> Self {
        Self { set: AtomicBool::new(true), waiting: Mutex::default() }
    }

    pub(crate) fn set(&self) {
        self.set.store(true, Ordering::Release);
        let mut waiting = std::mem::take(&mut *self.lock());
        // An executor whose waker panics keeps no other from being woken.
        guard::for_each(&mut waiting, |waker| waker.wake_by_ref());
    }

    /// Ends when the token is set.
    pub(crate) async fn wait(&self) {
        poll_fn(|cx| {
            if self.is_set() {
                return Poll::Ready(());
            }
            let mut waiting = self.lock();
            // Looked at again under the lock: `set` stores before it takes the lock.
            if self.is_set() {
                return Poll::Ready(());
            }
            if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                waiting.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Waker>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

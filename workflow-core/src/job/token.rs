//! The cancellation token of an attempt.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::guard;

/// A flag that is set once and wakes all waiters.
#[derive(Default)]
pub(crate) struct Token {
    set: AtomicBool,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    wakers: BTreeMap<u64, Waker>,
    count: u64,
}

impl Token {
    pub(crate) fn is_set(&self) -> bool {
        self.set.load(Ordering::Acquire)
    }

    /// Creates a set token, for an attempt that has ended.
    pub(crate) fn already_set() -> Self {
        Self { set: AtomicBool::new(true), waiting: Mutex::default() }
    }

    pub(crate) fn set(&self) {
        self.set.store(true, Ordering::Release);
        let wakers = std::mem::take(&mut self.lock().wakers);
        let mut wakers: Vec<Waker> = wakers.into_values().collect();
        // Every waker is called, even if another one panics.
        guard::for_each(&mut wakers, |waker| waker.wake_by_ref());
    }

    /// Completes when the token is set.
    pub(crate) fn wait(&self) -> Wait<'_> {
        Wait { token: self, number: None }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The future of [`Token::wait`]; removes its waker when dropped.
pub(crate) struct Wait<'t> {
    token: &'t Token,
    number: Option<u64>,
}

impl Future for Wait<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.token.is_set() {
            return Poll::Ready(());
        }
        let mut waiting = self.token.lock();
        // Checked again under the lock: `set` stores before it takes the lock.
        if self.token.is_set() {
            return Poll::Ready(());
        }
        let number = self.number.unwrap_or_else(|| {
            waiting.count += 1;
            waiting.count
        });
        waiting.wakers.entry(number).or_insert_with(|| cx.waker().clone()).clone_from(cx.waker());
        drop(waiting);
        self.number = Some(number);
        Poll::Pending
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            let waker = self.token.lock().wakers.remove(&number);
            // A waker is foreign code, which must not run under the lock.
            drop(waker);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::Token;

    #[test]
    fn a_dropped_wait_removes_its_waker() {
        let token = Token::default();
        let mut waits = [token.wait(), token.wait(), token.wait()];
        for wait in &mut waits {
            assert_eq!(wait.now_or_never(), None);
            assert_eq!(wait.now_or_never(), None);
        }
        assert_eq!(token.lock().wakers.len(), 3);
        drop(waits);
        assert!(token.lock().wakers.is_empty());
    }

    #[test]
    fn setting_the_token_wakes_all_waiters() {
        let token = Token::default();
        let (mut early, late) = (token.wait(), token.wait());
        assert_eq!((&mut early).now_or_never(), None);
        token.set();
        assert_eq!((early.now_or_never(), late.now_or_never()), (Some(()), Some(())));
    }
}

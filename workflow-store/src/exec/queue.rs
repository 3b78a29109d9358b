//! A line in which operations wait for a thread.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// First in, first out; any number of threads on either end.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    line: Mutex<Line<T>>,
    filled: Condvar,
}

#[derive(Debug)]
struct Line<T> {
    waiting: VecDeque<T>,
    is_closed: bool,
}

impl<T> Queue<T> {
    pub(crate) fn new() -> Self {
        let line = Line { waiting: VecDeque::new(), is_closed: false };
        Self { line: Mutex::new(line), filled: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Line<T>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an item; gives it back when the queue is closed.
    pub(crate) fn put(&self, item: T) -> Result<(), T> {
        let mut line = self.lock();
        if line.is_closed {
            return Err(item);
        }
        line.waiting.push_back(item);
        drop(line);
        self.filled.notify_one();
        Ok(())
    }

    /// Waits for items, and takes at most `most` of them; `None` when the queue is closed and
    /// empty.
    pub(crate) fn take(&self, most: usize) -> Option<Vec<T>> {
        let mut line = self.lock();
        while line.waiting.is_empty() {
            if line.is_closed {
                return None;
            }
            line = self.filled.wait(line).unwrap_or_else(PoisonError::into_inner);
        }
        let count = line.waiting.len().min(most);
        Some(line.waiting.drain(..count).collect())
    }

    /// Lets nothing more in. What waits is still served.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.filled.notify_all();
    }
}

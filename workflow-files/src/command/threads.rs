//! Threads that supervise commands, one for each running command. Idle threads stay for a while, so
//! that a run of many short commands does not start a thread for each.

use std::collections::VecDeque;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::lines::LONGEST;
use workflow_core::run_log::MAX_BODY;

/// A task for a thread, called with the thread's buffer.
pub(super) type Task = Box<dyn FnOnce(&mut [u8]) + Send>;

struct Threads {
    state: Mutex<State>,
    more: Condvar,
}

struct State {
    tasks: VecDeque<Task>,
    /// Idle threads, including those that have been woken but have not taken their task yet.
    idle: usize,
    /// All threads.
    count: usize,
}

static THREADS: Threads = Threads {
    state: Mutex::new(State { tasks: VecDeque::new(), idle: 0, count: 0 }),
    more: Condvar::new(),
};

/// Gives a task to an idle thread or a new one; if the system has no more threads, to the next
/// thread that finishes its task.
///
/// # Errors
///
/// Fails when there is no thread and none can be started.
pub(super) fn hand_over(task: Task) -> io::Result<()> {
    let mut state = THREADS.lock();
    if state.tasks.len() >= state.idle {
        match thread::Builder::new().name("workflow-command".to_owned()).spawn(serve) {
            Ok(_) => state.count += 1,
            Err(error) if state.count == 0 => return Err(error),
            Err(_) => {}
        }
    }
    state.tasks.push_back(task);
    drop(state);
    THREADS.more.notify_one();
    Ok(())
}

fn serve() {
    let mut buffer = vec![0; READ];
    while let Some(task) = THREADS.next() {
        task(&mut buffer);
    }
}

impl Threads {
    /// The next task; `None` after a while without one.
    fn next(&self) -> Option<Task> {
        let mut state = self.lock();
        state.idle += 1;
        let none = |state: &mut State| state.tasks.is_empty();
        let waited = self.more.wait_timeout_while(state, PATIENCE, none);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.idle -= 1;
        let task = state.tasks.pop_front();
        // Under the lock: a caller that gives a task relies on the number of threads.
        state.count -= usize::from(task.is_none());
        task
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bytes read at once: with the beginning of a line, they make one record.
const READ: usize = MAX_BODY - LONGEST;
const PATIENCE: Duration = Duration::from_secs(10);

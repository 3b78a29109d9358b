//! Threads that look after commands, one for each that runs. They stay for a while, so that a run
//! of many short commands does not make one for each.

use std::collections::VecDeque;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::lines::LONGEST;
use workflow_core::run_log::MAX_BODY;

/// What a thread is given to do, with a buffer to do it in.
pub(super) type Task = Box<dyn FnOnce(&mut [u8]) + Send>;

struct Threads {
    state: Mutex<State>,
    more: Condvar,
}

struct State {
    tasks: VecDeque<Task>,
    /// Threads that wait, those included that have been woken for a task and not come to it yet.
    idle: usize,
    /// All threads.
    count: usize,
}

static THREADS: Threads = Threads {
    state: Mutex::new(State { tasks: VecDeque::new(), idle: 0, count: 0 }),
    more: Condvar::new(),
};

/// Hands a task to a thread that has nothing else to do; where the system has no more threads to
/// give, to the next that comes to the end of its task.
///
/// # Errors
///
/// Fails when there is no thread, and none to be had.
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
    /// The next task; `None` when there was none for a while.
    fn next(&self) -> Option<Task> {
        let mut state = self.lock();
        state.idle += 1;
        let none = |state: &mut State| state.tasks.is_empty();
        let waited = self.more.wait_timeout_while(state, PATIENCE, none);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.idle -= 1;
        let task = state.tasks.pop_front();
        // Under the lock: who hands over a task counts on the threads that there are.
        state.count -= usize::from(task.is_none());
        task
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How much is read at once: with a line that has begun, it makes one record.
const READ: usize = MAX_BODY - LONGEST;
const PATIENCE: Duration = Duration::from_secs(10);

//! What an engine waits for and what it makes for others, and the rounds in which it asks the
//! store.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures::channel::oneshot;

use super::performed::{Performed, StopReason};
use crate::engine::active::add_waker;
use crate::id::RunId;
use crate::run_log::OutputStream;
use crate::store::{OwnerId, StoreError, TaskAnswer, TaskEnd, TaskKey, TaskStore};

/// The tasks of an engine: those that its runs wait for, and those that it holds.
#[derive(Clone, Default)]
pub(in crate::engine) struct Board(Arc<Mutex<Tasks>>);

#[derive(Default)]
struct Tasks {
    expected: HashMap<TaskKey, Expected>,
    performed: HashMap<u64, Arc<Performed>>,
    /// Wait until nothing is performed.
    idle: Vec<Waker>,
    /// Called when there is something to ask for.
    waker: Option<Waker>,
}

struct Expected {
    /// The number of the job in its run.
    job: u32,
    answer: oneshot::Sender<TaskEnd>,
}

/// Output of a job of a run.
pub(in crate::engine) struct Output {
    pub(in crate::engine) run: RunId,
    pub(in crate::engine) job: u32,
    pub(in crate::engine) attempt: u32,
    pub(in crate::engine) pieces: Vec<(OutputStream, String)>,
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, Tasks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nothing must be asked for.
    pub(in crate::engine) fn is_empty(&self) -> bool {
        let tasks = self.lock();
        tasks.expected.is_empty() && tasks.performed.is_empty()
    }

    /// Sets the waker that is called when there is something to ask for.
    pub(in crate::engine) fn set_waker(&self, waker: &Waker) {
        self.lock().waker = Some(waker.clone());
    }

    /// Registers a job that waits for the outcome of a task.
    pub(super) fn expect(&self, key: TaskKey, job: u32) -> Answer {
        let (answer, received) = oneshot::channel();
        let mut tasks = self.lock();
        tasks.expected.insert(key.clone(), Expected { job, answer });
        let waker = tasks.waker.clone();
        drop(tasks);
        waker.iter().for_each(Waker::wake_by_ref);
        Answer { board: self.clone(), key, received }
    }

    /// Registers an attempt that is made for another engine.
    pub(super) fn begin(&self, performed: &Arc<Performed>) -> Place {
        let task = performed.lease.task;
        let mut tasks = self.lock();
        tasks.performed.insert(task, Arc::clone(performed));
        let waker = tasks.waker.clone();
        drop(tasks);
        waker.iter().for_each(Waker::wake_by_ref);
        Place { board: self.clone(), task }
    }

    /// The number of attempts that are made for other engines.
    pub(super) fn performed(&self) -> usize {
        self.lock().performed.len()
    }

    /// Whether no attempt is made for other engines. Otherwise the waker is called at the end of
    /// the last one.
    pub(super) fn poll_idle(&self, waker: &Waker) -> bool {
        let mut tasks = self.lock();
        if !tasks.performed.is_empty() {
            add_waker(&mut tasks.idle, waker);
        }
        tasks.performed.is_empty()
    }

    /// Stops all attempts that are made for other engines.
    pub(super) fn interrupt_all(&self, reason: StopReason) {
        let performed: Vec<_> = self.lock().performed.values().cloned().collect();
        performed.iter().for_each(|performed| performed.interrupt(reason));
    }

    /// Asks the store once: stops attempts that must stop, shows new output, and delivers outcomes to
    /// the jobs that wait for them.
    pub(in crate::engine) async fn ask(
        &self,
        owner: OwnerId,
        tasks: &dyn TaskStore,
        show: impl Fn(Output),
    ) -> Result<(), StoreError> {
        let (waits, held) = {
            let tasks = self.lock();
            let held: Vec<_> = tasks.performed.values().cloned().collect();
            (!tasks.expected.is_empty(), held)
        };
        if !held.is_empty() {
            let still = tasks.held_tasks(owner).await?;
            for performed in held {
                match still.iter().find(|task| task.lease == performed.lease) {
                    None => performed.interrupt(StopReason::Lost),
                    Some(task) if task.is_stopped => performed.interrupt(StopReason::Requested),
                    Some(_) => {}
                }
            }
        }
        if waits {
            let answers = tasks.task_answers(owner).await?;
            answers.into_iter().for_each(|answer| self.deliver(answer, &show));
        }
        Ok(())
    }

    fn deliver(&self, answer: TaskAnswer, show: &impl Fn(Output)) {
        let TaskAnswer { key, output: pieces, end } = answer;
        let Some(job) = self.lock().expected.get(&key).map(|expected| expected.job) else { return };
        if !pieces.is_empty() {
            // Before the outcome, because an attempt that has ended prints no more.
            show(Output { run: key.run, job, attempt: key.attempt, pieces });
        }
        let Some(end) = end else { return };
        let expected = self.lock().expected.remove(&key);
        // Fails if the attempt was given up meanwhile.
        expected.map(|expected| expected.answer.send(end).ok());
    }
}

/// The end of a task that a job waits for; `None` if nobody will tell.
pub(super) struct Answer {
    board: Board,
    key: TaskKey,
    received: oneshot::Receiver<TaskEnd>,
}

impl Future for Answer {
    type Output = Option<TaskEnd>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.received).poll(cx).map(Result::ok)
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.received.close();
        let mut tasks = self.board.lock();
        // A later resume of the same run may wait for the same task.
        if tasks.expected.get(&self.key).is_some_and(|expected| expected.answer.is_canceled()) {
            tasks.expected.remove(&self.key);
        }
    }
}

/// An attempt that is made for another engine, until this is dropped.
pub(super) struct Place {
    board: Board,
    task: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut tasks = self.board.lock();
        tasks.performed.remove(&self.task);
        let idle = match tasks.performed.is_empty() {
            true => std::mem::take(&mut tasks.idle),
            false => Vec::new(),
        };
        drop(tasks);
        idle.into_iter().for_each(Waker::wake);
    }
}

//! The thread that notices when other processes add runs to task queues, while somebody waits for
//! them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use futures::channel::oneshot::{self, Receiver, Sender};
use futures::stream::BoxStream;
use workflow_core::store::QueueChanges;

use crate::db::connect::{Connect, Watch};
use crate::db::sql::SqlError;

/// The time between two attempts to connect. Meanwhile, workers look at intervals.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// Announces changes of task queues.
pub(crate) struct Watcher {
    changes: Arc<QueueChanges>,
    open: Arc<OpenWatch>,
    /// Present while the thread runs.
    running: Arc<Mutex<Option<Running>>>,
}

type OpenWatch = dyn Fn() -> Result<Option<Box<dyn Watch>>, SqlError> + Send + Sync;

struct Running {
    close: Sender<()>,
    thread: JoinHandle<()>,
}

impl Watcher {
    pub(crate) fn new<C: Connect>(connect: &C) -> Self {
        let connect = connect.clone();
        let (changes, running) = Default::default();
        Self { changes, open: Arc::new(move || connect.watch()), running }
    }

    /// Tells the subscribers in this process.
    pub(crate) fn announce(&self) {
        self.changes.announce();
    }

    /// Subscribes to changes, and starts the thread if it does not run.
    pub(crate) fn subscribe(&self) -> BoxStream<'static, ()> {
        let subscriber = self.changes.subscribe();
        let mut running = lock(&self.running);
        if running.is_none() {
            *running = self.start();
        }
        subscriber
    }

    fn start(&self) -> Option<Running> {
        let (close, closed) = oneshot::channel();
        let (changes, open) = (self.changes.clone(), self.open.clone());
        let running = self.running.clone();
        let serve = move || {
            let mut watching = Watching { changes, open, closed };
            while watching.watch() {
                let mut running = lock(&running);
                if !watching.changes.has_subscribers() {
                    *running = None;
                    return;
                }
            }
        };
        match std::thread::Builder::new().name("workflow-store-watcher".to_owned()).spawn(serve) {
            Ok(thread) => Some(Running { close, thread }),
            Err(error) => {
                tracing::warn!(%error, "cannot start the thread that wakes workers; they look at intervals");
                None
            }
        }
    }

    /// Ends the thread, and waits until it has closed its connection.
    pub(crate) fn close(&self) {
        let running = lock(&self.running).take();
        if let Some(Running { close, thread }) = running {
            drop(close);
            thread.thread().unpark();
            if thread.thread().id() != std::thread::current().id() {
                thread.join().ok();
            }
        }
    }
}

fn lock(running: &Mutex<Option<Running>>) -> MutexGuard<'_, Option<Running>> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The state of the thread.
struct Watching {
    changes: Arc<QueueChanges>,
    open: Arc<OpenWatch>,
    closed: Receiver<()>,
}

impl Watching {
    /// Watches on one connection until nobody is subscribed or it fails. Returns whether to
    /// continue.
    fn watch(&mut self) -> bool {
        match self.watch_connected() {
            Ok(goes_on) => goes_on,
            Err(error) => {
                tracing::debug!(%error, "cannot watch task queues; trying again");
                std::thread::park_timeout(RETRY_INTERVAL);
                self.is_open()
            }
        }
    }

    fn watch_connected(&mut self) -> Result<bool, SqlError> {
        let Some(mut watch) = (self.open)()? else { return Ok(false) };
        // Something may have changed while there was no connection.
        self.changes.announce();
        while self.changes.has_subscribers() {
            if watch.wait(&mut self.closed)? {
                self.changes.announce();
            }
            if !self.is_open() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn is_open(&mut self) -> bool {
        matches!(self.closed.try_recv(), Ok(None))
    }
}

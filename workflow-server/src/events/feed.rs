//! Live events of runs, for any number of subscribers.
//!
//! For each run with subscribers, one task polls the store. It serializes each event once, into a
//! window that all subscribers share without copies. A subscriber that falls behind the window
//! reads the store itself.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use workflow_core::Status;
use workflow_core::event::Event;
use workflow_core::id::RunId;
use workflow_core::store::StoreError;
use workflow_store::{Catalog, CatalogError, RunSummary};

/// The feeds of all runs with subscribers.
pub(crate) struct Feeds {
    catalog: Arc<dyn Catalog>,
    open: Mutex<HashMap<RunId, Weak<Feed>>>,
}

/// The live events of one run.
pub(crate) struct Feed {
    run: RunId,
    catalog: Arc<dyn Catalog>,
    window: Mutex<Window>,
    /// The progress of the polling task.
    progress: watch::Receiver<Progress>,
}

/// The progress of a feed.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    /// The sequence number of the next event.
    next: u64,
    /// Whether all events have been read.
    ended: bool,
    /// The final status of the run; `None` if it was deleted.
    status: Option<Status>,
    /// Whether the last poll failed.
    down: bool,
}

/// The latest events, serialized.
#[derive(Default)]
struct Window {
    chunks: VecDeque<Chunk>,
    bytes: usize,
}

/// Consecutive events, serialized as server-sent events.
struct Chunk {
    /// The sequence number of the first event.
    first: u64,
    /// The end of each event in the text.
    ends: Vec<usize>,
    text: Bytes,
}

/// Consecutive events for a subscriber.
pub(crate) struct Frames {
    /// The number of events.
    pub(crate) count: u64,
    /// The events, serialized as server-sent events.
    pub(crate) text: Bytes,
}

/// The size of a window in bytes.
const MAX_WINDOW: usize = 4 * 1024 * 1024;

/// The size in bytes after which a chunk takes no further event.
const MAX_CHUNK: usize = 16 * 1024;

/// The number of events per poll.
const PAGE: usize = 1000;

/// The pause after a poll with events; it doubles after each poll without.
const MIN_PAUSE: Duration = Duration::from_millis(40);
/// The longest pause between polls.
const MAX_PAUSE: Duration = Duration::from_millis(400);
/// The number of events that a subscriber reads at once when it is behind the window.
const CATCH_UP: usize = 64;

impl Feeds {
    pub(crate) fn new(catalog: Arc<dyn Catalog>) -> Self {
        Self { catalog, open: Mutex::default() }
    }

    /// Returns the feed of a run. It polls until all subscribers have dropped it.
    pub(crate) fn of(&self, run: RunId, from: u64) -> Arc<Feed> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(feed) = open.get(&run).and_then(Weak::upgrade) {
            return feed;
        }
        open.retain(|_, feed| feed.strong_count() > 0);
        let start = Progress { next: from, ..Progress::default() };
        let (sender, progress) = watch::channel(start);
        let (catalog, window) = (self.catalog.clone(), Mutex::default());
        let feed = Arc::new(Feed { run, catalog, window, progress });
        open.insert(run, Arc::downgrade(&feed));
        tokio::spawn(poll(Arc::downgrade(&feed), sender));
        feed
    }
}

/// Polls for events until the run has ended, or the feed has no subscribers.
async fn poll(feed: Weak<Feed>, sender: watch::Sender<Progress>) {
    let mut pause = MIN_PAUSE;
    loop {
        let Some(feed) = feed.upgrade() else { return };
        let mut progress = *sender.borrow();
        let found = feed.poll(&mut progress).await;
        let was_down = std::mem::replace(&mut progress.down, found.is_err());
        let found = found.unwrap_or_else(|error| {
            if !was_down {
                tracing::warn!(run = %feed.run, %error, "cannot read events; will retry");
            }
            0
        });
        pause = if found > 0 { MIN_PAUSE } else { (pause * 2).min(MAX_PAUSE) };
        let ended = progress.ended;
        sender.send_replace(progress);
        if ended {
            return;
        }
        drop(feed);
        if found < PAGE {
            tokio::time::sleep(pause).await;
        }
    }
}

impl Feed {
    /// Reads the next events; returns how many there were.
    async fn poll(&self, progress: &mut Progress) -> Result<usize, StoreError> {
        let events = self.catalog.events(self.run, progress.next, PAGE).await?;
        if let Some(last) = events.last() {
            self.add(&events)?;
            progress.next = last.sequence + 1;
        }
        let is_last = events.iter().any(|event| event.kind.is_last());
        if is_last || events.is_empty() {
            // A run of an external program may end without an event.
            let run = self.summary().await?;
            let has_ended = |run: &RunSummary| run.status.is_final() && run.events <= progress.next;
            progress.ended = is_last || run.as_ref().is_none_or(has_ended);
            progress.status = run.map(|run| run.status);
        }
        Ok(events.len())
    }

    /// Returns the summary of the run; `None` if it was deleted.
    async fn summary(&self) -> Result<Option<RunSummary>, StoreError> {
        match self.catalog.run_summary(self.run).await {
            Ok(run) => Ok(Some(run)),
            Err(CatalogError::NoRun(_)) => Ok(None),
            Err(CatalogError::Store(error)) => Err(error),
            Err(other) => Err(StoreError::Unusable(other.to_string().into())),
        }
    }

    fn add(&self, events: &[Event]) -> Result<(), StoreError> {
        let chunks = Chunk::all(events)?;
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in chunks {
            window.bytes += chunk.text.len();
            window.chunks.push_back(chunk);
        }
        while window.bytes > MAX_WINDOW {
            let Some(chunk) = window.chunks.pop_front() else { break };
            window.bytes -= chunk.text.len();
        }
        Ok(())
    }

    /// Returns events from this one on from the window; `None` if the window starts later.
    fn read_window(&self, from: u64) -> Option<Frames> {
        let window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let after = window.chunks.partition_point(|chunk| chunk.first <= from);
        window.chunks.get(after.checked_sub(1)?)?.from(from)
    }

    /// Returns the final status of a run that has ended; `None` if it was deleted.
    pub(crate) fn last_status(&self) -> Option<Status> {
        self.progress.borrow().status
    }

    /// Waits for events from this one on and returns those that are available; `None` after the
    /// last one.
    ///
    /// # Errors
    ///
    /// Fails if the store cannot be read, or if an event does not serialize.
    pub(crate) async fn next(&self, from: u64) -> Result<Option<Frames>, StoreError> {
        let mut updates = self.progress.clone();
        loop {
            let progress = *updates.borrow_and_update();
            if from < progress.next {
                return match self.read_window(from) {
                    Some(frames) => Ok(Some(frames)),
                    None => self.read_store(from).await,
                };
            }
            if progress.ended || updates.changed().await.is_err() {
                return Ok(None);
            }
        }
    }

    /// Reads events from this one on from the store.
    async fn read_store(&self, from: u64) -> Result<Option<Frames>, StoreError> {
        let events = self.catalog.events(self.run, from, CATCH_UP).await?;
        Ok(Chunk::all(&events)?.first().and_then(|chunk| chunk.from(from)))
    }
}

impl Chunk {
    /// Serializes events.
    fn all(events: &[Event]) -> Result<Vec<Self>, StoreError> {
        let mut chunks = Vec::new();
        let mut rest = events;
        while let Some(first) = rest.first() {
            let (mut text, mut ends) = (String::new(), Vec::new());
            while text.len() < MAX_CHUNK
                && let Some((event, others)) = rest.split_first()
            {
                write(&mut text, event)?;
                ends.push(text.len());
                rest = others;
            }
            chunks.push(Self { first: first.sequence, ends, text: text.into() });
        }
        Ok(chunks)
    }

    /// Returns its events from this one on.
    fn from(&self, from: u64) -> Option<Frames> {
        let skipped = usize::try_from(from.checked_sub(self.first)?).ok()?;
        let count = self.ends.len().checked_sub(skipped).filter(|count| *count > 0)? as u64;
        let begin = skipped.checked_sub(1).map_or(0, |last| self.ends[last]);
        Some(Frames { count, text: self.text.slice(begin..) })
    }
}

/// Appends a server-sent event. Its JSON is a single line.
fn write(text: &mut String, event: &Event) -> Result<(), StoreError> {
    let data = serde_json::to_string(event).map_err(|error| StoreError::Unusable(error.into()))?;
    let (id, kind) = (event.sequence, event.kind.code());
    text.push_str(&format!("id: {id}\nevent: {kind}\ndata: {data}\n\n"));
    Ok(())
}

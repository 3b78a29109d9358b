//! Events of runs as they come, for any number of listeners.
//!
//! One task looks into the store for each run that is listened to. What it finds is written out
//! once, and kept in a window that all listeners read from, each at its own pace; one that is
//! slower than the window reads the store itself. Listeners share what was written: none has a
//! copy.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use workflow_core::{Event, RunId, Status, StoreError};
use workflow_store::{Catalog, CatalogError, RunSummary};

/// The feeds of all runs that are listened to.
pub(crate) struct Feeds {
    catalog: Arc<dyn Catalog>,
    open: Mutex<HashMap<RunId, Weak<Feed>>>,
}

/// The events of one run.
pub(crate) struct Feed {
    run: RunId,
    catalog: Arc<dyn Catalog>,
    window: Mutex<Window>,
    /// How far the feed is; the sender is the task that looks.
    news: watch::Receiver<Progress>,
}

/// How far a feed is.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    /// The number of the event that comes next.
    next: u64,
    /// Whether there will be no more.
    over: bool,
    /// Where the run stands, once there will be no more; `None` when it was deleted.
    status: Option<Status>,
    /// Whether the store was out of reach when it was looked at last.
    down: bool,
}

/// The last events, written out.
#[derive(Default)]
struct Window {
    pieces: VecDeque<Piece>,
    bytes: usize,
}

/// Some events that follow each other, written out as a stream has them.
struct Piece {
    /// The number of the first.
    first: u64,
    /// Where each ends in the text.
    ends: Vec<usize>,
    text: Bytes,
}

/// What a listener gets at once.
pub(crate) struct Frames {
    /// How many events.
    pub(crate) count: u64,
    /// The events, as a stream has them.
    pub(crate) text: Bytes,
}

/// How much a window holds, in bytes.
const WINDOW: usize = 4 * 1024 * 1024;

/// How long a piece gets at most, but for its last event, in bytes.
const PIECE: usize = 16 * 1024;

/// How many events are read at once.
const PAGE: usize = 1000;

/// How long the store is left alone after it had something, and at most when it had nothing.
const SOON: Duration = Duration::from_millis(40);
const LATE: Duration = Duration::from_millis(400);

impl Feeds {
    pub(crate) fn new(catalog: Arc<dyn Catalog>) -> Self {
        Self { catalog, open: Mutex::default() }
    }

    /// The feed of a run, which is there as long as somebody listens to it.
    pub(crate) fn of(&self, run: RunId, from: u64) -> Arc<Feed> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(feed) = open.get(&run).and_then(Weak::upgrade) {
            return feed;
        }
        open.retain(|_, feed| feed.strong_count() > 0);
        let start = Progress { next: from, ..Progress::default() };
        let (sender, news) = watch::channel(start);
        let (catalog, window) = (self.catalog.clone(), Mutex::default());
        let feed = Arc::new(Feed { run, catalog, window, news });
        open.insert(run, Arc::downgrade(&feed));
        tokio::spawn(look(Arc::downgrade(&feed), sender));
        feed
    }
}

/// Looks for events until there are no more, or nobody listens.
async fn look(feed: Weak<Feed>, news: watch::Sender<Progress>) {
    let mut pause = SOON;
    loop {
        let Some(feed) = feed.upgrade() else { return };
        let mut progress = *news.borrow();
        let found = feed.look(&mut progress).await;
        let was_down = std::mem::replace(&mut progress.down, found.is_err());
        let found = found.unwrap_or_else(|error| {
            if !was_down {
                tracing::warn!(run = %feed.run, %error, "events cannot be read; trying again");
            }
            0
        });
        pause = if found > 0 { SOON } else { (pause * 2).min(LATE) };
        let over = progress.over;
        news.send_replace(progress);
        if over {
            return;
        }
        drop(feed);
        if found < PAGE {
            tokio::time::sleep(pause).await;
        }
    }
}

impl Feed {
    /// Reads on once; says how many events there were.
    async fn look(&self, progress: &mut Progress) -> Result<usize, StoreError> {
        let events = self.catalog.events(self.run, progress.next, PAGE).await?;
        if let Some(last) = events.last() {
            self.add(&events);
            progress.next = last.sequence + 1;
        }
        let is_last = events.iter().any(|event| event.kind.is_last());
        if is_last || events.is_empty() {
            // Runs that others report on may end without an event.
            let run = self.summary().await?;
            let is_over = |run: &RunSummary| run.status.is_final() && run.events <= progress.next;
            progress.over = is_last || run.as_ref().is_none_or(is_over);
            progress.status = run.map(|run| run.status);
        }
        Ok(events.len())
    }

    /// What a list says of the run; `None` when it is deleted.
    async fn summary(&self) -> Result<Option<RunSummary>, StoreError> {
        match self.catalog.run_summary(self.run).await {
            Ok(run) => Ok(Some(run)),
            Err(CatalogError::NoRun(_)) => Ok(None),
            Err(CatalogError::Store(error)) => Err(error),
            Err(other) => Err(StoreError::Unusable(other.to_string().into())),
        }
    }

    fn add(&self, events: &[Event]) {
        let pieces = Piece::all(events);
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        for piece in pieces {
            window.bytes += piece.text.len();
            window.pieces.push_back(piece);
        }
        while window.bytes > WINDOW {
            let Some(piece) = window.pieces.pop_front() else { break };
            window.bytes -= piece.text.len();
        }
    }

    /// What the window has from this event on: some events. `None`, when it does not reach back so
    /// far.
    fn seen(&self, from: u64) -> Option<Frames> {
        let window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let after = window.pieces.partition_point(|piece| piece.first <= from);
        window.pieces.get(after.checked_sub(1)?)?.from(from)
    }

    /// Where the run stands whose events are over; `None` when it was deleted.
    pub(crate) fn last_status(&self) -> Option<Status> {
        self.news.borrow().status
    }

    /// The events from this one on: as many as are at hand, and at least one. `None` when there
    /// are no more.
    pub(crate) async fn next(&self, from: u64) -> Result<Option<Frames>, StoreError> {
        let mut news = self.news.clone();
        loop {
            let progress = *news.borrow_and_update();
            if from < progress.next {
                return match self.seen(from) {
                    Some(frames) => Ok(Some(frames)),
                    None => self.read(from).await,
                };
            }
            if progress.over || news.changed().await.is_err() {
                return Ok(None);
            }
        }
    }

    /// The events from this one on, from the store.
    async fn read(&self, from: u64) -> Result<Option<Frames>, StoreError> {
        let events = self.catalog.events(self.run, from, AT_ONCE).await?;
        Ok(Piece::all(&events).first().and_then(|piece| piece.from(from)))
    }
}

/// How many events a listener reads at once that the window has not.
const AT_ONCE: usize = 64;

impl Piece {
    /// Writes events out.
    fn all(events: &[Event]) -> Vec<Self> {
        let mut pieces = Vec::new();
        let mut rest = events;
        while let Some(first) = rest.first() {
            let (mut text, mut ends) = (String::new(), Vec::new());
            while text.len() < PIECE
                && let Some((event, others)) = rest.split_first()
            {
                write(&mut text, event);
                ends.push(text.len());
                rest = others;
            }
            pieces.push(Self { first: first.sequence, ends, text: text.into() });
        }
        pieces
    }

    /// What it has from this event on.
    fn from(&self, from: u64) -> Option<Frames> {
        let skipped = usize::try_from(from.checked_sub(self.first)?).ok()?;
        let count = self.ends.len().checked_sub(skipped).filter(|count| *count > 0)? as u64;
        let begin = skipped.checked_sub(1).map_or(0, |last| self.ends[last]);
        Some(Frames { count, text: self.text.slice(begin..) })
    }
}

/// Adds an event as a stream has it. JSON has no line breaks of its own.
fn write(text: &mut String, event: &Event) {
    let data = serde_json::to_string(event).unwrap_or_default();
    let kind = kind(&data);
    text.push_str(&format!("id: {}\nevent: {kind}\ndata: {data}\n\n", event.sequence));
}

/// The kind of an event, from what was written of it.
fn kind(data: &str) -> &str {
    let after = data.split_once("\"event\":\"").map_or("", |(_, after)| after);
    after.split('"').next().unwrap_or_default()
}

//! Events of runs as they come, for any number of listeners.
//!
//! One task looks into the store for each run that is listened to. What it finds is written out
//! once, and kept in a window that all listeners read from, each at its own pace; one that is
//! slower than the window reads the store itself.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use workflow_core::{Event, RunId, Status, StoreError};
use workflow_store::Catalog;

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
    /// Whether the store was out of reach when it was looked at last.
    down: bool,
}

/// The last events, written out.
#[derive(Default)]
struct Window {
    /// The number of the first.
    first: u64,
    frames: VecDeque<Bytes>,
    bytes: usize,
}

/// How much a window holds, in bytes.
const WINDOW: usize = 4 * 1024 * 1024;

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
        let window = Mutex::new(Window { first: from, ..Window::default() });
        let feed = Arc::new(Feed { run, catalog: self.catalog.clone(), window, news });
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
        progress.down = found.is_err();
        let found = found.unwrap_or_else(|error| {
            tracing::warn!(run = %feed.run, %error, "events cannot be read; trying again");
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
            progress.over = events.iter().any(|event| event.kind.is_last());
        } else {
            // Runs that others report on may end without an event.
            let run = self.catalog.run(self.run).await?;
            progress.over =
                run.is_none_or(|run| run.status.is_final() && run.events <= progress.next);
        }
        Ok(events.len())
    }

    fn add(&self, events: &[Event]) {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            let frame = frame(event);
            window.bytes += frame.len();
            window.frames.push_back(frame);
        }
        while window.bytes > WINDOW {
            let Some(frame) = window.frames.pop_front() else { break };
            window.bytes -= frame.len();
            window.first += 1;
        }
    }

    /// What the window has from this event on: the frames of some events. `None`, when it does
    /// not reach back so far.
    fn seen(&self, from: u64) -> Option<Vec<Bytes>> {
        let window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let skipped = usize::try_from(from.checked_sub(window.first)?).ok()?;
        Some(window.frames.iter().skip(skipped).take(AT_ONCE).cloned().collect())
    }

    /// Where the run stands.
    pub(crate) async fn status(&self) -> Status {
        let run = self.catalog.run(self.run).await;
        run.ok().flatten().map_or(Status::Pending, |run| run.status)
    }

    /// The frames of the events from this one on: as many as there are, and at least one. `None`
    /// when there are no more.
    pub(crate) async fn next(&self, from: u64) -> Result<Option<Vec<Bytes>>, StoreError> {
        let mut news = self.news.clone();
        loop {
            let progress = *news.borrow_and_update();
            if from < progress.next {
                return match self.seen(from) {
                    Some(frames) => Ok(Some(frames)),
                    None => {
                        let events = self.catalog.events(self.run, from, AT_ONCE).await?;
                        if events.is_empty() {
                            // The run was deleted meanwhile.
                            return Ok(None);
                        }
                        Ok(Some(events.iter().map(frame).collect()))
                    }
                };
            }
            if progress.over || news.changed().await.is_err() {
                return Ok(None);
            }
        }
    }
}

/// How many frames a listener takes at once.
const AT_ONCE: usize = 256;

/// An event as a stream has it. JSON has no line breaks of its own.
fn frame(event: &Event) -> Bytes {
    let data = serde_json::to_string(event).unwrap_or_default();
    let kind = kind(&data);
    Bytes::from(format!("id: {}\nevent: {kind}\ndata: {data}\n\n", event.sequence))
}

/// The kind of an event, from what was written of it.
fn kind(data: &str) -> &str {
    let after = data.split_once("\"event\":\"").map_or("", |(_, after)| after);
    after.split('"').next().unwrap_or_default()
}

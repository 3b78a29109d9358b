//! What a subscriber of a run reads: the recorded events, and what jobs print in between.
//!
//! There is one [`Backlog`] of output for all subscribers of a run, who each know how far they have
//! read. It is not part of the record: what is pushed out is gone from here.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::Stream;

use super::active::{ActiveRun, add_waker};
use crate::event::{Event, EventKind, JobLookup, Log};
use crate::job::Printed;

/// The events of a run from the first to the last.
pub(super) struct Events {
    run: Arc<ActiveRun>,
    /// How many recorded events were read.
    seen: usize,
    /// How much of the output was read.
    output: Cursor,
}

impl Events {
    pub(super) fn new(run: &Arc<ActiveRun>) -> Self {
        Self { run: Arc::clone(run), seen: 0, output: Cursor::default() }
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let Self { run, seen, output } = &mut *self;
        let mut state = run.lock();
        // Looked at under the lock: the log moves into the report under it.
        let report = run.report();
        let (log, lookup, visible) = match report {
            Some(report) => (&report.0.log, report.0.lookup(), report.0.log.entries.len()),
            None => (&state.log, state.lookup(run), state.visible()),
        };
        if let Some(backlog) = &state.backlog
            && let Some(next) = backlog.read(output, *seen)
        {
            return Poll::Ready(Some(passing(next, *seen, log, &lookup)));
        }
        if *seen < visible {
            let event = log.event(*seen, &lookup);
            *seen += 1;
            return Poll::Ready(event);
        }
        if report.is_some() {
            return Poll::Ready(None);
        }
        add_waker(&mut state.listeners, cx.waker());
        Poll::Pending
    }
}

/// Output as an event, which has the number of the recorded one that it follows.
fn passing(next: Next<'_>, seen: usize, log: &Log, lookup: &dyn JobLookup) -> Event {
    let (at, kind) = match next {
        Next::Skipped { at, bytes } => (at, EventKind::OutputSkipped { bytes }),
        Next::Piece(piece) => {
            let printed = piece.printed.clone();
            let kind = EventKind::JobOutput {
                job: lookup.name(piece.job),
                attempt: piece.attempt,
                stream: printed.stream,
                text: printed.text,
                log: printed.log,
            };
            (piece.at, kind)
        }
    };
    let at = log.time_at(at);
    Event { sequence: seen.saturating_sub(1) as u64, at, kind }
}

/// The latest of what the jobs of a run printed.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    pieces: VecDeque<Piece>,
    /// How much memory they take, in bytes.
    held: usize,
    gone: Gone,
}

/// Something that a job printed.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) job: u32,
    pub(super) attempt: u32,
    /// Nanoseconds since the run began.
    pub(super) at: i64,
    /// How many recorded events came before it.
    pub(super) after: usize,
    pub(super) printed: Printed,
}

/// What was pushed out.
#[derive(Debug, Default)]
struct Gone {
    read: Cursor,
    /// When the last of it was printed, and after how many recorded events.
    at: i64,
    after: usize,
}

/// How far a subscriber has read.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    pieces: u64,
    /// How many bytes of text these had.
    bytes: u64,
}

/// What a subscriber gets next.
#[derive(Debug)]
pub(super) enum Next<'a> {
    Piece(&'a Piece),
    /// So much text was pushed out before it was read.
    Skipped {
        at: i64,
        bytes: u64,
    },
}

impl Backlog {
    /// Adds a piece, and lets go of the oldest until all fit.
    pub(super) fn push(&mut self, piece: Piece, capacity: usize) {
        self.held += piece.size();
        self.pieces.push_back(piece);
        while self.held > capacity
            && let Some(oldest) = self.pieces.pop_front()
        {
            self.held -= oldest.size();
            self.gone.read.pass(&oldest);
            (self.gone.at, self.gone.after) = (oldest.at, oldest.after);
        }
    }

    /// What comes next for a subscriber that has seen so many recorded events, if it is not one
    /// of these.
    pub(super) fn read(&self, cursor: &mut Cursor, seen: usize) -> Option<Next<'_>> {
        let Gone { read, at, after } = &self.gone;
        if cursor.pieces < read.pieces {
            if *after > seen {
                return None;
            }
            let bytes = read.bytes - cursor.bytes;
            *cursor = *read;
            return Some(Next::Skipped { at: *at, bytes });
        }
        let place = usize::try_from(cursor.pieces - read.pieces).ok()?;
        let piece = self.pieces.get(place).filter(|piece| piece.after <= seen)?;
        cursor.pass(piece);
        Some(Next::Piece(piece))
    }
}

impl Piece {
    fn size(&self) -> usize {
        size_of::<Self>() + self.printed.text.capacity()
    }
}

impl Cursor {
    fn pass(&mut self, piece: &Piece) {
        self.pieces += 1;
        self.bytes += piece.printed.text.len() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_log::OutputStream;

    fn piece(text: &str, after: usize) -> Piece {
        let printed = Printed { stream: OutputStream::Stdout, text: text.to_owned(), log: None };
        Piece { job: 0, attempt: 1, at: 0, after, printed }
    }

    /// What a subscriber reads that has seen so many events, up to where it has to wait.
    fn read(backlog: &Backlog, cursor: &mut Cursor, seen: usize) -> Vec<String> {
        let mut texts = Vec::new();
        while let Some(next) = backlog.read(cursor, seen) {
            texts.push(match next {
                Next::Piece(piece) => piece.printed.text.clone(),
                Next::Skipped { bytes, .. } => format!("{bytes} skipped"),
            });
        }
        texts
    }

    #[test]
    fn output_waits_for_the_events_before_it() {
        let mut backlog = Backlog::default();
        backlog.push(piece("a", 2), usize::MAX);
        backlog.push(piece("b", 4), usize::MAX);
        let mut cursor = Cursor::default();
        assert!(read(&backlog, &mut cursor, 1).is_empty());
        assert_eq!(read(&backlog, &mut cursor, 3), ["a"]);
        assert_eq!(read(&backlog, &mut cursor, 4), ["b"]);
    }

    #[test]
    fn the_oldest_makes_room_and_that_is_told() {
        let mut backlog = Backlog::default();
        let room = 3 * piece("123", 2).size();
        let mut quick = Cursor::default();
        let mut slow = Cursor::default();
        for text in ["one", "two", "six"] {
            backlog.push(piece(text, 2), room);
        }
        assert_eq!(read(&backlog, &mut quick, 2), ["one", "two", "six"]);
        for text in ["ten", "all"] {
            backlog.push(piece(text, 3), room);
        }
        assert_eq!(read(&backlog, &mut quick, 3), ["ten", "all"]);
        assert_eq!(read(&backlog, &mut slow, 2), ["6 skipped", "six"]);
        assert_eq!(read(&backlog, &mut slow, 3), ["ten", "all"]);
        assert!(backlog.held <= room);
    }

    #[test]
    fn what_is_larger_than_all_room_is_skipped() {
        let mut backlog = Backlog::default();
        backlog.push(piece("much", 2), 3);
        let mut cursor = Cursor::default();
        assert!(read(&backlog, &mut cursor, 1).is_empty());
        assert_eq!(read(&backlog, &mut cursor, 2), ["4 skipped"]);
        assert_eq!(backlog.held, 0);
    }
}

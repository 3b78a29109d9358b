//! What a subscriber of a run reads: the recorded events, and what jobs print in between.
//!
//! There is one [`Backlog`] of output for all subscribers of a run, who each know how far they have
//! read. It is not part of the record: what is pushed out is evicted from here.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::Stream;

use super::active::{ActiveRun, add_waker};
use crate::event::{Event, EventKind, JobLookup, Log};
use crate::job::Printed;

/// The stream of a run's events, from the first to the last.
pub(super) struct Events {
    run: Arc<ActiveRun>,
    /// The number of recorded events that were read.
    seen: usize,
    /// The position in the output.
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
        // Read under the lock, because the log moves into the report under it.
        let report = run.report();
        let (log, lookup, visible) = match report {
            Some(report) => (&report.0.log, report.0.lookup(), report.0.log.entries.len()),
            None => (&state.log, state.lookup(), state.visible()),
        };
        if let Some(backlog) = &state.backlog
            && let Some(next) = backlog.read(output, *seen)
        {
            return Poll::Ready(Some(output_event(next, *seen, log, &lookup)));
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

/// Turns output into an event, with the sequence number of the recorded event before it.
fn output_event(next: Next<'_>, seen: usize, log: &Log, lookup: &dyn JobLookup) -> Event {
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

/// The latest output of the jobs of a run, within a bound.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    pieces: VecDeque<Piece>,
    /// The memory of the pieces, in bytes.
    bytes_held: usize,
    evicted: Evicted,
}

/// A piece of output.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) job: u32,
    pub(super) attempt: u32,
    /// Nanoseconds since the start of the run.
    pub(super) at: i64,
    /// The number of recorded events before it.
    pub(super) after: usize,
    pub(super) printed: Printed,
}

/// The output that was pushed out.
#[derive(Debug, Default)]
struct Evicted {
    read: Cursor,
    /// When the last of it was printed, and the number of recorded events before that.
    at: i64,
    after: usize,
}

/// The position of a subscriber in the output.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    pieces: u64,
    /// The bytes of text in these pieces.
    bytes: u64,
}

/// The next output for a subscriber.
#[derive(Debug)]
pub(super) enum Next<'a> {
    Piece(&'a Piece),
    /// This much text was pushed out before it was read.
    Skipped {
        at: i64,
        bytes: u64,
    },
}

impl Backlog {
    /// Adds a piece, and drops the oldest until the rest fits.
    pub(super) fn push(&mut self, piece: Piece, capacity: usize) {
        self.bytes_held += piece.size();
        self.pieces.push_back(piece);
        while self.bytes_held > capacity
            && let Some(oldest) = self.pieces.pop_front()
        {
            self.bytes_held -= oldest.size();
            self.evicted.read.advance(&oldest);
            (self.evicted.at, self.evicted.after) = (oldest.at, oldest.after);
        }
    }

    /// Returns the next output for a subscriber that has seen this many recorded events. `None` if
    /// a recorded event comes first.
    pub(super) fn read(&self, cursor: &mut Cursor, seen: usize) -> Option<Next<'_>> {
        let Evicted { read, at, after } = &self.evicted;
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
        cursor.advance(piece);
        Some(Next::Piece(piece))
    }
}

impl Piece {
    fn size(&self) -> usize {
        size_of::<Self>() + self.printed.text.capacity()
    }
}

impl Cursor {
    fn advance(&mut self, piece: &Piece) {
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

    /// All that a subscriber can read after this many events.
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
        assert!(backlog.bytes_held <= room);
    }

    #[test]
    fn what_is_larger_than_all_room_is_skipped() {
        let mut backlog = Backlog::default();
        backlog.push(piece("much", 2), 3);
        let mut cursor = Cursor::default();
        assert!(read(&backlog, &mut cursor, 1).is_empty());
        assert_eq!(read(&backlog, &mut cursor, 2), ["4 skipped"]);
        assert_eq!(backlog.bytes_held, 0);
    }
}

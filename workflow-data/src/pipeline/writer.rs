//! `Writer`: writes batches to the sinks on a thread of its own, while the next batch is read.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

use tracing::{Span, dispatcher};

use super::NamedSink;
use crate::batch::Batch;
use crate::sink::SinkError;

/// Writes batches in order. At most one waits.
pub(super) struct Writer<'scope> {
    batches: SyncSender<Batch>,
    thread: ScopedJoinHandle<'scope, Result<Vec<NamedSink>, SinkError>>,
}

impl<'scope> Writer<'scope> {
    pub(super) fn start(scope: &'scope Scope<'scope, '_>, mut sinks: Vec<NamedSink>) -> Self {
        let (batches, received) = sync_channel::<Batch>(1);
        // What sinks log belongs to the job.
        let (span, subscriber) = (Span::current(), dispatcher::get_default(Clone::clone));
        let write_all = move || {
            for batch in received {
                sinks.iter_mut().try_for_each(|sink| sink.write(&batch))?;
            }
            Ok(sinks)
        };
        let thread =
            scope.spawn(move || dispatcher::with_default(&subscriber, || span.in_scope(write_all)));
        Self { batches, thread }
    }

    /// Hands over a batch. Returns whether the writer continues; if not,
    /// [`finish`](Writer::finish) has the error.
    pub(super) fn write(&self, batch: Batch) -> bool {
        self.batches.send(batch).is_ok()
    }

    /// Waits until everything is written. Returns the sinks, to be committed.
    pub(super) fn finish(self) -> Result<Vec<NamedSink>, SinkError> {
        drop(self.batches);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

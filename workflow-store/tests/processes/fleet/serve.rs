//! What a server does: it serves the store that it is told of, until its input ends.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use futures::channel::oneshot;
use signal_hook::consts::SIGTERM;
use signal_hook::iterator::Signals;
use tracing::field::{Field, Visit};
use tracing::span;
use workflow_core::Engine;

use super::server::{LOG, URL};
use super::workflows::{NOTES, note};

/// Serves, when this process was started to do so; returns whether it was.
pub(crate) fn serve() -> bool {
    let (Ok(url), Ok(log)) = (std::env::var(URL), std::env::var(LOG)) else { return false };
    // First: a process may be asked to end as soon as it is there.
    let mut signals = Signals::new([SIGTERM]).expect("signals can be heard");
    // Should the one who started this process be killed, its servers go too, stopped or not.
    let kill = Some(rustix::process::Signal::KILL);
    rustix::process::set_parent_process_death_signal(kill).expect("Linux does so");
    let notes = File::options().append(true).open(Path::new(&log)).expect("the notes are there");
    NOTES.set(notes).expect("a process serves once");
    tracing::subscriber::set_global_default(Told::default()).expect("nobody else traces");
    let store = pollster::block_on(super::open(&url)).expect("the store can be opened");
    // On a busy machine, even processes that live lose so short a lease, again and again.
    let engine = Engine::builder().store(store).lease(super::LEASE).poison_after(0).build();
    let (stopping, (stopped, until_stopped)) = (engine.clone(), mpsc::channel());
    std::thread::spawn(move || {
        for _ in signals.forever() {
            pollster::block_on(stopping.shutdown(GRACE));
            stopped.send(()).ok();
        }
    });
    pollster::block_on(engine.serve(until_input_ends())).expect("the store is of use");
    if !INPUT_ENDED.load(Ordering::SeqCst) {
        until_stopped.recv().expect("the engine is being shut down");
    }
    true
}

/// How long jobs have that are running when the process is asked to end.
const GRACE: Duration = Duration::from_millis(50);

/// The one who started this process is gone.
static INPUT_ENDED: AtomicBool = AtomicBool::new(false);

async fn until_input_ends() {
    let (ended, end) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        let mut rest = Vec::new();
        std::io::stdin().read_to_end(&mut rest).ok();
        INPUT_ENDED.store(true, Ordering::SeqCst);
        drop(ended);
    });
    end.await.ok();
}

/// Notes what the engine says of runs that it takes up, and of those that it gives up.
#[derive(Default)]
struct Told {
    /// By the number of its span, less one: which run it is.
    runs: Mutex<Vec<String>>,
}

impl tracing::Subscriber for Told {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::INFO
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        let mut fields = Fields::default();
        span.record(&mut fields);
        let mut runs = self.runs.lock().expect("no panic");
        runs.push(fields.0.remove("run").unwrap_or_default());
        span::Id::from_u64(runs.len() as u64)
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let process = std::process::id();
        let text = fields.0.remove("message").unwrap_or_default();
        if text == "run resumed" {
            let runs = self.runs.lock().expect("no panic");
            let run = event.parent().and_then(|span| runs.get(span.into_u64() as usize - 1));
            let (run, events) = (run.expect("of a run"), &fields.0["events"]);
            return note(&format!("took {process} {run} {events}\n"));
        }
        let error = fields.0.remove("error").unwrap_or_default();
        let word = if error.contains("lost the lease on run") { "lost" } else { "told" };
        note(&format!("{word} {process} {text} {}\n", error.replace('\n', " ")));
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[derive(Default)]
struct Fields(HashMap<&'static str, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

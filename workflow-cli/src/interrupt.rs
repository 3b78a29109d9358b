//! Signals: the first stops what is going on, the second ends the process.
//!
//! Ctrl-C cancels the run that this process was started for. SIGTERM, and either where the process
//! serves runs of others, shuts the engine down, so that the next process goes on with its runs.

use std::pin::pin;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use std::{io, thread};

use futures::channel::oneshot;
use futures::future::{Either, select};
use futures_timer::Delay;
use indicatif::MultiProgress;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use workflow_core::Engine;

use crate::failure::CANCELLED;
use crate::output::{self, WARNING};
use crate::render::Screen;

/// What a signal is for.
#[derive(Default)]
struct Handler {
    signals: u32,
    /// The first of them.
    first: i32,
    stop: Option<Box<dyn FnOnce(i32) + Send>>,
    screen: Option<MultiProgress>,
}

static HANDLER: Mutex<Handler> =
    Mutex::new(Handler { signals: 0, first: 0, stop: None, screen: None });

fn handler() -> MutexGuard<'static, Handler> {
    HANDLER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Listens for SIGINT, SIGTERM and SIGHUP from now on, beside whatever the host does with them. A
/// SIGHUP that the process was started to ignore, as under `nohup`, stays ignored.
pub(crate) fn listen() {
    static LISTENING: OnceLock<Result<(), io::Error>> = OnceLock::new();
    *handler() = Handler::default();
    if let Err(error) = LISTENING.get_or_init(start) {
        output::message(format_args!(
            "{WARNING}warning{WARNING:#}: signals do not cancel the run: {error}"
        ));
    }
}

fn start() -> Result<(), io::Error> {
    let hangup = Some(SIGHUP).filter(|signal| ignored() >> (signal - 1) & 1 == 0);
    let mut signals = Signals::new([SIGINT, SIGTERM].into_iter().chain(hangup))?;
    let listen = move || signals.forever().for_each(handle);
    thread::Builder::new().name("signals".to_owned()).spawn(listen).map(drop)
}

/// The signals that are ignored, as bits from 0 for signal 1 (proc(5), `SigIgn`); none where the
/// system does not tell.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// Stops what is going on in this way at the next signal, which it is given; at once, if there has
/// been one.
fn on_signal(stop: impl FnOnce(i32) + Send + 'static) {
    let mut handler = handler();
    if handler.signals > 0 {
        stop(handler.first);
    } else {
        handler.stop = Some(Box::new(stop));
    }
}

/// Cancels a run in this way at the next signal. Where the run is saved, SIGTERM shuts its engine
/// down instead.
pub(crate) fn cancel_on_signal(saved_by: Option<Engine>, cancel: impl FnOnce() + Send + 'static) {
    on_signal(move |signal| match saved_by {
        // Not on this thread, which hears the next signal.
        Some(engine) if signal == SIGTERM => {
            drop(thread::spawn(move || pollster::block_on(engine.shutdown(GRACE))));
        }
        _ => cancel(),
    });
}

/// A shutdown that takes longer than this is told of.
const NOTICE_DELAY: Duration = Duration::from_millis(200);

/// How long running jobs have to end when the process is asked to, unless told otherwise.
pub(crate) const GRACE: Duration = Duration::from_secs(10);

/// Ends at the next signal; at once, if there has been one.
pub(crate) async fn signal() {
    let (stop, stopped) = oneshot::channel();
    // Nobody waits any more when the process has ended by itself.
    on_signal(move |_| _ = stop.send(()));
    _ = stopped.await;
}

/// Shuts the engine down, and says what becomes of its runs.
pub(crate) async fn shut_down(engine: &Engine, grace: Duration) {
    let shutdown = pin!(engine.shutdown(grace));
    let shutdown = match select(shutdown, Delay::new(NOTICE_DELAY)).await {
        Either::Left((shutdown, _)) => shutdown,
        Either::Right(((), shutdown)) => {
            output::message(format_args!(
                "stopping: running jobs have {} to end; a second signal ends the process at once",
                output::short_duration(grace)
            ));
            shutdown.await
        }
    };
    let counts = [
        (shutdown.ended.len(), "ended"),
        (shutdown.given_back.len(), "given back for the next process"),
        (shutdown.cancelled.len(), "cancelled"),
    ];
    for (runs, what) in counts.into_iter().filter(|(runs, _)| *runs > 0) {
        output::message(format_args!("{} {what}", output::count(runs, "run")));
    }
    for (run, error) in shutdown.held {
        output::message(format_args!(
            "{WARNING}warning{WARNING:#}: run {run} was not given back: {error}; its lease expires \
             by itself"
        ));
    }
}

/// Clears this part of the screen before a signal ends the process.
pub(crate) fn clear_on_exit(screen: &Screen) {
    if let Screen::Live(bars) = screen {
        handler().screen = Some(bars.clone());
    }
}

/// Lets signals go by: the run has ended, and what is left takes no time.
pub(crate) fn disarm() {
    let mut handler = handler();
    (handler.stop, handler.screen) = (None, None);
}

fn handle(signal: i32) {
    let mut handler = handler();
    handler.signals += 1;
    if handler.signals > 1 {
        return exit_now(&handler);
    }
    handler.first = signal;
    // Without, it is still being planned.
    if let Some(stop) = handler.stop.take() {
        stop(signal);
    }
}

fn exit_now(handler: &Handler) {
    if let Some(screen) = &handler.screen {
        // A terminal that takes nothing more has nothing to be cleared.
        let _gone = screen.clear();
    }
    std::process::exit(i32::from(CANCELLED));
}

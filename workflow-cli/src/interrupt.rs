//! Signals: the first stops the current work, the second ends the process.
//!
//! Ctrl-C cancels the run that this process was started for. SIGTERM shuts the engine down, so that
//! the next process resumes its runs. In a server, Ctrl-C does the same.

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
use workflow_core::error_text::io_reason;

use crate::failure::CANCELLED;
use crate::output;
use crate::render::Screen;

/// What a signal does.
#[derive(Default)]
struct Handler {
    signals: u32,
    /// The first signal.
    first: i32,
    stop: Option<Box<dyn FnOnce(i32) + Send>>,
    /// Ends what this process has started, before it ends itself.
    kill: Option<Box<dyn FnOnce() + Send>>,
    screen: Option<MultiProgress>,
}

static HANDLER: Mutex<Handler> =
    Mutex::new(Handler { signals: 0, first: 0, stop: None, kill: None, screen: None });

fn handler() -> MutexGuard<'static, Handler> {
    HANDLER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts to handle SIGINT, SIGTERM and SIGHUP, in addition to the host's own handlers. SIGHUP
/// stays ignored if the process was started that way, as under `nohup`.
pub(crate) fn listen() {
    static LISTENING: OnceLock<Result<(), io::Error>> = OnceLock::new();
    *handler() = Handler::default();
    if let Err(error) = LISTENING.get_or_init(start) {
        output::warning(format_args!(
            "cannot handle signals, so Ctrl-C does not cancel: {}",
            io_reason(error)
        ));
    }
}

fn start() -> Result<(), io::Error> {
    let hangup = Some(SIGHUP).filter(|signal| ignored() >> (signal - 1) & 1 == 0);
    let mut signals = Signals::new([SIGINT, SIGTERM].into_iter().chain(hangup))?;
    let listen = move || signals.forever().for_each(handle);
    thread::Builder::new().name("signals".to_owned()).spawn(listen).map(drop)
}

/// The ignored signals as a bit mask, with bit 0 for signal 1 (`SigIgn` in proc(5)). Empty on
/// systems without this file.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// Calls a function with the next signal, or at once if a signal has arrived already.
pub(crate) fn on_signal(stop: impl FnOnce(i32) + Send + 'static) {
    let mut handler = handler();
    if handler.signals > 0 {
        stop(handler.first);
    } else {
        handler.stop = Some(Box::new(stop));
    }
}

/// Calls a function that cancels a run at the next signal. For a saved run, SIGTERM shuts the
/// engine down instead.
pub(crate) fn cancel_on_signal(saved_by: Option<Engine>, cancel: impl FnOnce() + Send + 'static) {
    on_signal(move |signal| match saved_by {
        Some(engine) if signal == SIGTERM => leave(engine),
        _ => cancel(),
    });
}

/// Shuts the engine down at the next signal, which leaves its runs to other processes.
pub(crate) fn leave_on_signal(engine: Engine) {
    on_signal(move |_| leave(engine));
}

fn leave(engine: Engine) {
    // Not on this thread, which must handle the next signal.
    drop(thread::spawn(move || pollster::block_on(engine.shutdown(GRACE))));
}

/// A shutdown that takes longer than this prints a message.
const NOTICE_DELAY: Duration = Duration::from_millis(200);

/// The default grace period of running jobs.
pub(crate) const GRACE: Duration = Duration::from_secs(10);

/// Waits for the next signal, or returns at once if a signal has arrived already.
pub(crate) async fn signal() {
    let (stop, stopped) = oneshot::channel();
    // Sending fails if the work has ended by itself.
    on_signal(move |_| _ = stop.send(()));
    _ = stopped.await;
}

/// Shuts the engine down and prints what happened to its runs.
pub(crate) async fn shut_down(engine: &Engine, grace: Duration) {
    let shutdown = pin!(engine.shutdown(grace));
    let shutdown = match select(shutdown, Delay::new(NOTICE_DELAY)).await {
        Either::Left((shutdown, _)) => shutdown,
        Either::Right(((), shutdown)) => {
            output::message(format_args!(
                "shutting down: running jobs have {} to end; send a second signal to end at once",
                output::short_duration(grace)
            ));
            shutdown.await
        }
    };
    let counts = [
        (shutdown.ended.len(), "finished"),
        (shutdown.released.len(), "released for the next process"),
        (shutdown.cancelled.len(), "cancelled"),
    ];
    for (runs, what) in counts.into_iter().filter(|(runs, _)| *runs > 0) {
        output::message(format_args!("{} {what}", output::count(runs, "run")));
    }
    for (run, error) in shutdown.held {
        output::warning(format_args!(
            "cannot release run {run}: {error}; its lease will expire by itself"
        ));
    }
}

/// Clears the progress bars before a signal ends the process.
pub(crate) fn clear_on_exit(screen: &Screen) {
    if let Screen::Live(bars) = screen {
        handler().screen = Some(bars.clone());
    }
}

/// Calls a function before the second signal ends the process.
#[cfg(all(unix, feature = "new"))]
pub(crate) fn kill_on_exit(kill: impl FnOnce() + Send + 'static) {
    handler().kill = Some(Box::new(kill));
}

/// Makes the first signal do nothing, once the run has ended.
pub(crate) fn disarm() {
    let mut handler = handler();
    (handler.stop, handler.kill, handler.screen) = (None, None, None);
}

fn handle(signal: i32) {
    let mut handler = handler();
    handler.signals += 1;
    if handler.signals > 1 {
        return exit_now(&mut handler);
    }
    handler.first = signal;
    // Without a function, the run is still being planned.
    if let Some(stop) = handler.stop.take() {
        stop(signal);
    }
}

fn exit_now(handler: &mut Handler) {
    if let Some(kill) = handler.kill.take() {
        kill();
    }
    if let Some(screen) = &handler.screen {
        // A closed terminal needs no clearing.
        let _gone = screen.clear();
    }
    std::process::exit(i32::from(CANCELLED));
}

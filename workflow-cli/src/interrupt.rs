//! Ctrl-C: the first cancels the run, the second ends the process.

use std::io;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use indicatif::MultiProgress;
use workflow_core::{Run as _, RunHandle};

use crate::display::Screen;
use crate::failure::{CANCELLED, Failure};

/// What a signal is for.
#[derive(Default)]
struct Watched {
    signals: u32,
    run: Option<RunHandle>,
    screen: Option<MultiProgress>,
}

static WATCHED: Mutex<Watched> = Mutex::new(Watched { signals: 0, run: None, screen: None });

fn watched() -> MutexGuard<'static, Watched> {
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Listens for SIGINT, SIGTERM and SIGHUP from now on.
///
/// # Errors
///
/// Fails when the host or the machine does not let this program listen.
pub(crate) fn listen() -> Result<(), Failure> {
    static LISTENING: OnceLock<Result<(), String>> = OnceLock::new();
    *watched() = Watched::default();
    let listening = LISTENING
        .get_or_init(|| ctrlc::try_set_handler(signalled).map_err(|error| error.to_string()));
    listening.clone().map_err(|error| Failure::Machine {
        what: "signals cannot be listened to",
        error: io::Error::other(error),
    })
}

/// Cancels this run at the next signal; at once, if there has been one.
pub(crate) fn cancels(run: &RunHandle) {
    let mut watched = watched();
    watched.run = Some(run.clone());
    if watched.signals > 0 {
        run.cancel();
    }
}

/// Clears this part of the screen before a signal ends the process.
pub(crate) fn clears(screen: &Screen) {
    if let Screen::Live(bars) = screen {
        watched().screen = Some(bars.clone());
    }
}

/// Lets signals go by: the run has ended, and what is left takes no time.
pub(crate) fn done() {
    let mut watched = watched();
    (watched.run, watched.screen) = (None, None);
}

fn signalled() {
    let mut watched = watched();
    watched.signals += 1;
    match &watched.run {
        Some(run) if watched.signals == 1 => run.cancel(),
        // Still being planned.
        None if watched.signals == 1 => {}
        _ => end(&watched),
    }
}

fn end(watched: &Watched) {
    if let Some(screen) = &watched.screen {
        // A terminal that takes nothing more has nothing to be cleared.
        let _gone = screen.clear();
    }
    std::process::exit(i32::from(CANCELLED));
}

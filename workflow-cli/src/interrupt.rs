//! Ctrl-C: the first cancels the run, the second ends the process.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::{io, thread};

use indicatif::MultiProgress;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::display::Screen;
use crate::failure::CANCELLED;
use crate::output::{self, DUBIOUS};

/// What a signal is for.
#[derive(Default)]
struct Watched {
    signals: u32,
    cancel: Option<Box<dyn Fn() + Send>>,
    screen: Option<MultiProgress>,
}

static WATCHED: Mutex<Watched> = Mutex::new(Watched { signals: 0, cancel: None, screen: None });

fn watched() -> MutexGuard<'static, Watched> {
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Listens for SIGINT, SIGTERM and SIGHUP from now on, beside whatever the host does with them. A
/// SIGHUP that the process was started to ignore, as under `nohup`, stays ignored.
pub(crate) fn listen() {
    static LISTENING: OnceLock<Result<(), io::Error>> = OnceLock::new();
    *watched() = Watched::default();
    if let Err(error) = LISTENING.get_or_init(start) {
        output::say(format_args!(
            "{DUBIOUS}warning{DUBIOUS:#}: signals do not cancel the run: {error}"
        ));
    }
}

fn start() -> Result<(), io::Error> {
    let hangup = Some(SIGHUP).filter(|signal| ignored() >> (signal - 1) & 1 == 0);
    let mut signals = Signals::new([SIGINT, SIGTERM].into_iter().chain(hangup))?;
    let listen = move || signals.forever().for_each(|_| signalled());
    thread::Builder::new().name("signals".to_owned()).spawn(listen).map(drop)
}

/// The signals that are ignored, as bits from 0 for signal 1 (proc(5), `SigIgn`); none where the
/// system does not tell.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// Cancels a run in this way at the next signal; at once, if there has been one.
pub(crate) fn cancels(cancel: impl Fn() + Send + 'static) {
    let mut watched = watched();
    if watched.signals > 0 {
        cancel();
    }
    watched.cancel = Some(Box::new(cancel));
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
    (watched.cancel, watched.screen) = (None, None);
}

fn signalled() {
    let mut watched = watched();
    watched.signals += 1;
    match &watched.cancel {
        Some(cancel) if watched.signals == 1 => cancel(),
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

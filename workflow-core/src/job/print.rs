//! The output of jobs: text for subscribers, and the macros `println!`, `print!`, `eprintln!` and
//! `eprint!`.

use std::cell::RefCell;
use std::fmt;
use std::sync::Weak;

use super::attempt_io::Services;
use crate::run_log::{LogPlace, OutputStream};

/// A piece of output of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Printed {
    pub(crate) stream: OutputStream,
    pub(crate) text: String,
    /// Its place in the run's log, if it was written there.
    pub(crate) log: Option<LogPlace>,
}

/// The attempt that a thread runs.
#[derive(Clone)]
pub(crate) struct Attempt {
    pub(crate) services: Weak<dyn Services>,
    pub(crate) job: u32,
    pub(crate) attempt: u32,
    /// Whether its output goes to subscribers only.
    pub(crate) is_captured: bool,
}

thread_local! {
    static CURRENT: RefCell<Option<Attempt>> = const { RefCell::new(None) };
}

impl Attempt {
    /// Marks the calling thread as running the attempt, until the returned guard is dropped.
    pub(crate) fn enter(self) -> Entered {
        Entered { outer: CURRENT.replace(Some(self)) }
    }
}

/// The guard of [`Attempt::enter`].
pub(crate) struct Entered {
    outer: Option<Attempt>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.outer.take());
    }
}

/// Prints for the job that the calling thread runs, and to the process unless the engine captures
/// that. The macros expand to this.
#[doc(hidden)]
pub fn print(stream: OutputStream, text: fmt::Arguments<'_>) {
    // A destructor of a thread-local may print when this is gone.
    let current = CURRENT.try_with(|current| current.borrow().clone()).ok().flatten();
    let Some(attempt) = current else { return print_to_process(stream, text) };
    let text = text.to_string();
    if !attempt.is_captured {
        print_to_process(stream, format_args!("{text}"));
    }
    if let Some(services) = attempt.services.upgrade() {
        services.print(attempt.job, attempt.attempt, stream, &text);
    }
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "it implements the macros")]
fn print_to_process(stream: OutputStream, text: fmt::Arguments<'_>) {
    match stream {
        OutputStream::Stdout => std::print!("{text}"),
        OutputStream::Stderr => std::eprint!("{text}"),
    }
}

#[macro_export]
#[doc(hidden)]
macro_rules! __print {
    ($($arg:tt)*) => {
        $crate::__private::print($crate::__private::OutputStream::Stdout, ::core::format_args!($($arg)*))
    };
}

#[macro_export]
#[doc(hidden)]
macro_rules! __println {
    () => { $crate::__print!("\n") };
    ($($arg:tt)*) => { $crate::__print!("{}\n", ::core::format_args!($($arg)*)) };
}

#[macro_export]
#[doc(hidden)]
macro_rules! __eprint {
    ($($arg:tt)*) => {
        $crate::__private::print($crate::__private::OutputStream::Stderr, ::core::format_args!($($arg)*))
    };
}

#[macro_export]
#[doc(hidden)]
macro_rules! __eprintln {
    () => { $crate::__eprint!("\n") };
    ($($arg:tt)*) => { $crate::__eprint!("{}\n", ::core::format_args!($($arg)*)) };
}

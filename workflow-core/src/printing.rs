//! `println!`, `print!`, `eprintln!` and `eprint!`, for functions that jobs call.
//!
//! Inside of functions with `#[job]` or `#[register_workflow]`, `println!`, `print!`, `eprintln!`
//! and `eprint!` are these macros, which add their text to the output of the job. Subscribers of
//! the run see it, and the log of the run saves it if there is one
//! ([`runs_dir`](crate::engine::EngineBuilder::runs_dir)). The text also goes to the standard
//! output or error of the process, unless the engine
//! [captures](crate::engine::EngineBuilder::capture_output) it.
//!
//! Other functions import them. Outside of jobs they do what the standard macros do.
//!
//! ```
//! use futures::executor::block_on_stream;
//! use workflow_core::event::EventKind;
//! use workflow_core::prelude::*;
//! use workflow_core::printing::println;
//!
//! fn log(number: u32) {
//!     println!("counted {number}");
//! }
//!
//! #[job]
//! fn count() -> u32 {
//!     println!("counting"); // needs no import
//!     log(7);
//!     7
//! }
//!
//! #[register_workflow]
//! fn counted(flow: &mut Flow) -> Handle<u32> {
//!     flow.job(count())
//! }
//!
//! let engine = Engine::builder().capture_output(true).build();
//! let run = engine.run("counted").start()?;
//! let printed = block_on_stream(run.events()).filter_map(|event| match event.kind {
//!     EventKind::JobOutput { text, .. } => Some(text),
//!     _ => None,
//! });
//! assert_eq!(printed.collect::<String>(), "counting\ncounted 7\n");
//! # Ok::<(), RunError>(())
//! ```
//!
//! The macros find the job by the thread that runs it. Text printed by threads or tasks that a job
//! spawned goes to the process only; use [`JobContext::print`](crate::JobContext::print) there. The
//! engine does not see what other crates print with the standard macros, because the standard
//! library has one output for the whole process.

pub use crate::{
    __eprint as eprint, __eprintln as eprintln, __print as print, __println as println,
};

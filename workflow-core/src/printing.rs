//! `println!` and its kin, for functions that jobs call.
//!
//! Inside of functions with `#[job]` or `#[register_workflow]`, `println!`, `print!`, `eprintln!` and
//! `eprint!` are these macros: what they print is what the job prints. Those who watch the run see
//! it, and the log of the run keeps it, where the run has one
//! ([`runs_dir`](crate::EngineBuilder::runs_dir)). It also goes to the standard output or error of the
//! process, unless the engine [captures](crate::EngineBuilder::capture_output) that.
//!
//! Other functions import them; outside of jobs, they are the standard ones.
//!
//! ```
//! use futures::executor::block_on_stream;
//! use workflow_core::EventKind;
//! use workflow_core::prelude::*;
//! use workflow_core::printing::println;
//!
//! fn tell(number: u32) {
//!     println!("counted {number}");
//! }
//!
//! #[job]
//! fn count() -> u32 {
//!     println!("counting"); // needs no import
//!     tell(7);
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
//! The job is known by the thread that works for it. What is printed from threads or tasks that a job
//! spawned goes to the process alone; [`JobContext::print`](crate::JobContext::print) works there, too.
//! What other crates print with the standard macros is not seen: the standard library has one output
//! for the whole process.

pub use crate::{
    __eprint as eprint, __eprintln as eprintln, __print as print, __println as println,
};

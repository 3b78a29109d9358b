//! A complete command line for programs with registered workflows.
//!
//! A host adds it with one line. The binary `workflow`, which runs workflow files, consists of
//! nothing else:
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use workflow_core::prelude::*;
//!
//! #[register_workflow(name = "greet")]
//! async fn greet(name: String) -> Result<String, JobError> { Ok(format!("hello {name}")) }
//!
//! fn main() -> ExitCode {
//!     workflow_cli::main()
//! }
//! ```
//!
//! Then `host run greet --input '"Ada"'` runs the workflow, `host list` lists all workflows, and
//! `host help` shows the other commands. Results go to standard output, everything else to standard
//! error.
//!
//! The log of the program goes to standard error. `RUST_LOG` filters it, and `--log-format json`
//! writes it as JSON lines. A `tracing` subscriber that the host has installed stays in place.
//!
//! Exit codes: 0 success, 1 the run failed, 2 invalid usage or input, 130 cancelled.
//!
//! A host with its own store passes it to [`CommandLine::store`], and presets of workers to
//! [`CommandLine::presets`].
//!
//! # Runtimes
//!
//! With the feature `tokio` (default), jobs run inside a tokio runtime: the one in which the host
//! calls [`main`], if it is multi-threaded, or else a new one.
//!
//! # In a container
//!
//! As process 1, [`main`] starts the program again as a child process, forwards signals to it, and
//! reaps orphaned processes.
//!
//! # Features
//!
//! - `tokio` (default): runs jobs inside a tokio runtime.
//! - `serve` (default): adds the commands `serve`, `user` and `token`.
//! - `new` (default): adds the commands `new` and `test` (workflows from templates), `evidence` and
//!   `dbt` (their dashboards and models).
//! - `temporal`: adds `--backend temporal://host:port/namespace` to `worker`, `trigger`, `runs` and
//!   `serve`, and the command `schedules sync`.
//! - `openlineage`: sends events about assets to where `OPENLINEAGE_URL` and its relatives say.
//! - `schema`: shows the JSON Schema of inputs in `list --detailed`, and gives `trigger` an option for
//!   each named input.

mod args;
mod cli;
mod command_line;
mod commands;
#[cfg(feature = "new")]
mod delegate;
mod failure;
#[cfg(feature = "new")]
mod foreground;
#[cfg(unix)]
mod init;
mod interrupt;
mod logging;
mod output;
#[cfg(feature = "new")]
mod project;
mod render;
mod runtime;
#[cfg(feature = "new")]
mod scaffold;
mod session;

pub use command_line::{CommandLine, main};

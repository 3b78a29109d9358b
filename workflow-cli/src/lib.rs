//! The command line of a program with registered workflows.
//!
//! A host gets all of it with one line, and so is the binary `workflow` made, which serves
//! workflow files:
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
//! Then `host run greet --input '"Ada"'` runs it, `host list` shows what there is, and `host help`
//! says the rest. What is meant for programs goes to standard output, all else to standard error.
//!
//! The log of the program itself goes to standard error: `RUST_LOG` says what is in it, and
//! `--log-format json` makes it lines of JSON. A host that has set a subscriber of `tracing` keeps
//! it.
//!
//! Exit codes: 0 it went well, 1 it ran and failed, 2 wrong usage or input, 130 cancelled.
//!
//! A host with a store of its own, of whatever kind, hands it to [`CommandLine::store`].
//!
//! # Runtimes
//!
//! With the feature `tokio` (default), jobs find a tokio runtime: the one that the host calls
//! [`main`] in, if it has several threads, and else one that is made for them.
//!
//! # In a container
//!
//! Started as process 1, [`main`] starts the program once more, passes signals on to it, and waits
//! for processes whose parent has ended.
//!
//! # Features
//!
//! - `tokio` (default): offers jobs a tokio runtime.
//! - `serve` (default): the commands `serve`, `user` and `token`.
//! - `schema`: shows the JSON Schema of inputs that implement `schemars::JsonSchema`.

mod args;
mod cli;
mod command_line;
mod commands;
mod failure;
#[cfg(unix)]
mod init;
mod interrupt;
mod logging;
mod output;
mod render;
mod runtime;
mod session;

pub use command_line::{CommandLine, main};

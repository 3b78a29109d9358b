//! Shell commands: output logged and streamed, resources measured, no process left behind.
//!
//! A [`Command`] describes what to run; a [`Shell`] has the settings that the commands of a run
//! share. The future of [`Shell::run`] works under any executor, and dropping it kills the command.
//!
//! ```
//! use workflow_core::JobContext;
//! use workflow_files::command::{Command, Shell};
//!
//! # fn main() -> Result<(), workflow_core::JobError> {
//! # futures::executor::block_on(async {
//! let mut command = Command::new(r#"echo "rows=$(grep -c '')" >> "$WORKFLOW_OUTPUT""#);
//! command.stdin = Some("one\ntwo\n".to_owned());
//! let finished = Shell::new().run(&command, &JobContext::detached()).await?;
//! assert_eq!(finished.outputs["rows"], 2);
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! # Life of a command
//!
//! - It runs as `<shell> -c <script>`, with `bash` if the host's `PATH` has one and `/bin/sh`
//!   otherwise, in a process group of its own. A script whose first line names an interpreter, such
//!   as `#!/usr/bin/env python3`, is given to that as a file instead. Environment: the host's, then
//!   the [`Shell`]'s, then the command's own; then `WORKFLOW_OUTPUT` and `WORKFLOW_HOST`, which
//!   this module sets.
//! - If it cannot be started because the process has too many open files, or the system too many
//!   processes, it waits until another command has ended. The only command waits for 10 s.
//! - When the command is cancelled, its whole group gets `SIGTERM` and, after [`Command::grace`],
//!   `SIGKILL`.
//! - When the shell has ended, processes that still have its stdout or stderr open get one more
//!   second (during a cancellation: the whole grace period). Then the rest of the group is killed:
//!   background processes of a script do not outlive it.
//! - When the host dies, even by `SIGKILL`, a guard process kills every group, and on Linux every
//!   process with this host's `WORKFLOW_HOST` in its environment, in any group.
//!
//! # What it prints
//!
//! Stdout and stderr are read as they arrive, each in order, and split into pieces of whole lines.
//! A piece is appended to the log, if the shell has one, as one record. It is then published as one
//! [`JobOutput`](workflow_core::event::EventKind::JobOutput) event, with its position in the log.
//! After [`Command::output_limit`] bytes, the rest is counted and dropped.
//!
//! An incomplete line is buffered up to 8 KiB and for a second or two. When a host dies, no more
//! than that is lost.
//!
//! # Outputs
//!
//! `$WORKFLOW_OUTPUT` names a file that does not exist yet, in a private folder. What the command
//! writes there, at most 1 MiB, becomes [`Finished::outputs`]: one JSON object, or lines of
//! `name=value`, or for multi-line values `name<<END`, the lines, `END`. The value of a line is a
//! number or a boolean if JSON writes it in the same letters (`0`, `2.5`, `true`), otherwise text
//! (`007`, `3.10`). Multi-line values are always text. The last value of a name wins.
//!
//! # Neighbours
//!
//! `job` provides the context, which receives the output, and takes the error. Knows no graphs,
//! engines or events.

mod console;
mod error;
mod finished;
mod group;
mod guardian;
mod interpreter;
mod lines;
mod memory;
mod outputs;
mod scarcity;
mod scratch;
mod shell;
mod spec;
mod supervise;
mod tail;
mod threads;
mod watch;

pub use error::CommandError;
pub use finished::{Exit, Finished, ResourceUsage};
pub(crate) use interpreter::Interpreter;
pub use outputs::OutputsError;
pub use shell::Shell;
pub use spec::Command;

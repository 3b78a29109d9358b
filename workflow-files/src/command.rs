//! Shell commands, run for real: output kept and streamed, resources counted, nothing left behind.
//!
//! A [`Command`] is what to run, a [`Shell`] what the commands of one run share. The future that
//! [`Shell::run`] returns works under any executor, and dropping it kills the command.
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
//!   as `#!/usr/bin/env python3`, is given to that as a file instead. Environment: the host's, then the [`Shell`]'s, then
//!   the command's own; then `WORKFLOW_OUTPUT` and `WORKFLOW_HOST`, which this room sets.
//! - One that cannot be started because the process has too many files open, or the system too many
//!   processes, waits until another command has ended; the only one waits for 10 s.
//! - A command that is asked to stop gets `SIGTERM`, as does all of its group; after
//!   [`Command::grace`] the group gets `SIGKILL`.
//! - When the shell has ended, whoever still holds its stdout or stderr has a second to end too
//!   (while it is being stopped: the whole grace period). Then the rest of the group is killed:
//!   what a script leaves in the background does not outlive it.
//! - When the host dies, even by `SIGKILL`, a guard process kills every group, and on Linux every
//!   process that carries this host's `WORKFLOW_HOST` in its environment, in whatever group.
//!
//! # What it prints
//!
//! Stdout and stderr are read as they come, each in its order, and cut into pieces of whole lines.
//! A piece is appended to the log, if the shell has one, as one record; then those who watch the
//! run see it as one [`JobOutput`](workflow_core::EventKind::JobOutput), which says where the log has it.
//! After [`Command::output_limit`] bytes the rest is counted and dropped.
//!
//! The end of a line is waited for up to 8 KiB, and for a second or two; the end of the command
//! ends a line too. What a host that dies takes with it is no more than that.
//!
//! # Outputs
//!
//! `$WORKFLOW_OUTPUT` names a file that does not exist yet, in a private folder. What the command
//! writes there, at most 1 MiB, becomes [`Finished::outputs`]: one JSON object, or lines of
//! `name=value`, or for longer values `name<<END`, lines, `END`. The value of a line is a number or
//! a boolean if JSON writes it in the same letters (`0`, `2.5`, `true`), and else text (`007`,
//! `3.10`), as longer values always are. The last of several values of one name wins.
//!
//! # Neighbours
//!
//! `job` gives the context, which takes what is printed, and takes the error. Knows nothing of
//! graphs, engines or events.

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

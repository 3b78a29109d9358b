//! The program of the platform: all commands of `workflow`, with the workflows of this package.

use std::process::ExitCode;

// Links the workflows. Without a line like this, the linker leaves them out.
use dataflow as _;

fn main() -> ExitCode {
    workflow_cli::CommandLine::new().save_runs().run()
}

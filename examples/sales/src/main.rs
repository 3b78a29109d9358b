//! The program of this package: all commands of `workflow`, with the workflows that are linked
//! below.

use std::process::ExitCode;

// Links the workflow. Without a line like this, the linker leaves a workflow out.
use sales as _;

fn main() -> ExitCode {
    workflow_cli::CommandLine::new().save_runs().run()
}

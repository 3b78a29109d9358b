//! The binary `workflow`: the command line for workflow files, without registered workflows.

use std::process::ExitCode;

fn main() -> ExitCode {
    workflow_cli::main()
}

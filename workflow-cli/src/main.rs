//! The binary `workflow`: the command line for workflow files, without registered workflows.

use std::process::ExitCode;

fn main() -> ExitCode {
    let command_line = workflow_cli::CommandLine::new();
    #[cfg(feature = "new")]
    let command_line = command_line.delegate_to_project();
    command_line.run()
}

//! The binary `workflow`: the command line over files, and over nothing that is registered.

use std::process::ExitCode;

fn main() -> ExitCode {
    workflow_cli::main()
}

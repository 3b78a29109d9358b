//! The command line of the example.

use std::process::ExitCode;

fn main() -> ExitCode {
    estuary::main()
}

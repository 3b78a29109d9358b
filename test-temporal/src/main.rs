//! Prints the path of the command `temporal`, and fetches it first if necessary.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is what the program is for")]

use std::process::ExitCode;

fn main() -> ExitCode {
    match test_temporal::program() {
        Ok(program) => {
            println!("Temporal: {}", program.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

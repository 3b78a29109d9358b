//! Prints the folder of the PostgreSQL programs, and fetches them first if necessary.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is what the program is for")]

use std::process::ExitCode;

fn main() -> ExitCode {
    match test_postgres::programs() {
        Ok(programs) => {
            println!("PostgreSQL: {}", programs.bin.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

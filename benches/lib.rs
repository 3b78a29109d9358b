//! Benchmarks of the library: the registry, small runs, and the memory of waiting runs. The comparison
//! with other engines is a separate package, `peers`, whose dependencies stay out of this workspace.
//! Results: `RESULTS.md`.

use std::error::Error;
use std::fmt::Display;
use std::process::ExitCode;

/// Prints results.
#[expect(clippy::print_stdout, reason = "the programs print their results")]
pub fn print(text: &str) {
    println!("{text}");
}

/// Ends a program. Prints the error if it failed.
pub fn finish(done: Result<(), impl Display>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// The peak resident memory of this process so far, in bytes (`VmHWM` in proc(5)).
///
/// # Errors
///
/// Fails where the system does not say it.
pub fn peak_memory() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse::<u64>()? * 1024)
}

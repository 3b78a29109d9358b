//! Peak memory: every contender runs in a separate process, which reports the growth of its resident
//! memory.

use std::process::Command;

use crate::cases::Case;
use crate::contender::Contender;
use crate::plan::{Plan, Work};
use crate::shapes;

/// The hidden argument of the measured process.
pub const CHILD: &str = "peak-memory-of";

/// The peak memory of `contender` in megabytes, or `None` on systems without this figure.
pub fn peak(contender: &dyn Contender) -> Option<f64> {
    let program = std::env::current_exe().ok()?;
    let argument = format!("--{CHILD}={}", contender.name());
    let output = Command::new(program).arg(argument).output().ok()?;
    let kilobytes: f64 = String::from_utf8(output.stdout).ok()?.trim().parse().ok()?;
    Some(kilobytes * 1024.0 / 1e6)
}

/// Runs `contender` once and prints the growth of its memory in kilobytes.
pub fn report(contender: &dyn Contender, case: &Case) {
    let plan = case.plan();
    start_threads(contender);
    let before = high_water_mark();
    let mut prepared = contender.prepare(plan);
    prepared.execute(1, contender.places()[0]);
    let after = high_water_mark();
    if let (Some(before), Some(after)) = (before, after) {
        println!("{}", after.saturating_sub(before));
    }
}

/// Runs a tiny graph, so that threads and their pools do not count.
fn start_threads(contender: &dyn Contender) {
    let plan = Plan::new(shapes::diamond(), Work::Derive);
    let mut prepared = contender.prepare(plan);
    prepared.execute(1, contender.places()[0]);
}

fn high_water_mark() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

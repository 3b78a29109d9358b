use workflow_core::prelude::*;

#[job]
fn sum(
    #[cfg(unix)] one: u64,
    #[cfg(windows)] two: u64,
    #[cfg(test)] three: u64,
    #[cfg(target_os = "none")] four: u64,
    #[cfg(not(unix))] five: u64,
    #[cfg(unix)] six: u64,
) -> u64 {
    one + six
}

fn main() {}

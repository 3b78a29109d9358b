use workflow_core::prelude::*;

// Only what is there is judged.
#[job]
fn sum(one: u64, #[cfg(any())] two: &mut u64, #[cfg(all())] three: &mut u64) -> u64 {
    one + *three
}

fn main() {}

use workflow_core::prelude::*;

// The other way round.
#[job]
#[register_workflow(name = "below")]
fn below() {}

#[register_workflow(name = "options", retry(maximum_attempts = 3))]
#[job]
fn options(number: u64) -> u64 {
    number
}

#[register_workflow(name = "drawn")]
#[job(start_to_close = "1s")]
fn drawn(_flow: &mut Flow) {}

#[register_workflow(name = "two inputs")]
#[job]
fn two(left: u64, right: u64) -> u64 {
    left + right
}

#[register_workflow(name = "twice")]
#[job]
#[job]
fn twice() {}

fn main() {}

//! The library under another crate name.

mod facade {
    pub(crate) mod inner {
        pub(crate) use ::workflow_core as engine;
    }
}

// Generated code must not use the real name.
mod workflow_core {}

use facade::inner::engine::prelude::{Each, Flow, Handle, JobError, job, register_workflow};

#[job(crate = facade::inner::engine)]
fn numbers() -> Vec<u64> {
    vec![1, 2]
}

#[job(crate = facade::inner::engine, name = "sum up")]
async fn total(
    numbers: &[u64],
    more: Each<'_, u64>,
    rest: Option<&u64>,
    last: u64,
) -> Result<u64, JobError> {
    Ok(numbers.iter().chain(more.iter()).chain(rest).sum::<u64>() + last)
}

#[register_workflow(crate = facade::inner::engine)]
fn drawn(flow: &mut Flow, last: Handle<u64>) -> Handle<u64> {
    let numbers = flow.job(numbers());
    flow.job(total(numbers, [last], last, 3))
}

#[register_workflow(crate = facade::inner::engine)]
fn plain(number: &str) -> usize {
    number.len()
}

#[test]
fn the_crate_may_have_another_path() {
    assert_eq!(plain("four"), 4);
    drawn(&mut Flow::new(), Flow::new().value(3));
}

//! Attributes on parameters.

#![deny(warnings)]
#![allow(
    clippy::allow_attributes,
    clippy::non_minimal_cfg,
    reason = "a host may write its attributes so"
)]

use workflow_core::prelude::*;

#[job]
fn sum(
    one: u64,
    #[cfg(any())] absent: Missing,
    #[cfg(all())] two: u64,
    #[cfg_attr(all(), cfg(not(any())))]
    #[expect(unused_variables, reason = "tests that the attribute gets through")]
    three: u64,
    #[cfg_attr(all(), cfg(any()), allow(unused))] absent_too: Missing,
    #[allow(unused_mut)] mut four: u64,
) -> u64 {
    one + two + four
}

#[job]
async fn only(#[cfg(any())] absent: Missing) -> u64 {
    3
}

#[job]
#[cfg_attr(all(), cfg(any()))]
fn gone(absent: Missing) -> Missing {}

#[register_workflow]
fn function(
    #[cfg(any())] absent: Missing,
    #[cfg(not(any()))] present: u64,
    #[cfg(any())] _ctx: &JobContext,
) -> u64 {
    present
}

#[register_workflow]
fn drawn(flow: &mut Flow, #[cfg(any())] absent: Missing) -> Handle<u64> {
    let one = flow.job(only());
    let two = flow.value(2);
    flow.job(sum(one, two, 3, 4))
}

#[test]
fn attributes_of_parameters_are_respected() -> Result<(), Box<dyn std::error::Error>> {
    assert_eq!(sum(1, 2, 3, 4), 7);
    assert_eq!(registry::run("function").input(5_u64).wait()?.output::<u64>()?, 5);
    assert_eq!(registry::run("drawn").wait()?.output::<u64>()?, 9);
    Ok(())
}

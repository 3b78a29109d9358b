//! Decisions at run time: loops and branches in a function workflow, conditions and trigger rules in
//! a graph, and a child workflow.
//!
//! ```sh
//! cargo run --example branches_and_loops
//! ```

#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use workflow_core::prelude::*;

#[job]
async fn halve(number: &u64) -> u64 {
    number / 2
}

#[job]
async fn triple(number: &u64) -> u64 {
    number * 3 + 1
}

/// Runs as many steps as required. Each step is a job of the run.
#[register_workflow(name = "collatz")]
async fn collatz(ctx: WorkflowContext, mut number: u64) -> Result<u32, JobError> {
    let mut steps = 0;
    while number > 1 {
        let even = number.is_multiple_of(2);
        number = if even { ctx.run(halve, number).await? } else { ctx.run(triple, number).await? };
        steps += 1;
    }
    Ok(steps)
}

#[job]
async fn applaud(steps: u32) -> String {
    format!("{steps} steps, what a ride")
}

#[job]
async fn shrug(steps: u32) -> String {
    format!("{steps} steps, that was short")
}

// `None` stands for the branch that was not taken.
#[job]
async fn either(one: Option<&String>, other: Option<&String>) -> String {
    one.or(other).cloned().unwrap_or_default()
}

#[job]
async fn complain() {}

#[register_workflow(name = "review")]
fn review(flow: &mut Flow, number: Handle<u64>) -> Handle<String> {
    let steps = flow.job(registry::call::<_, u32>("collatz", number));
    let long = flow.job(applaud(steps).when(steps, |steps| *steps > 9));
    let short = flow.job(shrug(steps).when(steps, |steps| *steps <= 9));
    flow.job(complain().after(steps).trigger(TriggerRule::OneFailed));
    flow.job(either(long, short).trigger(TriggerRule::NoneFailed))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let report = registry::run("collatz").input(6).await?;
    println!("{report}");
    assert_eq!((report.output::<u32>()?, report.jobs().len()), (8, 1 + 8));

    for (number, expected) in [(6, "8 steps, that was short"), (7, "16 steps, what a ride")] {
        let report = registry::run("review").input(number).await?;
        println!("{report}  => {}\n", report.output_ref::<String>()?);
        assert_eq!(report.output::<String>()?, expected);
        assert_eq!(report.job("complain").map(|job| job.status), Some(Status::Skipped));
    }
    Ok(())
}

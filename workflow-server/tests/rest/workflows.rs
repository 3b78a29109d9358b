//! The registered workflows and jobs of the tests.

use workflow_core::prelude::*;

/// Counts.
#[job]
fn tally(to: u32) -> u32 {
    to
}

/// Waits for the signal `go`.
#[job]
async fn gate(ctx: &JobContext) -> Result<u32, JobError> {
    ctx.wait_signal::<u32>("go").await
}

#[job]
fn refuse() -> Result<(), JobError> {
    Err(JobError::terminal("it is refused"))
}

/// Says hello.
#[register_workflow(name = "greet")]
async fn greet(name: String) -> String {
    format!("hello {name}")
}

/// Produces many events.
#[register_workflow(name = "busy")]
fn busy(flow: &mut Flow) -> Result<(), JobError> {
    for number in 0..150 {
        flow.job(tally::draw(number).name(format!("tally-{number}")));
    }
    Ok(())
}

/// Continues on a signal.
#[register_workflow(name = "gated")]
fn gated(flow: &mut Flow) -> Result<Handle<u32>, JobError> {
    Ok(flow.job(gate::draw()))
}

/// Fails.
#[register_workflow(name = "broken")]
fn broken(flow: &mut Flow) -> Result<Handle<()>, JobError> {
    Ok(flow.job(refuse::draw()))
}

use workflow_core::prelude::*;

type Attempt = JobContext;

#[job]
fn attempt(ctx: &Attempt) -> u32 {
    ctx.attempt()
}

fn main() {}

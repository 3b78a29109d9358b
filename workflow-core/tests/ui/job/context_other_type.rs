use workflow_core::job;

struct JobContext;

#[job]
fn attempt(ctx: &JobContext, number: u64) -> u64 {
    let _ = ctx;
    number
}

fn main() {}

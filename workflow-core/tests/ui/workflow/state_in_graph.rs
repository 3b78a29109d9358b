use workflow_core::prelude::*;

struct Pool;

#[register_workflow]
fn draws(flow: &mut Flow, db: State<Pool>) {
    let _ = (flow, db);
}

#[register_workflow]
async fn borrows(ctx: WorkflowContext, db: &State<Pool>) {
    let _ = (ctx, db);
}

fn main() {}

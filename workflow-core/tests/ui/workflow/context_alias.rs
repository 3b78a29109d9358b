use workflow_core::{register_workflow, WorkflowContext as Context};

#[register_workflow]
async fn name(ctx: &Context) -> String {
    ctx.workflow_name()
}

fn main() {}

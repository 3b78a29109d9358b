use workflow_core::WorkflowContext as Context;
use workflow_core::register_workflow;

#[register_workflow]
async fn name(ctx: &Context) -> String {
    ctx.workflow_name()
}

fn main() {}

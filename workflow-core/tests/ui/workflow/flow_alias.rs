use workflow_core::Flow as Graph;
use workflow_core::register_workflow;

#[register_workflow]
fn draw(graph: &mut Graph) {
    let _ = graph;
}

fn main() {}

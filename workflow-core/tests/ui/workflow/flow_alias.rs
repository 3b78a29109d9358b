use workflow_core::{register_workflow, Flow as Graph};

#[register_workflow]
fn draw(graph: &mut Graph) {
    let _ = graph;
}

fn main() {}

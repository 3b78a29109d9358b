use workflow_core::prelude::*;

mod jobs {
    use workflow_core::prelude::*;

    #[job]
    pub fn answer() -> u64 {
        42
    }

    pub fn draws(flow: &mut Flow) -> Handle<u64> {
        flow.job(answer())
    }

    pub fn reads(_: &mut Flow, _: u64) {}
}

#[register_workflow(name = "function", job = jobs::draws)]
fn function() {}

#[register_workflow(name = "value", job = jobs::reads)]
const _: () = ();

#[register_workflow(name = "text", job = "jobs::draws")]
const _: () = ();

#[register_workflow(name = "options", job = jobs::draws, retry(maximum_attempts = 3))]
use jobs::draws;

fn main() {
    draws(&mut Flow::new());
}

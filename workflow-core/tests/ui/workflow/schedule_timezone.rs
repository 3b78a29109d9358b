use workflow_core::prelude::*;

#[register_workflow(schedule = "CRON_TZ=Europe/Berlin 0 3 * * *")]
fn greet() {}

fn main() {
    greet();
}

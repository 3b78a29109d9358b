//! `#[register_workflow]` above `#[job]`, and over the path of a function.

use workflow_core::prelude::*;

mod pipeline {
    //! Where the functions of a workflow are, as in a crate of a host.

    use workflow_core::prelude::*;

    #[job]
    pub(crate) fn extract() -> Vec<u64> {
        vec![1, 2, 3]
    }

    #[job]
    pub(crate) fn load(rows: &[u64], factor: &u64) -> u64 {
        rows.iter().sum::<u64>() * factor
    }

    pub(crate) fn without_input(flow: &mut Flow) -> Handle<u64> {
        let rows = flow.job(extract());
        let factor = flow.value(1_u64);
        flow.job(load(rows, factor))
    }

    pub(crate) fn with_input(
        flow: &mut Flow,
        factor: Handle<u64>,
    ) -> Result<Handle<u64>, JobError> {
        let rows = flow.job(extract());
        Ok(flow.job(load(rows, factor)))
    }
}

#[register_workflow(workflow_id = "my_workflow", job = pipeline::without_input, description = "From source X")]
const _: () = ();

#[register_workflow(job = with_input, tags = ["factor"])]
use pipeline::with_input;

/// Doubles a number.
#[register_workflow(name = "doubled", metadata = { "owner": "data-team" })]
#[job(name = "double it", retry(maximum_attempts = 2))]
fn double(number: &u64) -> u64 {
    number * 2
}

#[register_workflow]
#[job]
async fn answer(state: State<u64>) -> Result<u64, JobError> {
    Ok(*state)
}

#[register_workflow(name = "drawn")]
#[job]
fn drawn(flow: &mut Flow) -> Handle<u64> {
    let one = flow.value(4_u64);
    flow.job(double(one))
}

fn output(name: &str) -> u64 {
    let report = registry::run(name).wait().expect(name);
    report.output().expect(name)
}

#[test]
fn a_path_names_the_function_that_draws() {
    assert_eq!(output("my_workflow"), 6);
    let entry = registry::get("my_workflow").expect("registered");
    assert_eq!(entry.metadata().description(), Some("From source X"));
    assert!(entry.location().file.ends_with("stacked.rs"));
    assert!(entry.input_type().is_none());
}

#[test]
fn the_function_of_a_path_may_take_an_input() {
    let report = registry::run("with_input").input(10).wait().expect("it runs");
    assert_eq!(report.output::<u64>().expect("a number"), 60);
    let error = registry::run("with_input").input("ten").wait().expect_err("not a number");
    assert!(error.to_string().contains("with_input"), "{error}");
}

#[test]
fn a_job_is_a_workflow_too() {
    let report = registry::run("doubled").input(21).wait().expect("it runs");
    assert_eq!(report.output::<u64>().expect("a number"), 42);
    // The graph has the job with its name.
    assert!(report.job("double it").is_some(), "{report}");
    let entry = registry::get("doubled").expect("registered");
    assert_eq!(entry.metadata().owner(), Some("data-team"));
    // And the function is still one.
    assert_eq!(double(&4), 8);
    assert!(registry::job("double it").is_ok());
}

#[test]
fn a_replaced_job_is_replaced_in_its_workflow() {
    let engine = Engine::builder().replace(double::replaced_by(|number: &u64| number + 1)).build();
    let report = engine.run("doubled").input(1).wait().expect("it runs");
    assert_eq!(report.output::<u64>().expect("a number"), 2);
}

#[test]
fn a_job_with_state_alone_is_a_workflow() {
    let report = Engine::builder().state(42_u64).build().run("answer").wait().expect("it runs");
    assert_eq!(report.output::<u64>().expect("a number"), 42);
}

#[test]
fn a_function_that_draws_stays_a_workflow() {
    assert_eq!(output("drawn"), 8);
}

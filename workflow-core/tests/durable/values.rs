//! Values that do not survive a round trip through the store: the job that returns one fails for
//! good.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};
use workflow_core::job::JobErrorKind;
use workflow_core::run::InputError;

use super::*;

#[job(retry(maximum_attempts = 5, initial_interval = "1ms"))]
fn not_a_number() -> f64 {
    f64::NAN
}

#[job(retry(maximum_attempts = 5, initial_interval = "1ms"))]
fn infinite() -> BTreeMap<String, Option<f32>> {
    BTreeMap::from([("a".to_owned(), Some(f32::INFINITY))])
}

/// Nested 121 deep.
#[job(retry(maximum_attempts = 5, initial_interval = "1ms"))]
fn deep() -> serde_json::Value {
    (0..121).fold(1.into(), |inner, _| vec![inner].into())
}

/// Loses its second field in the round trip.
#[derive(Clone, Serialize, Deserialize)]
struct Forgetful {
    kept: u32,
    #[serde(skip_deserializing)]
    lost: u32,
}

#[job(retry(maximum_attempts = 5, initial_interval = "1ms"))]
fn forgetful() -> Forgetful {
    Forgetful { kept: 1, lost: 2 }
}

/// Serializes to a form that does not deserialize.
#[derive(Clone, Serialize, Deserialize)]
struct Renamed {
    #[serde(rename(serialize = "written"))]
    read: u32,
}

#[job(retry(maximum_attempts = 5, initial_interval = "1ms"))]
fn renamed() -> Renamed {
    Renamed { read: 1 }
}

#[job]
fn half(number: &f64) -> f64 {
    number / 0.0
}

macro_rules! workflow_of {
    ($($name:literal $function:ident = $job:expr => $output:ty;)*) => {
        $(#[register_workflow(name = $name)]
        fn $function(flow: &mut Flow) -> Handle<$output> {
            flow.job($job)
        })*
    };
}

workflow_of! {
    "values: not a number" wants_not_a_number = not_a_number::draw() => f64;
    "values: infinite" wants_infinite = infinite::draw() => BTreeMap<String, Option<f32>>;
    "values: deep" wants_deep = deep::draw() => serde_json::Value;
    "values: forgetful" wants_forgetful = forgetful::draw() => Forgetful;
    "values: renamed" wants_renamed = renamed::draw() => Renamed;
}

#[register_workflow(name = "values: elements")]
fn elements(flow: &mut Flow) -> Handle<Vec<f64>> {
    let numbers = flow.value(vec![1.0, 2.0]);
    flow.job(map(numbers, half).name("halves"))
}

#[register_workflow(name = "values: called")]
async fn called(ctx: WorkflowContext) -> Result<f64, JobError> {
    ctx.run(half, 1.0).await
}

#[register_workflow(name = "values: keeps")]
async fn keeps(ctx: WorkflowContext) -> Result<(), JobError> {
    ctx.persist("rate", f64::NAN)
}

fn run(name: &'static str) -> Result<Report, RunError> {
    Engine::builder().store(MemoryStore::new()).build().run(name).wait()
}

#[test]
fn a_job_with_an_output_that_does_not_survive_json_fails() {
    for (name, reason) in [
        (
            "values: not a number",
            "`f64` cannot be written as JSON: the number NaN has no JSON form",
        ),
        ("values: infinite", "the number inf has no JSON form"),
        ("values: deep", "it is nested more than 120 levels deep; flatten it"),
        (
            "values: forgetful",
            "`Forgetful` does not survive a round trip through JSON at `.lost`: it is written \
             differently the second time; make `Serialize` and `Deserialize` agree",
        ),
        (
            "values: renamed",
            "`Renamed` does not survive a round trip through JSON: the field `read` is missing; make \
             `Serialize` and `Deserialize` agree",
        ),
    ] {
        let Err(RunError::Failed(report)) = run(name) else { panic!("{name} must fail") };
        let job = &report.jobs()[0];
        let error = job.error.as_ref().expect("it failed");
        assert_eq!((job.attempts, error.kind), (1, JobErrorKind::Terminal), "{error}");
        assert!(error.message.contains(reason), "{error}");
    }
}

#[test]
fn child_jobs_and_persisted_values_must_survive_json() {
    for name in ["values: elements", "values: called", "values: keeps"] {
        let Err(RunError::Failed(report)) = run(name) else { panic!("{name} must fail") };
        let reason = report.reason().expect("it failed");
        assert!(reason.contains("has no JSON form"), "{reason}");
    }
}

#[test]
fn without_a_store_nothing_is_serialized() {
    let report = registry::run("values: not a number").wait().expect("it completes");
    assert!(report.output::<f64>().is_ok_and(f64::is_nan));
    let output = registry::run("values: deep").wait().expect("it completes");
    assert!(output.output_ref::<serde_json::Value>().is_ok());
}

#[register_workflow(name = "values: asks")]
fn asks(rate: Option<f64>) -> f64 {
    rate.unwrap_or_default()
}

#[test]
fn an_input_that_json_would_change_is_refused() {
    let asked = registry::run("values: asks").input(Some(f64::NAN)).wait();
    let Err(RunError::Input { error: InputError::Shape(error), .. }) = asked else {
        panic!("it must be refused")
    };
    assert!(error.to_string().contains("the number NaN has no JSON form"), "{error}");
}

#[job]
fn set() -> HashSet<u32> {
    (0..1000).collect()
}

#[register_workflow(name = "values: set")]
fn set_of(flow: &mut Flow) -> Handle<HashSet<u32>> {
    flow.job(set::draw())
}

#[test]
fn a_set_may_change_its_order() {
    let report = run("values: set").expect("it completes");
    assert_eq!(report.output::<HashSet<u32>>().map(|set| set.len()), Ok(1000));
}

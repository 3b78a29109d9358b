//! Jobs that an engine replaces by closures.

use workflow_core::prelude::*;

struct Pool;

#[job]
async fn fetch(
    ctx: &JobContext,
    db: State<Pool>,
    order: &str,
    times: u32,
) -> Result<String, JobError> {
    let _ = db;
    Err(format!("{}: {order} {times}", ctx.job_name()).into())
}

#[job]
fn join(parts: Each<'_, String>, title: Option<&str>) -> String {
    format!("{title:?} {}", parts.iter().map(String::as_str).collect::<Vec<_>>().join(" "))
}

#[job(inline)]
fn count(text: String) -> usize {
    text.len()
}

#[register_workflow(name = "replaced: graph")]
fn graph(flow: &mut Flow, order: Handle<String>) -> Handle<Vec<usize>> {
    let one = flow.job(fetch(order, 1));
    let two = flow.job(fetch(order, 2).name("again"));
    let joined = flow.job(join([one, two], order));
    let list = flow.job(list(joined));
    flow.job(map(list, count))
}

#[job]
fn list(text: String) -> Vec<String> {
    vec![text.clone(), text]
}

#[register_workflow(name = "replaced: function")]
async fn function(ctx: WorkflowContext) -> Result<String, JobError> {
    ctx.run(|order| fetch(order, 3), "tea".to_owned()).await
}

fn fetches() -> workflow_core::engine::EngineBuilder {
    Engine::builder().replace(fetch::replaced_by(|order, times| Ok(order.repeat(times as usize))))
}

#[test]
fn a_replacement_is_called_wherever_the_job_runs() {
    // A replaced job does not need its state.
    let function = fetches().build().run("replaced: function").wait().expect("it completes");
    assert_eq!(function.output::<String>(), Ok("teateatea".to_owned()));
    let report = fetches().build().run("replaced: graph").input("x").wait().expect("it completes");
    // `Some("x") x xx`
    assert_eq!(report.output::<Vec<usize>>(), Ok(vec![14, 14]));
    let names: Vec<String> = report.jobs().into_iter().map(|job| job.name).collect();
    assert!(names.contains(&"again".to_owned()), "{names:?}");
    let engine = fetches()
        .replace(join::replaced_by(|parts, _| parts.iter().cloned().collect()))
        .replace(count::replaced_by(|text| text.len() * 100))
        .build();
    let report = engine.run("replaced: graph").input("x").wait().expect("it completes");
    assert_eq!(report.output::<Vec<usize>>(), Ok(vec![300, 300]));
}

#[test]
fn other_engines_run_the_job_itself() {
    let _replacing = fetches().build();
    let error = Engine::default().run("replaced: graph").input("x").wait().expect_err("no pool");
    assert!(matches!(error, RunError::MissingState { .. }), "{error}");
    let error = Engine::builder().state(Pool).build().run("replaced: function").wait();
    assert!(error.expect_err("it fails").to_string().contains("fetch: tea 3"));
}

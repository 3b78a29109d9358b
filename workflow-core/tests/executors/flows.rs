//! Flows as a host writes them, and their results.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use workflow_core::job::JobErrorKind;
use workflow_core::prelude::*;
use workflow_core::workflow::FunctionWorkflow;

use crate::support::run;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Order {
    item: String,
    price: u32,
}

#[register_workflow(name = "greet", metadata = { "description": "Says hello", "tags": ["demo"] })]
async fn greet(name: String) -> Result<String, JobError> {
    Ok(format!("hello {name}"))
}

pub(crate) async fn a_function_is_a_workflow() {
    let report = run("greet").input("Ada").await.expect("it greets");
    assert_eq!(report.output::<String>().expect("a text"), "hello Ada");
    assert_eq!(report.status(), Status::Completed);
}

#[job]
async fn extract() -> Result<Vec<Order>, JobError> {
    let order = |item: &str, price| Order { item: item.to_owned(), price };
    Ok(vec![order("tea", 3), order("cake", 4)])
}

#[job]
fn transform(orders: &[Order]) -> Result<u32, JobError> {
    Ok(orders.iter().map(|order| order.price).sum())
}

#[job]
async fn load(total: &u32, factor: u32) -> Result<u32, JobError> {
    Ok(total * factor)
}

#[register_workflow(name = "etl", metadata = { "project": "shop" })]
fn etl(flow: &mut Flow) -> Handle<u32> {
    let orders = flow.job(extract());
    let total = flow.job(transform(orders));
    flow.job(load(total, 10))
}

pub(crate) async fn a_graph_passes_typed_values() {
    let report = run("etl").await.expect("it runs");
    assert_eq!(report.output::<u32>().expect("a number"), 70);
    let names: Vec<&str> = report.graph().job_names().collect();
    assert_eq!(names, ["extract", "transform", "load"]);
    assert_eq!(load(&7, 3).await.expect("a plain function"), 21);
    assert_eq!(transform(&[]).expect("a plain function"), 0);
    assert_eq!(extract().await.expect("a plain function").len(), 2);
}

#[job]
async fn halve(number: &u64) -> u64 {
    number / 2
}

#[register_workflow(name = "halvings")]
async fn halvings(ctx: WorkflowContext, mut number: u64) -> Result<u32, JobError> {
    let mut steps = 0;
    while number > 1 {
        number = ctx.run(halve, number).await?;
        steps += 1;
    }
    Ok(steps)
}

pub(crate) async fn a_function_calls_jobs() {
    let report = run("halvings").input(40).await.expect("it halves");
    assert_eq!(report.output::<u32>().expect("a number"), 5);
    let names: Vec<String> = report.jobs().into_iter().map(|job| job.name).collect();
    assert_eq!(names, ["halvings", "halve", "halve_2", "halve_3", "halve_4", "halve_5"]);
}

#[job(name = "thirds")]
async fn third(number: &u64) -> u64 {
    number / 3
}

#[register_workflow(name = "thirds")]
async fn thirds(ctx: WorkflowContext, number: u64) -> Result<u64, JobError> {
    let named = |name: &'static str| move |number: Handle<u64>| halve(number).name(name);
    ctx.run(third, number).await?;
    ctx.run(named("part_2"), number).await?;
    ctx.run(named("part"), number).await?;
    ctx.run(named("part"), number).await?;
    ctx.run(named("part_3"), number).await?;
    ctx.run(named("part[0]"), number).await?;
    ctx.run(named("part[0]"), number).await
}

/// A call does not take the name of the function that makes it, nor that of another call.
pub(crate) async fn repeated_calls_get_numbered_names() {
    let report = run("thirds").input(40).await.expect("it divides");
    let names: Vec<String> = report.jobs().into_iter().map(|job| job.name).collect();
    let (graph, calls) = names.split_at(1);
    assert_eq!(graph, ["thirds"]);
    let wanted = ["thirds_2", "part_2", "part", "part_3", "part_3_2", "part[0]_2", "part[0]_3"];
    assert_eq!(calls, wanted);
}

#[register_workflow(name = "greet_twice")]
fn greet_twice(flow: &mut Flow, name: Handle<String>) -> Handle<String> {
    let once = flow.job(registry::call::<_, String>("greet", name));
    flow.job(registry::call::<_, String>("greet", once).name("again"))
}

pub(crate) async fn a_workflow_is_a_job_of_another() {
    let report = run("greet_twice").input("Ada").await.expect("it greets");
    assert_eq!(report.output::<String>().expect("a text"), "hello hello Ada");

    let workflow = FunctionWorkflow::new("lost", |flow: &mut Flow| {
        let name = flow.value(1_u8);
        flow.job(registry::call::<u8, String>("gret", name))
    });
    let error = run(workflow.expect("a name")).await.expect_err("no such workflow");
    assert!(error.to_string().contains("did you mean `greet`"), "{error}");
}

#[job]
fn number(value: u32) -> u32 {
    value
}

#[job]
fn text(value: Option<&u32>) -> String {
    format!("{value:?}")
}

pub(crate) async fn a_condition_skips_or_runs_a_job() {
    for (value, ran) in [(1, false), (7, true)] {
        let workflow = FunctionWorkflow::new("conditional", move |flow: &mut Flow| {
            let value = flow.job(number::draw(value));
            let large = flow.job(number::draw(100).name("large").when(value, |value| *value > 5));
            flow.job(number::draw(large).name("dependent"));
            flow.job(text(large).trigger(TriggerRule::NoneFailed))
        });
        let report = run(workflow.expect("a name")).await.expect("it completes");
        let status = if ran { Status::Completed } else { Status::Skipped };
        assert_eq!(report.job("large").expect("a job").status, status);
        assert_eq!(report.job("dependent").expect("a job").status, status);
        let text = if ran { "Some(100)" } else { "None" };
        assert_eq!(report.output::<String>().expect("a text"), text);
    }
}

#[job]
async fn fails() -> Result<u32, JobError> {
    Err(JobError::terminal("no luck"))
}

pub(crate) async fn an_optional_input_may_be_missing() {
    let workflow = FunctionWorkflow::new("optional", |flow: &mut Flow| {
        let missing = flow.job(fails());
        flow.job(text(missing).trigger(TriggerRule::AllDone))
    });
    let error = run(workflow.expect("a name")).await.expect_err("a job failed");
    let report = error.report().expect("it began");
    assert_eq!(report.job("text").expect("a job").status, Status::Completed);
    assert_eq!(report.output_ref::<String>().expect("a text"), "None");
}

pub(crate) async fn output_of_another_shape_goes_through_json() {
    #[derive(Debug, Deserialize)]
    struct Item {
        item: String,
    }
    let workflow = FunctionWorkflow::new("orders", |flow: &mut Flow| flow.job(extract()));
    let report = run(workflow.expect("a name")).await.expect("it runs");
    let items = report.output::<Vec<Item>>().expect("every order has an item");
    assert_eq!(items[1].item, "cake");
    let error = report.output::<Vec<u8>>().expect_err("an order is no number").to_string();
    assert!(error.contains("[0]") && error.contains("u8"), "{error}");
}

#[register_workflow(name = "as_many")]
fn as_many(flow: &mut Flow, count: u32) -> Result<Handle<u32>, JobError> {
    let mut last = flow.value(0);
    for step in 1..=count {
        last = flow.job(load(last, step).name(format!("step {step}")));
    }
    if count == 0 { Err(JobError::terminal("nothing to draw")) } else { Ok(last) }
}

pub(crate) async fn the_input_shapes_the_graph() {
    let report = run("as_many").input(3).await.expect("it draws three");
    assert_eq!(report.graph().len(), 3);
    let error = run("as_many").input(0).await.expect_err("nothing to draw");
    assert!(error.to_string().contains("nothing to draw"), "{error}");
}

#[job]
async fn book(what: &'static str, log: Log) -> String {
    log.0.lock().expect("no panic").push(format!("book {what}"));
    what.to_owned()
}

#[job]
async fn release(what: &str, log: Log) {
    log.0.lock().expect("no panic").push(format!("release {what}"));
}

#[job]
async fn pay(_flight: &str, _hotel: &str) -> Result<(), JobError> {
    Err(JobError::terminal("card refused"))
}

#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

pub(crate) async fn compensations_run_newest_first() {
    let log = Log::default();
    let lines = log.clone();
    let workflow = FunctionWorkflow::new("trip", move |flow: &mut Flow| {
        let (one, two) = (log.clone(), log.clone());
        let flight = book::draw("flight", log.clone()).compensate(|what| release(what, one));
        let flight = flow.job(flight);
        let hotel = book::draw("hotel", log.clone()).name("book hotel").after(flight);
        let hotel = flow.job(hotel.compensate(|what| release(what, two)));
        flow.job(pay(flight, hotel));
    });
    let error = run(workflow.expect("a name")).await.expect_err("unpaid");
    let expected = ["book flight", "book hotel", "release hotel", "release flight"];
    assert_eq!(*lines.0.lock().expect("no panic"), expected);
    let report = error.report().expect("it began");
    assert_eq!(report.job("undo book hotel").expect("it ran").status, Status::Completed);
    assert_eq!(report.reason().expect("a reason"), "job `pay` failed: card refused");
}

#[job]
fn parse(text: &str) -> Result<u32, std::num::ParseIntError> {
    text.parse()
}

#[job]
fn parse_anyhow(text: &str) -> anyhow::Result<u32> {
    use anyhow::Context as _;
    text.parse().with_context(|| format!("{text:?} is no price"))
}

pub(crate) async fn any_error_is_a_job_error() {
    let workflow = FunctionWorkflow::new("errors", |flow: &mut Flow| {
        let text = flow.value("x".to_owned());
        flow.job(parse(text));
        flow.job(parse_anyhow(text));
    });
    let error = run(workflow.expect("a name")).await.expect_err("x is no number");
    let report = error.report().expect("it began");
    let message = |job| report.job(job).and_then(|job| job.error).expect("an error").message;
    assert_eq!(message("parse"), "invalid digit found in string");
    assert_eq!(message("parse_anyhow"), "\"x\" is no price: invalid digit found in string");
}

/// A `Result` that is not recognizable by its name or its number of parameters.
type Fallible<T = u32> = Result<T, JobError>;

#[job]
async fn refuses(number: &u32) -> Fallible {
    Err(format!("{number} is too much"))?
}

#[job]
fn refuses_on_a_thread(number: u32) -> Fallible<()> {
    Err(format!("{number} is too much"))?
}

#[register_workflow(name = "refused", retry(maximum_attempts = 3, initial_interval = "1ms"))]
async fn refused(ctx: WorkflowContext, number: u32) -> Fallible<String> {
    ctx.run(refuses, number).await?;
    Ok("accepted".to_owned())
}

pub(crate) async fn an_alias_of_a_result_fails() {
    let workflow = FunctionWorkflow::new("aliases", |flow: &mut Flow| {
        let number: Handle<u32> = flow.value(7);
        let list = flow.value(vec![7, 8]);
        let refused: Handle<u32> = flow.job(refuses(number));
        let _: Handle<()> = flow.job(refuses_on_a_thread(refused).trigger(TriggerRule::Always));
        let _: Handle<Vec<u32>> = flow.job(map(list, refuses).name("map"));
    });
    let error = run(workflow.expect("a name")).await.expect_err("all refuse");
    let report = error.report().expect("it began");
    let message = |job| report.job(job).and_then(|job| job.error).map(|error| error.message);
    assert_eq!(message("refuses").as_deref(), Some("7 is too much"));
    assert!(message("refuses_on_a_thread").is_some(), "its input is missing");
    assert!(message("map").is_some_and(|message| message.contains("is too much")));

    let error = run("refused").input(9_u32).await.expect_err("every attempt fails");
    let refused = error.report().and_then(|report| report.job("refused")).expect("it ran");
    assert_eq!(refused.attempts, 3);
    assert_eq!(refused.error.expect("an error").message, "9 is too much");
}

#[job]
async fn explodes(number: u32) -> u32 {
    assert!(number > 1, "the number is {number}");
    number
}

#[job]
fn explodes_on_a_thread(number: u32) -> u32 {
    assert!(number > 1, "the number is {number}");
    number
}

pub(crate) async fn a_panic_is_the_jobs_failure() {
    let workflow = FunctionWorkflow::new("panics", |flow: &mut Flow| {
        flow.job(explodes::draw(1));
        flow.job(explodes_on_a_thread::draw(0));
        flow.job(number::draw(3));
    });
    let error = run(workflow.expect("a name")).await.expect_err("two panics");
    let report = error.report().expect("it began");
    for (job, text) in
        [("explodes", "the number is 1"), ("explodes_on_a_thread", "the number is 0")]
    {
        let error = report.job(job).and_then(|job| job.error).expect("an error");
        assert_eq!((error.kind, error.message.as_str()), (JobErrorKind::Panicked, text));
    }
    assert_eq!(report.job("number").expect("a job").status, Status::Completed);
}

pub(crate) async fn a_started_run_needs_no_caller() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    let workflow = FunctionWorkflow::new("background", |flow: &mut Flow| {
        let start = flow.value(());
        flow.job(workflow_core::job::closure("count", start, |()| async {
            RUNS.fetch_add(1, Ordering::Relaxed);
            Ok::<_, JobError>(())
        }));
    });
    let before = RUNS.load(Ordering::Relaxed);
    let run = Engine::default().run(workflow.expect("a name")).start().expect("it starts");
    let report = run.outcome().await.expect("it completes");
    assert!(RUNS.load(Ordering::Relaxed) > before);
    assert_eq!(run.status(), Status::Completed);
    assert_eq!(run.id(), report.id());
    assert_eq!(run.output(), Some(report.output_json()));
}

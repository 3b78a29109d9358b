//! The attributes: plain calls of annotated functions, and their entries in the registry.

use std::time::Duration;

use futures::executor::block_on;
use workflow_core::__private::{Draw, JobEntry, WorkflowEntry, inventory};
use workflow_core::prelude::*;

#[derive(Debug, Clone, PartialEq)]
struct Order(u32);

#[derive(Debug, PartialEq)]
struct Report(Vec<u32>);

/// Finds orders.
#[job]
async fn extract() -> Vec<Order> {
    vec![Order(1), Order(2)]
}

#[job]
fn transform(orders: &[Order]) -> Report {
    Report(orders.iter().map(|order| order.0).collect())
}

#[job(name = "load orders", retry(maximum_attempts = 3, initial_interval = "200ms"))]
async fn load(ctx: &JobContext, report: &Report, limit: u32) -> Result<usize, JobError> {
    assert_eq!(ctx.attempt(), 1);
    match limit {
        0 => Err(JobError::terminal("nothing may be loaded")),
        limit => Ok(report.0.len().min(limit as usize)),
    }
}

#[job(inline, priority = -1)]
fn total(parts: Each<'_, usize>, extra: Option<&usize>, _: &str) -> usize {
    parts.iter().sum::<usize>() + extra.copied().unwrap_or(0)
}

#[job]
fn factorial(number: u64) -> u64 {
    if number < 2 { 1 } else { number * factorial(number - 1) }
}

#[job]
#[cfg(any())]
fn absent(missing: &Missing) -> Missing {}

#[register_workflow(
    name = "orders",
    description = "Loads orders",
    metadata = { "tags": ["a", "b"], "n": -1.5, "x": null, "nested": { "a": [true], }, },
)]
fn orders(flow: &mut Flow, limit: Handle<u32>) -> Handle<usize> {
    let orders = flow.job(extract());
    let report = flow.job(transform(orders));
    let loaded = flow.job(load(report, limit));
    let again = flow.job(load(report, 3).name("again").start_to_close(Duration::from_secs(5)));
    let label = flow.value("x");
    flow.job(total([loaded, again], again, label))
}

#[register_workflow(owner = "me", retry(maximum_attempts = 2))]
async fn greet(ctx: WorkflowContext, name: &str) -> Result<String, JobError> {
    let orders = ctx.run(extract, ()).await?;
    let report = ctx.run(transform, orders).await?;
    Ok(format!("{name} has {} orders", report.0.len()))
}

#[register_workflow(workflow_id = "fan", metadata = r#"{ "version": "2" }"#)]
fn fan(flow: &mut Flow, parts: &[u32]) -> Result<Handle<usize>, JobError> {
    if parts.is_empty() {
        return Err(JobError::terminal("nothing to do"));
    }
    let orders = flow.job(extract());
    let report = flow.job(transform(orders));
    let loaded: Vec<_> = parts.iter().map(|part| flow.job(load(report, *part))).collect();
    let label = flow.value(String::new());
    Ok(flow.job(total(&loaded, loaded[0], label)))
}

#[register_workflow]
fn count(words: Vec<String>) -> usize {
    words.len()
}

type Fallible<T = usize> = Result<T, JobError>;

#[job]
fn size(path: &std::path::Path) -> Fallible {
    Ok(path.as_os_str().len())
}

#[register_workflow]
fn sized(flow: &mut Flow, path: Handle<std::path::PathBuf>) -> Fallible<Handle<usize>> {
    Ok(flow.job(size(path)))
}

#[register_workflow]
async fn tagged(path: &std::path::Path) -> Fallible<(u8, String)> {
    Ok((1, path.display().to_string()))
}

type Nothing = ();

#[register_workflow]
fn draws_only(flow: &mut Flow) -> Nothing {
    flow.job(extract());
}

fn job_entry(name: &str) -> &'static JobEntry {
    let mut entries = inventory::iter::<JobEntry>();
    entries.find(|entry| entry.name == name).expect("the job is registered")
}

fn workflow_entry(name: &str) -> &'static WorkflowEntry {
    let mut entries = inventory::iter::<WorkflowEntry>();
    entries.find(|entry| entry.name == name).expect("the workflow is registered")
}

#[test]
fn jobs_are_called_like_functions() -> Result<(), JobError> {
    let orders = block_on(async { extract().await })?;
    assert_eq!(orders, block_on(extract::call()));
    let report = transform(&orders);
    assert_eq!(report, transform::call(&orders));
    assert_eq!(block_on(load(&report, 1))?, 1);
    assert!(block_on(load(&report, 0)).is_err());
    assert_eq!(block_on(load::call(&JobContext::detached(), &report, 9))?, 2);
    assert_eq!(total(Each::from(&[1, 2][..]), Some(&3), "x"), 6);
    assert_eq!(total(Each::from(&[][..]), None::<&usize>, "x"), 0);
    assert_eq!(factorial(5), 120);
    Ok(())
}

#[test]
fn jobs_are_listed_with_their_types() {
    let load = job_entry("load orders");
    let inputs = load.inputs.expect("every input has a name")();
    let inputs: Vec<_> = inputs.iter().map(|(name, kind)| (*name, kind.name())).collect();
    assert_eq!(inputs, [("report", "macros::Report"), ("limit", "u32")]);
    assert_eq!((load.output)().name(), "usize");
    assert_eq!(load.module, "macros");
    assert!(load.location.file.ends_with("macros.rs"));
    assert_eq!(load.location.column, 1);

    let transform = job_entry("transform").inputs.expect("every input has a name")();
    assert!(transform[0].1.is::<Vec<Order>>());
    assert!(job_entry("total").inputs.is_none(), "`Each` takes any number of values");
    assert!(inventory::iter::<JobEntry>().all(|entry| entry.name != "absent"));
}

#[test]
fn jobs_are_added_by_name() -> Result<(), Box<dyn std::error::Error>> {
    let mut flow = Flow::new();
    let orders = (job_entry("extract").add)(&mut flow, &[]).ok_or("takes no input")?;
    let report = (job_entry("transform").add)(&mut flow, &[orders]).ok_or("takes a list")?;
    assert!(report.typed::<Report>().is_some());
    assert!((job_entry("transform").add)(&mut flow, &[report]).is_none(), "of another type");
    assert!((job_entry("transform").add)(&mut flow, &[]).is_none(), "one too few");
    let plan = flow.plan()?;
    assert_eq!(plan.graph().edges().collect::<Vec<_>>(), [("extract", "transform")]);
    Ok(())
}

#[test]
fn workflows_are_listed_with_metadata_and_types() {
    let orders = workflow_entry("orders");
    let metadata = r#"{"description":"Loads orders","n":-1.5,"nested":{"a":[true]},"tags":["a","b"],"x":null}"#;
    let metadata: serde_json::Value = serde_json::from_str(metadata).expect("is JSON");
    assert_eq!(orders.metadata.parse::<serde_json::Value>().ok(), Some(metadata));
    let names = |entry: &WorkflowEntry| {
        let name = |kind: fn() -> workflow_core::value::Type| kind().name();
        (entry.input.map(name), entry.output.map(name))
    };
    assert_eq!(names(orders), (Some("u32"), Some("usize")));
    assert_eq!(names(workflow_entry("fan")), (Some("alloc::vec::Vec<u32>"), Some("usize")));
    let string = Some("alloc::string::String");
    assert_eq!(names(workflow_entry("greet")), (string, string));
    assert!(matches!(orders.draw, Draw::Once(_)));
    assert!(matches!(workflow_entry("fan").draw, Draw::PerInput(_)));
    assert_eq!(workflow_entry("fan").metadata, r#"{"version":"2"}"#);
    assert_eq!(workflow_entry("count").metadata, "{}");
}

#[test]
fn types_are_found_behind_aliases_and_references() -> Result<(), Box<dyn std::error::Error>> {
    let path = "std::path::PathBuf";
    let size = job_entry("size");
    let inputs = size.inputs.expect("every input has a name")();
    assert_eq!(inputs.iter().map(|(_, kind)| kind.name()).collect::<Vec<_>>(), [path]);
    assert_eq!((size.output)().name(), "usize");
    let types = |name| {
        let entry = workflow_entry(name);
        (entry.input.map(|kind| kind().name()), entry.output.map(|kind| kind().name()))
    };
    assert_eq!(types("sized"), (Some(path), Some("usize")));
    assert_eq!(types("tagged"), (Some(path), Some("(u8, alloc::string::String)")));
    assert_eq!(types("draws_only"), (None, None));

    assert_eq!(registry::run("sized").input("a/b").wait()?.output::<usize>()?, 3);
    let tagged = registry::run("tagged").input("a").wait()?.output::<(u8, String)>()?;
    assert_eq!(tagged, (1, "a".to_owned()));
    Ok(())
}

#[test]
fn workflows_draw_their_graphs() -> Result<(), JobError> {
    let Draw::Once(draw) = workflow_entry("orders").draw else { panic!("draws once") };
    let mut flow = Flow::new();
    draw(&mut flow)?;
    let plan = flow.plan()?;
    let mut edges: Vec<_> = plan.graph().edges().collect();
    edges.sort_unstable();
    let wanted = [
        ("again", "total"),
        ("extract", "transform"),
        ("load orders", "total"),
        ("transform", "again"),
        ("transform", "load orders"),
    ];
    assert_eq!(edges, wanted);

    let Draw::PerInput(draw) = workflow_entry("fan").draw else { panic!("draws often") };
    assert!(draw(&mut Flow::new(), &Vec::<u32>::new()).is_err(), "the function failed");
    assert!(draw(&mut Flow::new(), &"text").is_err(), "of another type");
    let mut flow = Flow::new();
    draw(&mut flow, &vec![1_u32, 2, 3])?;
    assert_eq!(flow.plan()?.graph().edges().count(), 1 + 3 + 3);
    Ok(())
}

#[test]
fn functions_stay_functions() -> Result<(), JobError> {
    assert_eq!(count(vec!["one".to_owned()]), 1);
    let text = block_on(greet(WorkflowContext::detached(), "Ada"))?;
    assert_eq!(text, "Ada has 2 orders");
    Ok(())
}

#[test]
fn workflows_run_by_name() -> Result<(), Box<dyn std::error::Error>> {
    let loaded: usize = registry::run("orders").input(1_u32).wait()?.output()?;
    assert_eq!(loaded, 5);
    let text: String = registry::run("greet").input("Ada").wait()?.output()?;
    assert_eq!(text, "Ada has 2 orders");
    let loaded: usize = registry::run("fan").input(vec![1_u32, 2]).wait()?.output()?;
    assert_eq!(loaded, 4);
    let words: usize = registry::run("count").input(vec!["one", "two"]).wait()?.output()?;
    assert_eq!(words, 2);
    Ok(())
}

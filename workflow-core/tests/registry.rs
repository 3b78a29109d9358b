//! The registry: workflows and jobs by name, with filters and descriptions, without running
//! anything.

use std::sync::atomic::{AtomicU32, Ordering};

use workflow_core::prelude::*;
use workflow_core::registry::{Erased, JobEntry, RegistryError};
use workflow_core::workflow::FunctionWorkflow;

static DRAWN: AtomicU32 = AtomicU32::new(0);

#[register_workflow(
    name = "sales/load",
    description = "Loads what was sold",
    schedule = "0 3 * * *",
    project = "web-shop",
    domain = "sales",
    tags = ["nightly", "load"],
    version = "2.1",
    metadata = { "owner": "ada", "team": { "size": 3, "members": ["ada", "bob"] }, "a.b": true },
)]
fn load_sales(flow: &mut Flow, rows: Handle<Vec<u32>>) -> Handle<u64> {
    DRAWN.fetch_add(1, Ordering::SeqCst);
    flow.job(count(rows))
}
/// The location of the attribute of `load_sales`.
const LINE: u32 = 12;

#[register_workflow(name = "sales/audit", project = "web-shop", tags = ["nightly"])]
async fn audit() {}

#[register_workflow(name = "hr/pay", domain = "hr", metadata = { "team": { "size": 3 } })]
fn pay(flow: &mut Flow, people: &[String]) -> Result<Handle<u64>, JobError> {
    DRAWN.fetch_add(1, Ordering::SeqCst);
    let rows = flow.value(vec![0; people.len()]);
    Ok(flow.job(count(rows)))
}

#[register_workflow(name = "broken")]
fn broken(_: &mut Flow) {
    DRAWN.fetch_add(1, Ordering::SeqCst);
    panic!("drawn for nothing");
}

#[job(inline)]
fn count(rows: &[u32]) -> u64 {
    rows.len() as u64
}

#[job(inline, name = "sum of two")]
fn sum(one: &u64, two: u64) -> u64 {
    one + two
}

#[job(inline, name = "add up")]
fn add(parts: Each<'_, u64>) -> u64 {
    parts.iter().sum()
}

mod elsewhere {
    use workflow_core::prelude::*;

    #[job(inline)]
    pub(super) fn twin() -> u32 {
        1
    }

    pub(super) mod deeper {
        use workflow_core::prelude::*;

        #[job(inline)]
        pub(in super::super) fn twin() -> u32 {
            2
        }
    }
}

/// Ships an order, with what the customer wrote
/// on it.
///
/// The rest is not shown.
#[job(
    domain = "sales",
    retry(maximum_attempts = 4, initial_interval = "2s"),
    start_to_close = "1m",
    limit = "trucks"
)]
async fn ship(ctx: &JobContext, order: &u32, state: State<String>) -> Result<u32, JobError> {
    ctx.heartbeat();
    Ok(*order + state.len() as u32)
}

type Failed = Box<dyn std::error::Error>;

/// The names of the listed workflows, without those that other tests register at run time.
fn names(listing: registry::Listing) -> Vec<String> {
    let linked = listing.filter(|entry| !entry.name().starts_with("late"));
    linked.into_iter().map(|entry| entry.name().to_owned()).collect()
}

#[test]
fn workflows_are_listed_by_name() -> Result<(), Failed> {
    assert_eq!(names(registry::list()?), ["broken", "hr/pay", "sales/audit", "sales/load"]);
    let listing = registry::list()?.tag("nightly");
    assert_eq!((listing.len(), listing.is_empty()), (2, false));
    assert_eq!(listing.iter().count(), (&listing).into_iter().count());
    Ok(())
}

#[test]
fn a_listing_is_filtered() -> Result<(), Failed> {
    let all = registry::list()?;
    assert_eq!(names(all.clone().project("web-shop")), ["sales/audit", "sales/load"]);
    assert_eq!(names(all.clone().domain("hr")), ["hr/pay"]);
    assert_eq!(names(all.clone().tag("load")), ["sales/load"]);
    assert_eq!(
        names(all.clone().project("web-shop").tag("nightly").domain("sales")),
        ["sales/load"]
    );
    assert_eq!(names(all.clone().metadata("team.size", 3)), ["hr/pay", "sales/load"]);
    assert_eq!(names(all.clone().metadata("team.members.1", "bob")), ["sales/load"]);
    assert_eq!(names(all.clone().metadata("a.b", true)), ["sales/load"]);
    assert_eq!(
        names(all.clone().filter(|entry| entry.input_type().is_none())),
        ["broken", "sales/audit"]
    );
    assert!(all.clone().metadata("team.size", "3").is_empty(), "a text is no number");
    assert!(all.metadata("team.missing", serde_json::Value::Null).is_empty());
    Ok(())
}

#[test]
fn an_entry_describes_its_workflow() -> Result<(), Failed> {
    let entry = registry::get("sales/load")?;
    assert_eq!(entry.name(), "sales/load");
    assert_eq!(entry.description(), Some("Loads what was sold"));
    assert_eq!(entry.schedule(), Some("0 3 * * *"));
    assert_eq!(entry.project(), Some("web-shop"));
    assert_eq!(entry.domain(), Some("sales"));
    assert_eq!(entry.version(), Some("2.1"));
    assert_eq!(entry.metadata().owner(), Some("ada"));
    assert_eq!(entry.metadata().tags().collect::<Vec<_>>(), ["nightly", "load"]);
    assert_eq!(entry.input_type(), Some("alloc::vec::Vec<u32>"));
    assert_eq!(entry.output_type(), Some("u64"));
    assert_eq!(entry.location().file, file!());
    assert_eq!((entry.location().line, entry.location().column), (LINE, 1));
    let place = format!("{}:{LINE}:1", file!());
    assert_eq!(entry.location().to_string(), place);
    assert_eq!(
        format!("{entry:?}"),
        format!("Entry {{ name: \"sales/load\", location: {place}, .. }}")
    );

    let plain = registry::get("sales/audit")?;
    assert_eq!((plain.description(), plain.schedule(), plain.version()), (None, None, None));
    assert_eq!((plain.input_type(), plain.output_type()), (None, Some("()")));
    assert_eq!(
        registry::get("hr/pay")?.input_type(),
        Some("alloc::vec::Vec<alloc::string::String>")
    );
    Ok(())
}

/// Runs in a separate process, so that no other test draws the graphs that this test counts.
#[test]
fn workflows_are_built_only_when_they_run() -> Result<(), Failed> {
    const ALONE: &str = "REGISTRY_TEST_ALONE";
    if std::env::var_os(ALONE).is_none() {
        let mut alone = std::process::Command::new(std::env::current_exe()?);
        alone.args(["--exact", "workflows_are_built_only_when_they_run"]).env(ALONE, "1");
        let output = alone.output()?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        return Ok(());
    }
    for entry in registry::list()? {
        registry::get(entry.name())?;
        let _ = (entry.input_type(), entry.output_type(), entry.metadata(), entry.input_schema());
    }
    assert_eq!(DRAWN.load(Ordering::SeqCst), 0);
    let error = registry::run("broken").wait().expect_err("it cannot be drawn");
    assert!(error.to_string().ends_with("its function panicked: drawn for nothing"), "{error}");
    assert_eq!(DRAWN.load(Ordering::SeqCst), 1);
    // Drawn once for all inputs.
    for rows in [vec![1], vec![1, 2]] {
        let counted: u64 = registry::run("sales/load").input(&rows).wait()?.output()?;
        assert_eq!(counted, rows.len() as u64);
    }
    assert_eq!(DRAWN.load(Ordering::SeqCst), 2);
    // Drawn for each run.
    for people in [vec!["ada"], vec!["ada", "bob"]] {
        let counted: u64 = registry::run("hr/pay").input(&people).wait()?.output()?;
        assert_eq!(counted, people.len() as u64);
    }
    assert_eq!(DRAWN.load(Ordering::SeqCst), 4);
    Ok(())
}

fn late(name: &str) -> FunctionWorkflow {
    let draw = |flow: &mut Flow| {
        let rows = flow.value(vec![1, 2, 3]);
        flow.job(count(rows))
    };
    FunctionWorkflow::new(name, draw).expect("a name")
}

#[test]
fn a_domain_without_a_valid_task_queue_is_refused() -> Result<(), Failed> {
    let domain = |domain: &str| -> workflow_core::definition::Metadata {
        serde_json::from_value(serde_json::json!({ "domain": domain })).expect("an object")
    };
    let empty = registry::register(late("late/nowhere").with_metadata(domain("")));
    let empty = empty.expect_err("no name").to_string();
    assert!(empty.contains("workflow `late/nowhere` at "), "{empty}");
    assert!(empty.contains(": invalid domain: a name is empty; give it"), "{empty}");
    let described = registry::describe("sales/load", domain("a\nb")).expect_err("no name");
    assert!(matches!(described, RegistryError::Domain { .. }), "{described}");
    // The engine's prefix counts, too.
    registry::register(late("late/far").with_metadata(domain(&"d".repeat(150))))?;
    let engine = Engine::builder()
        .store(workflow_core::store::MemoryStore::new())
        .queue_prefix("p".repeat(50))
        .build();
    let refused = engine.run("late/far").wait();
    assert!(matches!(refused, Err(workflow_core::RunError::InvalidQueue { .. })), "{refused:?}");
    Ok(())
}

#[test]
fn workflows_are_added_at_run_time() -> Result<(), Failed> {
    assert!(matches!(registry::get("late/one"), Err(RegistryError::Unknown { .. })));
    let (entry, line) = (registry::register(late("late/one"))?, line!());
    assert_eq!((entry.location().file, entry.location().line), (file!(), line));
    assert_eq!(registry::get("late/one")?.location(), entry.location());
    let counted: u64 = registry::run("late/one").wait()?.output()?;
    assert_eq!(counted, 3);
    assert!(registry::list()?.iter().any(|entry| entry.name() == "late/one"));
    let counted: u64 = Engine::default().run(&entry).wait()?.output()?;
    assert_eq!(counted, 3);

    let (again, second) = (registry::register(late("late/one")), line!());
    let again = again.expect_err("the name is taken").to_string();
    let file = file!();
    let start = format!("two workflows are named `late/one`: at {file}:{line}:");
    assert!(again.starts_with(&start), "{again}");
    assert!(again.contains(&format!(" and at {file}:{second}:")), "{again}");
    assert!(again.ends_with("; rename one of them"), "{again}");
    let linked = registry::register(late("sales/load")).expect_err("the name is taken");
    assert!(linked.to_string().contains(&format!("at {file}:{LINE}:1 and at ")), "{linked}");

    let unknown = registry::get("late/on").expect_err("there is none").to_string();
    assert!(unknown.contains("did you mean `late/one`?"), "{unknown}");
    Ok(())
}

#[test]
fn jobs_are_found_by_name() -> Result<(), Failed> {
    let names: Vec<&str> = registry::jobs().map(|job| job.name).collect();
    assert!(names.is_sorted());
    assert_eq!(registry::jobs().len(), names.len());
    assert_eq!(names.iter().filter(|name| **name == "twin").count(), 2);
    // A function workflow is not a job.
    assert!(names.contains(&"add up") && names.contains(&"count"));

    let count = registry::job("count")?;
    assert_eq!((count.module, count.location.file), (module_path!(), file!()));
    let inputs = count.inputs.expect("every input has a name")();
    let inputs: Vec<_> = inputs.iter().map(|(name, kind)| (*name, kind.name())).collect();
    assert_eq!(inputs, [("rows", "alloc::vec::Vec<u32>")]);
    assert_eq!((count.output)().name(), "u64");
    assert!(registry::job("add up")?.inputs.is_none(), "`Each` takes any number of values");
    assert!(registry::job("add").is_err(), "it has another name");
    Ok(())
}

#[test]
fn looking_up_a_duplicate_job_name_fails() {
    let error = registry::job("twin").map(|_| ()).expect_err("there are two");
    let RegistryError::Duplicate { what, name, first, second } = error else { panic!("{error}") };
    assert_eq!((what, name.as_str(), first.file, second.file), ("job", "twin", file!(), file!()));
    assert!(first.line < second.line);
    // Both can be used where they are called.
    let mut flow = Flow::new();
    flow.job(elsewhere::twin());
    flow.job(elsewhere::deeper::twin());
    let plan = flow.plan().expect("two jobs");
    assert_eq!(plan.graph().job_names().collect::<Vec<_>>(), ["twin", "twin_2"]);
}

#[test]
fn jobs_are_added_by_name() -> Result<(), Failed> {
    let add = |name: &str| registry::job(name).map(|job: &JobEntry| job.add);
    let (count, sum, each) = (add("count")?, add("sum of two")?, add("add up")?);
    let by_name = FunctionWorkflow::new("by name", move |flow: &mut Flow| {
        let rows = flow.value(vec![7_u32; 5]);
        let rows = Erased::new(rows);
        let (one, two) = (count(flow, &[rows]), count(flow, &[rows]));
        let counts = [one.ok_or("`count` takes a list")?, two.ok_or("`count` takes a list")?];
        assert!(count(flow, &counts[..1]).is_none(), "of another type");
        assert!(count(flow, &[]).is_none(), "one too few");
        assert!(count(flow, &[rows, rows]).is_none(), "one too many");
        assert!(each(flow, &counts).is_none(), "it has no names for its inputs");
        let sum = sum(flow, &counts).ok_or("`sum of two` takes numbers")?;
        assert!(sum.typed::<u32>().is_none(), "of another type");
        Ok::<_, JobError>(sum.typed::<u64>().ok_or("a sum is a number")?)
    })?;
    let report = Engine::default().run(by_name).wait()?;
    assert_eq!(report.output::<u64>()?, 10);
    let jobs: Vec<&str> = report.graph().job_names().collect();
    assert_eq!(jobs, ["count", "count_2", "sum of two"]);
    Ok(())
}

#[cfg(feature = "schema")]
mod schema {
    use super::*;

    #[derive(serde::Deserialize, schemars::JsonSchema)]
    struct Order {
        #[expect(dead_code, reason = "only its schema matters")]
        item: String,
        #[expect(dead_code, reason = "only its schema matters")]
        price: Option<u32>,
    }

    #[register_workflow(name = "late: order")]
    fn order(_: &Order) -> u32 {
        1
    }

    #[test]
    fn types_have_schemas() -> Result<(), Failed> {
        let entry = registry::get("late: order")?;
        let schema = entry.input_schema().expect("the type has a schema");
        assert_eq!(schema["title"], "Order");
        assert_eq!(schema["required"], serde_json::json!(["item"]));
        assert_eq!(schema["properties"]["item"]["type"], "string");
        assert_eq!(entry.output_schema().expect("a number has a schema")["type"], "integer");
        assert!(registry::get("sales/audit")?.input_schema().is_none());
        Ok(())
    }
}

#[cfg(not(feature = "schema"))]
#[test]
fn without_the_feature_there_are_no_schemas() -> Result<(), Failed> {
    assert!(registry::get("sales/load")?.input_schema().is_none());
    Ok(())
}

#[test]
fn the_engine_is_set_before_its_first_use() {
    let used = format!("{:?}", registry::engine());
    let late = Engine::builder().limit("db", 3).build();
    let back = registry::set_engine(late).expect_err("it has been used");
    assert!(format!("{back:?}").contains("db"), "{back:?}");
    assert_eq!(format!("{:?}", registry::engine()), used);
}

#[test]
fn two_unicode_forms_are_one_name() -> Result<(), Failed> {
    let (composed, decomposed) = ("late/caf\u{e9}", "late/cafe\u{301}");
    let entry = registry::register(late(decomposed))?;
    assert_eq!(entry.name(), composed);
    for form in [composed, decomposed] {
        assert_eq!(registry::get(form)?.name(), composed);
        let again = registry::register(late(form));
        assert!(matches!(again, Err(RegistryError::Duplicate { .. })), "{again:?}");
    }
    Ok(())
}

#[test]
fn jobs_are_described_by_their_attributes() -> Result<(), Failed> {
    let ship = registry::job("ship")?;
    assert_eq!(ship.description, Some("Ships an order, with what the customer wrote on it."));
    assert_eq!(ship.domain, Some("sales"));
    assert!(ship.serves("sales") && !ship.serves("hr"));
    let options = (ship.options)();
    assert_eq!(options.retry.map(|retry| retry.maximum_attempts), Some(4));
    assert_eq!(options.timeouts.start_to_close, Some(std::time::Duration::from_secs(60)));
    assert_eq!(options.limits, [("trucks".to_owned(), 1)]);
    let shared = registry::job("add up")?;
    assert_eq!((shared.domain, shared.description), (None, None));
    assert!(shared.serves("sales") && (shared.options)().retry.is_none());
    Ok(())
}

#[test]
fn a_graph_tells_the_policies_of_its_jobs() -> Result<(), Failed> {
    let workflow = FunctionWorkflow::new("shipping", |flow: &mut Flow| {
        let order = flow.value(3_u32);
        flow.job(ship(order).start_to_close(std::time::Duration::from_secs(5)));
        let rows = flow.value(vec![1_u32]);
        flow.job(count(rows));
    })?;
    let plan = workflow.plan(None)?;
    let policies: Vec<_> = plan
        .graph()
        .policies()
        .map(|(job, retry, limits)| (job, retry.maximum_attempts, limits.start_to_close))
        .collect();
    let five = Some(std::time::Duration::from_secs(5));
    assert_eq!(policies, [("ship", 4, five), ("count", 1, None)]);
    Ok(())
}

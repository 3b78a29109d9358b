//! Application state: set on an engine, taken by jobs, and checked before a run begins.

#[path = "support/cut_off.rs"]
mod cut_off;
#[path = "support/over_memory.rs"]
mod over_memory;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use cut_off::CutOff;
use futures::executor::block_on;
use insta::assert_snapshot;
use workflow_core::engine::ResumeError;
use workflow_core::event::Stall;
use workflow_core::id::RunId;
use workflow_core::prelude::*;
use workflow_core::store::{MemoryStore, Store as _, WorkflowSnapshot};
use workflow_core::workflow::FunctionWorkflow;

/// A pool that counts its uses.
struct Pool {
    name: &'static str,
    asked: AtomicU32,
}

impl Pool {
    fn new(name: &'static str) -> Self {
        Self { name, asked: AtomicU32::new(0) }
    }

    fn ask(&self, what: &str) -> String {
        self.asked.fetch_add(1, Ordering::SeqCst);
        format!("{}: {what}", self.name)
    }
}

struct Rate(u32);

#[job]
async fn first(db: State<Pool>, order: String) -> String {
    db.ask(&order)
}

#[job]
fn middle(order: &str, db: State<Pool>, ctx: &JobContext, times: u32) -> Result<String, JobError> {
    Ok(format!("{} in {}", db.ask(&order.repeat(times as usize)), ctx.job_name()))
}

#[job(inline)]
fn last(parts: Each<'_, String>, title: Option<&str>, rate: State<Rate>) -> (String, u32) {
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    (format!("{}{}", title.unwrap_or_default(), parts.join("; ")), rate.0)
}

#[job]
async fn both(ctx: JobContext, rate: State<Rate>, db: State<Pool>) -> String {
    let also = ctx.state::<Rate>().map(|also| also.0 == rate.0);
    format!("{} {} {also:?}", db.ask("both"), rate.0)
}

#[register_workflow(name = "state: every position")]
fn every_position(flow: &mut Flow, order: Handle<String>) -> Handle<(String, u32)> {
    let one = flow.job(first(order));
    let two = flow.job(middle(order, 2));
    let three = flow.job(both());
    let title = flow.value("> ".to_owned());
    flow.job(last([one, two, three], title))
}

fn engine(name: &'static str, rate: u32) -> Engine {
    Engine::builder().state(Pool::new(name)).state(Rate(rate)).build()
}

#[test]
fn jobs_take_state_in_any_position_and_no_engine_sees_that_of_another() {
    let (one, two) = (engine("one", 1), engine("two", 2));
    for (engine, said) in [
        (&one, ("> one: tea; one: teatea in middle; one: both 1 Ok(true)".to_owned(), 1)),
        (&two, ("> two: tea; two: teatea in middle; two: both 2 Ok(true)".to_owned(), 2)),
    ] {
        let report = engine.run("state: every position").input("tea").wait().expect("it completes");
        assert_eq!(report.output::<(String, u32)>(), Ok(said));
    }
    // An engine built from another inherits its state; setting a type again replaces it.
    let three = two.to_builder().state(Pool::new("three")).build();
    let report = three.run("state: every position").input("x").wait().expect("it completes");
    let (said, rate) = report.output::<(String, u32)>().expect("a pair");
    assert!(said.starts_with("> three: x") && rate == 2, "{said} {rate}");
}

/// The error of an engine without state, which must not begin the run.
fn refused(engine: &Engine, name: &'static str) -> String {
    let store = Arc::new(MemoryStore::new());
    let error = engine.run(name).wait().expect_err("state is missing");
    assert!(matches!(error, RunError::MissingState { .. }), "{error}");
    let kept = engine.to_builder().store(store.clone()).build();
    let also = kept.run(name).start().map(drop).expect_err("state is missing");
    assert_eq!((also.to_string(), store.runs().len()), (error.to_string(), 0));
    error.to_string()
}

#[register_workflow(name = "state: graph")]
fn graph(flow: &mut Flow) -> Handle<String> {
    let order = flow.value("tea".to_owned());
    flow.job(first(order).name("ask"))
}

#[register_workflow(name = "state: mapped")]
fn mapped(flow: &mut Flow) -> Handle<Vec<String>> {
    let orders = flow.value(vec!["tea".to_owned(), "cake".to_owned()]);
    flow.job(map(orders, first).name("asks"))
}

#[job]
fn number() -> u32 {
    1
}

#[job]
fn take_back(number: &u32, db: State<Pool>) {
    db.ask(&number.to_string());
}

#[register_workflow(name = "state: undone")]
fn undone(flow: &mut Flow) {
    flow.job(number().compensate(take_back));
}

#[register_workflow(name = "state: function")]
async fn function(ctx: WorkflowContext, db: State<Pool>) -> Result<String, JobError> {
    let first = ctx.run(first, "tea".to_owned()).await?;
    Ok(format!("{first}, {}", db.ask("function")))
}

#[register_workflow(name = "state: outer")]
fn outer(flow: &mut Flow) -> Handle<String> {
    let nothing = flow.value(());
    let middle = flow.job(registry::call::<(), String>("state: between", nothing));
    flow.job(registry::call::<_, String>("state: unknown", middle).when(middle, |_| false));
    middle
}

/// Calls itself under a condition; the check of state must not recurse endlessly.
#[register_workflow(name = "state: between")]
fn between(flow: &mut Flow) -> Handle<String> {
    let nothing = flow.value(());
    let ends = flow.value(true);
    let again = registry::call::<(), String>("state: between", nothing);
    flow.job(again.name("again").when(ends, |ends| !ends));
    flow.job(registry::call::<(), String>("state: function", nothing))
}

#[test]
fn missing_state_is_an_error_before_the_run_begins_wherever_a_job_takes_it() {
    let none = Engine::default();
    assert_snapshot!(refused(&none, "state: graph"), @"workflow `state: graph`: job `ask` takes `State<Pool>`, which the engine does not have; add `.state(..)` with a `Pool` to `Engine::builder()`");
    let other = Engine::builder().state(Rate(1)).state(Arc::new(Pool::new("shared"))).build();
    assert_snapshot!(refused(&other, "state: graph"), @"workflow `state: graph`: job `ask` takes `State<Pool>`, which the engine does not have; add `.state(..)` with a `Pool` to `Engine::builder()` (the engine has: `Arc<Pool>`, `Rate`)");
    assert_snapshot!(refused(&none, "state: mapped"), @"workflow `state: mapped`: job `asks` takes `State<Pool>`, which the engine does not have; add `.state(..)` with a `Pool` to `Engine::builder()`");
    assert_snapshot!(refused(&none, "state: undone"), @"workflow `state: undone`: job `number` takes `State<Pool>`, which the engine does not have; add `.state(..)` with a `Pool` to `Engine::builder()`");
    assert_snapshot!(refused(&none, "state: function"), @"workflow `state: function`: job `state: function` takes `State<Pool>`, which the engine does not have; add `.state(..)` with a `Pool` to `Engine::builder()`");
    assert_snapshot!(refused(&none, "state: outer"), @"workflow `state: function`: job `state: function` takes `State<Pool>`, which the engine does not have; add `.state(..)` with a `Pool` to `Engine::builder()`");
    for (name, said) in [
        ("state: graph", "\"db: tea\""),
        ("state: mapped", "[\"db: tea\",\"db: cake\"]"),
        ("state: function", "\"db: tea, db: function\""),
        ("state: outer", "\"db: tea, db: function\""),
    ] {
        let report = engine("db", 1).run(name).wait().expect("it completes");
        assert_eq!(report.output_json().expect("an output").to_string(), said, "{name}");
    }
}

#[register_workflow(name = "state: as it goes")]
async fn as_it_goes(ctx: WorkflowContext, how: &str) -> Result<Vec<String>, JobError> {
    let tea = || vec!["tea".to_owned()];
    match how {
        "run" => Ok(vec![ctx.run(first, "tea".to_owned()).await?]),
        "map" => ctx.run(|list| map(list, first).name("asks"), tea()).await,
        _ => Ok(vec![ctx.run(|_: Handle<()>| both(), ()).await?]),
    }
}

#[test]
fn calling_a_job_without_its_state_fails() {
    for (how, job) in [("run", "first"), ("map", "asks"), ("bare", "both")] {
        let engine = Engine::default();
        let error = engine.run("state: as it goes").input(how).wait().expect_err("it is missing");
        let report = error.report().expect("it began");
        let message = error.to_string();
        let said =
            format!("job `{job}` takes `State<{}>`", if how == "bare" { "Rate" } else { "Pool" });
        assert!(message.contains(&said), "{message}");
        // No job was started for it.
        assert_eq!(report.jobs().len(), 1, "{how}");
    }
}

struct Asks;

#[async_trait]
impl Job for Asks {
    type Input = String;
    type Output = String;

    fn name(&self) -> &'static str {
        "asks"
    }

    async fn run(&self, ctx: &JobContext, order: &String) -> Result<String, JobError> {
        Ok(ctx.state::<Pool>()?.ask(order))
    }
}

#[test]
fn a_job_value_takes_state_from_its_context() {
    let workflow = |is_announced: bool| {
        FunctionWorkflow::new("state: job", move |flow: &mut Flow| {
            let order = flow.value("tea".to_owned());
            let call = call_job(Asks, order);
            flow.job(if is_announced { call.requires_state::<Pool>() } else { call })
        })
        .expect("a name")
    };
    let report = engine("db", 1).run(workflow(true)).wait().expect("it completes");
    assert_eq!(report.output_ref::<String>().expect("a text"), "db: tea");
    let refused = Engine::default().run(workflow(true)).wait();
    assert!(matches!(refused, Err(RunError::MissingState { .. })), "{refused:?}");
    let failed = Engine::default().run(workflow(false)).wait().expect_err("it is missing");
    let message = failed.to_string();
    assert!(message.contains("job `asks` takes `State<Pool>`"), "{message}");
}

#[test]
fn outside_a_run_the_caller_passes_the_state() {
    let error = block_on(both().run_detached()).expect_err("there is no engine").to_string();
    assert_snapshot!(error, @"`State<Rate>` is available only in jobs that an engine runs; outside of a run, call the function with `State::new(..)`: `job::call(state, ..)`");
    let detached = WorkflowContext::detached();
    assert!(block_on(detached.run(first, "tea".to_owned())).is_err());
    let db = State::new(Pool::new("test"));
    assert_eq!(block_on(first::call(db.clone(), "tea".to_owned())), "test: tea");
    let ctx = JobContext::detached();
    assert_eq!(middle::call("tea", db.clone(), &ctx, 1).expect("it is there"), "test: tea in ");
    assert_eq!(db.asked.load(Ordering::SeqCst), 2);
}

#[test]
fn state_is_no_input() {
    let entry = registry::job("middle").expect("it is registered");
    let names: Vec<_> = entry.inputs.expect("they have names")().iter().map(|it| it.0).collect();
    assert_eq!(names, ["order", "times"]);
    let entry = registry::job("both").expect("it is registered");
    assert!(entry.inputs.expect("they have names")().is_empty());

    #[job(name = "first")]
    async fn stateless(order: String) -> String {
        order
    }
    let snapshot = |with_state: bool| {
        let draw = move |flow: &mut Flow| {
            let order = flow.value(String::new());
            flow.job(if with_state { first(order) } else { stateless(order) })
        };
        WorkflowSnapshot::of(&FunctionWorkflow::new("state: shape", draw).expect("a name"))
    };
    assert_eq!(snapshot(true), snapshot(false));
    let function = registry::get("state: function").expect("it is registered").workflow();
    assert!(function.input().is_none());
}

#[job]
fn pair(number: &u32, db: State<Pool>) -> String {
    db.ask(&number.to_string())
}

#[register_workflow(name = "state: kept")]
fn kept(flow: &mut Flow) -> Handle<String> {
    let number = flow.job(number());
    flow.job(pair(number))
}

fn only(store: &MemoryStore) -> RunId {
    store.runs().first().map(|(run, _)| *run).expect("there is one")
}

#[test]
fn a_persisted_run_waits_for_an_engine_with_its_state() {
    let store = Arc::new(MemoryStore::new());
    let builder = engine("first", 1).to_builder().lease(Duration::ZERO);
    let cut_off = builder.store(CutOff::after(2, &store)).build().run("state: kept").wait();
    assert!(matches!(cut_off, Err(RunError::Store { .. })), "{cut_off:?}");
    let run = only(&store);

    let without = Engine::builder().store(store.clone()).build();
    for _ in 0..2 {
        let recovery = block_on(without.recover()).expect("memory can be read");
        let [(id, ResumeError::State(error))] = &recovery.refused[..] else {
            panic!("{:?}", recovery.refused)
        };
        assert_eq!(*id, run);
        assert!(error.to_string().contains("job `pair` takes `State<Pool>`"), "{error}");
    }
    let followed = block_on(without.follow(run)).expect_err("it cannot be taken up");
    assert!(followed.to_string().contains("job `pair` takes `State<Pool>`"), "{followed}");
    let stall = block_on(store.run(run)).expect("readable").expect("it is there").blocked;
    let stall = Stall::Blocked(stall.expect("it is blocked"));
    assert_eq!(stall.reason(), "state_missing");
    assert_eq!(stall.cure(), "start a program whose engine has the state, or cancel the run");

    let with = engine("second", 1).to_builder().store(store.clone()).build();
    let recovery = block_on(with.recover()).expect("memory can be read");
    let [taken_up] = &recovery.runs[..] else { panic!("{:?}", recovery.refused) };
    let report = taken_up.wait().expect("it completes");
    assert_eq!(report.output::<String>(), Ok("second: 1".to_owned()));
}

#[test]
fn enqueueing_a_run_needs_no_state() {
    let store = Arc::new(MemoryStore::new());
    let without = Engine::builder().store(store.clone()).build();
    let run = block_on(without.run("state: kept").enqueue()).expect("it is kept");
    // An engine without the state does not resume it.
    let recovery = block_on(without.recover()).expect("memory can be read");
    assert!(matches!(recovery.refused[..], [(id, ResumeError::State(_))] if id == run));
    assert_eq!(block_on(store.events(run, 0, usize::MAX)).expect("readable"), []);
    let with = engine("db", 1).to_builder().store(store.clone()).build();
    block_on(with.recover()).expect("memory can be read");
    let report = block_on(with.follow(run)).expect("it completes");
    assert_eq!(report.output::<String>(), Ok("db: 1".to_owned()));
}

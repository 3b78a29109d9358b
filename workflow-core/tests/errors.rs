//! The text of every error: what failed, where, and how to fix it.

#[path = "support/broken_store.rs"]
mod broken_store;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use futures::channel::oneshot;
use futures::executor::block_on;
use futures::future::{Either, select};
use insta::assert_snapshot;
use serde::{Deserialize, Serialize};
use workflow_core::__private::{AttemptIo, Body, Inputs, Type};
use workflow_core::definition::{Definition, Metadata, MetadataError};
use workflow_core::engine::ManualClock;
use workflow_core::event::{Event, EventKind, Failure};
use workflow_core::graph::{Graph, GraphError};
use workflow_core::id::{JobName, NameError, RunId, RunIdError, WorkflowName};
use workflow_core::job::JobErrorKind;
use workflow_core::prelude::*;
use workflow_core::registry::{Location, RegistryError};
use workflow_core::run::InputError;
use workflow_core::store::{Lease, MemoryStore, MessageKind, OwnerId, Store as _, StoreError};
use workflow_core::workflow::{FunctionWorkflow, OutputOf, PlanError};

use broken_store::Broken;

fn workflow<D: OutputOf>(
    draw: impl Fn(&mut Flow) -> D + Send + Sync + 'static,
) -> FunctionWorkflow {
    FunctionWorkflow::new("nightly", draw).expect("a name")
}

fn run<D: OutputOf>(
    draw: impl Fn(&mut Flow) -> D + Send + Sync + 'static,
) -> Result<Report, RunError> {
    Engine::default().run(workflow(draw)).wait()
}

/// The error's text, with a placeholder for the run's ID.
fn text(error: &RunError) -> String {
    let id = match error {
        RunError::Store { run, .. } => Some(*run),
        error => error.report().map(Report::id),
    };
    let text = error.to_string();
    id.map_or(text.clone(), |id| text.replace(&id.to_string(), "[run]"))
}

fn failure(error: &RunError, job: &str) -> Failure {
    let job = error.report().and_then(|report| report.job(job)).expect("the run has the job");
    job.error.expect("the job failed")
}

#[job(inline)]
fn one() -> u32 {
    1
}

#[job(inline)]
fn increment(number: u32) -> u32 {
    number + 1
}

#[job(inline)]
fn refuse() -> Result<u32, JobError> {
    Err(JobError::terminal("the disk is full"))
}

#[test]
fn names() {
    let wrong = |name: String| WorkflowName::new(name).expect_err("no name");
    assert_snapshot!(wrong(String::new()), @"a name is empty; give it 1 to 200 characters");
    assert_snapshot!(wrong("x".repeat(201)), @"the name `xxxxxxxxxxxxxxxxxxxxxxxx...` has 201 characters; the limit is 200");
    assert_snapshot!(wrong(" nightly".to_owned()), @r#"the name " nightly" starts or ends with white space; remove it"#);
    assert_snapshot!(wrong("night\nly".to_owned()), @r#"the name "night\nly" contains a control character; use printable text"#);
    assert_eq!(JobName::new("").expect_err("no name"), NameError::Empty);
}

#[test]
fn run_ids() {
    let error: RunIdError = "0198".parse::<RunId>().expect_err("no id");
    assert_snapshot!(error, @"invalid run ID `0198`; a run ID is a UUID such as 01980000-0000-7000-8000-000000000000");
}

#[test]
fn metadata() {
    let wrong = |text: &str| text.parse::<Metadata>().expect_err("no metadata");
    assert_snapshot!(wrong("{ \"owner\": web }"), @"metadata is not valid JSON: `web` is neither in double quotes nor a JSON value (line 1, column 12)");
    assert_snapshot!(wrong("[1]"), @r#"metadata is a list; it must be a JSON object such as { "owner": "web" }"#);
    assert_snapshot!(wrong("\"{}\""), @r#"metadata is a string; it must be a JSON object such as { "owner": "web" }"#);
    assert_snapshot!(wrong("{ \"owner\": 3 }"), @"metadata `owner` is a number; it must be a string");
    assert_snapshot!(wrong("{ \"tags\": \"a\" }"), @"metadata `tags` is a string; it must be a list of strings");
    assert_snapshot!(wrong("{ \"tags\": [\"a\", 1] }"), @"metadata `tags` is a list with other values; it must be a list of strings");
    assert_eq!(
        Metadata::new(serde_json::json!(null)),
        Err(MetadataError::NotAnObject("null")),
        "as a value and as text"
    );
}

/// A definition of jobs, each with its dependencies.
fn definition<const N: usize>(jobs: [(&str, &[&str]); N]) -> Definition {
    let empty = Definition::new("nightly").expect("a name");
    jobs.into_iter().fold(empty, |definition, (name, depends_on)| {
        definition.job(name, depends_on.iter().copied()).expect("a name")
    })
}

#[test]
fn definitions_that_are_no_graph() {
    let wrong = |definition: &Definition| Graph::compile(definition).expect_err("no graph");
    assert_snapshot!(wrong(&definition([])), @"the workflow has no jobs; add one with `flow.job(..)`");
    assert_snapshot!(wrong(&definition([("load", &[]), ("load", &[])])), @"two jobs are named `load`; give one of them another name");
    let jobs: [(&str, &[&str]); 5] = [
        ("extract", &[]),
        ("report", &["load"]),
        ("load", &["transform"]),
        ("transform", &["extract", "check"]),
        ("check", &["load"]),
    ];
    assert_snapshot!(wrong(&definition(jobs)), @"jobs wait on each other: load -> check -> transform -> load, each for the one before it; remove one of these dependencies");
    assert_snapshot!(wrong(&definition([("load", &["load"])])), @"jobs wait on each other: load -> load, each for the one before it; remove one of these dependencies");
    assert_snapshot!(wrong(&definition([("extract", &[]), ("load", &["extrakt"])])), @"job `load` depends on `extrakt`, which is not defined; did you mean `extract`?");
    assert_snapshot!(wrong(&definition([("extract", &[]), ("load", &["zzz"])])), @"job `load` depends on `zzz`, which is not defined; define it, or remove the dependency");
    let groups = |members: &[u32], waits: &[(usize, u32)]| {
        let jobs: [(&str, &[&str]); 4] =
            [("extract", &[]), ("check", &[]), ("load", &["check"]), ("report", &[])];
        let mut definition = definition(jobs);
        definition.groups = vec![vec![], members.to_vec()];
        for (job, group) in waits {
            definition.jobs[*job].depends_on_groups.push(*group);
        }
        definition
    };
    assert_snapshot!(wrong(&groups(&[0, 2], &[(1, 1)])), @"jobs wait on each other: check -> load -> check, each for the one before it; remove one of these dependencies");
    assert_snapshot!(wrong(&groups(&[0, 1], &[(0, 1), (3, 1)])), @"jobs wait on each other: extract -> extract, each for the one before it; remove one of these dependencies");
    assert_snapshot!(wrong(&groups(&[0, 4], &[(3, 1)])), @"group 1 contains job number 4, but the definition has 4 jobs, numbered from 0; correct the number");
    assert_snapshot!(wrong(&groups(&[0, 1], &[(3, 2)])), @"job `report` depends on group 2, but the definition has 2 of them, numbered from 0; add the group to `groups`, or correct the number");
    let drawn = |draw: fn(&mut Flow)| {
        let mut flow = Flow::new();
        draw(&mut flow);
        flow.plan().expect_err("no plan")
    };
    let zero = drawn(|flow| {
        flow.job(one().name("load").heartbeat(Duration::ZERO));
    });
    assert_snapshot!(zero, @"the timeout `heartbeat` of job `load` is 0, so nothing could run; set it above 0, or remove it");
    let zero = drawn(|flow| {
        flow.job(one().compensate(|_| one().start_to_close(Duration::ZERO)));
    });
    assert_snapshot!(zero, @"the timeout `start_to_close` of job `one` is 0, so nothing could run; set it above 0, or remove it");
    let zero = drawn(|flow| {
        flow.timeout(Duration::ZERO);
        flow.job(one());
    });
    assert_snapshot!(zero, @"the timeout of the run is 0, so nothing could run; set it above 0, or remove it");
    assert_snapshot!(GraphError::TooLarge, @"the graph is too large: at most 2147483647 jobs and 4294967295 edges");
}

#[test]
fn flows_that_are_no_graph() {
    let wrong = |draw: &dyn Fn(&mut Flow)| {
        let mut flow = Flow::new();
        draw(&mut flow);
        flow.plan().expect_err("no plan")
    };
    assert_snapshot!(wrong(&|_| ()), @"the workflow has no jobs; add one with `flow.job(..)`");
    let twice = |flow: &mut Flow| {
        flow.job(one().name("load"));
        flow.job(one().name("load"));
    };
    assert_snapshot!(wrong(&twice), @"two jobs are named `load`; give one of them another name");
    assert_snapshot!(wrong(&|flow| { flow.job(one().name("load\n")); }), @r#"invalid job name: the name "load\n" contains a control character; use printable text"#);
    let foreign = |flow: &mut Flow| {
        let elsewhere = Flow::new().job(one());
        flow.job(increment(elsewhere));
    };
    assert_snapshot!(wrong(&foreign), @"job `increment` reads a handle that another flow gave out; draw both jobs in one flow, or pass the value as input");
    let foreign = |flow: &mut Flow| {
        let elsewhere = Flow::new().job(one());
        flow.job(one().name("load").after(elsewhere));
    };
    assert_snapshot!(wrong(&foreign), @"job `load` reads a handle that another flow gave out; draw both jobs in one flow, or pass the value as input");
    let foreign = |flow: &mut Flow| {
        let elsewhere = Flow::new().job(one());
        let group = flow.group([elsewhere]);
        flow.job(one().name("load").after_group(group));
    };
    assert_snapshot!(wrong(&foreign), @"a group contains a job of another flow; make the group with the flow that its jobs are drawn in");
    let foreign = |flow: &mut Flow| {
        let elsewhere = flow.job(one());
        let mut other = Flow::new();
        let group = other.group([elsewhere]);
        flow.job(one().name("load").after_group(group));
    };
    assert_snapshot!(wrong(&foreign), @"job `load` waits for a group of another flow; make the group with the flow that the job is drawn in");
    let foreign = |flow: &mut Flow| {
        flow.job(one());
        flow.output(Flow::new().job(one()));
    };
    assert_snapshot!(wrong(&foreign), @"the workflow's output reads a handle that another flow gave out; draw both jobs in one flow, or pass the value as input");
}

#[test]
fn workflows_that_cannot_be_drawn() {
    let wrong = |workflow: FunctionWorkflow| {
        let error = Engine::default().run(workflow).wait().expect_err("no plan");
        let RunError::Plan { error: PlanError::Draw(_) | PlanError::Panicked(_), .. } = &error
        else {
            panic!("{error}");
        };
        text(&error)
    };
    let fails = workflow(|_| "x".parse::<u8>().map(drop).map_err(JobError::from));
    assert_snapshot!(wrong(fails), @"workflow `nightly`: the workflow's graph could not be drawn: invalid digit found in string");
    assert_snapshot!(wrong(workflow(|_| -> () { panic!("no table `prices`") })), @"workflow `nightly`: the workflow's graph could not be drawn: its function panicked: no table `prices`");
    assert_snapshot!(wrong(workflow(|_| -> () { std::panic::panic_any(7) })), @"workflow `nightly`: the workflow's graph could not be drawn: its function panicked: a panic without a text");

    let per_input = FunctionWorkflow::per_input("nightly", |_, _: &u32| ());
    let per_input: Arc<dyn Workflow> = Arc::new(per_input.expect("a name"));
    let missing = per_input.plan(None).expect_err("it needs an input");
    assert_snapshot!(missing, @"the workflow's graph depends on its input, and there is none");
    let other = per_input.plan(Some(&"text")).expect_err("it needs a number");
    assert_snapshot!(other, @"the workflow's graph could not be drawn: the input has another type than the workflow's");
}

#[test]
fn runs_that_cannot_begin() {
    let error = run(|_| ()).expect_err("there is nothing to run");
    assert_snapshot!(text(&error), @"workflow `nightly`: the workflow has no jobs; add one with `flow.job(..)`");
    assert!(error.report().is_none());

    let engine = Engine::builder().limit("db", 2).limit("gpu", 1).build();
    let limited = || workflow(|flow| flow.job(one().limit("dv")));
    let error = engine.run(limited()).wait().expect_err("there is no such limit");
    assert_snapshot!(text(&error), @r#"workflow `nightly`: job `one` names the limit `dv`, which neither the engine nor the workflow has; add `.limit("dv", n)` to the engine's builder, or `flow.limit("dv", n)` to the workflow (known limits: db, gpu)"#);
    let error = Engine::default().run(limited()).wait().expect_err("there is no limit at all");
    assert_snapshot!(text(&error), @r#"workflow `nightly`: job `one` names the limit `dv`, which neither the engine nor the workflow has; add `.limit("dv", n)` to the engine's builder, or `flow.limit("dv", n)` to the workflow"#);

    let error = Engine::default().run("nigthly").wait().expect_err("there is no such workflow");
    assert!(matches!(error, RunError::Registry(_)));
    assert_eq!(format!("{error:?}"), error.to_string(), "main prints the Debug form");
}

#[test]
fn runs_that_fail() {
    let error = run(|flow| {
        flow.job(one());
        let bad = flow.job(refuse().name("load"));
        flow.job(increment(bad));
    });
    let error = error.expect_err("a job fails");
    assert_snapshot!(text(&error), @"run [run] of `nightly` failed: job `load` failed: the disk is full");

    let clock = ManualClock::new();
    let engine = Engine::builder().clock(clock.clone()).threads(1).build();
    let slow = workflow(|flow| {
        flow.timeout(Duration::from_secs(60));
        flow.job(deaf());
    });
    let error = block_on(clock.drive(engine.run(slow).into_future())).expect_err("it is slow");
    assert_snapshot!(text(&error), @"run [run] of `nightly` failed: the run timed out after 60s");
    assert_snapshot!(failure(&error, "deaf"), @"stopped: the run timed out after 60s; it did not stop within its grace period of 5s; it was dropped");
}

#[job]
async fn hang() {
    std::future::pending().await
}

#[test]
fn runs_that_are_cancelled() {
    let hangs = workflow(|flow| {
        let first = flow.job(one());
        let hang = flow.job(hang().after(first));
        flow.job(one().after(hang));
    });
    let run = Engine::default().run(hangs).start().expect("it starts");
    let mut events = futures::executor::block_on_stream(run.events());
    let started =
        |event: &Event| matches!(&event.kind, EventKind::JobStarted { job, .. } if job == "hang");
    assert!(events.any(|event| started(&event)));
    run.cancel();
    let error = block_on(run.outcome()).expect_err("it was cancelled");
    assert_snapshot!(text(&error), @"run [run] of `nightly` was cancelled: 1 of 3 jobs completed");
    assert_snapshot!(failure(&error, "hang"), @"cancelled");
    let never = error.report().and_then(|report| report.job("one_2")).expect("a job");
    assert_snapshot!(never.skipped_because.expect("it was skipped"), @"the run was cancelled");
}

#[test]
fn stores() {
    let engine = Engine::builder().store(Broken("no route to host `db-1`")).build();
    let error = engine.run(workflow(|flow| flow.job(one()))).wait().expect_err("nothing is kept");
    assert_snapshot!(text(&error), @"run [run] was stopped because the store could not persist its events: no route to host `db-1`");

    let store = Arc::new(MemoryStore::new());
    let engine = Engine::builder().store(store.clone()).build();
    let report = engine.run(workflow(|flow| flow.job(one()))).wait().expect("it completes");
    let run = report.id();
    let text = |error: StoreError| error.to_string().replace(&run.to_string(), "[run]");
    let gap = StoreError::Gap { run, wanted: 0, found: 2 };
    assert_snapshot!(text(gap), @"run [run]: event 2 was appended, but event 0 must be next");
    let stranger = Lease { run, owner: OwnerId::random(), token: 1 };
    let lost = block_on(store.append(&stranger, &[])).expect_err("it is not theirs");
    assert_snapshot!(text(lost), @"lost the lease on run [run]: another process has taken it over");
    let ended = block_on(store.send(run, MessageKind::Cancel)).expect_err("it has ended");
    assert_snapshot!(text(ended), @"run [run] has ended (completed)");
    let unknown = block_on(store.send(RunId::from_u128(7), MessageKind::Cancel));
    assert_snapshot!(text(unknown.expect_err("there is none")), @"the store has no run 00000000-0000-0000-0000-000000000007");

    let blocked = block_on(engine.unblock(run)).expect_err("it is not blocked");
    assert_snapshot!(text(blocked), @"run [run] is not blocked");

    let keyed = |draw: fn(&mut Flow)| engine.run(workflow(draw)).idempotency_key("monday");
    let first = keyed(|flow| _ = flow.job(one())).wait().expect("it completes").id();
    let other = FunctionWorkflow::new("weekly", |flow: &mut Flow| flow.job(one())).expect("a name");
    let other = engine.run(other).idempotency_key("monday").wait().expect_err("there is one");
    let other = other.to_string().replace(&first.to_string(), "[run]");
    assert_snapshot!(other, @"workflow `weekly`: idempotency key `monday` was already used for run [run] of workflow `nightly`; use a new key for a different request");

    struct Opaque;
    #[job]
    fn hides() -> Arc<Opaque> {
        Arc::new(Opaque)
    }
    let opaque = workflow(|flow| _ = flow.job(hides().name("secret")));
    let unkeepable = engine.run(opaque).wait().expect_err("it cannot be kept");
    assert_snapshot!(unkeepable.to_string(), @"workflow `nightly`: the output of job `secret` is a `Arc<Opaque>`, which a store cannot persist; derive `serde::Serialize` and `serde::Deserialize` for it");
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Order {
    item: String,
    price: u32,
}

#[register_workflow(name = "errors: price")]
fn price(order: Order) -> u32 {
    order.price
}

#[register_workflow(name = "errors: prices")]
fn prices(orders: Vec<Order>) -> u32 {
    orders.iter().map(|order| order.price).sum()
}

/// Has no JSON form.
#[derive(Debug, Clone, Copy)]
struct Secret(u32);

#[register_workflow(name = "errors: unlock")]
fn unlock(secret: Secret) -> u32 {
    secret.0
}

#[register_workflow(name = "errors: no input")]
fn no_input() {}

#[test]
fn inputs() {
    let wrong = |request: workflow_core::engine::RunRequest| {
        let error = request.wait().expect_err("the input does not fit");
        let RunError::Input {
            error:
                InputError::Missing { .. }
                | InputError::Unwanted
                | InputError::Shape(_)
                | InputError::Type { .. },
            ..
        } = &error
        else {
            panic!("{error}");
        };
        text(&error)
    };
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("is JSON");
    assert_snapshot!(wrong(registry::run("errors: price")), @"workflow `errors: price`: it needs an input of type `Order`; pass one with `.input(..)`");
    assert_snapshot!(wrong(registry::run("errors: no input").input(3)), @"workflow `errors: no input`: it takes no input, but one was given; remove `.input(..)`");
    assert_snapshot!(wrong(registry::run("errors: price").input("tea")), @r#"workflow `errors: price`: invalid input: `Order` cannot be read from this JSON: expected an object, found the string "tea""#);
    let orders = json(r#"[{ "item": "tea", "price": 3 }, { "item": "cake", "price": "4" }]"#);
    assert_snapshot!(wrong(registry::run("errors: prices").input(orders)), @r#"workflow `errors: prices`: invalid input: `Vec<Order>` cannot be read from this JSON at `[1].price`: expected a non-negative integer, found the string "4""#);
    assert_snapshot!(wrong(registry::run("errors: price").input(json(r#"{ "item": "tea" }"#))), @"workflow `errors: price`: invalid input: `Order` cannot be read from this JSON: the field `price` is missing");
    assert_snapshot!(wrong(registry::run("errors: price").input_value(3_u64)), @"workflow `errors: price`: its input is of type `Order`, but a `u64` was given");
    assert_snapshot!(wrong(registry::run("errors: unlock").input(3)), @"workflow `errors: unlock`: invalid input: `Secret` has no JSON form; derive `serde::Serialize` and `serde::Deserialize` for it, or pass it with `.input_value(..)`");
    let keys = HashMap::from([((1, 2), 3)]);
    assert_snapshot!(wrong(registry::run("errors: price").input(keys)), @"workflow `errors: price`: invalid input: `HashMap<(i32, i32), i32>` cannot be written as JSON: key must be a string");
}

#[job(inline)]
fn orders() -> Vec<Order> {
    let order = |item: &str, price| Order { item: item.to_owned(), price };
    vec![order("tea", 3), order("cake", 4)]
}

#[job(inline)]
fn secret() -> Secret {
    Secret(7)
}

/// Has neither `Clone` nor a JSON form, but implements `Deserialize`.
#[derive(Debug, Deserialize)]
struct Ticket(#[expect(dead_code, reason = "only its type matters")] u32);

#[job(inline)]
fn ticket() -> Ticket {
    Ticket(1)
}

#[test]
fn outputs() {
    let report = run(|flow| {
        flow.job(one());
    });
    let none = report.expect("it completes");
    assert_snapshot!(none.output::<u32>().expect_err("no output"), @"workflow `nightly` has no output; return a `Handle` from the function that draws it");
    assert_snapshot!(none.output_of::<u32>("ones").expect_err("no such job"), @"workflow `nightly` has no job named `ones` (did you mean `one`?)");
    assert_snapshot!(none.output_of::<u32>("zzz").expect_err("no such job"), @"workflow `nightly` has no job named `zzz`");
    assert_snapshot!(none.output_of::<u64>("one").expect_err("of another type"), @"the output of job `one` of workflow `nightly` is of type `u32`, not `u64`; read it as its own type");

    let report = run(|flow| {
        let number = flow.job(one());
        flow.job(increment(number).when(number, |number| *number > 1))
    });
    let skipped = report.expect("a condition is no failure");
    assert_snapshot!(skipped.output::<u32>().expect_err("it was skipped"), @"workflow `nightly` has no output, because job `increment`, which produces it, did not complete (skipped)");
    assert_snapshot!(skipped.output_of::<u32>("increment").expect_err("it was skipped"), @"workflow `nightly` has no output, because job `increment`, which produces it, did not complete (skipped)");

    let report = run(|flow| flow.job(orders())).expect("it completes");
    assert_snapshot!(report.output::<u32>().expect_err("a list"), @"the output of workflow `nightly` is of type `Vec<Order>`, not `u32`: `u32` cannot be read from this JSON: expected a non-negative integer, found a list");
    #[derive(Debug, Deserialize)]
    struct Priced {
        #[expect(dead_code, reason = "only its type matters")]
        price: String,
    }
    assert_snapshot!(report.output::<Vec<Priced>>().expect_err("a number"), @"the output of workflow `nightly` is of type `Vec<Order>`, not `Vec<Priced>`: `Vec<Priced>` cannot be read from this JSON at `[0].price`: expected a string, found the number 3");
    mod other {
        #[derive(Debug, serde::Deserialize)]
        pub(super) struct Order {
            #[expect(dead_code, reason = "only its type matters")]
            id: u32,
        }
    }
    assert_snapshot!(report.output::<Vec<other::Order>>().expect_err("of one name"), @"the output of workflow `nightly` is of type `alloc::vec::Vec<errors::Order>`, not `alloc::vec::Vec<errors::outputs::other::Order>`: `Vec<Order>` cannot be read from this JSON at `[0]`: the field `id` is missing");
    assert_snapshot!(report.output_ref::<Vec<u32>>().expect_err("of another type"), @"the output of workflow `nightly` is of type `Vec<Order>`, not `Vec<u32>`; read it as its own type, or convert it with `output`");

    let report = run(|flow| flow.job(secret())).expect("it completes");
    assert_snapshot!(report.output::<u32>().expect_err("opaque"), @"the output of workflow `nightly` is of type `Secret`, not `u32`: `Secret` has no JSON form; derive `serde::Serialize` and `serde::Deserialize` for it");
    assert_snapshot!(report.output_json().expect_err("opaque"), @"the output of workflow `nightly`: `Secret` has no JSON form; derive `serde::Serialize` and `serde::Deserialize` for it");

    let report = run(|flow| flow.job(ticket())).expect("it completes");
    assert_snapshot!(report.output::<Ticket>().expect_err("no copy"), @"the output of workflow `nightly` is a `Ticket`, which neither implements `Clone` nor has a JSON form; read it by reference with `output_ref`");
}

#[test]
fn registry_lookups() {
    let wrong = |error: RegistryError| error.to_string();
    let unknown = wrong(registry::get("errors: prise").expect_err("no such workflow"));
    assert_snapshot!(unknown, @"no workflow `errors: prise`; did you mean `errors: prices`?");
    let unknown = wrong(registry::get("zzz").expect_err("no such workflow"));
    assert_snapshot!(unknown, @"no workflow `zzz`; if its crate is linked but never mentioned, add `use that_crate as _;`");
    let jobs = registry::jobs().len();
    let unknown = wrong(registry::job("incremend").err().expect("no such job"));
    let count = format!("{jobs} jobs");
    assert_snapshot!(unknown.replace(&count, "[count] jobs"), @"no job `incremend`; did you mean `increment`?");
}

#[test]
fn registries_that_are_not_sound() {
    let place = |line| Location::new("shop/src/prices.rs", line, 1);
    let duplicate = |what| RegistryError::Duplicate {
        what,
        name: "nightly".to_owned(),
        first: place(3),
        second: Location::new("shop/src/sales.rs", 30, 5),
    };
    assert_snapshot!(duplicate("workflow"), @"two workflows are named `nightly`: at shop/src/prices.rs:3:1 and at shop/src/sales.rs:30:5; rename one of them");
    assert_snapshot!(duplicate("job"), @"two jobs are named `nightly`: at shop/src/prices.rs:3:1 and at shop/src/sales.rs:30:5; rename one of them");
    let error = WorkflowName::new("nightly ").expect_err("no name");
    assert_snapshot!(RegistryError::Name { location: place(3), error }, @r#"invalid name of the workflow registered at shop/src/prices.rs:3:1: the name "nightly " starts or ends with white space; remove it"#);
    let error = "[]".parse::<Metadata>().expect_err("no metadata");
    let name = "nightly".to_owned();
    assert_snapshot!(RegistryError::Metadata { name, location: place(3), error }, @r#"workflow `nightly` at shop/src/prices.rs:3:1: metadata is a list; it must be a JSON object such as { "owner": "web" }"#);
}

#[test]
fn values() {
    let known = Type::opaque::<Vec<Order>>()
        .with_serialize::<Vec<Order>>()
        .with_deserialize::<Vec<Order>>();
    let read = |json| known.read(json).expect_err("of another shape");
    assert_snapshot!(read(serde_json::json!([{ "item": 3 }])), @"`Vec<Order>` cannot be read from this JSON at `[0].item`: expected a string, found the number 3");
    assert_snapshot!(read(serde_json::json!(3)), @"`Vec<Order>` cannot be read from this JSON: expected a list, found the number 3");
    let keys = HashMap::from([((1, 2), 3)]);
    let map = Type::opaque::<HashMap<(i32, i32), i32>>();
    assert_snapshot!(map.write(&keys).expect_err("opaque"), @"`HashMap<(i32, i32), i32>` has no JSON form; derive `serde::Serialize` and `serde::Deserialize` for it");
    let map = map.with_serialize::<HashMap<(i32, i32), i32>>();
    assert_snapshot!(map.write(&keys).expect_err("keys are no strings"), @"`HashMap<(i32, i32), i32>` cannot be written as JSON: key must be a string");
}

#[derive(Debug, thiserror::Error)]
#[error("cannot read the table `prices`")]
struct Outer(#[source] Middle);

#[derive(Debug, thiserror::Error)]
#[error("row 3 is damaged")]
struct Middle(#[source] std::num::ParseIntError);

fn nested() -> Outer {
    Outer(Middle("x".parse::<u8>().expect_err("x is no number")))
}

#[test]
fn job_errors_spell_out_their_causes() {
    let failure = |error: &JobError| Failure::from(error).to_string();
    let error = JobError::from(nested());
    assert_snapshot!(error, @"cannot read the table `prices`: row 3 is damaged: invalid digit found in string");
    assert_snapshot!(failure(&error), @"cannot read the table `prices`: row 3 is damaged: invalid digit found in string");
    assert_snapshot!(JobError::terminal(anyhow::Error::new(nested()).context("prices")), @"prices: cannot read the table `prices`: row 3 is damaged: invalid digit found in string");
    // A cause that the message contains already is not repeated.
    let spelled = std::io::Error::other(nested());
    assert_snapshot!(JobError::from(spelled), @"cannot read the table `prices`: row 3 is damaged: invalid digit found in string");
    assert_snapshot!(failure(&JobError::of_kind(JobErrorKind::Panicked, "index 3 of 2")), @"panicked: index 3 of 2");
}

#[job(grace)]
async fn deaf(ctx: &JobContext) {
    // Not the context's sleep, which would end early.
    let _asked = ctx.cancelled().await;
    std::future::pending().await
}

#[job(inline)]
fn broken(list: &[u32]) -> u32 {
    list[3]
}

#[test]
fn jobs_that_panic() {
    let error = run(|flow| {
        let list = flow.value(vec![1, 2]);
        flow.job(broken(list))
    });
    let error = error.expect_err("it panics");
    assert_snapshot!(text(&error), @"run [run] of `nightly` failed: job `broken` failed: panicked: index out of bounds: the len is 2 but the index is 3");
    assert_snapshot!(failure(&error, "broken"), @"panicked: index out of bounds: the len is 2 but the index is 3");
    let error = run(|flow| {
        let number = flow.job(one());
        flow.job(increment(number).when(number, |_| panic!("no such season")))
    });
    assert_snapshot!(text(&error.expect_err("its condition panics")), @"run [run] of `nightly` failed: job `increment` failed: panicked: no such season");
}

#[test]
fn jobs_that_take_too_long() {
    let clock = ManualClock::new();
    let engine = Engine::builder().clock(clock.clone()).threads(1).build();
    let slow = workflow(|flow| {
        flow.job(deaf().start_to_close(Duration::from_secs(30)));
        flow.job(hang().start_to_close(Duration::from_millis(1500)));
        flow.job(hang().name("silent").heartbeat(Duration::from_secs(5)));
        flow.job(hang().name("slow").schedule_to_close(Duration::from_secs(90)));
    });
    let error = block_on(clock.drive(engine.run(slow).into_future())).expect_err("they are slow");
    assert_snapshot!(text(&error), @"run [run] of `nightly` failed: job `hang` failed: took longer than 1.5s (start_to_close)");
    assert_snapshot!(failure(&error, "deaf"), @"took longer than 30s (start_to_close): it did not stop within its grace period of 5s; it was dropped");
    assert_snapshot!(failure(&error, "hang"), @"took longer than 1.5s (start_to_close)");
    assert_snapshot!(failure(&error, "silent"), @"sent no heartbeat for 5s (heartbeat)");
    assert_snapshot!(failure(&error, "slow"), @"took longer than 90s (schedule_to_close)");
}

/// Reports its start, and blocks until the test is over.
#[job]
fn stuck(begun: &Begun, over: &Over) {
    if let Some(begun) = begun.lock().expect("no panic").take() {
        begun.send(()).expect("the test waits");
    }
    let _ = over.lock().expect("no panic").recv();
}

type Begun = Arc<Mutex<Option<oneshot::Sender<()>>>>;
type Over = Arc<Mutex<mpsc::Receiver<()>>>;

#[test]
fn threads_that_do_not_stop() {
    let (begun, has_begun) = oneshot::channel();
    let (_over, until_over) = mpsc::channel::<()>();
    let (begun, over) = (Arc::new(Mutex::new(Some(begun))), Arc::new(Mutex::new(until_over)));
    let stuck = workflow(move |flow| {
        let (begun, over) = (flow.value(Arc::clone(&begun)), flow.value(Arc::clone(&over)));
        flow.job(stuck(begun, over).start_to_close(Duration::from_secs(30)));
    });
    let clock = ManualClock::new();
    let engine = Engine::builder().clock(clock.clone()).threads(1).build();
    let run = Box::pin(engine.run(stuck).into_future());
    let result = block_on(async {
        // The clock stands still until the job has its thread.
        match select(run, has_begun).await {
            Either::Right((_, run)) => clock.drive(run).await,
            Either::Left((result, _)) => result,
        }
    });
    assert_snapshot!(failure(&result.expect_err("it is stuck"), "stuck"), @"took longer than 30s (start_to_close): its thread runs on, and its result will be discarded");
}

#[test]
fn jobs_without_an_input() {
    let error = run(|flow| {
        let bad = flow.job(refuse());
        flow.job(increment(bad).trigger(TriggerRule::AllDone))
    });
    assert_snapshot!(failure(&error.expect_err("no input"), "increment"), @"an input of type `u32` has no value, because its job did not complete; take it as `Option<&T>` to run without it");
}

#[test]
fn calls_made_by_hand() {
    let misplaced = || {
        let body = Body::inline(|scope: &AttemptIo| scope.put("text".to_owned()));
        Call::<u32>::new("misplaced", Type::opaque::<u32>(), body, Inputs::new())
    };
    let error = run(move |flow| flow.job(misplaced())).expect_err("no place for a text");
    assert_snapshot!(failure(&error, "misplaced"), @"the job was not declared with the output type `String`");
    let empty = Body::inline(|_: &AttemptIo| Ok(()));
    let empty = Call::<u32>::new("empty", Type::opaque::<u32>(), empty, Inputs::new());
    let error = block_on(empty.run_detached()).expect_err("it leaves nothing");
    assert_snapshot!(error, @"the job ended without an output");
}

#[test]
fn jobs_outside_of_an_engine() {
    let mut flow = Flow::new();
    let list = flow.value(vec![1_u32]);
    let error = block_on(map(list, increment).run_detached()).expect_err("no list");
    assert_snapshot!(error, @"job `increment` reads handles, whose values exist only in a run; add it with `flow.job(..)`");
    let ctx = WorkflowContext::detached();
    let error = block_on(ctx.run(|list| map(list, increment), vec![1])).expect_err("no engine");
    assert_snapshot!(error, @"a map needs an engine; add it to a workflow");
    let call = |number| registry::call::<u32, u32>("errors: price", number);
    assert_snapshot!(block_on(ctx.run(call, 3)).expect_err("no engine"), @"a child workflow needs an engine, and this context has none");
    let handle = flow.job(one());
    let outer = block_on(ctx.run(move || increment(handle), ()));
    assert_snapshot!(outer.expect_err("a handle of a graph"), @"`ctx.run` was given a job that reads a handle of a graph; pass the value as input");
}

#[test]
fn workflows_as_jobs() {
    let error = run(|flow| {
        let number = flow.value(3_u32);
        flow.job(registry::call::<_, u32>("errors: prise", number))
    });
    let error = error.expect_err("no such workflow");
    assert_snapshot!(text(&error), @"run [run] of `nightly` failed: job `errors: prise` failed: no workflow `errors: prise`; did you mean `errors: prices`?");
    let error = run(|flow| {
        let number = flow.value(3_u32);
        flow.job(registry::call::<_, u32>("errors: price", number).name("call"))
    });
    assert_snapshot!(text(&error.expect_err("of another shape")), @"run [run] of `nightly` failed: job `call` failed: workflow `errors: price`: invalid input: `Order` cannot be read from this JSON: expected an object, found the number 3");
    let error = run(|flow| {
        let order = flow.job(orders());
        flow.job(registry::call::<_, String>("errors: prices", order).name("call"))
    });
    assert_snapshot!(text(&error.expect_err("of another type")), @"run [run] of `nightly` failed: job `call` failed: the output of workflow `errors: prices` is of type `u32`, not `String`: `String` cannot be read from this JSON: expected a string, found the number 7");
}

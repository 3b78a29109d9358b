//! Scopes of limits: a workflow, an engine, or the machine.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use workflow_core::engine::{LimitScope, RunHandle};
use workflow_core::prelude::*;
use workflow_core::workflow::FunctionWorkflow;

use crate::gauge::Gauge;
use crate::places::{assert_free, let_go, number, waits};
use crate::support::{named, workflow};

#[job(limit = "db")]
async fn measured(gauge: &Gauge) {
    gauge.stay().await;
}

/// Eight jobs that count against `db`, which the workflow itself limits.
fn limits_itself(name: &str, gauge: &Gauge, size: usize) -> FunctionWorkflow {
    let gauge = gauge.clone();
    named(name, move |flow| {
        flow.limit("db", size);
        let gauge = flow.value(gauge.clone());
        for number in 0..8 {
            flow.job(measured(gauge).name(format!("measured {number}")));
        }
    })
}

async fn all(runs: impl IntoIterator<Item = RunHandle>) {
    for run in runs {
        run.outcome().await.expect("it completes");
    }
}

pub(crate) async fn limits_of_a_workflow_hold_across_engines() {
    let gauge = Gauge::of(2);
    let engines = [Engine::default(), Engine::default(), Engine::builder().limit("db", 5).build()];
    let name = unique("places: own");
    let start = |engine: &Engine| engine.run(limits_itself(&name, &gauge, 2)).start();
    all(engines.iter().map(|engine| start(engine).expect("it starts")).collect::<Vec<_>>()).await;
    assert_eq!(gauge.most(), 2);

    // If both have a limit of the same name, both apply.
    let careful = Engine::builder().limit("db", 1).build();
    let gauge = Gauge::default();
    careful.run(limits_itself(&name, &gauge, 3)).await.expect("it completes");
    assert_eq!(gauge.most(), 1);
    assert_free(&careful);
}

pub(crate) async fn versions_that_differ_share_the_smallest_limit() {
    let (gauge, engine) = (Gauge::default(), Engine::default());
    let name = unique("places: versions");
    let scope = LimitScope::Workflow(name.clone());
    let size = || engine.limits().into_iter().find(|it| it.scope == scope).map(|it| it.size);
    let run = |size| engine.run(limits_itself(&name, &gauge, size)).start().expect("it starts");
    let old = named(&name, |flow| {
        flow.limit("db", 1);
        flow.job(waits().limit("db"));
    });
    let old = engine.run(old).start().expect("it starts");
    while size() != Some(1) {
        futures_timer::Delay::new(Duration::from_micros(100)).await;
    }
    let new = run(3);
    while !engine.limits().iter().any(|it| it.scope == scope && it.waiting > 0) {
        futures_timer::Delay::new(Duration::from_micros(100)).await;
    }
    assert_eq!((size(), gauge.most()), (Some(1), 0));
    let_go(&old).await;
    drop(old);
    new.outcome().await.expect("it completes");
    assert!(gauge.most() <= 3);
    drop(new);
    while size().is_some() {
        // The threads of the runs are about to drop them.
        futures_timer::Delay::new(Duration::from_micros(100)).await;
    }
}

pub(crate) async fn a_child_workflow_has_the_limits_of_its_parents() {
    let outer = named(&unique("places: outer"), |flow| {
        flow.limit("db", 1);
        let value = flow.value(7_u64);
        flow.job(registry::call::<_, u64>("places: inner", value))
    });
    let report = Engine::default().run(outer).await.expect("the inner workflow has the limit");
    assert_eq!(report.output::<u64>().expect("a number"), 7);
}

pub(crate) async fn engines_share_the_machine() {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let gauge = Gauge::default();
    let most = |gauge: &Gauge| {
        let gauge = gauge.clone();
        workflow(move |flow| {
            let gauge = flow.value(gauge.clone());
            for number in 0..4 {
                let call = measured::draw(gauge).name(format!("most {number}"));
                flow.job(call.limit_by("machine.cpus", processors / 2 + 1));
            }
        })
    };
    // One engine sets more than the machine has, and gets no more than that.
    let engines = [4, 1, 64]
        .map(|size| Engine::builder().limit("machine.cpus", size).limit("db", 99).build());
    let runs = engines.iter().map(|engine| engine.run(most(&gauge)).start().expect("it starts"));
    all(runs.collect::<Vec<_>>()).await;
    assert_eq!(gauge.most(), 1);
    engines.iter().for_each(assert_free);
}

/// A name that no other executor uses at the same time.
fn unique(name: &str) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!("{name} {}", COUNT.fetch_add(1, Ordering::SeqCst))
}

#[job]
async fn asks_for(ctx: WorkflowContext, limit: String) -> Result<u64, JobError> {
    ctx.run(|value: Handle<u64>| number(value).limit(limit), 7).await
}

pub(crate) async fn an_unknown_limit_always_fails() {
    let engine = Engine::builder().limit("db", 1).build();
    let undoes = workflow(|flow| {
        let value = flow.value(7);
        flow.job(number(value).compensate(|value| number(value).limit("dv")));
    });
    let error = engine.run(undoes).await.expect_err("what takes it back cannot run");
    let RunError::UnknownLimit { job, limit, known, .. } = error else { panic!("{error}") };
    assert_eq!((&*job, &*limit, &*known), ("number", "dv", &["db".to_owned()][..]));

    let asks = workflow(|flow| {
        let limit = flow.value("dv".to_owned());
        flow.job(asks_for(limit))
    });
    let error = engine.run(asks).await.expect_err("a call names it");
    let reason = error.report().and_then(Report::reason).expect("a job failed");
    assert!(reason.contains("names the limit `dv`, which neither the engine nor"), "{reason}");
    assert_free(&engine);
}

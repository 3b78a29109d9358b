//! Output of jobs, as subscribers of the run see it.

use std::sync::{Arc, Mutex};

use futures::StreamExt as _;
use futures::channel::oneshot;
use workflow_core::event::{Event, EventKind};
use workflow_core::prelude::*;
use workflow_core::run_log::OutputStream;
use workflow_core::store::{MemoryStore, Store as _};

use crate::support::workflow;

/// An event as a short text, with its sequence number.
fn told(event: &Event) -> String {
    let what = match &event.kind {
        EventKind::JobOutput { job, attempt, stream, text, log: None } => {
            format!("{job} {attempt} {stream:?} {text:?}")
        }
        kind => kind.to_string(),
    };
    format!("{} {what}", event.sequence)
}

#[job(retry(maximum_attempts = 2, initial_interval = "1ms"))]
async fn chatty(ctx: &JobContext) -> Result<(), JobError> {
    ctx.print(OutputStream::Stdout, "one\n");
    ctx.print(OutputStream::Stderr, "two");
    if ctx.attempt() == 1 { Err(JobError::from("busy")) } else { Ok(()) }
}

pub(crate) async fn what_a_job_prints_is_an_event() {
    let run = Engine::default().run(workflow(|flow| flow.job(chatty()))).start();
    let run = run.expect("it starts");
    let early: Vec<_> = run.events().collect().await;
    let lines: Vec<_> = early.iter().map(told).collect();
    let again = lines[4].split_once(", retry in ").expect("it failed once").0;
    assert_eq!(again, "2 chatty failed in attempt 1");
    assert_eq!(
        lines[..4],
        [
            "0 run started",
            "1 chatty started",
            "1 chatty 1 Stdout \"one\\n\"",
            "1 chatty 1 Stderr \"two\"",
        ]
    );
    assert_eq!(
        lines[5..],
        [
            "3 chatty started, attempt 2",
            "3 chatty 2 Stdout \"one\\n\"",
            "3 chatty 2 Stderr \"two\"",
            "4 chatty completed",
            "5 run completed",
        ]
    );
    let late: Vec<_> = run.events().collect().await;
    assert_eq!(early, late);
    let report = run.outcome().await.expect("it completes");
    let recorded: Vec<_> = early.into_iter().filter(|event| event.kind.is_recorded()).collect();
    assert_eq!(report.events().collect::<Vec<_>>(), recorded);
}

type Release = Arc<Mutex<Option<oneshot::Receiver<()>>>>;

#[job]
async fn asks(ctx: &JobContext, release: &Release) -> Result<(), JobError> {
    let release = release.lock().expect("no panic").take().expect("asked once");
    ctx.print(OutputStream::Stdout, "ready?");
    Ok(release.await?)
}

pub(crate) async fn output_is_seen_while_the_job_works() {
    let (sender, release) = oneshot::channel();
    let release = Arc::new(Mutex::new(Some(release)));
    let run = workflow(move |flow| {
        let release = flow.value(Arc::clone(&release));
        flow.job(asks(release));
    });
    let run = Engine::default().run(run).start().expect("it starts");
    let mut events = run.events();
    while let Some(event) = events.next().await {
        if matches!(event.kind, EventKind::JobOutput { .. }) {
            break;
        }
    }
    sender.send(()).expect("the job waits");
    run.outcome().await.expect("it completes");
}

#[register_workflow(name = "mutters")]
fn mutters(flow: &mut Flow) {
    flow.job(chatty());
}

pub(crate) async fn a_job_prints_the_output_of_its_child_run() {
    let run = Engine::default().run(workflow(|flow| {
        let input = flow.value(());
        flow.job(registry::call::<(), ()>("mutters", input).name("outer"));
    }));
    let run = run.start().expect("it starts");
    let texts: Vec<_> = run.events().collect().await;
    let texts: Vec<_> = texts.iter().filter(|event| !event.kind.is_recorded()).map(told).collect();
    let once = ["1 outer 1 Stdout \"one\\n\"", "1 outer 1 Stderr \"two\""];
    assert_eq!(texts, [once, once].concat());
}

#[job]
async fn floods(ctx: &JobContext, lines: usize) {
    for _ in 0..lines {
        ctx.print(OutputStream::Stdout, "x".repeat(99) + "\n");
    }
}

pub(crate) async fn a_store_gets_no_output() {
    let store = Arc::new(MemoryStore::new());
    let engine = Engine::builder().store(store.clone()).build();
    let run = engine.run(workflow(|flow| flow.job(floods::draw(1000)))).start().expect("it starts");
    let mut events = run.events();
    let (mut recorded, mut texts) = (Vec::new(), 0);
    while let Some(event) = events.next().await {
        let kept = store.events(run.id(), 0, 99).await.expect("memory can be read");
        // Output is not shown before the store has the start of its job.
        assert_eq!(kept[event.sequence as usize].sequence, event.sequence);
        match event.kind.is_recorded() {
            true => recorded.push(event),
            false => texts += 1,
        }
    }
    assert!(texts > 0);
    assert_eq!(store.events(run.id(), 0, 99).await.expect("memory can be read"), recorded);
    assert_eq!(recorded.len(), 4);
}

pub(crate) async fn a_slow_subscriber_learns_how_much_it_missed() {
    let engine = Engine::builder().output_backlog(2000).build();
    let run = engine.run(workflow(|flow| flow.job(floods::draw(1000)))).start().expect("it starts");
    run.outcome().await.expect("nobody waits for those who watch");
    let kinds: Vec<_> = run.events().map(|event| event.kind).collect().await;
    let EventKind::OutputSkipped { bytes } = kinds[2] else { panic!("{}", kinds[2]) };
    let shown = kinds.iter().filter(|kind| matches!(kind, EventKind::JobOutput { .. })).count();
    assert!((1..20).contains(&shown), "{shown}");
    assert_eq!(bytes + 100 * shown as u64, 100_000);
    assert_eq!(kinds.len(), 5 + shown);
    assert!(matches!(kinds[3 + shown], EventKind::JobCompleted { .. }));
}

pub(crate) async fn without_a_backlog_nothing_is_shown() {
    let engine = Engine::builder().output_backlog(0).build();
    let run = engine.run(workflow(|flow| flow.job(floods::draw(3)))).start().expect("it starts");
    assert_eq!(run.events().count().await, 4);
}

//! The order of jobs, and the events about it.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use futures::StreamExt as _;
use workflow_core::event::EventKind;
use workflow_core::job::closure;
use workflow_core::prelude::*;

use crate::support::{run, turns, workflow};

type Shared<T> = Arc<Mutex<T>>;

/// Another engine runs a job before its dependency if it reads no value of it (dagrs, issue 103).
pub(crate) async fn an_edge_orders_without_a_value() {
    let order: Shared<Vec<&str>> = Shared::default();
    let seen = Arc::clone(&order);
    let ordered = workflow(move |flow| {
        let start = flow.value(());
        let note = |name: &'static str, yields: usize| {
            let order = Arc::clone(&order);
            closure(name, start, move |()| {
                let order = Arc::clone(&order);
                async move {
                    for _ in 0..yields {
                        turns(1).await;
                    }
                    order.lock().expect("no panic").push(name);
                    Ok::<_, JobError>(())
                }
            })
        };
        let slow = flow.job(note("slow", 50));
        let quick = flow.job(note("quick", 0).after(slow));
        flow.job(note("last", 0).after(quick));
    });
    run(ordered).await.expect("it completes");
    assert_eq!(*seen.lock().expect("no panic"), ["slow", "quick", "last"]);
}

/// A thousand edges as groups: all jobs of one stage, then all of the next.
pub(crate) async fn a_group_orders_like_its_edges() {
    let order: Shared<Vec<usize>> = Shared::default();
    let seen = Arc::clone(&order);
    let staged = workflow(move |flow| {
        let start = flow.value(());
        let mut before = flow.group([start]);
        for stage in 0..3 {
            let jobs: Vec<_> = (0..20)
                .map(|number| {
                    let order = Arc::clone(&order);
                    let note = closure("note", start, move |()| {
                        let order = Arc::clone(&order);
                        async move {
                            for _ in 0..number % 5 {
                                turns(1).await;
                            }
                            order.lock().expect("no panic").push(stage);
                            Ok::<_, JobError>(())
                        }
                    });
                    flow.job(note.after_group(before))
                })
                .collect();
            before = flow.group(jobs);
        }
    });
    let report = run(staged).await.expect("it completes");
    assert_eq!(report.jobs().len(), 60, "groups are no jobs");
    let order = seen.lock().expect("no panic");
    assert!(order.is_sorted(), "{order:?}");
    assert_eq!(order.len(), 60);
}

#[job]
async fn part(number: u32) -> u32 {
    turns(1).await;
    number
}

/// Another engine runs a job once for each of two predecessors that end together (apalis, issue
/// 673).
pub(crate) async fn a_fan_in_runs_once() {
    let count = Arc::new(AtomicU32::new(0));
    let seen = Arc::clone(&count);
    let fan_in = workflow(move |flow| {
        let parts: Vec<_> = (0..50).map(|number| flow.job(part::draw(number))).collect();
        let count = Arc::clone(&count);
        let start = flow.value(());
        let join = closure("join", start, move |()| {
            count.fetch_add(1, Ordering::Relaxed);
            async { Ok::<_, JobError>(()) }
        });
        flow.job(join.after_all(parts));
    });
    run(fan_in).await.expect("it completes");
    assert_eq!(seen.load(Ordering::Relaxed), 1);
}

#[job]
async fn who(ctx: &JobContext, number: u32) -> (u32, String, u32) {
    let before = ctx.job_name();
    for _ in 0..10 {
        turns(1).await;
    }
    assert_eq!(before, ctx.job_name());
    (number, before, ctx.attempt())
}

#[job]
fn check(names: Each<'_, (u32, String, u32)>) -> bool {
    names.iter().all(|(number, name, attempt)| *name == format!("who {number}") && *attempt == 1)
}

/// In another engine, parallel branches overwrite each other's state (smg, issue 1573).
pub(crate) async fn branches_do_not_share_a_context() {
    let branches = workflow(|flow| {
        let names: Vec<_> = (0..50)
            .map(|number| flow.job(who::draw(number).name(format!("who {number}"))))
            .collect();
        flow.job(check(names))
    });
    let report = run(branches).await.expect("it completes");
    assert!(report.output::<bool>().expect("a verdict"));
}

/// A future that is always ready must not starve the others.
pub(crate) async fn a_busy_job_does_not_starve_others() {
    let done = Arc::new(AtomicBool::new(false));
    let starving = workflow(move |flow| {
        let start = flow.value(());
        let (stop, stopped) = (Arc::clone(&done), Arc::clone(&done));
        flow.job(closure("busy", start, move |()| {
            let stopped = Arc::clone(&stopped);
            async move {
                while !stopped.load(Ordering::Relaxed) {
                    turns(1).await;
                }
                Ok::<_, JobError>(())
            }
        }));
        let first = flow.job(part::draw(1));
        let second = flow.job(part::draw(first));
        flow.job(
            closure("stop", start, move |()| {
                stop.store(true, Ordering::Relaxed);
                async { Ok::<_, JobError>(()) }
            })
            .after(second),
        );
    });
    run(starving).await.expect("it completes");
}

#[job]
fn wait_for(message: Channel) -> Result<u32, JobError> {
    Ok(message.1.lock().expect("no panic").recv()?)
}

#[job]
async fn send(message: Channel, number: u32) -> Result<(), JobError> {
    turns(1).await;
    Ok(message.0.send(number)?)
}

#[job]
fn send_blocking(message: Channel, number: u32) -> Result<(), JobError> {
    Ok(message.0.send(number)?)
}

#[derive(Clone)]
pub(crate) struct Channel(mpsc::Sender<u32>, Arc<Mutex<mpsc::Receiver<u32>>>);

impl Channel {
    fn new() -> Self {
        let (send, receive) = mpsc::channel();
        Self(send, Arc::new(Mutex::new(receive)))
    }
}

/// The first job blocks its thread until the second, which is a future, has run.
pub(crate) async fn a_blocking_job_does_not_stall_others() {
    let blocking = workflow(|flow| {
        let channel = Channel::new();
        let number = flow.job(wait_for::draw(channel.clone()));
        flow.job(send::draw(channel, 7));
        number
    });
    let report = run(blocking).await.expect("it completes");
    assert_eq!(report.output::<u32>().expect("a number"), 7);
}

/// Many jobs block until the last has run: each needs a thread of its own.
pub(crate) async fn a_blocking_job_may_wait_for_another() {
    let blocking = workflow(|flow| {
        let channel = Channel::new();
        for _ in 0..20 {
            let one = Channel::new();
            flow.job(wait_for::draw(one.clone()));
            let received = flow.job(wait_for::draw(channel.clone()));
            flow.job(send_blocking::draw(one, 1).after(received));
        }
        for _ in 0..20 {
            flow.job(send_blocking::draw(channel.clone(), 1));
        }
    });
    // One channel has one receiver at a time, and senders that send after all receivers wait.
    run(blocking).await.expect("it completes");
}

pub(crate) async fn late_subscribers_receive_all_events() {
    let parts = workflow(|flow| {
        for number in 0..5 {
            flow.job(part::draw(number));
        }
    });
    let run = Engine::default().run(parts).start().expect("it starts");
    let early: Vec<_> = run.events().collect().await;
    let late: Vec<_> = run.events().collect().await;
    assert_eq!(early, late);
    let numbers: Vec<u64> = early.iter().map(|event| event.sequence).collect();
    assert_eq!(numbers, (0..12).collect::<Vec<_>>());
    assert_eq!(early[0].kind, EventKind::RunStarted { retry_of: None });
    assert_eq!(early[11].kind, EventKind::RunCompleted { output: None });
    let report = run.outcome().await.expect("it completed");
    assert_eq!(report.events().collect::<Vec<_>>(), late);
}

#[job(inline)]
fn next(number: &u32) -> u32 {
    number + 1
}

pub(crate) async fn a_long_chain_needs_no_stack() {
    let chain = workflow(|flow| {
        let mut last = flow.value(0);
        for _ in 0..100_000 {
            last = flow.job(next(last));
        }
        last
    });
    let report = run(chain).await.expect("it completes");
    assert_eq!(report.output::<u32>().expect("a number"), 100_000);
}

//! The order in which places of limits are granted: by priority, then first come, first served, and
//! nobody is overtaken for ever.

use std::sync::{Arc, Mutex};

use workflow_core::job::closure;
use workflow_core::prelude::*;

use crate::places::{assert_free, holder, let_go, until_waiting};
use crate::support::{turns, workflow};

pub(crate) async fn a_job_that_needs_many_permits_is_not_overtaken() {
    let engine = Engine::builder().limit("cpu", 3).build();
    let holders = [holder(&engine, "cpu", 1).await, holder(&engine, "cpu", 1).await];
    let last = holder(&engine, "cpu", 1).await;
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut runs = Vec::new();
    for (number, amount) in [3, 1, 1, 1].into_iter().enumerate() {
        let order = order.clone();
        let noted = workflow(move |flow| {
            let order = order.clone();
            let start = flow.value(());
            let noted = closure("noted", start, move |()| {
                order.lock().expect("no panic").push((number, amount));
                async { Ok::<_, JobError>(()) }
            });
            flow.job(noted.limit_by("cpu", amount));
        });
        runs.push(engine.run(noted).start().expect("it starts"));
        until_waiting(&engine, "cpu", number + 1).await;
    }
    for held in &holders {
        let_go(held).await;
        assert!(
            order.lock().expect("no panic").is_empty(),
            "places are kept for the first in line"
        );
    }
    let_go(&last).await;
    for run in &runs {
        run.outcome().await.expect("it completes");
    }
    assert_eq!(order.lock().expect("no panic")[0], (0, 3));
    assert_free(&engine);
}

#[job]
async fn note(order: &Order, ctx: &JobContext) {
    order.lock().expect("no panic").push(ctx.job_name());
    turns(2).await;
}

#[job]
fn note_and_block(order: &Order, ctx: &JobContext) {
    order.lock().expect("no panic").push(ctx.job_name());
}

pub(crate) async fn priority_orders_the_queue_for_permits() {
    let all = Engine::builder().max_parallel(1).build();
    let by_name = Engine::builder().limit("db", 1).build();
    for (engine, blocks) in [(&all, false), (&by_name, false), (&all, true), (&by_name, true)] {
        let order = Arc::new(Mutex::new(Vec::new()));
        let (seen, limited) = (order.clone(), std::ptr::eq(engine, &by_name));
        let ranked = workflow(move |flow| {
            let order = flow.value(order.clone());
            let job = |name: String, priority: i32| {
                let call = if blocks { note_and_block(order) } else { note(order) };
                let call = call.name(name).priority(priority);
                if limited { call.limit("db") } else { call }
            };
            let first = flow.job(job("first".to_owned(), 5));
            for number in 0..5 {
                flow.job(job(format!("low{number}"), -5));
            }
            flow.job(job("urgent".to_owned(), 9).after(first));
        });
        engine.run(ranked).await.expect("it completes");
        let order = seen.lock().expect("no panic").join(" ");
        assert_eq!(order, "first urgent low0 low1 low2 low3 low4", "{engine:?}, blocks: {blocks}");
        assert_free(engine);
    }
}
type Order = Arc<Mutex<Vec<String>>>;

/// Starts one urgent job after the other.
#[job]
async fn urgent(ctx: WorkflowContext, order: Order) -> Result<(), JobError> {
    let call = |order: Handle<Order>| noted_urgent(order).limit("db").priority(9);
    for _ in 0..6 {
        ctx.run(call, order.clone()).await?;
    }
    Ok(())
}

#[job]
async fn noted_urgent(order: Order) {
    order.lock().expect("no panic").push("urgent".to_owned());
    turns(1).await;
}

#[job]
async fn noted_low(order: &Order) {
    order.lock().expect("no panic").push("low".to_owned());
}

pub(crate) async fn no_job_waits_forever_for_permits() {
    let engine = Engine::builder().limit("db", 1).build();
    let held = holder(&engine, "db", 1).await;
    let order = Arc::new(Mutex::new(Vec::new()));
    let (streams, lows) = (order.clone(), order.clone());
    let low = workflow(move |flow| {
        let order = flow.value(lows.clone());
        flow.job(noted_low(order).limit("db").priority(-9));
    });
    let low = engine.run(low).start().expect("it starts");
    until_waiting(&engine, "db", 1).await;
    // More than may overtake the other job. All wait from the start, however slow a thread is to
    // start the next one.
    let stream = workflow(move |flow| {
        for number in 0..20 {
            let order = flow.value(streams.clone());
            flow.job(urgent(order).name(format!("stream {number}")));
        }
    });
    let stream = engine.run(stream).start().expect("it starts");
    until_waiting(&engine, "db", 21).await;
    let_go(&held).await;
    stream.outcome().await.expect("it completes");
    low.outcome().await.expect("it completes");
    let order = order.lock().expect("no panic");
    assert_eq!(order.len(), 121);
    assert_eq!(order.iter().position(|it| it == "low"), Some(16), "{order:?}");
    assert_free(&engine);
}

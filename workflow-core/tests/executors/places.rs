//! Places of limits: given back exactly once, lent to those inside, and given in a fair order.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::{Either, join_all, select};
use workflow_core::prelude::*;
use workflow_core::{FunctionWorkflow, JobErrorKind, LimitScope, LimitUsage, RunHandle, closure};

use crate::limits::Gauge;

fn workflow<D: workflow_core::OutputOf>(
    draw: impl Fn(&mut Flow) -> D + Send + Sync + 'static,
) -> FunctionWorkflow {
    named("places", draw)
}

fn named<D: workflow_core::OutputOf>(
    name: &str,
    draw: impl Fn(&mut Flow) -> D + Send + Sync + 'static,
) -> FunctionWorkflow {
    FunctionWorkflow::new(name, draw).expect("a name")
}

/// Lets others go on this many times.
async fn turns(count: usize) {
    for _ in 0..count {
        let mut yielded = false;
        futures::future::poll_fn(|cx| {
            cx.waker().wake_by_ref();
            match std::mem::replace(&mut yielded, true) {
                true => std::task::Poll::Ready(()),
                false => std::task::Poll::Pending,
            }
        })
        .await;
    }
}

fn usage(engine: &Engine, name: &str) -> LimitUsage {
    let is_it = |limit: &LimitUsage| limit.name == name && limit.scope != LimitScope::Machine;
    engine.limits().into_iter().find(is_it).expect("a limit")
}

/// Waits until so many jobs stand in line.
async fn until_waiting(engine: &Engine, limit: &str, jobs: usize) {
    while usage(engine, limit).waiting != jobs {
        futures_timer::Delay::new(Duration::from_micros(100)).await;
    }
}

/// Nobody holds or waits for a place of the engine.
fn assert_free(engine: &Engine) {
    for limit in engine.limits().into_iter().filter(|limit| limit.scope == LimitScope::Engine) {
        assert_eq!((limit.in_use, limit.waiting), (0, 0), "{limit:?}");
    }
}

#[job]
async fn waits(ctx: &JobContext) -> Result<(), JobError> {
    ctx.wait_signal::<()>("go").await
}

#[job]
async fn number(value: u64) -> u64 {
    value
}

/// A run whose only job holds so much of the limit until it gets the signal `go`.
async fn holder(engine: &Engine, limit: &'static str, amount: usize) -> RunHandle {
    let holds = workflow(move |flow| {
        flow.job(waits().limit_by(limit, amount));
    });
    let before = usage(engine, limit).in_use;
    let run = engine.run(holds).start().expect("it starts");
    while usage(engine, limit).in_use == before {
        futures_timer::Delay::new(Duration::from_micros(100)).await;
    }
    run
}

async fn let_go(run: &RunHandle) {
    run.signal("go", ()).await.expect("it has a job that waits");
    run.wait().await.expect("it completes");
}

/// A workflow with one job that counts against the limit.
fn one(limit: &'static str) -> FunctionWorkflow {
    workflow(move |flow| {
        let value = flow.value(7);
        flow.job(number(value).limit(limit))
    })
}

pub(crate) async fn a_failed_map_gives_all_places_back() {
    let engine = Engine::builder().max_parallel(2).limit("db", 1).build();
    for (elements, concurrency) in [(2_u64, 9), (5, 9), (5, 2)] {
        let fails = workflow(move |flow| {
            let list = flow.value((0..elements).collect::<Vec<_>>());
            let element = |number| {
                let fails = |number: u64| async move {
                    turns(3).await;
                    Err::<u64, _>(JobError::terminal(format!("no {number}")))
                };
                closure("failing", number, fails).limit("db")
            };
            flow.job(map(list, element).concurrency(concurrency));
        });
        engine.run(fails).await.expect_err("an element fails");
        assert_free(&engine);
        engine.run(one("db")).await.expect("there is a place");
    }
}

#[job(limit = "db")]
async fn never(ctx: &JobContext) {
    ctx.cancelled().await;
}

#[job(limit = "db")]
async fn deaf() {
    std::future::pending::<()>().await;
}

#[job]
async fn gives_up(ctx: WorkflowContext) -> Result<u64, JobError> {
    for round in 0..20 {
        // Dropped before it begins, while it runs, and while another is in its way.
        let listens = pin!(ctx.run(never, ()));
        let Either::Right(_) = select(listens, pin!(turns(round))).await else {
            return Err(JobError::terminal("it ended"));
        };
        let both = pin!(futures::future::join(ctx.run(deaf, ()), ctx.run(never, ())));
        let Either::Right(_) = select(both, pin!(turns(round))).await else {
            return Err(JobError::terminal("they ended"));
        };
    }
    ctx.run(|value: Handle<u64>| number(value).limit("db"), 7).await
}

pub(crate) async fn a_dropped_call_gives_its_place_back() {
    let engine = Engine::builder().max_parallel(1).limit("db", 1).build();
    let drops = || workflow(|flow| flow.job(gives_up()));
    let ended = join_all((0..3).map(|_| engine.run(drops()).into_future())).await;
    for report in ended {
        assert_eq!(report.expect("it completes").output::<u64>().expect("a number"), 7);
    }
    assert_free(&engine);
}

pub(crate) async fn who_is_cancelled_in_line_leaves_it() {
    let engine = Engine::builder().limit("db", 1).build();
    let first = holder(&engine, "db", 1).await;
    let waiting = engine.run(one("db")).start().expect("it starts");
    until_waiting(&engine, "db", 1).await;
    let next = engine.run(one("db")).start().expect("it starts");
    until_waiting(&engine, "db", 2).await;
    waiting.cancel();
    waiting.wait().await.expect_err("it is cancelled");
    assert_eq!(usage(&engine, "db").waiting, 1);
    let_go(&first).await;
    next.wait().await.expect("it has the place");
    assert_free(&engine);
}

pub(crate) async fn who_runs_out_of_time_in_line_leaves_it() {
    let engine = Engine::builder().limit("db", 1).build();
    let first = holder(&engine, "db", 1).await;
    let hurried = workflow(|flow| {
        let value = flow.value(7);
        let hurried = number(value).limit("db").schedule_to_close(Duration::from_millis(2));
        let hurried = flow.job(hurried.name("hurried"));
        // What must always run stands in line itself, and does so once.
        flow.job(waits().limit("db").after(hurried).trigger(TriggerRule::Always));
    });
    let run = engine.run(hurried).start().expect("it starts");
    while run.events_say("hurried failed").await {}
    until_waiting(&engine, "db", 1).await;
    run.cancel();
    let_go(&first).await;
    run.signal("go", ()).await.expect("its last job waits");
    run.wait().await.expect_err("a job failed");
    assert_free(&engine);
}

trait Says {
    /// Waits for an event in these words; false once it is there.
    async fn events_say(&self, words: &str) -> bool;
}

impl Says for RunHandle {
    async fn events_say(&self, words: &str) -> bool {
        use futures::StreamExt as _;
        let mut events = self.events();
        while let Some(event) = events.next().await {
            if event.kind.to_string().starts_with(words) {
                return false;
            }
        }
        panic!("no event says {words}");
    }
}

#[job]
async fn query(gauge: Gauge, number: u64) -> u64 {
    let _inside = gauge.enter();
    turns(2).await;
    number + 1
}

#[job]
async fn reports(ctx: WorkflowContext, gauge: Gauge) -> Result<u64, JobError> {
    let limited = |gauge: Handle<Gauge>, number: Handle<u64>| query(gauge, number).limit("db");
    let calls = (0..5).map(|number| ctx.run(limited, (gauge.clone(), number)));
    Ok(join_all(calls).await.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().sum())
}

#[job]
async fn outer_reports(ctx: WorkflowContext, gauge: Gauge) -> Result<u64, JobError> {
    ctx.run(|gauge: Handle<Gauge>| reports(gauge).limit("db"), gauge).await
}

pub(crate) async fn a_parent_lends_its_place_to_its_children() {
    let engine = Engine::builder().max_parallel(3).limit("db", 1).build();
    let gauge = Gauge::default();
    let nested = |deep: bool| {
        let gauge = gauge.clone();
        workflow(move |flow| {
            let gauge = flow.value(gauge.clone());
            match deep {
                true => flow.job(outer_reports(gauge).limit("db")),
                false => flow.job(reports(gauge).limit("db")),
            }
        })
    };
    let runs = [false, true, false].map(|deep| engine.run(nested(deep)).into_future());
    for report in join_all(runs).await {
        assert_eq!(report.expect("it completes").output::<u64>().expect("a number"), 15);
    }
    assert_eq!(gauge.most(), 1, "a place is lent to one at a time, and not to strangers");

    let counted = gauge.clone();
    let mapped = workflow(move |flow| {
        let (gauge, list) = (counted.clone(), flow.value(vec![1_u64, 2, 3]));
        let element = move |number| {
            let gauge = gauge.clone();
            let body = move |number: u64| {
                let gauge = gauge.clone();
                async move {
                    let _inside = gauge.enter();
                    turns(2).await;
                    Ok::<_, JobError>(number)
                }
            };
            closure("element", number, body).limit("db")
        };
        flow.job(map(list, element).limit("db"))
    });
    engine.run(mapped).await.expect("it completes");
    assert_eq!(gauge.most(), 1);
    assert_free(&engine);
}

#[register_workflow(name = "places: inner")]
fn inner(flow: &mut Flow, value: Handle<u64>) -> Handle<u64> {
    flow.job(number(value).limit("db"))
}

pub(crate) async fn a_job_lends_its_place_to_the_run_inside_of_it() {
    let outer = || {
        workflow(|flow| {
            let value = flow.value(7_u64);
            let once = registry::call::<_, u64>("places: inner", value).limit("db");
            let once = flow.job(once.name("once"));
            flow.job(registry::call::<_, u64>("places: inner", once).limit("db").name("again"))
        })
    };
    let engine = Engine::builder().limit("db", 1).build();
    for report in join_all((0..3).map(|_| engine.run(outer()).into_future())).await {
        assert_eq!(report.expect("it completes").output::<u64>().expect("a number"), 7);
    }
    assert_free(&engine);
}

pub(crate) async fn a_child_that_needs_more_than_its_parent_holds_is_refused() {
    let engine = Engine::builder().limit("db", 4).build();
    let wide = |amount: usize| {
        workflow(move |flow| {
            let list = flow.value(vec![1_u64]);
            let element = move |value: Handle<u64>| number(value).limit_by("db", amount);
            flow.job(map(list, element).limit_by("db", 2))
        })
    };
    engine.run(wide(2)).await.expect("it borrows all that the map holds");
    let error = engine.run(wide(3)).await.expect_err("it would wait for its own map");
    let reason = error.report().and_then(Report::reason).expect("a job failed");
    assert_eq!(
        reason,
        "job `number` failed: it counts as 3 against `db`, and the job that it is inside of holds 2 \
         of it: let that job hold 3, or none"
    );
    assert_free(&engine);
}

pub(crate) async fn a_wide_job_is_not_passed_over() {
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
        run.wait().await.expect("it completes");
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

pub(crate) async fn priority_holds_in_the_line_for_places() {
    let all = Engine::builder().max_parallel(1).build();
    let by_name = Engine::builder().limit("db", 1).build();
    for (engine, blocks) in [(&all, false), (&by_name, false), (&all, true), (&by_name, true)] {
        let order = Arc::new(Mutex::new(Vec::new()));
        let (seen, limited) = (order.clone(), usage_of(engine, "db"));
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

fn usage_of(engine: &Engine, name: &str) -> bool {
    engine.limits().iter().any(|limit| limit.name == name)
}

type Order = Arc<Mutex<Vec<String>>>;

/// Puts one urgent job after the other in line.
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

pub(crate) async fn no_job_is_passed_over_for_ever() {
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
    // More than may pass over the other: they are in line from the beginning, however slow a thread
    // is to put the next one there.
    let stream = workflow(move |flow| {
        for number in 0..20 {
            let order = flow.value(streams.clone());
            flow.job(urgent(order).name(format!("stream {number}")));
        }
    });
    let stream = engine.run(stream).start().expect("it starts");
    until_waiting(&engine, "db", 21).await;
    let_go(&held).await;
    stream.wait().await.expect("it completes");
    low.wait().await.expect("it completes");
    let order = order.lock().expect("no panic");
    assert_eq!(order.len(), 121);
    assert_eq!(order.iter().position(|it| it == "low"), Some(16), "{order:?}");
    assert_free(&engine);
}

#[job(limit = "db")]
async fn measured(gauge: &Gauge) {
    let _inside = gauge.enter();
    turns(3).await;
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
        run.wait().await.expect("it completes");
    }
}

pub(crate) async fn a_workflow_has_its_limits_in_every_engine() {
    let gauge = Gauge::default();
    let engines = [Engine::default(), Engine::default(), Engine::builder().limit("db", 5).build()];
    let name = unique("places: own");
    let start = |engine: &Engine| engine.run(limits_itself(&name, &gauge, 2)).start();
    all(engines.iter().map(|engine| start(engine).expect("it starts")).collect::<Vec<_>>()).await;
    assert_eq!(gauge.most(), 2);

    // Where both have a limit of one name, both hold.
    let careful = Engine::builder().limit("db", 1).build();
    let gauge = Gauge::default();
    careful.run(limits_itself(&name, &gauge, 3)).await.expect("it completes");
    assert_eq!(gauge.most(), 1);
    assert_free(&careful);
}

pub(crate) async fn the_smallest_size_holds_while_versions_differ() {
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
    new.wait().await.expect("it completes");
    assert!(gauge.most() <= 3);
    drop(new);
    while size().is_some() {
        // The threads of the runs are about to let go of them.
        futures_timer::Delay::new(Duration::from_micros(100)).await;
    }
}

pub(crate) async fn a_workflow_has_the_limits_of_those_around_it() {
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
    // One asks for more than there is of the machine, and has no more than there is.
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

pub(crate) async fn an_unknown_limit_is_never_passed_over() {
    let engine = Engine::builder().limit("db", 1).build();
    let undoes = workflow(|flow| {
        let value = flow.value(7);
        flow.job(number(value).undo(|value| number(value).limit("dv")));
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

/// Decides by a seed what the jobs of a run do.
#[derive(Clone)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }

    /// A die of its own for somebody else.
    fn split(&mut self) -> Self {
        Self(self.roll(u64::MAX) | 1)
    }

    /// Gives a call limits, a priority, and sometimes a time or another attempt.
    fn limited<T: Send + Sync + 'static>(&mut self, mut call: Call<T>) -> Call<T> {
        for limit in ["db", "web", "gpu"] {
            match self.roll(3) {
                0 => call = call.limit(limit),
                1 => call = call.limit_by(limit, self.roll(4) as usize),
                _ => {}
            }
        }
        if self.roll(4) == 0 {
            call = call.start_to_close(Duration::from_micros(self.roll(300) + 1));
        }
        if self.roll(6) == 0 {
            call = call.schedule_to_close(Duration::from_micros(self.roll(900) + 1));
        }
        if self.roll(4) == 0 {
            let quick = RetryPolicy::attempts(2).initial_interval(Duration::from_micros(1));
            call = call.retry(quick);
        }
        call.priority(self.roll(5) as i32 - 2)
    }
}

/// Ends in some way after some turns.
async fn acts(mut dice: Dice) -> Result<u64, JobError> {
    turns(dice.roll(6) as usize).await;
    match dice.roll(8) {
        0 => Err(JobError::terminal("it failed")),
        1 => Err(JobError::from("it failed, and may be tried again")),
        2 => std::panic::resume_unwind(Box::new("it panicked")),
        3 => std::future::pending().await,
        4 => Err(JobError::from("it gave up")).inspect_err(|error: &JobError| {
            assert_ne!(error.kind(), JobErrorKind::Cancelled);
        }),
        other => Ok(other),
    }
}

#[job]
async fn acts_in_turns(dice: Dice) -> Result<u64, JobError> {
    acts(dice).await
}

#[job]
fn acts_on_a_thread(dice: Dice) -> Result<u64, JobError> {
    let mut dice = dice;
    match dice.roll(3) {
        0 => Err(JobError::terminal("it failed")),
        1 => std::panic::resume_unwind(Box::new("it panicked")),
        other => Ok(other),
    }
}

#[job]
async fn listens(ctx: &JobContext, dice: Dice) -> Result<u64, JobError> {
    let acts = pin!(acts(dice));
    match select(acts, pin!(ctx.cancelled())).await {
        Either::Left((ended, _)) => ended,
        Either::Right(_) => Err(JobError::terminal("asked to stop")),
    }
}

/// Starts jobs, and waits for some of them for some turns.
#[job]
async fn starts_others(ctx: WorkflowContext, dice: Dice) -> Result<u64, JobError> {
    let mut dice = dice;
    for _ in 0..dice.roll(5) {
        let mut options = dice.split();
        let limited = |other: Handle<Dice>| match options.roll(3) {
            0 => options.limited(acts_in_turns(other)),
            1 => options.limited(listens(other)),
            _ => options.limited(acts_on_a_thread(other)),
        };
        let call = pin!(ctx.run(limited, dice.split()));
        // A job that waits for nobody else would wait for ever for some of these.
        let _either = select(call, pin!(turns(dice.roll(12) as usize))).await;
    }
    Ok(0)
}

#[register_workflow(name = "places: mixed")]
fn mixed(flow: &mut Flow, _seed: Handle<u64>) {
    let dice = flow.value(Dice(0x9e37_79b9_7f4a_7c15));
    flow.job(acts_in_turns(dice).limit("db").start_to_close(Duration::from_micros(200)));
    flow.job(starts_others(dice).limit("web").name("others"));
}

/// A graph of everything, by a seed.
fn anything(seed: u64) -> FunctionWorkflow {
    workflow(move |flow| {
        let mut dice = Dice(seed);
        // What would never end by itself has a time.
        flow.timeout(Duration::from_millis(20));
        if dice.roll(3) == 0 {
            flow.max_parallel(2);
        }
        if dice.roll(3) == 0 {
            flow.on_failure(workflow_core::OnFailure::Stop);
        }
        let mut before: Option<Handle<u64>> = None;
        for number in 0..8 {
            let value = flow.value(dice.split());
            let mut options = dice.split();
            let call = match dice.roll(6) {
                0 => acts_in_turns(value),
                1 => listens(value),
                2 => acts_on_a_thread(value),
                3 => starts_others(value),
                4 => {
                    let seed = flow.value(dice.split().0);
                    let inner = registry::call::<_, ()>("places: mixed", seed);
                    let inner = options.limited(inner.name(format!("inner {number}")));
                    flow.job(inner);
                    continue;
                }
                _ => {
                    let list = flow.value((0..4).map(|_| dice.split()).collect::<Vec<_>>());
                    let mut each = dice.split();
                    let element = |dice| each.limited(acts_in_turns(dice));
                    let mapped = map(list, element).concurrency(dice.roll(3) as usize + 1);
                    flow.job(options.limited(mapped.name(format!("map {number}"))));
                    continue;
                }
            };
            let mut call = options.limited(call).name(format!("job {number}"));
            if let Some(before) = before.filter(|_| dice.roll(2) == 0) {
                let rules = [TriggerRule::AllSuccess, TriggerRule::AllDone, TriggerRule::Always];
                call = call.after(before).trigger(rules[dice.roll(3) as usize]);
                // What must always run is not cancelled, and some of these never end.
                call = call.start_to_close(Duration::from_micros(300));
            }
            if dice.roll(5) == 0 {
                call = call.undo(|value| acts_of(value).limit("db"));
            }
            before = Some(flow.job(call));
        }
    })
}

#[job]
async fn acts_of(value: &u64) -> u64 {
    turns(*value as usize % 3).await;
    *value
}

/// Whatever becomes of jobs and of those inside of them, in whatever order: every run ends, and all
/// places are free.
pub(crate) async fn all_places_are_free_in_the_end() {
    let engine = Engine::builder()
        .max_parallel(3)
        .limit("db", 1)
        .limit("web", 2)
        .limit("gpu", 3)
        .cancel_grace(Duration::from_millis(1))
        .build();
    for seed in 1..=24_u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let runs: Vec<_> = (0..4)
            .map(|_| engine.run(anything(dice.split().0)).start().expect("it can begin"))
            .collect();
        for run in &runs {
            turns(dice.roll(30) as usize).await;
            match dice.roll(4) {
                0 => run.cancel(),
                // Dropped while it is under way.
                1 => {
                    let dropped = pin!(engine.run(anything(dice.split().0)).into_future());
                    let _either = select(dropped, pin!(turns(dice.roll(30) as usize))).await;
                }
                _ => {}
            }
        }
        for run in runs {
            let _how = run.wait().await;
        }
        while engine.limits().iter().any(|limit| {
            // Those that were dropped are being stopped.
            limit.scope == LimitScope::Engine && limit.in_use + limit.waiting > 0
        }) {
            futures_timer::Delay::new(Duration::from_micros(100)).await;
        }
        assert_free(&engine);
    }
}

/// Runs that nobody drives any more, because their runtime is gone, hold nothing.
#[test]
fn a_run_whose_runtime_is_gone_gives_its_place_back() {
    let engine = Engine::builder().limit("db", 1).build();
    let runtime = tokio::runtime::Runtime::new().expect("tokio starts");
    runtime.block_on(async {
        drop(holder(&engine, "db", 1).await);
        drop(engine.run(one("db")).start().expect("it starts"));
        until_waiting(&engine, "db", 1).await;
    });
    drop(runtime);
    engine.run(one("db")).wait().expect("there is a place");
    assert_free(&engine);
}

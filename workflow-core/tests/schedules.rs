//! Registered workflows that run on their schedules.
#![cfg(feature = "schedule")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures::FutureExt as _;
use workflow_core::definition::Metadata;
use workflow_core::engine::{Clock as _, Enqueued, ManualClock};
use workflow_core::flow_control::OnConflict;
use workflow_core::id::RunId;
use workflow_core::prelude::*;
use workflow_core::schedule::{
    StartScheduled, WatchedSchedule, backfill_limit, overlap_limit, schedule_key,
};
use workflow_core::store::{
    MemoryStore, MessageKind, ScheduleChange, ScheduleId, ScheduleState, ScheduleStore,
    ScheduledWorkflow, Store as _, StoreError, Trigger,
};

#[register_workflow(name = "hourly", schedule = "0 * * * *")]
fn hourly() {}

#[register_workflow(
    name = "nightly",
    schedule = "30 2 * * *",
    metadata = { "timezone": "Europe/Berlin" },
)]
async fn nightly() -> u32 {
    7
}

#[register_workflow(name = "never")]
fn never() {}

const HOUR: Duration = Duration::from_secs(3600);

/// Advances the clock by three and a half hours from 1970-01-01T00:00Z.
async fn in_the_night(engines: &[Engine], clock: &ManualClock) {
    let scheduled = engines.iter().map(|engine| {
        let stop = clock.sleep(HOUR * 3 + HOUR / 2);
        async move { engine.run_schedules(stop).await.expect("a sound registry") }
    });
    clock.drive(futures::future::join_all(scheduled)).await;
}

fn engine(clock: &ManualClock, store: &Arc<MemoryStore>) -> Engine {
    Engine::builder().clock(clock.clone()).store(store.clone()).build()
}

#[tokio::test]
async fn each_scheduled_time_starts_one_run() {
    let (clock, store) = (ManualClock::new(), Arc::new(MemoryStore::new()));
    let engines = [engine(&clock, &store), engine(&clock, &store)];
    in_the_night(&engines, &clock).await;
    let runs = store.runs();
    let count = |name: &str| runs.iter().filter(|(_, of)| of == name).count();
    assert_eq!((count("hourly"), count("nightly"), count("never")), (3, 1, 0));
    for (run, name) in runs {
        let run = store.run(run).await.expect("readable").expect("there");
        assert_eq!((run.trigger, run.user), (Trigger::Schedule, None));
        let key = run.idempotency_key.expect("a key");
        assert!(key.starts_with("schedule:1970-01-0") && key.ends_with(&name), "{key}");
        if name == "nightly" {
            let half_past = SystemTime::UNIX_EPOCH + HOUR + HOUR / 2;
            assert_eq!(key, schedule_key("nightly", half_past));
        }
    }
}

#[tokio::test]
async fn an_engine_says_whether_it_runs_schedules() {
    let engine = Engine::default();
    assert!(!engine.runs_schedules());
    let mut running = Box::pin(engine.run_schedules(std::future::pending()));
    assert!(running.as_mut().now_or_never().is_none());
    assert!(engine.runs_schedules() && engine.clone().runs_schedules());
    drop(running);
    assert!(!engine.runs_schedules());
}

/// The logical times that jobs of `dated` and its child have seen, in hours since 1970.
static SEEN: Mutex<Vec<(&str, Option<u64>)>> = Mutex::new(Vec::new());

fn see(who: &'static str, ctx: &JobContext) {
    let hours = ctx
        .scheduled_for()
        .map(|at| at.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs() / 3600);
    SEEN.lock().expect("sound").push((who, hours));
}

#[job]
fn dated_job(ctx: &JobContext) -> u32 {
    see("job", ctx);
    1
}

#[job]
fn inner_job(ctx: &JobContext) -> u32 {
    see("child", ctx);
    1
}

#[register_workflow(name = "dated child")]
fn dated_child(flow: &mut Flow, _: Handle<u32>) -> Handle<u32> {
    flow.job(inner_job())
}

#[register_workflow(name = "dated")]
fn dated(flow: &mut Flow) -> Handle<u32> {
    let job = flow.job(dated_job());
    flow.job(registry::call("dated child", job))
}

#[tokio::test]
async fn jobs_and_child_workflows_see_the_time_of_the_schedule() {
    let store = Arc::new(MemoryStore::new());
    let engine = Engine::builder().store(store.clone()).build();
    let request = engine.run("dated").scheduled_for(SystemTime::UNIX_EPOCH + HOUR * 7);
    let run = request.enqueue().await.expect("it is queued");
    // Another engine finds the time in the store.
    let other = Engine::builder().store(store.clone()).build();
    other.recover().await.expect("readable");
    other.follow(run).await.expect("it completes");
    engine.run("dated").await.expect("it completes");
    let wanted = [("job", Some(7)), ("child", Some(7)), ("job", None), ("child", None)];
    assert_eq!(*SEEN.lock().expect("sound"), wanted);
}

/// The seconds whose runs of slow workflows started, and those whose runs were completed.
#[derive(Default)]
struct Slow(Mutex<[Vec<(String, u64)>; 2]>);

async fn take(seconds_long: u64, ctx: &JobContext) -> Result<(), JobError> {
    let at = ctx.scheduled_for().unwrap_or(SystemTime::UNIX_EPOCH);
    let seconds = at.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs();
    let slow = ctx.state::<Arc<Slow>>()?;
    let record = |which: usize| {
        slow.0.lock().expect("sound")[which].push((ctx.workflow_name(), seconds));
    };
    record(0);
    ctx.sleep(Duration::from_secs(seconds_long)).await;
    record(1);
    Ok(())
}

#[register_workflow(name = "slow skip", schedule(cron = "*/10 0 0 * * *", overlap = "skip"))]
async fn slow_skip(ctx: &JobContext) -> Result<(), JobError> {
    take(15, ctx).await
}

#[register_workflow(name = "slow queue", schedule(cron = "*/10 0 0 * * *", overlap = "queue"))]
async fn slow_queue(ctx: &JobContext) -> Result<(), JobError> {
    take(15, ctx).await
}

#[register_workflow(name = "slow cancel", schedule(cron = "*/10 0 0 * * *", overlap = "cancel"))]
async fn slow_cancel(ctx: &JobContext) -> Result<(), JobError> {
    take(60, ctx).await
}

/// Runs the schedules for 52 seconds, and returns the seconds of the started and the completed runs of
/// a workflow.
async fn slow_minute(store: Option<Arc<MemoryStore>>) -> impl Fn(&str) -> [Vec<u64>; 2] {
    let (clock, slow) = (ManualClock::new(), Arc::new(Slow::default()));
    let builder = Engine::builder().clock(clock.clone()).state(slow.clone());
    let engine = match store {
        Some(store) => builder.store(store).build(),
        None => builder.build(),
    };
    let stop = clock.sleep(Duration::from_millis(52_500));
    clock.drive(async { engine.run_schedules(stop).await.expect("a sound registry") }).await;
    move |name| {
        let of = |list: &Vec<(String, u64)>| {
            list.iter().filter(|(of, _)| of == name).map(|(_, seconds)| *seconds).collect()
        };
        slow.0.lock().expect("sound").each_ref().map(of)
    }
}

/// Whether the first run of a workflow is to be cancelled.
async fn is_cancelled(store: &MemoryStore, workflow: &str) -> bool {
    let first = store.runs().into_iter().find(|(_, of)| of == workflow).expect("a run").0;
    let messages = store.messages(first).await.expect("readable");
    messages.iter().any(|message| message.kind == MessageKind::Cancel)
}

#[tokio::test]
async fn overlapping_runs_follow_the_policy() {
    for store in [None, Some(Arc::new(MemoryStore::new()))] {
        let seconds = slow_minute(store.clone()).await;
        let is_kept = store.is_some();
        assert_eq!(seconds("slow skip"), [vec![10, 30, 50], vec![10, 30]], "store: {is_kept}");
        assert_eq!(seconds("slow queue"), [vec![10, 20, 30], vec![10, 20]], "store: {is_kept}");
        let [started, completed] = seconds("slow cancel");
        assert_eq!(completed, [0; 0], "store: {is_kept}");
        let Some(store) = store else {
            assert_eq!(started, [10, 20, 30, 40, 50]);
            continue;
        };
        // A store hands out cancellations in real time, in which all of this takes a moment.
        assert!(started.len() > 1 || is_cancelled(&store, "slow cancel").await, "{started:?}");
        let id = ScheduleId {
            workflow: ScheduledWorkflow::Registered("slow skip".to_owned()),
            cron: "*/10 0 0 * * *".to_owned(),
            timezone: None,
        };
        let state = store.schedule_state(&id).await.expect("readable");
        let skipped = state.skipped.expect("a skipped time");
        assert_eq!(skipped.at, SystemTime::UNIX_EPOCH + Duration::from_secs(40));
        assert!(skipped.reason.contains("is unfinished"), "{}", skipped.reason);
        assert_eq!(state.handled, Some(skipped.at + Duration::from_secs(10)));
    }
}

#[register_workflow(name = "made up for", schedule(cron = "0 * * * *", catch_up = "90m"))]
fn made_up_for() {}

#[tokio::test]
async fn an_outage_is_made_up_for_within_the_window() {
    let (clock, store) = (ManualClock::new(), Arc::new(MemoryStore::new()));
    let until = |time: Duration| {
        let (engine, stop) = (engine(&clock, &store), clock.sleep(time));
        let clock = clock.clone();
        async move {
            clock.drive(async { engine.run_schedules(stop).await.expect("sound") }).await;
        }
    };
    until(HOUR / 2).await;
    clock.drive(clock.sleep(HOUR * 4)).await;
    // It is 04:30. The times at 01:00 and 02:00 are too old.
    until(HOUR / 4).await;
    let of = |name: &str| {
        let of: Vec<RunId> =
            store.runs().into_iter().filter(|(_, of)| of == name).map(|(run, _)| run).collect();
        of
    };
    let mut hours = Vec::new();
    for run in of("made up for") {
        let run = store.run(run).await.expect("readable").expect("there");
        let at = run.scheduled_for.expect("scheduled");
        hours.push(at.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs() / 3600);
    }
    assert_eq!(hours, [3, 4]);
    assert_eq!(of("hourly"), []);
}

#[tokio::test]
async fn a_paused_schedule_starts_no_run_until_it_is_resumed() {
    let (clock, store) = (ManualClock::new(), Arc::new(MemoryStore::new()));
    let id = hourly_of("hourly");
    store.change_schedule(&id, ScheduleChange::Pause).await.expect("recorded");
    let engine = engine(&clock, &store);
    let resume = async {
        clock.sleep(HOUR * 2 + HOUR / 2).await;
        let change = ScheduleChange::Resume(clock.time_of_day());
        store.change_schedule(&id, change).await.expect("recorded");
    };
    let stop = clock.sleep(HOUR * 4 + HOUR / 2);
    let run = async { engine.run_schedules(stop).await.expect("a sound registry") };
    clock.drive(futures::future::join(run, resume)).await;
    let runs = store.runs().into_iter().filter(|(_, of)| of == "hourly").count();
    assert_eq!(runs, 2);
}

/// The hourly schedule of a workflow.
fn hourly_of(workflow: &str) -> ScheduleId {
    ScheduleId {
        workflow: ScheduledWorkflow::Registered(workflow.to_owned()),
        cron: "0 * * * *".to_owned(),
        timezone: None,
    }
}

/// Watches a schedule whose runs begin up to half an hour late.
fn delayed(now: SystemTime, description: &str) -> (Metadata, WatchedSchedule) {
    let schedule = serde_json::json!({ "cron": "0 * * * *", "jitter": "30m" });
    let metadata = serde_json::json!({ "schedule": schedule, "description": description });
    let metadata = Metadata::new(metadata).expect("valid");
    let workflow = ScheduledWorkflow::Registered("delayed".to_owned());
    let watched = WatchedSchedule::new(workflow, &metadata, now);
    (metadata, watched.expect("a schedule").expect("valid"))
}

/// Checks a schedule, and returns the times that start.
async fn check(
    schedule: &mut WatchedSchedule,
    store: Option<&dyn ScheduleStore>,
    now: SystemTime,
) -> Vec<SystemTime> {
    let mut runs = Runs::default();
    schedule.check(store, now, &mut runs).await.expect("readable");
    runs.started
}

/// Runs that start, that cannot start yet, and that are skipped.
#[derive(Default)]
struct Runs {
    started: Vec<SystemTime>,
    unavailable_at: Option<SystemTime>,
    skipped: Option<&'static str>,
}

#[async_trait]
impl StartScheduled for Runs {
    type Error = StoreError;

    async fn start(&mut self, at: SystemTime) -> Result<Option<String>, StoreError> {
        if self.unavailable_at == Some(at) {
            return Err(StoreError::Unavailable("the database is locked".into()));
        }
        self.started.push(at);
        Ok(self.skipped.map(str::to_owned))
    }
}

#[tokio::test]
async fn a_time_that_waits_for_its_delay_survives_a_restart() {
    let (half, one) = (SystemTime::UNIX_EPOCH + HOUR / 2, SystemTime::UNIX_EPOCH + HOUR);
    let memory = MemoryStore::new();
    for store in [None, Some(&memory as &dyn ScheduleStore)] {
        let (_, mut before) = delayed(half, "before");
        assert_eq!(check(&mut before, store, half).await, []);
        let begins = before.next_begin().expect("a next time");
        assert!(begins > one + Duration::from_secs(1));
        let between = one + Duration::from_secs(1);
        let (_, mut after) = delayed(between, "after");
        assert_eq!(check(&mut after, store, between).await, []);
        assert_eq!(after.next_begin(), Some(begins));
        assert_eq!(check(&mut after, store, begins).await, [one]);
        // It does not start again.
        let (_, mut last) = delayed(begins, "last");
        assert_eq!(check(&mut last, store, begins).await, []);
        assert!(last.next_begin().is_some_and(|next| next >= one + HOUR));
    }
}

#[tokio::test]
async fn a_delayed_time_that_an_outage_swallows_is_recorded_as_skipped() {
    let (half, one) = (SystemTime::UNIX_EPOCH + HOUR / 2, SystemTime::UNIX_EPOCH + HOUR);
    let store = MemoryStore::new();
    let (_, mut before) = delayed(half, "before");
    assert_eq!(check(&mut before, Some(&store), half).await, []);
    let (_, mut after) = delayed(one + HOUR / 2, "after");
    assert_eq!(check(&mut after, Some(&store), one + HOUR / 2).await, []);
    let skipped = store.schedule_state(&hourly_of("delayed")).await.expect("readable").skipped;
    let skipped = skipped.expect("a skipped time");
    assert_eq!((skipped.at, &*skipped.reason), (one, "no scheduler was running"));
}

#[tokio::test]
async fn a_time_whose_run_cannot_start_yet_stays_due() {
    let hour = |number| SystemTime::UNIX_EPOCH + HOUR * number;
    let store = MemoryStore::new();
    let metadata = serde_json::json!({ "schedule": { "cron": "0 * * * *", "catch_up": "1d" } });
    let metadata = Metadata::new(metadata).expect("valid");
    let workflow = ScheduledWorkflow::Registered("delayed".to_owned());
    let schedule = WatchedSchedule::new(workflow, &metadata, hour(1));
    let mut schedule = schedule.expect("a schedule").expect("valid");
    assert_eq!(check(&mut schedule, Some(&store), hour(1)).await, []);

    let mut runs = Runs { unavailable_at: Some(hour(3)), ..Runs::default() };
    let checked = schedule.check(Some(&store), hour(4), &mut runs).await;
    assert!(matches!(checked, Err(StoreError::Unavailable(_))), "{checked:?}");
    assert_eq!(runs.started, [hour(2)]);
    let state = store.schedule_state(&hourly_of("delayed")).await.expect("readable");
    assert_eq!((state.handled, state.skipped), (Some(hour(1)), None));

    // The rest starts, once each, and is recorded.
    let now = hour(4) + Duration::from_secs(1);
    assert_eq!(check(&mut schedule, Some(&store), now).await, [hour(3), hour(4)]);
    let state = store.schedule_state(&hourly_of("delayed")).await.expect("readable");
    assert_eq!((state.handled, state.skipped), (Some(hour(4)), None));
}

/// A store that remembers schedules only when it is writable.
#[derive(Default)]
struct Locked {
    store: MemoryStore,
    is_writable: AtomicBool,
}

#[async_trait]
impl ScheduleStore for Locked {
    async fn schedule_state(&self, of: &ScheduleId) -> Result<ScheduleState, StoreError> {
        self.store.schedule_state(of).await
    }

    async fn change_schedule(
        &self,
        of: &ScheduleId,
        change: ScheduleChange,
    ) -> Result<bool, StoreError> {
        match self.is_writable.load(Ordering::Relaxed) {
            true => self.store.change_schedule(of, change).await,
            false => Err(StoreError::Unavailable("the database is locked".into())),
        }
    }
}

#[tokio::test]
async fn a_later_check_records_what_an_earlier_one_could_not() {
    let (half, one) = (SystemTime::UNIX_EPOCH + HOUR / 2, SystemTime::UNIX_EPOCH + HOUR);
    let store = Locked::default();
    let metadata = Metadata::new(serde_json::json!({ "schedule": "0 * * * *" })).expect("valid");
    let workflow = ScheduledWorkflow::Registered("hourly".to_owned());
    let schedule = WatchedSchedule::new(workflow, &metadata, half);
    let mut schedule = schedule.expect("a schedule").expect("valid");
    assert_eq!(check(&mut schedule, Some(&store), half).await, []);

    let mut holidays = Runs { skipped: Some("it is a holiday"), ..Runs::default() };
    schedule.check(Some(&store), one, &mut holidays).await.expect_err("it cannot be recorded");
    store.is_writable.store(true, Ordering::Relaxed);
    assert_eq!(check(&mut schedule, Some(&store), one + Duration::from_secs(1)).await, []);
    let state = store.schedule_state(&hourly_of("hourly")).await.expect("readable");
    let skipped = state.skipped.expect("a skipped time");
    assert_eq!((state.handled, skipped.at), (Some(one), one));
    assert_eq!(skipped.reason, "it is a holiday");
}

#[test]
fn another_description_leaves_a_schedule_as_it_is() {
    let now = SystemTime::UNIX_EPOCH;
    let (_, schedule) = delayed(now, "one");
    assert!(schedule.is_of(&delayed(now, "another").0));
    for other in [
        serde_json::json!({ "schedule": { "cron": "1 * * * *", "jitter": "30m" } }),
        serde_json::json!({ "schedule": { "cron": "0 * * * *", "jitter": "31m" } }),
        serde_json::json!({
            "schedule": { "cron": "0 * * * *", "jitter": "30m", "timezone": "Europe/Berlin" }
        }),
        serde_json::json!({}),
    ] {
        let other = Metadata::new(other).expect("valid");
        assert!(!schedule.is_of(&other), "{other:?}");
    }
}

#[tokio::test]
async fn backfilled_and_scheduled_runs_do_not_limit_each_other() {
    for overlap in ["skip", "cancel"] {
        let overlap = overlap.parse().expect("a policy");
        let store = Arc::new(MemoryStore::new());
        let engine = Engine::builder().store(store.clone()).build();
        let enqueue = async |limit: Option<_>| {
            let request = engine.run("never").concurrency(limit.expect("a limit"));
            request.enqueue_once().await.expect("it is queued")
        };
        let past = [enqueue(backfill_limit(overlap)).await, enqueue(backfill_limit(overlap)).await];
        let live = enqueue(overlap_limit(overlap)).await;
        for run in past.into_iter().chain([live]) {
            let Enqueued::New(run) = run else { panic!("{overlap}: {run:?}") };
            let messages = store.messages(run).await.expect("readable");
            assert!(messages.is_empty(), "{overlap}: {messages:?}");
        }
        let limit = backfill_limit(overlap).expect("a limit");
        assert_eq!(limit.on_conflict, OnConflict::Queue);
    }
}

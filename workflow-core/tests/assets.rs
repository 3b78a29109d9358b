//! Assets of a program, made by an engine.
#![cfg(feature = "assets")]

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, SystemTime};

use futures::executor::block_on;
use serde::{Deserialize, Serialize};
use workflow_core::asset::plan::{MaterializationPlan, RunInput};
use workflow_core::asset::{
    self, All, AssetEvent, AssetObserver, AssetValue, Assets, Happening, Partition, Request,
    StepOutcome, StoredValue, asset,
};
use workflow_core::prelude::*;
use workflow_core::store::{MemoryStore, Store};

/// What the source has: tests change it.
static SOURCE: AtomicU64 = AtomicU64::new(0);
/// Tests share the source.
static ONE_TEST: Mutex<()> = Mutex::new(());
static FAILURES: AtomicUsize = AtomicUsize::new(0);
/// Holds the next check of `orders`: it says that it has begun, and waits.
static HELD: Mutex<Option<(mpsc::Sender<()>, mpsc::Receiver<()>)>> = Mutex::new(None);

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Raw(Vec<u64>);

#[derive(Serialize, Deserialize)]
struct Orders(Vec<u64>);

#[derive(Serialize, Deserialize, Debug)]
struct Total {
    all: u64,
    regions: usize,
}

/// Stored in a format of its own.
struct Page(String);

impl AssetValue for Page {
    const EXTENSION: &'static str = "txt";

    fn save(&self) -> Result<StoredValue, JobError> {
        Ok(StoredValue::new(self.0.clone().into_bytes()).rows(self.0.lines().count() as u64))
    }

    fn load(bytes: Vec<u8>) -> Result<Self, JobError> {
        Ok(Self(String::from_utf8(bytes)?))
    }
}

struct Offset(u64);

/// What a region sold.
///
/// More text.
#[asset(partitions = ["eu", "us"], retry(maximum_attempts = 3, initial_interval = "1ms"))]
async fn raw(
    offset: State<Offset>,
    region: Partition,
    ctx: &JobContext,
) -> Result<Raw, std::io::Error> {
    assert!(ctx.run_id().is_some());
    println!("reading {region}");
    if FAILURES.load(Ordering::SeqCst) > 0 {
        FAILURES.fetch_sub(1, Ordering::SeqCst);
        return Err(std::io::Error::other("the source is away"));
    }
    let source = if region.key() == "eu" { SOURCE.load(Ordering::SeqCst) } else { 5 };
    Ok(Raw(vec![offset.0, source]))
}

#[asset(partitions = ["eu", "us"], checks(block = [below_thousand], warn = [checks::not_round]))]
fn orders(raw: &Raw) -> Orders {
    Orders(raw.0.iter().map(|amount| amount / 10 * 10).collect())
}

fn below_thousand(orders: &Orders) -> Result<(), String> {
    let held = HELD.lock().expect("unpoisoned").take();
    if let Some((begun, go_on)) = held {
        begun.send(()).expect("the test waits");
        go_on.recv().expect("told to continue");
    }
    match orders.0.iter().find(|amount| **amount >= 1000) {
        Some(amount) => Err(format!("{amount} is too much")),
        None => Ok(()),
    }
}

mod checks {
    pub(super) fn not_round(orders: &super::Orders) -> Result<(), &'static str> {
        if orders.0.contains(&500) { Err("500 is round") } else { Ok(()) }
    }
}

#[asset(name = "total", freshness = "1h", code_version = include_str!("layers.rs"))]
fn total_of_regions(orders: &All<Orders>) -> Total {
    let all = orders.values().flat_map(|orders| &orders.0).sum();
    Total { all, regions: orders.len() }
}

#[asset(code_version = "7")]
async fn page(total: &Total, orders: All<Orders>) -> Page {
    let regions: Vec<&str> = orders.iter().map(|(region, _)| region.key()).collect();
    Page(format!("{}\n{}", regions.join(" "), total.all))
}

struct World {
    store: Arc<dyn Store>,
    assets: Assets,
    engine: Engine,
    folder: PathBuf,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen(Mutex<Vec<String>>);

impl AssetObserver for Seen {
    fn observe(&self, event: &AssetEvent<'_>) {
        let what = match event.happening {
            Happening::Started => "started",
            Happening::Made(_) => "made",
            Happening::Refused(_) => "refused",
            Happening::Failed(_) => "failed",
            _ => "other",
        };
        self.0
            .lock()
            .expect("unpoisoned")
            .push(format!("{} {} {what}", event.asset.name, event.partition));
    }
}

/// Sends what happens to orders, and in which attempt.
struct Tells(mpsc::Sender<(&'static str, u32)>);

impl AssetObserver for Tells {
    fn observe(&self, event: &AssetEvent<'_>) {
        let what = match event.happening {
            Happening::Made(_) => "made",
            Happening::Failed(_) => "failed",
            _ => return,
        };
        if event.asset.name == "orders" {
            self.0.send((what, event.attempt)).expect("the test waits");
        }
    }
}

impl World {
    fn new(name: &str) -> Self {
        SOURCE.store(7, Ordering::SeqCst);
        let folder = std::env::temp_dir().join(format!("assets-{name}-{}", std::process::id()));
        let _none = std::fs::remove_dir_all(&folder);
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let seen = Arc::new(Seen::default());
        let assets = Assets::new(Arc::clone(&store), &folder).expect("a store with records");
        let assets = assets.observer(seen.clone());
        let engine = Engine::builder()
            .store(Arc::clone(&store))
            .state(assets.clone())
            .state(Offset(3))
            .build();
        Self { store, assets, engine, folder, seen }
    }

    fn plan(&self) -> MaterializationPlan {
        let graph = asset::graph().expect("assets that fit");
        let request = Request::everything(graph, SystemTime::now());
        block_on(self.assets.plan(&request)).expect("a plan")
    }

    fn run(&self, input: &RunInput) -> Report {
        match self.engine.run(asset::WORKFLOW).input(input).wait() {
            Ok(report) | Err(RunError::Failed(report)) => report,
            Err(error) => panic!("{error}"),
        }
    }

    fn carry_out(&self) -> Report {
        self.run(&self.plan().to_input().expect("a small plan"))
    }

    fn files(&self, asset: &str) -> Vec<String> {
        let folder = std::fs::read_dir(self.folder.join(asset)).expect("a folder");
        folder
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect()
    }

    fn read<T: serde::de::DeserializeOwned>(&self, asset: &str, key: &str) -> T {
        let made = block_on(self.assets.current(asset, Default::default())).expect("records");
        let made = made.into_iter().find(|made| made.partition == key).expect("made");
        let file = self.folder.join(made.details.file.expect("a file"));
        serde_json::from_slice(&std::fs::read(file).expect("a file")).expect("a value")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.folder);
    }
}

fn steps(plan: &MaterializationPlan) -> Vec<String> {
    plan.steps
        .iter()
        .map(|step| {
            let reasons: Vec<String> = step.reasons.iter().map(ToString::to_string).collect();
            format!("{} {}: {}", step.asset, step.partition, reasons.join("; "))
        })
        .collect()
}

fn outcome(report: &Report, job: &str) -> StepOutcome {
    report.output_of::<StepOutcome>(job).expect("the job completed").clone()
}

#[test]
fn assets_are_described_as_they_are_declared() {
    let graph = asset::graph().expect("assets that fit");
    let names: Vec<&str> = graph.assets().iter().map(|spec| spec.name.as_str()).collect();
    assert_eq!(names, ["raw", "orders", "total", "page"]);
    let raw = asset::entry("raw").expect("known");
    assert_eq!(raw.description, Some("What a region sold."));
    assert!(raw.location.file.ends_with("assets.rs") && raw.location.line > 0);
    assert_eq!(raw.code_version.len(), 36);
    assert_eq!(asset::entry("page").expect("known").code_version, "7");
    // That of a file is kept as its hash.
    let of_file = &graph.assets()[2].code_version;
    assert_eq!(of_file, &uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, FILE).to_string());
    let orders = asset::entry("orders").expect("known");
    assert_eq!(orders.checks, [("below_thousand", true), ("not_round", false)]);
    assert!(
        asset::entry("ordrs")
            .is_err_and(|error| error.to_string().contains("did you mean `orders`?"))
    );
    // The function is as it was.
    assert_eq!(orders_of(&Raw(vec![19])), [10]);
    assert!(registry::get(asset::WORKFLOW).is_ok());
}

const FILE: &[u8] = include_bytes!("layers.rs");

fn orders_of(raw: &Raw) -> Vec<u64> {
    orders(raw).0
}

#[test]
fn a_change_of_the_source_reaches_what_is_made_from_it() {
    let _alone = ONE_TEST.lock().unwrap_or_else(|error| error.into_inner());
    let world = World::new("change");
    let first = world.carry_out();
    assert_eq!(first.status(), Status::Completed, "{first}");
    assert_eq!(world.read::<Raw>("raw", "eu"), Raw(vec![3, 7]));
    let total: Total = world.read("total", "");
    assert_eq!((total.all, total.regions), (0, 2));
    assert!(world.plan().steps.is_empty());
    let made = outcome(&first, "raw[eu]");
    assert_eq!((&*made.outcome, made.rows), ("made", Some(2)));

    // Another value of the source, by force: its rounded amounts are the same, so that the
    // others are unchanged.
    let forced = |key: &str| {
        let graph = asset::graph().expect("assets that fit");
        let mut request = Request::new(Arc::clone(&graph), SystemTime::now()).forced(true);
        request.partition("raw", key).expect("known");
        block_on(world.assets.plan(&request)).expect("a plan").to_input().expect("small")
    };
    SOURCE.store(9, Ordering::SeqCst);
    let report = world.run(&forced("eu"));
    assert_eq!(outcome(&report, "raw[eu]").reasons, ["forced"]);
    assert_eq!(world.files("raw/eu").len(), 1, "the older value is removed");
    let plan = world.plan();
    assert_eq!(
        steps(&plan),
        [
            "orders eu: input changed: raw[eu]",
            "total : input is materialized again: orders[eu]",
            "page : input is materialized again: total; input is materialized again: orders[eu]",
        ]
    );
    let report = world.carry_out();
    assert_eq!(outcome(&report, "orders[eu]").outcome, "made");
    let unchanged = outcome(&report, "total");
    assert_eq!(
        (&*unchanged.outcome, &*unchanged.reasons[0]),
        ("unchanged", "its code and its inputs are unchanged")
    );
    assert_eq!(outcome(&report, "page").outcome, "unchanged");
    assert!(world.plan().steps.is_empty());

    SOURCE.store(41, Ordering::SeqCst);
    world.run(&forced("eu"));
    let report = world.carry_out();
    assert_eq!(outcome(&report, "page").outcome, "made");
    assert_eq!(world.read::<Total>("total", "").all, 40);

    // A lost file is made again.
    std::fs::remove_dir_all(world.folder.join("orders/us")).expect("removed");
    assert_eq!(steps(&world.plan())[0], "orders us: its file is missing");
    world.carry_out();
    assert!(world.plan().steps.is_empty());
}

#[test]
fn a_blocking_check_refuses_the_value_and_a_warning_does_not() {
    let _alone = ONE_TEST.lock().unwrap_or_else(|error| error.into_inner());
    let world = World::new("checks");
    world.carry_out();
    let graph = asset::graph().expect("assets that fit");
    let renew = |value| {
        SOURCE.store(value, Ordering::SeqCst);
        let mut request = Request::new(Arc::clone(&graph), SystemTime::now()).forced(true);
        request.partition("raw", "eu").expect("known");
        let plan = block_on(world.assets.plan(&request)).expect("a plan");
        world.run(&plan.to_input().expect("small"));
    };
    renew(1000);
    let report = world.carry_out();
    assert_eq!(report.status(), Status::Failed);
    let text = report.to_string();
    assert!(
        text.contains("check `below_thousand` refused the value of orders[eu]: 1000 is too much"),
        "{text}"
    );
    // The value before is still there, and is still what others read.
    assert_eq!(world.read::<Vec<u64>>("orders", "eu"), [0, 0]);
    let records = world.store.asset_store().expect("records");
    let history = block_on(records.materializations("orders", Some("eu"), None, 10)).expect("read");
    assert_eq!(history.len(), 2);
    assert!(history[0].made.is_refused && history[0].made.details.file.is_none());
    assert_eq!(history[0].made.details.checks[0].problem.as_deref(), Some("1000 is too much"));
    // It is tried again, until the source is right.
    assert_eq!(steps(&world.plan())[0], "orders eu: input changed: raw[eu]");
    renew(500);
    let report = world.carry_out();
    assert_eq!(report.status(), Status::Completed, "{report}");
    assert_eq!(outcome(&report, "orders[eu]").warnings, ["not_round: 500 is round"]);
    let seen = world.seen.0.lock().expect("unpoisoned");
    let of_orders: Vec<&str> =
        seen.iter().filter(|text| text.starts_with("orders eu")).map(String::as_str).collect();
    assert_eq!(
        of_orders,
        [
            "orders eu started",
            "orders eu made",
            "orders eu started",
            "orders eu refused",
            "orders eu failed",
            "orders eu started",
            "orders eu made"
        ]
    );
}

#[test]
fn a_failed_attempt_is_retried_and_a_failed_asset_stops_its_readers() {
    let _alone = ONE_TEST.lock().unwrap_or_else(|error| error.into_inner());
    let world = World::new("failures");
    FAILURES.store(2, Ordering::SeqCst);
    assert_eq!(world.carry_out().status(), Status::Completed);
    FAILURES.store(usize::MAX / 2, Ordering::SeqCst);
    let world = World::new("failed");
    let report = world.carry_out();
    FAILURES.store(0, Ordering::SeqCst);
    assert_eq!(report.status(), Status::Failed);
    assert!(world.plan().current.is_empty());
    assert_eq!(world.carry_out().status(), Status::Completed);
}

#[test]
fn an_attempt_that_is_over_stores_nothing() {
    let _alone = ONE_TEST.lock().unwrap_or_else(|error| error.into_inner());
    let world = World::new("over");
    let (tell, told) = mpsc::channel();
    let engine = Engine::builder()
        .cancel_grace(Duration::ZERO)
        .store(Arc::clone(&world.store))
        .state(world.assets.clone().observer(Arc::new(Tells(tell))))
        .state(Offset(3))
        .build();
    let steps = serde_json::json!({ "steps": [
        { "asset": "raw", "partition": "eu" },
        { "asset": "orders", "partition": "eu" },
    ] });
    let (begin, begun) = mpsc::channel();
    let (release, go_on) = mpsc::channel();
    *HELD.lock().expect("unpoisoned") = Some((begin, go_on));
    let run = engine.run(asset::WORKFLOW).input(steps).start().expect("it starts");
    begun.recv().expect("the check begins");
    run.cancel();
    block_on(run.outcome()).expect_err("it was cancelled");
    // The function continues in its thread, and finds out that nobody wants its value.
    release.send(()).expect("it waits");
    assert_eq!(told.recv().expect("it ends"), ("failed", 1));
    let records = world.store.asset_store().expect("records");
    let found = block_on(records.materializations("orders", None, None, 10)).expect("read");
    assert!(found.is_empty(), "{found:?}");
    assert!(!world.folder.join("orders").exists());
}

#[test]
fn a_previous_value_that_cannot_be_removed_fails_nothing() {
    let _alone = ONE_TEST.lock().unwrap_or_else(|error| error.into_inner());
    let world = World::new("left");
    world.carry_out();
    // A folder is removed in another way.
    let [before] = &world.files("raw/eu")[..] else { panic!("one file") };
    let before = world.folder.join("raw/eu").join(before);
    std::fs::remove_file(&before).expect("removed");
    std::fs::create_dir(&before).expect("created");
    SOURCE.store(9, Ordering::SeqCst);
    let report = world.carry_out();
    assert_eq!(report.status(), Status::Completed, "{report}");
    assert_eq!(outcome(&report, "raw[eu]").outcome, "made");
    assert!(before.exists());
    assert_eq!(world.read::<Raw>("raw", "eu"), Raw(vec![3, 9]));
}

#[test]
fn assets_move_to_another_store_or_folder_with_their_observers() {
    let _alone = ONE_TEST.lock().unwrap_or_else(|error| error.into_inner());
    let world = World::new("moved");
    world.carry_out();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let moved = world.assets.clone().in_store(Arc::clone(&store)).expect("a store with records");
    assert_eq!(moved.folder(), world.folder);
    let moved = moved.in_folder(world.folder.join("inner"));
    let request = Request::everything(asset::graph().expect("they fit"), SystemTime::now());
    let plan = block_on(moved.plan(&request)).expect("a plan");
    assert_eq!((plan.steps.len(), plan.current.len()), (6, 0), "nothing is recorded there");
    world.seen.0.lock().expect("unpoisoned").clear();
    let engine = Engine::builder().store(store).state(moved.clone()).state(Offset(3)).build();
    let ended = engine.run(asset::WORKFLOW).input(plan.to_input().expect("small")).wait();
    assert_eq!(ended.expect("it completes").status(), Status::Completed);
    assert!(world.folder.join("inner/total").is_dir());
    let seen = world.seen.0.lock().expect("unpoisoned");
    assert_eq!(seen.iter().filter(|text| text.ends_with(" made")).count(), 6, "{seen:?}");
}

#[test]
fn bad_input_of_the_workflow_is_refused() {
    let _alone = ONE_TEST.lock().unwrap_or_else(|error| error.into_inner());
    let world = World::new("bad_input");
    let refused = |input: serde_json::Value| {
        let error = world.engine.run(asset::WORKFLOW).input(input).wait().expect_err("refused");
        error.to_string()
    };
    let step = |asset: &str, key: serde_json::Value| serde_json::json!({ "steps": [{ "asset": asset, "partition": key }] });
    for (input, problem) in [
        (step("order", "eu".into()), "did you mean `orders`?"),
        (step("orders", "asia".into()), "has no partition `asia`"),
        (step("orders", serde_json::Value::Null), "its partitions are eu, us"),
        (step("total", "eu".into()), "has no partitions"),
        (
            serde_json::json!({ "steps": [{ "asset": "page" }, { "asset": "page" }] }),
            "listed twice",
        ),
        (serde_json::json!({ "steps": [{ "asset": "page", "forced": true }] }), "forced"),
    ] {
        let error = refused(input);
        assert!(error.contains(problem), "{error}");
    }
    // Out of order, and without its inputs: they were never materialized.
    let report = world.run(&RunInput {
        steps: serde_json::from_value(
            serde_json::json!([{ "asset": "orders", "partition": "eu" }]),
        )
        .expect("steps"),
    });
    let text = report.to_string();
    assert!(
        text.contains(
            "orders[eu] reads raw[eu], which was never materialized; materialize it first"
        ),
        "{text}"
    );
}

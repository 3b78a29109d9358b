//! Assets that a workflow makes in its own way, beside those of functions.
#![cfg(feature = "assets")]

use std::any::Any;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use workflow_core::asset::{
    self, AssetEvent, AssetObserver, Assets, Happening, Made, Maker, Partition, Request, asset,
};
use workflow_core::definition::Metadata;
use workflow_core::id::WorkflowName;
use workflow_core::job::Job;
use workflow_core::prelude::*;
use workflow_core::store::{CheckResult, MemoryStore};
use workflow_core::workflow::{Plan, PlanError, WorkflowAsset};
use workflow_core::{call_job, registry};

#[derive(Serialize, Deserialize)]
struct Orders(usize);

#[asset(partitions = ["eu", "us"])]
fn orders(region: &Partition) -> Orders {
    Orders(region.key().len())
}

/// Makes a view of the orders, and a total of the view.
struct Warehouse {
    name: WorkflowName,
    metadata: Metadata,
    assets: Vec<WorkflowAsset>,
}

impl Warehouse {
    fn new(name: &'static str) -> Self {
        let asset = |name: &str, is_made, inputs: &[&str]| WorkflowAsset {
            name: name.to_owned(),
            description: None,
            is_made,
            code_version: "1".to_owned(),
            inputs: inputs.iter().map(|input| (*input).to_owned()).collect(),
            checks: vec![("has_rows".to_owned(), true)],
            location: format!("models/{name}.sql"),
        };
        Self {
            name: WorkflowName::new(name).expect("a name"),
            metadata: Metadata::default(),
            assets: vec![
                asset("total", true, &["view"]),
                asset("view", true, &["orders", "weather"]),
                asset("orders", false, &[]),
                asset("weather", false, &[]),
            ],
        }
    }
}

impl Workflow for Warehouse {
    fn name(&self) -> &WorkflowName {
        &self.name
    }

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn assets(&self) -> &[WorkflowAsset] {
        &self.assets
    }

    fn plan(&self, _: Option<&(dyn Any + Send + Sync)>) -> Result<Arc<Plan>, PlanError> {
        let mut flow = Flow::new();
        let unit = flow.value(());
        flow.job(call_job(Build, unit));
        flow.plan().map(Arc::new)
    }
}

/// When the next value is ready, and what its check says.
static NEXT: Mutex<(u64, Option<&str>)> = Mutex::new((0, None));

struct Build;

#[async_trait]
impl Job for Build {
    type Input = ();
    type Output = ();

    fn name(&self) -> &'static str {
        "build"
    }

    async fn run(&self, context: &JobContext, (): &()) -> Result<(), JobError> {
        let assets = context.state::<Assets>()?;
        let graph = asset::graph()?;
        let (second, problem) = *NEXT.lock().expect("sound");
        for asset in ["view", "total"] {
            let check = |problem: Option<&str>| CheckResult {
                name: "has_rows".to_owned(),
                is_blocking: true,
                problem: problem.map(str::to_owned),
            };
            let made = Made {
                at: SystemTime::UNIX_EPOCH + Duration::from_secs(second),
                took: Duration::from_millis(5),
                rows: Some(3),
                schema: Vec::new(),
                checks: vec![check(problem)],
            };
            // A job that is repeated says the same again.
            assets.record(context, &graph, asset, made.clone()).await?;
            assets.record(context, &graph, asset, made).await?;
            if problem.is_some() {
                break;
            }
        }
        Ok(())
    }
}

/// What observers learn.
#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl AssetObserver for Heard {
    fn observe(&self, event: &AssetEvent<'_>) {
        let word = match event.happening {
            Happening::Made(_) => "made",
            Happening::Refused(_) => "refused",
            _ => return,
        };
        let line = format!("{}: {} {word}", event.workflow, event.asset.name);
        self.0.lock().expect("sound").push(line);
    }
}

fn request() -> Request {
    Request::everything(asset::graph().expect("assets that fit"), SystemTime::now())
}

/// What is not current and no function makes, with the reasons.
async fn stale(assets: &Assets) -> Vec<String> {
    let plan = assets.plan(&request()).await.expect("records");
    let line = |step: &asset::plan::Step| {
        let reasons: Vec<String> = step.reasons.iter().map(ToString::to_string).collect();
        format!("{}: {}", step.asset, reasons.join(", "))
    };
    plan.made_otherwise.iter().map(line).collect()
}

#[test]
fn assets_of_functions_and_of_workflows_are_one_graph() {
    futures::executor::block_on(async {
        registry::register(Warehouse::new("warehouse")).expect("a new name");
        registry::register(Warehouse::new("nightly")).expect("a new name");
        let store = Arc::new(MemoryStore::new());
        let folder = std::env::temp_dir().join(format!("warehouse-{}", std::process::id()));
        let heard = Arc::new(Heard::default());
        let assets = Assets::new(store.clone(), &folder).expect("records").observer(heard.clone());
        let engine = Engine::builder().store(store).state(assets.clone()).build();
        let build = async |second, problem| {
            *NEXT.lock().expect("sound") = (second, problem);
            engine
                .run("warehouse")
                .start()
                .expect("it starts")
                .outcome()
                .await
                .expect("it completes");
        };
        let make = async || {
            let plan = assets.plan(&request().forced(true)).await.expect("records");
            let input = plan.to_input().expect("small");
            engine.run(asset::WORKFLOW).input(input).start().expect("it starts").outcome().await
        };

        let graph = asset::graph().expect("assets that fit");
        let makers: Vec<(&str, &Maker)> =
            graph.assets().iter().map(|spec| (spec.name.as_str(), &spec.maker)).collect();
        let Maker::Workflows(names) = makers[2].1 else { panic!("{makers:?}") };
        assert_eq!((names.len(), makers[3].1), (2, makers[2].1));
        assert_eq!(makers[0], ("orders", &Maker::Function));
        assert_eq!(makers[1], ("weather", &Maker::Outside));

        // A run of the workflow `assets` makes those of functions alone.
        assert_eq!(stale(&assets).await, ["view: never materialized", "total: never materialized"]);
        make().await.expect("it completes");
        build(1, None).await;
        assert_eq!(stale(&assets).await, [""; 0]);
        // Another value of an input, and then another view.
        std::fs::remove_dir_all(folder.join("orders")).expect("removed");
        assert_eq!(
            stale(&assets).await,
            [
                "view: input is materialized again: orders[eu] and 1 more",
                "total: input is materialized again: view"
            ]
        );
        build(2, None).await;
        // A value that a check refuses is not current, and is no input of others.
        make().await.expect("it completes");
        build(3, Some("0 rows")).await;
        assert_eq!(stale(&assets).await, [""; 0]);
        let (history, _) = assets.history("view", None, None, 9).await.expect("records");
        let refused: Vec<bool> = history.iter().map(|made| made.is_refused).collect();
        assert_eq!(refused, [true, false, false]);
        assert_eq!(history[2].details.inputs.len(), 2);
        assert_eq!(history[2].details.reasons, ["never materialized"]);

        let said = graph.check_made_by_function("view").expect_err("a workflow makes it");
        let expected = "asset `view` is not materialized by a function; run one of the workflows `";
        assert!(said.to_string().starts_with(expected), "{said}");
        let said = graph.check_made_by_function("weather").expect_err("nobody makes it");
        assert!(said.to_string().ends_with("it comes from outside of this program"), "{said}");

        let heard = heard.0.lock().expect("sound").clone();
        let own: Vec<&str> =
            heard.iter().filter_map(|line| line.strip_prefix("warehouse: ")).collect();
        assert_eq!(own, ["view made", "total made", "view made", "total made", "view refused"]);
        std::fs::remove_dir_all(&folder).expect("removed");
    });
}

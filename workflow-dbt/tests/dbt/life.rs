//! A project with failures, their repair and the retry of the run, in one copy: each start of dbt
//! takes seconds of CPU.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use workflow_core::asset::{self, Request};
use workflow_core::definition::Metadata;
use workflow_core::id::WorkflowName;
use workflow_core::store::Store as _;
use workflow_core::workflow::{Plan, PlanError, WorkflowAsset};
use workflow_core::{Report, Run as _, Status, Workflow, registry};
use workflow_dbt::{BuildSummary, DbtWorkflow, Manifest, NodeResult, NodeStatus};
use workflow_store::{RetryRequest, RetrySource, SqliteStore, retry_run};

use super::support::Shop;

const WARNS: &str = "test.shop.accepted_values_orders_customer__Ben.0e7de8ba11";
const TEST: &str = "select * from {{ ref('orders') }} where amount > 25";

#[test]
fn a_project_is_built_and_repaired() {
    pollster::block_on(async {
        let shop = Shop::copy();
        shop.write("tests/no_large_orders.sql", TEST);
        shop.write("models/broken.sql", "select nothing from {{ ref('raw_orders') }}");
        shop.write("models/after_broken.sql", "select * from {{ ref('broken') }}");
        let store = shop.store().await;
        let workflow = Arc::new(shop.project().workflow("shop").expect("a workflow"));
        the_graph_is_that_of_the_manifest(&shop, &workflow);
        a_selection_is_that_of_dbt(&shop);
        registry::register(Shared(Arc::clone(&workflow))).expect("a new name");
        let report = failures_are_those_of_their_jobs(&shop, &store, &workflow).await;
        results_are_outputs(&shop, &report);
        what_was_built_is_recorded(&store).await;
        a_retry_builds_what_is_left(&shop, &store, &workflow, &report).await;
        what_a_retry_has_built_is_current(&store).await;
    });
}

/// The workflow for the registry, which takes it for itself.
struct Shared(Arc<DbtWorkflow>);

impl Workflow for Shared {
    fn name(&self) -> &WorkflowName {
        self.0.name()
    }

    fn metadata(&self) -> &Metadata {
        self.0.metadata()
    }

    fn assets(&self) -> &[WorkflowAsset] {
        self.0.assets()
    }

    fn plan(&self, input: Option<&(dyn Any + Send + Sync)>) -> Result<Arc<Plan>, PlanError> {
        self.0.plan(input)
    }
}

/// The assets: `current` or why not, and the checks that failed in the newest record.
async fn states(store: &SqliteStore) -> BTreeMap<String, String> {
    let (assets, graph) = (Shop::assets(store), asset::graph().expect("they fit together"));
    let request = Request::everything(graph, SystemTime::now());
    let examined = assets.examine(&request).await.expect("records");
    let mut states = BTreeMap::new();
    for state in examined.states() {
        let name = &state.spec.name;
        let reasons = state.partitions.first().map(|whole| whole.reasons);
        let mut words: Vec<String> = match reasons {
            None => vec!["outside".to_owned()],
            Some([]) => vec!["current".to_owned()],
            Some(reasons) => reasons.iter().map(ToString::to_string).collect(),
        };
        let (history, _) = assets.history(name, None, None, 1).await.expect("records");
        let checks = history.iter().flat_map(|made| &made.details.checks);
        words.extend(checks.filter_map(|check| {
            let kind = if check.is_blocking { "refused" } else { "warning" };
            check.problem.as_ref().map(|problem| format!("{kind}: {problem}"))
        }));
        states.insert(name.clone(), words.join("; "));
    }
    states
}

async fn what_was_built_is_recorded(store: &SqliteStore) {
    let states = states(store).await;
    let expected = [
        ("seed.shop.raw_orders", "current"),
        ("source.shop.files.regions", "outside"),
        (
            "model.shop.orders",
            "never materialized; warning: Got 1 result, configured to warn if != 0; refused: Got 1 result, \
             configured to fail if != 0",
        ),
        ("model.shop.customers", "never materialized"),
    ];
    for (asset, state) in expected {
        assert_eq!(states[asset], state, "{asset} of {states:?}");
    }
    assert!(!states.contains_key("test.shop.no_large_orders"), "a test is a check: {states:?}");
}

async fn what_a_retry_has_built_is_current(store: &SqliteStore) {
    for (asset, state) in states(store).await {
        let expected = match asset.as_str() {
            "source.shop.files.regions" => "outside",
            "model.shop.orders" => "current; warning: Got 1 result, configured to warn if != 0",
            _ => "current",
        };
        assert_eq!(state, expected, "{asset}");
    }
    let graph = asset::graph().expect("they fit together");
    let regions = &graph.assets()[graph.number("model.shop.regions").expect("an asset")];
    let inputs: Vec<&str> = regions.inputs.iter().map(|(input, _)| input.as_str()).collect();
    // Through the ephemeral model.
    assert_eq!(inputs, ["model.shop.orders", "source.shop.files.regions"]);
    let (history, _) =
        Shop::assets(store).history("model.shop.regions", None, None, 9).await.expect("records");
    let read: Vec<&str> =
        history[0].details.inputs.iter().map(|input| input.asset.as_str()).collect();
    assert_eq!((history.len(), read), (1, vec!["model.shop.orders"]));
}

fn a_selection_is_that_of_dbt(shop: &Shop) {
    let project = shop.project().select(["+orders", "customers"]).exclude(["resource_type:test"]);
    let some = project.workflow("some").expect("a workflow");
    let ids: Vec<&str> = some.nodes().iter().map(|node| node.id.as_str()).collect();
    assert_eq!(ids, ["model.shop.customers", "model.shop.orders", "seed.shop.raw_orders"]);
}

fn the_graph_is_that_of_the_manifest(shop: &Shop, workflow: &DbtWorkflow) {
    let manifest = Manifest::read(&shop.path().join("target/manifest.json")).expect("a manifest");
    assert_eq!(manifest.version(), 12);
    let built = manifest.nodes().values().filter(|node| node.kind.is_built());
    let mut expected: BTreeSet<&str> = built.map(|node| node.id.as_str()).collect();
    expected.extend(["source.shop.files.regions", DbtWorkflow::RESULTS]);
    let plan = Workflow::plan(workflow, None).expect("a plan");
    let jobs: BTreeSet<&str> = plan.graph().job_names().collect();
    assert_eq!(jobs, expected);

    let edges: BTreeSet<(&str, &str)> = plan.graph().edges().collect();
    for edge in [
        ("seed.shop.raw_orders", "model.shop.orders"),
        ("model.shop.orders", WARNS),
        (WARNS, "model.shop.customers"),
        // Through the ephemeral model.
        ("model.shop.orders", "model.shop.regions"),
        ("source.shop.files.regions", "model.shop.regions"),
        ("unit_test.shop.report.report_counts_regions", "model.shop.report"),
        ("model.shop.regions", "unit_test.shop.report.report_counts_regions"),
        ("model.shop.report", DbtWorkflow::RESULTS),
    ] {
        assert!(edges.contains(&edge), "{edge:?} is missing in {edges:?}");
    }
}

async fn failures_are_those_of_their_jobs(
    shop: &Shop,
    store: &SqliteStore,
    workflow: &Arc<DbtWorkflow>,
) -> Report {
    let run = Shop::engine(store, workflow).run(Arc::clone(workflow) as Arc<dyn Workflow>);
    let report = run.await.expect_err("it fails").into_report().expect("a report");
    let failure = |job: &str| report.job(job).and_then(|job| job.error).expect("an error").message;
    let broken = failure("model.shop.broken");
    assert!(broken.contains("models/broken.sql") && broken.contains("\"nothing\""), "{broken}");
    assert_eq!(
        failure("test.shop.no_large_orders"),
        "`test.shop.no_large_orders` (tests/no_large_orders.sql) ended with fail: Got 1 result, \
         configured to fail if != 0"
    );
    let status = |job: &str| report.job(job).expect("a job").status;
    for skipped in ["model.shop.after_broken", "model.shop.customers", "model.shop.report"] {
        assert_eq!(status(skipped), Status::Skipped, "{skipped}");
    }
    assert_eq!(status(DbtWorkflow::RESULTS), Status::Completed);
    assert_eq!(shop.processes(report.id()), 1);
    let started = shop.log(report.id(), 1).started();
    assert_eq!(started.len(), workflow.nodes().len() - 1, "all but the source: {started:?}");
    report
}

fn results_are_outputs(shop: &Shop, report: &Report) {
    let summary: &BuildSummary = report.output_of(DbtWorkflow::RESULTS).expect("a summary");
    assert!(summary.seconds.is_some_and(|seconds| seconds > 0.0), "{summary:?}");
    let count = |status| summary.statuses.get(&status).copied();
    assert_eq!((count(NodeStatus::Error), count(NodeStatus::Fail)), (Some(1), Some(1)));
    assert_eq!(count(NodeStatus::Warn), Some(1));

    let seed: &NodeResult = report.output_of("seed.shop.raw_orders").expect("a result");
    assert_eq!((seed.status, seed.message.as_str()), (NodeStatus::Success, "INSERT 3"));
    assert!(seed.seconds > 0.0 && seed.started_at.starts_with("20"), "{seed:?}");
    let warning = report.job(WARNS).expect("a job").annotations;
    assert_eq!(warning["warning"], "Got 1 result, configured to warn if != 0");
    assert_eq!(warning["failures"], 1);
    let folder = shop.path().join(format!(".workflow/runs/{}", report.id()));
    let files = std::fs::read_dir(folder).expect("the folder of the run");
    let files = files.map(|file| file.expect("an entry").path()).filter(|path| path.is_file());
    let printed: Vec<u8> = files.flat_map(|file| std::fs::read(file).expect("a log")).collect();
    let printed = String::from_utf8_lossy(&printed);
    for line in ["OK created sql view model main.orders", "WARN 1 accepted_values", "Done. PASS="] {
        assert!(printed.contains(line), "{line} is missing in {printed}");
    }
}

async fn a_retry_builds_what_is_left(
    shop: &Shop,
    store: &SqliteStore,
    workflow: &Arc<DbtWorkflow>,
    report: &Report,
) {
    shop.write("models/broken.sql", "select id from {{ ref('raw_orders') }}");
    shop.write("tests/no_large_orders.sql", &TEST.replace("25", "99"));
    let old = store.run(report.id()).await.expect("is read").expect("a run");
    let (failed, request) = (RetrySource::Failed, RetryRequest::default());
    retry_run(store, &old, &**workflow, failed, request).await.expect("a new run");
    let recovery = Shop::engine(store, workflow).recover().await.expect("a recovery");
    let run = recovery.runs.first().expect("the new run");
    let retried = run.outcome().await.expect("it completes");
    assert!(retried.jobs().iter().all(|job| job.status == Status::Completed));
    let left = report.jobs().into_iter().filter(|job| job.status != Status::Completed);
    let mut left: Vec<String> = left.map(|job| job.name).collect();
    left.sort();
    assert_eq!(shop.log(retried.id(), 1).started(), left);
    let summary: BuildSummary = retried.output().expect("a summary");
    assert_eq!(summary.processes, 1);
    let count: u64 = summary.statuses.values().sum();
    assert_eq!(count, workflow.nodes().len() as u64 - 1, "{summary:?}");
    assert!(summary.statuses.keys().all(|status| status.is_success()), "{summary:?}");
}

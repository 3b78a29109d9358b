//! A project with failures, their repair and the retry of the run, in one copy: each start of dbt
//! takes seconds of CPU.

use std::collections::BTreeSet;
use std::sync::Arc;

use workflow_core::store::Store as _;
use workflow_core::{Report, Run as _, Status, Workflow};
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
        let report = failures_are_those_of_their_jobs(&shop, &store, &workflow).await;
        results_are_outputs(&shop, &report);
        a_retry_builds_what_is_left(&shop, &store, &workflow, &report).await;
    });
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

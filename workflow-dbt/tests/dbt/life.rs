//! A project from its first run over failures to their repair, in one copy: each start of dbt
//! takes seconds.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use workflow_core::{Engine, Report, Run as _, RunError, Status};
use workflow_dbt::{BuildSummary, DbtWorkflow, Manifest, NodeResult, NodeStatus, ProjectError};
use workflow_store::{RetryRequest, RetrySource, SqliteStore, retry_run};

use super::support::{Shop, is_alive, until};

const WARNS: &str = "test.shop.accepted_values_orders_customer__Ben.0e7de8ba11";

#[test]
fn a_project_is_built_repaired_and_stopped() {
    pollster::block_on(async {
        let shop = Shop::copy();
        let store = shop.store().await;
        selections(&shop);
        let workflow = Arc::new(shop.project().workflow("shop").expect("a workflow"));
        the_graph_is_that_of_the_manifest(&shop, &workflow);
        everything_is_built_by_one_process(&shop, &store, &workflow).await;
        failures_are_retried_after_their_repair(&shop, &store).await;
        a_cancelled_run_stops_dbt(&shop, &store).await;
    });
}

fn selections(shop: &Shop) {
    let project = shop.project().select(["+orders", "customers"]).exclude(["test_type:generic"]);
    let some = project.workflow("some").expect("a workflow");
    let ids: Vec<&str> = some.nodes().iter().map(|node| node.id.as_str()).collect();
    assert_eq!(ids, ["model.shop.customers", "model.shop.orders", "seed.shop.raw_orders"]);

    let error = shop.project().select(["tag:none"]).workflow("none").err().expect("nothing");
    assert!(matches!(error, ProjectError::NothingSelected), "{error}");
    let error = shop.project().selector("none").workflow("none").err().expect("no selector");
    assert!(error.to_string().contains("selector"), "{error}");
}

fn the_graph_is_that_of_the_manifest(shop: &Shop, workflow: &DbtWorkflow) {
    let manifest = Manifest::read(&shop.path().join("target/manifest.json")).expect("a manifest");
    assert_eq!(manifest.version(), 12);
    let built = manifest.nodes().values().filter(|node| node.kind.is_built());
    let mut expected: BTreeSet<&str> = built.map(|node| node.id.as_str()).collect();
    expected.extend(["source.shop.files.regions", DbtWorkflow::RESULTS]);
    let plan = workflow_core::Workflow::plan(workflow, None).expect("a plan");
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

async fn everything_is_built_by_one_process(
    shop: &Shop,
    store: &SqliteStore,
    workflow: &Arc<DbtWorkflow>,
) {
    let report = run(store, workflow).await.expect("it completes");
    assert!(report.jobs().iter().all(|job| job.status == Status::Completed));
    let summary: BuildSummary = report.output().expect("a summary");
    assert_eq!(summary.processes, 1);
    assert_eq!(shop.processes(report.id()), 1);
    assert!(summary.seconds.is_some_and(|seconds| seconds > 0.0));
    let log = shop.log(report.id(), 1);
    assert_eq!(log.started().len(), workflow.nodes().len() - 1, "all but the source");
    let counts: u64 = summary.statuses.values().sum();
    assert_eq!(counts, log.started().len() as u64);
    assert_eq!(summary.statuses[&NodeStatus::Warn], 1);

    let seed: &NodeResult = report.output_of("seed.shop.raw_orders").expect("a result");
    assert_eq!((seed.status, seed.message.as_str()), (NodeStatus::Success, "INSERT 3"));
    assert!(seed.seconds > 0.0 && seed.started_at.starts_with("20"), "{seed:?}");
    let warning = report.job(WARNS).expect("a job").annotations;
    assert_eq!(warning["warning"], "Got 1 result, configured to warn if != 0");
    assert_eq!(warning["failures"], 1);
    let folder = shop.path().join(format!(".workflow/runs/{}", report.id()));
    let mut printed = String::new();
    for file in std::fs::read_dir(folder).expect("the folder of the run") {
        let path = file.expect("an entry").path();
        if path.is_file() {
            printed += &String::from_utf8_lossy(&std::fs::read(path).expect("a log"));
        }
    }
    for line in ["OK created sql view model main.orders", "WARN 1 accepted_values", "Done. PASS="] {
        assert!(printed.contains(line), "{line} is missing in {printed}");
    }
}

async fn failures_are_retried_after_their_repair(shop: &Shop, store: &SqliteStore) {
    let test = "select * from {{ ref('orders') }} where amount > 25";
    std::fs::create_dir_all(shop.path().join("tests")).expect("a folder");
    shop.write("tests/no_large_orders.sql", test);
    shop.write("models/broken.sql", "select nothing from {{ ref('raw_orders') }}");
    shop.write("models/after_broken.sql", "select * from {{ ref('broken') }}");
    let workflow = Arc::new(shop.project().workflow("shop").expect("a workflow"));
    let report =
        run(store, &workflow).await.expect_err("it fails").into_report().expect("a report");
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

    shop.write("models/broken.sql", "select id from {{ ref('raw_orders') }}");
    shop.write("tests/no_large_orders.sql", &test.replace("25", "99"));
    let old = workflow_core::store::Store::run(store, report.id()).await.expect("is read");
    let old = old.expect("a run");
    let (failed, request) = (RetrySource::Failed, RetryRequest::default());
    retry_run(store, &old, &*workflow, failed, request).await.expect("a new run");
    let recovery = Shop::engine(store, &workflow).recover().await.expect("a recovery");
    let retried =
        recovery.runs.first().expect("the new run").outcome().await.expect("it completes");
    let again = shop.log(retried.id(), 1).started();
    let mut expected: Vec<String> = report
        .jobs()
        .into_iter()
        .filter_map(|job| (job.status != Status::Completed).then_some(job.name))
        .collect();
    expected.sort();
    assert_eq!(again, expected);
    assert!(again.iter().any(|node| node == "model.shop.after_broken"));
    assert!(!again.iter().any(|node| node == "model.shop.orders"));
}

async fn a_cancelled_run_stops_dbt(shop: &Shop, store: &SqliteStore) {
    let project = shop.project().env("SHOP_SLOW", "1").select(["+customers"]);
    let workflow = Arc::new(project.workflow("slow").expect("a workflow"));
    let run = Shop::engine(store, &workflow)
        .run(Arc::clone(&workflow) as Arc<dyn workflow_core::Workflow>);
    let handle = run.start().expect("it starts");
    let log = shop.log(handle.id(), 1);
    let starts = || log.started().iter().any(|node| node == "model.shop.customers");
    until("the slow model starts", starts);
    let pid = log.pid();
    assert!(is_alive(pid));
    handle.cancel();
    let report = handle.outcome().await.expect_err("it is cancelled").into_report();
    let report = report.expect("a report");
    assert_eq!(report.status(), Status::Cancelled);
    let status = |job: &str| report.job(job).expect("a job").status;
    assert_eq!(status("model.shop.orders"), Status::Completed);
    assert_eq!(status("model.shop.customers"), Status::Cancelled);
    until("dbt ends", || !is_alive(pid));
    assert!(report.duration() < Duration::from_secs(60));
}

async fn run(store: &SqliteStore, workflow: &Arc<DbtWorkflow>) -> Result<Report, RunError> {
    let engine: Engine = Shop::engine(store, workflow);
    engine.run(Arc::clone(workflow) as Arc<dyn workflow_core::Workflow>).await
}

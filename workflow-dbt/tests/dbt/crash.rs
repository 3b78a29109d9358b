//! A host that is killed in the middle of a run, and another one that resumes it.

use std::process::{Command, Stdio};
use std::sync::Arc;

use workflow_core::event::{Event, EventKind};
use workflow_core::store::Store as _;
use workflow_core::{Run as _, Status, Workflow};
use workflow_dbt::{BuildSummary, DbtWorkflow, NodeStatus};

use super::support::{Shop, dbt, is_alive, until};

/// The folder of the project, for the host.
const SHOP: &str = "WORKFLOW_DBT_SHOP";

#[test]
#[ignore = "the host that another test kills"]
fn host() {
    let shop = Shop::at(std::env::var_os(SHOP).expect("the folder of the project"));
    pollster::block_on(async {
        let workflow = Arc::new(shop.project().workflow("shop").expect("a workflow"));
        let engine = Shop::engine(&shop.store().await, &workflow);
        let ended = engine.run(workflow as Arc<dyn Workflow>).await;
        panic!("the run ended before the host was killed: {ended:?}");
    });
}

#[test]
fn what_a_killed_host_has_built_is_not_built_again() {
    let shop = Shop::copy();
    shop.write("models/broken.sql", "select nothing from {{ ref('raw_orders') }}");
    shop.write("models/after_broken.sql", "select * from {{ ref('broken') }}");
    // Fetched here, so that the host does not wait for it.
    drop(dbt());
    let mut host = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "crash::host", "--ignored", "--nocapture"])
        .env(SHOP, shop.path())
        .env("SHOP_SLOW", "1")
        .stdout(Stdio::null())
        .spawn()
        .expect("a host");
    let runs = shop.path().join(".workflow/runs");
    let run = || std::fs::read_dir(&runs).ok()?.next()?.ok()?.file_name().into_string().ok();
    let started = |node: &str| {
        let log = run().map(|run| shop.log(run, 1));
        log.is_some_and(|log| log.started().iter().any(|started| started == node))
    };
    until("the slow model starts", || {
        assert!(host.try_wait().expect("the host").is_none(), "the host has ended");
        started("model.shop.customers")
    });
    let run = run().expect("a run");
    let log = shop.log(&run, 1);
    let pid = log.pid();
    pollster::block_on(until_failed(&shop, &run, "model.shop.broken"));
    host.kill().expect("it is killed");
    host.wait().expect("it has ended");
    until("dbt ends with its host", || !is_alive(pid));

    pollster::block_on(async {
        let workflow = Arc::new(shop.project().workflow("shop").expect("a workflow"));
        let engine = Shop::engine(&shop.store().await, &workflow);
        let handle = loop {
            let recovery = engine.recover().await.expect("a recovery");
            assert!(recovery.refused.is_empty(), "{:?}", recovery.refused);
            match recovery.runs.into_iter().next() {
                Some(handle) => break handle,
                // Until the lease of the killed host has expired.
                None => std::thread::sleep(std::time::Duration::from_millis(50)),
            }
        };
        let report = handle.outcome().await.expect_err("a model is broken").into_report();
        let report = report.expect("a report");
        assert_eq!(report.id().to_string(), run);
        let status = |job: &str| report.job(job).expect("a job").status;
        assert_eq!(status("model.shop.broken"), Status::Failed);
        assert_eq!(status("model.shop.after_broken"), Status::Skipped);
        assert_eq!(status("model.shop.report"), Status::Completed);
        let summary: &BuildSummary = report.output_of(DbtWorkflow::RESULTS).expect("a summary");
        assert_eq!((summary.processes, summary.statuses[&NodeStatus::Error]), (2, 1));
    });
    let built = log
        .finished()
        .into_iter()
        .filter(|(_, status)| ["success", "pass", "warn"].contains(&status.as_str()));
    let built: Vec<String> = built.map(|(node, _)| node).collect();
    assert!(built.iter().any(|node| node == "model.shop.orders"), "{built:?}");
    let again = shop.log(&run, 2).started();
    assert!(again.iter().any(|node| node == "model.shop.customers"), "{again:?}");
    assert!(built.iter().all(|node| !again.contains(node)), "{built:?} and again {again:?}");
    assert!(!again.iter().any(|node| node.contains("broken")), "{again:?}");
}

/// Waits until the store has the failure of a job.
async fn until_failed(shop: &Shop, run: &str, job: &str) {
    let store = shop.store().await;
    let run = run.parse().expect("the ID of a run");
    loop {
        let events = store.events(run, 0, 1000).await.expect("events");
        let fails = |event: &Event| matches!(&event.kind, EventKind::JobFailed { job: failed, .. } if failed == job);
        if events.iter().any(fails) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

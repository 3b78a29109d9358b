//! An engine on a store: what it did is there for another to read.
#![cfg(feature = "sqlite")]

use std::sync::Arc;

use workflow_core::prelude::*;
use workflow_store::{Catalog, SqliteStore};

#[job]
async fn extract() -> Vec<u32> {
    vec![3, 4, 5]
}

#[job]
fn total(prices: &[u32]) -> Result<u32, JobError> {
    Ok(prices.iter().sum())
}

#[job]
fn refuse(_: u32) -> Result<u32, JobError> {
    Err(JobError::terminal("no"))
}

#[register_workflow(name = "prices", metadata = { "project": "shop" })]
fn prices(flow: &mut Flow) -> Handle<u32> {
    let prices = flow.job(extract());
    flow.job(total(prices))
}

#[register_workflow(name = "refused")]
fn refused(flow: &mut Flow) -> Handle<u32> {
    let prices = flow.job(extract());
    let total = flow.job(total(prices));
    flow.job(refuse(total))
}

#[test]
fn runs_of_an_engine_are_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = pollster::block_on(SqliteStore::open(folder.path().join("w.db"))).expect("opened");
    let store = Arc::new(store);
    let engine = Engine::builder().shared_store(store.clone()).build();
    let report = engine.run("prices").wait().expect("it runs");
    assert_eq!(report.output::<u32>().expect("a number"), 12);
    let error = engine.run("refused").wait().expect_err("it fails");
    let failed = error.report().expect("it ran");
    pollster::block_on(async {
        let details = store.run_details(report.id()).await.expect("kept");
        assert_eq!(details.run.status, Status::Completed);
        let jobs: Vec<_> = details.jobs.iter().map(|job| (job.name.as_str(), job.status)).collect();
        assert_eq!(jobs, [("extract", Status::Completed), ("total", Status::Completed)]);
        let details = store.run_details(failed.id()).await.expect("kept");
        assert_eq!(details.run.status, Status::Failed);
        assert_eq!(details.jobs.iter().filter(|job| job.status == Status::Failed).count(), 1);
        let statistics = store.statistics(Some("prices")).await.expect("known").remove(0);
        assert_eq!((statistics.begun, statistics.runs.completed, statistics.jobs.len()), (1, 1, 2));
        let workflow = store.workflow("prices").await.expect("known");
        assert_eq!(workflow.project.as_deref(), Some("shop"));
        assert_eq!(workflow.dag_spec["nodes"].as_array().map(Vec::len), Some(2));
    });
}

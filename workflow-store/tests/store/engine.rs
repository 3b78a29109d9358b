//! An engine on a store: what it did is there for another to read.

use test_postgres as cluster;

use std::sync::Arc;

use workflow_core::engine::Enqueued;
use workflow_core::id::NameError;
use workflow_core::prelude::*;
use workflow_core::store::{SharedBy, Store as _};
use workflow_core::workflow::FunctionWorkflow;
use workflow_store::{
    Catalog, NewWorkflow, RetryError, RetryRequest, RetrySource, SqliteStore, Viewer, retry_run,
};

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
fn runs_of_an_engine_are_persisted() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = pollster::block_on(SqliteStore::open(folder.path().join("w.db"))).expect("opened");
    let store = Arc::new(store);
    let engine = Engine::builder().store(store.clone()).build();
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
        assert_eq!(
            (statistics.requested, statistics.runs.completed, statistics.jobs.len()),
            (1, 1, 2)
        );
        let workflow = store.workflow("prices").await.expect("known");
        assert_eq!(workflow.project.as_deref(), Some("shop"));
        assert_eq!(workflow.dag_spec["nodes"].as_array().map(Vec::len), Some(2));
    });
}

#[test]
fn a_retry_belongs_to_the_same_workflow() {
    let store = Arc::new(pollster::block_on(SqliteStore::open(":memory:")).expect("opened"));
    let engine = Engine::builder().store(store.clone()).build();
    pollster::block_on(async {
        // Another workflow of this name, which is not hers.
        store.create_workflow(NewWorkflow::new("refused")).await.expect("made");
        let workflow = registry::get("refused").expect("registered").workflow();
        store
            .sync_registered(&[workflow_core::store::WorkflowSnapshot::of(&*workflow)])
            .await
            .expect("synced");
        let run = engine.run("refused").user("alice").await.expect_err("it fails");
        let run = run.report().expect("it ran").id();
        let old = store.run(run).await.expect("readable").expect("kept");
        let hers = store.seen_by(Viewer::User("alice".to_owned()));
        let workflow = old.workflow.workflow().expect("registered");
        let key = || RetryRequest { idempotency_key: Some("again".to_owned()), user: None };
        let again =
            retry_run(&*hers, &old, &*workflow, RetrySource::Failed, key()).await.expect("begun");
        let Enqueued::New(again) = again else { panic!("it was there: {again:?}") };
        assert_eq!(
            retry_run(&*hers, &old, &*workflow, RetrySource::Failed, key()).await.ok(),
            Some(Enqueued::Existing(again, SharedBy::Key))
        );
        let details = hers.run_details(again).await.expect("hers");
        let first = hers.run_summary(run).await.expect("hers");
        assert_eq!(details.run.user.as_deref(), Some("alice"));
        assert_eq!(details.run.workflow_id, first.workflow_id);
        let jobs: Vec<_> = details.jobs.iter().map(|job| (&*job.name, job.status)).collect();
        assert_eq!(
            jobs,
            [
                ("extract", Status::Completed),
                ("total", Status::Completed),
                ("refuse", Status::Pending)
            ]
        );
        let early = hers.run(again).await.expect("readable").expect("kept");
        let error =
            retry_run(&*hers, &early, &*workflow, RetrySource::Failed, RetryRequest::default())
                .await;
        assert!(matches!(error, Err(RetryError::NotEnded { .. })), "{error:?}");
        let error = retry_run(
            &*hers,
            &old,
            &*workflow,
            RetrySource::From("refuse"),
            RetryRequest::default(),
        )
        .await;
        assert!(error.is_ok(), "{error:?}");
        let error =
            retry_run(&*hers, &old, &*workflow, RetrySource::From("load"), RetryRequest::default())
                .await;
        assert!(matches!(error, Err(RetryError::NoJob { .. })), "{error:?}");
        let other = registry::get("prices").expect("registered").workflow();
        let error =
            retry_run(&*hers, &old, &*other, RetrySource::Failed, RetryRequest::default()).await;
        assert!(matches!(error, Err(RetryError::Changed { .. })), "{error:?}");
        let refused = async |other: Result<FunctionWorkflow, NameError>| {
            let (other, request) = (other.expect("a name"), RetryRequest::default());
            let retried = retry_run(&*hers, &old, &other, RetrySource::Failed, request).await;
            retried.expect_err("it is refused").to_string()
        };
        let other = FunctionWorkflow::with_input("refused", |_: &mut Flow, _: Handle<u32>| {});
        let error = refused(other).await;
        let start = format!("the input of run {run} does not fit `refused`: ");
        assert!(error.starts_with(&start), "{error}");
        let draw = |_: &mut Flow| Err::<(), _>(JobError::terminal("no more"));
        let error = refused(FunctionWorkflow::new("refused", draw)).await;
        assert_eq!(
            error,
            "workflow `refused` cannot run: the workflow's graph could not be drawn: no more"
        );
        let theirs = store.seen_by(Viewer::User("bob".to_owned()));
        assert!(
            retry_run(&*theirs, &old, &*workflow, RetrySource::Failed, RetryRequest::default())
                .await
                .is_err()
        );
        // An engine finishes what was begun.
        engine.recover().await.expect("readable");
        assert!(engine.follow(again).await.is_err());
    });
}

#[job]
fn double(number: u32) -> u32 {
    number * 2
}

#[register_workflow(name = "doubled")]
fn doubled(flow: &mut Flow, number: Handle<u32>) -> Handle<u32> {
    flow.job(double(number))
}

#[register_workflow(name = "doubled twice")]
async fn doubled_twice(ctx: WorkflowContext, number: u32) -> Result<u32, JobError> {
    let once = ctx.run(|number| registry::call::<u32, u32>("doubled", number), number).await?;
    ctx.run(|number| registry::call("doubled", number), once).await
}

/// A function calls workflows, each of which is a run of its own.
fn check_calls(store: Arc<dyn workflow_core::store::Store>) -> Report {
    let engine = Engine::builder().store(store.clone()).build();
    let report = engine.run("doubled twice").input(3).wait().expect("it runs");
    assert_eq!(report.output::<u32>(), Ok(12));
    // What is on record is what it was.
    let elsewhere = Engine::builder().store(store).build();
    let followed = pollster::block_on(elsewhere.follow(report.id())).expect("it completed");
    assert_eq!(followed.output::<u32>(), Ok(12));
    report
}

#[test]
fn a_function_calls_workflows_on_sqlite() {
    let store = Arc::new(pollster::block_on(SqliteStore::open(":memory:")).expect("opened"));
    let report = check_calls(store.clone());
    let jobs = pollster::block_on(store.run_details(report.id())).expect("kept").jobs;
    let mut names: Vec<_> = jobs.iter().map(|job| job.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["doubled", "doubled twice", "doubled_2"]);
}

#[test]
fn a_function_calls_workflows_on_postgres() {
    let database = cluster::database();
    let store = pollster::block_on(workflow_store::PostgresStore::open(database.url()));
    check_calls(Arc::new(store.expect("opened")));
}

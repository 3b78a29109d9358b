//! Connections that are lost at a commit: the store finds out whether it was done, and does it once.

mod proxy;

use std::sync::atomic::{AtomicU32, Ordering};

use test_postgres as cluster;
use workflow_core::prelude::*;
use workflow_core::store::{BeginOutcome, Store, StoreError};
use workflow_store::PostgresStore;

use crate::given::{kept, new_run, started};
use proxy::{Cut, Proxy};

fn place() -> (cluster::Database, Proxy, PostgresStore) {
    let database = cluster::database();
    let proxy = Proxy::start(&database);
    let store = pollster::block_on(PostgresStore::open(&proxy.url(&database))).expect("opened");
    (database, proxy, store)
}

fn unavailable<T: std::fmt::Debug>(result: Result<T, StoreError>) {
    assert!(matches!(result, Err(StoreError::Unavailable(_))), "{result:?}");
}

#[test]
fn a_repeated_request_takes_effect_once() {
    for cut in [Cut::BeforeIt, Cut::AfterIt] {
        let (database, proxy, store) = place();
        pollster::block_on(async {
            let run = new_run();
            proxy.cut(cut, 1);
            unavailable(store.begin(run.clone(), vec![started()]).await);
            let begun = store.begin(run.clone(), vec![started()]).await.expect("begun");
            let BeginOutcome::New(Some(lease)) = begun else { panic!("{cut:?}: {begun:?}") };
            for sequence in [1, 2] {
                proxy.cut(cut, 1);
                unavailable(store.append(&lease, &[kept(sequence, sequence)]).await);
                store.append(&lease, &[kept(sequence, sequence)]).await.expect("kept");
            }
            assert_eq!(proxy.left(), 0);
            let events = store.events(run.id, 0, 9).await.expect("readable");
            assert_eq!(events, [started(), kept(1, 1), kept(2, 2)], "{cut:?}");
            // What differs from what is on record is no repetition.
            let other = store.append(&lease, &[kept(2, "other")]).await;
            assert!(matches!(other, Err(StoreError::Gap { .. })), "{cut:?}: {other:?}");
        });
        assert_eq!(database.query("SELECT execution_count FROM workflows_workflow"), ["1"]);
    }
}

static COUNTS: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];

#[job]
fn count(which: &usize) -> u32 {
    COUNTS[*which].fetch_add(1, Ordering::SeqCst)
}

#[register_workflow(name = "cut: counts")]
async fn counts(ctx: WorkflowContext, which: usize) -> Result<u32, JobError> {
    for _ in 0..5 {
        ctx.run(count, which).await?;
    }
    ctx.run(count, which).await
}

#[test]
fn an_engine_goes_on() {
    for (which, cut) in [Cut::BeforeIt, Cut::AfterIt].into_iter().enumerate() {
        let (database, proxy, store) = place();
        proxy.cut(cut, 4);
        let engine = Engine::builder().store(store).build();
        let report = engine.run("cut: counts").input(which).wait().expect("it completes");
        assert_eq!(report.output::<u32>().expect("a number"), 5);
        assert_eq!((COUNTS[which].load(Ordering::SeqCst), proxy.left()), (6, 0));
        let doubled = "SELECT 1 FROM workflows_event WHERE kind = 'job_completed' \
            GROUP BY job HAVING count(*) > 1";
        assert!(database.query(doubled).is_empty());
        assert_eq!(
            database.query("SELECT sum(count) FROM workflows_duration WHERE job <> ''"),
            ["7"]
        );
    }
}

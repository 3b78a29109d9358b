//! Runs whose worker has stopped, or has never been there: what this program knows of them.

use workflow_core::Status;
use workflow_temporal::RunEvents;

use crate::continued::{Served, own_client};
use crate::support::until_awaited;

#[tokio::test]
async fn a_run_that_no_worker_has_begun_is_pending_without_events() {
    let (client, _) = own_client().await;
    let run = client.run("offer").start().await.expect("it starts");
    // The history grows without a worker.
    run.signal("approved", "Ada").await.expect("it is running");
    run.signal("approved", "Eve").await.expect("it is running");
    let state = run.state().await.expect("the server answers");
    assert_eq!((state.status, state.has_worker), (Status::Pending, false));
    assert_eq!(run.status().await.expect("the server answers"), Status::Pending);
    assert_eq!(run.events(0).await.expect("the history"), RunEvents::Replayed(Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_shows_nothing_that_no_worker_has_decided() {
    let (client, prefix) = own_client().await;
    let worker = Served::start(&client, &prefix, 5_000);
    let run = client.run("offer").start().await.expect("it starts");
    until_awaited(&run, "approved").await;
    let RunEvents::Recorded(recorded) = run.events(0).await.expect("a worker answers") else {
        panic!("the worker has the run")
    };
    worker.stop().await;
    // A worker would continue now.
    run.signal("approved", "Ada").await.expect("it is running");
    assert_eq!(run.events(0).await.expect("the history"), RunEvents::Replayed(recorded));
}

//! Schedules of metadata as schedules of Temporal.

use temporalio_client::schedules::{
    CreateScheduleOptions, ScheduleAction, ScheduleDescriptionAction, ScheduleSpec,
};
use temporalio_client::{Client, ClientOptions, Connection, ConnectionOptions, RpcOptions};
use temporalio_common::UntypedWorkflow;
use temporalio_common::data_converters::RawValue;
use workflow_core::id::RunId;
use workflow_core::prelude::*;

use crate::support::{bare_client, until};

#[register_workflow(
    name = "nightly",
    schedule = "0 3 * * *",
    domain = "reports",
    metadata = { "timezone": "Europe/Vienna" }
)]
fn nightly() -> u64 {
    7
}

#[tokio::test]
async fn schedules_are_created_changed_and_removed() {
    let prefix = RunId::random().to_string();
    let client = bare_client().await.queue_prefix(prefix.clone());
    let first = client.sync_schedules().await.expect("it answers");
    assert_eq!(
        (first.created, first.changed, first.removed),
        (vec!["nightly".to_owned()], vec![], vec![])
    );
    let second = client.sync_schedules().await.expect("it answers");
    assert_eq!(second, Default::default());

    let target = format!("http://{}", test_temporal::server().address());
    let target: temporalio_client::Url = target.parse().expect("a URL");
    let connection = Connection::connect(ConnectionOptions::new(target).build());
    let connection = connection.await.expect("the server is there");
    let sdk =
        Client::new(connection, ClientOptions::new("default").build()).expect("valid options");
    let schedule = sdk.get_schedule_handle(format!("{prefix}/nightly"));
    let found = schedule.describe(RpcOptions::default()).await.expect("it is there");
    assert_eq!(
        found.note(),
        Some(&*format!("0 3 * * * in Europe/Vienna, in the queue {prefix}-reports"))
    );
    assert!(!found.future_action_times().is_empty());
    let change = |update: &mut temporalio_client::schedules::ScheduleUpdate| {
        update.set_note("by hand").set_paused(true);
    };
    schedule.update(change, RpcOptions::default()).await.expect("it is changed");
    let third = client.sync_schedules().await.expect("it answers");
    assert_eq!(third.changed, ["nightly"]);
    let found = schedule.describe(RpcOptions::default()).await.expect("it is there");
    assert!(found.paused(), "a paused schedule stays paused");

    // The schedule of a workflow that is gone.
    let description = schedule.describe(RpcOptions::default()).await.expect("it is there");
    let ScheduleDescriptionAction::StartWorkflow(action) = description.action() else {
        panic!("it starts a workflow")
    };
    assert_eq!((action.workflow_type(), action.workflow_id()), ("nightly", schedule.schedule_id()));
    let options = CreateScheduleOptions::builder()
        .action(ScheduleAction::start_workflow(
            UntypedWorkflow::new("gone"),
            RawValue::empty(),
            "queue",
            "gone",
        ))
        .spec(ScheduleSpec::builder().cron_strings(vec!["0 4 * * *".to_owned()]).build())
        .build();
    sdk.create_schedule(format!("{prefix}/gone"), options).await.expect("it is created");
    // Lists of Temporal lag behind.
    until(|| async { client.sync_schedules().await.expect("it answers").removed == ["gone"] })
        .await;
}

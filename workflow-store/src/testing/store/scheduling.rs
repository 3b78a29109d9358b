//! The state of schedules.

use std::time::{Duration, SystemTime};

use workflow_core::store::{
    ScheduleChange, ScheduleId, ScheduleState, ScheduleStore, ScheduledWorkflow, SkippedTime,
};

use super::fixtures::*;

fn schedule(workflow: &str, cron: &str) -> ScheduleId {
    let workflow = ScheduledWorkflow::Registered(workflow.to_owned());
    ScheduleId { workflow, cron: cron.to_owned(), timezone: Some("Europe/Berlin".to_owned()) }
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
}

fn handled(until: SystemTime, now: SystemTime) -> ScheduleChange {
    ScheduleChange::Handled { until, now, skipped: None }
}

async fn state(store: &dyn ScheduleStore, of: &ScheduleId) -> ScheduleState {
    store.schedule_state(of).await.expect("readable")
}

/// The two handles, with a run of the workflow `etl`; `None` for a store without schedules.
async fn with_workflow(
    stores: &Stores,
) -> Option<(&dyn ScheduleStore, &dyn ScheduleStore, ScheduleId)> {
    let both = stores.one.schedule_store().zip(stores.other.schedule_store());
    let (one, other) = both?;
    // A workflow that is code.
    let mut run = new_run("etl", None);
    run.workflow.source = None;
    stores.one.begin(run, Vec::new()).await.expect("it begins");
    Some((one, other, schedule("etl", "0 3 * * *")))
}

pub(crate) async fn the_cursor_of_a_schedule_moves_forward(stores: Stores) {
    let Some((one, other, of)) = with_workflow(&stores).await else { return };
    assert_eq!(state(one, &of).await, ScheduleState::default());
    let skipped = SkippedTime { at: at(5), reason: "run 7 is unfinished".to_owned() };
    let change =
        ScheduleChange::Handled { until: at(10), now: at(11), skipped: Some(skipped.clone()) };
    assert!(one.change_schedule(&of, change).await.expect("recorded"));
    let known = ScheduleState { handled: Some(at(10)), skipped: Some(skipped), is_paused: false };
    assert_eq!(state(other, &of).await, known);
    // A slower server changes nothing.
    other.change_schedule(&of, handled(at(9), at(11))).await.expect("recorded");
    assert_eq!(state(one, &of).await, known);
    other.change_schedule(&of, handled(at(20), at(21))).await.expect("recorded");
    assert_eq!(state(one, &of).await.handled, Some(at(20)));
    // The clock was wrong.
    one.change_schedule(&of, handled(at(2), at(3))).await.expect("recorded");
    assert_eq!(state(other, &of).await.handled, Some(at(2)));
}

pub(crate) async fn a_changed_schedule_begins_anew(stores: Stores) {
    let Some((one, other, of)) = with_workflow(&stores).await else { return };
    one.change_schedule(&of, handled(at(10), at(10))).await.expect("recorded");
    one.change_schedule(&of, ScheduleChange::Pause).await.expect("recorded");
    let minutes: Vec<String> = (0..60).map(|minute| minute.to_string()).collect();
    let hours: Vec<String> = (0..24).map(|hour| hour.to_string()).collect();
    let days: Vec<String> = (1..32).map(|day| day.to_string()).collect();
    let long = format!("{} {} {} * *", minutes.join(","), hours.join(","), days.join(","));
    let hourly = schedule("etl", &long);
    let paused = ScheduleState { is_paused: true, ..ScheduleState::default() };
    assert_eq!(state(other, &hourly).await, paused);
    other.change_schedule(&hourly, handled(at(5), at(10))).await.expect("recorded");
    assert_eq!(state(one, &hourly).await.handled, Some(at(5)));
    assert_eq!(state(one, &of).await.handled, None);
}

pub(crate) async fn a_schedule_pauses_and_resumes(stores: Stores) {
    let Some((one, other, of)) = with_workflow(&stores).await else { return };
    // Resuming a schedule that is not paused skips nothing.
    one.change_schedule(&of, handled(at(10), at(10))).await.expect("recorded");
    one.change_schedule(&of, ScheduleChange::Resume(at(30))).await.expect("recorded");
    assert_eq!(state(one, &of).await.handled, Some(at(10)));
    assert!(one.change_schedule(&of, ScheduleChange::Pause).await.expect("recorded"));
    assert!(state(other, &of).await.is_paused);
    other.change_schedule(&of, ScheduleChange::Resume(at(40))).await.expect("recorded");
    let resumed = state(one, &of).await;
    assert_eq!((resumed.is_paused, resumed.handled), (false, Some(at(40))));
}

pub(crate) async fn concurrent_schedulers_share_one_cursor(stores: Stores) {
    let Some((one, other, of)) = with_workflow(&stores).await else { return };
    let changes = (1..=20).map(|second| {
        let store = if second % 2 == 0 { one } else { other };
        store.change_schedule(&of, handled(at(second), at(30)))
    });
    futures::future::try_join_all(changes).await.expect("recorded");
    assert_eq!(state(one, &of).await.handled, Some(at(20)));
}

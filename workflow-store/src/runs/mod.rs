//! The operations of engines on runs, written once for both databases.

mod admission;
mod append;
mod asset;
mod begin;
mod definition;
mod downstream;
mod eviction;
mod file;
mod implementation;
mod key;
mod lease;
mod limits;
mod message;
mod queue;
mod read;
mod report;
mod schedule;
mod task;
mod tier;
mod waiting;
mod worker;

pub(crate) use begin::begin;
pub(crate) use definition::sync_registered;
pub(crate) use downstream::forget_imported;
pub(crate) use read::definition as definition_of_run;
pub(crate) use read::{begun_at, blocked, events, run, status, trigger};
pub use report::StatusReport;
pub(crate) use report::report;
pub(crate) use waiting::{backfill_waiting, waits};

/// The queries of engines, for the test of their plans.
#[cfg(test)]
pub(crate) fn statements() -> Vec<(String, Vec<crate::db::value::Value<'static>>)> {
    use crate::db::value::Value::{Bool, Int, Text, Uuid};

    let orphans =
        |protected| format!("{} {}", read::COLUMNS, lease::orphans_but("TRUE", protected));
    let stranded = |which| format!("{} {}", read::COLUMNS, lease::orphans_but(which, 0));
    vec![
        (orphans(0), vec![Uuid(1), Int(1)]),
        (stranded(lease::STRANDED[0]), vec![Uuid(1), Int(1)]),
        (stranded(lease::STRANDED[1]), vec![Uuid(1), Int(1)]),
        (orphans(2), vec![Uuid(1), Uuid(2), Uuid(3), Int(1)]),
        #[cfg(feature = "sqlite")]
        (lease::CLAIM.to_owned(), vec![Uuid(1), Uuid(1)]),
        #[cfg(feature = "sqlite")]
        (eviction::WAITING.to_owned(), vec![Uuid(1), Uuid(1), Int(1)]),
        #[cfg(feature = "sqlite")]
        (eviction::WAKE_DUE.to_owned(), vec![Int(1)]),
        (eviction::WAKE.to_owned(), vec![Int(1)]),
        (eviction::WAKE_PARENT.to_owned(), vec![Int(1)]),
        (queue::REQUEUE_WOKEN.to_owned(), vec![Int(1)]),
        (queue::REQUEUE_OWNED.to_owned(), vec![Uuid(1)]),
        (lease::DRIVEN.to_owned(), vec![Uuid(1)]),
        (read::BY_KEY.to_owned(), vec![Text("k"), Text("user 1")]),
        (lease::HELD.to_owned(), vec![]),
        (message::INBOX.to_owned(), vec![Int(1), Uuid(1)]),
        (asset::FORGET.to_owned(), vec![Uuid(1), Text("a"), Text("p"), Bool(true)]),
        (task::NEWS.to_owned(), vec![Uuid(1)]),
        (task::OUTPUT.to_owned(), vec![Int(1)]),
        (task::HELD.to_owned(), vec![Uuid(1)]),
        (task::OF_RUN.to_owned(), vec![Uuid(1)]),
        (task::CLAIM.to_owned(), vec![Uuid(1), Int(1)]),
        (crate::exec::tx_totals::FORGET_TASKS.to_owned(), vec![Int(1), Text("j")]),
        (limits::NEXT_DUE.to_owned(), vec![]),
        (limits::DUE.to_owned(), vec![Int(1)]),
        (limits::WAKING.to_owned(), vec![Int(1)]),
        (limits::FIRST_WAITING.to_owned(), vec![Text("k")]),
        (admission::FIRST_RATE.to_owned(), vec![Text("k")]),
        (admission::COUNT_HOLDERS.to_owned(), vec![Text("k")]),
        (limits::OPEN.to_owned(), vec![Text("k"), Int(1)]),
        (limits::NOT_CANCELLED.to_owned(), vec![Text("k"), Text("b")]),
        (limits::HOLDERS.to_owned(), vec![Text("k")]),
        (limits::DEBOUNCED.to_owned(), vec![Text("k")]),
        (admission::FORGET_RATES.to_owned(), vec![Int(1)]),
        (crate::rows::slots::WAKE.to_owned(), vec![Text("k"), Int(1)]),
        (
            crate::rows::beginning::QUEUE_FAIRLY.to_owned(),
            vec![Int(1), Text("q"), Int(1), Int(1), Text("k"), Int(1), Text("k")],
        ),
    ]
}

/// The queries that are built at run time, for the same test.
#[cfg(test)]
pub(crate) fn built_statements() -> Vec<(String, crate::db::statement::Statement)> {
    use workflow_core::store::QueueTier;

    use crate::db::statement::Statement;
    use crate::visibility::Visibility;

    let run = workflow_core::id::RunId::from_u128(1);
    let of = |visibility| {
        [
            (format!("events {visibility:?}"), read::events_of(visibility, run, None, 1, 1)),
            (
                format!("persisted {visibility:?}"),
                read::events_of(visibility, run, Some("value_persisted"), 1, 1),
            ),
            (format!("messages {visibility:?}"), message::messages_of(visibility, run)),
            (format!("asleep {visibility:?}"), eviction::asleep_of(visibility, run)),
        ]
    };
    let except = ["etl".to_owned()];
    let parts = [
        QueueTier::Named(vec!["a"]),
        QueueTier::AllBut(Vec::new()),
        QueueTier::AllBut(vec!["a", "b"]),
    ];
    let waiting = parts.into_iter().flat_map(|part| {
        let named = |name: &str, statements: Vec<Statement>| {
            let name = format!("{name} {part:?}");
            statements.into_iter().map(move |statement| (name.clone(), statement))
        };
        let tasks = named("tasks", task::first(&part, &except, 1));
        tasks.chain(named("waiting", queue::first(&part, &except, 1))).collect::<Vec<_>>()
    });
    let range = workflow_core::store::PartitionRange::only("p");
    let assets = [
        ("current".to_owned(), asset::newest_of("a", &range, asset::Counting::Made, 1)),
        ("newest".to_owned(), asset::newest_of("a", &range, asset::Counting::All, 1)),
        ("newest history".to_owned(), asset::history_of("a", None, None, 1)),
        ("history".to_owned(), asset::history_of("a", None, Some(2), 1)),
        ("history of one".to_owned(), asset::history_of("a", Some("p"), Some(2), 1)),
    ];
    let visible = [Visibility::All, Visibility::User(1)].into_iter().flat_map(of);
    visible.chain(waiting).chain(assets).collect()
}

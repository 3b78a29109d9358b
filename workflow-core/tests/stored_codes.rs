//! Stored data does not depend on Rust names: every stored enum has stable codes, listed here.
//! Changing a code makes stored runs unreadable.

use std::fmt::Debug;
use std::time::UNIX_EPOCH;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use workflow_core::Status;
use workflow_core::event::{Blocked, Event, EventKind, JobOrigin, RunView, Stall, Waiting};
use workflow_core::job::{JobErrorKind, OnFailure, TimeoutKind, TriggerRule};
use workflow_core::run_log::OutputStream;
use workflow_core::store::{MessageKind, Trigger};

/// Asserts that each code is read, and written the same again.
fn assert_codes<T: Serialize + DeserializeOwned + Debug>(codes: &[Value]) {
    for code in codes {
        let value: T = serde_json::from_value(code.clone())
            .unwrap_or_else(|error| panic!("{code} is read: {error}"));
        let written = serde_json::to_value(&value).expect("it is written");
        assert_eq!(&written, code, "{value:?}");
    }
}

fn texts(codes: &[&str]) -> Vec<Value> {
    codes.iter().map(|code| Value::from(*code)).collect()
}

#[test]
fn plain_enums_have_these_codes() {
    assert_codes::<Status>(&texts(&["pending", "running", "completed", "failed", "cancelled"]));
    assert_codes::<Trigger>(&texts(&["manual", "schedule", "api", "workflow", "retry", "event"]));
    assert_codes::<TriggerRule>(&texts(&[
        "all_success",
        "all_done",
        "one_success",
        "one_failed",
        "none_failed",
        "always",
    ]));
    assert_codes::<OnFailure>(&texts(&["continue", "stop"]));
    assert_codes::<TimeoutKind>(&texts(&[
        "start_to_close",
        "schedule_to_close",
        "heartbeat",
        "run",
    ]));
    assert_codes::<OutputStream>(&texts(&["stdout", "stderr"]));
}

#[test]
fn kinds_of_errors_have_these_codes() {
    let codes = ["retryable", "terminal", "panicked", "cancelled"];
    assert_codes::<JobErrorKind>(&texts(&codes));
    assert_codes::<JobErrorKind>(&[json!({ "timed_out": "heartbeat" })]);
}

#[test]
fn events_have_these_codes() {
    let codes = events();
    assert_codes::<EventKind>(&codes);
    for code in codes {
        let kind: EventKind = serde_json::from_value(code.clone()).expect("it is read");
        assert_eq!(kind.code(), code["event"]);
    }
}

/// The names of the running jobs, and what they wait for.
fn running(events: &[&EventKind]) -> (Vec<String>, Vec<Waiting>) {
    let mut view = RunView::new(["a"]);
    for kind in events {
        view.apply(&Event::new(0, UNIX_EPOCH, (*kind).clone()));
    }
    let jobs = view.jobs().iter().filter(|job| job.status == Status::Running);
    (jobs.map(|job| job.name.clone()).collect(), view.waiting(UNIX_EPOCH))
}

/// Stores read only these to learn what the jobs of a run wait for.
#[test]
fn the_kinds_that_change_attempts_are_listed() {
    let kinds: Vec<EventKind> = events()
        .into_iter()
        .map(|code| serde_json::from_value(code).expect("it is read"))
        .collect();
    let with_code = |code| kinds.iter().find(|kind| kind.code() == code).expect("it is listed");
    let before = ["signal_awaited", "sleep_started", "job_skipped"].map(with_code);
    let started = with_code("job_started");
    for kind in kinds.iter().filter(|kind| !kind.is_last()) {
        let histories = before.iter().map(|kind| vec![started, kind]);
        let changes = histories.chain([vec![], vec![started]]).any(|mut history| {
            let unchanged = running(&history);
            history.push(kind);
            running(&history) != unchanged
        });
        let code = kind.code();
        let is_end = EventKind::JOB_ENDS.contains(&code);
        assert_eq!(changes, is_end || EventKind::ATTEMPT_CHANGES.contains(&code), "{code}");
        assert_eq!(is_end, kind.job_status().is_some_and(Status::is_final), "{code}");
    }
}

/// One event of each form.
fn events() -> Vec<Value> {
    let at = "2026-01-02T03:04:05Z";
    let error = json!({ "kind": "retryable", "message": "no", "error_type": "E" });
    let id = "0197a6b4-0000-7000-8000-000000000000";
    vec![
        json!({ "event": "run_started" }),
        json!({ "event": "run_started", "retry_of": id }),
        json!({ "event": "run_resumed" }),
        json!({ "event": "run_resumed", "after_crash": true }),
        json!({ "event": "run_blocked", "reason": "workflow_missing", "problem": "gone" }),
        json!({ "event": "run_unblocked" }),
        json!({ "event": "job_started", "job": "a", "attempt": 1 }),
        json!({ "event": "attempt_failed", "job": "a", "attempt": 1, "error": error, "retry_in": 1.5 }),
        json!({ "event": "job_completed", "job": "a", "attempt": 1, "output": 1, "annotations": { "b": 2 } }),
        json!({ "event": "job_failed", "job": "a", "attempt": 1, "error": error }),
        json!({ "event": "job_skipped", "job": "a", "reason": "no" }),
        json!({ "event": "job_cancelled", "job": "a", "attempt": 1 }),
        json!({ "event": "job_cancelled", "job": "a", "attempt": 1, "error": error }),
        json!({ "event": "sleep_started", "job": "a", "attempt": 1, "duration": 1.0, "until": at }),
        json!({ "event": "signal_awaited", "job": "a", "attempt": 1, "signal": "go" }),
        json!({ "event": "signal_received", "job": "a", "attempt": 1, "signal": "go", "payload": 1, "message": 2 }),
        json!({ "event": "value_persisted", "job": "a", "key": "k", "value": 1 }),
        json!({ "event": "job_output", "job": "a", "attempt": 1, "stream": "stdout", "text": "t" }),
        json!({ "event": "output_skipped", "bytes": 1 }),
        json!({ "event": "cancel_requested" }),
        json!({ "event": "cancel_requested", "reason": "no" }),
        json!({ "event": "run_completed", "output": 1 }),
        json!({ "event": "run_failed", "reason": "no" }),
        json!({ "event": "run_cancelled" }),
    ]
}

#[test]
fn what_a_run_waits_for_and_is_blocked_by_has_these_codes() {
    let at = "2026-01-02T03:04:05Z";
    let signal = json!({ "reason": "signal", "job": "a", "signal": "go", "since": at });
    let time = json!({ "reason": "time", "job": "a", "until": at, "since": at });
    assert_codes::<Waiting>(&[signal.clone(), time]);
    assert_codes::<Blocked>(&[
        json!({ "reason": "definition_changed", "difference": "d" }),
        json!({ "reason": "workflow_missing", "problem": "p" }),
        json!({ "reason": "state_missing", "problem": "p" }),
        json!({ "reason": "record_damaged", "problem": "p" }),
        json!({ "reason": "poisoned", "job": "a", "deaths": [] }),
    ]);
    let mut waiting = signal;
    waiting["state"] = "waiting".into();
    // The tags of the two enums inside share one object.
    assert_codes::<Stall>(&[waiting]);
}

#[test]
fn origins_and_messages_have_these_codes() {
    for origin in ORIGINS {
        let origin: Value = serde_json::from_str(origin).expect("JSON");
        assert_codes::<JobOrigin>(&[origin]);
    }
    for message in MESSAGES {
        let message: Value = serde_json::from_str(message).expect("JSON");
        assert_codes::<MessageKind>(&[message]);
    }
}

const ORIGINS: [&str; 3] = [
    r#"{"called": {"by": "f", "attempt": 1, "job": "a", "input": 1}}"#,
    r#"{"element": {"of": "m", "index": 0}}"#,
    r#"{"undo": {"of": "a"}}"#,
];

const MESSAGES: [&str; 2] =
    [r#"{"message": "cancel"}"#, r#"{"message": "signal", "name": "go", "payload": 1}"#];

/// A derived code would change with the name of its variant.
#[test]
fn no_stored_enum_derives_its_codes_from_names() {
    let stored = [
        include_str!("../src/event.rs"),
        include_str!("../src/event/stall.rs"),
        include_str!("../src/event/status.rs"),
        include_str!("../src/job/error.rs"),
        include_str!("../src/job/options.rs"),
        include_str!("../src/run_log/record.rs"),
        include_str!("../src/store/record.rs"),
    ];
    for text in stored {
        assert!(!text.contains("rename_all"), "codes are written out: #[serde(rename = \"..\")]");
    }
}

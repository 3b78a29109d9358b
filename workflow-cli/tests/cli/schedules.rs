//! `schedules list`: the schedules of a program and of a database, with their next times.

use std::fs;

use insta::assert_snapshot;
use rusqlite::Connection;
use serde_json::json;

use crate::support::{folder, host_in, workflow_in};

/// A file with a schedule that is due once a year, so that what is listed does not depend on today.
fn yearly(name: &str, timezone: &str) -> String {
    let schedule = format!("{{ cron: 0 3 1 JAN *, timezone: {timezone} }}");
    format!("name: {name}\nschedule: {schedule}\njobs:\n  - name: one\n    command: 'true'\n")
}

#[test]
fn schedules_of_a_database_are_listed_with_their_next_times() {
    let berlin = yearly("berlin", "Europe/Berlin");
    let folder = folder(
        "schedules_of_a_database",
        &[
            ("berlin.yaml", &berlin),
            ("utc.yaml", &yearly("utc", "UTC")),
            ("off.yaml", &yearly("off", "UTC")),
        ],
    );
    let nothing = workflow_in(&folder, &["schedules", "list"]);
    assert_eq!(nothing.code, Some(0));
    assert_snapshot!(nothing.err, @"no workflow has a schedule; set `schedule` in its metadata");
    // Without a database, none is created.
    assert!(!folder.join(".workflow").exists());

    for file in ["utc.yaml", "berlin.yaml", "off.yaml"] {
        assert_eq!(workflow_in(&folder, &["workflows", "create", file]).code, Some(0), "{file}");
    }
    let off = workflow_in(&folder, &["workflows", "update", "off", "--is-active", "false"]);
    assert_eq!(off.code, Some(0), "{}", off.err);

    let listed = workflow_in(&folder, &["schedules", "list", "-f", "json", "--next", "2"]).json();
    let rows = listed.as_array().expect("a list");
    let names: Vec<_> = rows.iter().map(|row| row["workflow"].as_str().expect("a name")).collect();
    // The one in Berlin is an hour earlier. An inactive one never runs.
    assert_eq!(names, ["berlin", "utc"]);
    assert_eq!(rows[0]["timezone"], "Europe/Berlin");
    assert_eq!(rows[0]["meaning"], "At 03:00, on day 1, in January");
    let next = rows[0]["next"].as_array().expect("times");
    assert_eq!(next.len(), 2);
    assert!(
        next.iter().all(|at| at.as_str().is_some_and(|at| at.ends_with("-01-01T03:00:00+01:00")))
    );
    assert!(rows[1]["next"][0].as_str().is_some_and(|at| at.ends_with("-01-01T03:00:00+00:00")));
    assert!(rows.iter().all(|row| row["id"].is_i64() && row["problem"].is_null()));

    let table = workflow_in(&folder, &["schedules", "list"]).out;
    assert!(table.lines().count() >= 11, "five times each:\n{table}");
    assert!(table.contains(" days"), "{table}");

    let none = workflow_in(&folder, &["schedules", "list", "--next", "0"]);
    assert_eq!(none.code, Some(2));
    let missing = workflow_in(&folder, &["schedules", "list", "--db", "sqlite://missing.db"]);
    assert_eq!(missing.code, Some(2));
    assert!(missing.err.contains("no database at `missing.db`"), "{}", missing.err);
}

#[test]
fn a_schedule_that_another_program_broke_is_listed_last() {
    let folder = folder(
        "schedules_broken",
        &[("a.yaml", &yearly("broken", "UTC")), ("b.yaml", &yearly("sound", "UTC"))],
    );
    for file in ["a.yaml", "b.yaml"] {
        assert_eq!(workflow_in(&folder, &["workflows", "create", file]).code, Some(0), "{file}");
    }
    let database = Connection::open(folder.join(".workflow/workflows.db")).expect("opened");
    let broken = "UPDATE workflows_workflow SET metadata = json_set(metadata, '$.schedule', 'at noon') \
                  WHERE name = 'broken'";
    assert_eq!(database.execute(broken, []).expect("changed"), 1);
    let rows = workflow_in(&folder, &["schedules", "list", "-f", "json"]).json();
    assert_eq!(rows[1]["workflow"], "broken");
    assert_eq!(rows[1]["next"], serde_json::json!([]));
    assert!(rows[1]["problem"].is_string());
    let table = workflow_in(&folder, &["schedules", "list", "--next", "1"]).out;
    assert!(table.contains("never: "), "{table}");
}

#[test]
fn schedules_of_a_program_need_no_database() {
    let folder = folder("schedules_of_a_program", &[]);
    let rows = host_in(&folder, &["schedules", "list", "-f", "json"]).json();
    let rows = rows.as_array().expect("a list");
    assert!(!rows.is_empty());
    assert!(rows.iter().all(|row| row["id"].is_null() && row["next"][0].is_string()), "{rows:?}");
    assert!(fs::read_dir(&folder).expect("readable").next().is_none(), "nothing is written");
}

#[test]
fn the_schedule_of_a_registered_workflow_is_that_of_its_program() {
    let folder = folder("schedules_of_a_newer_program", &[]);
    let rows = || host_in(&folder, &["schedules", "list", "-f", "json"]).json();
    let (own, name) = (rows(), rows()[0]["workflow"].as_str().expect("a name").to_owned());
    assert_eq!(host_in(&folder, &["migrate"]).code, Some(0));
    let paused = host_in(&folder, &["schedules", "pause", &name]);
    assert_eq!(paused.code, Some(0), "{}", paused.err);
    // An earlier version of the program has left another schedule.
    let database = Connection::open(folder.join(".workflow/workflows.db")).expect("opened");
    let older =
        "UPDATE workflows_workflow SET metadata = json_set(metadata, '$.schedule', 'at noon')";
    assert!(database.execute(older, []).expect("changed") > 0);
    let now = rows();
    let now = now.as_array().expect("a list").iter().find(|row| row["workflow"] == name.as_str());
    let now = now.expect("it is there");
    assert_eq!((&now["schedule"], &now["paused"]), (&own[0]["schedule"], &true.into()));
    let backfill = ["schedules", "backfill", &name, "--dry-run"];
    let backfill = host_in(
        &folder,
        &[&backfill[..], &["--from", "2026-01-01T00:00:00Z", "--to", "2026-01-01T00:00:01Z"]]
            .concat(),
    );
    assert!(!backfill.err.contains("at noon"), "{}", backfill.err);
}

#[test]
fn a_schedule_is_paused_and_resumed() {
    let file = yearly("berlin", "Europe/Berlin").replace("cron:", "overlap: skip, cron:");
    let folder = folder("schedules_paused", &[("berlin.yaml", &file)]);
    assert_eq!(workflow_in(&folder, &["workflows", "create", "berlin.yaml"]).code, Some(0));
    let row = || {
        let listed = workflow_in(&folder, &["schedules", "list", "-f", "json"]).json();
        listed[0].clone()
    };
    assert_eq!((&row()["overlap"], &row()["paused"]), (&json!("skip"), &json!(false)));
    let paused = workflow_in(&folder, &["schedules", "pause", "berlin"]);
    assert_eq!(paused.code, Some(0), "{}", paused.err);
    assert_snapshot!(paused.err, @"paused the schedule of `berlin`; use `schedules resume berlin` to continue");
    assert_eq!(row()["paused"], json!(true));
    let table = workflow_in(&folder, &["schedules", "list"]).out;
    assert!(table.contains("paused") && table.contains("overlap: skip"), "{table}");
    let resumed = workflow_in(&folder, &["schedules", "resume", "berlin"]);
    assert_eq!(resumed.code, Some(0), "{}", resumed.err);
    assert_eq!(row()["paused"], json!(false));
    // The times of the pause are skipped.
    assert!(row()["last"].is_string());
    let unknown = workflow_in(&folder, &["schedules", "pause", "rome"]);
    assert_ne!(unknown.code, Some(0));
    assert!(unknown.err.contains("rome"), "{}", unknown.err);
}

#[test]
fn a_backfill_starts_each_time_once() {
    let daily = "name: daily\nschedule: { cron: 30 2 * * *, timezone: Europe/Berlin }\n\
                 jobs:\n  - name: one\n    command: 'true'\n";
    let folder = folder("schedules_backfill", &[("daily.yaml", daily)]);
    assert_eq!(workflow_in(&folder, &["workflows", "create", "daily.yaml"]).code, Some(0));
    let range = ["--from", "2026-03-28", "--to", "2026-03-30", "-f", "json"];
    let backfill = |more: &[&str]| {
        workflow_in(&folder, &[&["schedules", "backfill", "daily"][..], more].concat())
    };
    let dry = backfill(&[&range[..], &["--dry-run"]].concat()).json();
    let at: Vec<_> = dry.as_array().expect("a list").iter().map(|row| row["at"].clone()).collect();
    // Spring skips half past two.
    assert_eq!(
        at,
        ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]
            .map(|at| json!(at))
    );
    assert!(dry.as_array().expect("a list").iter().all(|row| row["run"].is_null()));
    let first = backfill(&range).json();
    let again = backfill(&range).json();
    for (first, again) in
        first.as_array().expect("a list").iter().zip(again.as_array().expect("a list"))
    {
        assert_eq!((&first["existing"], &again["existing"]), (&json!(false), &json!(true)));
        assert_eq!(first["run"], again["run"]);
    }
    let run = first[1]["run"].as_str().expect("a run");
    let shown = workflow_in(&folder, &["runs", "get", run]).out;
    assert!(shown.contains("scheduled") && shown.contains("2026-03-29"), "{shown}");
    let many = backfill(&["--from", "2025-01-01", "--to", "2025-12-31"]);
    assert_eq!(many.code, Some(2));
    assert!(
        many.err.contains("more than 100 times") && many.err.contains("--limit"),
        "{}",
        many.err
    );
    let wrong = backfill(&["--from", "yesterday"]);
    assert_snapshot!(wrong.err, @"error: --from: `yesterday` is not a time; write 2026-01-02, 2026-01-02T03:00, or 2026-01-02T03:00:00+01:00");
    let now = workflow_in(&folder, &["schedules", "run-now", "daily"]);
    assert_eq!(now.code, Some(0), "{}", now.err);
    let shown = workflow_in(&folder, &["runs", "get", now.out.trim(), "-f", "json"]).json();
    assert!(
        shown["run"]["scheduled_for"].is_string() || shown["scheduled_for"].is_string(),
        "{shown}"
    );
}

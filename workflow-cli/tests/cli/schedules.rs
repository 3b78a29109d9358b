//! `schedules list`: the schedules of a program and of a database, with their next times.

use std::fs;

use insta::assert_snapshot;
use rusqlite::Connection;

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
    // The one in Berlin is an hour earlier. One that is not active never runs.
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

//! Durations, memory, schedules and time zones; what is said about the workflow as a whole.

use insta::assert_snapshot;

use crate::{odd, wrong};

#[test]
fn zeros_that_prevent_all_work_are_rejected() {
    assert_snapshot!(wrong("name: tea\ntimeout: 0\nmax_parallel: 0\nlimits: { stove: 0 }\nresource_requirements:\n  - { name: kettle, runtime: PT0S }\njobs:\n  - name: boil\n    command: kettle\n    timeout: 0s\n    grace: 0\n"), @"
    error: a timeout of 0 lets nothing run
     --> tea.yaml:2:10
      |
    2 | timeout: 0
      |          ^
      |
      = help: write more than 0, such as `30s`, or remove it

    error: max_parallel of 0 lets nothing run
     --> tea.yaml:3:15
      |
    3 | max_parallel: 0
      |               ^
      |
      = help: write 1 or more

    error: a limit of 0 lets nothing run
     --> tea.yaml:4:18
      |
    4 | limits: { stove: 0 }
      |                  ^
      |
      = help: write 1 or more

    error: a runtime of 0 lets nothing run
     --> tea.yaml:6:30
      |
    6 |   - { name: kettle, runtime: PT0S }
      |                              ^^^^
      |
      = help: write more than 0, such as `30s`, or remove it

    error: a timeout of 0 lets nothing run
      --> tea.yaml:10:14
       |
    10 |     timeout: 0s
       |              ^^
       |
       = help: write more than 0, such as `30s`, or remove it

    error: a `grace` of 0 leaves no time to stop
      --> tea.yaml:11:12
       |
    11 |     grace: 0
       |            ^
       |
       = help: write more than 0, or `supports_termination: false`
    ");
}

#[test]
fn grace_periods_of_jobs_that_have_none() {
    assert_snapshot!(wrong("name: tea\njobs:\n  - name: boil\n    command: kettle\n    grace: 5s\n    supports_termination: false\n  - name: eat\n    workflow: breakfast\n    with: { guests: 1 }\n    grace: 5s\n"), @"
    error: `grace` contradicts `supports_termination: false`
     --> tea.yaml:5:12
      |
    5 |     grace: 5s
      |            ^^
      |
      = help: remove one of them: a job that is killed at once has no time to stop

    error: a job that runs a workflow cannot have a `grace`
      --> tea.yaml:10:12
       |
     8 |     workflow: breakfast
       |               --------- the run of this workflow ends when its jobs have
     9 |     with: { guests: 1 }
    10 |     grace: 5s
       |            ^^
       |
       = help: remove it
    ");
}

#[test]
fn amounts() {
    assert_snapshot!(wrong("name: tea\ntimeout: soon\njobs:\n  - name: boil\n    command: kettle\n    timeout: -5\n    retry: { backoff_coefficient: 0.5, jitter: 2, initial_interval: 1 month }\n"), @"
    error: `soon` is not a duration
     --> tea.yaml:2:10
      |
    2 | timeout: soon
      |          ^^^^
      |
      = help: write `90s`, `1h 30m`, `PT30M`, or a number of seconds

    error: `-5` is not a duration: a duration cannot be negative
     --> tea.yaml:6:14
      |
    6 |     timeout: -5
      |              ^^
      |
      = help: write `90s`, `1h 30m`, `PT30M`, or a number of seconds

    error: `backoff_coefficient` must be at least 1
     --> tea.yaml:7:35
      |
    7 |     retry: { backoff_coefficient: 0.5, jitter: 2, initial_interval: 1 month }
      |                                   ^^^
      |
      = help: write 1.0 for equal waits, 2.0 for waits that double

    error: `jitter` must be between 0.0 and 1.0
     --> tea.yaml:7:48
      |
    7 |     retry: { backoff_coefficient: 0.5, jitter: 2, initial_interval: 1 month }
      |                                                ^
      |
      = help: write 0.2 to shorten each wait at random by up to a fifth

    error: `1 month` is not a duration: months and years have no fixed length
     --> tea.yaml:7:69
      |
    7 |     retry: { backoff_coefficient: 0.5, jitter: 2, initial_interval: 1 month }
      |                                                                     ^^^^^^^
      |
      = help: write `90s`, `1h 30m`, `PT30M`, or a number of seconds
    ");
    assert_snapshot!(wrong("name: tea\nresource_requirements:\n  - name: stove\n    memory: lots\n    runtime: PT5X\n    num_cpus: -1\njobs:\n  - name: boil\n    command: kettle\n"), @"
    error: `lots` is not an amount of memory
     --> tea.yaml:4:13
      |
    4 |     memory: lots
      |             ^^^^
      |
      = help: write a number and one of k, m, g, t: `512m`, `2g`

    error: `PT5X` is not a duration
     --> tea.yaml:5:14
      |
    5 |     runtime: PT5X
      |              ^^^^
      |
      = help: write `90s`, `1h 30m`, `PT30M`, or a number of seconds

    error: expected an integer from 0 to 4294967295, found -1
     --> tea.yaml:6:15
      |
    6 |     num_cpus: -1
      |               ^^
    ");
    assert_snapshot!(wrong("name: tea\nschedule: 61 * * * *\njobs:\n  - name: boil\n    command: kettle\n"), @r#"
    error: "61 * * * *" is not a cron expression: minute must be 0-59, not `61`; write minute, hour, day of month, month and day of week, such as "0 3 * * *"
     --> tea.yaml:2:11
      |
    2 | schedule: 61 * * * *
      |           ^^^^^^^^^^
    "#);
    assert_snapshot!(wrong("name: tea\nschedule: { cron: at five, zone: UTC }\njobs:\n  - name: boil\n    command: kettle\n"), @r#"
    error: "at five" is not a cron expression: it has 2 fields; write minute, hour, day of month, month and day of week, such as "0 3 * * *"
     --> tea.yaml:2:19
      |
    2 | schedule: { cron: at five, zone: UTC }
      |                   ^^^^^^^

    error: a schedule has no field `zone`
     --> tea.yaml:2:28
      |
    2 | schedule: { cron: at five, zone: UTC }
      |                            ^^^^ unknown field
      |
      = help: a schedule may have: cron, timezone, overlap, catch_up, jitter
    "#);
}

#[test]
fn time_zones() {
    let with = |schedule: &str| {
        format!("name: tea\n{schedule}\njobs:\n  - name: boil\n    command: kettle\n")
    };
    assert_snapshot!(wrong(&with("schedule: { cron: 0 5 * * *, timezone: Europe/Berln }")), @"
    error: `Europe/Berln` is not a time zone
     --> tea.yaml:2:40
      |
    2 | schedule: { cron: 0 5 * * *, timezone: Europe/Berln }
      |                                        ^^^^^^^^^^^^
      |
      = help: did you mean `Europe/Berlin`?
    ");
    assert_snapshot!(wrong(&with("schedule: { cron: 0 5 * * *, timezone: '+02:00' }")), @"
    error: `+02:00` is not a time zone
     --> tea.yaml:2:40
      |
    2 | schedule: { cron: 0 5 * * *, timezone: '+02:00' }
      |                                        ^^^^^^^^
      |
      = help: an offset knows nothing of summer time; name a place, such as `Europe/Berlin`, or `UTC`
    ");
    assert_snapshot!(wrong(&with("schedule: { cron: 0 5 * * *, timezone: local }")), @"
    error: `local` is not a time zone
     --> tea.yaml:2:40
      |
    2 | schedule: { cron: 0 5 * * *, timezone: local }
      |                                        ^^^^^
      |
      = help: write a name of the IANA database, such as `Europe/Berlin` or `UTC`
    ");
    assert_snapshot!(wrong(&with("schedule: CRON_TZ=Europe/Berlin 0 5 * * *")), @r#"
    error: "CRON_TZ=Europe/Berlin 0 5 * * *" holds a time zone, for which a cron expression has no field; write "0 5 * * *", and beside it "timezone": "Europe/Berlin"
     --> tea.yaml:2:11
      |
    2 | schedule: CRON_TZ=Europe/Berlin 0 5 * * *
      |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    "#);
    assert_snapshot!(odd(&with("metadata: { schedule: 'TZ=UTC 0 5 * * *', timezone: Berlin }")), @r#"
    warning: "TZ=UTC 0 5 * * *" holds a time zone, for which a cron expression has no field; write "0 5 * * *", and beside it "timezone": "UTC"
     --> tea.yaml:2:24
      |
    2 | metadata: { schedule: 'TZ=UTC 0 5 * * *', timezone: Berlin }
      |                        ^^^^^^^^^^^^^^^^
      |
      = help: `metadata` accepts any text, but only a cron expression makes a schedule

    warning: `Berlin` is not a time zone
     --> tea.yaml:2:53
      |
    2 | metadata: { schedule: 'TZ=UTC 0 5 * * *', timezone: Berlin }
      |                                                     ^^^^^^
      |
      = help: did you mean `Europe/Berlin`?
    "#);
    assert!(odd(&with("schedule: { cron: 0 5 * * *, timezone: America/New_York }")).is_empty());
    assert!(odd(&with("schedule: 0 5 * * *\nmetadata: { timezone: UTC }")).is_empty());
}

#[test]
fn metadata() {
    assert_snapshot!(wrong("name: tea\nmetadata: 'owner=ada'\njobs:\n  - name: boil\n    command: kettle\n"), @"
    error: metadata is not valid JSON: `owner` is neither in double quotes nor a JSON value (line 1, column 1)
     --> tea.yaml:2:11
      |
    2 | metadata: 'owner=ada'
      |           ^^^^^^^^^^^
      |
      = help: write a map, or a string with a JSON object
    ");
    assert_snapshot!(wrong("name: tea\nmetadata: |\n  {\n    \"owner\": \"ada\",\n  }\njobs:\n  - name: boil\n    command: kettle\n"), @r#"
    error: metadata is not valid JSON: trailing comma before `}` (line 3, column 1)
     --> tea.yaml:3:3
      |
    3 | /   {
    4 | |     "owner": "ada",
    5 | |   }
      | |___^
      |
      = help: write a map, or a string with a JSON object
    "#);
    assert_snapshot!(wrong("name: tea\nmetadata: [ada]\njobs:\n  - name: boil\n    command: kettle\n"), @r#"
    error: metadata is a list; it must be a JSON object such as { "owner": "web" }
     --> tea.yaml:2:11
      |
    2 | metadata: [ada]
      |           ^^^^^
      |
      = help: write a map, or a string with a JSON object
    "#);
    assert_snapshot!(wrong("name: tea\nmetadata: { tags: 3, owner: [1] }\njobs:\n  - name: boil\n    command: kettle\n"), @r#"
    error: metadata `tags` is a number; it must be a list of strings
     --> tea.yaml:2:19
      |
    2 | metadata: { tags: 3, owner: [1] }
      |                   ^
      |
      = help: write `tags: [a, b]`

    error: metadata `owner` is a list; it must be a string
     --> tea.yaml:2:29
      |
    2 | metadata: { tags: 3, owner: [1] }
      |                             ^^^
      |
      = help: write `owner: "text"`
    "#);
    assert_snapshot!(odd("name: tea\nproject: tea-time\nmetadata: { project: coffee-time, schedule: daily }\njobs:\n  - name: boil\n    command: kettle\n"), @r#"
    warning: `project` is "tea-time" here, and "coffee-time" in `metadata`
     --> tea.yaml:2:10
      |
    2 | project: tea-time
      |          ^^^^^^^^
      |
      = help: the field takes precedence; remove the one in `metadata`

    warning: "daily" is not a cron expression: it has 1 field; write minute, hour, day of month, month and day of week, such as "0 3 * * *"
     --> tea.yaml:3:45
      |
    3 | metadata: { project: coffee-time, schedule: daily }
      |                                             ^^^^^
      |
      = help: `metadata` accepts any text, but only a cron expression makes a schedule
    "#);
}

#[test]
fn schedules_that_never_run_are_rejected() {
    let with = |cron: &str| {
        format!("name: tea\nschedule: '{cron}'\njobs:\n  - name: boil\n    command: kettle\n")
    };
    assert_snapshot!(wrong(&with("*/90 * * * *")), @r#"
    error: "*/90 * * * *" is not a cron expression: the step in `*/90` is larger than the range of the minute; write `0` for once an hour; write minute, hour, day of month, month and day of week, such as "0 3 * * *"
     --> tea.yaml:2:11
      |
    2 | schedule: '*/90 * * * *'
      |           ^^^^^^^^^^^^^^
    "#);
    for fine in ["*,30 * * * * *", "0 0 * * FRI-SUN"] {
        crate::sound("tea.yaml", &with(fine));
    }
}

//! The help of commands that use a store.

use insta::assert_snapshot;

/// The option that only the feature `temporal` adds.
const BACKEND: &str = "      --backend <BACKEND>
          Backend: `store`, or a Temporal server as temporal://host:port/namespace [default: store]

";

#[test]
fn help_of_store_commands() {
    let help = |command: &[&str]| {
        let help = crate::support::workflow(&[&["help"], command].concat()).out;
        if cfg!(feature = "temporal") { help.replace(BACKEND, "") } else { help }
    };
    assert_snapshot!(help(&["workflows", "update"]), @r#"
    Change a workflow

    Values without an option stay unchanged.

    Usage: workflow workflows update [OPTIONS] <FILE|--name <NAME>|--slug <SLUG>|--description <TEXT>|--project <PROJECT>|--project-id <NUMBER>|--project-name <NAME>|--app-name <NAME>|--domain <DOMAIN>|--metadata <JSON>|--merge-metadata <JSON>|--owner-user <USER>|--is-active <BOOL>> <WORKFLOW>

    Arguments:
      <WORKFLOW>
              Workflow: its ID, name or slug

      [FILE]
              Replace the workflow file, as a new version; `-` reads standard input. The schedule and
              other values of the file apply, and its name if the current name comes from the previous
              file

    Options:
      -n, --name <NAME>
              Change the name; the slug stays

          --slug <SLUG>
              Change the slug; a suffix makes it unique if required

      -d, --description <TEXT>
              Change the description; an empty one removes it

          --project <PROJECT>
              Change the project; an empty one removes it

          --project-id <NUMBER>
              Change the project ID

          --project-name <NAME>
              Change the display name of the project

          --app-name <NAME>
              Change the application; an empty one removes it

          --domain <DOMAIN>
              Change the business domain; an empty one removes it

          --metadata <JSON>
              Replace the metadata with this object; `null` removes it

          --merge-metadata <JSON>
              Merge this object into the metadata (RFC 7396): adds and replaces keys, and removes those
              set to `null`

          --owner-user <USER>
              Change the owner; an unknown user is added without an account, and an empty name removes
              the owner

          --is-active <BOOL>
              Activate or deactivate the workflow; an inactive workflow starts no runs
              
              [possible values: true, false]

      -f, --format <FORMAT>
              Output format

              Possible values:
              - table: Readable table
              - json:  JSON document
              
              [default: table]

          --db <URL>
              Database: a SQLite file or postgres://user@host/database [default: WORKFLOW_DB, or
              sqlite://.workflow/workflows.db]

          --color <WHEN>
              When to use colours; `auto` respects NO_COLOR and CLICOLOR_FORCE
              
              [default: auto]
              [possible values: auto, always, never]

          --log-format <FORMAT>
              Format of the log on standard error. RUST_LOG filters it, for example
              `info,workflow_core=debug` [default level: info for servers, warn otherwise]
              
              [default: text]
              [possible values: text, json]

      -h, --help
              Print help (see a summary with '-h')

    Examples:
      workflow workflows update 42 --project new-department
      workflow workflows update daily-etl etl.yaml
      workflow workflows update 42 --metadata '{"owner": "new-team", "priority": "high"}'
      workflow workflows update 42 --merge-metadata '{"stage": "production", "reviewer": null}'
      workflow workflows update daily-etl --is-active false
      workflow workflows update 42 -n daily-etl -d "Loads all sales" --owner-user ada
    "#);
    assert_snapshot!(help(&["runs"]), @r#"
    List, watch, cancel and retry the runs of a store

    Works for every run of the store, whichever process is running it.

    Usage: workflow runs [OPTIONS] <COMMAND>

    Commands:
      list     List runs, newest first
      get      Show a run and its jobs
      why      Show why a run makes no progress, and how to fix it
      watch    Show the events of a run until it ends
      logs     Show the output of the jobs of a run
      cancel   Cancel a run
      unblock  Allow engines to resume a blocked run
      retry    Retry an ended run as a new run with the same input
      signal   Send a signal to a run
      export   Export workflows, runs and events as JSON lines
      import   Import the output of `runs export`; existing workflows and runs stay unchanged
      help     Print this message or the help of the given subcommand(s)

    Options:
          --color <WHEN>
              When to use colours; `auto` respects NO_COLOR and CLICOLOR_FORCE
              
              [default: auto]
              [possible values: auto, always, never]

          --log-format <FORMAT>
              Format of the log on standard error. RUST_LOG filters it, for example
              `info,workflow_core=debug` [default level: info for servers, warn otherwise]
              
              [default: text]
              [possible values: text, json]

      -h, --help
              Print help (see a summary with '-h')

    Examples:
      workflow runs list --status failed --since 2h
      workflow runs watch 472
      workflow runs why 472
      workflow runs logs 472 --job extract -F
      workflow runs signal 472 approved '{"by": "ada"}'
      workflow runs retry 01980000-0000-7000-8000-000000000000 --failed-only

    Exit codes:
      0 success, 1 the run or the store failed, 2 invalid usage or input, 130 the run was cancelled
    "#);
    assert_snapshot!(help(&["runs", "signal"]), @r#"
    Send a signal to a run

    The signal is stored until a job of the run waits for it.

    Usage: workflow runs signal [OPTIONS] <RUN> <NAME> [JSON]

    Arguments:
      <RUN>
              Run: its number, its ID or the first 8 or more characters of it, or `latest`

      <NAME>
              Name of the signal

      [JSON]
              Payload of the signal

    Options:
          --db <URL>
              Database: a SQLite file or postgres://user@host/database [default: WORKFLOW_DB, or
              sqlite://.workflow/workflows.db]

          --color <WHEN>
              When to use colours; `auto` respects NO_COLOR and CLICOLOR_FORCE
              
              [default: auto]
              [possible values: auto, always, never]

          --log-format <FORMAT>
              Format of the log on standard error. RUST_LOG filters it, for example
              `info,workflow_core=debug` [default level: info for servers, warn otherwise]
              
              [default: text]
              [possible values: text, json]

      -h, --help
              Print help (see a summary with '-h')

    Examples:
      workflow runs signal 01980000-0000-7000-8000-000000000000 approved
      workflow runs signal 01980000-0000-7000-8000-000000000000 approved '{"by": "ada"}'
    "#);
    assert_snapshot!(help(&["runs", "retry"]), @r#"
    Retry an ended run as a new run with the same input

    A workflow file is used as it was at the time of the run, a registered workflow as it is now. With
    --failed-only or --from, the new run reuses the results of completed jobs. A job always runs again
    if one of its dependencies does.

    Usage: workflow runs retry [OPTIONS] <RUN>

    Arguments:
      <RUN>
              Run: its number, its ID or the first 8 or more characters of it, or `latest`

    Options:
          --failed-only
              Run only jobs that did not complete, and their dependents

          --from <JOB>
              Run this job, its dependents, and jobs that did not complete

      -f, --format <FORMAT>
              Output format

              Possible values:
              - text:  Readable report
              - json:  Report as one JSON document
              - jsonl: One JSON object per line: events as they happen, with the output of jobs, and
                finally `{"report": ...}`
              
              [default: text]

      -q, --quiet
              Show no progress

          --db <URL>
              Database of the run: a SQLite file or postgres://user@host/database [default: WORKFLOW_DB,
              or sqlite://.workflow/workflows.db]

          --detach
              Run in a background process: print the run ID and return at once. If that process dies,
              `recover` resumes the run

          --idempotency-key <KEY>
              Idempotency key: starting again with the same key returns the existing run

          --color <WHEN>
              When to use colours; `auto` respects NO_COLOR and CLICOLOR_FORCE
              
              [default: auto]
              [possible values: auto, always, never]

          --log-format <FORMAT>
              Format of the log on standard error. RUST_LOG filters it, for example
              `info,workflow_core=debug` [default level: info for servers, warn otherwise]
              
              [default: text]
              [possible values: text, json]

      -h, --help
              Print help (see a summary with '-h')

    Examples:
      workflow runs retry 01980000-0000-7000-8000-000000000000
      workflow runs retry 01980000-0000-7000-8000-000000000000 --failed-only
      workflow runs retry 01980000-0000-7000-8000-000000000000 --from transform --detach

    Exit codes:
      0 the new run completed, 1 it failed, 2 invalid usage or input, 130 it was cancelled
    "#);
    assert_snapshot!(help(&["recover"]), @"
    Resume runs after a crash

    Resumes all runs that have not ended and that no engine is running, including queued runs that have
    not started. Completed jobs do not run again. Interrupted attempts restart. Returns when all resumed
    runs have ended.

    Waits for runs whose engine may still be alive until their lease expires, by default 10 s at most.

    On Ctrl-C and SIGTERM, running jobs get the grace period to end. Then the runs are released, and the
    next `worker`, `serve` or `recover` resumes them at once. To resume runs whenever an engine dies,
    start a `worker`.

    Usage: workflow recover [OPTIONS]

    Options:
          --max-parallel <N>
              Maximum number of jobs that run at once [default: the limits of the workflows]

          --grace <DURATION>
              Grace period of running jobs on Ctrl-C and SIGTERM [default: 10s]

          --db <URL>
              Database: a SQLite file or postgres://user@host/database [default: WORKFLOW_DB, or
              sqlite://.workflow/workflows.db]

          --color <WHEN>
              When to use colours; `auto` respects NO_COLOR and CLICOLOR_FORCE
              
              [default: auto]
              [possible values: auto, always, never]

          --log-format <FORMAT>
              Format of the log on standard error. RUST_LOG filters it, for example
              `info,workflow_core=debug` [default level: info for servers, warn otherwise]
              
              [default: text]
              [possible values: text, json]

      -h, --help
              Print help (see a summary with '-h')

    Examples:
      workflow recover
      workflow recover --db postgres://localhost/runs

    Exit codes:
      0 all resumed runs completed, 1 a run failed, was cancelled, or could not be resumed,
      2 invalid usage or input
    ");
}

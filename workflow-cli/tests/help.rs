//! What help says of the commands over a store.

mod support;

use insta::assert_snapshot;

#[test]
fn help_teaches() {
    let help = |command: &[&str]| support::workflow(&[&["help"], command].concat()).out;
    assert_snapshot!(help(&["workflows", "update"]), @r#"
    Change a workflow; what is not named stays as it is

    Usage: workflow workflows update [OPTIONS] <FILE|--name <NAME>|--slug <SLUG>|--description <TEXT>|--project <PROJECT>|--project-id <NUMBER>|--project-name <NAME>|--app-name <NAME>|--domain <DOMAIN>|--metadata <JSON>|--merge-metadata <JSON>|--owner-user <USER>|--is-active <BOOL>> <WORKFLOW>

    Arguments:
      <WORKFLOW>
              Its id, name or slug

      [FILE]
              Replaces its file by this one, as its next version; `-` reads standard input. What the
              file says follows it, the schedule as well, and the name where the file before gave it

    Options:
      -n, --name <NAME>
              Another name; the slug stays

          --slug <SLUG>
              Another slug, made unique as that of a new workflow

      -d, --description <TEXT>
              Another description; an empty one is none

          --project <PROJECT>
              Another project; an empty one is none

          --project-id <NUMBER>
              Another number of the project

          --project-name <NAME>
              Another display name of the project

          --app-name <NAME>
              Another application; an empty one is none

          --domain <DOMAIN>
              Another business area; an empty one is none

          --metadata <JSON>
              Replaces the metadata by this object; `null` clears it

          --merge-metadata <JSON>
              Changes the metadata by this object (RFC 7396): keys are added and replaced, and those
              that are `null` removed

          --owner-user <USER>
              Another owner, who is added without an account when unknown; an empty name makes it
              nobody's

          --is-active <BOOL>
              Whether it is in use; what is not is archived, and no run of it begins
              
              [possible values: true, false]

      -f, --format <FORMAT>
              How to write what it is then

              Possible values:
              - table: For people
              - json:  For programs
              
              [default: table]

          --db <URL>
              The database: a file of SQLite, or postgres://user@host/database [default: WORKFLOW_DB, or
              sqlite://.workflow/workflows.db]

          --color <WHEN>
              When to use colours; `auto` heeds NO_COLOR and CLICOLOR_FORCE
              
              [default: auto]
              [possible values: auto, always, never]

          --log-format <FORMAT>
              How to write the log on standard error. RUST_LOG says what is in it, such as
              `info,workflow_core=debug` [default level: info for servers, warn else]
              
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
    List, watch, stop and repeat the runs of a store

    It does not matter which process drives a run: what is asked of it goes through the store.

    Usage: workflow runs [OPTIONS] <COMMAND>

    Commands:
      list     List runs, newest first
      get      Show one run with its jobs
      watch    Show a run from its beginning to its end, while it goes on or afterwards
      logs     Show what the jobs of a run printed
      cancel   Cancel a run
      unblock  Let engines take up a blocked run again
      retry    Repeat a run that has ended, as a new run with the same input
      signal   Send a run a signal that a job of it waits for, or will
      export   Write workflows, their runs and the runs' events, one JSON object a line
      import   Read what `export` wrote; what is there already stays as it is
      help     Print this message or the help of the given subcommand(s)

    Options:
          --color <WHEN>
              When to use colours; `auto` heeds NO_COLOR and CLICOLOR_FORCE
              
              [default: auto]
              [possible values: auto, always, never]

          --log-format <FORMAT>
              How to write the log on standard error. RUST_LOG says what is in it, such as
              `info,workflow_core=debug` [default level: info for servers, warn else]
              
              [default: text]
              [possible values: text, json]

      -h, --help
              Print help (see a summary with '-h')

    Examples:
      workflow runs list --status failed --since 2h
      workflow runs watch 472
      workflow runs logs 472 --job extract -F
      workflow runs signal 472 approved '{"by": "ada"}'
      workflow runs retry 01980000-0000-7000-8000-000000000000 --failed-only

    Exit codes:
      0 it went well, 1 the run failed or the store cannot be used, 2 wrong usage or input,
      130 the run was cancelled
    "#);
    assert_snapshot!(help(&["runs", "signal"]), @r#"
    Send a run a signal that a job of it waits for, or will

    Usage: workflow runs signal [OPTIONS] <RUN> <NAME> [JSON]

    Arguments:
      <RUN>   The run: its number, its id or the first 8 characters of it or more, or `latest`
      <NAME>  The name of the signal
      [JSON]  What comes with it

    Options:
          --db <URL>             The database: a file of SQLite, or postgres://user@host/database
                                 [default: WORKFLOW_DB, or sqlite://.workflow/workflows.db]
          --color <WHEN>         When to use colours; `auto` heeds NO_COLOR and CLICOLOR_FORCE [default:
                                 auto] [possible values: auto, always, never]
          --log-format <FORMAT>  How to write the log on standard error. RUST_LOG says what is in it,
                                 such as `info,workflow_core=debug` [default level: info for servers,
                                 warn else] [default: text] [possible values: text, json]
      -h, --help                 Print help

    Examples:
      workflow runs signal 01980000-0000-7000-8000-000000000000 approved
      workflow runs signal 01980000-0000-7000-8000-000000000000 approved '{"by": "ada"}'
    "#);
    assert_snapshot!(help(&["runs", "retry"]), @r#"
    Repeat a run that has ended, as a new run with the same input

    A run of a file runs what the file was then; of code, what the code is now. With --failed-only or
    --from, jobs that completed are not run again: the new run begins with their outcomes on its record.
    A job runs again in any case when one that it waits for does.

    Usage: workflow runs retry [OPTIONS] <RUN>

    Arguments:
      <RUN>
              The run: its number, its id or the first 8 characters of it or more, or `latest`

    Options:
          --failed-only
              Run again only the jobs that did not complete, and those that wait for them

          --from <JOB>
              Run again this job and all that wait for it, and what did not complete

      -f, --format <FORMAT>
              What to write to standard output

              Possible values:
              - text:  A report for people
              - json:  The report as one JSON document
              - jsonl: Each event, and what jobs print, as a line of JSON as it happens, and in the last
                line `{"report": ...}`
              
              [default: text]

      -q, --quiet
              Show nothing while the run goes on

          --db <URL>
              Keep the run in this database, so that it outlives a crash: a file of SQLite, or
              postgres://user@host/database [default: WORKFLOW_DB; else, where one is needed,
              sqlite://.workflow/workflows.db]

          --detach
              Let the run go on in a process of its own, print its id, and return at once. When that
              process is ended, `recover` takes the run up

          --idempotency-key <KEY>
              Idempotency key: starting again with the same key shows the existing run

          --color <WHEN>
              When to use colours; `auto` heeds NO_COLOR and CLICOLOR_FORCE
              
              [default: auto]
              [possible values: auto, always, never]

          --log-format <FORMAT>
              How to write the log on standard error. RUST_LOG says what is in it, such as
              `info,workflow_core=debug` [default level: info for servers, warn else]
              
              [default: text]
              [possible values: text, json]

      -h, --help
              Print help (see a summary with '-h')

    Examples:
      workflow runs retry 01980000-0000-7000-8000-000000000000
      workflow runs retry 01980000-0000-7000-8000-000000000000 --failed-only
      workflow runs retry 01980000-0000-7000-8000-000000000000 --from transform --detach

    Exit codes:
      0 the new run completed, 1 it failed, 2 wrong usage or input, 130 it was cancelled
    "#);
    assert_snapshot!(help(&["recover"]), @"
    Take up the runs that a crash left behind

    And those that were left to others to run. What is on record of a run stands; attempts that were
    under way begin again. Ends when all that was taken up has ended.

    Waits for runs whose engine may still be alive, until their lease expires: 10 s at most, unless the
    engine was given a longer one.

    On Ctrl-C and SIGTERM, running jobs have the grace period to end, and runs are given back: the next
    process that serves or recovers goes on with them at once.

    Usage: workflow recover [OPTIONS]

    Options:
          --serve
              Go on for ever: take up what is left behind from now on, too

          --prune-keep-for <[WORKFLOW=]SPAN>
              With --serve, keep runs that ended within this time, such as 30d, or etl=90d for those of
              one workflow, and delete others; once an hour, by one of the processes that serve

          --prune-keep-last <[WORKFLOW=]N>
              With --serve, keep so many of the newest runs of each workflow, or, as etl=100, of one

          --max-parallel <N>
              How many jobs may run at once [default: no limit but those of the workflows]

          --grace <TIME>
              How long running jobs have to end on Ctrl-C and SIGTERM [default: 10s]

          --db <URL>
              The database: a file of SQLite, or postgres://user@host/database [default: WORKFLOW_DB, or
              sqlite://.workflow/workflows.db]

          --color <WHEN>
              When to use colours; `auto` heeds NO_COLOR and CLICOLOR_FORCE
              
              [default: auto]
              [possible values: auto, always, never]

          --log-format <FORMAT>
              How to write the log on standard error. RUST_LOG says what is in it, such as
              `info,workflow_core=debug` [default level: info for servers, warn else]
              
              [default: text]
              [possible values: text, json]

      -h, --help
              Print help (see a summary with '-h')

    Examples:
      workflow recover
      workflow recover --db postgres://localhost/runs --serve
      workflow recover --serve --prune-keep-for 30d --prune-keep-for audit=365d

    Exit codes:
      0 all that was taken up completed, 1 a run failed, was cancelled, or could not be taken up,
      2 wrong usage or input
    ");
}

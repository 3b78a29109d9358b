//! Help, usage errors and completions.

use insta::assert_snapshot;

use crate::support::{Outcome, host, workflow};

#[test]
fn help_of_everything() {
    assert_snapshot!(workflow(&["--help"]).out, @"
    Run workflows that are registered in this program or written in files

    Usage: workflow [OPTIONS] <COMMAND>

    Commands:
      new          Make a new workflow from a template
      test         Run the tests of a workflow
      evidence     Make, serve and build the dashboard of a workflow
      dbt          Install dbt, and build or list the models of a workflow
      run          Run a workflow and report the result [alias: execute]
      trigger      Queue a run of a workflow for the workers
      plan         Show which jobs would run, in what order, without running them
      validate     Check workflow files for errors
      list         List the workflows and jobs that are registered in this program
      workflows    List, create and change the workflows of a store
      runs         List, watch, cancel and retry the runs of a store
      data         Show the columns and the first rows of the tables that a workflow has written
      recover      Resume runs after a crash
      worker       Run the queued runs of some task queues, and resume runs whose process has died
      workers      List workers and task queues
      schedules    List, pause and resume schedules, and start their runs
      assets       List assets and their partitions, and materialize what is not current
      stats        Show run counts, success rates and durations
      serve        Serve a REST API and a web page for workflows and runs
      user         Manage user accounts of the server
      token        Manage API tokens of the server
      prune        Delete old runs
      migrate      Migrate a database to the schema of this version, or create it
      config       List, show and check the configurations of workflows
      completions  Print a completion script for a shell
      help         Print this message or the help of the given subcommand(s)

    Options:
          --color <WHEN>         When to use colours; `auto` respects NO_COLOR and CLICOLOR_FORCE
                                 [default: auto] [possible values: auto, always, never]
          --log-format <FORMAT>  Format of the log on standard error. RUST_LOG filters it, for example
                                 `info,workflow_core=debug` [default level: info for servers, warn
                                 otherwise] [default: text] [possible values: text, json]
      -h, --help                 Print help
      -V, --version              Print version

    Examples:
      workflow new sales                       make a data workflow from a template
      workflow list                            list registered workflows
      workflow validate etl.yaml               check a workflow file
      workflow plan etl.yaml                   show which jobs would run, in what order
      workflow run etl --param day=2026-01-02  run a workflow
      workflow run etl.yaml --detach           run it in the background and save the run
      workflow trigger etl --param day=1       queue a run for a worker
      workflow runs list                       list saved runs
      workflow recover                         resume runs after a crash
      workflow worker --domain booking         run the queued runs of a domain
      workflow workers list                    list workers and task queues
      workflow serve                           serve the web page and the REST API
      workflow help run                        show the help of a command

    Exit codes:
      0 success, 1 the run failed, 2 invalid usage or input, 130 cancelled
    ");
    assert_snapshot!(workflow(&["help", "run"]).out, @r#"
    Run a workflow and report the result

    Shows progress and the output of jobs on standard error: progress bars on a terminal, one line per
    event elsewhere or with NO_COLOR. Prints the report to standard output.

    Ctrl-C cancels the run: jobs get a few seconds to stop. A second Ctrl-C ends them at once.

    By default, the run ends with this process. --db, or WORKFLOW_DB in the environment, saves it in a
    database. --detach and --idempotency-key always save it, by default in
    sqlite://.workflow/workflows.db. If this process dies, `recover` resumes a saved run.

    Usage: workflow run [OPTIONS] <NAME|FILE>

    Arguments:
      <NAME|FILE>
              Registered workflow or workflow file; `-` reads standard input. With a database, also the
              ID, name or slug of a workflow stored there

    Options:
      -i, --input <JSON|@FILE>
              Input of the workflow: JSON, @file (JSON or YAML), or @- for standard input

      -p, --param <KEY=VALUE>
              Set a key of the input object. `a.b` sets the key `b` of the object `a`; write `a\.b` for
              a key that contains a dot. A value that is not valid JSON is a string. So is a number that
              JSON would change, such as 3.10, 007 or 1e3, unless the workflow expects a number

          --max-parallel <N>
              Maximum number of jobs that run at once [default: the limit of the workflow]

          --cwd <DIR>
              Working directory of the commands in a workflow file; `--cwd .` runs them in the current
              directory, as torc does [default: the folder of the file]

          --runs-dir <DIR>
              Folder for the output of jobs [default: .workflow/runs for workflow files and saved runs]

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
              Save the run in this database, so that it survives a crash: a SQLite file or
              postgres://user@host/database [default: WORKFLOW_DB; where a database is required,
              sqlite://.workflow/workflows.db]

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
      workflow run etl
      workflow run etl.yaml --max-parallel 4
      workflow run examples/etl.yaml --cwd .
      workflow run etl --input '{"day": "2026-01-02", "dry": true}'
      workflow run etl --param day=2026-01-02 --param dry=true
      workflow run etl --input @day.json
      workflow run etl -f json | jq .output
      workflow run etl -f jsonl | jq -r 'select(.event == "job_failed") | .job'
      workflow run etl -f jsonl | jq -j 'select(.event == "job_output") | .text'
      workflow run etl.yaml --db runs.db --idempotency-key 2026-01-02
      workflow run etl.yaml --detach

    Exit codes:
      0 the run completed, 1 it failed, 2 invalid usage or input, 130 it was cancelled
    "#);
    assert_snapshot!(workflow(&["help", "plan"]).out, @r#"
    Show which jobs would run, in what order, without running them

    Groups jobs in waves. The jobs of a wave depend only on earlier waves, so they can run at the same
    time.

    Usage: workflow plan [OPTIONS] <NAME|FILE>

    Arguments:
      <NAME|FILE>
              Registered workflow or workflow file; `-` reads standard input

    Options:
      -i, --input <JSON|@FILE>
              Input of the workflow: JSON, @file (JSON or YAML), or @- for standard input

      -p, --param <KEY=VALUE>
              Set a key of the input object. `a.b` sets the key `b` of the object `a`; write `a\.b` for
              a key that contains a dot. A value that is not valid JSON is a string. So is a number that
              JSON would change, such as 3.10, 007 or 1e3, unless the workflow expects a number

          --graph <KIND>
              Print the graph instead of the waves

              Possible values:
              - tree:    Indented tree
              - mermaid: Mermaid flowchart, for Markdown
              - dot:     DOT language, for Graphviz

      -f, --format <FORMAT>
              Output format

              Possible values:
              - text: Readable waves, with large groups of jobs on one line
              - json: All jobs of all waves as one JSON document
              
              [default: text]

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
      workflow plan etl
      workflow plan etl.yaml
      workflow plan etl --graph tree
      workflow plan etl --graph dot | dot -Tsvg > etl.svg
      workflow plan etl -f json | jq '.waves | length'
    "#);
    assert_snapshot!(workflow(&["help", "list"]).out, @r#"
    List the workflows and jobs that are registered in this program

    Multiple filters must all match. A job without a domain is shared by all domains, so --domain lists
    it, too. Jobs have no project or tag, so these filters hide them.

    Usage: workflow list [OPTIONS]

    Options:
          --domain <DOMAIN>
              Only workflows and jobs of this business domain, and shared jobs

          --project <PROJECT>
              Only workflows of this project

          --tag <TAG>
              Only workflows with this tag; repeat to require several tags

          --workflows-only
              List only workflows

          --jobs-only
              List only jobs
              
              [alias: --activities-only]

          --detailed
              Show all details: input and its schema, task queue, schedule, retries and timeouts, source
              location

      -f, --format <FORMAT>
              Output format

              Possible values:
              - table: Readable tables
              - json:  JSON array; all workflows have the same keys, and so do all jobs
              
              [default: table]

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
      workflow list
      workflow list --domain booking --tag nightly
      workflow list --domain booking --activities-only
      workflow list --jobs-only --detailed
      workflow list -f json | jq -r '.[] | select(.kind == "workflow") | .name'
    "#);
    assert_snapshot!(workflow(&["help", "validate"]).out, @r#"
    Check workflow files for errors

    Shows each problem with its line, underlined, and a suggested fix. Does not run anything.

    Usage: workflow validate [OPTIONS] [FILE]...

    Arguments:
      [FILE]...
              Workflow files; `-` reads standard input

    Options:
          --strict
              Treat warnings as errors

      -f, --format <FORMAT>
              Output format

              Possible values:
              - text: Readable diagnostics on standard error
              - json: JSON array on standard output
              
              [default: text]

          --schema
              Print the JSON Schema of workflow files, for editors

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
      workflow validate etl.yaml
      workflow validate --strict workflows/*.yaml
      workflow validate etl.yaml -f json | jq -r '.[] | "\(.file):\(.line): \(.message)"'
      workflow validate --schema > workflow.schema.json

    Exit codes:
      0 all files are valid, 1 a file is invalid, 2 invalid usage
    "#);
    assert_snapshot!(workflow(&["help", "config"]).out, @"
    List, show and check the configurations of workflows

    A configuration is a `config.yaml`, with an optional file per profile next to it, in a folder named
    like the workflow. Folders are searched in WORKFLOW_CONFIG_DIR, in `workflows`, next to the source
    of the registered function, and in the folder of its package, if that is named like the workflow.
    WORKFLOW_<NAME>__<KEY>__<KEY> overrides a value.

    Usage: workflow config [OPTIONS] <COMMAND>

    Commands:
      list      List all configurations
      show      Show a configuration with layers merged, variables replaced, and secrets as `***`
      validate  Check configurations against the types that the program reads them into
      help      Print this message or the help of the given subcommand(s)

    Options:
          --dir <DIR>
              Search this folder first; can be repeated

          --profile <PROFILE>
              Profile, such as `production` [default: WORKFLOW_PROFILE]

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
      workflow config list
      workflow config show etl
      workflow config validate etl
    ");
    assert_snapshot!(workflow(&["config", "show", "--help"]).out, @"
    Show a configuration with layers merged, variables replaced, and secrets as `***`

    Usage: workflow config show [OPTIONS] <NAME>

    Arguments:
      <NAME>
              Name of the workflow

    Options:
      -f, --format <FORMAT>
              Output format

              Possible values:
              - yaml: YAML with the origin of each value as a comment
              - json: JSON
              
              [default: yaml]

          --raw
              Print the files unchanged

          --dir <DIR>
              Search this folder first; can be repeated

          --profile <PROFILE>
              Profile, such as `production` [default: WORKFLOW_PROFILE]

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
      workflow config show etl --profile production
      workflow config show etl --format json | jq .source
    ");
    assert_snapshot!(workflow(&["help", "completions"]).out, @"
    Print a completion script for a shell

    Usage: workflow completions [OPTIONS] <SHELL>

    Arguments:
      <SHELL>  Shell [possible values: bash, elvish, fish, powershell, zsh]

    Options:
          --color <WHEN>         When to use colours; `auto` respects NO_COLOR and CLICOLOR_FORCE
                                 [default: auto] [possible values: auto, always, never]
          --log-format <FORMAT>  Format of the log on standard error. RUST_LOG filters it, for example
                                 `info,workflow_core=debug` [default level: info for servers, warn
                                 otherwise] [default: text] [possible values: text, json]
      -h, --help                 Print help

    Examples:
      workflow completions bash > ~/.local/share/bash-completion/completions/workflow
      workflow completions zsh > ~/.zfunc/_workflow
      workflow completions fish > ~/.config/fish/completions/workflow.fish
    ");
}

#[test]
fn help_calls_the_program_by_its_name() {
    let help = host(&["run", "--help"]).out;
    assert!(help.contains("Usage: host run [OPTIONS] <NAME|FILE>"), "{help}");
    assert!(help.contains("  host run etl --input @day.json"), "{help}");
}

#[test]
fn missing_and_unknown_commands_are_usage_errors() {
    let Outcome { code, out, err } = workflow(&[]);
    assert_eq!((code, &*out), (Some(2), ""));
    assert!(err.contains("Usage: workflow"), "{err}");
    assert_snapshot!(workflow(&["runn"]).err, @"
    error: unrecognized subcommand 'runn'

      tip: some similar subcommands exist: 'prune', 'runs', 'run'

    Usage: workflow [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
    let version = workflow(&["--version"]);
    assert_eq!(
        (version.code, version.out),
        (Some(0), format!("workflow {}\n", env!("CARGO_PKG_VERSION")))
    );
}

#[test]
fn shells_complete_the_program_by_its_name() {
    for (shell, sign) in
        [("bash", "complete -F _host"), ("zsh", "#compdef host"), ("fish", "complete -c host")]
    {
        let Outcome { code, out, .. } = host(&["completions", shell]);
        assert_eq!(code, Some(0));
        assert!(out.contains(sign) && out.contains("max-parallel"), "{shell}: {out}");
    }
    assert_eq!(host(&["completions", "sh"]).code, Some(2));
}

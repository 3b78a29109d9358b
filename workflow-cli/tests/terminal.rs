//! What has to do with the world around: help, colours, pipes and signals.

mod support;

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};

use insta::assert_snapshot;

use support::{Outcome, command, host, host_binary, workflow};

#[test]
fn help_of_everything() {
    assert_snapshot!(workflow(&["--help"]).out, @"
    Runs workflows: those registered in this program, and those in files

    Usage: workflow [OPTIONS] <COMMAND>

    Commands:
      run          Run a workflow and report what came of it [aliases: execute, trigger]
      plan         Show what would run, in what order, and run nothing
      validate     Show everything that is wrong with workflow files
      list         List the workflows and jobs that are registered in this program
      workflows    List and change the workflows of a store
      runs         List, watch, stop and repeat the runs of a store
      recover      Take up the runs that a crash left behind
      stats        Show how often workflows ran, how well, and for how long
      serve        Serve workflows and runs over HTTP: a REST API, live events, and a web page
      user         Manage who may use the server
      token        Manage API tokens, which programs send as `Authorization: Bearer ..`
      prune        Delete old runs
      migrate      Make a database ready for this version, and make it where there is none
      config       List, show and check the configurations of workflows
      completions  Print a script by which your shell completes this command line
      help         Print this message or the help of the given subcommand(s)

    Options:
          --color <WHEN>         When to use colours; `auto` heeds NO_COLOR and CLICOLOR_FORCE [default:
                                 auto] [possible values: auto, always, never]
          --log-format <FORMAT>  How to write the log on standard error. RUST_LOG says what is in it,
                                 such as `info,workflow_core=debug` [default level: info for servers,
                                 warn else] [default: text] [possible values: text, json]
      -h, --help                 Print help
      -V, --version              Print version

    Examples:
      workflow list                            what is registered in this program
      workflow validate etl.yaml               everything that is wrong with a file
      workflow plan etl.yaml                   what would run, in what order
      workflow run etl --param day=2026-01-02  run it
      workflow run etl.yaml --detach           run it in the background, and keep the run
      workflow runs list                       the runs that are kept
      workflow recover                         take up what a crash left behind
      workflow serve                           the web page, and the REST API
      workflow help run                        all about one command

    Exit codes:
      0 it went well, 1 it ran and failed, 2 wrong usage or input, 130 cancelled
    ");
    assert_snapshot!(workflow(&["help", "run"]).out, @r#"
    Run a workflow and report what came of it

    Shows on standard error how the run goes: a line for each job under way on a terminal, a line for
    each event elsewhere, or with NO_COLOR; and what the jobs print. Ends with the report on standard
    output.

    Ctrl-C cancels the run: jobs are asked to stop, and have some seconds to do so. A second Ctrl-C ends
    them at once.

    The run ends with this process, unless it is kept: with --db, with WORKFLOW_DB in the environment,
    and, in sqlite://.workflow/workflows.db where neither is there, with --detach or --idempotency-key.
    What a crash leaves of a kept run, `recover` takes up.

    Usage: workflow run [OPTIONS] <NAME|FILE>

    Arguments:
      <NAME|FILE>
              The name of a registered workflow, or a file; `-` reads standard input. With a store, also
              the id, name or slug of a workflow that was created there, or ran there as a file

    Options:
      -i, --input <JSON|@FILE>
              The workflow's input: JSON, or @file (JSON or YAML), or @- for standard input

      -p, --param <KEY=VALUE>
              Sets a key of an input that is an object; a value that is no JSON is text, and so is a
              number that JSON would write otherwise (`3.10`, `007`), unless the workflow wants a
              number. `a.b` is the key `b` of the object `a`, and `a\.b` one key that holds a dot

          --max-parallel <N>
              How many jobs may run at once [default: no limit but the workflow's]

          --cwd <FOLDER>
              Run the commands of a file in this folder, where its relative paths begin; torc runs them
              in the current folder: `--cwd .` [default: the folder of the file]

          --runs-dir <FOLDER>
              Where the run keeps what its jobs print [default: .workflow/runs, for runs of files and
              with a store]

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
      0 it completed, 1 it failed, 2 wrong usage or input, 130 it was cancelled
    "#);
    assert_snapshot!(workflow(&["help", "plan"]).out, @r"
    Show what would run, in what order, and run nothing

    Jobs are shown in waves: what is in one wave waits only for jobs of the waves before it, and could
    run together.

    Usage: workflow plan [OPTIONS] <NAME|FILE>

    Arguments:
      <NAME|FILE>
              The name of a registered workflow, or a file; `-` reads standard input

    Options:
      -i, --input <JSON|@FILE>
              The workflow's input: JSON, or @file (JSON or YAML), or @- for standard input

      -p, --param <KEY=VALUE>
              Sets a key of an input that is an object; a value that is no JSON is text, and so is a
              number that JSON would write otherwise (`3.10`, `007`), unless the workflow wants a
              number. `a.b` is the key `b` of the object `a`, and `a\.b` one key that holds a dot

          --graph <KIND>
              Draw the graph instead

              Possible values:
              - tree:    An indented tree of plain text
              - mermaid: A Mermaid flowchart, for Markdown
              - dot:     The DOT language, for Graphviz

      -f, --format <FORMAT>
              How to write the plan

              Possible values:
              - text: Waves for people, large sets of jobs in one line
              - json: Every job of every wave as one JSON document
              
              [default: text]

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
      workflow plan etl
      workflow plan etl.yaml
      workflow plan etl --graph tree
      workflow plan etl --graph dot | dot -Tsvg > etl.svg
      workflow plan etl -f json | jq '.waves | length'
    ");
    assert_snapshot!(workflow(&["help", "list"]).out, @r#"
    List the workflows and jobs that are registered in this program

    Filters apply to workflows, and several of them together. Jobs are listed where there is no filter,
    since they have no domain, project or tag.

    Usage: workflow list [OPTIONS]

    Options:
          --domain <DOMAIN>
              Only workflows of this business area

          --project <PROJECT>
              Only workflows of this group

          --tag <TAG>
              Only workflows with this tag; given several times, with all of them

          --workflows-only
              Leave jobs out

          --jobs-only
              Leave workflows out

          --detailed
              Show all that is known: owner, schedule, place in the source, input and its schema

      -f, --format <FORMAT>
              How to write the list

              Possible values:
              - table: Tables for people
              - json:  An array of objects, with the same keys for every workflow and for every job
              
              [default: table]

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
      workflow list
      workflow list --domain booking --tag nightly
      workflow list --jobs-only --detailed
      workflow list -f json | jq -r '.[] | select(.kind == "workflow") | .name'
    "#);
    assert_snapshot!(workflow(&["help", "validate"]).out, @r#"
    Show everything that is wrong with workflow files

    Each problem is shown with its line, the place underlined, and a cure. Nothing is run.

    Usage: workflow validate [OPTIONS] [FILE]...

    Arguments:
      [FILE]...
              The files; `-` reads standard input

    Options:
          --strict
              Take warnings for errors

      -f, --format <FORMAT>
              How to write what was found

              Possible values:
              - text: With the lines it is about, on standard error
              - json: An array of objects, on standard output
              
              [default: text]

          --schema
              Print the JSON Schema of workflow files, for editors

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
      workflow validate etl.yaml
      workflow validate --strict workflows/*.yaml
      workflow validate etl.yaml -f json | jq -r '.[] | "\(.file):\(.line): \(.message)"'
      workflow validate --schema > workflow.schema.json

    Exit codes:
      0 all files are valid, 1 one of them is not, 2 wrong usage
    "#);
    assert_snapshot!(workflow(&["help", "config"]).out, @"
    List, show and check the configurations of workflows

    A configuration is `config.yaml`, with a file for each profile beside it, in a folder with the
    workflow's name: in the folders of WORKFLOW_CONFIG_DIR, in `workflows`, or beside the source of the
    registered function. WORKFLOW_<NAME>__<KEY>__<KEY> sets a value.

    Usage: workflow config [OPTIONS] <COMMAND>

    Commands:
      list      List the configurations that can be found
      show      Show a configuration: its layers merged, its variables replaced, `***` for secrets
      validate  Check configurations, and that they fit the types that the program reads them as
      help      Print this message or the help of the given subcommand(s)

    Options:
          --dir <FOLDER>
              Looks in this folder first; may be given several times

          --profile <PROFILE>
              The profile, such as `production` [default: that of WORKFLOW_PROFILE]

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
      workflow config list
      workflow config show etl
      workflow config show etl --profile production --format json | jq .source
      workflow config validate etl
    ");
    assert_snapshot!(workflow(&["config", "show", "--help"]).out, @"
    Show a configuration: its layers merged, its variables replaced, `***` for secrets

    Usage: workflow config show [OPTIONS] <NAME>

    Arguments:
      <NAME>
              The workflow's name

    Options:
      -f, --format <FORMAT>
              How to write it

              Possible values:
              - yaml: YAML, with the origin of each value in a comment
              - json: One JSON document
              
              [default: yaml]

          --raw
              Show the files as they are written instead

          --dir <FOLDER>
              Looks in this folder first; may be given several times

          --profile <PROFILE>
              The profile, such as `production` [default: that of WORKFLOW_PROFILE]

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
    ");
    assert_snapshot!(workflow(&["help", "completions"]).out, @"
    Print a script by which your shell completes this command line

    Usage: workflow completions [OPTIONS] <SHELL>

    Arguments:
      <SHELL>  The shell [possible values: bash, elvish, fish, powershell, zsh]

    Options:
          --color <WHEN>         When to use colours; `auto` heeds NO_COLOR and CLICOLOR_FORCE [default:
                                 auto] [possible values: auto, always, never]
          --log-format <FORMAT>  How to write the log on standard error. RUST_LOG says what is in it,
                                 such as `info,workflow_core=debug` [default level: info for servers,
                                 warn else] [default: text] [possible values: text, json]
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
fn nothing_and_nonsense_are_wrong_usage() {
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

#[test]
fn colours_are_shown_where_they_are_wanted() {
    let colored = |change: &dyn Fn(&mut Command)| {
        let mut command = command(&host_binary());
        change(command.args(["run", "orders/print"]));
        let output = command.output().expect("it starts");
        output.stderr.contains(&b'\x1b')
    };
    assert!(!colored(&|_| ()));
    assert!(colored(&|command| _ = command.env("CLICOLOR_FORCE", "1")));
    assert!(colored(&|command| _ = command.args(["--color", "always"])));
    assert!(!colored(&|command| _ = command.env("CLICOLOR_FORCE", "1").args(["--color", "never"])));
    assert!(!colored(&|command| _ = command.env("NO_COLOR", "1")));
}

/// A run that goes on until it is stopped, and that has begun.
fn endless(args: &[&str]) -> (Child, impl Iterator<Item = String>) {
    let mut command = command(&host_binary());
    command.args(["run", "stock/watch"]).args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let jsonl = args.contains(&"jsonl");
    let lines: Box<dyn std::io::Read> = match jsonl {
        true => Box::new(child.stdout.take().expect("it is piped")),
        false => Box::new(child.stderr.take().expect("it is piped")),
    };
    let mut lines = BufReader::new(lines).lines().map(|line| line.expect("it says text"));
    assert!(lines.any(|line| line.contains("started") && line.contains("watch")), "it begins");
    (child, lines)
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status();
    assert!(sent.expect("kill is there").success());
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_is_cancelled() {
    for name in ["-INT", "-TERM"] {
        let (mut child, lines) = endless(&[]);
        signal(&child, name);
        let said: Vec<String> = lines.collect();
        assert_eq!(child.wait().expect("it ends").code(), Some(130));
        assert!(said.iter().any(|line| line.starts_with("cancelling: jobs are asked")), "{said:?}");
        let mut report = String::new();
        child.stdout.expect("it is piped").read_to_string(&mut report).expect("text");
        assert!(report.starts_with("stock/watch cancelled in"), "{report}");
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_says_so_in_json() {
    let (mut child, lines) = endless(&["-f", "jsonl"]);
    signal(&child, "-INT");
    let last = lines.last().expect("the report");
    assert!(last.starts_with("{\"report\":") && last.contains("\"cancelled\""), "{last}");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
}

#[cfg(unix)]
#[test]
fn a_second_interrupt_ends_the_process() {
    let (mut child, mut lines) = endless(&["--param", "deaf=true"]);
    signal(&child, "-INT");
    assert!(lines.any(|line| line.starts_with("cancelling")), "the first is heard");
    signal(&child, "-INT");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert_eq!(lines.count(), 0);
}

#[cfg(unix)]
#[test]
fn an_interrupted_command_is_asked_to_stop() {
    let text = "name: wait\njobs:\n  - name: a\n    command: |\n      \
                trap 'echo bye; exit 1' TERM; echo ready; sleep 1000 & wait\n";
    let folder = support::folder("interrupted", &[("wait.yaml", text)]);
    let mut command = command(assert_cmd::cargo::cargo_bin!("workflow"));
    command.args(["run", "wait.yaml"]).current_dir(folder);
    let mut child =
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    let lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
    let mut lines = lines.map(|line| line.expect("it says text"));
    assert!(lines.any(|line| line == "  a | ready"), "it begins");
    signal(&child, "-INT");
    assert!(lines.any(|line| line == "  a | bye"), "it is asked");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
}

#[test]
fn a_reader_may_leave() {
    for args in [&["list"][..], &["plan", "orders/report"], &["completions", "bash"], &["--help"]] {
        let mut child = command(&host_binary())
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
        assert_eq!(output.status.code(), Some(0), "{args:?}");
    }
}

#[test]
fn a_run_goes_on_when_its_reader_leaves() {
    for format in ["text", "json", "jsonl"] {
        let mut child = command(&host_binary())
            .args(["run", "orders/print", "-q", "-f", format])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{format}");
        assert_eq!(output.status.code(), Some(1), "{format}");
    }
}

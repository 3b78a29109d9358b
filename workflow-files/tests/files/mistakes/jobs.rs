//! Jobs that are no jobs.

use insta::assert_snapshot;

use crate::wrong;

#[test]
fn jobs_without_work_are_rejected() {
    assert_snapshot!(wrong("name: tea\njobs:\n  - name: boil\n    description: hot\n"), @"
    error: job `boil` does nothing
     --> tea.yaml:3:11
      |
    3 |   - name: boil
      |           ^^^^
      |
      = help: give it a `command`, a registered `job`, or a `workflow`
    ");
    assert_snapshot!(wrong("name: tea\njobs:\n  - name: boil\n    command: ''\n"), @"
    error: this is empty
     --> tea.yaml:4:14
      |
    4 |     command: ''
      |              ^^
      |
      = help: write what the job runs
    ");
    assert_snapshot!(wrong("name: tea\njobs:\n  - name: boil\n    command: kettle\n    job: brew\n"), @"
    error: a job has a `command` or a `job`, not both
     --> tea.yaml:5:10
      |
    4 |     command: kettle
      |              ------ first here
    5 |     job: brew
      |          ^^^^
      |
      = help: split it into two jobs

    error: the job `brew` requires the parameter `cups`, u32
     --> tea.yaml:5:10
      |
    5 |     job: brew
      |          ^^^^
      |
      = help: add `cups:` under `with`

    error: the job `brew` requires the parameter `tea`, String
     --> tea.yaml:5:10
      |
    5 |     job: brew
      |          ^^^^
      |
      = help: add `tea:` under `with`
    ");
    assert_snapshot!(wrong("name: tea\njobs:\n  - name: boil\n    command: kettle\n    with: { cups: 2 }\n"), @"
    error: `with` is the input of a registered job; a command has none
     --> tea.yaml:5:11
      |
    5 |     with: { cups: 2 }
      |           ^^^^^^^^^^^
      |
      = help: use `env`, `stdin`, or `${{ .. }}` in the command
    ");
    assert_snapshot!(wrong("name: tea\njobs:\n  - name: boil\n    job: brw\n"), @"
    error: no job `brw`; did you mean `brew`?
     --> tea.yaml:4:10
      |
    4 |     job: brw
      |          ^^^
    ");
    assert_snapshot!(wrong("name: tea\njobs:\n  - name: boil\n    workflow: supper\n"), @"
    error: no workflow `supper`; if its crate is linked but never mentioned, add `use that_crate as _;`
     --> tea.yaml:4:15
      |
    4 |     workflow: supper
      |               ^^^^^^
    ");
    assert_snapshot!(wrong("name: tea\njobs:\n  - name: boil\n    job: brew\n    with: { cups: many, te: green }\n"), @r#"
    error: the job `brew` requires the parameter `tea`, String
     --> tea.yaml:5:11
      |
    5 |     with: { cups: many, te: green }
      |           ^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: add `tea:` under `with`

    error: the parameter `cups` does not fit: `u32` cannot be read from this JSON: expected a non-negative integer, found the string "many"
     --> tea.yaml:5:13
      |
    5 |     with: { cups: many, te: green }
      |             ^^^^

    error: the job `brew` has no parameter `te`
     --> tea.yaml:5:25
      |
    5 |     with: { cups: many, te: green }
      |                         ^^
      |
      = help: did you mean `tea`?
    "#);
    assert_snapshot!(wrong("name: tea\njobs:\n  - name: boil\n    job: brew\n    with: [2, green]\n"), @"
    error: `with` must be a map of the parameters: cups, tea
     --> tea.yaml:5:11
      |
    5 |     with: [2, green]
      |           ^^^^^^^^^^
    ");
    assert_snapshot!(wrong("name: tea\njobs:\n  - name: boil\n    job: brew\n    with:\n      cups: 2\n"), @"
    error: the job `brew` requires the parameter `tea`, String
     --> tea.yaml:6:7
      |
    6 |       cups: 2
      |       ^^^^^^^
      |
      = help: add `tea:` under `with`
    ");
    assert_snapshot!(wrong("name: tea\njobs:\n  - name: boil\n    job: tally\n"), @"
    error: the job `tally` takes any number of inputs, which a file cannot provide
     --> tea.yaml:4:10
      |
    4 |     job: tally
      |          ^^^^^
    ");
}

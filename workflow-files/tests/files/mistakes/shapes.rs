//! Fields, types and names.

use insta::assert_snapshot;

use crate::{odd, wrong};

#[test]
fn shapes() {
    assert_snapshot!(wrong("name: tea\njobs:\n  - name: boil\n    comand: kettle\n"), @"
    error: a job has no field `comand`
     --> tea.yaml:4:5
      |
    4 |     comand: kettle
      |     ^^^^^^ unknown field
      |
      = help: did you mean `command`?
    ");
    assert_snapshot!(wrong("name: tea\ncolour: green\njobs:\n  - name: boil\n    command: kettle\n"), @"
    error: a workflow has no field `colour`
     --> tea.yaml:2:1
      |
    2 | colour: green
      | ^^^^^^ unknown field
      |
      = help: a workflow may have: name, description, project, domain, metadata, user, schedule, concurrency, rate_limit, debounce, singleton, fairness, jobs, env, variables, parameters, files, user_data, resource_requirements, failure_handlers, actions, on_failure, max_parallel, timeout, limits
    ");
    assert_snapshot!(wrong("name: tea\njobs:\n  - name: boil\n    command: kettle\n    name: cool\n"), @"
    error: the key `name` is given twice
     --> tea.yaml:5:5
      |
    3 |   - name: boil
      |     ---- first here
    4 |     command: kettle
    5 |     name: cool
      |     ^^^^ duplicate
      |
      = help: remove one of them, or rename it
    ");
    assert_snapshot!(wrong("name: 7\njobs:\n  - name: boil\n    command: [kettle]\n    depends_on: fill\n"), @"
    error: expected a string, found an integer
     --> tea.yaml:1:7
      |
    1 | name: 7
      |       ^
      |
      = help: put it in quotes

    error: expected a string, found a list
     --> tea.yaml:4:14
      |
    4 |     command: [kettle]
      |              ^^^^^^^^
      |
      = help: put it in quotes, or write it below `|`

    error: expected a list, each item a string, found a string
     --> tea.yaml:5:17
      |
    5 |     depends_on: fill
      |                 ^^^^
      |
      = help: write `[fill]`
    ");
    assert_snapshot!(wrong("name: tea\njobs:\n  - name: boil\n    command: kettle\n    priority: 99999999999\n    supports_termination: perhaps\n"), @"
    error: expected an integer from -2147483648 to 2147483647, found 99999999999
     --> tea.yaml:5:15
      |
    5 |     priority: 99999999999
      |               ^^^^^^^^^^^

    error: expected `true` or `false`, found a string
     --> tea.yaml:6:27
      |
    6 |     supports_termination: perhaps
      |                           ^^^^^^^
    ");
    assert_snapshot!(wrong("name: tea\njobs:\n  boil: kettle\n"), @"
    error: expected a list of jobs, found a map
     --> tea.yaml:3:3
      |
    3 |   boil: kettle
      |   ^^^^^^^^^^^^
      |
      = help: begin each job with `- name:`
    ");
    assert_snapshot!(wrong("name: tea\njobs: []\n"), @"
    error: the workflow has no jobs
     --> tea.yaml:2:7
      |
    2 | jobs: []
      |       ^^
      |
      = help: add one: `- name: hello`, and below it `command: echo hello`
    ");
    assert_snapshot!(wrong("name: tea\n"), @"
    error: a workflow needs `jobs`, a list of jobs
     --> tea.yaml:1:1
      |
    1 | name: tea
      | ^^^^^^^^^
      |
      = help: add `jobs:`
    ");
    assert_snapshot!(wrong("jobs:\n  - command: kettle\n"), @"
    error: a workflow needs `name`, a string
     --> tea.yaml:1:1
      |
    1 | jobs:
      | ^^^^^
      |
      = help: add `name:`

    error: a job needs `name`, a string
     --> tea.yaml:2:5
      |
    2 |   - command: kettle
      |     ^^^^^^^^^^^^^^^
      |
      = help: add `name:`
    ");
    assert_snapshot!(wrong(""), @"
    error: the file is empty
     --> tea.yaml:1:1
      |
    1 |
      | ^
      |
      = help: begin with `name:` and `jobs:`
    ");
    assert_snapshot!(wrong("name: tea\njobs:\n  - name: boil\n    command: kettle\n    trigger: all_sucess\n"), @"
    error: `all_sucess` is not a trigger rule
     --> tea.yaml:5:14
      |
    5 |     trigger: all_sucess
      |              ^^^^^^^^^^
      |
      = help: did you mean `all_success`? Choose one of `all_success`, `all_done`, `one_success`, `one_failed`, `none_failed`, `always`
    ");
    assert_snapshot!(wrong("name: tea\nlimits: { stove: 0 }\nmax_parallel: 0\njobs:\n  - name: boil\n    command: kettle\n    limits: [stoves]\n"), @"
    error: a limit of 0 lets nothing run
     --> tea.yaml:2:18
      |
    2 | limits: { stove: 0 }
      |                  ^
      |
      = help: write 1 or more

    error: max_parallel of 0 lets nothing run
     --> tea.yaml:3:15
      |
    3 | max_parallel: 0
      |               ^
      |
      = help: write 1 or more

    error: no limit `stoves` in this file
     --> tea.yaml:7:14
      |
    7 |     limits: [stoves]
      |              ^^^^^^
      |
      = help: did you mean `stove`?
    ");
}

#[test]
fn addresses_of_schemas() {
    assert_snapshot!(wrong("$schema: 7\nname: tea\njobs:\n  - $schema: x\n    name: boil\n    command: kettle\n"), @"
    error: expected a string, found an integer
     --> tea.yaml:1:10
      |
    1 | $schema: 7
      |          ^
      |
      = help: put it in quotes

    error: a job has no field `$schema`
     --> tea.yaml:4:5
      |
    4 |   - $schema: x
      |     ^^^^^^^ unknown field
      |
      = help: a job may have: name, command, job, workflow, with, description, depends_on, depends_on_regexes, trigger, when, env, cwd, stdin, timeout, grace, retry, priority, limits, task_queue, outputs, invocation_script, failure_handler, resource_requirements, cancel_on_blocking_job_failure, supports_termination, input_files, input_file_regexes, output_files, output_file_regexes, input_user_data, input_user_data_regexes, output_user_data, output_user_data_regexes, parameters, parameter_mode, use_parameters
    ");
    assert_snapshot!(wrong("schema: x\nname: tea\njobs:\n  - name: boil\n    command: kettle\n"), @"
    error: a workflow has no field `schema`
     --> tea.yaml:1:1
      |
    1 | schema: x
      | ^^^^^^ unknown field
      |
      = help: did you mean `$schema`?
    ");
}

#[test]
fn names() {
    assert_snapshot!(wrong("name: ' tea'\njobs:\n  - name: ''\n    command: kettle\n"), @r#"
    error: invalid workflow name: the name " tea" starts or ends with white space; remove it
     --> tea.yaml:1:7
      |
    1 | name: ' tea'
      |       ^^^^^^

    error: invalid job name: a name is empty; give it 1 to 200 characters
     --> tea.yaml:3:11
      |
    3 |   - name: ''
      |           ^^
    "#);
    assert_snapshot!(wrong("name: tea\njobs:\n  - name: boil\n    command: kettle\n  - name: boil\n    command: kettle\n"), @"
    error: two jobs are named `boil`
     --> tea.yaml:5:11
      |
    3 |   - name: boil
      |           ---- first here
    4 |     command: kettle
    5 |   - name: boil
      |           ^^^^ duplicate
      |
      = help: give one of them another name
    ");
    assert_snapshot!(wrong("name: tea\nenv: { 'A=B': 1 }\njobs:\n  - name: boil\n    command: kettle\n"), @"
    error: `A=B` is not a valid name of an environment variable
     --> tea.yaml:2:8
      |
    2 | env: { 'A=B': 1 }
      |        ^^^^^
      |
      = help: use letters, digits and `_`
    ");
    assert_snapshot!(odd("name: tea\nproject: Tea Time\njobs:\n  - name: boil\n    command: kettle\n"), @"
    warning: project names are lowercase with dashes
     --> tea.yaml:2:10
      |
    2 | project: Tea Time
      |          ^^^^^^^^
      |
      = help: write `tea-time`
    ");
    let domain = |domain: &str| {
        wrong(&format!("name: tea\ndomain: {domain}\njobs:\n  - name: boil\n    command: kettle\n"))
    };
    assert_snapshot!(domain("''"), @"
    error: invalid domain: a name is empty; give it 1 to 200 characters
     --> tea.yaml:2:9
      |
    2 | domain: ''
      |         ^^
    ");
    assert!(domain(r#""a\tb""#).to_string().contains("contains a control character"));
    assert!(domain(&"d".repeat(193)).to_string().contains("has 201 characters; the limit is 200"));
}

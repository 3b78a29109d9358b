//! The text of everything that is said about a file, as its author reads it: what is wrong, where,
//! and the cure.

use insta::assert_snapshot;
use workflow_core::{Severity, WorkflowFile};

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
      = help: a workflow may have: name, description, project, domain, metadata, user, schedule, jobs, env, variables, parameters, files, user_data, resource_requirements, failure_handlers, actions, on_failure, max_parallel, timeout, limits
    ");
    assert_snapshot!(wrong("name: tea\njobs:\n  - name: boil\n    command: kettle\n    name: cool\n"), @"
    error: the key `name` is given twice
     --> tea.yaml:5:5
      |
    3 |   - name: boil
      |     ---- first here
    4 |     command: kettle
    5 |     name: cool
      |     ^^^^ here again
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
    error: a workflow must have `jobs`, a list of jobs
     --> tea.yaml:1:1
      |
    1 | name: tea
      | ^^^^^^^^^
      |
      = help: add `jobs:`
    ");
    assert_snapshot!(wrong("jobs:\n  - command: kettle\n"), @"
    error: a workflow must have `name`, a string
     --> tea.yaml:1:1
      |
    1 | jobs:
      | ^^^^^
      |
      = help: add `name:`

    error: a job must have `name`, a string
     --> tea.yaml:2:5
      |
    2 |   - command: kettle
      |     ^^^^^^^^^^^^^^^
      |
      = help: add `name:`
    ");
    assert_snapshot!(wrong(""), @"
    error: expected a workflow, as a map, found nothing
     --> tea.yaml:1:1
      |
    1 |
      | ^
    ");
    assert_snapshot!(wrong("name: tea\njobs:\n  - name: boil\n    command: kettle\n    trigger: all_sucess\n"), @"
    error: `all_sucess` is not a trigger rule
     --> tea.yaml:5:14
      |
    5 |     trigger: all_sucess
      |              ^^^^^^^^^^
      |
      = help: did you mean `all_success`? There are `all_success`, `all_done`, `one_success`, `one_failed`, `none_failed`, `always`
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
      = help: a job may have: name, command, job, workflow, with, description, depends_on, depends_on_regexes, trigger, when, env, cwd, stdin, timeout, retry, priority, limits, outputs, invocation_script, failure_handler, resource_requirements, cancel_on_blocking_job_failure, supports_termination, input_files, input_file_regexes, output_files, output_file_regexes, input_user_data, input_user_data_regexes, output_user_data, output_user_data_regexes, parameters, parameter_mode, use_parameters
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
    error: this is no name for a workflow: the name " tea" starts or ends with white space; remove it
     --> tea.yaml:1:7
      |
    1 | name: ' tea'
      |       ^^^^^^

    error: this is no name for a job: a name is empty; give it 1 to 200 characters
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
      |           ^^^^ here again
      |
      = help: give one of them another name
    ");
    assert_snapshot!(wrong("name: tea\nenv: { 'A=B': 1 }\njobs:\n  - name: boil\n    command: kettle\n"), @"
    error: `A=B` cannot be the name of an environment variable
     --> tea.yaml:2:8
      |
    2 | env: { 'A=B': 1 }
      |        ^^^^^
      |
      = help: use letters, digits and `_`
    ");
    assert_snapshot!(odd("name: tea\nproject: Tea Time\njobs:\n  - name: boil\n    command: kettle\n"), @"
    warning: names of projects are lowercase with dashes
     --> tea.yaml:2:10
      |
    2 | project: Tea Time
      |          ^^^^^^^^
      |
      = help: write `tea-time`
    ");
}

#[test]
fn jobs_that_are_no_jobs() {
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
      = help: make two jobs of it

    error: the job `brew` needs the parameter `cups`, u32
     --> tea.yaml:5:10
      |
    5 |     job: brew
      |          ^^^^
      |
      = help: add `cups:` under `with`

    error: the job `brew` needs the parameter `tea`, String
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
    error: no job is named `brw` (did you mean `brew`?); 2 jobs are registered, and one in a crate that nothing mentions is dropped by the linker: `use that_crate as _;` keeps it
     --> tea.yaml:4:10
      |
    4 |     job: brw
      |          ^^^
    ");
    assert_snapshot!(wrong("name: tea\njobs:\n  - name: boil\n    workflow: supper\n"), @"
    error: no workflow is named `supper`; 1 workflows are registered, and one in a crate that nothing mentions is dropped by the linker: `use that_crate as _;` keeps it
     --> tea.yaml:4:15
      |
    4 |     workflow: supper
      |               ^^^^^^
    ");
    assert_snapshot!(wrong("name: tea\njobs:\n  - name: boil\n    job: brew\n    with: { cups: many, te: green }\n"), @r#"
    error: the job `brew` needs the parameter `tea`, String
     --> tea.yaml:5:11
      |
    5 |     with: { cups: many, te: green }
      |           ^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: add `tea:` under `with`

    error: the parameter `cups` does not fit: `u32` cannot be read from this JSON: invalid type: string "many", expected u32
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
    error: `with` is a map of the parameters: cups, tea
     --> tea.yaml:5:11
      |
    5 |     with: [2, green]
      |           ^^^^^^^^^^
    ");
    assert_snapshot!(wrong("name: tea\njobs:\n  - name: boil\n    job: brew\n    with:\n      cups: 2\n"), @"
    error: the job `brew` needs the parameter `tea`, String
     --> tea.yaml:6:7
      |
    6 |       cups: 2
      |       ^^^^^^^
      |
      = help: add `tea:` under `with`
    ");
    assert_snapshot!(wrong("name: tea\njobs:\n  - name: boil\n    job: tally\n"), @"
    error: the job `tally` takes any number of inputs, which a file cannot give
     --> tea.yaml:4:10
      |
    4 |     job: tally
      |          ^^^^^
    ");
}

#[test]
fn order() {
    assert_snapshot!(wrong("name: tea\njobs:\n  - name: boil\n    command: kettle\n  - name: pour\n    command: pot\n    depends_on: [biol]\n"), @"
    error: job `pour` waits for `biol`, which is not defined
     --> tea.yaml:7:18
      |
    7 |     depends_on: [biol]
      |                  ^^^^ no job has this name
      |
      = help: did you mean `boil`?
    ");
    assert_snapshot!(wrong("name: tea\njobs:\n  - name: boil_{i}\n    command: kettle\n    parameters: { i: '1:3' }\n  - name: pour\n    command: pot\n    depends_on: ['boil_{i}']\n"), @"
    error: job `pour` waits for `boil_{i}`, which is not defined
     --> tea.yaml:8:19
      |
    8 |     depends_on: ['boil_{i}']
      |                   ^^^^^^^^ no job has this name
      |
      = help: it stands for several jobs: use `depends_on_regexes: ['^boil_.*$']`
    ");
    assert_snapshot!(wrong("name: tea\njobs:\n  - name: boil\n    command: kettle\n    depends_on: [drink]\n  - name: pour\n    command: pot\n    depends_on: [boil]\n  - name: drink\n    command: cup\n    depends_on: [pour]\n"), @"
    error: jobs wait on each other: boil -> pour -> drink -> boil, each for the one before it; remove one of these dependencies
     --> tea.yaml:3:11
      |
    3 |   - name: boil
      |           ^^^^ this job
    ...
    6 |   - name: pour
      |           ---- and this one
    ...
    9 |   - name: drink
      |           ----- and this one
    ");
    assert_snapshot!(wrong("name: tea\njobs:\n  - name: boil\n    command: kettle\n    depends_on: [boil]\n"), @"
    error: jobs wait on each other: boil -> boil, each for the one before it; remove one of these dependencies
     --> tea.yaml:3:11
      |
    3 |   - name: boil
      |           ^^^^ this job
    ");
    assert_snapshot!(wrong("name: tea\njobs:\n  - name: boil\n    command: kettle\n    depends_on_regexes: ['^b(oil', 'x+']\n"), @r"
    error: `^b(oil` is no pattern: unclosed group
     --> tea.yaml:5:26
      |
    5 |     depends_on_regexes: ['^b(oil', 'x+']
      |                          ^^^^^^^^
      |
      = help: put `\` before each of `.+*?()|[]{}^$` that stands for itself

    error: no job has a name that matches `x+`
     --> tea.yaml:5:36
      |
    5 |     depends_on_regexes: ['^b(oil', 'x+']
      |                                    ^^^^
      |
      = help: names are matched anywhere: `^a$` matches `a` only
    ");
    assert_snapshot!(wrong("name: tea\nactions:\n  - trigger_type: on_jobs_ready\n    action_type: run_commands\n    commands: [date]\n    jobs: [biol]\n    job_name_regexes: ['(']\n  - trigger_type: on_jobs_complete\n    action_type: run_commands\njobs:\n  - name: boil\n    command: kettle\n"), @r"
    error: there is no job `biol`
     --> tea.yaml:6:12
      |
    6 |     jobs: [biol]
      |            ^^^^
      |
      = help: did you mean `boil`?

    error: `(` is no pattern: unclosed group
     --> tea.yaml:7:24
      |
    7 |     job_name_regexes: ['(']
      |                        ^^^
      |
      = help: put `\` before each of `.+*?()|[]{}^$` that stands for itself

    error: this action has no `commands`
     --> tea.yaml:9:18
      |
    9 |     action_type: run_commands
      |                  ^^^^^^^^^^^^
      |
      = help: add `commands:`, a list

    error: this action names no jobs
     --> tea.yaml:9:18
      |
    9 |     action_type: run_commands
      |                  ^^^^^^^^^^^^
      |
      = help: add `jobs` or `job_name_regexes`
    ");
    assert_snapshot!(wrong("name: tea\njobs:\n  - name: boil\n    command: kettle\n    failure_handler: mop\n    resource_requirements: stove\n"), @"
    error: no failure handler `mop` in this file
     --> tea.yaml:5:22
      |
    5 |     failure_handler: mop
      |                      ^^^
      |
      = help: define it under `failure_handlers`

    error: no resource requirements `stove` in this file
     --> tea.yaml:6:28
      |
    6 |     resource_requirements: stove
      |                            ^^^^^
      |
      = help: define it under `resource_requirements`
    ");
    assert_snapshot!(wrong("name: tea\nfailure_handlers:\n  - name: mopup\nresource_requirements:\n  - name: stoves\njobs:\n  - name: boil\n    command: kettle\n    failure_handler: mopp\n    resource_requirements: stove\n"), @"
    error: no failure handler `mopp` in this file
     --> tea.yaml:9:22
      |
    9 |     failure_handler: mopp
      |                      ^^^^
      |
      = help: did you mean `mopup`?

    error: no resource requirements `stove` in this file
      --> tea.yaml:10:28
       |
    10 |     resource_requirements: stove
       |                            ^^^^^
       |
       = help: did you mean `stoves`?
    ");
}

#[test]
fn files_and_data() {
    assert_snapshot!(wrong("name: tea\nfiles:\n  - name: leaves\n    path: leaves.txt\njobs:\n  - name: boil\n    command: cat ${files.input.leafs} > ${files.output.cup}\n    input_files: [leave]\n    output_user_data: [notes]\n"), @"
    error: there is no file `leafs`
     --> tea.yaml:7:32
      |
    7 |     command: cat ${files.input.leafs} > ${files.output.cup}
      |                                ^^^^^
      |
      = help: did you mean `leaves`?

    error: there is no file `cup`
     --> tea.yaml:7:56
      |
    7 |     command: cat ${files.input.leafs} > ${files.output.cup}
      |                                                        ^^^
      |
      = help: define it under `files`

    error: there is no file `leave`
     --> tea.yaml:8:19
      |
    8 |     input_files: [leave]
      |                   ^^^^^
      |
      = help: did you mean `leaves`?

    error: there is no user data `notes`
     --> tea.yaml:9:24
      |
    9 |     output_user_data: [notes]
      |                        ^^^^^
      |
      = help: define it under `user_data`
    ");
    assert_snapshot!(wrong("name: tea\nfiles:\n  - name: leaves\n    path: a\n  - name: leaves\n    path: b\njobs:\n  - name: boil\n    command: kettle\n"), @"
    error: there are two files named `leaves`
     --> tea.yaml:5:11
      |
    5 |   - name: leaves
      |           ^^^^^^
      |
      = help: rename one of them, or put each parameter into the name: `data_{i}`
    ");
    assert_snapshot!(wrong("name: tea\nfiles:\n  - name: leaves\njobs:\n  - name: boil\n    command: kettle\n"), @"
    error: a file must have `path`, a string
     --> tea.yaml:3:5
      |
    3 |   - name: leaves
      |     ^^^^^^^^^^^^
      |
      = help: add `path:`
    ");
}

#[test]
fn parameters() {
    let with = |parameters: &str| {
        wrong(&format!(
            "name: tea\njobs:\n  - name: boil_{{i}}\n    command: kettle\n    parameters: {parameters}\n"
        ))
    };
    assert_snapshot!(with("{ i: '0:9:0' }"), @"
    error: the parameter `i` is `0:9:0`, whose step is 0
     --> tea.yaml:5:22
      |
    5 |     parameters: { i: '0:9:0' }
      |                      ^^^^^^^
      |
      = help: write a list, or a range: `0:9`, `0:100:10`, `0.0:1.0:0.25`
    ");
    assert_snapshot!(with("{ i: '9:0' }"), @"
    error: the parameter `i` is `9:0`, which holds nothing: it steps away from its end
     --> tea.yaml:5:22
      |
    5 |     parameters: { i: '9:0' }
      |                      ^^^^^
      |
      = help: write a list, or a range: `0:9`, `0:100:10`, `0.0:1.0:0.25`
    ");
    assert_snapshot!(with("{ i: 'a:b' }"), @"
    error: the parameter `i` is `a:b`, which is no range of numbers
     --> tea.yaml:5:22
      |
    5 |     parameters: { i: 'a:b' }
      |                      ^^^^^
      |
      = help: write a list, or a range: `0:9`, `0:100:10`, `0.0:1.0:0.25`
    ");
    assert_snapshot!(with("{ i: [] }"), @"
    error: the parameter `i` has no values
     --> tea.yaml:5:22
      |
    5 |     parameters: { i: [] }
      |                      ^^
      |
      = help: write a list, or a range: `0:9`, `0:100:10`, `0.0:1.0:0.25`
    ");
    assert_snapshot!(with("{ i: { from: 1 } }"), @"
    error: the parameter `i` is no list and no range
     --> tea.yaml:5:22
      |
    5 |     parameters: { i: { from: 1 } }
      |                      ^^^^^^^^^^^
      |
      = help: write a list, or a range: `0:9`, `0:100:10`, `0.0:1.0:0.25`
    ");
    assert_snapshot!(with("{ i: '1:99999999' }"), @"
    error: the parameter `i` is `1:99999999`, which holds 99999999 values; the limit is 1000000
     --> tea.yaml:5:22
      |
    5 |     parameters: { i: '1:99999999' }
      |                      ^^^^^^^^^^^^
      |
      = help: write a list, or a range: `0:9`, `0:100:10`, `0.0:1.0:0.25`
    ");
    assert_snapshot!(with("{ i: '1:9999', k: '1:9999' }"), @"
    error: these parameters make more than 1000000 copies
     --> tea.yaml:5:19
      |
    5 |     parameters: { i: '1:9999', k: '1:9999' }
      |                   ^
      |
      = help: use fewer values, or `parameter_mode: zip`
    ");
    assert_snapshot!(with("{ i: '1:3', k: '1:4' }\n    parameter_mode: zip"), @"
    error: `i` has 3 values, and `k` has 4
     --> tea.yaml:5:19
      |
    5 |     parameters: { i: '1:3', k: '1:4' }
      |                   ^
      |
      = help: `zip` takes lists of one length
    ");
    assert_snapshot!(with("{ 'i j': '1:3' }"), @"
    error: `i j` cannot be the name of a parameter
     --> tea.yaml:5:19
      |
    5 |     parameters: { 'i j': '1:3' }
      |                   ^^^^^
      |
      = help: use letters, digits and `_`
    ");
    assert_snapshot!(with("{}\n    use_parameters: [cups]"), @"
    error: the workflow has no parameter `cups`
     --> tea.yaml:6:22
      |
    6 |     use_parameters: [cups]
      |                      ^^^^
      |
      = help: define it under `parameters` of the workflow
    ");
    assert_snapshot!(wrong("name: tea\nparameters: { cups: '1:3' }\njobs:\n  - name: boil_{cup}\n    command: kettle\n    use_parameters: [cup]\n"), @"
    error: the workflow has no parameter `cup`
     --> tea.yaml:6:22
      |
    6 |     use_parameters: [cup]
      |                      ^^^
      |
      = help: did you mean `cups`?
    ");
    assert_snapshot!(odd("name: tea\njobs:\n  - name: boil\n    command: kettle {i}\n    parameters: { i: '1:3' }\n"), @"
    warning: 3 jobs share this name
     --> tea.yaml:3:11
      |
    3 |   - name: boil
      |           ^^^^ they are told apart by `_2`, `_3`, and so on
      |
      = help: put each parameter into the name; or, if one job is to wait for all of the others, leave `parameters` away and use `depends_on_regexes`
    ");
    assert_snapshot!(odd("name: tea\njobs:\n  - name: boil_{cups}_{cup}\n    command: kettle\n    parameters: { cups: '1:3' }\n"), @"
    warning: `{cup}` is not a parameter of this job
     --> tea.yaml:3:17
      |
    3 |   - name: boil_{cups}_{cup}
      |                 ^^^
      |
      = help: did you mean `{cups}`?
    ");
}

#[test]
fn amounts() {
    assert_snapshot!(wrong("name: tea\ntimeout: soon\njobs:\n  - name: boil\n    command: kettle\n    timeout: -5\n    retry: { backoff_coefficient: 0.5, jitter: 2, initial_interval: 1 month }\n"), @"
    error: `soon` is no duration
     --> tea.yaml:2:10
      |
    2 | timeout: soon
      |          ^^^^
      |
      = help: write `90s`, `1h 30m`, `PT30M`, or a number of seconds

    error: `-5` is no duration: a duration is at least 0
     --> tea.yaml:6:14
      |
    6 |     timeout: -5
      |              ^^
      |
      = help: write `90s`, `1h 30m`, `PT30M`, or a number of seconds

    error: a `backoff_coefficient` is at least 1
     --> tea.yaml:7:35
      |
    7 |     retry: { backoff_coefficient: 0.5, jitter: 2, initial_interval: 1 month }
      |                                   ^^^
      |
      = help: write 1.0 for waits of one length, 2.0 for waits that double

    error: a `jitter` is a share, from 0.0 to 1.0
     --> tea.yaml:7:48
      |
    7 |     retry: { backoff_coefficient: 0.5, jitter: 2, initial_interval: 1 month }
      |                                                ^
      |
      = help: write 0.2 to let chance take off up to a fifth of each wait

    error: `1 month` is no duration: months and years have no fixed length
     --> tea.yaml:7:69
      |
    7 |     retry: { backoff_coefficient: 0.5, jitter: 2, initial_interval: 1 month }
      |                                                                     ^^^^^^^
      |
      = help: write `90s`, `1h 30m`, `PT30M`, or a number of seconds
    ");
    assert_snapshot!(wrong("name: tea\nresource_requirements:\n  - name: stove\n    memory: lots\n    runtime: PT5X\n    num_cpus: -1\njobs:\n  - name: boil\n    command: kettle\n"), @"
    error: `lots` is no amount of memory
     --> tea.yaml:4:13
      |
    4 |     memory: lots
      |             ^^^^
      |
      = help: write a number and one of k, m, g, t: `512m`, `2g`

    error: `PT5X` is no duration
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
    error: "61 * * * *" is no cron expression: `61` is no minute, which goes from 0 to 59; write minute, hour, day of month, month and day of week, such as "0 3 * * *"
     --> tea.yaml:2:11
      |
    2 | schedule: 61 * * * *
      |           ^^^^^^^^^^
    "#);
    assert_snapshot!(wrong("name: tea\nschedule: { cron: at five, zone: UTC }\njobs:\n  - name: boil\n    command: kettle\n"), @r#"
    error: "at five" is no cron expression: it has 2 fields; write minute, hour, day of month, month and day of week, such as "0 3 * * *"
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
      = help: a schedule may have: cron, timezone
    "#);
}

#[test]
fn time_zones() {
    let with = |schedule: &str| {
        format!("name: tea\n{schedule}\njobs:\n  - name: boil\n    command: kettle\n")
    };
    assert_snapshot!(wrong(&with("schedule: { cron: 0 5 * * *, timezone: Europe/Berln }")), @"
    error: `Europe/Berln` is no time zone
     --> tea.yaml:2:40
      |
    2 | schedule: { cron: 0 5 * * *, timezone: Europe/Berln }
      |                                        ^^^^^^^^^^^^
      |
      = help: did you mean `Europe/Berlin`?
    ");
    assert_snapshot!(wrong(&with("schedule: { cron: 0 5 * * *, timezone: '+02:00' }")), @"
    error: `+02:00` is no time zone
     --> tea.yaml:2:40
      |
    2 | schedule: { cron: 0 5 * * *, timezone: '+02:00' }
      |                                        ^^^^^^^^
      |
      = help: an offset knows nothing of summer time; name a place, such as `Europe/Berlin`, or `UTC`
    ");
    assert_snapshot!(wrong(&with("schedule: { cron: 0 5 * * *, timezone: local }")), @"
    error: `local` is no time zone
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
      = help: in `metadata` any text is kept, but only a cron expression makes a schedule

    warning: `Berlin` is no time zone
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
    error: metadata is no JSON: expected value at line 1 column 1
     --> tea.yaml:2:11
      |
    2 | metadata: 'owner=ada'
      |           ^^^^^^^^^^^
      |
      = help: write a map, or a string that holds a JSON object
    ");
    assert_snapshot!(wrong("name: tea\nmetadata: |\n  {\n    \"owner\": \"ada\",\n  }\njobs:\n  - name: boil\n    command: kettle\n"), @r#"
    error: metadata is no JSON: trailing comma at line 3 column 1
     --> tea.yaml:3:3
      |
    3 | /   {
    4 | |     "owner": "ada",
    5 | |   }
      | |___^
      |
      = help: write a map, or a string that holds a JSON object
    "#);
    assert_snapshot!(wrong("name: tea\nmetadata: [ada]\njobs:\n  - name: boil\n    command: kettle\n"), @r#"
    error: metadata is a list; it must be a JSON object such as { "owner": "web" }
     --> tea.yaml:2:11
      |
    2 | metadata: [ada]
      |           ^^^^^
      |
      = help: write a map, or a string that holds a JSON object
    "#);
    assert_snapshot!(odd("name: tea\nproject: tea-time\nmetadata: { project: coffee-time, schedule: daily }\njobs:\n  - name: boil\n    command: kettle\n"), @r#"
    warning: `project` is "tea-time" here, and "coffee-time" in `metadata`
     --> tea.yaml:2:10
      |
    2 | project: tea-time
      |          ^^^^^^^^
      |
      = help: the field counts; remove the one in `metadata`

    warning: "daily" is no cron expression: it has 1 fields; write minute, hour, day of month, month and day of week, such as "0 3 * * *"
     --> tea.yaml:3:45
      |
    3 | metadata: { project: coffee-time, schedule: daily }
      |                                             ^^^^^
      |
      = help: in `metadata` any text is kept, but only a cron expression makes a schedule
    "#);
}

#[test]
fn expressions() {
    let command = |text: &str| {
        wrong(&format!(
            "name: tea\njobs:\n  - name: boil\n    command: kettle\n  - name: pour\n    {text}\n"
        ))
    };
    assert_snapshot!(command("command: echo ${{ jobs.boil.outputs.heat"), @"
    error: `${{` has no end
     --> tea.yaml:6:19
      |
    6 |     command: echo ${{ jobs.boil.outputs.heat
      |                   ^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: close it with `}}`, or write `$${{` for the characters themselves
    ");
    assert_snapshot!(command("command: echo ${{ jobs.boil.outputs. }}"), @"
    error: `jobs.boil.outputs.` is no expression: unexpected end of input, expected identifier or integer
     --> tea.yaml:6:23
      |
    6 |     command: echo ${{ jobs.boil.outputs. }}
      |                       ^^^^^^^^^^^^^^^^^^
      |
      = help: write for example `${{ jobs.count.outputs.rows > 0 }}`
    ");
    assert_snapshot!(command("command: echo ${{ jobs.biol.outputs.heat }}"), @"
    error: job `pour` waits for `biol`, which is not defined
     --> tea.yaml:6:28
      |
    6 |     command: echo ${{ jobs.biol.outputs.heat }}
      |                            ^^^^ no job has this name
      |
      = help: did you mean `boil`?
    ");
    assert_snapshot!(command("command: echo ${{ jobs }}"), @r#"
    error: `jobs` is followed by the name of a job: `jobs.extract` or `jobs["extract"]`
     --> tea.yaml:6:23
      |
    6 |     command: echo ${{ jobs }}
      |                       ^^^^
      |
      = help: write for example `${{ jobs.count.outputs.rows > 0 }}`
    "#);
    assert_snapshot!(command("command: pot\n    when: jobs.boil.outputs.heat >"), @"
    error: `jobs.boil.outputs.heat >` is no expression: unexpected end of input, expected expression
     --> tea.yaml:7:11
      |
    7 |     when: jobs.boil.outputs.heat >
      |           ^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write for example `${{ jobs.count.outputs.rows > 0 }}`
    ");
    assert_snapshot!(command("command: pot\n    when: jobs.biol.outputs.heat > 90"), @"
    error: job `pour` waits for `biol`, which is not defined
     --> tea.yaml:7:16
      |
    7 |     when: jobs.biol.outputs.heat > 90
      |                ^^^^ no job has this name
      |
      = help: did you mean `boil`?
    ");
    assert_snapshot!(command("command: pot\n    when: ${{ 1 == 1 }} and ${{ 2 == 2 }}"), @"
    error: a `when` is one expression; put all of it into one `${{ .. }}`
     --> tea.yaml:7:11
      |
    7 |     when: ${{ 1 == 1 }} and ${{ 2 == 2 }}
      |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write for example `${{ jobs.count.outputs.rows > 0 }}`
    ");
    assert_snapshot!(wrong("name: tea\nactions:\n  - trigger_type: on_workflow_complete\n    action_type: run_commands\n    commands: ['echo ${{ jobs.boil.outputs.heat }}']\njobs:\n  - name: boil\n    command: kettle\n"), @"
    error: the commands of an action take no `${{ .. }}`
     --> tea.yaml:5:22
      |
    5 |     commands: ['echo ${{ jobs.boil.outputs.heat }}']
      |                      ^^^
      |
      = help: make a job of it, which waits for the jobs that it reads
    ");
    assert_snapshot!(command("command: pot\n    env: { HEAT: '${{ jobs.boil' }"), @"
    error: `${{` has no end
     --> tea.yaml:7:19
      |
    7 |     env: { HEAT: '${{ jobs.boil' }
      |                   ^^^^^^^^^^^^^
      |
      = help: close it with `}}`, or write `$${{` for the characters themselves
    ");
}

#[test]
fn texts_that_are_no_yaml() {
    assert_snapshot!(wrong("name: tea\njobs:\n\t- name: boil\n"), @"
    error: this is no YAML: tabs disallowed within this context (block indentation)
     --> tea.yaml:3:2
      |
    3 |     - name: boil
      |     ^
      |
      = help: indent with spaces
    ");
    assert_snapshot!(wrong("name: 'tea\njobs: []\n"), @"
    error: this is no YAML: unclosed quote
     --> tea.yaml:1:7
      |
    1 | name: 'tea
      |       ^
    ");
    assert_snapshot!(wrong("name: tea\njobs: &all\n  - name: boil\n    command: *none\n"), @"
    error: no `&none` comes before this alias
     --> tea.yaml:4:14
      |
    4 |     command: *none
      |              ^^^^^
      |
      = help: define the anchor further up, or put the text in quotes
    ");
    assert_snapshot!(wrong("name: tea\njobs:\n  - name: boil\n    command: !run kettle\n"), @"
    error: the tag `!run` means nothing here
     --> tea.yaml:4:19
      |
    4 |     command: !run kettle
      |                   ^^^^^^
      |
      = help: remove it
    ");
    assert_snapshot!(wrong("name: tea\njobs:\n  - name: boil\n    command: kettle\n---\nname: coffee\n"), @"
    error: a second document begins here
     --> tea.yaml:5:1
      |
    5 | ---
      | ^^^
      |
      = help: keep one document in a file
    ");
    assert_snapshot!(wrong("name: tea\njobs:\n  - name: boil\n    command: kettle\n    env:\n      <<: 7\n"), @"
    error: `<<` takes a map, or a list of maps
     --> tea.yaml:6:11
      |
    6 |       <<: 7
      |           ^
      |
      = help: write `<<: *name`, where `&name` stands before a map
    ");
    assert_snapshot!(wrong("name: tea\njobs:\n  - name: boil\n    command: kettle\n    env:\n      [a, b]: 7\n"), @"
    error: a list cannot be a key
     --> tea.yaml:6:7
      |
    6 |       [a, b]: 7
      |       ^^^^^^
      |
      = help: put it in quotes if it is meant as text
    ");
    assert_snapshot!(wrong("- name: tea\n"), @"
    error: expected a workflow, as a map, found a list
     --> tea.yaml:1:1
      |
    1 | - name: tea
      | ^^^^^^^^^^^
    ");
}

#[test]
fn texts_that_are_no_json() {
    let wrong = |text: &str| WorkflowFile::parse("tea.json5", text).expect_err("no JSON");
    assert_snapshot!(wrong("{ name: 'tea', jobs: [ }"), @"
    error: this is no JSON: unexpected close brace
     --> tea.json5:1:24
      |
    1 | { name: 'tea', jobs: [ }
      |                        ^
    ");
    assert_snapshot!(wrong("{ name: 'tea' jobs: [] }"), @"
    error: this is no JSON: expected comma
     --> tea.json5:1:14
      |
    1 | { name: 'tea' jobs: [] }
      |              ^
    ");
    assert_snapshot!(wrong("{ name: 'tea', 'name': 'coffee', jobs: [] }"), @"
    error: the key `name` is given twice
     --> tea.json5:1:16
      |
    1 | { name: 'tea', 'name': 'coffee', jobs: [] }
      |   ----         ^^^^^^ here again
      |   |
      |   first here
      |
      = help: remove one of them, or rename it

    error: the workflow has no jobs
     --> tea.json5:1:40
      |
    1 | { name: 'tea', 'name': 'coffee', jobs: [] }
      |                                        ^^
      |
      = help: add one: `- name: hello`, and below it `command: echo hello`
    ");
    assert_snapshot!(wrong("{ name: 'tea', priority: 1e999, jobs: [] }"), @"
    error: a workflow has no field `priority`
     --> tea.json5:1:16
      |
    1 | { name: 'tea', priority: 1e999, jobs: [] }
      |                ^^^^^^^^ unknown field
      |
      = help: a workflow may have: name, description, project, domain, metadata, user, schedule, jobs, env, variables, parameters, files, user_data, resource_requirements, failure_handlers, actions, on_failure, max_parallel, timeout, limits

    error: the number `1e999` cannot be represented
     --> tea.json5:1:26
      |
    1 | { name: 'tea', priority: 1e999, jobs: [] }
      |                          ^^^^^
      |
      = help: put it in quotes if it is meant as text

    error: the workflow has no jobs
     --> tea.json5:1:39
      |
    1 | { name: 'tea', priority: 1e999, jobs: [] }
      |                                       ^^
      |
      = help: add one: `- name: hello`, and below it `command: echo hello`
    ");
}

#[test]
fn hostile_texts() {
    let bomb = (1..9).fold("a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned(), |text, level| {
        let one = format!("*a{}, ", level - 1);
        text + &format!("a{level}: &a{level} [{}]\n", one.repeat(9).trim_end_matches(", "))
    });
    assert_snapshot!(wrong(&bomb), @"
    error: the file holds more than 8000000 values, aliases counted each time
     --> tea.yaml:7:9
      |
    7 | a6: &a6 [*a5, *a5, *a5, *a5, *a5, *a5, *a5, *a5, *a5]
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ here the limit is passed
    ");
    assert_snapshot!(wrong(&format!("deep: {}{}", "[".repeat(200), "]".repeat(200))), @"
    error: this is nested more than 128 levels deep
     --> tea.yaml:1:134
      |
    1 | ...[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[...
      |                                                                    ^
    ");
    let json = WorkflowFile::parse("tea.json", &("[".repeat(200) + &"]".repeat(200)));
    let json = json.expect_err("too deep");
    assert_snapshot!(json, @"
    error: this is nested more than 128 levels deep
     --> tea.json:1:130
      |
    1 | [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[...
      |                                                                                                                                  ^
    ");
}

#[test]
fn files_that_cannot_be_read() {
    let told = |path: &str| WorkflowFile::load(path).expect_err("it cannot be read").to_string();
    assert_snapshot!(told("nowhere/tea.yaml"), @"error: `nowhere/tea.yaml` cannot be read: No such file or directory (os error 2)");
    assert_snapshot!(told("tests"), @"error: `tests` cannot be read: Is a directory (os error 21)");
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("latin.yaml");
    std::fs::write(&path, b"name: th\xe9\n").expect("a file");
    let told = told(&path.display().to_string());
    assert_snapshot!(told.replace(&path.display().to_string(), "latin.yaml"), @"error: `latin.yaml` cannot be read: it is not UTF-8 text, from byte 8 on");
}

#[test]
fn what_other_engines_use_has_no_effect() {
    assert_snapshot!(odd("name: tea\nslurm_schedulers:\n  - name: short\n    account: ada\nresource_monitor: { enabled: true }\nactions:\n  - trigger_type: on_workflow_start\n    action_type: schedule_nodes\n    scheduler: short\njobs:\n  - name: boil\n    command: kettle\n    scheduler: short\n    stdio: { mode: separate }\n"), @"
warning: nothing is submitted to Slurm: `slurm_schedulers`, `scheduler`, `schedule_nodes` without effect
 --> tea.yaml:3:3
  |
3 | /   - name: short
4 | |     account: ada
  | |________________^
  |
  = help: the jobs run on this machine

warning: without effect here: `resource_monitor`, `stdio`
 --> tea.yaml:5:19
  |
5 | resource_monitor: { enabled: true }
  |                   ^^^^^^^^^^^^^^^^^
");
}

#[test]
fn all_is_said_in_one_pass() {
    let text = "name: tea\ntimeout: soon\nfiels: []\njobs:\n  - name: boil\n    comand: kettle\n  \
                - name: pour\n    command: pot ${files.input.cup}\n    depends_on: [biol]\n    \
                parameters: { i: 'a:b' }\n    retry: { jitter: 3 }\n";
    let told = wrong(text);
    let lines: Vec<_> = told.iter().filter_map(|one| one.line()).collect();
    assert_eq!(lines, [2, 3, 6, 8, 9, 10, 11], "{told}");
    assert!(told.iter().all(|one| one.severity() == Severity::Error && one.help().is_some()));
}

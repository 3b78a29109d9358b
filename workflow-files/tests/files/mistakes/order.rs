//! Jobs that wait for what is not there, or for each other; files and data that are not there.

use insta::assert_snapshot;

use crate::wrong;

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
    error: `^b(oil` is not a valid pattern: unclosed group
     --> tea.yaml:5:26
      |
    5 |     depends_on_regexes: ['^b(oil', 'x+']
      |                          ^^^^^^^^
      |
      = help: put `\` before each of `.+*?()|[]{}^$` to match the character itself

    error: no job has a name that matches `x+`
     --> tea.yaml:5:36
      |
    5 |     depends_on_regexes: ['^b(oil', 'x+']
      |                                    ^^^^
      |
      = help: a pattern matches anywhere in a name: `^a$` matches only `a`
    ");
    assert_snapshot!(wrong("name: tea\nactions:\n  - trigger_type: on_jobs_ready\n    action_type: run_commands\n    commands: [date]\n    jobs: [biol]\n    job_name_regexes: ['(']\n  - trigger_type: on_jobs_complete\n    action_type: run_commands\njobs:\n  - name: boil\n    command: kettle\n"), @r"
    error: there is no job `biol`
     --> tea.yaml:6:12
      |
    6 |     jobs: [biol]
      |            ^^^^
      |
      = help: did you mean `boil`?

    error: `(` is not a valid pattern: unclosed group
     --> tea.yaml:7:24
      |
    7 |     job_name_regexes: ['(']
      |                        ^^^
      |
      = help: put `\` before each of `.+*?()|[]{}^$` to match the character itself

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
    error: a file needs `path`, a string
     --> tea.yaml:3:5
      |
    3 |   - name: leaves
      |     ^^^^^^^^^^^^
      |
      = help: add `path:`
    ");
}

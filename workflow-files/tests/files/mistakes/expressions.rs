//! What stands in `${{ .. }}`.

use insta::assert_snapshot;

use crate::{odd, sound, wrong};

#[test]
fn expressions() {
    let command = |text: &str| {
        wrong(&format!(
            "name: tea\njobs:\n  - name: boil\n    command: kettle\n  - name: pour\n    {text}\n"
        ))
    };
    assert_snapshot!(command("command: echo ${{ jobs.boil.outputs.heat"), @"
    error: `${{` is not closed
     --> tea.yaml:6:19
      |
    6 |     command: echo ${{ jobs.boil.outputs.heat
      |                   ^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: close it with `}}`, or write `$${{` for a literal `${{`
    ");
    assert_snapshot!(command("command: echo ${{ jobs.boil.outputs. }}"), @"
    error: `jobs.boil.outputs.` is not a valid expression: it ends too early
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
    error: `jobs` must be followed by the name of a job: `jobs.extract` or `jobs["extract"]`
     --> tea.yaml:6:23
      |
    6 |     command: echo ${{ jobs }}
      |                       ^^^^
      |
      = help: write for example `${{ jobs.count.outputs.rows > 0 }}`
    "#);
    assert_snapshot!(command("command: pot\n    when: jobs.boil.outputs.heat >"), @"
    error: `jobs.boil.outputs.heat >` is not a valid expression: it ends too early
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
    error: `when` must be one expression; put all of it into one `${{ .. }}`
     --> tea.yaml:7:11
      |
    7 |     when: ${{ 1 == 1 }} and ${{ 2 == 2 }}
      |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write for example `${{ jobs.count.outputs.rows > 0 }}`
    ");
    assert_snapshot!(wrong("name: tea\nactions:\n  - trigger_type: on_workflow_complete\n    action_type: run_commands\n    commands: ['echo ${{ jobs.boil.outputs.heat }}']\njobs:\n  - name: boil\n    command: kettle\n"), @"
    error: the commands of an action cannot contain `${{ .. }}`
     --> tea.yaml:5:22
      |
    5 |     commands: ['echo ${{ jobs.boil.outputs.heat }}']
      |                      ^^^
      |
      = help: use a job instead, which waits for the jobs that it reads
    ");
    assert_snapshot!(command("command: pot\n    env: { HEAT: '${{ jobs.boil' }"), @"
    error: `${{` is not closed
     --> tea.yaml:7:19
      |
    7 |     env: { HEAT: '${{ jobs.boil' }
      |                   ^^^^^^^^^^^^^
      |
      = help: close it with `}}`, or write `$${{` for a literal `${{`
    ");
}

#[test]
fn unknown_job_properties_are_reported() {
    let command = |text: &str| {
        format!(
            "name: tea\njobs:\n  - name: boil\n    command: kettle\n    outputs: [heat]\n  - name: pour\n    command: {text}\n"
        )
    };
    assert_snapshot!(wrong(&command("echo ${{ jobs.boil.output.heat }}")), @"
    error: `output` of a job cannot be read
     --> tea.yaml:7:33
      |
    7 |     command: echo ${{ jobs.boil.output.heat }}
      |                                 ^^^^^^
      |
      = help: did you mean `outputs`?
    ");
    assert_snapshot!(wrong(&command("echo ${{ jobs['boil']['status'] }}")), @"
    error: `status` of a job cannot be read
     --> tea.yaml:7:37
      |
    7 |     command: echo ${{ jobs['boil']['status'] }}
      |                                     ^^^^^^
      |
      = help: read one of its `outputs`, or whether it is `completed`
    ");
    assert_snapshot!(odd(&command("echo heta ${{ jobs.boil.outputs.heta }}")), @"
    warning: job `boil` has no output `heta`
     --> tea.yaml:7:46
      |
    7 |     command: echo heta ${{ jobs.boil.outputs.heta }}
      |                                              ^^^^
      |
      = help: did you mean `heat`?
    ");
    assert_snapshot!(odd(&command("pot\n    when: jobs.boil.outputs['cups'] > 2")), @"
    warning: job `boil` has no output `cups`
     --> tea.yaml:8:30
      |
    8 |     when: jobs.boil.outputs['cups'] > 2
      |                              ^^^^
      |
      = help: add it to the `outputs` of that job
    ");
    let all = "echo ${{ jobs.boil.outputs.heat }} ${{ jobs.boil.completed }} ${{ jobs.boil.outputs.items() }}";
    assert!(odd(&command(all)).is_empty());
}

#[test]
fn environments_of_all_jobs() {
    let env = |value: &str| {
        format!(
            "name: tea\nenv: {{ CUPS: {value} }}\njobs:\n  - name: boil\n    command: kettle\n  - name: pour_{{i}}\n    command: pot\n    parameters: {{ i: '1:2' }}\n"
        )
    };
    assert_snapshot!(wrong(&env("'${{ input.cups'")), @"
    error: `${{` is not closed
     --> tea.yaml:2:15
      |
    2 | env: { CUPS: '${{ input.cups' }
      |               ^^^^^^^^^^^^^^
      |
      = help: close it with `}}`, or write `$${{` for a literal `${{`
    ");
    assert_snapshot!(wrong(&env("'${{ input.cups + }}'")), @"
    error: `input.cups +` is not a valid expression: it ends too early
     --> tea.yaml:2:19
      |
    2 | env: { CUPS: '${{ input.cups + }}' }
      |                   ^^^^^^^^^^^^
      |
      = help: write for example `${{ jobs.count.outputs.rows > 0 }}`
    ");
    assert_snapshot!(wrong(&env("'${{ jobs.boil.outputs.cups }}'")), @"
    error: the environment of all jobs cannot read a job, which would wait for itself
     --> tea.yaml:2:19
      |
    2 | env: { CUPS: '${{ jobs.boil.outputs.cups }}' }
      |                   ^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: put it into the `env` of the jobs that need it
    ");
    assert_snapshot!(wrong(&env("'${files.input.cups}'")), @"
    error: there is no file `cups`
     --> tea.yaml:2:29
      |
    2 | env: { CUPS: '${files.input.cups}' }
      |                             ^^^^
      |
      = help: define it under `files`
    ");
    assert_snapshot!(wrong(&env("'${{ input.cups_{i} }}'")), @"
    error: `input.cups_{i}` is not a valid expression: unexpected input after expression
     --> tea.yaml:2:19
      |
    2 | env: { CUPS: '${{ input.cups_{i} }}' }
      |                   ^^^^^^^^^^^^^^
      |
      = help: write for example `${{ jobs.count.outputs.rows > 0 }}`
    ");
    assert!(odd(&env("'{i} ${{ input.cups }}'")).is_empty());
    let everywhere = "name: tea\nenv: { CUPS: '${{ input.cups_{i} }}' }\njobs:\n  - name: pour_{i}\n    command: pot\n    parameters: { i: '1:2' }\n";
    assert!(odd(everywhere).is_empty());
}

#[test]
fn recovery_scripts() {
    let script = |script: &str, handler: &str| {
        format!(
            "name: tea\nfailure_handlers:\n  - name: mop\n    rules:\n      - match_all_exit_codes: true\n        recovery_script: {script}\njobs:\n  - name: boil\n    command: kettle\n    outputs: [heat]\n  - name: pour_{{i}}\n    command: pot\n    parameters: {{ i: '1:2' }}\n    failure_handler: {handler}\n"
        )
    };
    let used = |text: &str| wrong(&script(text, "mop"));
    assert_snapshot!(used("echo ${{ jobs.boil"), @"
    error: `${{` is not closed
     --> tea.yaml:6:31
      |
    6 |         recovery_script: echo ${{ jobs.boil
      |                               ^^^^^^^^^^^^^
      |
      = help: close it with `}}`, or write `$${{` for a literal `${{`
    ");
    assert_snapshot!(used("echo ${{ 1 + }}"), @"
    error: `1 +` is not a valid expression: it ends too early
     --> tea.yaml:6:35
      |
    6 |         recovery_script: echo ${{ 1 + }}
      |                                   ^^^
      |
      = help: write for example `${{ jobs.count.outputs.rows > 0 }}`
    ");
    assert_snapshot!(used("echo ${{ jobs.biol.outputs.heat }} ${{ jobs.boil.output.heat }}"), @"
    error: there is no job `biol`
     --> tea.yaml:6:40
      |
    6 |         recovery_script: echo ${{ jobs.biol.outputs.heat }} ${{ jobs.boil.output.heat }}
      |                                        ^^^^
      |
      = help: did you mean `boil`?

    error: `output` of a job cannot be read
     --> tea.yaml:6:75
      |
    6 |         recovery_script: echo ${{ jobs.biol.outputs.heat }} ${{ jobs.boil.output.heat }}
      |                                                                           ^^^^^^
      |
      = help: did you mean `outputs`?
    ");
    assert_snapshot!(used("echo ${{ jobs.pour_2.outputs.cups }}"), @"
    error: this script recovers job `pour_2`, which has no outputs yet
     --> tea.yaml:6:35
      |
    6 |         recovery_script: echo ${{ jobs.pour_2.outputs.cups }}
      |                                   ^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: read jobs that end before it
    ");
    assert_snapshot!(used("cat ${files.input.cup}"), @"
    error: there is no file `cup`
     --> tea.yaml:6:44
      |
    6 |         recovery_script: cat ${files.input.cup}
      |                                            ^^^
      |
      = help: define it under `files`
    ");
    assert_snapshot!(odd(&script("echo ${{ jobs.boil.outputs.heta }}", "mop")), @"
    warning: job `boil` has no output `heta`
     --> tea.yaml:6:53
      |
    6 |         recovery_script: echo ${{ jobs.boil.outputs.heta }}
      |                                                     ^^^^
      |
      = help: did you mean `heat`?
    ");
    assert_snapshot!(wrong(&script("echo ${{ jobs.biol.outputs.heat }}", "''").replace("    failure_handler: ''\n", "")), @"
    error: there is no job `biol`
     --> tea.yaml:6:40
      |
    6 |         recovery_script: echo ${{ jobs.biol.outputs.heat }}
      |                                        ^^^^
      |
      = help: did you mean `boil`?
    ");
    let own = "echo ${{ jobs.boil.outputs.heat }} ${{ input.cups_{i} }}";
    let file = sound("tea.yaml", &script(own, "mop"));
    assert!(file.warnings().is_empty(), "{}", file.warnings());
    assert_snapshot!(file.graph().tree(), @"
    boil
    ├── pour_1
    └── pour_2
    ");
}

#[test]
fn too_many_recovery_scripts_that_read_jobs() {
    let rules = "      - { exit_codes: [1], recovery_script: 'echo ${{ jobs.boil.completed }}' }\n";
    let text = format!(
        "name: tea\nfailure_handlers:\n  - name: mop\n    rules:\n{}jobs:\n  - name: boil\n    command: kettle\n",
        rules.repeat(101)
    );
    assert_snapshot!(wrong(&text), @"
    error: more than 100 of these scripts read jobs
     --> tea.yaml:3:11
      |
    3 |   - name: mop
      |           ^^^
      |
      = help: split it into several handlers
    ");
}

#[test]
fn a_quote_that_is_not_closed_in_a_script_is_a_warning() {
    let file = "name: tea\njobs:\n  - name: boil\n    command: kettle\n    outputs: [heat]\n  - name: pour\n    depends_on: [boil]\n    command: |\n      echo hot\n      echo \"${{ jobs.boil.outputs.heat }}\n";
    let warnings = odd(file).to_string();
    assert!(warnings.starts_with("warning: `\"` is not closed in this script"), "{warnings}");
    assert!(odd(&file.replace("heat }}", "heat }}\"")).is_empty());
}

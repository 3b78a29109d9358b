//! What stands in `${{ .. }}`.

use insta::assert_snapshot;

use crate::wrong;

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

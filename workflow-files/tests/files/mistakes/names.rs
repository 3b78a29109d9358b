//! Names in expressions that stand for nothing: told before the run, wherever the expression is.

use crate::{sound, wrong};

/// What is said of a file with this in it: `line:column message => cure`.
fn told(text: &str) -> Vec<String> {
    let found = wrong(text);
    let told = found.iter().map(|one| {
        let (line, column) = (one.line().unwrap_or(0), one.column().unwrap_or(0));
        format!("{line}:{column} {} => {}", one.message(), one.help().unwrap_or("no cure"))
    });
    told.collect()
}

const BOIL: &str = "name: tea\njobs:\n  - { name: boil, command: kettle }\n";

#[test]
fn unknown_names_are_reported_with_their_places() {
    let jobs = "  - { name: a, command: 'echo ${{ inputs.day }}' }
  - { name: b, command: 'echo ${{ job.boil.outputs.x }}', depends_on: [boil] }
  - { name: c, command: 'echo ${{ jobs.boil.outputs.x | trimm }}' }
  - { name: d, command: kettle, when: '${{ jobs.boil.completed and secret }}' }
  - { name: e, command: kettle, env: { A: '${{ range(3) | list }}', B: '${{ now() }}' } }
  - { name: f, command: kettle, stdin: '${{ input.n is odd_number }}' }
";
    assert_eq!(
        told(&format!("{BOIL}{jobs}")),
        [
            "4:35 there is no value `inputs` => did you mean `input`?",
            "5:35 there is no value `job` => did you mean `jobs`?",
            "6:57 there is no filter `trimm` => did you mean `trim`?",
            "7:68 there is no value `secret` => an expression reads `input` and `jobs`; a command \
             reads the environment: `$NAME`",
            "8:77 there is no function `now` => use a filter: `a | length`",
            "9:56 there is no test `odd_number` => did you mean `number`?",
        ]
    );
}

#[test]
fn a_mistake_in_many_jobs_is_reported_once() {
    let text = "name: tea\nenv: { DAY: '${{ inputs.day }}' }\nfailure_handlers:
  - { name: again, rules: [{ exit_codes: [3], recovery_script: 'echo ${{ inptu }}' }] }
jobs:
  - { name: 'boil_{i}', command: 'kettle ${{ params.i }}', parameters: { i: '1:9' }, failure_handler: again }
";
    assert_eq!(
        told(text),
        [
            "2:18 there is no value `inputs` => did you mean `input`?",
            "4:74 there is no value `inptu` => did you mean `input`?",
            "6:46 there is no value `params` => an expression reads `input` and `jobs`; a command \
             reads the environment: `$NAME`",
        ]
    );
}

#[test]
fn known_names_are_accepted() {
    let jobs =
        "  - { name: a, command: 'echo ${{ jobs.boil.outputs.x | default(\"inputs\") | int }}' }
  - { name: b, command: 'echo ${{ jobs[\"boil\"].outputs.secrets }} $${{ nothing }} ${HOME}' }
  - { name: c, command: kettle, when: 'input.day is defined and input.day not in [1, 2]' }
";
    sound("tea.yaml", &format!("{BOIL}{jobs}"));
}

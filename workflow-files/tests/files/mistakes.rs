//! The text of everything that is said about a file, as its author reads it: what is wrong, where,
//! and the cure.

mod amounts;
mod cures;
mod expressions;
mod jobs;
mod names;
mod order;
mod parameters;
mod shapes;
mod syntax;

use insta::assert_snapshot;
use workflow_files::Severity;

use crate::{odd, wrong};

#[test]
fn settings_of_other_engines_have_no_effect() {
    assert_snapshot!(odd("name: tea\nslurm_schedulers:\n  - name: short\n    account: ada\nresource_monitor: { enabled: true }\nactions:\n  - trigger_type: on_workflow_start\n    action_type: schedule_nodes\n    scheduler: short\njobs:\n  - name: boil\n    command: kettle\n    scheduler: short\n    stdio: { mode: separate }\n"), @"
warning: nothing is submitted to Slurm: `slurm_schedulers`, `scheduler`, `schedule_nodes` without effect
 --> tea.yaml:3:3
  |
3 | /   - name: short
4 | |     account: ada
  | |________________^
  |
  = help: the jobs run on this machine

warning: these fields have no effect here: `resource_monitor`, `stdio`
 --> tea.yaml:5:19
  |
5 | resource_monitor: { enabled: true }
  |                   ^^^^^^^^^^^^^^^^^
");
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let text = "name: tea\ntimeout: soon\nfiels: []\njobs:\n  - name: boil\n    comand: kettle\n  \
                - name: pour\n    command: pot ${files.input.cup}\n    depends_on: [biol]\n    \
                parameters: { i: 'a:b' }\n    retry: { jitter: 3 }\n";
    let told = wrong(text);
    let lines: Vec<_> = told.iter().filter_map(|one| one.line()).collect();
    assert_eq!(lines, [2, 3, 6, 8, 9, 10, 11], "{told}");
    assert!(told.iter().all(|one| one.severity() == Severity::Error && one.help().is_some()));
}

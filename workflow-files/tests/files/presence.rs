//! Files that jobs say they read and write.

use std::fs;

use workflow_core::prelude::*;
use workflow_files::WorkflowFile;

use crate::{Folder, end, error, failed, run};

const FILES: &str = "name: tea
files: [{ name: raw, path: leaves.csv }, { name: tea, path: pot/tea.txt }]
jobs:
";

/// Why a run does not begin.
fn refused(folder: &Folder, jobs: &str) -> String {
    let file = folder.file(&format!("{FILES}{jobs}"));
    let error = Engine::default().run(file).wait().expect_err("the run does not begin");
    assert!(matches!(error, workflow_core::RunError::NotReady { .. }), "{error:?}");
    error.to_string().replace(&folder.0.display().to_string(), "..")
}

#[test]
fn a_run_needs_the_files_that_no_job_writes() {
    let folder = Folder::new("no_input");
    let jobs = "  - { name: early, command: touch began }
  - { name: boil, command: 'cat ${files.input.raw}' }
";
    assert_eq!(
        refused(&folder, jobs),
        "workflow `tea`: no job writes the file `raw`, and `../leaves.csv` does not exist; create \
         what is missing, or let a job write it"
    );
    assert!(!folder.0.join("began").exists());
    fs::write(folder.0.join("leaves.csv"), "green").expect("a file");
    run(folder.file(&format!("{FILES}{jobs}")));
}

#[test]
fn a_file_is_looked_for_where_the_job_runs() {
    let folder = Folder::new("no_input_in_cwd");
    fs::write(folder.0.join("leaves.csv"), "green").expect("a file");
    let jobs = "  - { name: boil, command: 'true', input_files: [raw], cwd: kitchen }\n";
    assert!(refused(&folder, jobs).contains("`../kitchen/leaves.csv` does not exist"));
}

#[test]
fn many_files_that_are_not_there_are_counted() {
    let folder = Folder::new("no_inputs");
    let file = folder.file(
        "name: tea\nfiles: [{ name: 'f{i}', path: 'f{i}.csv', parameters: { i: '1:9' } }]
jobs: [{ name: 'j{i}', command: 'true', input_files: ['f{i}'], parameters: { i: '1:9' } }]\n",
    );
    let error = Engine::default().run(file).wait().expect_err("nothing is there").to_string();
    assert!(error.contains("`f5`") && !error.contains("`f6`"), "{error}");
    assert!(error.contains("4 more files are missing"), "{error}");
}

#[test]
fn an_output_that_was_not_written_fails_the_job() {
    let folder = Folder::new("no_output");
    fs::write(folder.0.join("leaves.csv"), "green").expect("a file");
    let jobs = "  - { name: boil, command: echo boiled, input_files: [raw], output_files: [tea] }
  - { name: pour, command: touch poured, input_files: [tea] }
";
    let brew =
        "  - { name: brew, job: brew, with: { cups: 2, tea: green }, output_files: [tea] }\n";
    let report = failed(folder.file(&format!("{FILES}{jobs}{brew}")));
    let told = "the job did not write its output file `tea`: `pot/tea.txt` does not exist; write \
                it, or remove it from the job's output files";
    assert_eq!(error(&report, "boil"), told);
    assert_eq!(error(&report, "brew"), told);
    assert_eq!(end(&report, "pour"), Status::Skipped);
    fs::create_dir(folder.0.join("pot")).expect("a folder");
    let writes = jobs.replace("echo boiled", "'cp ${files.input.raw} ${files.output.tea}'");
    run(folder.file(&format!("{FILES}{writes}")));
    assert!(folder.0.join("poured").exists());
}

#[test]
fn files_made_by_start_actions_may_be_missing_at_first() {
    let folder = Folder::new("made_before");
    let jobs = "  - { name: boil, command: 'cat ${files.input.raw}' }
actions: [{ trigger_type: on_workflow_start, action_type: run_commands, commands: [COMMAND] }]
";
    let text = format!("{FILES}{jobs}");
    let report = failed(folder.file(&text.replace("COMMAND", "'true'")));
    assert_eq!(
        error(&report, "boil"),
        "no job writes the file `raw`, and `leaves.csv` does not exist; create it, or let a job \
         write it"
    );
    run(folder.file(&text.replace("COMMAND", "echo green > leaves.csv")));
}

#[test]
fn paths_with_shell_syntax_are_not_checked() {
    let folder = Folder::new("of_the_shell");
    run(folder.file(
        "name: tea\nfiles: [{ name: a, path: '$NOWHERE/a' }, { name: b, path: '*.csv' }, { name: c, path: '~/x' }]
jobs: [{ name: boil, command: 'true', input_files: [a, b], output_files: [c] }]\n",
    ));
}

#[test]
fn a_file_that_a_job_changes_in_place_must_be_there() {
    let folder = Folder::new("in_place");
    let jobs = "  - { name: boil, command: 'true', input_files: [raw], output_files: [raw] }\n";
    assert!(refused(&folder, jobs).contains("`../leaves.csv` does not exist"));
}

#[test]
fn a_path_above_the_file_is_found() {
    let folder = Folder::new("elsewhere");
    let file = |text: &str| {
        let below = folder.0.join("examples");
        fs::create_dir_all(&below).expect("a folder");
        fs::write(below.join("tea.yaml"), text).expect("a file");
        WorkflowFile::load(below.join("tea.yaml")).expect("a workflow").found_elsewhere()
    };
    fs::create_dir_all(folder.0.join("scripts")).expect("a folder");
    fs::write(folder.0.join("scripts/boil.sh"), "").expect("a file");
    fs::write(folder.0.join("leaves.csv"), "").expect("a file");
    let job = |job: &str| format!("{FILES}  - {job}\n");
    let found = |path: &str| Some((path.to_owned(), folder.0.clone()));
    let script = job("{ name: boil, command: 'bash \"scripts/boil.sh\" -x; cat no/where' }");
    assert_eq!(file(&script), found("scripts/boil.sh"));
    let input = job("{ name: boil, command: 'true', input_files: [raw] }");
    assert_eq!(file(&input), found("leaves.csv"));
    let own = job("{ name: boil, command: 'bash scripts/boil.sh', cwd: .. }");
    assert_eq!(file(&own), None);
    assert_eq!(file(&job("{ name: boil, command: 'curl http://scripts/boil.sh /scripts' }")), None);
    fs::create_dir_all(folder.0.join("examples/scripts")).expect("a folder");
    fs::write(folder.0.join("examples/scripts/boil.sh"), "").expect("a file");
    assert_eq!(file(&script), None);
}

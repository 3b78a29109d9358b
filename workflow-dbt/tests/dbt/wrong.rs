//! Other programs named dbt, and folders without a project.

use std::path::{Path, PathBuf};

use workflow_dbt::{DbtProject, Program, ProgramError};

use super::support::write_program;

/// A script that prints this text as its version.
fn fake(folder: &Path, says: &str) -> PathBuf {
    let program = folder.join(".venv/bin/dbt");
    write_program(&program, &format!("#!/bin/sh\ncat <<E\n{says}\nE\n"));
    program
}

#[test]
fn other_programs_named_dbt_are_told_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let cases = [
        ("dbt Cloud CLI - 0.40.7 (b6f0a3d 2026-05-01T10:00:00Z)", "is the dbt Cloud CLI, not dbt"),
        ("dbt-fusion 2.0.0-preview.45", "is dbt Fusion 2.0.0-preview.45, not dbt-core 1.x"),
        ("dbt 2.0.9", "is dbt Fusion 2.0.9, not dbt-core 1.x; install dbt-core in the folder"),
        ("usage: dbt FILE", "is a program whose `--version` prints `usage: dbt FILE`, not dbt"),
        ("Core:\n  - installed: 1.7.4", "is dbt-core 1.7.4; upgrade it to 1.8 or later"),
    ];
    for (says, part) in cases {
        let program = fake(folder.path(), says);
        let error = Program::find(folder.path()).expect_err("is refused").to_string();
        assert!(error.starts_with(&format!("`{}` is", program.display())), "{error}");
        assert!(error.contains(part), "{error}");
    }
    fake(folder.path(), "Core:\n  - installed: 1.12.6\n");
    let found = Program::find(folder.path()).expect("dbt-core is taken");
    assert_eq!(found.version().to_string(), "1.12.6");
    let error = DbtProject::open_with(folder.path(), found).expect_err("no project").to_string();
    assert!(error.contains("has no dbt_project.yml"), "{error}");
}

#[test]
fn a_file_that_does_not_run_is_an_error() {
    let error = Program::at(Path::new("/nowhere/dbt")).expect_err("nothing there");
    assert!(matches!(error, ProgramError::Start { .. }), "{error}");
}

//! The real binary and its environment: temporary files, file descriptors, and process 1.

use std::process::Command;

use crate::support::{Outcome, folder, process_in};

/// Runs the binary with this file in a shell line, in which `$@` is the binary with its arguments.
fn run_by(test: &str, line: &str, file: &str) -> Outcome {
    let folder = folder(test, &[("w.yaml", file)]);
    let run = process_in(&folder, &["run", "w.yaml", "-q"]);
    let mut shell = Command::new("sh");
    shell.args(["-c", line, "sh"]).arg(run.get_program()).args(run.get_args());
    shell.current_dir(&folder);
    for (name, value) in run.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.output().expect("the shell runs").into()
}

/// Runs the binary as process 1 of a new process namespace.
fn run_as_init(test: &str, file: &str) -> Outcome {
    let user = if rustix::process::geteuid().is_root() { "" } else { "--user --map-root-user" };
    run_by(test, &format!(r#"exec unshare {user} --pid --fork --mount-proc "$@""#), file)
}

#[test]
fn a_missing_temporary_directory_is_reported() {
    let file = "name: t\njobs: [{ name: a, command: echo hi }]\n";
    let told = "cannot use the folder for temporary files, `/scratch/4711`: no such file or folder; \
                create it, or set TMPDIR to another";
    let said = run_by("tmpdir", r#"TMPDIR=/scratch/4711 exec "$@""#, file);
    assert_eq!(said.code, Some(1));
    assert!(said.out.contains(told), "{}", said.out);
    let script = "name: t\njobs: [{ name: a, command: \"#!/bin/sh\\necho hi\" }]\n";
    let said = run_by("tmpdir_is_a_file", r#"TMPDIR=w.yaml exec "$@""#, script);
    assert!(
        said.out.contains("cannot use the folder for temporary files, `w.yaml`"),
        "{}",
        said.out
    );
    let said = run_by("tmpdir_is_relative", r#"mkdir t; TMPDIR=t exec "$@""#, script);
    assert_eq!(said.code, Some(0), "{}", said.out);
}

#[test]
fn commands_wait_for_free_file_descriptors() {
    let file = "name: many\nmax_parallel: 100\njobs:\n  - name: 'a_{i}'\n    command: 'echo n=1 > \
                $WORKFLOW_OUTPUT; sleep 0.1'\n    outputs: [n]\n    parameters: { i: '1:150' }\n";
    for limit in [160, 100] {
        let said = run_by("descriptors", &format!(r#"ulimit -n {limit}; exec "$@""#), file);
        assert_eq!(said.code, Some(0), "{limit}: {}", said.out);
        assert_eq!(said.out.matches(" completed ").count(), 151, "{}", said.out);
    }
}

#[test]
fn orphans_are_reaped_by_process_1() {
    let file = r#"
name: z
jobs:
  - name: "orphan_{i}"
    command: |
      (setsid sh -c 'echo in > in_{i}; echo over >> over' >/dev/null 2>&1 &)
      until [ -e in_{i} ]; do :; done
    parameters: { i: "1:10" }
  - name: look
    command: |
      for turn in $(seq 2000); do
        zombies=$(ps -eo stat | grep -c '^Z')
        [ "$(wc -l < over)" = 10 ] && [ "$zombies" = 0 ] && exit 0
      done
      echo "$zombies zombies" >&2; exit 1
    depends_on_regexes: [orphan]
"#;
    let said = run_as_init("orphans", file);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
}

#[test]
fn process_1_passes_on_signals_and_the_exit_code() {
    let failing = "name: f\njobs: [{ name: a, command: exit 3 }]\n";
    let said = run_as_init("init_fails", failing);
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.out.contains("exited with code 3"), "{}", said.out);
    let ended = "name: s\njobs: [{ name: a, command: 'kill -INT 1; sleep 1000' }]\n";
    let said = run_as_init("init_signal", ended);
    assert_eq!(said.code, Some(130), "{}{}", said.out, said.err);
}

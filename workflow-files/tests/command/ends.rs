//! What commands are given, and what comes back.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use workflow_core::job::JobErrorKind;
use workflow_core::{Engine, JobContext};
use workflow_files::command::{Command, CommandError, Exit, Shell};

use super::{Folder, block_on, exit, gate, lines_of_run, printed, run, workflow};

#[test]
fn the_exit_code_is_found_in_the_error() {
    assert_eq!(run(&Command::new("exit 0")).expect("it succeeds").exit, Exit::Code(0));
    let error = run(&Command::new("echo one >&2; echo two >&2; exit 3")).expect_err("it fails");
    assert_eq!(exit(&error), Exit::Code(3));
    assert!(error.is_retryable());
    let wanted = "the command exited with code 3; the end of its stderr:\none\ntwo";
    assert_eq!(error.to_string(), wanted);
    let error = run(&Command::new("exit 4")).expect_err("it fails");
    let wanted = "the command exited with code 4; it wrote nothing to stderr";
    assert_eq!(error.to_string(), wanted);
}

#[test]
fn a_signal_is_named() {
    let error = run(&Command::new("kill -KILL $$")).expect_err("it is killed");
    assert_eq!(exit(&error), Exit::Signal(9));
    assert!(error.to_string().starts_with("the command was killed by SIGKILL;"), "{error}");
    let error = run(&Command::new("sh -c 'kill -SEGV $$'; exit $?")).expect_err("it fails");
    assert_eq!(exit(&error), Exit::Code(139));
    assert!(error.to_string().contains("139 (128 + SIGSEGV)"), "{error}");
}

#[test]
fn an_error_shows_the_last_lines_of_stderr_escaped() {
    let script =
        "for line in $(seq 1 500); do echo $line >&2; done; printf '\\033[2J\\377' >&2; exit 1";
    let error = run(&Command::new(script)).expect_err("it fails").to_string();
    assert!(error.ends_with("499\n500\n\\u{1b}[2J\u{fffd}"), "{error}");
    assert_eq!(error.lines().count(), 11);
}

#[test]
fn values_arrive_as_they_are() {
    let hostile =
        ["$(touch pwned)", "`id`; rm -rf .", "a\nb\r\n", "'\"\\ $HOME *", "=x=", "", "é\u{1}"];
    for value in hostile {
        let mut command = Command::new(r#"printf %s "$VALUE""#);
        command.env = vec![("VALUE".to_owned(), value.to_owned())];
        assert_eq!(printed(&command), value);
    }
}

#[test]
fn later_variables_override_earlier_ones() {
    let shell = Shell::new().env("A", "shell").env("B", "shell");
    let mut command =
        Command::new(r#"echo "a=$A" >> "$WORKFLOW_OUTPUT"; echo "b=$B" >> "$WORKFLOW_OUTPUT""#);
    command.env = vec![
        ("B".to_owned(), "first".to_owned()),
        ("B".to_owned(), "command".to_owned()),
        ("WORKFLOW_OUTPUT".to_owned(), "/dev/null".to_owned()),
    ];
    let finished = block_on(shell.run(&command, &JobContext::detached())).expect("it succeeds");
    assert_eq!(json!(finished.outputs), json!({"a": "shell", "b": "command"}));
}

#[test]
fn standard_input_is_the_given_text_or_empty() {
    assert_eq!(printed(&Command::new("cat; echo end")), "end\n");
    let text = "line\n".repeat(100_000);
    let mut command = Command::new("cat");
    command.stdin = Some(text.clone());
    assert_eq!(printed(&command), text);
    let mut unread = Command::new("exit 0");
    unread.stdin = Some(text);
    run(&unread).expect("nobody has to read it");
}

#[test]
fn a_command_runs_where_it_is_told_to() {
    let folder = Folder::new();
    let mut command = Command::new("pwd -P");
    command.cwd = Some(folder.0.clone());
    let wanted = folder.0.canonicalize().expect("it is there");
    assert_eq!(printed(&command).trim_end(), wanted.to_str().expect("it is text"));
    let hostile = folder.path("$(touch pwned); é");
    fs::create_dir(&hostile).expect("the folder is ours");
    let mut command = Command::new("touch here; echo at=here > \"$WORKFLOW_OUTPUT\"");
    command.cwd = Some(hostile.clone());
    run(&command).expect("it succeeds");
    assert!(hostile.join("here").exists());
}

fn terminal(command: &Command) -> String {
    let error = run(command).expect_err("it cannot run");
    assert_eq!(error.kind(), JobErrorKind::Terminal);
    error.to_string()
}

#[test]
fn a_command_that_cannot_start_fails_for_good_with_the_reason() {
    let mut nowhere = Command::new("true");
    nowhere.cwd = Some(PathBuf::from("/no/where"));
    assert_eq!(
        terminal(&nowhere),
        "cannot enter the working directory `/no/where`: no such file or folder; create it, or \
         correct `cwd`"
    );
    nowhere.cwd = Some(PathBuf::from("/bin/sh"));
    assert!(terminal(&nowhere).contains(": not a folder; "));
    assert!(terminal(&Command::new("a\0b")).starts_with("the script contains a NUL character"));
    let long = format!(": {}", "x".repeat(200_000));
    assert!(terminal(&Command::new(long)).starts_with("the script and its environment are too"));
    let mut named = Command::new("true");
    named.env = vec![("A=B".to_owned(), String::new())];
    assert!(terminal(&named).starts_with("\"A=B\" is not a valid name of an environment variable"));
    named.env = vec![("A".to_owned(), "\0".to_owned())];
    assert!(terminal(&named).starts_with("the environment variable `A` contains a NUL character"));
}

#[test]
fn a_shell_that_is_not_there_is_named() {
    let shell = Shell::new().program("/no/shell");
    let end = block_on(shell.run(&Command::new("true"), &JobContext::detached()));
    let error = end.expect_err("it cannot run");
    let wanted = "cannot run the shell `/no/shell`: no such file or folder; install it, or choose \
                  another";
    assert_eq!((error.to_string().as_str(), error.kind()), (wanted, JobErrorKind::Terminal));
}

#[test]
fn the_first_line_of_a_script_may_name_what_runs_it() {
    let bash_only = "[[ -n $BASH_VERSION ]] && echo \"$(basename \"$0\" | cut -d. -f2)\"";
    let mut command = Command::new(format!("#!/usr/bin/env bash\n{bash_only}\ncat"));
    command.stdin = Some("from stdin".to_owned());
    assert_eq!(printed(&command), "script\nfrom stdin");
    let error = run(&Command::new("#!/bin/sh -e\nfalse\ntrue")).expect_err("it stops at once");
    assert_eq!(exit(&error), Exit::Code(1));
    let error = run(&Command::new("#!/no/python -u\nprint()")).expect_err("it cannot run");
    let wanted = "cannot start `/no/python`, which the first line of the script names: no such file \
                  or folder; install it, or correct the line";
    assert_eq!((error.to_string().as_str(), error.kind()), (wanted, JobErrorKind::Terminal));
}

#[test]
fn outputs_come_from_the_file_that_is_named() {
    let published = |script: &str| run(&Command::new(script)).expect("it succeeds").outputs;
    assert!(published("true").is_empty());
    let script =
        "echo rows=42 >> $WORKFLOW_OUTPUT; printf 'text<<E\\na\\nb\\nE\\n' >> $WORKFLOW_OUTPUT";
    assert_eq!(json!(published(script)), json!({"rows": 42, "text": "a\nb"}));
    let script = r#"echo '{"rows": 42}' > $WORKFLOW_OUTPUT"#;
    assert_eq!(json!(published(script)), json!({"rows": 42}));
}

#[test]
fn unreadable_outputs_fail_the_command() {
    let error = |script: &str| {
        let error = run(&Command::new(script)).expect_err("its outputs are malformed");
        assert!(matches!(error.downcast_ref(), Some(CommandError::Outputs(_))), "{error}");
        error.to_string()
    };
    assert!(error("echo words > $WORKFLOW_OUTPUT").contains("line 1"));
    assert!(error("head -c 2000000 /dev/zero > $WORKFLOW_OUTPUT").contains("longer than 1048576"));
    assert!(error("mkfifo $WORKFLOW_OUTPUT").contains("no longer a regular file"));
    assert!(error("mkdir $WORKFLOW_OUTPUT").contains("no longer a regular file"));
}

#[test]
fn scratch_files_are_private_and_leave_no_trace() {
    let folder = Folder::new();
    let shell = Shell::new().scratch(folder.path("scratch"));
    let script =
        "cat > /dev/null; echo mode=$(stat -c %a $(dirname $WORKFLOW_OUTPUT)) > $WORKFLOW_OUTPUT";
    let mut command = Command::new(script);
    command.stdin = Some("secret".to_owned());
    let finished = block_on(shell.run(&command, &JobContext::detached())).expect("it succeeds");
    assert_eq!(json!(finished.outputs), json!({"mode": 700}));
    assert_eq!(fs::read_dir(folder.path("scratch")).expect("it is there").count(), 0);
}

#[test]
fn memory_and_cpu_time_of_a_command_are_measured() {
    // Well above what the test itself needs, and so the command's own.
    let script = "head -c 300000000 /dev/zero | tail -c 200000000 | wc -c";
    let usage = run(&Command::new(script)).expect("it succeeds").usage;
    let peak = usage.peak_memory_bytes.expect("it is above the host's");
    assert!((190_000_000..400_000_000).contains(&peak), "{peak}");
    assert!(!usage.cpu_time.is_zero());

    // Here and not in a test beside this one: it is the host's peak from now on.
    let ballast = vec![1_u8; 256 << 20];
    let peak = sampled_peak();
    assert!((100_000..64_000_000).contains(&peak), "{peak} beside {}", ballast.len());
}

/// The peak of a small command that a sample was taken of for certain.
fn sampled_peak() -> u64 {
    let folder = Folder::new();
    let gate = gate(&folder);
    // A sample is due when the command has got through the gate once. It is taken before the
    // second line is read, and so before the command can end.
    let script = "echo one; read -r _ < gate; echo two; read -r _ < gate";
    let command = Command { cwd: Some(folder.0.clone()), ..Command::new(script) };
    let (workflow, ended) = workflow(Shell::new(), command);
    let run = Engine::default().run(workflow).start().expect("the run starts");
    for _ in lines_of_run(&run) {
        std::thread::sleep(Duration::from_millis(2));
        (&gate).write_all(b"\n").expect("the gate opens");
    }
    let finished = ended.recv().expect("the command ended").expect("it succeeds");
    finished.usage.peak_memory_bytes.expect("a sample was taken")
}

//! The command line and its terminal: colours, pipes and signals.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};

use crate::support::{command, host_binary};

#[test]
fn colours_follow_the_environment_and_the_option() {
    let colored = |change: &dyn Fn(&mut Command)| {
        let mut command = command(&host_binary());
        change(command.args(["run", "orders/print"]));
        let output = command.output().expect("it starts");
        output.stderr.contains(&b'\x1b')
    };
    assert!(!colored(&|_| ()));
    assert!(colored(&|command| _ = command.env("CLICOLOR_FORCE", "1")));
    assert!(colored(&|command| _ = command.args(["--color", "always"])));
    assert!(!colored(&|command| _ = command.env("CLICOLOR_FORCE", "1").args(["--color", "never"])));
    assert!(!colored(&|command| _ = command.env("NO_COLOR", "1")));
}

/// Starts a run that does not end by itself, and waits until it has started.
fn endless(args: &[&str]) -> (Child, impl Iterator<Item = String>) {
    let mut command = command(&host_binary());
    command.args(["run", "stock/watch"]).args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let jsonl = args.contains(&"jsonl");
    let lines: Box<dyn std::io::Read> = match jsonl {
        true => Box::new(child.stdout.take().expect("it is piped")),
        false => Box::new(child.stderr.take().expect("it is piped")),
    };
    let mut lines = BufReader::new(lines).lines().map(|line| line.expect("it says text"));
    assert!(lines.any(|line| line.contains("started") && line.contains("watch")), "it begins");
    (child, lines)
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status();
    assert!(sent.expect("kill is there").success());
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_is_cancelled() {
    for name in ["-INT", "-TERM"] {
        let (mut child, lines) = endless(&[]);
        signal(&child, name);
        let said: Vec<String> = lines.collect();
        assert_eq!(child.wait().expect("it ends").code(), Some(130));
        assert!(
            said.iter().any(|line| line.starts_with("cancelling: waiting for jobs")),
            "{said:?}"
        );
        let mut report = String::new();
        child.stdout.expect("it is piped").read_to_string(&mut report).expect("text");
        assert!(report.starts_with("stock/watch cancelled in"), "{report}");
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_says_so_in_json() {
    let (mut child, lines) = endless(&["-f", "jsonl"]);
    signal(&child, "-INT");
    let last = lines.last().expect("the report");
    assert!(last.starts_with("{\"report\":") && last.contains("\"cancelled\""), "{last}");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
}

#[cfg(unix)]
#[test]
fn a_second_interrupt_ends_the_process() {
    let (mut child, mut lines) = endless(&["--param", "deaf=true"]);
    signal(&child, "-INT");
    assert!(lines.any(|line| line.starts_with("cancelling")), "the first is heard");
    signal(&child, "-INT");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert_eq!(lines.count(), 0);
}

#[cfg(unix)]
#[test]
fn an_interrupted_command_receives_a_signal() {
    let text = "name: wait\njobs:\n  - name: a\n    command: |\n      \
                trap 'echo bye; exit 1' TERM; echo ready; sleep 1000 & wait\n";
    let folder = crate::support::folder("interrupted", &[("wait.yaml", text)]);
    let mut command = command(assert_cmd::cargo::cargo_bin!("workflow"));
    command.args(["run", "wait.yaml"]).current_dir(folder);
    let mut child =
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    let lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
    let mut lines = lines.map(|line| line.expect("it says text"));
    assert!(lines.any(|line| line == "  a | ready"), "it begins");
    signal(&child, "-INT");
    assert!(lines.any(|line| line == "  a | bye"), "it is asked");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
}

#[test]
fn a_closed_pipe_is_no_error() {
    for args in [&["list"][..], &["plan", "orders/report"], &["completions", "bash"], &["--help"]] {
        let mut child = command(&host_binary())
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
        assert_eq!(output.status.code(), Some(0), "{args:?}");
    }
}

#[test]
fn a_run_continues_after_its_reader_closes() {
    for format in ["text", "json", "jsonl"] {
        let mut child = command(&host_binary())
            .args(["run", "orders/print", "-q", "-f", format])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{format}");
        assert_eq!(output.status.code(), Some(1), "{format}");
    }
}

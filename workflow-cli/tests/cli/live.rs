//! What the real binary draws on a terminal during a run, and how it handles keys.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::Child;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use std::{fs, thread};

use insta::assert_snapshot;
use pty_process::Size;
use pty_process::blocking::{self, Pty};

use crate::support::{folder, same};

const ROWS: u16 = 20;
const COLUMNS: u16 = 100;

/// The maximum time until a terminal shows the expected screen, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A terminal that runs the binary `workflow`.
struct Terminal {
    pty: Arc<Pty>,
    child: Child,
    output: Receiver<Vec<u8>>,
    screen: vt100::Parser,
}

impl Terminal {
    fn run(folder: &Path, args: &[&str]) -> Self {
        Self::of(COLUMNS, folder, args)
    }

    /// A terminal of this width, in the time zone of Tokyo.
    fn of(columns: u16, folder: &Path, args: &[&str]) -> Self {
        let (pty, user_side) = blocking::open().expect("a pseudo-terminal");
        pty.resize(Size::new(ROWS, columns)).expect("it has a size");
        let mut command = crate::support::command(assert_cmd::cargo::cargo_bin!("workflow"));
        command.args(args).current_dir(folder).env("TERM", "xterm-256color");
        command.env("TZ", "Asia/Tokyo");
        let child = blocking::Command::from(command).spawn(user_side).expect("it starts");
        let pty = Arc::new(pty);
        let output = reader(Arc::clone(&pty));
        Self { pty, child, output, screen: vt100::Parser::new(ROWS, columns, 0) }
    }

    fn shown(&self) -> String {
        let screen = self.screen.screen();
        let rows = screen.rows(0, screen.size().1);
        let rows: Vec<_> = rows.map(|row| row.trim_end().to_owned()).collect();
        rows.join("\n").trim_end().to_owned()
    }

    /// Waits until the screen meets a condition.
    fn wait_for(&mut self, what: &str, shows: impl Fn(&str) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !shows(&self.shown()) {
            let drawn = self.output.recv_timeout(end.saturating_duration_since(Instant::now()));
            let drawn = drawn.unwrap_or_else(|_| panic!("{what} is not shown:\n{}", self.shown()));
            self.screen.process(&drawn);
        }
    }

    fn type_keys(&self, keys: &str) {
        (&*self.pty).write_all(keys.as_bytes()).expect("the terminal takes keys");
    }

    /// The final screen and the exit code.
    fn end(mut self) -> (String, Option<i32>) {
        while let Ok(drawn) = self.output.recv_timeout(PATIENCE) {
            self.screen.process(&drawn);
        }
        let code = self.child.wait().expect("it ends").code();
        (self.shown(), code)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Cleans up after a failed test; otherwise the process has ended.
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// Reads everything written to the terminal until it is closed.
fn reader(pty: Arc<Pty>) -> Receiver<Vec<u8>> {
    let (sender, output) = channel();
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        // Linux reports an error once the other side is closed.
        while let Ok(length @ 1..) = (&*pty).read(&mut buffer) {
            if sender.send(buffer[..length].to_vec()).is_err() {
                break;
            }
        }
    });
    output
}

/// The line that begins with this text after its spinner.
fn line<'s>(screen: &'s str, begin: &str) -> Option<&'s str> {
    let text =
        |line: &'s str| line.trim_start_matches(|letter: char| !letter.is_ascii_alphanumeric());
    screen.lines().map(text).find(|line| line.starts_with(begin))
}

#[test]
fn a_list_of_runs_fits_80_columns() {
    let text = "\
name: a_workflow_whose_name_is_longer_than_a_column_of_a_list
jobs:
  - { name: load, command: 'echo \"OSError: no route to the warehouse, tried five times\" >&2; exit 3' }
";
    let folder = folder(
        "eighty",
        &[
            ("long.yaml", text),
            ("short.yaml", "name: short\njobs: [{ name: a, command: 'true' }]\n"),
        ],
    );
    for file in ["long.yaml", "short.yaml"] {
        crate::support::workflow_in(&folder, &["run", file, "-q", "--db", "runs.db"]);
    }
    let mut terminal = Terminal::of(80, &folder, &["runs", "list", "--db", "runs.db"]);
    terminal.wait_for("the list", |shown| shown.lines().count() >= 3);
    let list =
        crate::support::workflow_in(&folder, &["runs", "list", "--db", "runs.db", "-f", "json"])
            .json();
    let hour = |run: &serde_json::Value| {
        let at = run["started_at"].as_str().expect("a time");
        let hour: u32 = at[11..13].parse().expect("an hour");
        format!("{:02}{}", (hour + 9) % 24, &at[13..19])
    };
    let color = |row: u16| {
        let screen = terminal.screen.screen();
        screen.cell(row, 5).expect("a cell").fgcolor()
    };
    let (green, red) = (vt100::Color::Idx(2), vt100::Color::Idx(1));
    assert_eq!([color(1), color(2)], [green, red]);
    let (shown, code) = terminal.end();
    let rows: Vec<_> = shown.lines().collect();
    assert_eq!((rows.len(), code), (3, Some(0)), "one line a run: {shown}");
    assert!(rows[1].contains("short") && rows[1].contains(&hour(&list["items"][0])), "{shown}");
    assert!(
        rows[2].contains("load: OSErr") && rows[2].contains(&hour(&list["items"][1])),
        "{shown}"
    );
}

const TEA: &str = "\
name: tea
max_parallel: 2
jobs:
  - { name: boil, command: 'read go < boiling' }
  - { name: warm, command: 'read go < warming' }
  - { name: pour, command: 'echo poured', depends_on: [boil, warm] }
";

#[test]
fn one_line_per_running_job_and_the_report_at_the_end() {
    let folder = folder("live", &[("tea.yaml", TEA)]);
    let gates = ["boiling", "warming"].map(|name| folder.join(name));
    let made = std::process::Command::new("mkfifo").args(&gates).status().expect("it is there");
    assert!(made.success());
    let mut terminal = Terminal::run(&folder, &["run", "tea.yaml"]);
    terminal.wait_for("a line for each job", |screen| {
        ["boil ", "warm ", "0 of 3 jobs"].iter().all(|begin| line(screen, begin).is_some())
    });
    assert!(line(&terminal.shown(), "pour ").is_none(), "{}", terminal.shown());
    for gate in gates {
        fs::write(gate, "go\n").expect("a job waits for it");
    }
    let (shown, code) = terminal.end();
    assert_eq!(code, Some(0), "{shown}");
    // The duration of a command differs between machines.
    let begin = |line: &str| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    let begins: Vec<_> = shown.lines().map(begin).collect();
    same().bind(|| {
        assert_snapshot!(begins.join("\n"), @"
    pour |
    tea completed
    tea completed
    job status
    boil completed
    warm completed
    pour completed
    log: .workflow/runs/<id>/output.log
    ")
    });
}

const WAIT: &str = r#"
name: wait
jobs:
  - name: watch
    command: |
      trap 'echo bye; exit 1' TERM; echo ready; while :; do sleep 0.1; done
"#;

#[test]
fn control_and_c_cancel_the_run() {
    let folder = folder("typed", &[("wait.yaml", WAIT)]);
    let mut terminal = Terminal::run(&folder, &["run", "wait.yaml"]);
    terminal.wait_for("the job", |screen| {
        line(screen, "watch | ready").is_some() && line(screen, "0 of 1 jobs").is_some()
    });
    terminal.type_keys("\u{3}");
    let (shown, code) = terminal.end();
    assert_eq!(code, Some(130), "{shown}");
    assert!(line(&shown, "cancelling: waiting for jobs to stop").is_some(), "{shown}");
    assert!(line(&shown, "watch | bye").is_some(), "{shown}");
    assert!(line(&shown, "wait cancelled in ").is_some(), "{shown}");
}

const ONE: &str = "name: one\njobs:\n  - { name: only, command: 'true' }\n";

#[test]
fn deleting_asks_for_confirmation() {
    let folder = folder("live-delete", &[("one.yaml", ONE)]);
    let said = crate::support::workflow_in(&folder, &["run", "one.yaml", "--db", "runs.db", "-q"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let delete = |answer: &str| {
        let mut terminal =
            Terminal::run(&folder, &["workflows", "delete", "one", "--db", "runs.db"]);
        terminal.wait_for("the question", |screen| screen.contains("1 run?"));
        terminal.type_keys(answer);
        terminal.end()
    };
    let count = || {
        let list = ["workflows", "list", "--db", "runs.db", "-f", "json"];
        crate::support::workflow_in(&folder, &list).json()["items"].as_array().map(Vec::len)
    };
    for no in ["n\r", "\r"] {
        let (shown, code) = delete(no);
        assert_eq!((code, count()), (Some(0), Some(1)), "{shown}");
    }
    let (shown, code) = delete("yes\r");
    assert_eq!((code, count()), (Some(0), Some(0)), "{shown}");
}

const SLOW: &str = "name: slow\njobs:\n  - { name: only, command: 'touch began; sleep 600' }\n";

#[test]
fn ctrl_c_cancels_a_saved_run() {
    let folder = folder("live-saved", &[("slow.yaml", SLOW)]);
    let mut terminal = Terminal::run(&folder, &["run", "slow.yaml", "--db", "runs.db"]);
    terminal.wait_for("the job", |screen| screen.contains("only") && folder.join("began").exists());
    terminal.type_keys("\x03");
    let (shown, code) = terminal.end();
    assert_eq!(code, Some(130), "{shown}");
    let list = ["runs", "list", "--db", "runs.db", "-f", "json"];
    let run = crate::support::workflow_in(&folder, &list).json()["items"][0].take();
    assert_eq!(run["status"], "cancelled", "{run}");
    let left = crate::support::workflow_in(&folder, &["recover", "--db", "runs.db"]);
    assert_eq!(left.err, "no runs to resume\n");
}

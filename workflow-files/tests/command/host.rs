//! Nothing outlives the host.
//!
//! The host is this test program, started once more to be killed.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use futures::executor::block_on;
use futures::future::join_all;
use workflow_core::JobContext;
use workflow_files::command::{Command, Shell};

use super::{Folder, eventually, is_alive, lines_of, run};

/// Says to the second process what kind of host to be, and where to leave its notes.
const KIND: &str = "WORKFLOW_TEST_HOST";
const NOTES: &str = "WORKFLOW_TEST_NOTES";

/// Each notes every process that it starts.
const SCRIPTS: [&str; 6] = [
    "echo $$ >> $NOTES; sleep 1000",
    "trap '' HUP INT TERM; echo $$ >> $NOTES; while :; do sleep 1000; done",
    "(sleep 1000 & echo $! >> $NOTES); sleep 1000",
    "setsid sleep 1000 & echo $! >> $NOTES; wait",
    "setsid sh -c 'echo $$ >> $NOTES; sleep 1000 & echo $! >> $NOTES; wait' & wait",
    "env -i sleep 1000 & echo $! >> $NOTES; wait",
];

/// How many notes the scripts leave.
const PROCESSES: usize = 7;

#[test]
#[ignore = "this is the host that other tests start and kill"]
fn is_the_host() {
    let Ok(kind) = std::env::var(KIND) else { return };
    let notes = std::env::var(NOTES).expect("the test says where");
    if kind == "lost its guard" {
        run(&Command::new("true")).expect("it succeeds");
        let guards = children_of(&std::process::id().to_string());
        let kill = std::process::Command::new("kill").arg("-KILL").args(&guards).status();
        assert!(!guards.is_empty() && kill.expect("kill runs").success());
        eventually("the guard is gone", || guards.iter().all(|guard| !is_alive(guard)));
    }
    let shell = Shell::new().env("NOTES", notes);
    let context = JobContext::detached();
    let commands = SCRIPTS.map(Command::new);
    let running = join_all(commands.iter().map(|command| shell.run(command, &context)));
    if kind == "exits" {
        let exit = std::thread::spawn(|| {
            eventually("it is told to go", || {
                std::env::var(NOTES).is_ok_and(|notes| PathBuf::from(notes + ".go").exists())
            });
            std::process::exit(0);
        });
        drop(exit);
    }
    block_on(running);
}

fn children_of(pid: &str) -> BTreeSet<String> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("the process is there");
    let children = tasks.map(|task| {
        let task = task.expect("the folder can be read").path();
        fs::read_to_string(task.join("children")).unwrap_or_default()
    });
    let children: Vec<String> = children.collect();
    children.iter().flat_map(|list| list.split_whitespace()).map(str::to_owned).collect()
}

struct Host {
    process: Child,
    folder: Folder,
    /// Everything that must be gone when the host is.
    pids: BTreeSet<String>,
}

impl Host {
    /// Starts a host and waits until all of its commands run.
    fn start(kind: &str) -> Self {
        let folder = Folder::new();
        let notes = folder.path("notes");
        let process = std::process::Command::new(std::env::current_exe().expect("it is known"))
            .args(["--ignored", "--exact", "host::is_the_host"])
            .env(KIND, kind)
            .env(NOTES, &notes)
            .env("TMPDIR", &folder.0)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("this program runs");
        eventually("all commands run", || lines_of(&notes).len() == PROCESSES);
        let mut pids: BTreeSet<String> = lines_of(&notes).into_iter().collect();
        let children = children_of(&process.id().to_string());
        assert!(children.len() > SCRIPTS.len(), "there is a guard beside the shells");
        pids.extend(children);
        assert!(pids.iter().all(|pid| is_alive(pid)));
        Self { process, folder, pids }
    }

    fn assert_nothing_is_left(mut self) {
        self.process.wait().expect("it ended");
        for pid in &self.pids {
            eventually(&format!("process {pid} is gone"), || !is_alive(pid));
        }
        let scratch = fs::read_dir(&self.folder.0).expect("it is there").filter(|entry| {
            let entry = entry.as_ref().expect("it can be read");
            entry.file_name().to_string_lossy().starts_with("workflow-")
        });
        assert_eq!(scratch.count(), 0, "the guard removes the scratch folder");
    }
}

#[test]
fn nothing_outlives_a_host_that_is_killed() {
    let mut host = Host::start("is killed");
    host.process.kill().expect("it can be killed");
    host.assert_nothing_is_left();
}

#[test]
fn nothing_outlives_a_host_that_exits() {
    let host = Host::start("exits");
    fs::write(host.folder.path("notes.go"), "").expect("the folder is ours");
    host.assert_nothing_is_left();
}

#[test]
fn a_guard_that_is_killed_is_replaced() {
    let mut host = Host::start("lost its guard");
    host.process.kill().expect("it can be killed");
    host.assert_nothing_is_left();
}

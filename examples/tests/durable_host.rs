//! The program that `docs/durability.md` shows: killed, stopped, and started again.

#![cfg(unix)]

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

#[test]
fn the_page_on_durability_shows_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("../docs/durability.md")).expect("a page");
    let (_, section) = page.split_once("## A program that resumes its runs").expect("a section");
    let (_, code) = section.split_once("```rust,no_run\n").expect("a snippet");
    let (code, _) = code.split_once("```").expect("its end");
    let (_, main) = code.split_once("#[tokio::main]").expect("a main function");
    let example = fs::read_to_string(root.join("durable_host.rs")).expect("the example");
    assert!(example.contains(main.trim_end()), "the example has another `main` than the page");
}

/// A directory that contains only a file `hold`.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    // Does not exist the first time.
    _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("it can be made");
    fs::write(folder.join("hold"), "").expect("it can be written");
    folder
}

/// The program and its output.
struct Host {
    child: Child,
    said: Lines<BufReader<ChildStdout>>,
}

impl Host {
    fn start(folder: &Path) -> Self {
        let test = std::env::current_exe().expect("this test has a path");
        let profile = test.parent().and_then(Path::parent).expect("target/<profile>/deps/<test>");
        let mut command = Command::new(profile.join("examples/durable_host"));
        let mut child =
            command.current_dir(folder).stdout(Stdio::piped()).spawn().expect("it starts");
        let said = BufReader::new(child.stdout.take().expect("piped")).lines();
        Self { child, said }
    }

    fn says(&mut self, wanted: &str) {
        let said = self.said.next().expect("it says something").expect("text");
        assert_eq!(said, wanted);
    }

    fn signal(&self, signal: &str) {
        let mut kill = Command::new("kill");
        let sent = kill.args([signal, &self.child.id().to_string()]).status();
        assert!(sent.expect("`kill` is there").success());
    }

    /// The rest of its output, after it has ended.
    fn rest(mut self) -> (bool, String) {
        let rest: Vec<String> = self.said.by_ref().map(|line| line.expect("text")).collect();
        (self.child.wait().expect("it ends").success(), rest.join("\n"))
    }
}

fn let_go(folder: &Path) {
    fs::remove_file(folder.join("hold")).expect("it was there");
}

#[test]
fn after_a_kill_the_run_continues() {
    let folder = folder("killed");
    let mut host = Host::start(&folder);
    host.says("extract runs");
    host.says("transform runs");
    host.signal("-KILL");
    assert!(!host.rest().0);
    let again = Host::start(&folder);
    let_go(&folder);
    let (ended_well, said) = again.rest();
    assert!(ended_well, "{said}");
    assert!(said.starts_with("transform runs\nload runs\ndaily_etl completed in "), "{said}");
    // The third start only prints the report.
    let (ended_well, said) = Host::start(&folder).rest();
    assert!(ended_well && said.starts_with("daily_etl completed in "), "{said}");
}

#[test]
fn after_a_stop_the_run_continues_at_once() {
    let folder = folder("stopped");
    let mut host = Host::start(&folder);
    host.says("extract runs");
    host.says("transform runs");
    host.signal("-INT");
    // The running job may finish, and no other job starts.
    std::thread::sleep(Duration::from_millis(200));
    let_go(&folder);
    assert_eq!(host.rest(), (true, String::new()));
    let asked = Instant::now();
    let (ended_well, said) = Host::start(&folder).rest();
    assert!(ended_well, "{said}");
    assert!(said.starts_with("load runs\ndaily_etl completed in "), "{said}");
    assert!(asked.elapsed() < Duration::from_secs(8), "it waited for a lease");
}

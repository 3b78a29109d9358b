//! Runs the program in a directory of its own, with a backend.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;
use test_postgres::Database;

/// What keeps the runs and passes them to workers. The commands are the same for every backend, but for
/// the arguments that select it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
    #[cfg(feature = "temporal")]
    Temporal,
}

/// A backend that is ready for use.
struct Ready {
    arguments: Vec<String>,
    /// Dropped at the end of the test.
    _database: Option<Database>,
}

impl Backend {
    /// The longest time after the death of a worker until another one makes its attempts again.
    pub(crate) fn takeover(self) -> Duration {
        match self {
            Self::Sqlite | Self::Postgres => Duration::from_secs(10),
            #[cfg(feature = "temporal")]
            Self::Temporal => Duration::from_secs(12),
        }
    }

    /// How many workers the backend serves at the same time, with processors that compile or test
    /// something else.
    pub(crate) fn workers_at_once(self) -> usize {
        match self {
            Self::Sqlite | Self::Postgres => usize::MAX,
            // The development server has one connection to its database. With eleven workers its
            // requests took more than 10 s, and namespaces and runs were answered with "not found".
            #[cfg(feature = "temporal")]
            Self::Temporal => 3,
        }
    }

    fn prepare(self) -> Ready {
        let database = match self {
            Self::Sqlite => None,
            Self::Postgres => Some(test_postgres::database()),
            #[cfg(feature = "temporal")]
            Self::Temporal => {
                let address = test_temporal::server().own_namespace();
                return Ready { arguments: vec!["--backend".to_owned(), address], _database: None };
            }
        };
        let address = database.as_ref().map_or("estuary.db", Database::url).to_owned();
        Ready { arguments: vec!["--db".to_owned(), address], _database: database }
    }
}

/// The program, in a new directory.
pub(crate) struct Program {
    binary: PathBuf,
    folder: PathBuf,
    backend: Ready,
    /// How many it has started.
    workers: AtomicU32,
}

/// The output and exit code of a process.
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Outcome {
    /// Standard output as JSON.
    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("{}{}", self.out, self.err))
    }
}

impl Program {
    /// The program `estuary`.
    pub(crate) fn new(test: &str, backend: Backend) -> Self {
        Self::of(PathBuf::from(env!("CARGO_BIN_EXE_estuary")), test, backend)
    }

    /// A program that cargo builds from a file in `examples`.
    pub(crate) fn example(name: &str, test: &str, backend: Backend) -> Self {
        let test_binary = std::env::current_exe().expect("this test has a path");
        let profile = test_binary.parent().and_then(Path::parent).expect("target/<profile>/deps");
        let binary = profile.join("examples").join(name);
        let binary = binary.with_extension(std::env::consts::EXE_EXTENSION);
        assert!(binary.exists(), "build it with `cargo build -p estuary --example {name}`");
        Self::of(binary, test, backend)
    }

    fn of(binary: PathBuf, test: &str, backend: Backend) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
        let folder = folder.join(format!("{backend:?}"));
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != ErrorKind::NotFound => panic!("{error}"),
            _ => {}
        }
        fs::create_dir_all(&folder).expect("it can be made");
        Self { binary, folder, backend: backend.prepare(), workers: AtomicU32::new(0) }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments).current_dir(&self.folder).env("USER", "ada").env("NO_COLOR", "1");
        for name in SETTINGS {
            command.env_remove(name);
        }
        command
    }

    /// Writes a file into the directory.
    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.join(name), text).expect("it can be written");
    }

    /// The records of its services.
    pub(crate) fn records(&self) -> estuary::services::Folder {
        estuary::services::Folder::new(self.folder.join(".estuary"))
    }

    /// Runs a command that needs no backend.
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        let output = self.command(arguments).output().expect("it starts");
        let text = |bytes| String::from_utf8(bytes).expect("it says text");
        Outcome { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Runs a command on the backend.
    pub(crate) fn on_backend(&self, arguments: &[&str]) -> Outcome {
        self.run(&[arguments, &self.backend_arguments()].concat())
    }

    fn backend_arguments(&self) -> Vec<&str> {
        self.backend.arguments.iter().map(String::as_str).collect()
    }

    /// Runs a command on the backend, which must succeed, and returns its standard output.
    pub(crate) fn succeed(&self, arguments: &[&str]) -> String {
        let Outcome { code, out, err } = self.on_backend(arguments);
        assert_eq!(code, Some(0), "{arguments:?}: {out}{err}");
        out.trim().to_owned()
    }

    /// Starts `start_workflows_worker`, with these faults of the services. Its log goes to a file.
    pub(crate) fn worker(&self, arguments: &[&str], faults: &str) -> Worker {
        let backend = self.backend_arguments();
        let mut command =
            self.command(&[&["start_workflows_worker"], arguments, &backend].concat());
        let number = self.workers.fetch_add(1, Ordering::Relaxed);
        let log = self.folder.join(format!("worker-{number}.log"));
        let file = File::create(&log).expect("it can be made");
        command.env("ESTUARY_FAULTS", faults).stdout(Stdio::null()).stderr(file);
        Worker { process: command.spawn().expect("it starts"), log }
    }

    /// The run as JSON.
    pub(crate) fn get(&self, run: &str) -> Json {
        self.on_backend(&["runs", "get", run, "-f", "json"]).json()
    }

    pub(crate) fn status(&self, run: &str) -> String {
        self.get(run)["status"].as_str().expect("a status").to_owned()
    }

    /// Waits until the run has completed.
    pub(crate) fn until_completed(&self, run: &str) {
        until(&format!("{run} completes"), || {
            let status = self.status(run);
            assert_ne!(status, "failed", "{:#}", self.get(run));
            status == "completed"
        });
    }

    /// The texts of the messages of a kind in the outbox, sorted by file.
    pub(crate) fn messages(&self, kind: &str) -> Vec<String> {
        let entries = match fs::read_dir(self.folder.join(".estuary/outbox").join(kind)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Vec::new(),
            entries => entries.expect("it can be read"),
        };
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let is_message = |path: &PathBuf| path.extension().is_some_and(|kind| kind == "txt");
        let mut paths: Vec<_> = paths.filter(is_message).collect();
        paths.sort();
        paths.iter().map(|path| fs::read_to_string(path).expect("it can be read")).collect()
    }

    /// The subjects of the mails in the outbox, sorted.
    pub(crate) fn subjects(&self) -> Vec<String> {
        let mails = self.messages("email");
        let subject = |mail: &String| {
            let line = mail.lines().find_map(|line| line.strip_prefix("Subject: "));
            line.expect("a subject").to_owned()
        };
        let mut subjects: Vec<_> = mails.iter().map(subject).collect();
        subjects.sort();
        subjects
    }
}

/// Variables that would change the output.
const SETTINGS: [&str; 7] = [
    "RUST_LOG",
    "WORKFLOW_DB",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "ESTUARY_DIR",
    "ESTUARY_SMTP",
    "ESTUARY_FAULTS",
];

/// A worker, killed at the end of the test.
pub(crate) struct Worker {
    process: Child,
    log: PathBuf,
}

impl Worker {
    /// What it logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).expect("it can be read")
    }

    /// Stops it with SIGTERM.
    pub(crate) fn stop(mut self) -> ExitStatus {
        kill_process(Pid::from_child(&self.process), Signal::TERM).expect("it runs");
        self.process.wait().expect("it ends")
    }

    /// Kills it with SIGKILL.
    pub(crate) fn kill(mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it ends");
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// Waits until something holds, for a minute at most.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

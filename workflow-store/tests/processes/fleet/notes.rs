//! What servers note while they work, read as it grows.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use workflow_core::id::RunId;

/// What servers noted so far.
pub(super) struct Notes {
    file: PathBuf,
    read: u64,
    tenures: HashMap<RunId, Vec<Tenure>>,
    pub(super) executions: usize,
    /// How many runs were given up because another process drove them.
    pub(super) losses: usize,
}

/// The time in which one process drove a run.
#[derive(Debug)]
pub(super) struct Tenure {
    process: u32,
    /// How many events were on record when it began.
    pub(super) events: u64,
    pub(super) executions: Vec<Execution>,
}

#[derive(Debug)]
pub(super) struct Execution {
    pub(super) job: String,
    pub(super) attempt: u32,
    pub(super) at: SystemTime,
}

impl Notes {
    pub(super) fn new(file: &Path) -> Self {
        Self { file: file.to_owned(), read: 0, tenures: HashMap::new(), executions: 0, losses: 0 }
    }

    pub(super) fn of(&self, run: RunId) -> &[Tenure] {
        self.tenures.get(&run).map_or(&[], Vec::as_slice)
    }

    pub(super) fn runs(&self) -> BTreeSet<RunId> {
        self.tenures.keys().copied().collect()
    }

    /// Reads what was noted since the last time, and returns the runs that it is about.
    pub(super) fn read(&mut self) -> BTreeSet<RunId> {
        let mut text = String::new();
        let mut file = File::open(&self.file).expect("the notes are there");
        file.seek(SeekFrom::Start(self.read)).expect("it is a file");
        file.read_to_string(&mut text).expect("the notes are text");
        // Lines are written at once; even so, one might be read in two parts.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        self.read += whole as u64;
        text[..whole].lines().filter_map(|line| self.line(line)).collect()
    }

    fn line(&mut self, line: &str) -> Option<RunId> {
        let words: Vec<&str> = line.splitn(6, ' ').collect();
        let process = words[1].parse().expect("a process");
        match words[0] {
            "took" => {
                let run = words[2].parse().expect("a run");
                let events = words[3].parse().expect("a number");
                let tenure = Tenure { process, events, executions: Vec::new() };
                self.tenures.entry(run).or_default().push(tenure);
                Some(run)
            }
            "run" => {
                let run = words[2].parse().expect("a run");
                let since = Duration::from_nanos(words[3].parse().expect("a time"));
                self.executed(
                    run,
                    process,
                    Execution {
                        job: words[5].to_owned(),
                        attempt: words[4].parse().expect("an attempt"),
                        at: UNIX_EPOCH + since,
                    },
                );
                Some(run)
            }
            "lost" => {
                self.losses += 1;
                None
            }
            // What else engines said, for those who look into a violation.
            _ => None,
        }
    }

    fn executed(&mut self, run: RunId, process: u32, execution: Execution) {
        self.executions += 1;
        let tenures = self.tenures.entry(run).or_default();
        let at = tenures.iter().rposition(|tenure| tenure.process == process);
        let at = at.unwrap_or_else(|| {
            // It began there.
            tenures.push(Tenure { process, events: 0, executions: Vec::new() });
            tenures.len() - 1
        });
        tenures[at].executions.push(execution);
    }
}

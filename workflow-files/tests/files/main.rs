//! Workflow files as their authors meet them: what is said about their mistakes, and what they run.
#![cfg(target_os = "linux")]

mod flow_control;
mod formats;
mod hostile;
mod interpreters;
mod jobs;
mod mistakes;
mod presence;
mod registered;
mod schema;
mod values;

use std::fs;
use std::path::{Path, PathBuf};

use workflow_core::engine::RunRequest;
use workflow_core::prelude::*;
use workflow_files::{Diagnostics, WorkflowFile};

#[job]
fn brew(cups: u32, tea: String) -> String {
    format!("{cups} cups of {tea}")
}

#[job]
fn tally(parts: Each<'_, u32>) -> u32 {
    parts.iter().sum()
}

#[register_workflow(name = "breakfast")]
fn breakfast(guests: &Guests) -> String {
    format!("{} eggs", guests.guests)
}

#[derive(serde::Deserialize)]
struct Guests {
    guests: u32,
}

/// What is wrong with a text; fails when nothing is.
fn wrong(text: &str) -> Diagnostics {
    WorkflowFile::parse("tea.yaml", text).expect_err("the text has mistakes")
}

/// What is likely not meant in a text that can be run.
fn odd(text: &str) -> Diagnostics {
    sound("tea.yaml", text).warnings().clone()
}

/// A text in which nothing is wrong.
fn sound(name: &str, text: &str) -> WorkflowFile {
    WorkflowFile::parse(name, text).unwrap_or_else(|wrong| panic!("{wrong}"))
}

/// A folder that belongs to one test.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("files").join(test);
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
            _ => fs::create_dir_all(&path).expect("a folder"),
        }
        Self(path)
    }

    /// A workflow in this folder, which has only its jobs.
    fn jobs(&self, jobs: &str) -> WorkflowFile {
        self.file(&format!("name: tea\njobs:\n{jobs}"))
    }

    /// A workflow in this folder.
    fn file(&self, text: &str) -> WorkflowFile {
        let path = self.0.join("tea.yaml");
        fs::write(&path, text).expect("a file");
        let file = WorkflowFile::load(path).unwrap_or_else(|wrong| panic!("{wrong}"));
        file.runs_dir(self.0.join("runs"))
    }

    /// What a command wrote into a file of this folder.
    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The lines of a file of this folder.
    fn lines(&self, name: &str) -> Vec<String> {
        self.read(name).lines().map(str::to_owned).collect()
    }
}

/// Runs a workflow that completes.
fn run(file: WorkflowFile) -> Report {
    ended(Engine::default().run(file))
}

/// The report of a run that completes.
fn ended(request: RunRequest) -> Report {
    request.wait().unwrap_or_else(|error| panic!("{error}"))
}

/// Runs a workflow that fails.
fn failed(file: WorkflowFile) -> Report {
    let error = Engine::default().run(file).wait().expect_err("the run fails");
    error.into_report().expect("the run began")
}

/// How the jobs of a run ended, in their order: `boil completed`.
fn ends(report: &Report) -> Vec<String> {
    let jobs = report.jobs().into_iter();
    jobs.map(|job| format!("{} {}", job.name, job.status)).collect()
}

/// How one job ended.
fn end(report: &Report, job: &str) -> Status {
    report.job(job).unwrap_or_else(|| panic!("no job {job}")).status
}

/// What one job failed with.
fn error(report: &Report, job: &str) -> String {
    let job = report.job(job).unwrap_or_else(|| panic!("no job {job}"));
    job.error.unwrap_or_else(|| panic!("{} did not fail", job.name)).to_string()
}

//! Runs every workflow file of `specs`, and checks the output of its jobs.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use workflow_core::prelude::*;
use workflow_core::run_log::RunLog;
use workflow_files::WorkflowFile;

#[job]
fn to_feet(metres: f64) -> i64 {
    (metres / 0.3048).round() as i64
}

#[derive(serde::Deserialize)]
struct Trip {
    stops: Vec<String>,
}

#[register_workflow(name = "plan_trip")]
fn plan_trip(trip: &Trip) -> String {
    trip.stops.join(" to ")
}

/// Each file, its number of jobs including those of actions, and a line that one of them prints.
const SPECS: &[(&str, usize, &str, &str)] = &[
    ("actions.yaml", 6, "on_workflow_complete", "lights off\n"),
    ("barriers.yaml", 17, "check", "all parts are there\n"),
    ("files.yaml", 3, "show", "4\n"),
    ("hello.yaml", 2, "signed", "said by hello\n"),
    ("json5.json5", 2, "leave", "bye\n"),
    ("outputs_and_conditions.yaml", 4, "tell", "13 letters of English\n"),
    ("parameters.yaml", 10, "convert_inch_2.54", "one inch is 2.54 centimetres\n"),
    ("registered_jobs.yaml", 3, "tell", "that is 328 feet\n"),
    ("resources.yaml", 5, "page_3", "page 3\n"),
    ("retries.yaml", 2, "printer", ""),
    ("sub_workflow.yaml", 2, "tell", "Bergen to Oslo\n"),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("specs")
}

/// A copy of the files in a directory that the run may write to.
fn copy() -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("specs");
    match fs::remove_dir_all(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
        _ => fs::create_dir_all(&path).expect("a folder"),
    }
    for (name, ..) in SPECS {
        fs::copy(folder().join(name), path.join(name)).expect("a copy");
    }
    path
}

#[test]
fn every_file_runs() {
    let folder = copy();
    for (name, jobs, job, printed) in SPECS {
        let file = WorkflowFile::load(folder.join(name));
        let file = file.unwrap_or_else(|wrong| panic!("{wrong}")).runs_dir(folder.join("runs"));
        assert!(file.warnings().is_empty(), "{name}: {}", file.warnings());
        let report = Engine::default().run(file).wait();
        let report = report.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(report.jobs().len(), *jobs, "{name}");
        let log = folder.join("runs").join(report.id().to_string()).join("output.log");
        let attempt = report.job(job).unwrap_or_else(|| panic!("{name} has no {job}")).attempts;
        let log = RunLog::read(log, job, attempt).expect("what the job printed");
        assert_eq!(String::from_utf8_lossy(&log.stdout()), *printed, "{name}");
    }
}

#[test]
fn every_file_is_listed_and_says_what_it_shows() {
    let listed: BTreeSet<_> = SPECS.iter().map(|(name, ..)| (*name).to_owned()).collect();
    let files = fs::read_dir(folder()).expect("the folder").map(|file| file.expect("a file"));
    let found: BTreeSet<_> =
        files.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(found, listed, "the files (left) and the list of this test (right) differ");
    for name in found.iter().filter(|name| name.ends_with(".yaml")) {
        let text = fs::read_to_string(folder().join(name)).expect("a text");
        let mut lines = text.lines();
        let schema = "# yaml-language-server: $schema=../../docs/workflow.schema.json";
        assert_eq!(lines.next(), Some(schema), "{name}");
        assert!(lines.next().is_some_and(|line| line.starts_with("# ")), "{name}");
    }
}

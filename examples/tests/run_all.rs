//! Runs every example in a separate process, and checks its output.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Each example, with a line that it prints only on success.
const EXAMPLES: &[(&str, &str)] = &[
    ("application_state", "the test has 1 order"),
    ("approval", "offer for Ada, approved by Bob"),
    ("branches_and_loops", "  => 16 steps, what a ride"),
    ("cancellation", "it came this far: 2 of 4 jobs completed"),
    (
        "configuration",
        "error: `ingestion.parameters.max_retries`: expected an integer, found a string",
    ),
    ("crash_and_resume", "etl completed in "),
    ("durable_host", "daily_etl completed in "),
    ("dynamic_fan_out", "never more than 2 pages at once"),
    ("host_axum", "ada: HTTP/1.0 200 OK"),
    ("idempotent_start", "enqueued twice, there once"),
    ("printing", "fetch 2: page 3 is there"),
    ("quickstart", "    j0[\"read_lockfile\"]"),
    ("registry_filter", "  latecomer    Made while it runs"),
    ("replaced_job", "2 tests passed, and no card was charged"),
    ("retries_and_timeouts", "  hangs_once started, attempt 2"),
    ("saga", "  give back flight #1"),
    ("schedule", "a day: 4 backups, 1 report"),
    ("several_crates", "13 letters"),
    ("several_engines", "careful: limit 1, at most 1 queries at once"),
    ("smol_host", "1 pieces in one box"),
    ("sync_host", "3 pieces in one box"),
    ("traced", " INFO run{workflow=sums"),
    ("two_engines", "20 runs by 2 engines: the sum of the squares is 2870"),
    ("typed_graph", "[de] 21 degrees on average, 23.5 degrees at most"),
    ("virtual_time", "28 hours have passed"),
];

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The names of the example files.
fn found() -> BTreeSet<String> {
    let files = fs::read_dir(folder()).expect("the folder can be read");
    let paths = files.map(|file| file.expect("an entry").path());
    let sources = paths.filter(|path| path.extension().is_some_and(|kind| kind == "rs"));
    sources.map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned()).collect()
}

/// The example, built by cargo next to this test.
fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("this test has a path");
    let profile = test.parent().and_then(Path::parent).expect("target/<profile>/deps/<test>");
    let path = profile.join("examples").join(name).with_extension(std::env::consts::EXE_EXTENSION);
    assert!(
        path.is_file(),
        "{} is missing: build it first, with `cargo build -p workflow-examples --examples` for \
         this profile; `cargo test -p workflow-examples` without `--test` does so by itself",
        path.display()
    );
    path
}

fn run(name: &str, arguments: &[&Path]) -> (Output, String, String) {
    let mut command = Command::new(binary(name));
    if name == "durable_host" {
        // It writes to its working directory.
        command.current_dir(env!("CARGO_TARGET_TMPDIR"));
    }
    let output = command.args(arguments).output().expect("it can be started");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    (output, out, err)
}

#[test]
fn every_example_is_listed_and_declared() {
    let listed = EXAMPLES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(found(), listed, "the files (left) and the list of this test (right) differ");
    let manifest = fs::read_to_string(folder().join("Cargo.toml")).expect("the manifest");
    for name in found() {
        let declared = format!("[[example]]\nname = \"{name}\"\npath = \"{name}.rs\"\n");
        assert!(manifest.contains(&declared), "Cargo.toml does not declare {name}");
    }
}

#[test]
fn every_example_ends_well() {
    for (name, line) in EXAMPLES {
        let (output, out, err) = run(name, &[]);
        assert!(output.status.success(), "{name}: {}\n{out}\n{err}", output.status);
        let told = out.lines().any(|printed| printed.starts_with(line));
        assert!(told, "{name} did not print {line:?}, but:\n{out}");
        assert_eq!(err, "", "{name} complained");
    }
}

#[test]
fn every_example_is_short_and_says_how_to_run_it() {
    for name in found() {
        let text = fs::read_to_string(folder().join(format!("{name}.rs"))).expect("a text");
        let (lines, most) = (text.lines().count(), if name == "quickstart" { 150 } else { 79 });
        assert!(lines <= most, "{name} has {lines} lines, of {most}");
        assert!(text.starts_with("//! "), "{name} has no description");
        let command = format!("//! cargo run --example {name}\n");
        assert!(text.contains(&command), "{name} does not say how to run it");
    }
}

#[test]
fn quickstart_names_a_file_that_is_not_there() {
    let (output, _, err) = run("quickstart", &[Path::new("nowhere/Cargo.lock")]);
    assert!(!output.status.success());
    assert!(err.contains("cannot read nowhere/Cargo.lock: "), "{err}");
}

#[test]
fn quickstart_names_a_file_that_is_no_lockfile() {
    let broken = Path::new(env!("CARGO_TARGET_TMPDIR")).join("broken.lock");
    for (text, reason) in [
        ("[[package]]\nname = ", "is no lockfile: "),
        ("[[package]]\nname = \"a\"\n", "missing field `version`"),
        ("", "missing field `package`"),
    ] {
        fs::write(&broken, text).expect("the folder can be written to");
        let (output, _, err) = run("quickstart", &[&broken]);
        assert!(!output.status.success());
        let named = err.contains(&broken.display().to_string());
        assert!(named && err.contains(reason), "{reason:?} is not in: {err}");
    }
}

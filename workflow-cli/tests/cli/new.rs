//! `new` and `test`: a workflow from a template, in a project or on its own, and a project whose
//! program gets the commands.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::support::{Outcome, workflow_in};

/// A folder outside of every Cargo project.
fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn write(path: impl AsRef<Path>, text: &str) {
    let path = path.as_ref();
    fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
    fs::write(path, text).expect("it can be written");
}

fn succeed(folder: impl AsRef<Path>, arguments: &[&str]) -> Outcome {
    let outcome = workflow_in(folder.as_ref(), arguments);
    assert_eq!(outcome.code, Some(0), "{arguments:?}: {}{}", outcome.out, outcome.err);
    outcome
}

/// The names of the packages that Cargo finds, sorted.
fn packages(folder: impl AsRef<Path>) -> Vec<String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]);
    let output = cargo.current_dir(folder).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let project: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = project["packages"].as_array().expect("packages").iter();
    let mut names: Vec<_> =
        packages.map(|it| it["name"].as_str().expect("a name").to_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_workflow_of_its_own_is_a_program_and_takes_more() {
    let folder = folder();
    let made = succeed(&folder, &["new", "my-sales", "--source", "file"]);
    assert!(made.err.starts_with("made my-sales\nnext:\n  cd my-sales\n"), "{}", made.err);
    let sales = folder.path().join("my-sales");
    assert_eq!(packages(&sales), ["my_sales"]);
    assert!(read(sales.join("config.yaml")).contains("type: file\n"));

    // Inside of it, the next one becomes a part.
    let made = succeed(sales.join("src"), &["new", "prices", "--source", "api"]);
    assert!(made.err.contains("`use prices as _;`"), "{}", made.err);
    assert_eq!(packages(&sales), ["my_sales", "prices"]);
    assert!(!sales.join("workflows/prices/src/main.rs").exists());
    let main = read(sales.join("src/main.rs"));
    assert!(main.contains("\nuse prices as _;\n\nuse std::process::ExitCode;\n"), "{main}");
    let manifest = read(sales.join("Cargo.toml"));
    assert!(manifest.contains("\nprices = { path = \"workflows/prices\" }\n"), "{manifest}");

    // The library is the one of the host.
    let library = |manifest: &str| {
        let line = manifest.lines().find(|line| line.starts_with("workflow-core"));
        let path = line.expect("a dependency").split('"').nth(1).expect("a path").to_owned();
        Path::new(&path).to_owned()
    };
    let of_part = sales
        .join("workflows/prices")
        .join(library(&read(sales.join("workflows/prices/Cargo.toml"))));
    let of_host = sales.join(library(&manifest));
    assert_eq!(
        of_part.canonicalize().expect("a folder"),
        of_host.canonicalize().expect("a folder")
    );

    // A third one is one more member.
    succeed(&sales, &["new", "costs", "--template", "library"]);
    assert_eq!(packages(&sales), ["costs", "my_sales", "prices"]);
}

#[test]
fn a_host_that_was_written_by_hand_gets_the_workflow() {
    let folder = folder();
    let root = "[workspace]\nresolver = \"3\"\nmembers = [\n    \"shop\",\n]\n";
    write(folder.path().join("Cargo.toml"), root);
    let shop = "[package]\nname = \"shop\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
                [dependencies]\nworkflow-cli = \"0.1.0\"\nworkflow-core = \"0.1.0\"\n";
    write(folder.path().join("shop/Cargo.toml"), shop);
    write(folder.path().join("shop/src/main.rs"), "//! A shop.\n\nfn main() {}\n");

    succeed(folder.path().join("shop"), &["new", "sales"]);
    assert_eq!(packages(&folder), ["sales", "shop"]);
    let manifest = read(folder.path().join("shop/Cargo.toml"));
    assert!(manifest.contains("sales = { path = \"../workflows/sales\" }"), "{manifest}");
    let root = read(folder.path().join("Cargo.toml"));
    assert!(root.contains("[workspace.metadata.workflow]\nhost = \"shop\"\n"), "{root}");
    let sales = read(folder.path().join("workflows/sales/Cargo.toml"));
    assert!(sales.contains("workflow-core = { version = \"^0.1.0\""), "{sales}");
    assert!(read(folder.path().join("shop/src/main.rs")).contains("use sales as _;"));
}

#[test]
fn nothing_changes_when_something_is_wrong() {
    let folder = folder();
    succeed(&folder, &["new", "sales", "--template", "service"]);
    let sales = folder.path().join("sales");
    let (manifest, main) = (read(sales.join("Cargo.toml")), read(sales.join("src/main.rs")));

    for (arguments, cure) in [
        (&["new", "Sales"][..], "write a lowercase letter"),
        (&["new", "fn"], "choose another name"),
        (&["new", "serde"], "choose another name"),
        (&["new", "assets"], "the workflow that materializes assets is named `assets`"),
        (&["new", "sales"], "the project has a package `sales` in `"),
        (&["new", "../up"], "write a lowercase letter"),
        (&["new", "b", "--template", "yaml", "--source", "api"], "leave it out"),
        (&["new", "b", "--library", "/nowhere"], "write its folder"),
        (&["new", "b", "--library", "https://a/\"x"], "a manifest cannot hold"),
        (&["new", "b", "--host", "shop"], "the hosts are `sales`"),
        // The host is named so, too.
        (&["new", "workflow-core"], "choose another name"),
    ] {
        let outcome = workflow_in(&sales, arguments);
        assert_eq!(outcome.code, Some(2), "{arguments:?}: {}", outcome.err);
        assert!(outcome.err.contains(cure), "{arguments:?}: {}", outcome.err);
    }
    let again = workflow_in(folder.path(), &["new", "sales"]);
    assert_eq!(again.code, Some(2));
    assert!(again.err.contains("exists; choose another name"), "{}", again.err);
    assert_eq!(read(sales.join("Cargo.toml")), manifest);
    assert_eq!(read(sales.join("src/main.rs")), main);
    assert!(!sales.join("workflows").exists());

    write(sales.join("Cargo.toml"), &format!("{manifest}\n[dependencies]\n"));
    let broken = workflow_in(&sales, &["new", "b"]);
    assert_eq!(broken.code, Some(2));
    assert!(broken.err.contains("duplicate key"), "{}", broken.err);
}

#[test]
fn a_workflow_file_is_valid_and_runs() {
    let folder = folder();
    succeed(&folder, &["new", "counts", "--template", "yaml"]);
    let counts = folder.path().join("counts");
    assert!(!counts.join("Cargo.toml").exists());
    let valid = succeed(&counts, &["validate", "--strict", "counts.yaml"]);
    assert_eq!(valid.err, "counts.yaml: valid, 2 jobs\n");
    let run = succeed(&counts, &["run", "counts.yaml"]);
    assert!(run.err.contains("there are "), "{}", run.err);
}

/// A project whose program prints its arguments.
fn host() -> TempDir {
    let folder = folder();
    let manifest = "[package]\nname = \"tiny-host\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
                    [package.metadata.workflow]\nhost = \"tiny-host\"\n";
    write(folder.path().join("Cargo.toml"), manifest);
    let main = "fn main() {\n    \
                println!(\"{:?}\", std::env::args().skip(1).collect::<Vec<_>>());\n    \
                std::process::exit(7)\n}\n\n\
                #[test]\nfn passes() {}\n\n#[test]\nfn fails() {\n    panic!(\"as it should\")\n}\n";
    write(folder.path().join("src/main.rs"), main);
    folder
}

#[test]
fn the_program_of_a_project_gets_the_commands() {
    let folder = host();
    let outcome = workflow_in(&folder.path().join("src"), &["run", "sales", "--input", "a b\"'$"]);
    assert_eq!(outcome.code, Some(7), "{}", outcome.err);
    assert_eq!(outcome.out, "[\"run\", \"sales\", \"--input\", \"a b\\\"'$\"]\n");
    // What needs no registered workflow builds nothing.
    write(folder.path().join("src/main.rs"), "this is no Rust");
    let version = workflow_in(folder.path(), &["--version"]);
    assert!(version.out.starts_with("workflow "), "{}{}", version.out, version.err);
    write(folder.path().join("one.yaml"), "name: one\njobs: [{name: one, command: 'true'}]\n");
    succeed(&folder, &["validate", "one.yaml"]);
    assert_eq!(workflow_in(folder.path(), &["list"]).code, Some(101));
}

#[test]
fn tests_of_a_workflow_run_by_its_name() {
    let folder = host();
    let failed = workflow_in(folder.path(), &["test", "tiny_host"]);
    assert_eq!(failed.code, Some(1), "{}", failed.err);
    assert!(failed.out.contains("as it should"), "{}", failed.out);
    succeed(&folder, &["test", "tiny-host", "--", "passes"]);
    let unknown = workflow_in(folder.path(), &["test", "sales"]);
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.err.contains("choose one of this project (`tiny-host`)"), "{}", unknown.err);
    let outside = self::folder();
    let outside = workflow_in(outside.path(), &["test", "sales"]);
    assert!(outside.err.contains("is in no Cargo package"), "{}", outside.err);
}

//! The checks of a change before it is merged.

use crate::shell::{Failure, Shell, target};
use crate::tools;
use std::time::Instant;

struct Check {
    name: &'static str,
    title: &'static str,
    run: fn(&Shell) -> Result<(), Failure>,
}

const CHECKS: [Check; 12] = [
    Check { name: "tools", title: "tools", run: all_tools },
    Check { name: "format", title: "format", run: format },
    Check { name: "spelling", title: "spelling", run: spelling },
    Check { name: "clippy", title: "clippy", run: clippy },
    Check { name: "deny", title: "licences, sources, duplicates", run: deny },
    Check { name: "docs", title: "documentation", run: docs },
    Check { name: "core", title: "tests without default features", run: core },
    Check { name: "loom", title: "concurrent accesses to a slot, in every order", run: loom },
    Check { name: "test", title: "tests and doctests", run: |shell| test(shell, &["--locked"]) },
    Check { name: "package", title: "packages of all published crates", run: package },
    Check { name: "openapi", title: "the server against its OpenAPI document", run: openapi },
    Check {
        name: "page",
        title: "the page: its committed build is current, and it works in a browser",
        run: page,
    },
];

/// The names of all checks.
pub(crate) fn names() -> String {
    CHECKS.map(|check| check.name).join(", ")
}

/// Runs the checks with these names, or all.
pub(crate) fn run(shell: &Shell, wanted: &[&str]) -> Result<(), Failure> {
    if let Some(name) = wanted.iter().find(|name| CHECKS.iter().all(|it| it.name != **name)) {
        return Err(Failure(format!("no check `{name}`; the checks are {}", names())));
    }
    for check in CHECKS.iter().filter(|it| wanted.is_empty() || wanted.contains(&it.name)) {
        println!("\n== {}", check.title);
        let begin = Instant::now();
        let again = |failure| {
            Failure(format!("{failure}; to run this again: cargo xtask ci {}", check.name))
        };
        (check.run)(shell).map_err(again)?;
        println!("== {} took {} s", check.name, begin.elapsed().as_secs());
    }
    Ok(())
}

/// Runs first, so that a machine without a tool fails early.
fn all_tools(shell: &Shell) -> Result<(), Failure> {
    tools::setup(shell)?;
    tools::browser(shell)
}

fn format(shell: &Shell) -> Result<(), Failure> {
    shell.run("cargo", &["fmt", "--all", "--check"])
}

fn spelling(shell: &Shell) -> Result<(), Failure> {
    shell.run(&tools::typos(shell)?, &[])
}

fn clippy(shell: &Shell) -> Result<(), Failure> {
    let warnings = ["--locked", "--", "-D", "warnings"];
    let all = ["clippy", "--workspace", "--all-targets", "--all-features"];
    shell.run("cargo", &[&all[..], &warnings].concat())?;
    let core = ["clippy", "-p", "workflow-core", "--no-default-features"];
    shell.run("cargo", &[&core[..], &warnings].concat())?;
    // Without encryption: the same code, less a connector.
    shell.run("cargo", &[&["clippy", "-p", "workflow-store"][..], &warnings].concat())
}

/// Fetches the advisory database from the network. If that fails, it is reported, but does not fail
/// the check.
fn deny(shell: &Shell) -> Result<(), Failure> {
    let deny =
        |arguments: &[&str]| shell.run("cargo", &[&["deny", "--all-features"], arguments].concat());
    deny(&["check", "bans", "licenses", "sources"])?;
    if shell.read("cargo", &["deny", "--all-features", "fetch", "db"]).is_none() {
        println!("advisories: not checked, the database could not be fetched");
        return Ok(());
    }
    deny(&["check", "advisories"])
}

fn docs(shell: &Shell) -> Result<(), Failure> {
    let arguments = ["doc", "--workspace", "--no-deps", "--all-features", "--locked"];
    shell.with("RUSTDOCFLAGS", "-D warnings").run("cargo", &arguments)
}

fn core(shell: &Shell) -> Result<(), Failure> {
    let arguments = ["test", "-p", "workflow-core", "--no-default-features", "--lib", "--locked"];
    shell.run("cargo", &arguments)
}

/// Stands apart from the workspace, and builds only loom.
fn loom(shell: &Shell) -> Result<(), Failure> {
    let target = target().join("loom").display().to_string();
    let shell = shell.within("loom").with("CARGO_TARGET_DIR", &target);
    shell.run("cargo", &["test", "--lib", "--locked"])
}

/// Runs all tests. Without PostgreSQL it fails at once, before building.
pub(crate) fn test(shell: &Shell, arguments: &[&str]) -> Result<(), Failure> {
    tools::postgres(shell)?;
    tools::temporal(shell)?;
    shell.run("cargo", &[&["test", "--workspace", "--all-features"], arguments].concat())
}

/// Without `sales`, which has the manifest of a new project: dependencies by path alone.
fn package(shell: &Shell) -> Result<(), Failure> {
    let workspace = ["package", "--workspace", "--exclude", "sales"];
    shell.run("cargo", &[&workspace[..], &["--no-verify", "--allow-dirty", "--locked"]].concat())
}

fn openapi(shell: &Shell) -> Result<(), Failure> {
    let program = workflow_program(shell)?;
    let shell = shell.with("SCHEMATHESIS", &tools::schemathesis(shell)?);
    shell.run("workflow-server/tests/schemathesis.sh", &[&program])
}

/// Builds the page, tests it in a browser, and compares it with the committed build.
pub(crate) fn page(shell: &Shell) -> Result<(), Failure> {
    tools::browser(shell)?;
    let program = workflow_program(shell)?;
    let page = shell.within("workflow-server/page");
    page.run("npm", &["ci", "--no-audit", "--no-fund"])?;
    page.with("WORKFLOW_BIN", &program).run("npm", &["run", "check"])?;
    let changed = page.read("git", &["status", "--porcelain", "--", "dist"]);
    match changed.as_deref() {
        Some("") => Ok(()),
        Some(_) => {
            page.run("git", &["--no-pager", "diff", "--stat", "--", "dist"])?;
            Err(Failure(
                "workflow-server/page/dist is out of date; commit the new build".to_owned(),
            ))
        }
        None => Err(Failure("cannot ask git whether `dist` is committed".to_owned())),
    }
}

/// Builds the command line as the tests do, and returns its path. `cargo build` would select other
/// features of the dependencies and build most of them again.
fn workflow_program(shell: &Shell) -> Result<String, Failure> {
    let arguments = ["test", "--workspace", "--all-features", "--locked"];
    shell.run("cargo", &[&arguments[..], &["--no-run", "--test", "cli"]].concat())?;
    Ok(target().join("debug/workflow").display().to_string())
}

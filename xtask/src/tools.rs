//! Installs the tools of the checks besides Rust. Only the browser needs root.

use std::path::PathBuf;

use crate::shell::{Failure, Shell, has, target};

/// Pinned, because each version reports other mistakes.
const TYPOS: &str = "1.52.0";

/// Installs all tools of the checks except the browser.
pub(crate) fn setup(shell: &Shell) -> Result<(), Failure> {
    for component in ["fmt", "clippy"] {
        if !has(&format!("cargo-{component}")) {
            let name = if component == "fmt" { "rustfmt" } else { component };
            shell.run("rustup", &["component", "add", name])?;
        }
    }
    if !has("cargo-deny") {
        shell.run("cargo", &["install", "--locked", "cargo-deny"])?;
    }
    typos(shell)?;
    schemathesis(shell)?;
    postgres(shell)?;
    temporal(shell)
}

/// Finds PostgreSQL, or fetches it as the tests would.
pub(crate) fn postgres(shell: &Shell) -> Result<(), Failure> {
    shell.run("cargo", &["run", "--quiet", "--locked", "-p", "test-postgres"])
}

/// Finds the command `temporal`, or fetches it as the tests would.
pub(crate) fn temporal(shell: &Shell) -> Result<(), Failure> {
    shell.run("cargo", &["run", "--quiet", "--locked", "-p", "test-temporal"])
}

/// The path of the spelling checker `typos`, from PyPI or else built from source.
pub(crate) fn typos(shell: &Shell) -> Result<String, Failure> {
    let python = Python { name: "typos" };
    if !python.has("typos") && python.install(shell, &format!("typos=={TYPOS}")).is_err() {
        let root = python.folder().display().to_string();
        let version = ["--version", TYPOS, "--root", &root];
        shell.run("cargo", &[&["install", "--locked", "typos-cli"], &version[..]].concat())?;
    }
    Ok(python.program("typos"))
}

/// The path of `schemathesis`, which tests the server against its OpenAPI document.
pub(crate) fn schemathesis(shell: &Shell) -> Result<String, Failure> {
    if has("schemathesis") {
        return Ok("schemathesis".to_owned());
    }
    let python = Python { name: "schemathesis" };
    if !python.has("schemathesis") {
        python.install(shell, "schemathesis>=4,<5")?;
    }
    Ok(python.program("schemathesis"))
}

/// A Python environment in the target folder, for one tool.
struct Python {
    name: &'static str,
}

impl Python {
    fn folder(&self) -> PathBuf {
        target().join(self.name)
    }

    fn program(&self, name: &str) -> String {
        self.folder().join("bin").join(name).display().to_string()
    }

    fn has(&self, program: &str) -> bool {
        PathBuf::from(self.program(program)).is_file()
    }

    fn install(&self, shell: &Shell, package: &str) -> Result<(), Failure> {
        shell.run("python3", &["-m", "venv", &self.folder().display().to_string()])?;
        shell.run(&self.program("pip"), &["install", "--quiet", package])
    }
}

/// Makes sure that node, npm and a browser are installed, to build and test the page.
pub(crate) fn browser(shell: &Shell) -> Result<(), Failure> {
    if !has("node") || !has("npm") {
        return Err(Failure("the page needs node 20 or newer with npm; install them".to_owned()));
    }
    if has("chromium") || has("google-chrome") {
        return Ok(());
    }
    if !has("apt-get") {
        return Err(Failure("the tests of the page need `chromium`; install it".to_owned()));
    }
    let root = shell.read("id", &["-u"]).is_some_and(|id| id.trim() == "0");
    let install = |arguments: &[&str]| match root {
        true => shell.run("apt-get", arguments),
        false => shell.run("sudo", &[&["apt-get"], arguments].concat()),
    };
    install(&["update", "-qq"])?;
    install(&["install", "-y", "-qq", "--no-install-recommends", "chromium"])
}

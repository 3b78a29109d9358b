//! Finds and runs tools, and installs packages with pip, for tests that need a program.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Installs a package into a folder, with the first pip that answers on this path.
///
/// # Errors
///
/// Fails if there is no pip, and with the last line of its output.
pub(crate) fn install_with_pip(package: &str, folder: &Path, path: &OsStr) -> Result<(), String> {
    let forms = [&["python3", "-m", "pip"][..], &["pip3"], &["pip"], &["python", "-m", "pip"]];
    let pip = |form: &[&str]| {
        let mut command = Command::new(find(form[0], path)?);
        command.args(&form[1..]);
        Some(command)
    };
    let answers = |form: &&[&str]| {
        pip(form).is_some_and(|mut command| run(command.arg("--version"), path).is_ok())
    };
    let form = forms.into_iter().find(answers).ok_or("pip is not installed")?;
    let mut command = pip(form).ok_or("pip is not installed")?;
    command.args(["install", "--quiet", "--no-input", "--disable-pip-version-check", "--no-deps"]);
    command.args(["--only-binary=:all:", "--target"]).arg(folder).arg(package);
    run(command.env("PIP_ROOT_USER_ACTION", "ignore"), path)
        .map_err(|error| format!("pip cannot install {package}: {error}"))
}

/// Finds a program on this path.
pub(crate) fn find(name: &str, path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Runs a command to its end, with this path. The error is its last line of output, or its exit
/// status.
///
/// # Errors
///
/// Fails if the command does not start or does not succeed.
pub(crate) fn run(command: &mut Command, path: &OsStr) -> Result<(), String> {
    let output = command.env("PATH", path).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let line = said.lines().rev().find(|line| !line.trim().is_empty());
    Err(line.map_or_else(|| output.status.to_string(), |line| line.trim().to_owned()))
}

//! Finds and runs tools, and installs packages with pip, for tests that need a program.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Installs a package into a folder, with the first pip that answers on this path.
///
/// # Errors
///
/// Fails if there is no pip, and with the last line of its output.
#[allow(clippy::allow_attributes, dead_code, reason = "not every crate installs so")]
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

/// Makes a Python environment in a folder, once for all processes, and installs packages with their
/// dependencies. Returns the program of this name in it.
///
/// # Errors
///
/// Fails if there is no Python with `venv`, and with the last line of pip's output.
#[allow(
    clippy::allow_attributes,
    clippy::incompatible_msrv,
    dead_code,
    reason = "not every crate needs an environment, and tests need a newer Rust than libraries"
)]
pub(crate) fn python_program(
    name: &str,
    packages: &[&str],
    folder: &Path,
    path: &OsStr,
) -> Result<PathBuf, String> {
    let program = folder.join("bin").join(name);
    let cannot = |error: std::io::Error| format!("cannot write `{}`: {error}", folder.display());
    std::fs::create_dir_all(folder).map_err(cannot)?;
    let lock = std::fs::File::create(folder.join("lock")).map_err(cannot)?;
    lock.lock().map_err(cannot)?;
    // The last thing that is written: an installation may have been interrupted.
    let is_complete = folder.join("complete");
    if !is_complete.is_file() {
        let python = find("python3", path).ok_or("python3 is not installed")?;
        run(Command::new(python).args(["-m", "venv"]).arg(folder), path)
            .map_err(|error| format!("python3 cannot make an environment: {error}"))?;
        let mut pip = Command::new(folder.join("bin/pip"));
        pip.args(["install", "--quiet", "--no-input", "--disable-pip-version-check"]);
        run(pip.args(packages), path)
            .map_err(|error| format!("pip cannot install {}: {error}", packages.join(" ")))?;
        std::fs::write(is_complete, "").map_err(cannot)?;
    }
    Ok(program)
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

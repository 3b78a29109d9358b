//! Finds dbt, tells dbt-core from other programs of this name, and installs it.

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use workflow_core::error_text::io_reason;

/// A `dbt` that this crate can run: dbt-core from version 1.8, before 2.
///
/// ```no_run
/// use std::path::Path;
/// use workflow_dbt::Program;
///
/// let project = Path::new("warehouse");
/// let dbt = Program::find(project).or_else(|_| Program::setup(project))?;
/// println!("dbt-core {} at {}", dbt.version(), dbt.path().display());
/// # Ok::<(), workflow_dbt::ProgramError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    path: PathBuf,
    version: Version,
}

/// The version of dbt-core: major, minor, patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// The packages that [`Program::setup`] installs.
const PACKAGES: [&str; 2] = ["dbt-core>=1.11,<1.12", "dbt-duckdb"];
/// The virtual environment of a project.
const VENV: &str = ".venv";
/// The first version whose manifest has the schema v12.
const OLDEST: Version = Version(1, 8, 0);

impl Program {
    /// Finds dbt for a project: in its virtual environment `.venv`, or else on `PATH`.
    ///
    /// # Errors
    ///
    /// Fails when there is none, and as [`at`](Self::at) does. A wrong `dbt` in `.venv` is an
    /// error; one on `PATH` is one if no later folder of `PATH` has dbt-core.
    pub fn find(project: &Path) -> Result<Self, ProgramError> {
        let own = project.join(VENV).join("bin/dbt");
        if own.is_file() {
            return Self::at(&own);
        }
        Self::on_path(project, &std::env::var_os("PATH").unwrap_or_default())
    }

    fn on_path(project: &Path, path: &OsStr) -> Result<Self, ProgramError> {
        let mut wrong = None;
        for found in std::env::split_paths(path).map(|folder| folder.join("dbt")) {
            if !found.is_file() {
                continue;
            }
            match Self::at(&found) {
                Ok(program) => return Ok(program),
                Err(error) => wrong = wrong.or(Some(error)),
            }
        }
        Err(wrong.unwrap_or_else(|| ProgramError::Missing { project: project.to_owned() }))
    }

    /// Takes the dbt at this path, after asking it for its version.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be run, when it is another program than dbt-core, such as dbt
    /// Fusion or the dbt Cloud CLI, and when it is older than 1.8.
    pub fn at(path: &Path) -> Result<Self, ProgramError> {
        let mut command = Command::new(path);
        command.arg("--version").env("DO_NOT_TRACK", "1").stdin(Stdio::null());
        let failed = |source| ProgramError::Start { path: path.to_owned(), source };
        let Some(said) = printed_in(PATIENCE, command).map_err(failed)? else {
            let what = format!("a program whose `--version` takes longer than {PATIENCE:?}");
            return Err(ProgramError::Other { path: path.to_owned(), what });
        };
        let other = |what| ProgramError::Other { path: path.to_owned(), what };
        let version = match Flavor::of(&said) {
            Flavor::Core(version) => version,
            Flavor::Fusion(version) => return Err(other(format!("dbt Fusion {version}"))),
            Flavor::CloudCli => return Err(other("the dbt Cloud CLI".to_owned())),
            Flavor::Unknown => return Err(other(unknown(&said))),
        };
        if version < OLDEST {
            return Err(ProgramError::Old { path: path.to_owned(), version });
        }
        Ok(Self { path: std::path::absolute(path).map_err(failed)?, version })
    }

    /// Creates the virtual environment `.venv` in the project with `python3`, and installs dbt-core
    /// 1.11 with the adapter for DuckDB into it with pip. Other adapters are installed with
    /// `.venv/bin/pip`.
    ///
    /// # Errors
    ///
    /// Fails when `python3` is missing, and when pip cannot install the packages.
    pub fn setup(project: &Path) -> Result<Self, ProgramError> {
        let venv = project.join(VENV);
        let mut python = Command::new("python3");
        python.args(["-m", "venv"]).arg(&venv);
        run(python, "create the virtual environment")?;
        let mut pip = Command::new(venv.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]);
        pip.args(PACKAGES);
        run(pip, "install dbt")?;
        Self::at(&venv.join("bin/dbt"))
    }

    /// A program that does not have to exist.
    #[cfg(test)]
    pub(crate) fn unchecked(path: &str) -> Self {
        Self { path: path.into(), version: OLDEST }
    }

    /// The path of the program.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The version of dbt-core.
    pub fn version(&self) -> Version {
        self.version
    }
}

/// What a program named dbt is.
#[derive(Debug, PartialEq, Eq)]
enum Flavor {
    Core(Version),
    Fusion(String),
    CloudCli,
    Unknown,
}

impl Flavor {
    /// Finds it from what `dbt --version` prints.
    fn of(said: &str) -> Self {
        if said.contains("Cloud CLI") || said.contains("dbt platform CLI") {
            return Self::CloudCli;
        }
        let mut lines = said.lines().map(str::trim);
        if lines.clone().any(|line| line == "Core:") {
            let installed = lines.find_map(|line| line.strip_prefix("- installed:"));
            return installed.and_then(version).map_or(Self::Unknown, Self::Core);
        }
        // `dbt-fusion 2.0.0-preview.45`, and `dbt 2.0.9`.
        let fusion = lines.find_map(|line| {
            let (name, version) = line.split_once(' ')?;
            let number = version.trim().split(' ').next()?;
            let is_fusion =
                matches!(name, "dbt" | "dbtf" | "dbt-fusion") && number.starts_with('2');
            is_fusion.then(|| number.to_owned())
        });
        fusion.map_or(Self::Unknown, Self::Fusion)
    }
}

/// How long a program may take to say its version. Python starts in some seconds on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a program prints; `None` if it takes too long and was killed.
fn printed_in(patience: Duration, mut command: Command) -> io::Result<Option<String>> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (sender, receiver) = mpsc::channel();
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    std::thread::spawn(move || {
        let (mut said, mut errors) = (Vec::new(), Vec::new());
        // An error of the pipe is the end of what it says.
        let _ = stdout.map(|mut stdout| stdout.read_to_end(&mut said));
        let _ = stderr.map(|mut stderr| stderr.read_to_end(&mut errors));
        said.extend(errors);
        // Fails if nobody waits any more.
        let _ = sender.send(String::from_utf8_lossy(&said).into_owned());
    });
    let said = receiver.recv_timeout(patience).ok();
    if said.is_none() {
        child.kill()?;
    }
    child.wait()?;
    Ok(said)
}

/// Reads a version such as `1.11.16` or `1.12.0-rc1`.
fn version(text: &str) -> Option<Version> {
    let mut parts = text.trim().splitn(3, '.');
    let mut next = || {
        let part = parts.next()?;
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        part[..digits].parse().ok()
    };
    let version = Version(next()?, next()?, next().unwrap_or(0));
    (version.0 == 1).then_some(version)
}

fn unknown(said: &str) -> String {
    let line = said.lines().map(str::trim).find(|line| !line.is_empty());
    let line: String = line.unwrap_or("nothing").chars().take(120).collect();
    format!("a program whose `--version` prints `{line}`")
}

/// The last lines of what dbt printed, at most this many.
pub(crate) fn last_lines(said: &str, most: usize, separator: &str) -> String {
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    match lines.len() {
        0 => "it says nothing about it".to_owned(),
        count => lines[count.saturating_sub(most)..].join(separator),
    }
}

fn run(mut command: Command, doing: &'static str) -> Result<(), ProgramError> {
    let reason = match command.stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => return Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let line = said.lines().rev().find(|line| line.contains("ERROR"));
            let line = line.or_else(|| said.lines().rev().find(|line| !line.trim().is_empty()));
            line.map_or_else(|| output.status.to_string(), |line| line.trim().to_owned())
        }
        Err(error) => {
            let program = command.get_program().to_string_lossy();
            format!("cannot start `{program}`: {}", io_reason(&error))
        }
    };
    Err(ProgramError::Setup { doing, reason })
}

/// Why there is no usable dbt.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// There is no `dbt`.
    #[error(
        "dbt is neither in `{}` nor on PATH; install it there: `python3 -m venv .venv` and \
         `.venv/bin/pip install 'dbt-core>=1.11,<1.12'` with the adapter of the database",
        project.join(VENV).display()
    )]
    Missing {
        /// The project.
        project: PathBuf,
    },
    /// The file cannot be run.
    #[error("cannot run `{}`; install dbt-core again, or remove the file", path.display())]
    Start {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// It is not dbt-core.
    #[error(
        "`{}` is {what}, not dbt-core 1.x; install dbt-core in the folder `.venv` of the project, \
         or name its `dbt`",
        path.display()
    )]
    Other {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: String,
    },
    /// It is too old.
    #[error("`{}` is dbt-core {version}; upgrade it to 1.8 or later", path.display())]
    Old {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: Version,
    },
    /// It cannot be installed.
    #[error("cannot {doing}: {reason}; install python3 with venv, and check the network of pip")]
    Setup {
        /// What failed.
        doing: &'static str,
        /// Why.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_tell_dbt_core_from_others() {
        let core = "Core:\n  - installed: 1.11.16\n  - latest:    1.12.6  - Update available!\n\n\
                    Plugins:\n  - duckdb: 1.11.1 - Up to date!\n";
        assert_eq!(Flavor::of(core), Flavor::Core(Version(1, 11, 16)));
        let candidate = core.replace("1.11.16", "1.12.0-rc1");
        assert_eq!(Flavor::of(&candidate), Flavor::Core(Version(1, 12, 0)));
        let cloud = "dbt Cloud CLI - 0.40.7 (b6f0a3d 2026-05-01T10:00:00Z)\n";
        assert_eq!(Flavor::of(cloud), Flavor::CloudCli);
        for (said, version) in
            [("dbt-fusion 2.0.0-preview.45", "2.0.0-preview.45"), ("dbt 2.0.9\n", "2.0.9")]
        {
            assert_eq!(Flavor::of(said), Flavor::Fusion(version.to_owned()));
        }
        for said in ["", "Core:\n  - installed: x", "Core:\n", "dbt", "dbt 7", "usage: dbt"] {
            assert_eq!(Flavor::of(said), Flavor::Unknown, "{said}");
        }
    }

    #[test]
    fn a_program_that_says_nothing_is_killed() {
        let mut command = Command::new("sleep");
        command.arg("600");
        assert_eq!(printed_in(Duration::from_millis(20), command).expect("it starts"), None);
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo err >&2"]);
        let said = printed_in(PATIENCE, command).expect("it starts");
        assert_eq!(said.as_deref(), Some("out\nerr\n"));
    }

    #[test]
    fn the_last_lines_with_text_are_kept() {
        assert_eq!(last_lines("one\n\ntwo\n  \nthree", 2, "; "), "two; three");
        assert_eq!(last_lines(" \n", 2, "; "), "it says nothing about it");
    }

    #[test]
    fn without_dbt_the_cure_is_named() {
        let error = Program::on_path(Path::new("shop"), OsStr::new("/nowhere"));
        let text = error.expect_err("nothing there").to_string();
        assert!(text.starts_with("dbt is neither in `shop/.venv` nor on PATH; install"), "{text}");
    }
}

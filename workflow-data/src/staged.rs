//! Files that appear complete or not at all: written beside their final name, and renamed.

mod lock;

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) use self::lock::FileLock;

/// A file in the making. Dropped without [`commit`](StagedFile::commit), it leaves no trace.
#[derive(Debug)]
pub(crate) struct StagedFile {
    target: PathBuf,
    partial: PathBuf,
    /// `None` once it is committed.
    writer: Option<BufWriter<File>>,
}

impl StagedFile {
    /// Begins a file, and creates its folder.
    ///
    /// # Errors
    ///
    /// Fails when a folder, a device or the like has the name. A link to a file stays, and that file
    /// is replaced.
    pub(crate) fn begin(target: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder_of(target))?;
        let target = resolve(target)?;
        // Whoever may not remove them writes its own file nevertheless.
        let _ = remove_abandoned(&target);
        Self::create(target)
    }

    fn create(target: PathBuf) -> io::Result<Self> {
        let (partial, file) = loop {
            let partial = folder_of(&target).join(partial_name(&target));
            let file = File::options().read(true).write(true).create_new(true).open(&partial)?;
            // Another process may have taken it for one of a process that died.
            if lock::take(&file, &partial)? {
                break (partial, file);
            }
        };
        let mut staged = Self { target, partial, writer: None };
        if let Ok(old) = fs::metadata(&staged.target) {
            file.set_permissions(old.permissions())?;
        }
        staged.writer = Some(BufWriter::new(file));
        Ok(staged)
    }

    /// Gives the file its name, in place of an older one.
    pub(crate) fn commit(self) -> io::Result<()> {
        let lock = FileLock::acquire(&self.target)?;
        self.replace(&lock)
    }

    /// Gives the file its name, in place of an older one, under the lock of its target.
    pub(crate) fn replace(mut self, _: &FileLock) -> io::Result<()> {
        self.complete()?.sync_all()?;
        // It may have changed since the file was begun.
        resolve(&self.target)?;
        fs::rename(&self.partial, &self.target)?;
        sync_folder(folder_of(&self.target))
    }

    /// Adds what was written to the lines of the target, under its lock. A target without content
    /// gets the header first.
    ///
    /// The target is read here and not before, because others may have added lines meanwhile. They
    /// and the new ones are written to a file of their own, so a reader sees all of them or none.
    pub(crate) fn append(mut self, lock: &FileLock, header: &[u8]) -> io::Result<()> {
        let mut added = self.complete()?;
        let content = Content::of(&self.target)?;
        if content != Content::Empty && added.metadata()?.len() == 0 {
            return Ok(());
        }
        let mut whole = Self::create(self.target.clone())?;
        match content {
            Content::Empty => whole.write_all(header)?,
            Content::Lines | Content::Unfinished => {
                io::copy(&mut File::open(&self.target)?, &mut whole)?;
            }
        }
        if content == Content::Unfinished {
            whole.write_all(b"\n")?;
        }
        added.seek(SeekFrom::Start(0))?;
        io::copy(&mut added, &mut whole)?;
        whole.replace(lock)
    }

    /// The file with everything that was written.
    fn complete(&mut self) -> io::Result<File> {
        let writer = self.writer.take().ok_or_else(is_complete)?;
        writer.into_inner().map_err(io::IntoInnerError::into_error)
    }
}

/// What a file contains before lines are added to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// Nothing, or there is no file.
    Empty,
    Lines,
    /// Lines, the last of which does not end.
    Unfinished,
}

impl Content {
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::Empty),
            Err(error) => return Err(error),
        };
        if file.metadata()?.len() == 0 {
            return Ok(Self::Empty);
        }
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        Ok(if last == *b"\n" { Self::Lines } else { Self::Unfinished })
    }
}

impl Write for StagedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.writer {
            Some(writer) => writer.write(bytes),
            None => Err(is_complete()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        self.writer = None;
        // After a commit there is no such file. A file that cannot be removed is hidden, and no
        // reader takes it for a table.
        let _ = fs::remove_file(&self.partial);
    }
}

fn is_complete() -> io::Error {
    io::Error::other("the file is complete")
}

/// Checks that a path names a file, or nothing.
pub(crate) fn check(target: &Path) -> io::Result<()> {
    resolve(target).map(|_| ())
}

/// The file that a path names. Refuses what can be neither replaced nor read as a whole.
fn resolve(target: &Path) -> io::Result<PathBuf> {
    let refuse = |message: &str| Err(io::Error::other(message));
    match fs::metadata(target) {
        Ok(found) if found.is_file() => fs::canonicalize(target),
        Ok(found) if found.is_dir() => refuse("a folder has this name; choose the path of a file"),
        Ok(_) => refuse("a device, a pipe or a socket has this name; choose the path of a file"),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Err(_) if target.is_symlink() => {
            refuse("a link to a missing file has this name; create the file, or remove the link")
        }
        Err(_) => Ok(target.to_owned()),
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// A hidden name that no other writer uses. Its extension matches no pattern for tables.
fn partial_name(target: &Path) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let process = std::process::id();
    // A process may have the number of one that died.
    let nanos = jiff::Timestamp::now().as_nanosecond();
    format!(".{name}.{process}-{nanos}-{number}.partial")
}

/// Removes the files that killed writers of this target have left. A living one holds the lock of
/// its file, on whichever machine or in whichever container it is.
fn remove_abandoned(target: &Path) -> io::Result<()> {
    let start = format!(".{}.", target.file_name().unwrap_or_default().to_string_lossy());
    for entry in fs::read_dir(folder_of(target))? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let rest = name.strip_prefix(&start).and_then(|rest| rest.strip_suffix(".partial"));
        let is_partial = |rest: &str| {
            rest.split('-').count() == 3
                && rest.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit())
        };
        if rest.is_some_and(is_partial)
            && let Some(_held) = lock::take_abandoned(&entry.path())?
        {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Makes a rename durable.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_appears_when_it_is_committed() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let inner = folder.path().join("deep");
        let path = inner.join("table.csv");
        let mut file = StagedFile::begin(&path)?;
        file.write_all(b"a\n")?;
        assert!(!path.exists());
        file.commit()?;
        assert_eq!(fs::read_to_string(&path)?, "a\n");
        let mut file = StagedFile::begin(&path)?;
        file.write_all(b"b\n")?;
        drop(file);
        assert_eq!(fs::read_to_string(&path)?, "a\n");
        assert_eq!(fs::read_dir(inner)?.count(), 1);
        Ok(())
    }

    #[test]
    fn lines_are_added_to_those_of_the_commit() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("lines");
        let add = |file: StagedFile| file.append(&FileLock::acquire(&path)?, b"header\n");
        let mut first = StagedFile::begin(&path)?;
        first.write_all(b"a\n")?;
        let mut second = StagedFile::begin(&path)?;
        second.write_all(b"b")?;
        add(second)?;
        add(first)?;
        add(StagedFile::begin(&path)?)?;
        assert_eq!(fs::read_to_string(&path)?, "header\nb\na\n");
        assert_eq!(fs::read_dir(folder.path())?.count(), 1);
        Ok(())
    }

    /// Each thread reads the file, and replaces it by one line more.
    #[cfg(unix)]
    #[test]
    fn one_thread_holds_the_lock() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("lines");
        let add = || -> io::Result<()> {
            for _ in 0..20 {
                let lock = FileLock::acquire(&path)?;
                let old = fs::read_to_string(&path).unwrap_or_default();
                let mut file = StagedFile::begin(&path)?;
                writeln!(file, "{old}a")?;
                file.replace(&lock)?;
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(add)).collect();
            threads.into_iter().try_for_each(|thread| thread.join().expect("no panic"))
        })?;
        assert_eq!(fs::read_to_string(&path)?.lines().count(), 80);
        assert_eq!(fs::read_dir(folder.path())?.count(), 1);
        Ok(())
    }

    /// Files of other targets, and of writers that live, stay.
    #[cfg(unix)]
    #[test]
    fn files_of_killed_writers_are_removed() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("a.csv");
        for name in [".a.csv.1-2-3.partial", ".a.csv.b.csv.1-2-3.partial", ".b.csv.1-2-3.partial"] {
            fs::write(folder.path().join(name), "half")?;
        }
        let living = StagedFile::begin(&path)?;
        StagedFile::begin(&path)?.commit()?;
        living.commit()?;
        let mut left = Vec::new();
        for entry in fs::read_dir(folder.path())? {
            left.push(entry?.file_name().to_string_lossy().into_owned());
        }
        left.sort();
        assert_eq!(left, [".a.csv.b.csv.1-2-3.partial", ".b.csv.1-2-3.partial", "a.csv"]);
        Ok(())
    }

    #[cfg(unix)]
    #[test]
    fn only_files_are_replaced() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = |name: &str| folder.path().join(name);
        std::os::unix::fs::symlink("nothing", path("dangling"))?;
        let _socket = std::os::unix::net::UnixListener::bind(path("socket"))?;
        for (name, reason) in
            [("dangling", "a link to a missing file"), ("socket", "a device, a pipe")]
        {
            let error = StagedFile::begin(&path(name)).expect_err("it is no file");
            assert!(error.to_string().starts_with(reason), "{error}");
        }
        fs::write(path("file"), "old")?;
        std::os::unix::fs::symlink("file", path("link"))?;
        let mut file = StagedFile::begin(&path("link"))?;
        file.write_all(b"new")?;
        file.commit()?;
        assert!(path("link").is_symlink());
        assert_eq!(fs::read_to_string(path("file"))?, "new");
        Ok(())
    }
}

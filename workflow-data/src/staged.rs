//! Files that appear complete or not at all: written beside their final name, and renamed.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A file in the making. Dropped without [`commit`](StagedFile::commit), it leaves no trace.
#[derive(Debug)]
pub(crate) struct StagedFile {
    target: PathBuf,
    partial: PathBuf,
    /// `None` once it is committed.
    writer: Option<BufWriter<File>>,
}

/// What a staged file contains at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// Nothing.
    Empty,
    /// What the file of that name contains, if there is one.
    Existing,
}

impl StagedFile {
    /// Begins a file, and creates its folder.
    pub(crate) fn begin(target: &Path, start: Start) -> io::Result<Self> {
        fs::create_dir_all(folder_of(target))?;
        // A link stays, and the file that it leads to is replaced.
        let target = &fs::canonicalize(target).unwrap_or_else(|_| target.to_owned());
        let folder = folder_of(target);
        if target.is_dir() {
            let message = "a folder has this name; choose the path of a file";
            return Err(io::Error::other(message));
        }
        let partial = folder.join(partial_name(target));
        let mut file = File::create_new(&partial)?;
        let mut staged = Self { target: target.to_owned(), partial, writer: None };
        if let Ok(old) = fs::metadata(target) {
            file.set_permissions(old.permissions())?;
            if start == Start::Existing {
                io::copy(&mut File::open(target)?, &mut file)?;
            }
        }
        staged.writer = Some(BufWriter::new(file));
        Ok(staged)
    }

    /// Gives the file its name, in place of an older one.
    pub(crate) fn commit(mut self) -> io::Result<()> {
        if let Some(writer) = self.writer.take() {
            let file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.sync_all()?;
        }
        fs::rename(&self.partial, &self.target)?;
        sync_folder(folder_of(&self.target))
    }
}

impl Write for StagedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.writer {
            Some(writer) => writer.write(bytes),
            None => Err(io::Error::other("the file is complete")),
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
        let mut file = StagedFile::begin(&path, Start::Empty)?;
        file.write_all(b"a\n")?;
        assert!(!path.exists());
        file.commit()?;
        assert_eq!(fs::read_to_string(&path)?, "a\n");
        let mut file = StagedFile::begin(&path, Start::Existing)?;
        file.write_all(b"b\n")?;
        drop(file);
        assert_eq!(fs::read_to_string(&path)?, "a\n");
        assert_eq!(fs::read_dir(inner)?.count(), 1);
        Ok(())
    }
}

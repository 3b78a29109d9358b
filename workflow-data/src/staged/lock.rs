//! `FileLock`: one writer of a file at a time, among all processes of the machine.

use std::fs::File;
use std::io;
use std::path::Path;

/// The lock of a file, held until it is dropped.
///
/// Programs that do not ask for it are not kept out. Systems other than Unix have no such lock, so
/// pipelines there must not append to one file at the same time.
#[derive(Debug)]
pub(crate) struct FileLock {
    #[cfg(unix)]
    _held: unix::Held,
}

impl FileLock {
    /// Waits until nobody else holds the lock of this file, whose folder exists.
    pub(crate) fn acquire(target: &Path) -> io::Result<Self> {
        let target = super::resolve(target)?;
        #[cfg(not(unix))]
        let _ = target;
        Ok(Self {
            #[cfg(unix)]
            _held: unix::Held::wait(&target)?,
        })
    }
}

/// Locks a new file for as long as it is open. False if another process has removed it.
#[cfg(unix)]
pub(super) fn take(file: &File, path: &Path) -> io::Result<bool> {
    unix::take(file, path)
}

#[cfg(not(unix))]
pub(super) fn take(_: &File, _: &Path) -> io::Result<bool> {
    Ok(true)
}

/// Locks a file whose writer has died, so that nobody holds its lock. `None` if the writer lives.
#[cfg(unix)]
pub(super) fn take_abandoned(path: &Path) -> io::Result<Option<File>> {
    unix::take_abandoned(path)
}

#[cfg(not(unix))]
pub(super) fn take_abandoned(_: &Path) -> io::Result<Option<File>> {
    Ok(None)
}

#[cfg(unix)]
mod unix {
    use std::fs::{self, File};
    use std::io;
    use std::os::unix::fs::MetadataExt;
    use std::path::{Path, PathBuf};

    use rustix::fs::{FlockOperation, flock};
    use rustix::io::{Errno, retry_on_intr};

    /// A locked file beside the target. The target itself is replaced, and with it its lock.
    #[derive(Debug)]
    pub(super) struct Held {
        path: PathBuf,
        /// The lock ends with it.
        _file: File,
    }

    impl Held {
        pub(super) fn wait(target: &Path) -> io::Result<Self> {
            let name = target.file_name().unwrap_or_default().to_string_lossy();
            let path = super::super::folder_of(target).join(format!(".{name}.lock"));
            let mut options = File::options();
            options.write(true).create(true).truncate(false);
            loop {
                let file = options.open(&path)?;
                retry_on_intr(|| flock(&file, FlockOperation::LockExclusive))?;
                // Whoever held the lock has removed its file.
                if is_at(&file, &path)? {
                    return Ok(Self { path, _file: file });
                }
            }
        }
    }

    impl Drop for Held {
        fn drop(&mut self) {
            // A file that stays, as after a crash, is hidden, and locks as well as a new one.
            let _ = fs::remove_file(&self.path);
        }
    }

    pub(super) fn take(file: &File, path: &Path) -> io::Result<bool> {
        retry_on_intr(|| flock(file, FlockOperation::LockExclusive))?;
        is_at(file, path)
    }

    pub(super) fn take_abandoned(path: &Path) -> io::Result<Option<File>> {
        let file = File::open(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(file)),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn is_at(file: &File, path: &Path) -> io::Result<bool> {
        let (open, named) = (file.metadata()?, fs::metadata(path));
        match named {
            Ok(named) => Ok((open.dev(), open.ino()) == (named.dev(), named.ino())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

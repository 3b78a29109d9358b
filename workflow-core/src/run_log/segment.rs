//! The files of a log: one for each time that it was opened for writing, numbered without gaps.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The number of the first segment, which has the path of the log.
pub(super) const FIRST: u32 = 1;

/// Returns the path of a segment: the second one of `output.log` is `output.2.log`.
pub(super) fn path_of(log: &Path, segment: u32) -> PathBuf {
    if segment == FIRST {
        return log.to_owned();
    }
    let mut name = OsString::from(log.file_stem().unwrap_or_default());
    name.push(format!(".{segment}"));
    if let Some(extension) = log.extension() {
        name.push(".");
        name.push(extension);
    }
    log.with_file_name(name)
}

/// Returns the existing segments, in order.
pub(super) fn all(log: &Path) -> impl DoubleEndedIterator<Item = u32> {
    let count = (FIRST..).take_while(|segment| exists(log, *segment)).count();
    FIRST..FIRST.saturating_add(u32::try_from(count).unwrap_or(u32::MAX))
}

pub(super) fn exists(log: &Path, segment: u32) -> bool {
    path_of(log, segment).exists()
}

/// Creates the next segment, which nobody else writes to.
pub(super) fn create(log: &Path) -> io::Result<(u32, File)> {
    let mut segment = FIRST;
    loop {
        let made = OpenOptions::new().append(true).create_new(true).open(path_of(log, segment));
        match made {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => segment += 1,
            made => return made.map(|file| (segment, file)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_stand_beside_each_other() {
        let name = |log: &str, segment| path_of(Path::new(log), segment).display().to_string();
        assert_eq!(name("runs/1/output.log", 1), "runs/1/output.log");
        assert_eq!(name("runs/1/output.log", 2), "runs/1/output.2.log");
        assert_eq!(name("a.b.log", 13), "a.b.13.log");
        assert_eq!(name("log", 2), "log.2");
    }
}

//! The folder in which the processes of a run leave their logs.
//!
//! Each process has a folder of its own, `1`, `2` and so on, with `dbt.log`, which dbt writes, what
//! it prints, and a copy of its `run_results.json` if it reached its end. The logs are the record of
//! the run.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::event::LogEvent;

/// The folder of a run.
#[derive(Debug, Clone)]
pub(crate) struct LogFolder(PathBuf);

impl LogFolder {
    pub(crate) fn new(run: &Path) -> Self {
        Self(run.join("dbt"))
    }

    /// The folders of the processes, in order.
    pub(crate) fn processes(&self) -> Vec<ProcessFolder> {
        (1..).map(|number| self.process(number)).take_while(ProcessFolder::exists).collect()
    }

    /// Creates the folder of the next process.
    pub(crate) fn create_next(&self) -> io::Result<ProcessFolder> {
        let next = self.process(self.processes().len() + 1);
        fs::create_dir_all(next.state())?;
        Ok(next)
    }

    fn process(&self, number: usize) -> ProcessFolder {
        ProcessFolder(self.0.join(number.to_string()))
    }
}

/// The folder of a process.
#[derive(Debug, Clone)]
pub(crate) struct ProcessFolder(PathBuf);

impl ProcessFolder {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    fn exists(&self) -> bool {
        self.0.is_dir()
    }

    /// The JSON log, which dbt writes.
    pub(crate) fn log(&self) -> PathBuf {
        self.0.join("dbt.log")
    }

    /// What dbt prints.
    pub(crate) fn output(&self) -> PathBuf {
        self.0.join("output.txt")
    }

    /// The folder with the selection.
    pub(crate) fn state(&self) -> PathBuf {
        self.0.join("state")
    }

    /// The copy of `run_results.json`.
    pub(crate) fn results(&self) -> PathBuf {
        self.0.join("run_results.json")
    }
}

/// Reads a log while dbt writes it.
pub(crate) struct Tail {
    path: PathBuf,
    file: Option<File>,
    /// The start of a line whose end is not there yet.
    line: Vec<u8>,
    /// Whether the line is too long and is left out.
    skips: bool,
}

/// The longest line that is read. A line has a message or a query.
const MAX_LINE: usize = 16 << 20;

impl Tail {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, file: None, line: Vec::new(), skips: false }
    }

    /// Passes on the lines that were completed since the last call. A file that does not exist yet
    /// has none.
    pub(crate) fn read(&mut self, mut each: impl FnMut(LogEvent)) -> io::Result<()> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => match File::open(&self.path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                opened => opened?,
            },
        };
        let mut buffer = vec![0; 64 << 10];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(bytes) => self.split(&buffer[..bytes], &mut each),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.file = Some(file);
        Ok(())
    }

    fn split(&mut self, bytes: &[u8], each: &mut impl FnMut(LogEvent)) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.line.len() + piece.len() > MAX_LINE {
                self.skips = true;
            }
            if !self.skips {
                self.line.extend_from_slice(piece);
            }
            if !piece.ends_with(b"\n") {
                continue;
            }
            let line = std::mem::take(&mut self.line);
            if !std::mem::take(&mut self.skips) {
                each(LogEvent::read(String::from_utf8_lossy(&line).trim_end_matches('\n')));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn lines_are_read_as_they_are_completed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("dbt.log");
        let mut tail = Tail::new(path.clone());
        let mut texts = Vec::new();
        let mut read = |texts: &mut Vec<String>| tail.read(|event| texts.push(event.text));
        read(&mut texts).expect("a missing file has no lines");
        let mut file = File::create(&path).expect("a file");
        for (more, lines) in [("one\ntw", 1), ("o\n\nthr", 3), ("", 3), ("\u{e9}\n", 4)] {
            file.write_all(more.as_bytes()).expect("is written");
            read(&mut texts).expect("is read");
            assert_eq!(texts.len(), lines, "{texts:?}");
        }
        assert_eq!(texts, ["one", "two", "", "thr\u{e9}"]);
    }

    #[test]
    fn a_line_without_end_is_left_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("dbt.log");
        let long = format!("{}\nnext\n", "x".repeat(MAX_LINE + 1));
        fs::write(&path, long).expect("is written");
        let mut texts = Vec::new();
        Tail::new(path).read(|event| texts.push(event.text)).expect("is read");
        assert_eq!(texts, ["next"]);
    }

    #[test]
    fn processes_are_numbered() {
        let run = tempfile::tempdir().expect("a folder");
        let folder = LogFolder::new(run.path());
        assert!(folder.processes().is_empty());
        for number in 1..=3 {
            let next = folder.create_next().expect("is created");
            assert!(next.path().ends_with(format!("dbt/{number}")));
        }
        assert_eq!(folder.processes().len(), 3);
    }
}

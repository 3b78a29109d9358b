//! Records as files of a directory.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A directory with a file for each record. A file is written under another name and then renamed,
/// so that nobody reads half a record.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

impl Folder {
    /// Creates a folder at this path. The directory is made when it is first written to.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// A folder in this one.
    #[must_use]
    pub fn under(&self, name: &str) -> Self {
        Self(self.0.join(name))
    }

    /// The path of a record.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(file_name(name))
    }

    /// Writes a text.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be written.
    pub fn write(&self, name: &str, text: &str) -> io::Result<()> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        fs::create_dir_all(&self.0)?;
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let draft = self.0.join(format!(".{}-{number}.draft", std::process::id()));
        fs::write(&draft, text)?;
        fs::rename(draft, self.path(name))
    }

    /// Reads a text; `None` if there is no such record.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read.
    pub fn read(&self, name: &str) -> io::Result<Option<String>> {
        self.read_file(&file_name(name))
    }

    /// Reads a file by its own name, as [`names`](Self::names) lists it.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read.
    pub fn read_file(&self, file: &str) -> io::Result<Option<String>> {
        match fs::read_to_string(self.0.join(file)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes a record as JSON.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be written.
    pub fn put(&self, name: impl ToString, record: &impl Serialize) -> io::Result<()> {
        self.write(&json(name), &format!("{:#}", serde_json::to_value(record)?))
    }

    /// Reads a record; `None` if there is none.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read, or is of another form.
    pub fn get<T: DeserializeOwned>(&self, name: impl ToString) -> io::Result<Option<T>> {
        let text = self.read(&json(name))?;
        Ok(text.map(|text| serde_json::from_str(&text)).transpose()?)
    }

    /// Removes a record; false if there was none.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be removed.
    pub fn remove(&self, name: impl ToString) -> io::Result<bool> {
        match fs::remove_file(self.path(&json(name))) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads all records, sorted by the names of their files.
    ///
    /// # Errors
    ///
    /// Fails when a file cannot be read.
    pub fn all<T: DeserializeOwned>(&self) -> io::Result<Vec<T>> {
        let names = self.names()?.into_iter();
        let read = names.filter_map(|name| Some(self.get(name.strip_suffix(".json")?).transpose()));
        read.flatten().collect()
    }

    /// The names of the files, sorted.
    ///
    /// # Errors
    ///
    /// Fails when the directory cannot be read.
    pub fn names(&self) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(&self.0) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if !name.starts_with('.') {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }
}

fn json(name: impl ToString) -> String {
    format!("{}.json", name.to_string())
}

/// A name of a file for any text. Different texts have different names.
fn file_name(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'[' | b']' => {
                name.push(char::from(byte));
            }
            b'.' if !name.is_empty() => name.push('.'),
            b'/' => name.push('+'),
            other => name.push_str(&format!("%{other:02x}")),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_safe() {
        assert_eq!(file_name("0198-7/send_email[2]"), "0198-7+send_email[2]");
        assert_eq!(file_name("../a+b c"), "%2e.+a%2bb%20c");
    }
}

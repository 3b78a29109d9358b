//! Temporary files of commands: their outputs, and their stdin.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::{CommandError, while_trying};
use super::outputs::OutputFile;

/// A text unique to this host, in the environment of its commands.
pub(super) fn host_token() -> &'static str {
    static TOKEN: LazyLock<String> = LazyLock::new(|| uuid::Uuid::new_v4().simple().to_string());
    &TOKEN
}

/// The default folder of commands. The guard removes it when the host ends.
pub(super) fn own_folder() -> &'static Path {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
        // Absolute, because commands and the guard run in other folders than the host.
        let folder = std::path::absolute(temporary()).unwrap_or_else(|_| temporary());
        folder.join(format!("workflow-{}", host_token()))
    });
    &FOLDER
}

/// The folder for temporary files: `TMPDIR`, or `/tmp`.
fn temporary() -> PathBuf {
    std::env::temp_dir()
}

/// For `map_err`: the folder for temporary files cannot be used.
pub(super) fn in_temporary(error: io::Error) -> CommandError {
    CommandError::Temporary { folder: temporary(), error }
}

/// The files of one command.
pub(super) struct Scratch {
    /// The path without a suffix, unique among the commands of all hosts.
    stem: PathBuf,
}

impl Scratch {
    /// Creates a path in the given folder, or in the host's own.
    pub(super) fn new(given: Option<&Path>) -> Result<Self, CommandError> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let folder = given.unwrap_or(own_folder());
        match given {
            Some(folder) => private()
                .recursive(true)
                .create(folder)
                .map_err(while_trying(format!("make the scratch folder `{}`", folder.display()))),
            None => make_own(folder).map_err(in_temporary),
        }?;
        // Absolute, because commands run in other folders than the host.
        let folder = std::path::absolute(folder)
            .map_err(while_trying(format!("find the scratch folder `{}`", folder.display())))?;
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        Ok(Self { stem: folder.join(format!("{}-{number}", host_token())) })
    }

    pub(super) fn output_file(&self) -> OutputFile {
        OutputFile::new(self.stem.with_extension("output"))
    }

    /// A file with the script for an interpreter, removed on drop.
    pub(super) fn script(&self, text: &str) -> Result<ScriptFile, CommandError> {
        let path = self.stem.with_extension("script");
        let write = || {
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(0o600).open(&path)?.write_all(text.as_bytes())
        };
        write().map_err(while_trying(format!("write the script to `{}`", path.display())))?;
        Ok(ScriptFile(path))
    }

    /// A file without a name that contains the text. Unlike a pipe, it needs no writer.
    pub(super) fn stdin(&self, text: &str) -> Result<File, CommandError> {
        let path = self.stem.with_extension("stdin");
        nameless(&path, text.as_bytes())
            .map_err(while_trying(format!("write the command's stdin to `{}`", path.display())))
    }
}

/// A script for an interpreter.
pub(super) struct ScriptFile(PathBuf);

impl ScriptFile {
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for ScriptFile {
    fn drop(&mut self) {
        // A file that cannot be removed is removed with the folder.
        let _ = fs::remove_file(&self.0);
    }
}

fn private() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    builder
}

/// Creates the host's own folder if it does not exist: a cleaner of temporary files may have
/// removed it. A folder of that name that belongs to another user is not used.
fn make_own(folder: &Path) -> io::Result<()> {
    match private().create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let found = fs::symlink_metadata(folder)?;
            let ours = found.is_dir() && found.uid() == rustix::process::geteuid().as_raw();
            if ours { Ok(()) } else { Err(error) }
        }
        made => made,
    }
}

/// A file without a path, read from its start.
pub(super) fn nameless(path: &Path, content: &[u8]) -> io::Result<File> {
    let mut file =
        OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
    fs::remove_file(path)?;
    file.write_all(content)?;
    file.rewind()?;
    Ok(file)
}

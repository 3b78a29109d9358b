//! Where the small files of commands are: what they publish, what they read from stdin.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::{CommandError, while_trying};
use super::outputs::OutputFile;

/// A text that no other host has. Commands carry it in their environment.
pub(super) fn host_token() -> &'static str {
    static TOKEN: LazyLock<String> = LazyLock::new(|| uuid::Uuid::new_v4().simple().to_string());
    &TOKEN
}

/// The folder for commands that were not given one. The guard removes it when the host ends.
pub(super) fn own_folder() -> &'static Path {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
        // Commands and the guard run in other folders than the host.
        let folder = std::path::absolute(temporary()).unwrap_or_else(|_| temporary());
        folder.join(format!("workflow-{}", host_token()))
    });
    &FOLDER
}

/// The folder for temporary files: `TMPDIR`, or `/tmp`.
fn temporary() -> PathBuf {
    std::env::temp_dir()
}

/// For `map_err`, where the folder for temporary files cannot be used.
pub(super) fn in_temporary(source: io::Error) -> CommandError {
    CommandError::Temporary { folder: temporary(), source }
}

/// The files of one command.
pub(super) struct Scratch {
    /// Without a suffix; a name that no command of any host has.
    stem: PathBuf,
}

impl Scratch {
    /// Makes a place in the given folder, or in the host's own.
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
        // Commands run in other folders than the host.
        let folder = std::path::absolute(folder)
            .map_err(while_trying(format!("find the scratch folder `{}`", folder.display())))?;
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        Ok(Self { stem: folder.join(format!("{}-{number}", host_token())) })
    }

    pub(super) fn output_file(&self) -> OutputFile {
        OutputFile::new(self.stem.with_extension("output"))
    }

    /// A file that holds the script, for an interpreter to read; gone once it is dropped.
    pub(super) fn script(&self, text: &str) -> Result<ScriptFile, CommandError> {
        let path = self.stem.with_extension("script");
        let write = || {
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(0o600).open(&path)?.write_all(text.as_bytes())
        };
        write().map_err(while_trying(format!("write the script to `{}`", path.display())))?;
        Ok(ScriptFile(path))
    }

    /// A file that holds the text and has no name. Unlike a pipe it needs no one to feed it.
    pub(super) fn stdin(&self, text: &str) -> Result<File, CommandError> {
        let path = self.stem.with_extension("stdin");
        nameless(&path, text.as_bytes())
            .map_err(while_trying(format!("write the command's stdin to `{}`", path.display())))
    }
}

/// A script on its way to an interpreter.
pub(super) struct ScriptFile(PathBuf);

impl ScriptFile {
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for ScriptFile {
    fn drop(&mut self) {
        // What cannot be removed goes with the folder.
        let _ = fs::remove_file(&self.0);
    }
}

fn private() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    builder
}

/// Makes the host's own folder if it is not there: those who clean up temporary files may have
/// taken it away. One of that name that is someone else's is not used.
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

/// A file that only who holds it can reach, read from its start.
pub(super) fn nameless(path: &Path, content: &[u8]) -> io::Result<File> {
    let mut file =
        OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
    fs::remove_file(path)?;
    file.write_all(content)?;
    file.rewind()?;
    Ok(file)
}

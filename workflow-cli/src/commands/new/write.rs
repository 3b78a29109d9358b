//! Writes a new workflow: all of it, or nothing.

use std::fs;
use std::io;
use std::path::Path;

use super::member::Edit;
use crate::failure::Failure;
use crate::scaffold::File;

/// Writes the files into a new folder, and then the changes. If one fails, what was written before
/// is taken back.
///
/// # Errors
///
/// Fails if the folder exists, or a file cannot be written.
pub(super) fn write(folder: &Path, files: &[File], edits: &[Edit]) -> Result<(), Failure> {
    create(folder, files)?;
    write_edits(edits).inspect_err(|_| remove(folder))
}

/// Writes the files into a new folder. If one fails, the folder is removed.
///
/// # Errors
///
/// Fails if the folder exists, or a file cannot be written.
pub(in crate::commands) fn create(folder: &Path, files: &[File]) -> Result<(), Failure> {
    let parent = folder.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(|error| cannot("make", parent, error))?;
    match fs::create_dir(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let folder = folder.display();
            let problem = format!("`{folder}` exists; choose another name, or remove it");
            return Err(Failure::Usage(problem));
        }
        Err(error) => return Err(cannot("make", folder, error)),
    }
    write_files(folder, files).inspect_err(|_| remove(folder))
}

fn remove(folder: &Path) {
    // The first error is the one to report.
    let _rest = fs::remove_dir_all(folder);
}

fn write_files(folder: &Path, files: &[File]) -> Result<(), Failure> {
    for File { path, text } in files {
        let path = folder.join(path);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(|error| cannot("make", parent, error))?;
        fs::write(&path, text).map_err(|error| cannot("write", &path, error))?;
    }
    Ok(())
}

fn write_edits(edits: &[Edit]) -> Result<(), Failure> {
    for (done, Edit { path, after, .. }) in edits.iter().enumerate() {
        if let Err(error) = replace(path, after) {
            for Edit { path, before, .. } in &edits[..done] {
                let _rest = replace(path, before);
            }
            return Err(cannot("write", path, error));
        }
    }
    Ok(())
}

/// Replaces a file at once, so that no crash leaves half of it.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    // A link stays one.
    let path = path.canonicalize()?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    let partial = path.with_file_name(name);
    fs::write(&partial, text)?;
    fs::set_permissions(&partial, fs::metadata(&path)?.permissions())?;
    fs::rename(&partial, &path)
}

fn cannot(verb: &str, path: &Path, error: io::Error) -> Failure {
    Failure::Machine { what: format!("cannot {verb} `{}`", path.display()), error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_cannot_be_finished_is_removed() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = parent.path().join("new");
        let files = ["a", "a/b"].map(|path| File { path: path.into(), text: String::new() });
        let error = create(&folder, &files).expect_err("`a` is a file").to_string();
        assert!(error.starts_with("cannot make `"), "{error}");
        assert!(!folder.exists());
        create(&folder, &files[..1]).expect("it can be written");
        create(&folder, &files[..1]).expect_err("it exists");
        assert!(folder.join("a").is_file());
    }
}

//! Finds paths in commands that exist only relative to another folder.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::WorkflowFile;

/// The most paths to look for.
const MAX_PATHS: usize = 100;

/// The characters between the words of a command.
const BETWEEN: &[char] =
    &[' ', '\t', '\n', '"', '\'', ';', '|', '&', '(', ')', '<', '>', '=', '`', ','];

impl WorkflowFile {
    /// Finds a relative path of a command or a file entry that does not exist, but does in another
    /// folder: the current one, or one above that of the file. Returns the path and that folder.
    ///
    /// Commands run in the folder of the file; torc runs them in the current folder. A file written
    /// for torc runs with [`folder`](Self::folder) set to the returned folder.
    pub fn found_elsewhere(&self) -> Option<(String, PathBuf)> {
        let own = std::path::absolute(&self.shared.folder).ok()?;
        let current = std::env::current_dir().ok();
        let above = own.ancestors().skip(1).map(Path::to_owned);
        let others: Vec<PathBuf> =
            current.into_iter().chain(above).filter(|other| *other != own).collect();
        let paths = self.relative_paths();
        let missing = paths.into_iter().filter(|path| !own.join(path).exists());
        missing.take(MAX_PATHS).find_map(|path| {
            let folder = others.iter().find(|other| other.join(&path).exists())?.clone();
            Some((path, folder))
        })
    }

    /// The relative paths in commands that run in the folder of the file, and those of files that
    /// no job writes.
    fn relative_paths(&self) -> Vec<String> {
        let spec = &self.shared.spec;
        let here = spec
            .jobs
            .0
            .iter()
            .filter(|job| job.rest.as_deref().is_none_or(|rest| rest.cwd.is_none()));
        let commands = here.filter_map(|job| job.command.as_ref());
        let rules = spec.failure_handlers.iter().flat_map(|handler| &handler.rules);
        let scripts = rules.filter_map(|rule| rule.recovery_script.as_ref());
        let actions = spec.actions.iter().flat_map(|action| &action.commands);
        let texts = commands.chain(scripts).chain(actions);
        let words = texts.flat_map(|text| text.value.split(BETWEEN)).filter(|word| {
            word.contains('/') && !word.contains("://") && !word.starts_with(['/', '-'])
        });
        let files = self.shared.unwritten_paths();
        let is_plain = |path: &&str| !path.contains(['$', '{', '*', '?', '~', '\\']);
        let mut known = HashSet::new();
        let fresh = words.chain(files).filter(is_plain).filter(|path| known.insert(*path));
        fresh.take(MAX_PATHS).map(str::to_owned).collect()
    }
}

//! What a source of files reads: files of this machine, and objects of stores.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::PathBuf;

#[cfg(feature = "object-store")]
use super::object::Object;
use crate::text::io_reason;

/// What is read from its start, and where errors go back to say what and where something is.
pub(super) trait ReadSeek: Read + Seek + Send {}

impl<T: Read + Seek + Send> ReadSeek for T {}

/// A file, or an object of a store.
#[derive(Debug, Clone)]
pub(crate) enum Input {
    File(PathBuf),
    #[cfg(feature = "object-store")]
    Object(Object),
}

impl Input {
    /// Opens it at its start.
    ///
    /// # Errors
    ///
    /// Fails with the reason.
    pub(super) fn open(&self) -> Result<Box<dyn ReadSeek>, String> {
        match self {
            Self::File(path) => {
                let file = File::open(path).map_err(|error| io_reason(&error))?;
                Ok(Box::new(file))
            }
            #[cfg(feature = "object-store")]
            Self::Object(object) => Ok(Box::new(object.stream()?)),
        }
    }

    /// The name in its folder.
    pub(super) fn name(&self) -> Option<String> {
        match self {
            Self::File(path) => Some(path.file_name()?.to_string_lossy().into_owned()),
            #[cfg(feature = "object-store")]
            Self::Object(object) => Some(object.name().to_owned()),
        }
    }
}

/// The path or URL.
impl std::fmt::Display for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            #[cfg(feature = "object-store")]
            Self::Object(object) => object.fmt(f),
        }
    }
}

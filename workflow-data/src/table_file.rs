//! `TableFile`: a file that a pipeline has written, as the value of an asset.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_128;
use workflow_core::store::SchemaField;

use crate::text::io_reason;

/// A file that a pipeline has written: where it is, and a hash that says whether it has changed.
///
/// It is small, so an asset that is a table has one in place of its records. The asset is made again
/// when the file is gone, or has another size. [`check`](TableFile::check) also compares the hash, for
/// those who read the table. [`Summary::table_file`](crate::Summary::table_file) makes one with rows
/// and columns:
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use workflow_data::TableFile;
///
/// #[derive(Serialize, Deserialize)]
/// struct Orders(TableFile);
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("orders.csv");
/// std::fs::write(&path, "id\n1\n")?;
/// let orders = Orders(TableFile::open(&path)?);
/// assert_eq!(orders.0, TableFile::open(&path)?);
/// std::fs::write(&path, "id\n2\n")?;
/// assert_ne!(orders.0, TableFile::open(&path)?);
/// # Ok::<_, std::io::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Marked", into = "Marked")]
#[non_exhaustive]
pub struct TableFile {
    /// The file, as it was given.
    pub path: PathBuf,
    /// Its size, in bytes.
    pub bytes: u64,
    /// Its XXH3 hash of 128 bits, in hexadecimal. It protects against no attacker.
    pub hash: String,
    /// The number of its rows, if it is known.
    pub rows: Option<u64>,
    /// Its columns, if they are known.
    pub columns: Vec<SchemaField>,
}

/// The form in which assets know it for a file.
#[derive(Serialize, Deserialize)]
struct Marked {
    #[serde(rename = "$file")]
    file: Fields,
}

#[derive(Serialize, Deserialize)]
struct Fields {
    path: PathBuf,
    bytes: u64,
    hash: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rows: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    columns: Vec<SchemaField>,
}

impl From<Marked> for TableFile {
    fn from(Marked { file }: Marked) -> Self {
        let Fields { path, bytes, hash, rows, columns } = file;
        Self { path, bytes, hash, rows, columns }
    }
}

impl From<TableFile> for Marked {
    fn from(TableFile { path, bytes, hash, rows, columns }: TableFile) -> Self {
        Self { file: Fields { path, bytes, hash, rows, columns } }
    }
}

impl TableFile {
    /// Reads a file to its end, in pieces, and hashes it.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read. The error names it.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        let (bytes, hash) = hash(path).map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("cannot read `{}`: {}", path.display(), io_reason(&error)),
            )
        })?;
        let hash = format!("{hash:032x}");
        Ok(Self { path: path.to_owned(), bytes, hash, rows: None, columns: Vec::new() })
    }

    /// Checks that the file is still the one that was written, for those who read it.
    ///
    /// # Errors
    ///
    /// Fails when the file has another size or hash, and when it cannot be read.
    pub fn check(&self) -> io::Result<()> {
        let now = Self::open(&self.path)?;
        if (now.bytes, &now.hash) == (self.bytes, &self.hash) {
            return Ok(());
        }
        let path = self.path.display();
        Err(io::Error::other(format!(
            "`{path}` was changed after it was written; make its asset again with --force"
        )))
    }
}

fn hash(path: &Path) -> io::Result<(u64, u128)> {
    let (mut file, mut hasher) = (File::open(path)?, XxHash3_128::new());
    let (mut piece, mut bytes) = (vec![0; PIECE], 0);
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok((bytes, hasher.finish_128())),
            Ok(read) => {
                hasher.write(&piece[..read]);
                bytes += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// How much is read at a time, in bytes.
const PIECE: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_named() {
        let error = TableFile::open("no/such.parquet").expect_err("there is none");
        assert!(error.to_string().starts_with("cannot read `no/such.parquet`: "), "{error}");
    }

    #[test]
    fn a_changed_file_is_refused() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("table.csv");
        std::fs::write(&path, "id\n1\n")?;
        let file = TableFile::open(&path)?;
        file.check()?;
        std::fs::write(&path, "id\n2\n")?;
        let error = file.check().expect_err("it was changed").to_string();
        assert!(
            error.ends_with("was changed after it was written; make its asset again with --force")
        );
        std::fs::remove_file(&path)?;
        assert!(file.check().is_err());
        Ok(())
    }

    #[test]
    fn pieces_do_not_change_the_hash() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let (path, content) = (folder.path().join("table"), vec![7; PIECE * 2 + 1]);
        std::fs::write(&path, &content)?;
        let file = TableFile::open(&path)?;
        assert_eq!(file.bytes, content.len() as u64);
        assert_eq!(file.hash, format!("{:032x}", XxHash3_128::oneshot(&content)));
        Ok(())
    }
}

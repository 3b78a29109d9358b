//! What happens with records that fail: they stop the pipeline, are skipped, or are quarantined.

mod failures;

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::config::FailurePolicy;
use crate::row::{FailedRow, RowError};
use crate::staged::{FileLock, StagedFile};
use crate::text::io_reason;

pub(crate) use failures::Failures;

/// Takes records that fail, and does with them what the policy says.
///
/// Sources and stages hand each failing record to [`reject`](Rejects::reject), and continue without
/// it.
///
/// ```
/// use workflow_data::{FailedRow, FailurePolicy, Position, RowReason, Rejects};
///
/// let reason = RowReason::of_value("price", Some("abc".into()), "is not a number");
/// let row = FailedRow::new(Position::new("orders.csv", 2), vec![reason], Default::default());
///
/// let mut rejects = Rejects::new(FailurePolicy::Skip);
/// rejects.reject(row.clone())?;
/// assert_eq!(rejects.skipped(), 1);
/// assert!(Rejects::new(FailurePolicy::Fail).reject(row).is_err());
/// # Ok::<_, workflow_data::RejectError>(())
/// ```
#[derive(Debug)]
pub struct Rejects {
    policy: FailurePolicy,
    quarantine: Option<Quarantine>,
    skipped: u64,
}

/// Why a pipeline stops at a record.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RejectError {
    /// The policy is `fail`.
    #[error(transparent)]
    Row(#[from] Box<RowError>),
    /// The record is to be quarantined, and there is no file for it.
    #[error("{0}; it cannot be quarantined without a file: add `processing.quarantine`")]
    NoQuarantine(Box<RowError>),
    /// The quarantine cannot be written.
    #[error("cannot write the quarantine `{}`: {reason}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
}

impl Rejects {
    /// Follows a policy, without a file for quarantined records.
    pub fn new(policy: FailurePolicy) -> Self {
        Self { policy, quarantine: None, skipped: 0 }
    }

    /// Writes quarantined records to this file, after those that it has.
    #[must_use]
    pub fn with_quarantine(self, path: impl Into<PathBuf>) -> Self {
        Self { quarantine: Some(Quarantine::new(path.into())), ..self }
    }

    /// Takes a record that fails.
    ///
    /// # Errors
    ///
    /// Fails with the record itself if the policy is `fail`, and when the quarantine cannot be
    /// written.
    pub fn reject(&mut self, row: FailedRow) -> Result<(), RejectError> {
        self.reject_as(self.policy, row)
    }

    /// Takes a record that fails, by another policy than that of the pipeline.
    ///
    /// # Errors
    ///
    /// Fails as [`reject`](Rejects::reject) does.
    pub fn reject_as(&mut self, policy: FailurePolicy, row: FailedRow) -> Result<(), RejectError> {
        match (policy, &mut self.quarantine) {
            (FailurePolicy::Fail, _) => Err(RejectError::Row(Box::new(row.into_error()))),
            (FailurePolicy::Skip, _) => {
                self.skipped += 1;
                Ok(())
            }
            (FailurePolicy::Quarantine, Some(quarantine)) => quarantine.add(&row),
            (FailurePolicy::Quarantine, None) => {
                Err(RejectError::NoQuarantine(Box::new(row.into_error())))
            }
        }
    }

    /// The number of skipped records.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// The number of quarantined records.
    pub fn quarantined(&self) -> u64 {
        self.quarantine.as_ref().map_or(0, |quarantine| quarantine.count)
    }

    /// Adds the quarantined records to their file.
    pub(crate) fn commit(&mut self) -> Result<(), RejectError> {
        self.quarantine.as_mut().map_or(Ok(()), Quarantine::commit)
    }
}

/// A file of quarantined records.
#[derive(Debug)]
struct Quarantine {
    path: PathBuf,
    /// From the first record to the commit.
    file: Option<StagedFile>,
    count: u64,
}

impl Quarantine {
    fn new(path: PathBuf) -> Self {
        Self { path, file: None, count: 0 }
    }

    fn add(&mut self, row: &FailedRow) -> Result<(), RejectError> {
        let written = write(&mut self.file, &self.path, row);
        written.map_err(|error| self.failure(&error))?;
        self.count += 1;
        Ok(())
    }

    fn commit(&mut self) -> Result<(), RejectError> {
        let Some(file) = self.file.take() else { return Ok(()) };
        let lock = FileLock::acquire(&self.path);
        let committed = lock.and_then(|lock| file.append(&lock, b""));
        committed.map_err(|error| self.failure(&error))
    }

    fn failure(&self, error: &std::io::Error) -> RejectError {
        RejectError::Write { path: self.path.clone(), reason: io_reason(error) }
    }
}

fn write(file: &mut Option<StagedFile>, path: &Path, row: &FailedRow) -> std::io::Result<()> {
    let open = match file.take() {
        Some(open) => open,
        None => StagedFile::begin(path)?,
    };
    let open = file.insert(open);
    serde_json::to_writer(&mut *open, row)?;
    open.write_all(b"\n")
}

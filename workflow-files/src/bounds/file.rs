//! Files: how large, and how much their aliases and parameters may multiply.

/// The largest file that is read, in bytes: 64 MiB.
pub(crate) const BYTES: usize = 64 << 20;
/// The most values in one file.
pub(crate) const VALUES: usize = 8_000_000;
/// The most values that the aliases and anchors of one file may copy.
pub(crate) const ALIASED_VALUES: usize = 200_000;
/// The most bytes of text that the aliases and anchors of one file may copy: 8 MiB.
pub(crate) const ALIASED_BYTES: usize = 8 << 20;

/// The most jobs, and the most files and data entries, that one workflow file may stand for.
pub(crate) const COPIES: usize = 1_000_000;
/// The most bytes of names, paths and texts that parameters may fill in: 128 MiB.
pub(crate) const SUBSTITUTED_BYTES: usize = 128 << 20;
/// The most times that one job waits for another.
pub(crate) const DEPENDENCIES: usize = 20_000_000;

//! Assets as the attribute submits them.

use std::time::Duration;

use futures::future::BoxFuture;

use super::making::{Making, StepOutcome};
use super::{AssetValue, DeclaredPartitions};
use crate::job::{Call, JobError};
use crate::registry::Location;

/// A value that a function with `#[asset]` makes. The attribute implements it for the type that the
/// function returns.
#[diagnostic::on_unimplemented(
    message = "no asset of this program is a `{Self}`",
    label = "no function with `#[asset]` returns it",
    note = "add `#[asset]` to the function that returns `{Self}`, or a `Result` of it"
)]
pub trait Asset: AssetValue + Send + Sync + 'static {
    /// The name.
    const NAME: &'static str;
    /// Whether it has partitions.
    const IS_PARTITIONED: bool;
}

/// An asset, described without making it.
pub struct AssetEntry {
    /// The name: the function's, or the one given with `name = ..`.
    pub name: &'static str,
    /// The first paragraph of the function's documentation.
    pub description: Option<&'static str>,
    /// The location of the attribute.
    pub location: Location,
    /// The module of the function.
    pub module: &'static str,
    /// The version of the function: a hash of its tokens, or what is given with `code_version = ..`,
    /// which may be the text of a file.
    pub code_version: &'static str,
    /// The partitions.
    pub partitions: DeclaredPartitions,
    /// The age from which a value counts as overdue.
    pub freshness: Option<Duration>,
    /// The assets that the function reads.
    pub inputs: &'static [AssetInput],
    /// The names of the checks, and whether they block.
    pub checks: &'static [(&'static str, bool)],
    /// Whether the function blocks, and is called on a thread of its own.
    pub blocks: bool,
    /// Sets the options of the job.
    pub options: fn(Call<StepOutcome>) -> Call<StepOutcome>,
    /// Makes one partition.
    pub make: fn(Making) -> BoxFuture<'static, Result<StepOutcome, JobError>>,
}

inventory::collect!(AssetEntry);

impl AssetEntry {
    /// The assets of this program, in no particular order.
    pub(super) fn all() -> impl Iterator<Item = &'static Self> {
        inventory::iter::<Self>()
    }

    /// The version of the function as records keep it: the text of a file as its hash.
    pub(super) fn short_version(&self) -> String {
        match self.code_version {
            text if text.len() <= LONGEST_VERSION && !text.contains(char::is_control) => {
                text.to_owned()
            }
            text => version(text.as_bytes()),
        }
    }

    /// The asset of this name.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        Self::all().find(|entry| entry.name == name)
    }
}

/// The longest version that is kept as it is, in bytes.
const LONGEST_VERSION: usize = 200;

/// The version of bytes: equal bytes have equal versions.
pub(super) fn version(bytes: &[u8]) -> String {
    uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, bytes).to_string()
}

/// An asset that another one reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AssetInput {
    /// The name.
    pub asset: &'static str,
    /// Which partitions.
    pub reads: Reads,
}

/// Which partitions of an input an asset reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// The same partition, or the whole of an asset without partitions.
    Same,
    /// All that lie within its own partition.
    All,
}

/// An input with its type. Functions that make one require an asset, and nothing else does, so that
/// a type that is none is one error.
pub struct Input<T> {
    /// The input.
    pub declared: AssetInput,
    /// Whether it has partitions.
    pub(super) is_partitioned: bool,
    pub(super) load: fn(Vec<u8>) -> Result<T, JobError>,
}

/// The input of a parameter `&T`.
pub const fn one<T: Asset>(is_reader_partitioned: bool) -> Input<T> {
    assert!(
        is_reader_partitioned || !T::IS_PARTITIONED,
        "an asset without partitions cannot read `&T` of an asset with partitions: take `All<T>` \
         for all of them, or give the asset the same partitions"
    );
    let declared = AssetInput { asset: T::NAME, reads: Reads::Same };
    Input { declared, is_partitioned: T::IS_PARTITIONED, load: T::load }
}

/// The input of a parameter `All<T>`.
pub const fn all<T: Asset>() -> Input<T> {
    assert!(
        T::IS_PARTITIONED,
        "`All<T>` is for assets with partitions, and this one has none: take `&T`"
    );
    let declared = AssetInput { asset: T::NAME, reads: Reads::All };
    Input { declared, is_partitioned: true, load: T::load }
}

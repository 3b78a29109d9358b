//! The assets of an engine: the store with their records, and the folder with their values.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::plan::{Examined, Files, Known, MaterializationPlan, Records, Request};
use super::{AssetSpec, Partition};
use crate::error_text::io_reason;
use crate::id::RunId;
use crate::job::JobError;
use crate::store::{AssetStore, Materialization, PartitionRange, Store, StoreError};

/// The store with the records of assets, and the folder with their values: state of an engine that
/// makes assets.
///
/// ```
/// use std::sync::Arc;
///
/// use workflow_core::Engine;
/// use workflow_core::asset::Assets;
/// use workflow_core::store::{MemoryStore, Store};
///
/// let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
/// let assets = Assets::new(Arc::clone(&store), "data/assets")?;
/// let engine = Engine::builder().store(store).state(assets).build();
/// # drop(engine);
/// # Ok::<(), workflow_core::asset::AssetsError>(())
/// ```
#[derive(Clone)]
pub struct Assets {
    store: Arc<dyn Store>,
    folder: PathBuf,
    observers: Vec<Arc<dyn AssetObserver>>,
}

/// Something that learns what happens to assets, such as a catalog of another system. It is called
/// by the job, so it should be quick, and it reports its own errors.
///
/// An attempt that panics, times out or is cancelled may say no more than that it has started.
pub trait AssetObserver: Send + Sync {
    /// Learns what happened.
    fn observe(&self, event: &AssetEvent<'_>);

    /// Passes on what it holds back. Called before a program of the command line ends. Does nothing
    /// by default.
    fn flush(&self) {}
}

/// Something that happened to a partition of an asset.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct AssetEvent<'a> {
    /// The asset.
    pub asset: &'a AssetSpec,
    /// The partition.
    pub partition: &'a Partition,
    /// The workflow that the run belongs to.
    pub workflow: &'a str,
    /// The run.
    pub run: RunId,
    /// The number of the attempt in the run, from 1.
    pub attempt: u32,
    /// When it happened.
    pub at: SystemTime,
    /// What happened.
    pub happening: Happening<'a>,
}

/// What happened to a partition of an asset.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Happening<'a> {
    /// Its function starts.
    Started,
    /// It was made and recorded.
    Made(&'a Materialization),
    /// A blocking check refused the value.
    Refused(&'a Materialization),
    /// It could not be made.
    Failed(&'a JobError),
}

impl Assets {
    /// Keeps records in this store, and values in this folder, which is created with the first one.
    /// A relative path counts from the current folder.
    ///
    /// # Errors
    ///
    /// Fails when the store keeps no records of assets.
    pub fn new(store: Arc<dyn Store>, folder: impl Into<PathBuf>) -> Result<Self, AssetsError> {
        if store.asset_store().is_none() {
            return Err(AssetsError::NoRecords);
        }
        Ok(Self { store, folder: folder.into(), observers: Vec::new() })
    }

    /// Keeps records in another store, with the same folder and observers.
    ///
    /// # Errors
    ///
    /// Fails when the store keeps no records of assets.
    pub fn in_store(self, store: Arc<dyn Store>) -> Result<Self, AssetsError> {
        let Self { folder, observers, .. } = self;
        Ok(Self { observers, ..Self::new(store, folder)? })
    }

    /// Keeps values in another folder, with the same store and observers.
    #[must_use]
    pub fn in_folder(self, folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), ..self }
    }

    /// Adds an observer.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn AssetObserver>) -> Self {
        self.observers.push(observer);
        self
    }

    /// Waits until the observers have passed on what they hold back.
    pub fn flush(&self) {
        for observer in &self.observers {
            observer.flush();
        }
    }

    /// The folder with the values.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Plans what to make, from the records.
    ///
    /// # Errors
    ///
    /// Fails when the records cannot be read.
    pub async fn plan(&self, request: &Request) -> Result<MaterializationPlan, AssetsError> {
        Ok(self.examine(request).await?.plan)
    }

    /// Plans what to make, and returns the plan with the records.
    ///
    /// # Errors
    ///
    /// Fails when the records cannot be read.
    pub async fn examine(&self, request: &Request) -> Result<Examined, AssetsError> {
        let needed = request.needed();
        let mut records = Records::new();
        for (spec, partitions) in request.graph().assets().iter().zip(&needed) {
            let (Some((first, _)), Some((last, _))) =
                (partitions.first_key_value(), partitions.last_key_value())
            else {
                continue;
            };
            let range = PartitionRange::between(first, last);
            let found = self.current(&spec.name, range).await?;
            records.extend(found.into_iter().map(|made| {
                let key = (made.asset.clone(), made.partition.clone());
                (key, self.known(made))
            }));
        }
        Ok(Examined::new(request, needed, records))
    }

    /// Returns the current records of an asset in a range of partitions, in order.
    ///
    /// # Errors
    ///
    /// Fails when the records cannot be read.
    pub async fn current(
        &self,
        asset: &str,
        partitions: PartitionRange,
    ) -> Result<Vec<Materialization>, AssetsError> {
        self.all(asset, partitions, Wanted::Current).await
    }

    /// Returns the refused records of an asset that are the newest ones of their partition, by the
    /// keys: those of the partitions from the first to the last one. No value is there since, or
    /// that of an earlier record.
    ///
    /// # Errors
    ///
    /// Fails when the records cannot be read.
    pub async fn refusals(
        &self,
        asset: &str,
        partitions: PartitionRange,
    ) -> Result<BTreeMap<String, Materialization>, AssetsError> {
        let newest = self.all(asset, partitions, Wanted::Newest).await?;
        let refused = newest.into_iter().filter(|made| made.is_refused);
        Ok(refused.map(|made| (made.partition.clone(), made)).collect())
    }

    /// Reads one record of each partition in a range, page by page.
    async fn all(
        &self,
        asset: &str,
        mut partitions: PartitionRange,
        wanted: Wanted,
    ) -> Result<Vec<Materialization>, AssetsError> {
        let records = self.records()?;
        let mut all = Vec::new();
        loop {
            let page = match wanted {
                Wanted::Current => records.current_materializations(asset, &partitions, PAGE),
                Wanted::Newest => records.newest_materializations(asset, &partitions, PAGE),
            };
            let page = page.await?;
            let is_last = page.len() < PAGE;
            all.extend(page);
            match all.last() {
                Some(last) if !is_last => partitions.after = Some(last.partition.clone()),
                _ => return Ok(all),
            }
        }
    }

    /// Returns a page of the records of an asset, the newest first, and the cursor of the next page:
    /// of all partitions or of one.
    ///
    /// # Errors
    ///
    /// Fails when the records cannot be read.
    pub async fn history(
        &self,
        asset: &str,
        partition: Option<&str>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<(Vec<Materialization>, Option<u64>), AssetsError> {
        let most = limit.saturating_add(1);
        let mut found = self.records()?.materializations(asset, partition, before, most).await?;
        let has_more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| has_more).map(|last| last.number);
        Ok((found.into_iter().map(|stored| stored.made).collect(), next))
    }

    /// The part of the store that keeps the records.
    ///
    /// # Errors
    ///
    /// Fails when the store keeps none.
    pub fn records(&self) -> Result<&dyn AssetStore, AssetsError> {
        self.store.asset_store().ok_or(AssetsError::NoRecords)
    }

    /// A record, and whether its files are as they were recorded. What a workflow makes in its own way
    /// has none.
    pub fn known(&self, made: Materialization) -> Known {
        let file = made.details.file.as_ref().map(|file| (self.folder.join(file), None));
        let others = made.details.files.iter().map(|file| (PathBuf::from(&file.path), file.bytes));
        let states = file.into_iter().chain(others).map(|(path, bytes)| match path.metadata() {
            Ok(found) if !found.is_file() => Files::Missing,
            Ok(found) if bytes.is_some_and(|bytes| bytes != found.len()) => Files::Changed,
            Ok(_) => Files::AsRecorded,
            Err(_) => Files::Missing,
        });
        let files = states.max().unwrap_or_default();
        Known { made, files }
    }

    /// Reads the file of a record; `None` if it is missing.
    pub(super) fn read(&self, made: &Materialization) -> Result<Option<Vec<u8>>, AssetsError> {
        let Some(file) = &made.details.file else { return Ok(None) };
        let path = self.folder.join(file);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(AssetsError::file("read", path, error)),
        }
    }

    /// Writes a value, complete or not at all, and returns its path in the folder.
    pub(super) fn write(
        &self,
        asset: &str,
        partition: &str,
        name: &str,
        bytes: &[u8],
    ) -> Result<String, AssetsError> {
        let place = place(asset, partition);
        let folder = self.folder.join(&place);
        std::fs::create_dir_all(&folder)
            .map_err(|error| AssetsError::file("create", folder.clone(), error))?;
        // A name of its own, because two runs may make the partition at the same time.
        let staged = folder.join(format!(".staged-{}", uuid::Uuid::new_v4()));
        let written = std::fs::File::create(&staged).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        });
        let path = folder.join(name);
        let moved = written.and_then(|()| std::fs::rename(&staged, &path));
        if let Err(error) = moved {
            // The first error is the one to report.
            let _ignored = std::fs::remove_file(&staged);
            return Err(AssetsError::file("write", path, error));
        }
        Ok(format!("{place}/{name}"))
    }

    /// Removes the file of a record that is no longer current.
    pub(super) fn remove(&self, file: &str) -> Result<(), AssetsError> {
        let path = self.folder.join(file);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(AssetsError::file("remove", path, error))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn announce(&self, event: &AssetEvent<'_>) {
        for observer in &self.observers {
            observer.observe(event);
        }
    }

    /// The current record of one partition.
    pub(super) async fn current_one(
        &self,
        asset: &str,
        partition: &str,
    ) -> Result<Option<Materialization>, AssetsError> {
        let range = PartitionRange::only(partition);
        let found = self.records()?.current_materializations(asset, &range, 1).await?;
        Ok(found.into_iter().next())
    }
}

/// Which record of a partition is read.
#[derive(Clone, Copy)]
enum Wanted {
    /// The last one that was not refused.
    Current,
    /// The last one.
    Newest,
}

/// The number of records that are read at once.
const PAGE: usize = 1000;

/// The folder of a partition. Names and keys have no characters with a meaning in paths.
fn place(asset: &str, partition: &str) -> String {
    if partition.is_empty() { asset.to_owned() } else { format!("{asset}/{partition}") }
}

impl fmt::Debug for Assets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assets").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// Why records or values of assets cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AssetsError {
    /// The store keeps no records.
    #[error(
        "the store keeps no records of assets; use SQLite, PostgreSQL, or a store that implements `AssetStore`"
    )]
    NoRecords,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file or folder failed.
    #[error("cannot {verb} `{}`: {}; check the folder of assets", path.display(), io_reason(error))]
    File {
        /// What failed.
        verb: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The reason.
        error: std::io::Error,
    },
}

impl AssetsError {
    fn file(verb: &'static str, path: PathBuf, error: std::io::Error) -> Self {
        Self::File { verb, path, error }
    }
}

//! Assets: values that functions make from each other, with partitions, records and reasons.
//!
//! [`#[asset]`](macro@crate::asset) on a function makes its return type an [`Asset`], which other
//! assets take as a parameter. A [`MaterializationPlan`](plan::MaterializationPlan) says which
//! partitions must be made, and why; the workflow [`assets`](WORKFLOW) makes them, a job for each. A
//! store keeps the records.
//!
//! ```
//! use std::sync::Arc;
//!
//! use serde::{Deserialize, Serialize};
//! use workflow_core::asset::{self, Assets, asset};
//! use workflow_core::prelude::*;
//! use workflow_core::store::{MemoryStore, Store};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Prices(Vec<u64>);
//!
//! #[derive(Serialize, Deserialize)]
//! struct Total(u64);
//!
//! #[asset]
//! fn prices() -> Prices {
//!     Prices(vec![3, 4, 5])
//! }
//!
//! #[asset]
//! async fn total(prices: &Prices) -> Result<Total, JobError> {
//!     Ok(Total(prices.0.iter().sum()))
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = std::env::temp_dir().join(format!("assets-doc-{}", std::process::id()));
//! let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
//! let assets = Assets::new(Arc::clone(&store), &folder)?;
//! let engine = Engine::builder().store(store).state(assets.clone()).build();
//!
//! let request = asset::Request::everything(asset::graph()?, std::time::SystemTime::now());
//! let plan = futures::executor::block_on(assets.plan(&request))?;
//! let made: Vec<_> = plan.steps.iter().map(|step| step.asset.as_str()).collect();
//! assert_eq!(made, ["prices", "total"]);
//! engine.run(asset::WORKFLOW).input(plan.to_input()?).wait()?;
//!
//! // Nothing has changed since.
//! let again = futures::executor::block_on(assets.plan(&request))?;
//! assert!(again.steps.is_empty());
//! # std::fs::remove_dir_all(folder)?;
//! # Ok(())
//! # }
//! ```
//!
//! The modules decide before they act: `graph` and `plan` know no store and no clock.

pub mod document;
mod entry;
mod folder;
mod graph;
mod making;
mod partition;
pub mod plan;
mod recording;
mod state;
mod value;
mod workflow;

pub use entry::{Asset, AssetEntry, AssetInput, Input, Reads, all, one};
pub use folder::{AssetEvent, AssetObserver, Assets, AssetsError, Happening};
pub use graph::{AssetError, AssetGraph, AssetSpec, Maker, Misfit, entry, graph};
pub use making::{All, Check, Making, StepOutcome};
pub use partition::{DeclaredPartitions, Partition, PartitionError, Partitions};
pub use plan::Request;
pub use recording::{Made, RecordError};
pub use state::{AssetState, PartitionState, Standing};
pub use value::{AssetValue, StoredValue};
pub use workflow::WORKFLOW;
pub use workflow_cron::Period;
#[doc(no_inline)]
pub use workflow_macros::asset;

//! Where events about assets go, if the environment names a place for them.

use std::sync::{Arc, OnceLock};

use workflow_core::asset::{AssetObserver as _, Assets};
use workflow_data::OpenLineage;

use crate::output;

/// Adds an observer that sends events to where the environment says, if it does.
pub(super) fn observed(assets: Assets) -> Assets {
    match observer() {
        Some(observer) => assets.observer(observer),
        None => assets,
    }
}

/// Waits until the events were sent.
pub(super) fn flush() {
    if let Some(observer) = OBSERVER.get().and_then(Option::as_ref) {
        observer.flush();
    }
}

static OBSERVER: OnceLock<Option<Arc<OpenLineage>>> = OnceLock::new();

/// One for the process, because it has a thread.
fn observer() -> Option<Arc<OpenLineage>> {
    let made = || match OpenLineage::from_environment(|name| std::env::var(name).ok()) {
        Ok(lineage) => lineage.map(Arc::new),
        Err(error) => {
            output::warning(format_args!("sends no lineage: {error}"));
            None
        }
    };
    OBSERVER.get_or_init(made).clone()
}

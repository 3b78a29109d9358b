//! The assets of engines: their records in the store, and their values in a folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use workflow_core::asset::{self, Assets, AssetsError};
use workflow_core::engine::EngineBuilder;
use workflow_core::registry;
use workflow_core::store::Store;

/// The environment variable that names the folder of assets.
const ASSETS_VARIABLE: &str = "WORKFLOW_ASSETS_DIR";

/// The folder of assets, if nobody names one.
const ASSETS_DIR: &str = ".workflow/assets";

/// Sets the store of an engine, and adds the assets of the program, if it has any.
pub(crate) fn with_store(engine: EngineBuilder, store: Arc<dyn Store>) -> EngineBuilder {
    let has_assets = asset::graph().map_or(true, |graph| !graph.assets().is_empty());
    let engine = match assets(&store, None) {
        Ok(assets) if has_assets => engine.state(assets),
        // A store of the host may keep no records. A run that needs them says so.
        _ => engine,
    };
    engine.store(store)
}

/// Waits until the observers of assets have passed on what they hold back: those of the host, whose
/// engine is never dropped, and the one that the environment asks for.
pub(crate) fn flush_assets() {
    if asset::graph().is_ok_and(|graph| !graph.assets().is_empty())
        && let Some(assets) = registry::engine().state::<Assets>()
    {
        assets.flush();
    }
    #[cfg(feature = "openlineage")]
    super::lineage::flush();
}

/// The assets of the host, or those in the default folder, with their records in a store. A folder
/// that is named, by the argument or in the environment, replaces the one with the values.
///
/// # Errors
///
/// Fails when the store keeps no records of assets.
pub(crate) fn assets(store: &Arc<dyn Store>, folder: Option<&Path>) -> Result<Assets, AssetsError> {
    let store = Arc::clone(store);
    let named = || std::env::var_os(ASSETS_VARIABLE).filter(|folder| !folder.is_empty());
    let folder = folder.map(Path::to_path_buf).or_else(|| named().map(PathBuf::from));
    let assets = match (registry::engine().state::<Assets>(), folder) {
        (Some(host), None) => (*host).clone().in_store(store)?,
        (Some(host), Some(folder)) => (*host).clone().in_store(store)?.in_folder(folder),
        (None, folder) => Assets::new(store, folder.unwrap_or_else(|| ASSETS_DIR.into()))?,
    };
    #[cfg(feature = "openlineage")]
    let assets = super::lineage::observed(assets);
    Ok(assets)
}

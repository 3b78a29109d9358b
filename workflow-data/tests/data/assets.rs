//! Tables as values of assets.

use std::sync::{Arc, LazyLock};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use workflow_core::asset::{self, Assets, Request, asset};
use workflow_core::store::{MemoryStore, Store};
use workflow_core::{Engine, JobError};
use workflow_data::{Pipeline, TableFile};

use crate::folder::Folder;

/// The folder of the table, which the function of the asset knows.
static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

#[derive(Serialize, Deserialize)]
struct Orders(TableFile);

#[asset]
fn table_of_orders() -> Result<Orders, JobError> {
    let config = serde_json::json!({
        "source": { "type": "mock", "mock": { "records": 5 } },
        "output": { "type": "file", "path": FOLDER.path().join("orders.csv") },
    });
    let config = workflow_config::Config::from_json("orders", config)?;
    Ok(Orders(Pipeline::open(&config)?.run()?.table_file()?))
}

/// It is described by its file, and made again when its file is not as it was.
#[test]
fn a_table_is_current_as_long_as_its_file_is() {
    let folder = Folder::new();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let assets = Assets::new(Arc::clone(&store), folder.path("assets")).unwrap();
    let engine = Engine::builder().store(store).state(assets.clone()).build();
    let request = || Request::everything(asset::graph().unwrap(), SystemTime::now());
    let plan = || pollster::block_on(assets.plan(&request())).unwrap();
    let make = || engine.run(asset::WORKFLOW).input(plan().to_input().unwrap()).wait().unwrap();
    let why = || -> Vec<String> {
        let steps = plan().steps;
        steps.iter().flat_map(|step| &step.reasons).map(ToString::to_string).collect()
    };
    make();
    assert_eq!(why(), [""; 0]);
    let (history, _) =
        pollster::block_on(assets.history("table_of_orders", None, None, 1)).unwrap();
    let details = &history[0].details;
    let path = FOLDER.path().join("orders.csv");
    assert_eq!((details.rows, details.bytes), (Some(5), path.metadata().unwrap().len()));
    assert!(details.schema.iter().any(|field| field.name == "id" && field.kind == "integer"));

    std::fs::write(&path, "").unwrap();
    assert_eq!(why(), ["its file was changed"]);
    make();
    assert_eq!(why(), [""; 0]);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(why(), ["its file is missing"]);
}

use serde_json::Value as Json;
use std::collections::HashMap;
use std::time::{Duration, SystemTime};
use workflow_core::*;
use workflow_store::*;
pub struct Used {
    pub name: String,
    pub workflows: u64,
    pub executions: u64,
}
pub struct Usage {
    pub molecules: Vec<Used>,
    pub atoms: Vec<Used>,
}
pub struct Part {
    pub at: SystemTime,
    pub completed: u64,
    pub failed: u64,
    pub cancelled: u64,
    pub p50: Option<Duration>,
    pub p95: Option<Duration>,
}
pub enum Again<'a> {
    From(&'a str),
    Failed,
}
pub async fn repeat(
    _: &dyn Catalog,
    old: &StoredRun,
    _: &dyn Workflow,
    _: Again<'_>,
    _: Option<String>,
    _: Option<String>,
) -> Result<RunId, StoreError> {
    Ok(old.id)
}
#[async_trait::async_trait]
pub trait Later {
    async fn usage(&self) -> Result<Usage, CatalogError> {
        Ok(Usage { molecules: vec![], atoms: vec![] })
    }
    async fn timeline(
        &self,
        _: SystemTime,
        _: Duration,
        _: Option<i64>,
    ) -> Result<Vec<Part>, CatalogError> {
        Ok(vec![])
    }
    async fn status_counts(&self) -> Result<HashMap<Status, u64>, CatalogError> {
        Ok(HashMap::new())
    }
    async fn recent(&self, _: &[i64], _: usize) -> Result<Vec<RunSummary>, CatalogError> {
        Ok(vec![])
    }
    async fn run_by_number(&self, _: i64) -> Result<Option<RunId>, CatalogError> {
        Ok(None)
    }
    async fn report_run(
        &self,
        _: RunId,
        _: Status,
        _: Option<Json>,
        _: Option<String>,
    ) -> Result<(), CatalogError> {
        Ok(())
    }
}
impl Later for dyn Catalog {}
impl Later for std::sync::Arc<dyn Catalog> {}

//! The settings of `config.yaml` that the program uses.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Deserialize)]
pub(crate) struct TideTables {
    pub(crate) workflow: About,
    pub(crate) ingestion: Ingestion,
    pub(crate) transformation: Transformation,
}

#[derive(Deserialize)]
pub(crate) struct About {
    pub(crate) name: String,
}

#[derive(Deserialize)]
pub(crate) struct Ingestion {
    pub(crate) parameters: Parameters,
}

#[derive(Deserialize)]
pub(crate) struct Parameters {
    pub(crate) batch_size: u32,
    pub(crate) max_retries: u32,
}

#[derive(Deserialize)]
pub(crate) struct Transformation {
    pub(crate) stages: Vec<Stage>,
}

#[derive(Deserialize)]
pub(crate) struct Stage {
    pub(crate) name: String,
    pub(crate) options: BTreeMap<String, bool>,
}

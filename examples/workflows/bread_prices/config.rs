//! The settings of `config.yaml`.

use garde::Validate;
use serde::Deserialize;
use workflow_config::Secret;

/// Unknown fields are errors.
#[derive(Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub(crate) struct BreadPrices {
    #[garde(dive)]
    pub(crate) source: Source,
    #[garde(dive)]
    pub(crate) processing: Processing,
    #[garde(skip)]
    pub(crate) output: Output,
    #[garde(skip)]
    pub(crate) schedule: Schedule,
}

#[derive(Deserialize, Validate)]
pub(crate) struct Source {
    #[garde(length(min = 1))]
    pub(crate) name: String,
    #[garde(dive)]
    pub(crate) api: Api,
}

#[derive(Deserialize, Validate)]
pub(crate) struct Api {
    #[garde(prefix("https://"))]
    pub(crate) url: String,
    #[garde(skip)]
    pub(crate) token: Secret,
}

#[derive(Deserialize, Validate)]
pub(crate) struct Processing {
    #[garde(range(min = 1, max = 5000))]
    pub(crate) batch_size: u32,
}

#[derive(Deserialize)]
pub(crate) struct Output {
    pub(crate) table: String,
}

#[derive(Deserialize)]
pub(crate) struct Schedule {
    pub(crate) cron: String,
    pub(crate) timezone: String,
}

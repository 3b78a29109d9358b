//! `Config<T>` as a parameter of jobs.

use std::error::Error;

use serde::de::DeserializeOwned;
use workflow_core::job::{FromContext, JobContext, JobError, ParameterCheck};

use super::{Config, ConfigError, LOADER, Loader, Rules};

impl<T: DeserializeOwned + Rules + Send + Sync + 'static> FromContext for Config<T> {
    fn from_context(ctx: &JobContext) -> Result<Self, JobError> {
        if ctx.run_id().is_none() {
            return Err(JobError::terminal(
                "a `Config<T>` is available only in jobs that an engine runs; outside of a run, \
                 call the function with one: `job::call(config.typed()?, ..)`",
            ));
        }
        let loader = ctx.state::<Loader>();
        let loader = loader.as_deref().unwrap_or(&LOADER);
        load(loader, &ctx.workflow_name()).map_err(JobError::terminal)
    }

    fn check(check: &ParameterCheck<'_>) -> Result<(), Box<dyn Error + Send + Sync>> {
        let loader = check.state::<Loader>();
        let loader = loader.as_deref().unwrap_or(&LOADER);
        load::<T>(loader, check.workflow())?;
        Ok(())
    }
}

fn load<T: DeserializeOwned + Rules>(
    loader: &Loader,
    workflow: &str,
) -> Result<Config<T>, ConfigError> {
    loader.open(workflow)?.typed()
}

//! duroxide 0.1, on SQLite and on PostgreSQL.
//!
//! It polls for work every millisecond here, instead of every 100 ms by default. It serves two
//! orchestrations and two activities at a time, as by default. More were not faster on PostgreSQL,
//! and on SQLite they cause lock errors and failed runs.

use std::sync::Arc;
use std::time::Duration;

use duroxide::providers::Provider;
use duroxide::providers::sqlite::SqliteProvider;
use duroxide::runtime::registry::ActivityRegistry;
use duroxide::runtime::{Runtime, RuntimeOptions};
use duroxide::{
    ActivityContext, Client, OrchestrationContext, OrchestrationRegistry, OrchestrationStatus,
};
use duroxide_pg::PostgresProvider;

use crate::{Failure, Load, time};

const PATIENCE: Duration = Duration::from_secs(300);

pub(crate) async fn sqlite(file: &str, load: Load) -> Result<Duration, Failure> {
    let provider = SqliteProvider::new(&format!("sqlite:{file}?mode=rwc"), None).await?;
    runs(Arc::new(provider), load).await
}

pub(crate) async fn postgres(url: &str, load: Load) -> Result<Duration, Failure> {
    runs(Arc::new(PostgresProvider::new(url).await?), load).await
}

async fn runs(provider: Arc<dyn Provider>, load: Load) -> Result<Duration, Failure> {
    let add_one = |_: ActivityContext, number: String| async move {
        let number = number.parse::<u64>().map_err(|error| error.to_string())?;
        Ok((number + 1).to_string())
    };
    let activities = ActivityRegistry::builder()
        .register("first", add_one)
        .register("second", add_one)
        .register("third", add_one)
        .build();
    let three = |cx: OrchestrationContext, number: String| async move {
        let number = cx.schedule_activity("first", number).await?;
        let number = cx.schedule_activity("second", number).await?;
        cx.schedule_activity("third", number).await
    };
    let orchestrations = OrchestrationRegistry::builder().register("three_jobs", three).build();
    let options = RuntimeOptions {
        dispatcher_min_poll_interval: Duration::from_millis(1),
        ..RuntimeOptions::default()
    };
    let runtime =
        Runtime::start_with_options(provider.clone(), activities, orchestrations, options).await;
    let client = Client::new(provider);
    let took = time(load, async |run| {
        let id = format!("{}-{run}", std::process::id());
        client.start_orchestration(&id, "three_jobs", run.to_string()).await?;
        match client.wait_for_orchestration(&id, PATIENCE).await? {
            OrchestrationStatus::Completed { output, .. } if output == (run + 3).to_string() => {
                Ok(())
            }
            other => Err(format!("{run} became {other:?}").into()),
        }
    })
    .await;
    runtime.shutdown(Some(1000)).await;
    took
}

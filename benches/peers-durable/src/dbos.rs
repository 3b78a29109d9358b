//! dbos 0.5, with its defaults.

use std::time::Duration;

use dbos::{Config, DBOS, Error, step};

use crate::{Failure, Load, time};

pub(crate) async fn postgres(url: &str, load: Load) -> Result<Duration, Failure> {
    let config = Config { app_version: Some("1".to_owned()), ..Config::new("figures", url) };
    let dbos = DBOS::new(config);
    let three = dbos.register_workflow("three_jobs", |number: u64| async move {
        let number = step("first", || async move { Ok::<u64, Error>(number + 1) }).await?;
        let number = step("second", || async move { Ok::<u64, Error>(number + 1) }).await?;
        step("third", || async move { Ok::<u64, Error>(number + 1) }).await
    })?;
    dbos.launch().await?;
    let took = time(load, async |run| {
        let run = run as u64;
        let output = three.start(run).await?.result().await?;
        if output == run + 3 { Ok(()) } else { Err(format!("{run} became {output}").into()) }
    })
    .await;
    dbos.shutdown().await;
    took
}

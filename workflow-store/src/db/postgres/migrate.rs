//! Migrations of PostgreSQL.

use tokio_postgres::{Client, Error};

use super::adopt::adopt;
use super::error::explain;
use crate::db::connect::too_new;
use crate::db::sql::{SqlError, SqlKind};

mod embedded {
    refinery::embed_migrations!("migrations/postgres");
}

/// Runs pending migrations, one process at a time, and adopts columns that another application has
/// added since.
pub(crate) async fn migrate(client: &mut Client, name: &str) -> Result<(), SqlError> {
    let explained = |error: Error| explain(&error, name);
    // Each in its own transaction: deferred foreign keys would lock a rewritten table against the
    // next migration.
    let runner = embedded::migrations::runner().set_grouped(false);
    let newest = runner.get_migrations().iter().map(|m| i64::from(m.version())).max().unwrap_or(0);
    if check(client, name, newest).await? {
        return adopt(client, name).await;
    }
    client.batch_execute(LOCK).await.map_err(explained)?;
    let outcome = match check(client, name, newest).await {
        Ok(true) => Ok(()),
        Ok(false) => runner.run_async(client).await.map(|_| ()).map_err(|error| {
            let source = std::error::Error::source(&error);
            match source.and_then(|cause| cause.downcast_ref::<Error>()) {
                Some(error) => explain(error, name),
                None => {
                    let text = format!("database `{name}`: cannot migrate its schema: {error}");
                    SqlError::new(SqlKind::Unusable, text)
                }
            }
        }),
        Err(error) => Err(error),
    };
    let outcome = match outcome {
        Ok(()) => adopt(client, name).await,
        failed => failed,
    };
    client.batch_execute(UNLOCK).await.map_err(explained)?;
    outcome
}

const LOCK: &str = "SELECT pg_advisory_lock(7790216411420971372)";
const UNLOCK: &str = "SELECT pg_advisory_unlock(7790216411420971372)";

/// Whether no migration is pending.
async fn check(client: &Client, name: &str, newest: i64) -> Result<bool, SqlError> {
    let found = version(client).await.map_err(|error| explain(&error, name))?;
    if found > newest {
        return Err(too_new(name, found, newest));
    }
    Ok(found == newest)
}

async fn version(client: &Client) -> Result<i64, Error> {
    let exists = "SELECT to_regclass('refinery_schema_history') IS NOT NULL";
    if !client.query_one(exists, &[]).await?.try_get::<_, bool>(0)? {
        return Ok(0);
    }
    let version = "SELECT coalesce(max(version), 0)::bigint FROM refinery_schema_history";
    client.query_one(version, &[]).await?.try_get(0)
}

//! The schema of the tables.

use tokio_postgres::Client;

use super::error::explain;
use crate::db::sql::{SqlError, SqlKind};

/// Makes every statement of this connection use the tables of one schema: `public` if the search
/// path contains it, because applications with a schema for each tenant share tables there;
/// otherwise the first of the path. The default path, `"$user", public`, means the role's own
/// schema if it exists.
///
/// # Errors
///
/// Fails when no schema of the path exists.
pub(super) async fn settle(client: &Client, name: &str) -> Result<(), SqlError> {
    let row = client.query_one(SETTLE, &[]).await.map_err(|error| explain(&error, name))?;
    let (path, settled): (String, Option<String>) = (row.get(0), row.get(1));
    if settled.is_some() {
        return Ok(());
    }
    let text = format!(
        "database `{name}`: no schema of the search path `{path}` exists; create one, or set \
         another with ?options=-csearch_path%3Dpublic"
    );
    Err(SqlError::new(SqlKind::Unusable, text))
}

const SETTLE: &str = "WITH asked AS (SELECT current_setting('search_path') AS path), \
    chosen AS (SELECT path, CASE \
    WHEN path LIKE '\"$user\"%' AND current_schema() = current_user THEN current_schema() \
    WHEN 'public' = ANY (current_schemas(false)) THEN 'public' \
    ELSE current_schema() END AS name FROM asked) \
    SELECT path, CASE WHEN name IS NOT NULL \
    THEN set_config('search_path', quote_ident(name), false) END FROM chosen";

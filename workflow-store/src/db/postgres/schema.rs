//! In which schema of a database the tables are.

use tokio_postgres::Client;

use super::error::explain;
use crate::db::sql::{SqlError, SqlKind};

/// Sees to it that every statement of this connection means the tables of one schema, whatever else
/// is on its search path: `public` where the path names it, because applications with a schema for
/// each tenant keep what tenants share there; else the first on the path. The path that roles have
/// by default, `"$user", public`, means the role's own schema where there is one.
///
/// # Errors
///
/// Fails when no schema of the path is there.
pub(super) async fn settle(client: &Client, name: &str) -> Result<(), SqlError> {
    let row = client.query_one(SETTLE, &[]).await.map_err(|error| explain(&error, name))?;
    let (path, settled): (String, Option<String>) = (row.get(0), row.get(1));
    if settled.is_some() {
        return Ok(());
    }
    let text = format!(
        "database `{name}`: no schema of the search path `{path}` is there; create one, or name \
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

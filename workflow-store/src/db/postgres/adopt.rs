//! Adopts tables of other applications, whose frameworks fill columns themselves and leave the
//! database without defaults.

use tokio_postgres::{Client, Error};

use super::error::explain;
use crate::db::sql::SqlError;

/// Columns that this crate leaves empty.
const OPTIONAL: &str = "(VALUES ('workflows_workflow', 'description'), \
    ('workflows_workflow', 'app_name'), ('workflows_workflow', 'user_id'), \
    ('workflows_workflow', 'last_executed_at'), ('workflows_workflowrun', 'completed_at'), \
    ('workflows_workflowrun', 'error_message'))";

/// Columns that this crate always fills.
const GIVEN: &str = "(VALUES ('accounts_user', 'username'), ('workflows_workflow', 'project_id'), \
    ('workflows_workflow', 'project_name'), ('workflows_workflow', 'name'), \
    ('workflows_workflow', 'slug'), ('workflows_workflowrun', 'workflow_id'))";

/// Makes inserts of this crate work in tables with columns of others: required columns without a
/// default get one, and columns that this crate leaves empty become nullable. Existing rows and the
/// writes of the other application are not changed.
///
/// # Errors
///
/// Fails when the tables cannot be read. A column that cannot be changed causes a warning, and
/// inserts into its table fail with an error.
pub(super) async fn adopt(client: &Client, name: &str) -> Result<(), SqlError> {
    let explained = |error: Error| explain(&error, name);
    // The other application may lock a table for long; the next store that is opened retries.
    client.batch_execute("SET lock_timeout = '10s'").await.map_err(explained)?;
    let optional = format!("{OF_OTHERS} AND (c.relname, a.attname) IN {OPTIONAL}");
    for row in client.query(&optional, &[]).await.map_err(explained)? {
        let (table, column): (String, String) = (row.get(0), row.get(1));
        alter(client, name, &table, &column, "DROP NOT NULL").await;
    }
    let needed = format!(
        "{OF_OTHERS} AND NOT a.atthasdef AND a.attidentity = '' \
         AND (c.relname, a.attname) NOT IN {GIVEN}"
    );
    for row in client.query(&needed, &[]).await.map_err(explained)? {
        let (table, column): (String, String) = (row.get(0), row.get(1));
        let kind = Kind { category: row.get(2), name: row.get(3), key: row.get(4) };
        match kind.default(&column) {
            Some(value) => {
                alter(client, name, &table, &column, &format!("SET DEFAULT {value}")).await;
            }
            None => tracing::warn!(
                database = name,
                "column `{column}` of `{table}` is NOT NULL and has no default; give it one, or \
                 this program cannot insert into that table"
            ),
        }
    }
    Ok(())
}

async fn alter(client: &Client, name: &str, table: &str, column: &str, how: &str) {
    let statement = format!(
        "ALTER TABLE \"{}\" ALTER COLUMN \"{}\" {how}",
        table.replace('"', "\"\""),
        column.replace('"', "\"\"")
    );
    if let Err(error) = client.batch_execute(&statement).await {
        let error = explain(&error, name);
        tracing::warn!(%error, "`{statement}` failed; the owner of the table must run it");
    }
}

/// Columns that are NOT NULL, except row numbers: their table, name, category and name of the type,
/// and kinds of keys.
const OF_OTHERS: &str = "SELECT c.relname::text, a.attname::text, t.typcategory::text, \
    t.typname::text, coalesce((SELECT string_agg(k.contype::text, '') FROM pg_constraint k \
    WHERE k.conrelid = c.oid AND k.contype IN ('u', 'f') AND a.attnum = ANY (k.conkey)), '') \
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid \
    WHERE c.oid IN (to_regclass('accounts_user'), to_regclass('workflows_workflow'), \
    to_regclass('workflows_workflowrun')) AND a.attnum > 0 AND NOT a.attisdropped \
    AND a.attnotnull AND a.attname <> 'id'";

/// The kind of a column.
struct Kind {
    category: String,
    name: String,
    /// `u` for unique values, `f` for foreign keys.
    key: String,
}

impl Kind {
    /// The default of a column; `None` if only the other application knows one.
    fn default(&self, column: &str) -> Option<&'static str> {
        if self.key.contains('f') {
            return None;
        }
        let is_unique = self.key.contains('u');
        match (column, &*self.category, &*self.name) {
            // As in Django: no password matches.
            ("password", "S", _) => Some("'!'"),
            ("version", "N", _) => Some("1"),
            ("is_active", "B", _) => Some("TRUE"),
            ("molecules_used", _, "json" | "jsonb") => Some("'[]'"),
            (_, "S", _) if is_unique => Some("gen_random_uuid()::text"),
            (_, _, "uuid") => Some("gen_random_uuid()"),
            _ if is_unique => None,
            (_, "S", _) => Some("''"),
            (_, "B", _) => Some("FALSE"),
            (_, "N", _) => Some("0"),
            (_, "D", _) => Some("CURRENT_TIMESTAMP"),
            (_, "A", _) | (_, _, "json" | "jsonb") => Some("'{}'"),
            _ => None,
        }
    }
}

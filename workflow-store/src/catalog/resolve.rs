//! Which workflow a text means.

use super::CatalogError;
use crate::operation::Answer;
use crate::sql::Sql;
use crate::value::Value;

/// The number of the workflow that has this id, else this slug, else this name.
pub(crate) fn resolve(sql: &mut dyn Sql, which: &str) -> Answer<i64> {
    if let Ok(id) = which.parse::<i64>() {
        let found =
            sql.first("SELECT id FROM workflows_workflow WHERE id = $1", &[Value::Int(id)])?;
        if let Some(row) = found {
            return Ok(row.int(0)?);
        }
    }
    let which = crate::value::clean(which);
    for query in [BY_SLUG, BY_NAME] {
        let rows = sql.query(query, &[Value::Text(&which)])?;
        match rows.as_slice() {
            [] => {}
            [row] => return Ok(row.int(0)?),
            rows => {
                let mut candidates = Vec::with_capacity(rows.len());
                for row in rows {
                    let project = match row.maybe_text(2)? {
                        Some(project) => format!(" in {project}"),
                        None => String::new(),
                    };
                    candidates.push(format!("{} ({}{project})", row.int(0)?, row.text(1)?));
                }
                let wanted = which.into_owned();
                return Err(CatalogError::Ambiguous { wanted, candidates }.into());
            }
        }
    }
    Err(CatalogError::NoWorkflow(which.into_owned()).into())
}

const BY_SLUG: &str = "SELECT id, name, project FROM workflows_workflow \
    WHERE slug = $1 ORDER BY id LIMIT 10";
const BY_NAME: &str = "SELECT id, name, project FROM workflows_workflow \
    WHERE name = $1 ORDER BY id LIMIT 10";

//! Slugs: the names of workflows in URLs.

use workflow_core::id::normalize_name;

use crate::db::sql::{Dialect, Sql, SqlError};
use crate::db::value::{Value, clean};

/// Makes the slug of a new workflow from a text: in lower case with dashes between words, and
/// different from every other workflow's name, slug and id.
///
/// A slug never changes, whatever the names of later workflows.
pub(crate) fn make(sql: &mut dyn Sql, text: &str) -> Result<String, SqlError> {
    make_for(sql, NEW, text)
}

/// Makes the slug of the workflow with this number, which may equal its own name or current slug.
pub(crate) fn make_for(sql: &mut dyn Sql, id: i64, text: &str) -> Result<String, SqlError> {
    let base = base(text);
    let is_free = |sql: &mut dyn Sql, slug: &str| is_free(sql, id, slug);
    if is_free(sql, &base)? {
        return Ok(base);
    }
    // Found by binary search: there may be thousands of the name.
    let numbered = |number: u64| format!("{base}-{number}");
    let (mut taken, mut free) = (1, 2);
    while !is_free(sql, &numbered(free))? {
        (taken, free) = (free, free * 2);
    }
    while free - taken > 1 {
        let middle = taken + (free - taken) / 2;
        match is_free(sql, &numbered(middle))? {
            true => free = middle,
            false => taken = middle,
        }
    }
    Ok(numbered(free))
}

/// Locks names and slugs until the transaction ends.
pub(crate) fn lock_names(sql: &mut dyn Sql) -> Result<(), SqlError> {
    match sql.dialect() {
        // Its transactions are exclusive.
        #[cfg(feature = "sqlite")]
        Dialect::Sqlite => Ok(()),
        #[cfg(feature = "postgres")]
        Dialect::Postgres => sql.query(LOCK, &[]).map(|_| ()),
    }
}

#[cfg(feature = "postgres")]
const LOCK: &str = "SELECT 1 FROM pg_advisory_xact_lock(7790216411420971373)";

/// The number of no workflow.
const NEW: i64 = 0;

/// Whether no workflow except the one with this number has this slug or name.
fn is_free(sql: &mut dyn Sql, id: i64, slug: &str) -> Result<bool, SqlError> {
    Ok(sql.first(TAKEN, &[Value::Text(slug), Value::Int(id)])?.is_none())
}

pub(crate) const TAKEN: &str = "SELECT id FROM workflows_workflow WHERE slug = $1 AND id <> $2 \
    UNION ALL SELECT id FROM workflows_workflow WHERE name = $1 AND id <> $2 LIMIT 1";

/// Converts a text to a slug. Digits alone would be an id.
fn base(text: &str) -> String {
    let text = clean(text);
    let mut slug = String::with_capacity(text.len());
    let lowered: String = normalize_name(&text).chars().flat_map(char::to_lowercase).collect();
    for character in normalize_name(&lowered).chars().take(LONGEST) {
        if character.is_alphanumeric() || character == '_' {
            slug.push(character);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-');
    match slug {
        "" => "workflow".to_owned(),
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => format!("workflow-{digits}"),
        slug => slug.to_owned(),
    }
}

/// The longest slug without a number, in characters: the column has 255.
const LONGEST: usize = 230;

#[cfg(test)]
mod tests {
    use super::base;

    #[test]
    fn a_slug_is_valid_in_urls() {
        assert_eq!(base("Q4 Sales  Analysis!"), "q4-sales-analysis");
        assert_eq!(
            base("Data Analysis - Q4 Report - 10/13/2025, 3:45:00 PM"),
            "data-analysis-q4-report-10-13-2025-3-45-00-pm"
        );
    }

    #[test]
    fn a_slug_is_neither_a_number_nor_empty() {
        for (name, slug) in [("42", "workflow-42"), ("-7", "workflow-7"), ("!?", "workflow")] {
            assert_eq!(base(name), slug);
        }
        assert_eq!(base("42 etl"), "42-etl");
    }

    #[test]
    fn two_unicode_forms_have_one_slug() {
        assert_eq!(base("Cafe\u{301}"), "caf\u{e9}");
        assert_eq!(base("CAF\u{c9}"), "caf\u{e9}");
    }

    #[test]
    fn a_slug_fits_its_column() {
        assert_eq!(base(&"\u{130}x".repeat(300)).chars().filter(|c| *c == 'x').count(), 76);
    }
}

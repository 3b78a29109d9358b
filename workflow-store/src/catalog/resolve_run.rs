//! Resolves references to runs.

use jiff::Timestamp;
use workflow_core::id::RunId;

use super::run_filter::{RunQuery, Within, select};
use super::{CatalogError, resolve};
use crate::catalog_error::Answer;
use crate::db::sql::Sql;
use crate::db::statement::Statement;
use crate::db::value::beginning;
use crate::visibility::Visibility;

/// The word for the newest run.
const LATEST: &str = "latest";

/// The shortest prefix of an id, in characters: a UUID up to its first dash.
const SHORTEST: usize = 8;

/// The number of digits of an id.
const DIGITS: usize = 32;

/// The most candidates in an error.
const NAMED: usize = 10;

/// Resolves a text to a visible run: by its number, else by its id or a prefix of it, else the
/// newest.
///
/// A complete id is not looked up: its use shows whether it exists.
pub(crate) fn resolve_run(sql: &mut dyn Sql, visibility: Visibility, which: &str) -> Answer<RunId> {
    if which.len() >= DIGITS
        && let Ok(run) = which.parse()
    {
        return Ok(run);
    }
    let unknown = || CatalogError::UnknownRun(beginning(which).into_owned());
    if which == LATEST {
        return Ok(newest(sql, visibility)?.ok_or_else(unknown)?);
    }
    let number = resolve::id(which.strip_prefix('#').unwrap_or(which));
    if let Some(number) = number
        && let Some(run) = numbered(sql, visibility, number)?
    {
        return Ok(run);
    }
    match prefix(which) {
        Some(range) => begun_with(sql, visibility, which, range),
        None if number.is_some() => Err(unknown().into()),
        None => Err(CatalogError::NotARun(beginning(which).into_owned()).into()),
    }
}

fn newest(sql: &mut dyn Sql, visibility: Visibility) -> Answer<Option<RunId>> {
    let row = newest_of(visibility)?.first(sql)?;
    Ok(row.map(|row| row.uuid(0)).transpose()?.map(RunId::from_u128))
}

fn newest_of(visibility: Visibility) -> Answer<Statement> {
    let read = "r.run_id FROM workflows_workflowrun r";
    select(read, &RunQuery::default(), visibility, Within::default(), None, 1)
}

/// The run with this number.
fn numbered(sql: &mut dyn Sql, visibility: Visibility, number: i64) -> Answer<Option<RunId>> {
    let mut query = Statement::default();
    query.add("SELECT r.run_id FROM workflows_workflowrun r WHERE r.id = ").number(number);
    visibility.run(&mut query);
    let row = query.first(sql)?;
    Ok(row.map(|row| row.uuid(0)).transpose()?.map(RunId::from_u128))
}

/// The first and the last id with a prefix, which may contain dashes.
fn prefix(text: &str) -> Option<(u128, u128)> {
    let digits: String = text.chars().filter(|character| *character != '-').collect();
    if !(SHORTEST..DIGITS).contains(&digits.len()) {
        return None;
    }
    let missing = 4 * (DIGITS - digits.len());
    let first = u128::from_str_radix(&digits, 16).ok()? << missing;
    let is_written_so = text == digits
        || RunId::from_u128(first).to_string().starts_with(&text.to_ascii_lowercase());
    let is_hexadecimal = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    (is_written_so && is_hexadecimal).then_some((first, first | ((1 << missing) - 1)))
}

fn begun_with(
    sql: &mut dyn Sql,
    visibility: Visibility,
    which: &str,
    range: (u128, u128),
) -> Answer<RunId> {
    let rows = within(visibility, range).query(sql)?;
    match rows.as_slice() {
        [] => Err(CatalogError::UnknownRun(which.to_owned()).into()),
        [row] => Ok(RunId::from_u128(row.uuid(0)?)),
        rows => {
            let mut candidates = Vec::with_capacity(rows.len());
            for row in rows.iter().take(NAMED) {
                let at = Timestamp::try_from(row.time(3)?).map(|at| at.to_string());
                let (number, run) = (row.int(2)?, RunId::from_u128(row.uuid(0)?));
                let at = at.unwrap_or_default();
                candidates.push(format!("{number} ({run} of {}, {at})", row.text(1)?));
            }
            if rows.len() > NAMED {
                candidates.push("and more".to_owned());
            }
            Err(CatalogError::AmbiguousRun { wanted: which.to_owned(), candidates }.into())
        }
    }
}

fn within(visibility: Visibility, (first, last): (u128, u128)) -> Statement {
    let mut query = Statement::default();
    query.add(
        "SELECT r.run_id, w.name, r.id, r.started_at FROM workflows_workflowrun r \
         JOIN workflows_workflow w ON w.id = r.workflow_id WHERE r.run_id >= ",
    );
    query.uuid(first).add(" AND r.run_id <= ").uuid(last);
    visibility.run_of_few(&mut query);
    query.add(" ORDER BY r.run_id LIMIT ").number(NAMED as i64 + 1);
    query
}

/// The statements of this file, for the test of their plans.
#[cfg(test)]
pub(crate) fn statements() -> Vec<(String, Statement)> {
    let of = |visibility| {
        let newest = newest_of(visibility).expect("put together");
        [
            (format!("{visibility:?} Within {{ workflow: None"), newest),
            (format!("prefix {visibility:?}"), within(visibility, (1, 2))),
        ]
    };
    [Visibility::All, Visibility::User(1)].into_iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_prefix_is_a_range_of_ids() {
        let range = Some((0x0198_abcd << 96, (0x0198_abce << 96) - 1));
        for text in ["0198abcd", "0198ABCD", "0198abcd-"] {
            assert_eq!(prefix(text), range, "{text}");
        }
        let (first, last) = prefix("0198abcd-12").expect("one");
        assert_eq!((first >> 88, last >> 88), (0x01_98ab_cd12, 0x01_98ab_cd12));
        assert_eq!(prefix("0198abcd12"), Some((first, last)));
        for text in ["0198abc", "0198-abcd", "0198abcg", "+198abcd", "nonsense", "", "0198abcd--"] {
            assert_eq!(prefix(text), None, "{text}");
        }
    }
}

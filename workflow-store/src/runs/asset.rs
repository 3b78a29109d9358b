//! The records of assets.

use workflow_core::id::RunId;
use workflow_core::store::{
    Materialization, MaterializationDetails, PartitionRange, StoreError, StoredMaterialization,
};

use crate::db::sql::{Sql, SqlError, SqlKind};
use crate::db::statement::Statement;
use crate::db::value::{Row, Value, clean, clean_json, to_micros};
use crate::exec::operation::{Answer, Cx};

/// A record whose parts are encoded by the thread of the caller.
pub(crate) struct Record {
    made: Materialization,
    details: String,
}

impl Record {
    /// # Errors
    ///
    /// Fails when the details have no form as JSON.
    pub(crate) fn new(made: &Materialization) -> Result<Self, StoreError> {
        let details = serde_json::to_value(&made.details);
        let details = details.map_err(|error| StoreError::Unusable(Box::new(error)))?;
        Ok(Self { made: made.clone(), details: clean_json(&details) })
    }
}

/// Records a materialization in place of those of the same run, asset and partition; a refused one
/// in place of refused ones.
pub(crate) fn record(cx: &mut Cx<'_>, record: &Record) -> Answer<()> {
    let made = &record.made;
    let (asset, partition) = (clean(&made.asset), clean(&made.partition));
    let (code, data) = (clean(&made.code_version), clean(&made.data_version));
    let run = Value::Uuid(made.run.to_u128());
    // Not an update: the number of the record says that it is the newest.
    let of = [run, Value::Text(&asset), Value::Text(&partition), Value::Bool(made.is_refused)];
    cx.sql.execute(FORGET, &of)?;
    let values = [
        Value::Text(&asset),
        Value::Text(&partition),
        run,
        Value::Time(to_micros(made.made_at)),
        Value::Bool(made.is_refused),
        Value::Text(&code),
        Value::Text(&data),
        Value::Text(&record.details),
    ];
    cx.sql.execute(INSERT, &values)?;
    Ok(())
}

pub(crate) const FORGET: &str = "DELETE FROM workflows_materialization \
    WHERE run_id = $1 AND asset = $2 AND partition_key = $3 AND (is_refused OR NOT $4)";

const INSERT: &str = "INSERT INTO workflows_materialization \
    (asset, partition_key, run_id, made_at, is_refused, code_version, data_version, facts) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

/// Which records count when the newest one of each partition is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counting {
    /// Those that were not refused.
    Made,
    /// All of them.
    All,
}

/// The newest record of each partition of an asset, ordered by partition.
pub(crate) fn newest(
    sql: &mut dyn Sql,
    asset: &str,
    partitions: &PartitionRange,
    counting: Counting,
    limit: usize,
) -> Answer<Vec<Materialization>> {
    let rows = newest_of(asset, partitions, counting, limit).query(sql)?;
    let made = rows.iter().map(|row| read(row).map(|stored| stored.made));
    let mut made = made.collect::<Result<Vec<_>, _>>()?;
    made.sort_unstable_by(|one, other| one.partition.cmp(&other.partition));
    Ok(made)
}

/// Finds the newest records of the first `limit` partitions, and returns them in any order.
pub(crate) fn newest_of(
    asset: &str,
    partitions: &PartitionRange,
    counting: Counting,
    limit: usize,
) -> Statement {
    let mut of = Statement::default();
    of.add(COLUMNS).add(" WHERE id IN (SELECT MAX(id) FROM workflows_materialization WHERE ");
    if counting == Counting::Made {
        of.add("NOT is_refused AND ");
    }
    of.add("asset = ").text(asset);
    let bounds = [(" > ", &partitions.after), (" >= ", &partitions.from), (" <= ", &partitions.to)];
    for (comparison, bound) in bounds {
        if let Some(bound) = bound {
            of.add(" AND partition_key").add(comparison).text(bound);
        }
    }
    of.add(" GROUP BY partition_key ORDER BY partition_key LIMIT ").number(limited(limit));
    of.add(")");
    of
}

/// The records of an asset, the newest first.
pub(crate) fn history(
    sql: &mut dyn Sql,
    asset: &str,
    partition: Option<&str>,
    before: Option<u64>,
    limit: usize,
) -> Answer<Vec<StoredMaterialization>> {
    let rows = history_of(asset, partition, before, limit).query(sql)?;
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

pub(crate) fn history_of(
    asset: &str,
    partition: Option<&str>,
    before: Option<u64>,
    limit: usize,
) -> Statement {
    let mut of = Statement::default();
    of.add(COLUMNS).add(" WHERE asset = ").text(asset);
    if let Some(partition) = partition {
        of.add(" AND partition_key = ").text(partition);
    }
    if let Some(before) = before {
        of.add(" AND id < ").number(i64::try_from(before).unwrap_or(i64::MAX));
    }
    of.add(" ORDER BY id DESC LIMIT ").number(limited(limit));
    of
}

/// The keys of the partitions that a run has made, in order.
pub(crate) fn made_by(sql: &mut dyn Sql, run: RunId, asset: &str) -> Answer<Vec<String>> {
    let rows = sql.query(MADE_BY, &[Value::Uuid(run.to_u128()), Value::Text(&clean(asset))])?;
    Ok(rows.iter().map(|row| row.text(0)).collect::<Result<_, _>>()?)
}

const MADE_BY: &str = "SELECT partition_key FROM workflows_materialization \
    WHERE run_id = $1 AND asset = $2 AND NOT is_refused ORDER BY partition_key";

fn limited(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

const COLUMNS: &str = "SELECT id, asset, partition_key, run_id, made_at, is_refused, \
    code_version, data_version, facts FROM workflows_materialization";

fn read(row: &Row) -> Result<StoredMaterialization, SqlError> {
    let details = serde_json::from_value::<MaterializationDetails>(row.json(8)?);
    let made = Materialization {
        asset: row.text(1)?,
        partition: row.text(2)?,
        run: RunId::from_u128(row.uuid(3)?),
        made_at: row.time(4)?,
        is_refused: row.bool(5)?,
        code_version: row.text(6)?,
        data_version: row.text(7)?,
        details: details.map_err(|error| {
            let text = format!(
                "the details of a materialization are invalid: {error}; another program changed the \
                 database, restore it from a backup"
            );
            SqlError::new(SqlKind::Unusable, text)
        })?,
    };
    Ok(StoredMaterialization { number: row.count(0)?, made })
}

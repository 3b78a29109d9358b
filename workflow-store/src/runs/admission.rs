//! The admission of runs with limits by one claim: which of them may begin, and which wait from now
//! on.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use workflow_core::flow_control::{FlowControl, RateLimit, RateVerdict};

use super::limits::{self, Unadmitted};
use crate::db::sql::{Sql, SqlError};
use crate::db::value::Value;
use crate::rows::slots::{lock_all, try_lock, wake};

/// The admission of runs by one claim.
pub(super) struct Admissions {
    /// The time of the claim, once a rate limit needs it.
    now: Option<i64>,
    /// The number of runs with slots, by key.
    holders: HashMap<String, u64>,
    /// When the next run is expected, by key; and whether that has changed.
    rates: HashMap<String, (Option<i64>, bool)>,
    /// The keys that this claim has locked.
    locked: BTreeSet<String>,
    /// Runs that wait from now on, by the key that they wait for.
    parked: BTreeMap<String, Vec<i64>>,
    /// When runs that wait for a rate limit are put back, by key.
    wakes: BTreeMap<String, i64>,
}

/// Whether a run may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Admit,
    /// It waits for a limit.
    Park,
    /// Another transaction changes runs of its key at the moment.
    Busy,
}

impl Admissions {
    /// Begins, and puts runs back into their queues whose time has come. Only while claims are
    /// locked.
    pub(super) fn start(sql: &mut dyn Sql) -> Result<Self, SqlError> {
        limits::wake_due(sql)?;
        Ok(Self {
            now: None,
            holders: HashMap::new(),
            rates: HashMap::new(),
            locked: BTreeSet::new(),
            parked: BTreeMap::new(),
            wakes: BTreeMap::new(),
        })
    }

    /// Locks the keys of runs. The first call waits for locks. Later calls must not, because ends of
    /// runs wait for those that this claim has.
    pub(super) fn lock<'a>(
        &mut self,
        sql: &mut dyn Sql,
        runs: impl Iterator<Item = &'a Unadmitted>,
    ) -> Result<(), SqlError> {
        let keys: BTreeSet<&str> = runs.filter_map(|run| run.concurrency.as_deref()).collect();
        let new: Vec<&str> = keys.into_iter().filter(|key| !self.locked.contains(*key)).collect();
        if self.locked.is_empty() {
            lock_all(sql, &new)?;
            self.locked.extend(new.into_iter().map(str::to_owned));
            return Ok(());
        }
        for key in new {
            if try_lock(sql, &[key])? {
                self.locked.insert(key.to_owned());
            }
        }
        Ok(())
    }

    /// Whether a run may begin. A run that may not waits for its limit from now on.
    pub(super) fn judge(
        &mut self,
        sql: &mut dyn Sql,
        run: &Unadmitted,
        control: &FlowControl,
    ) -> Result<Verdict, SqlError> {
        if run.is_debounced {
            return Ok(Verdict::Busy);
        }
        if let (Some(key), Some(limit)) = (&run.concurrency, &control.concurrency) {
            if !self.locked.contains(key) {
                return Ok(Verdict::Busy);
            }
            if self.holders(sql, key)? >= u64::from(limit.limit) {
                self.park(key, run.row);
                return Ok(Verdict::Park);
            }
        }
        if let (Some(key), Some(rate)) = (&run.rate, &control.rate_limit)
            && let RateVerdict::Wait(until) = self.verdict(sql, key, rate)?
        {
            self.park(key, run.row);
            let wakes = self.wakes.entry(key.clone()).or_insert(until);
            *wakes = until.min(*wakes);
            // Another run may have the slot meanwhile, unless it would wait for the same limit.
            if let Some(concurrency) = &run.concurrency
                && first_rate(sql, concurrency)?.as_ref() != Some(key)
            {
                wake(sql, concurrency, 1)?;
            }
            return Ok(Verdict::Park);
        }
        Ok(Verdict::Admit)
    }

    /// Records that a run was claimed which [may begin](Self::judge).
    pub(super) fn admit(
        &mut self,
        sql: &mut dyn Sql,
        run: &Unadmitted,
        control: &FlowControl,
    ) -> Result<(), SqlError> {
        sql.execute(
            "UPDATE workflows_limited SET admitted = TRUE WHERE run = $1",
            &[Value::Int(run.row)],
        )?;
        if let (Some(key), Some(rate)) = (&run.rate, &control.rate_limit)
            && let RateVerdict::Begin(next) = self.verdict(sql, key, rate)?
        {
            self.rates.insert(key.clone(), (Some(next), true));
        }
        if let (Some(key), Some(limit)) = (&run.concurrency, &control.concurrency) {
            let holders = self.holders(sql, key)? + 1;
            self.holders.insert(key.clone(), holders);
            if holders < u64::from(limit.limit) {
                wake(sql, key, 1)?;
            }
        }
        Ok(())
    }

    fn holders(&mut self, sql: &mut dyn Sql, key: &str) -> Result<u64, SqlError> {
        if let Some(holders) = self.holders.get(key) {
            return Ok(*holders);
        }
        let row = sql.first(COUNT_HOLDERS, &[Value::Text(key)])?;
        let holders = row.map_or(Ok(0), |row| row.count(0))?;
        self.holders.insert(key.to_owned(), holders);
        Ok(holders)
    }

    fn verdict(
        &mut self,
        sql: &mut dyn Sql,
        key: &str,
        rate: &RateLimit,
    ) -> Result<RateVerdict, SqlError> {
        let next = self.next(sql, key)?;
        Ok(rate.verdict(next, self.now(sql)?))
    }

    fn now(&mut self, sql: &mut dyn Sql) -> Result<i64, SqlError> {
        let now = self.now.map_or_else(|| limits::now(sql), Ok)?;
        Ok(*self.now.insert(now))
    }

    fn next(&mut self, sql: &mut dyn Sql, key: &str) -> Result<Option<i64>, SqlError> {
        if let Some((next, _)) = self.rates.get(key) {
            return Ok(*next);
        }
        let next = limits::next_at(sql, key)?;
        self.rates.insert(key.to_owned(), (next, false));
        Ok(next)
    }

    fn park(&mut self, key: &str, row: i64) {
        self.parked.entry(key.to_owned()).or_default().push(row);
    }

    /// Writes which runs wait from now on, so that claims do not see them, and returns their number.
    pub(super) fn write_parked(&mut self, sql: &mut dyn Sql) -> Result<usize, SqlError> {
        let mut count = 0;
        for (key, rows) in std::mem::take(&mut self.parked) {
            count += rows.len();
            for rows in rows.chunks(500) {
                let places: Vec<String> =
                    (2..rows.len() + 2).map(|number| format!("${number}")).collect();
                let text = format!(
                    "UPDATE workflows_queue SET waits_for = $1 WHERE run IN ({})",
                    places.join(", ")
                );
                let rows = rows.iter().map(|row| Value::Int(*row));
                let values: Vec<Value<'_>> = [Value::Text(&key)].into_iter().chain(rows).collect();
                sql.execute(&text, &values)?;
            }
        }
        Ok(count)
    }

    /// Writes what the claim has changed of rate limits.
    pub(super) fn finish(mut self, sql: &mut dyn Sql) -> Result<(), SqlError> {
        self.write_parked(sql)?;
        let (rates, wakes) = (std::mem::take(&mut self.rates), std::mem::take(&mut self.wakes));
        let mut has_changed = false;
        for (key, (next, is_changed)) in &rates {
            if let (Some(next), true) = (next, is_changed) {
                has_changed = true;
                sql.execute(SET_NEXT, &[Value::Text(key), Value::Int(*next)])?;
            }
        }
        for (key, wakes_at) in &wakes {
            let now = self.now(sql)?;
            let values = [Value::Text(key), Value::Int(now), Value::Int(wakes_at / 1000 + 1)];
            sql.execute(SET_WAKE, &values)?;
        }
        if has_changed {
            // A key without a row begins at once, as one whose time has passed.
            let now = self.now(sql)?;
            sql.execute(FORGET_RATES, &[Value::Int(now)])?;
        }
        Ok(())
    }
}

pub(super) const COUNT_HOLDERS: &str =
    "SELECT count(*) FROM workflows_limited WHERE concurrency = $1 AND admitted";

pub(super) const FORGET_RATES: &str = "DELETE FROM workflows_rate WHERE key IN \
    (SELECT key FROM workflows_rate WHERE next_at < $1 AND wakes_at IS NULL \
    ORDER BY next_at LIMIT 4)";

const SET_NEXT: &str = "INSERT INTO workflows_rate (key, next_at) VALUES ($1, $2) \
    ON CONFLICT (key) DO UPDATE SET next_at = excluded.next_at";

const SET_WAKE: &str = "INSERT INTO workflows_rate (key, next_at, wakes_at) VALUES ($1, $2, $3) \
    ON CONFLICT (key) DO UPDATE SET wakes_at = CASE \
    WHEN workflows_rate.wakes_at < excluded.wakes_at THEN workflows_rate.wakes_at \
    ELSE excluded.wakes_at END";

/// The key of the rate limit of the first run that waits for a slot of a key.
fn first_rate(sql: &mut dyn Sql, concurrency: &str) -> Result<Option<String>, SqlError> {
    let row = sql.first(FIRST_RATE, &[Value::Text(concurrency)])?;
    row.map_or(Ok(None), |row| row.maybe_text(0))
}

pub(super) const FIRST_RATE: &str = "SELECT l.rate FROM workflows_queue q \
    JOIN workflows_limited l ON l.run = q.run WHERE q.waits_for = $1 \
    ORDER BY q.priority DESC, q.rank, q.run LIMIT 1";

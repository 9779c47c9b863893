//! Writes on one connection, inside a transaction that the caller owns.

use alter_domain::port::{Expect, Item, Key, Op, StoreError, TableName};
use rusqlite::{Connection, OptionalExtension as _, Params, params};

use super::schema::{name, store_error};

/// What a writer is asked to do, all of it or nothing.
#[derive(Debug)]
pub(super) enum Work {
    Ops(Vec<Op>),
    PutMany(TableName, Vec<Item>),
    Add(Added),
    /// Deletes up to `limit` items that expired before `now`, and as many counters.
    Collect {
        table: TableName,
        now: i64,
        limit: usize,
    },
}

#[derive(Debug)]
pub(super) struct Added {
    pub(super) table: TableName,
    pub(super) key: Key,
    pub(super) delta: i64,
    pub(super) now: i64,
    pub(super) expires_at: Option<i64>,
}

impl Work {
    /// About how many bytes it writes, to bound what one commit holds.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Ops(ops) => {
                ops.iter().map(|op| if let Op::Put { item, .. } = op { item.size() } else { 0 }).sum()
            }
            Self::PutMany(_, items) => items.iter().map(Item::size).sum(),
            Self::Add(_) | Self::Collect { .. } => 0,
        }
    }
}

/// Does the work. The answer is the version of the last item put, the counter's value, or the number of deleted rows.
pub(super) fn apply(connection: &Connection, work: &Work) -> Result<i64, StoreError> {
    match work {
        Work::Ops(ops) => ops.iter().try_fold(0, |_, op| match op {
            Op::Put { table, item, expect } => put(connection, *table, item, *expect),
            Op::Delete { table, key, expect } => delete(connection, *table, key, *expect),
            Op::Check { table, key, expect } => check(connection, *table, key, *expect),
        }),
        Work::PutMany(table, items) => put_many(connection, *table, items),
        Work::Add(added) => add(connection, added),
        Work::Collect { table, now, limit } => collect(connection, *table, *now, *limit),
    }
}

fn put(connection: &Connection, table: TableName, item: &Item, expect: Expect) -> Result<i64, StoreError> {
    let [first, second, third] = &item.index;
    let (i0p, i0s) = parts(first.as_ref());
    let (i1p, i1s) = parts(second.as_ref());
    let (i2p, i2s) = parts(third.as_ref());
    let Key { partition: p, sort: s } = &item.key;
    let (expires, body) = (item.expires_at, item.body.as_ref());
    let table = name(table);
    let stored = match expect {
        Expect::Any | Expect::Absent => {
            let on_conflict = if expect == Expect::Absent {
                "NOTHING"
            } else {
                "UPDATE SET version = version + 1, expires = ?3, i0p = ?4, i0s = ?5, i1p = ?6, i1s = ?7, i2p = ?8, \
                 i2s = ?9, body = ?10"
            };
            let sql = format!(
                "INSERT INTO {table} (p, s, version, expires, i0p, i0s, i1p, i1s, i2p, i2s, body) \
                 VALUES (?1, ?2, 1, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) \
                 ON CONFLICT (p, s) DO {on_conflict} RETURNING version"
            );
            one(connection, &sql, params![p, s, expires, i0p, i0s, i1p, i1s, i2p, i2s, body])?
        }
        Expect::Version(version) => {
            let sql = format!(
                "UPDATE {table} SET version = version + 1, expires = ?3, i0p = ?4, i0s = ?5, i1p = ?6, i1s = ?7, \
                 i2p = ?8, i2s = ?9, body = ?10 WHERE p = ?1 AND s = ?2 AND version = ?11 RETURNING version"
            );
            let version = stored_version(version)?;
            one(connection, &sql, params![p, s, expires, i0p, i0s, i1p, i1s, i2p, i2s, body, version])?
        }
    };
    stored.ok_or(StoreError::Conflict)
}

/// One prepared statement for all of them: this is how audit rows arrive, by the thousand.
fn put_many(connection: &Connection, table: TableName, items: &[Item]) -> Result<i64, StoreError> {
    let sql = format!(
        "INSERT INTO {} (p, s, version, expires, i0p, i0s, i1p, i1s, i2p, i2s, body) \
         VALUES (?1, ?2, 1, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) \
         ON CONFLICT (p, s) DO UPDATE SET version = version + 1, expires = ?3, i0p = ?4, i0s = ?5, i1p = ?6, \
         i1s = ?7, i2p = ?8, i2s = ?9, body = ?10",
        name(table)
    );
    let write = || {
        let mut statement = connection.prepare_cached(&sql)?;
        for item in items {
            let [first, second, third] = &item.index;
            let (i0p, i0s) = parts(first.as_ref());
            let (i1p, i1s) = parts(second.as_ref());
            let (i2p, i2s) = parts(third.as_ref());
            let Key { partition, sort } = &item.key;
            let body = item.body.as_ref();
            statement.execute(params![
                partition,
                sort,
                item.expires_at,
                i0p,
                i0s,
                i1p,
                i1s,
                i2p,
                i2s,
                body
            ])?;
        }
        Ok(0)
    };
    write().map_err(|error| store_error(&error))
}

fn delete(connection: &Connection, table: TableName, key: &Key, expect: Expect) -> Result<i64, StoreError> {
    if expect == Expect::Absent {
        return check(connection, table, key, expect);
    }
    let sql = format!("DELETE FROM {} WHERE p = ?1 AND s = ?2 AND (?3 IS NULL OR version = ?3)", name(table));
    let version = match expect {
        Expect::Version(version) => Some(stored_version(version)?),
        Expect::Any | Expect::Absent => None,
    };
    let deleted = execute(connection, &sql, params![key.partition, key.sort, version])?;
    if deleted == 0 && version.is_some() { Err(StoreError::Conflict) } else { Ok(0) }
}

fn check(connection: &Connection, table: TableName, key: &Key, expect: Expect) -> Result<i64, StoreError> {
    let sql = format!("SELECT version FROM {} WHERE p = ?1 AND s = ?2", name(table));
    let found: Option<i64> = one(connection, &sql, params![key.partition, key.sort])?;
    let holds = match expect {
        Expect::Any => true,
        Expect::Absent => found.is_none(),
        Expect::Version(version) => found == Some(stored_version(version)?),
    };
    if holds { Ok(0) } else { Err(StoreError::Conflict) }
}

/// The sum is made here and not in SQL, which would turn an overflow into a floating-point number.
fn add(connection: &Connection, added: &Added) -> Result<i64, StoreError> {
    let Added { table, key, delta, now, expires_at } = added;
    let (t, p, s) = (name(*table), &key.partition, &key.sort);
    let select = "SELECT value, expires FROM counters WHERE t = ?1 AND p = ?2 AND s = ?3";
    let found: Option<(i64, Option<i64>)> = connection
        .prepare_cached(select)
        .and_then(|mut statement| {
            statement.query_row(params![t, p, s], |row| Ok((row.get(0)?, row.get(1)?))).optional()
        })
        .map_err(|error| store_error(&error))?;
    let (value, expires) = match found {
        Some((value, expires)) if expires.is_none_or(|at| at > *now) => (value, expires),
        Some(_) | None => (0, *expires_at),
    };
    let sum = value
        .checked_add(*delta)
        .ok_or_else(|| StoreError::Invalid("the counter would overflow".to_owned()))?;
    let upsert = "INSERT INTO counters (t, p, s, value, expires) VALUES (?1, ?2, ?3, ?4, ?5) \
                  ON CONFLICT (t, p, s) DO UPDATE SET value = ?4, expires = ?5";
    execute(connection, upsert, params![t, p, s, sum, expires])?;
    Ok(sum)
}

fn collect(connection: &Connection, table: TableName, now: i64, limit: usize) -> Result<i64, StoreError> {
    let table = name(table);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let items =
        format!("DELETE FROM {table} WHERE (p, s) IN (SELECT p, s FROM {table} WHERE expires < ?1 LIMIT ?2)");
    let counters = "DELETE FROM counters WHERE (t, p, s) IN \
                    (SELECT t, p, s FROM counters WHERE t = ?3 AND expires < ?1 LIMIT ?2)";
    let deleted = execute(connection, &items, params![now, limit])?.max(execute(
        connection,
        counters,
        params![now, limit, table],
    )?);
    i64::try_from(deleted).map_err(|error| StoreError::Corrupt(error.to_string()))
}

fn parts(key: Option<&Key>) -> (Option<&str>, Option<&str>) {
    key.map(|key| (key.partition.as_str(), key.sort.as_str())).unzip()
}

/// No stored item can be at a version beyond SQLite's integers.
fn stored_version(version: u64) -> Result<i64, StoreError> {
    i64::try_from(version).map_err(|_| StoreError::Conflict)
}

fn one(connection: &Connection, sql: &str, parameters: impl Params) -> Result<Option<i64>, StoreError> {
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.query_row(parameters, |row| row.get(0)).optional())
        .map_err(|error| store_error(&error))
}

fn execute(connection: &Connection, sql: &str, parameters: impl Params) -> Result<usize, StoreError> {
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.execute(parameters))
        .map_err(|error| store_error(&error))
}

//! Reads on one connection.

use alter_domain::port::{
    INDEX_COUNT, Index, Item, Key, Page, Query, StoreError, TableName, Version, cursor::Position,
};
use bytes::Bytes;
use rusqlite::{CachedStatement, Connection, Row, ToSql, types::ValueRef};

use super::schema::{name, store_error};

/// DynamoDB ends a page at 1 MB; so do we, so that nobody comes to rely on more.
const PAGE_BYTES: usize = 1 << 20;

pub(super) fn get(connection: &Connection, table: TableName, key: &Key) -> Result<Option<Item>, StoreError> {
    let mut statement = connection.prepare_cached(get_sql(table)).map_err(|e| store_error(&e))?;
    get_with(&mut statement, key)
}

/// Reads all keys (with their positions in `items`) so that they show one moment.
pub(super) fn get_many(
    connection: &Connection,
    keys: &[(usize, &(TableName, Key))],
    items: &mut [Option<Item>],
) -> Result<(), StoreError> {
    // One lookup is a moment by itself.
    let _snapshot = (keys.len() > 1).then(|| Snapshot::begin(connection)).transpose()?;
    for (position, (table, key)) in keys {
        if let Some(slot) = items.get_mut(*position) {
            *slot = get(connection, *table, key)?;
        }
    }
    Ok(())
}

pub(super) fn query(connection: &Connection, query: &Query) -> Result<Page, StoreError> {
    let position = query.cursor.as_deref().map(|cursor| Position::decode(cursor, query)).transpose()?;
    // One more than asked tells whether anything follows.
    let fetch = i64::try_from(query.limit.saturating_add(1)).unwrap_or(i64::MAX);
    let mut parameters: Vec<&dyn ToSql> = vec![&query.partition];
    let sql = query_sql(query, position.as_ref(), &mut parameters);
    parameters.push(&fetch);

    let mut statement = connection.prepare_cached(&sql).map_err(|e| store_error(&e))?;
    let mut rows = statement.query(parameters.as_slice()).map_err(|e| store_error(&e))?;
    let mut page = Page::default();
    let mut bytes = 0;
    while let Some(row) = rows.next().map_err(|e| store_error(&e))? {
        if page.items.len() == query.limit || bytes >= PAGE_BYTES {
            page.next = page.items.last().map(|last| position_of(last, query.index).encode(query));
            break;
        }
        let key = Key { partition: text(row, 9)?, sort: text(row, 10)? };
        let item = item(row, key)?;
        bytes += item.size();
        page.items.push(item);
    }
    Ok(page)
}

/// A stored version as the port's.
pub(super) fn version(stored: i64) -> Result<Version, StoreError> {
    Version::try_from(stored).map_err(|_| StoreError::Corrupt(format!("version {stored}")))
}

/// A read transaction that ends with the value.
struct Snapshot<'a>(&'a Connection);

impl<'a> Snapshot<'a> {
    fn begin(connection: &'a Connection) -> Result<Self, StoreError> {
        let mut begin = connection.prepare_cached("BEGIN").map_err(|e| store_error(&e))?;
        begin.execute(()).map_err(|e| store_error(&e))?;
        Ok(Self(connection))
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.0.prepare_cached("COMMIT").and_then(|mut commit| commit.execute(())) {
            tracing::warn!(%error, "read transaction did not end");
        }
    }
}

fn get_sql(table: TableName) -> &'static str {
    macro_rules! sql {
        ($table:literal) => {
            concat!(
                "SELECT version, expires, i0p, i0s, i1p, i1s, i2p, i2s, body FROM ",
                $table,
                " WHERE p = ?1 AND s = ?2"
            )
        };
    }
    match table {
        TableName::Main => sql!("main"),
        TableName::Vault => sql!("vault"),
        TableName::Audit => sql!("audit"),
    }
}

fn get_with(statement: &mut CachedStatement<'_>, key: &Key) -> Result<Option<Item>, StoreError> {
    let mut rows = statement.query((&key.partition, &key.sort)).map_err(|e| store_error(&e))?;
    match rows.next().map_err(|e| store_error(&e))? {
        Some(row) => item(row, key.clone()).map(Some),
        None => Ok(None),
    }
}

/// The statement for this shape of query; adds its parameters in the order of its question marks.
fn query_sql<'q>(
    query: &'q Query,
    position: Option<&'q Position>,
    parameters: &mut Vec<&'q dyn ToSql>,
) -> String {
    let (partition, order) = match query.index {
        None => ("p", "s"),
        Some(Index::First) => ("i0p", "i0s"),
        Some(Index::Second) => ("i1p", "i1s"),
        Some(Index::Third) => ("i2p", "i2s"),
    };
    let (after, direction) = if query.descending { ("<", "DESC") } else { (">", "ASC") };
    let mut sql = format!(
        "SELECT version, expires, i0p, i0s, i1p, i1s, i2p, i2s, body, p, s FROM {} WHERE {partition} = ?",
        name(query.table)
    );
    if let Some(from) = &query.from {
        sql.push_str(&format!(" AND {order} >= ?"));
        parameters.push(from);
    }
    if let Some(before) = &query.before {
        sql.push_str(&format!(" AND {order} < ?"));
        parameters.push(before);
    }
    match (position, query.index) {
        (None, _) => {}
        (Some(position), None) => {
            sql.push_str(&format!(" AND s {after} ?"));
            parameters.push(&position.order);
        }
        (Some(position), Some(_)) => {
            sql.push_str(&format!(" AND ({order}, p, s) {after} (?, ?, ?)"));
            parameters.extend([&position.order as &dyn ToSql, &position.key.partition, &position.key.sort]);
        }
    }
    let ties = if query.index.is_some() { format!(", p {direction}, s {direction}") } else { String::new() };
    sql.push_str(&format!(" ORDER BY {order} {direction}{ties} LIMIT ?"));
    sql
}

fn position_of(item: &Item, index: Option<Index>) -> Position {
    let order = index.and_then(|index| item.index.get(index.position())?.as_ref()).unwrap_or(&item.key);
    Position { order: order.sort.clone(), key: item.key.clone() }
}

fn item(row: &Row<'_>, key: Key) -> Result<Item, StoreError> {
    let column = |error: rusqlite::Error| store_error(&error);
    let mut index = [const { None }; INDEX_COUNT];
    for (slot, at) in index.iter_mut().zip([2, 4, 6]) {
        if !matches!(row.get_ref(at).map_err(column)?, ValueRef::Null) {
            *slot = Some(Key { partition: text(row, at)?, sort: text(row, at + 1)? });
        }
    }
    let body = row.get_ref(8).map_err(column)?;
    let body = body.as_blob().map_err(|error| StoreError::Corrupt(error.to_string()))?;
    Ok(Item {
        key,
        index,
        version: version(row.get(0).map_err(column)?)?,
        expires_at: row.get(1).map_err(column)?,
        body: Bytes::copy_from_slice(body),
    })
}

fn text(row: &Row<'_>, at: usize) -> Result<String, StoreError> {
    row.get(at).map_err(|error| store_error(&error))
}

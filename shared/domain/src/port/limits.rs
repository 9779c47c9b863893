//! DynamoDB's limits, as every table enforces them that is not DynamoDB: what works there works in production.

use std::collections::HashSet;

use super::{Item, Key, MAX_ITEM_BYTES, MAX_TRANSACT_OPS, Op, Query, StoreError, TableName};

/// Keys in one batch read.
const MAX_KEYS: usize = 100;
const MAX_PARTITION_BYTES: usize = 2048;
const MAX_SORT_BYTES: usize = 1024;
/// All items of one transaction together.
const MAX_TRANSACT_BYTES: usize = 4 << 20;

pub fn key(key: &Key) -> Result<(), StoreError> {
    if key.partition.is_empty() || key.sort.is_empty() {
        return invalid("a key part is empty");
    }
    if key.partition.len() > MAX_PARTITION_BYTES || key.sort.len() > MAX_SORT_BYTES {
        return invalid("a key part is too long");
    }
    Ok(())
}

pub fn keys(keys: &[(TableName, Key)]) -> Result<(), StoreError> {
    if keys.len() > MAX_KEYS {
        return invalid("more than 100 keys in one read");
    }
    keys.iter().try_for_each(|(_, one)| key(one))
}

pub fn item(item: &Item) -> Result<(), StoreError> {
    key(&item.key)?;
    item.index.iter().flatten().try_for_each(key)?;
    if item.size() > MAX_ITEM_BYTES {
        return invalid("the item is larger than 400 KB");
    }
    Ok(())
}

pub fn items(items: &[Item]) -> Result<(), StoreError> {
    let mut seen = HashSet::with_capacity(items.len());
    for written in items {
        item(written)?;
        if !seen.insert(&written.key) {
            return invalid("two items have the same key");
        }
    }
    Ok(())
}

pub fn query(query: &Query) -> Result<(), StoreError> {
    if query.partition.is_empty() {
        return invalid("the partition is empty");
    }
    if query.limit == 0 {
        return invalid("the limit is zero");
    }
    Ok(())
}

/// Returns a table of the file the transaction belongs to; `None` for an empty transaction.
pub fn transaction(ops: &[Op]) -> Result<Option<TableName>, StoreError> {
    if ops.len() > MAX_TRANSACT_OPS {
        return invalid("more than 100 operations in one transaction");
    }
    let mut seen = HashSet::with_capacity(ops.len());
    let mut bytes = 0;
    let mut audits = 0;
    for op in ops {
        let (table, key) = match op {
            Op::Put { table, item: written, .. } => {
                item(written)?;
                bytes += written.size();
                (*table, &written.key)
            }
            Op::Delete { table, key: named, .. } | Op::Check { table, key: named, .. } => {
                key(named)?;
                (*table, named)
            }
        };
        audits += usize::from(table == TableName::Audit);
        if !seen.insert((table, key)) {
            return invalid("two operations name the same key");
        }
    }
    if audits != 0 && audits != ops.len() {
        return invalid("the audit table shares no transaction with others");
    }
    if bytes > MAX_TRANSACT_BYTES {
        return invalid("the transaction is larger than 4 MB");
    }
    Ok(ops.first().map(|_| if audits == 0 { TableName::Main } else { TableName::Audit }))
}

fn invalid<T>(what: &str) -> Result<T, StoreError> {
    Err(StoreError::Invalid(what.to_owned()))
}

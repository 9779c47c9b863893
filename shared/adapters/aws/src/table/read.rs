//! Reads. Strongly consistent, but for indexes, which DynamoDB has no such reads of.

use std::collections::{HashMap, HashSet};

use alter_domain::port::{Item, Key, Page, Query, StoreError, TableName, cursor::Position};
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};

use super::{
    DynamoTable,
    error::failure,
    retry::Backoff,
    schema::{self, Attributes, SCHEMA},
};

impl DynamoTable {
    pub(super) async fn read_one(&self, table: TableName, key: &Key) -> Result<Option<Item>, StoreError> {
        let request = self
            .client
            .get_item()
            .table_name(self.name(table))
            .set_key(Some(schema::key(key)))
            .consistent_read(true);
        let found = request.send().await.map_err(|error| failure("GetItem", &error))?;
        found.item.map(schema::decode).transpose()
    }

    /// One request for all keys of all tables. What DynamoDB leaves unprocessed (its answers end at 16 MB, and a hot
    /// partition may refuse a part) is asked for again.
    pub(super) async fn read_many(&self, keys: &[(TableName, Key)]) -> Result<Vec<Option<Item>>, StoreError> {
        // DynamoDB refuses a key that is asked for twice, and answers in any order.
        let mut asked = HashSet::with_capacity(keys.len());
        let mut wanted: HashMap<String, Vec<Attributes>> = HashMap::new();
        for (table, key) in keys.iter().filter(|key| asked.insert(*key)) {
            wanted.entry(self.name(*table).to_owned()).or_default().push(schema::key(key));
        }
        let mut found: HashMap<(TableName, Key), Item> = HashMap::with_capacity(keys.len());
        let mut backoff = Backoff::new(self.rng.as_ref());
        while !wanted.is_empty() {
            let before = count(&wanted);
            let request = self.client.batch_get_item().set_request_items(Some(strongly(wanted)?));
            let answer = request.send().await.map_err(|error| failure("BatchGetItem", &error))?;
            for (name, items) in answer.responses.unwrap_or_default() {
                let table = self.names.table(&name).ok_or_else(|| {
                    StoreError::Corrupt(format!("items of {name}, of which none was asked for"))
                })?;
                for attributes in items {
                    let item = schema::decode(attributes)?;
                    found.insert((table, item.key.clone()), item);
                }
            }
            let left = answer.unprocessed_keys.unwrap_or_default();
            wanted = left.into_iter().map(|(name, keys)| (name, keys.keys)).collect();
            wanted.retain(|_, keys| !keys.is_empty());
            if wanted.is_empty() {
                break;
            }
            if count(&wanted) < before {
                backoff.progress();
            }
            if !backoff.wait().await {
                tracing::warn!(keys = count(&wanted), "DynamoDB leaves keys unprocessed");
                return Err(StoreError::Throttled);
            }
        }
        Ok(keys.iter().map(|key| found.get(key).cloned()).collect())
    }

    /// One page as DynamoDB gives it: it ends at the limit or at 1 MB, and what follows is told by `next`.
    pub(super) async fn read_page(&self, query: &Query) -> Result<Page, StoreError> {
        let position = query.cursor.as_deref().map(|cursor| Position::decode(cursor, query)).transpose()?;
        let names = Names::of(query);
        let Some((condition, values)) = condition(query, &names) else {
            return Ok(Page::default());
        };
        let request = self
            .client
            .query()
            .table_name(self.name(query.table))
            .set_index_name(names.index.map(str::to_owned))
            .key_condition_expression(condition)
            .set_expression_attribute_values(Some(values))
            .set_exclusive_start_key(position.map(|position| start(query, &names, &position)))
            .scan_index_forward(!query.descending)
            .consistent_read(query.index.is_none())
            .limit(i32::try_from(query.limit).unwrap_or(i32::MAX));
        let answer = request.send().await.map_err(|error| failure("Query", &error))?;
        let mut items: Vec<Item> =
            answer.items.unwrap_or_default().into_iter().map(schema::decode).collect::<Result<_, _>>()?;
        if let Some(before) = &query.before {
            // DynamoDB's BETWEEN includes its upper end, the port's does not.
            items.retain(|item| order(query, item).is_some_and(|sort| sort < before));
        }
        let last = answer.last_evaluated_key.filter(|last| !last.is_empty());
        let next = last.map(|last| Ok::<_, StoreError>(next(&names, last)?.encode(query))).transpose()?;
        Ok(Page { items, next })
    }
}

/// The attributes that a query goes by.
struct Names {
    index: Option<&'static str>,
    partition: &'static str,
    sort: &'static str,
}

impl Names {
    fn of(query: &Query) -> Self {
        match query.index.map(|index| SCHEMA.of(index)) {
            None => Self { index: None, partition: SCHEMA.partition, sort: SCHEMA.sort },
            Some(index) => Self { index: Some(index.name), partition: index.partition, sort: index.sort },
        }
    }
}

/// The key condition and its values; `None` where no sort part can satisfy the bounds, which DynamoDB refuses to be asked.
fn condition(query: &Query, names: &Names) -> Option<(String, Attributes)> {
    let Names { partition, sort, .. } = names;
    let mut condition = format!("{partition} = :p");
    let mut values = HashMap::from([(":p".to_owned(), schema::text(&query.partition))]);
    // No sort part is empty: an empty lower bound bounds nothing, and nothing lies before an empty upper one.
    let from = query.from.as_deref().filter(|from| !from.is_empty());
    let before = query.before.as_deref();
    condition.push_str(&match (from, before) {
        (None, None) => String::new(),
        (Some(_), None) => format!(" AND {sort} >= :from"),
        (None, Some("")) => return None,
        (None, Some(_)) => format!(" AND {sort} < :before"),
        (Some(from), Some(before)) if from >= before => return None,
        (Some(_), Some(_)) => format!(" AND {sort} BETWEEN :from AND :before"),
    });
    for (name, bound) in [(":from", from), (":before", before)] {
        if let Some(bound) = bound {
            values.insert(name.to_owned(), schema::text(bound));
        }
    }
    Some((condition, values))
}

/// A position as DynamoDB wants it: the primary key, and for an index the index key too.
fn start(query: &Query, names: &Names, position: &Position) -> Attributes {
    let mut start = schema::key(&position.key);
    start.insert(names.partition.to_owned(), schema::text(&query.partition));
    start.insert(names.sort.to_owned(), schema::text(&position.order));
    start
}

fn next(names: &Names, mut last: Attributes) -> Result<Position, StoreError> {
    let order = match last.get(names.sort) {
        Some(AttributeValue::S(order)) => order.clone(),
        _ => return Err(StoreError::Corrupt(format!("a page's end lacks {}", names.sort))),
    };
    Ok(Position { order, key: schema::take_key(&mut last)? })
}

fn order<'i>(query: &Query, item: &'i Item) -> Option<&'i String> {
    match query.index {
        None => Some(&item.key.sort),
        Some(index) => item.index.get(index.position())?.as_ref().map(|key| &key.sort),
    }
}

fn strongly(
    wanted: HashMap<String, Vec<Attributes>>,
) -> Result<HashMap<String, KeysAndAttributes>, StoreError> {
    let request = |(name, keys)| {
        let keys = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
        keys.map(|keys| (name, keys)).map_err(|error| StoreError::Invalid(error.to_string()))
    };
    wanted.into_iter().map(request).collect()
}

fn count(wanted: &HashMap<String, Vec<Attributes>>) -> usize {
    wanted.values().map(Vec::len).sum()
}

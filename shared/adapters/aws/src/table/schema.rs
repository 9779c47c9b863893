//! What an item looks like in DynamoDB: the attributes' names, and the only code that reads and writes them.
//!
//! Names are short because every item pays for them. The three tables have one shape, [`SCHEMA`]; the deployment's
//! template is compared with it.

use std::collections::HashMap;

use alter_domain::port::{INDEX_COUNT, Index, Item, Key, StoreError, Version};
use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use bytes::Bytes;

/// Attributes by name, as DynamoDB knows an item or a key.
pub(super) type Attributes = HashMap<String, AttributeValue>;

/// Partition of the primary key (S).
pub const PARTITION: &str = "p";
/// Sort part of the primary key (S).
pub const SORT: &str = "s";
/// Version of an item (N). Counters have none.
pub const VERSION: &str = "v";
/// Unix seconds after which DynamoDB may delete the item or counter (N): the tables' TTL attribute.
pub const EXPIRES: &str = "expires";
/// Body of an item (B).
pub const BODY: &str = "b";
/// Which write made the item what it is (B, 16 random bytes). Only conditional puts leave one: it tells a put whose answer
/// was lost that the item it collides with is its own.
pub const WRITE: &str = "w";
/// Value of a counter (N). Items have none.
pub const COUNT: &str = "c";
/// A counter's partition is its key's behind this prefix, so that it is no item of the same key. No item may have it.
pub const COUNTER_PREFIX: &str = "counter#";

/// The shape of each of the three tables: string keys, every index a copy of the whole item. Items of `vault` are found by
/// their key alone, so a deployment may leave that table's indexes out.
pub const SCHEMA: TableSchema = TableSchema {
    partition: PARTITION,
    sort: SORT,
    expiry: EXPIRES,
    indexes: [
        IndexSchema { name: "ix0", partition: "i0p", sort: "i0s" },
        IndexSchema { name: "ix1", partition: "i1p", sort: "i1s" },
        IndexSchema { name: "ix2", partition: "i2p", sort: "i2s" },
    ],
};

/// The part of a table's definition that the code relies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableSchema {
    pub partition: &'static str,
    pub sort: &'static str,
    /// The attribute that time-to-live must be enabled on.
    pub expiry: &'static str,
    pub indexes: [IndexSchema; INDEX_COUNT],
}

impl TableSchema {
    pub fn of(&self, index: Index) -> &IndexSchema {
        let [first, second, third] = &self.indexes;
        match index {
            Index::First => first,
            Index::Second => second,
            Index::Third => third,
        }
    }
}

/// A global secondary index with projection `ALL`. DynamoDB's names of indexes have at least three characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexSchema {
    pub name: &'static str,
    pub partition: &'static str,
    pub sort: &'static str,
}

/// The mark of one conditional put.
pub(super) type WriteId = [u8; 16];

pub(super) fn key(key: &Key) -> Attributes {
    HashMap::from([(PARTITION.to_owned(), text(&key.partition)), (SORT.to_owned(), text(&key.sort))])
}

pub(super) fn counter_key(counter: &Key) -> Attributes {
    let partition = format!("{COUNTER_PREFIX}{}", counter.partition);
    HashMap::from([(PARTITION.to_owned(), text(&partition)), (SORT.to_owned(), text(&counter.sort))])
}

/// Refuses a partition that belongs to counters.
pub(super) fn items_only(partition: &str) -> Result<(), StoreError> {
    if partition.starts_with(COUNTER_PREFIX) {
        return Err(StoreError::Invalid(format!("partitions that begin with {COUNTER_PREFIX} are counters")));
    }
    Ok(())
}

/// The whole item, at this version.
pub(super) fn encode(item: &Item, version: Version, write: Option<&WriteId>) -> Attributes {
    let mut attributes = key(&item.key);
    let mut set = |name: &str, value| attributes.insert(name.to_owned(), value);
    set(VERSION, number(version));
    set(BODY, binary(&item.body));
    if let Some(write) = write {
        set(WRITE, binary(write));
    }
    if let Some(expires) = item.expires_at {
        set(EXPIRES, number(expires));
    }
    for (schema, key) in SCHEMA.indexes.iter().zip(&item.index) {
        if let Some(key) = key {
            set(schema.partition, text(&key.partition));
            set(schema.sort, text(&key.sort));
        }
    }
    attributes
}

/// An update that replaces a whole item, or creates it, and counts its version up: what a put without condition must be,
/// because DynamoDB's own put cannot count.
pub(super) struct Replacement {
    pub(super) expression: String,
    pub(super) values: Attributes,
}

impl Replacement {
    pub(super) fn new(item: &Item) -> Self {
        let mut set = format!("SET {BODY} = :{BODY}");
        let mut remove = format!(" REMOVE {WRITE}");
        let mut values =
            HashMap::from([(":one".to_owned(), number(1)), (format!(":{BODY}"), binary(&item.body))]);
        let mut place = |name: &str, value: Option<AttributeValue>| match value {
            Some(value) => {
                set.push_str(&format!(", {name} = :{name}"));
                values.insert(format!(":{name}"), value);
            }
            None => remove.push_str(&format!(", {name}")),
        };
        place(EXPIRES, item.expires_at.map(number));
        for (schema, key) in SCHEMA.indexes.iter().zip(&item.index) {
            place(schema.partition, key.as_ref().map(|key| text(&key.partition)));
            place(schema.sort, key.as_ref().map(|key| text(&key.sort)));
        }
        Self { expression: format!("{set}{remove} ADD {VERSION} :one"), values }
    }
}

pub(super) fn decode(mut attributes: Attributes) -> Result<Item, StoreError> {
    let mut index = [const { None }; INDEX_COUNT];
    for (slot, schema) in index.iter_mut().zip(&SCHEMA.indexes) {
        if attributes.contains_key(schema.partition) {
            *slot = Some(Key {
                partition: take_text(&mut attributes, schema.partition)?,
                sort: take_text(&mut attributes, schema.sort)?,
            });
        }
    }
    let expires_at = match attributes.get(EXPIRES) {
        Some(_) => Some(take_number(&attributes, EXPIRES)?),
        None => None,
    };
    Ok(Item {
        key: take_key(&mut attributes)?,
        index,
        version: take_number(&attributes, VERSION)?,
        expires_at,
        body: match attributes.remove(BODY) {
            Some(AttributeValue::B(body)) => Bytes::from(body.into_inner()),
            _ => return Err(corrupt(BODY)),
        },
    })
}

pub(super) fn take_key(attributes: &mut Attributes) -> Result<Key, StoreError> {
    Ok(Key { partition: take_text(attributes, PARTITION)?, sort: take_text(attributes, SORT)? })
}

pub(super) fn take_text(attributes: &mut Attributes, name: &'static str) -> Result<String, StoreError> {
    match attributes.remove(name) {
        Some(AttributeValue::S(text)) => Ok(text),
        _ => Err(corrupt(name)),
    }
}

pub(super) fn take_number<N: std::str::FromStr>(
    attributes: &Attributes,
    name: &'static str,
) -> Result<N, StoreError> {
    match attributes.get(name) {
        Some(AttributeValue::N(number)) => number.parse().map_err(|_| corrupt(name)),
        _ => Err(corrupt(name)),
    }
}

pub(super) fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

pub(super) fn number(number: impl std::fmt::Display) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

pub(super) fn binary(bytes: &[u8]) -> AttributeValue {
    AttributeValue::B(Blob::new(bytes))
}

fn corrupt(name: &str) -> StoreError {
    StoreError::Corrupt(format!("attribute {name} is missing or not of its type"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item() -> Item {
        let mut item = Item::new(Key::new("p", "s"), vec![0, 255])
            .with_index(Index::Second, Key::new("ip", "is"))
            .with_expiry(Some(-5));
        item.version = 7;
        item
    }

    #[test]
    fn an_item_comes_back_as_it_was() {
        assert_eq!(decode(encode(&item(), 7, Some(&[1; 16]))), Ok(item()));
    }

    #[test]
    fn what_lacks_an_attribute_or_has_another_type_is_corrupt() {
        for name in [PARTITION, SORT, VERSION, BODY, "i1s"] {
            let mut attributes = encode(&item(), 7, None);
            attributes.remove(name);
            assert!(matches!(decode(attributes), Err(StoreError::Corrupt(_))), "without {name}");
        }
        for name in [PARTITION, SORT, VERSION, BODY, EXPIRES, "i1p", "i1s"] {
            let mut attributes = encode(&item(), 7, None);
            attributes.insert(name.to_owned(), AttributeValue::Bool(true));
            assert!(matches!(decode(attributes), Err(StoreError::Corrupt(_))), "another {name}");
        }
        let mut negative = encode(&item(), 7, None);
        negative.insert(VERSION.to_owned(), number(-1));
        assert!(matches!(decode(negative), Err(StoreError::Corrupt(_))));
    }

    /// Otherwise an old index key or expiry would outlive the write that dropped it.
    #[test]
    fn a_replacement_names_every_attribute_that_an_item_can_have() {
        for item in [item(), Item::new(Key::new("p", "s"), "")] {
            let replacement = Replacement::new(&item);
            let names = replacement
                .expression
                .split([' ', ','])
                .filter(|word| word.starts_with(|first: char| first.is_lowercase()));
            let mut names: Vec<&str> = names.collect();
            names.sort_unstable();
            assert_eq!(names, [BODY, EXPIRES, "i0p", "i0s", "i1p", "i1s", "i2p", "i2s", VERSION, WRITE]);
        }
    }
}

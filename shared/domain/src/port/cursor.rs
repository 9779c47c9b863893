//! The position after a page, as every table hands it out: opaque to the caller, bound to its query, checked when it comes
//! back. Not DynamoDB's `LastEvaluatedKey` as it is, which DynamoDB accepts for other queries of the same table.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{Index, Key, Query, StoreError};

const FORMAT: u8 = 1;

/// The last item of a page. In an index many items may share one sort part, so the primary key is part of the position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The sort part that orders the query: the index's, or the primary key's.
    pub order: String,
    pub key: Key,
}

impl Position {
    pub fn encode(&self, query: &Query) -> String {
        let mut bytes = vec![FORMAT];
        bytes.extend(tag(query).to_le_bytes());
        for part in [&self.order, &self.key.partition, &self.key.sort] {
            // Key parts are at most 2,048 bytes (limits.rs).
            bytes.extend(u16::try_from(part.len()).unwrap_or(u16::MAX).to_le_bytes());
            bytes.extend(part.as_bytes());
        }
        let checksum = crc32c::crc32c(&bytes);
        bytes.extend(checksum.to_le_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Refuses what this query did not hand out. That guards against mix-ups, not forgery: a forged position still reads
    /// nothing but the query's own partition.
    pub fn decode(cursor: &str, query: &Query) -> Result<Self, StoreError> {
        let parse = || {
            let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
            let (bytes, checksum) = bytes.split_last_chunk::<4>()?;
            if crc32c::crc32c(bytes) != u32::from_le_bytes(*checksum) {
                return None;
            }
            let (head, rest) = bytes.split_first_chunk::<5>()?;
            let [format, tag_bytes @ ..] = *head;
            if format != FORMAT || u32::from_le_bytes(tag_bytes) != tag(query) {
                return None;
            }
            let (order, rest) = text(rest)?;
            let (partition, rest) = text(rest)?;
            let (sort, rest) = text(rest)?;
            rest.is_empty().then_some(Self { order, key: Key { partition, sort } })
        };
        parse().ok_or_else(|| StoreError::Invalid("the cursor is not one of this query's".to_owned()))
    }
}

/// What must be the same from page to page; the limit may change.
fn tag(query: &Query) -> u32 {
    let index = query.index.map_or(0, |index| 1 + Index::position(index));
    let mut tag = crc32c::crc32c(&[query.table as u8, index as u8, u8::from(query.descending)]);
    for part in [Some(&query.partition), query.from.as_ref(), query.before.as_ref()] {
        let presence = [u8::from(part.is_some())];
        tag = crc32c::crc32c_append(tag, &presence);
        tag = crc32c::crc32c_append(tag, part.map_or("", |part| part).as_bytes());
        tag = crc32c::crc32c_append(tag, &[0xff]);
    }
    tag
}

fn text(bytes: &[u8]) -> Option<(String, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    let (text, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    Some((String::from_utf8(text.to_vec()).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::{super::TableName, *};

    fn position() -> Position {
        Position { order: "o".into(), key: Key::new("p", "s") }
    }

    #[test]
    fn comes_back_for_the_same_query_with_another_limit() {
        let query = Query::partition(TableName::Main, "a");
        let cursor = position().encode(&query);
        assert_eq!(Position::decode(&cursor, &query.limit(7)), Ok(position()));
    }

    #[test]
    fn is_refused_by_every_other_query() {
        let query = Query::partition(TableName::Main, "a");
        let cursor = position().encode(&query);
        for other in [
            Query::partition(TableName::Main, "b"),
            Query::partition(TableName::Vault, "a"),
            query.clone().descending(),
            query.clone().index(Index::First),
            query.clone().sort_prefix("x"),
        ] {
            assert!(matches!(Position::decode(&cursor, &other), Err(StoreError::Invalid(_))), "{other:?}");
        }
    }

    #[test]
    fn any_changed_character_is_refused() {
        let query = Query::partition(TableName::Main, "a");
        let cursor = position().encode(&query);
        for at in 0..cursor.len() {
            let mut changed = cursor.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(Position::decode(&changed, &query).is_err(), "{at}");
            assert!(Position::decode(&cursor[..at], &query).is_err(), "{at}");
        }
    }
}

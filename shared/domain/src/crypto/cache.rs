//! The plaintext data keys in memory: few, briefly, and found without waiting for anyone.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use alter_api_types::DataKeyId;
use jiff::{SignedDuration, Timestamp};

use super::data_key::DataKey;
use crate::port::{Clock, KeyContext};

/// Readers of different apps rarely share a lock; writers are as rare as calls to the key service.
const SHARDS: usize = 16;

/// Sharded by app id, whose last byte is random.
pub(super) struct KeyCache {
    shards: [RwLock<Shard>; SHARDS],
    per_shard: usize,
    lifetime: SignedDuration,
}

#[derive(Default)]
struct Shard {
    by_context: HashMap<KeyContext, Vec<Entry>>,
    entries: usize,
}

struct Entry {
    key: Arc<DataKey>,
    opened_at: Timestamp,
    expires_at: Timestamp,
}

impl Entry {
    /// A clock that was set back makes an entry unusable instead of long-lived.
    fn is_fresh(&self, now: Timestamp) -> bool {
        self.opened_at <= now && now < self.expires_at
    }
}

impl KeyCache {
    pub(super) fn new(max_entries: usize, lifetime: SignedDuration) -> Self {
        Self { shards: Default::default(), per_shard: max_entries.div_ceil(SHARDS).max(1), lifetime }
    }

    pub(super) fn get(&self, context: &KeyContext, id: DataKeyId, clock: &dyn Clock) -> Option<Arc<DataKey>> {
        let shard = self.shard(context).read().unwrap_or_else(PoisonError::into_inner);
        let entry = shard.by_context.get(context)?.iter().find(|entry| entry.key.id() == id)?;
        // Read the clock last: an entry made a moment ago by another thread must not look like one of the future.
        entry.is_fresh(clock.now()).then(|| Arc::clone(&entry.key))
    }

    pub(super) fn has_any(&self, context: &KeyContext, clock: &dyn Clock) -> bool {
        let shard = self.shard(context).read().unwrap_or_else(PoisonError::into_inner);
        let now = clock.now();
        shard.by_context.get(context).is_some_and(|entries| entries.iter().any(|entry| entry.is_fresh(now)))
    }

    /// Adds a key opened at `now`, in place of an entry with the same id. A full shard gives up its expired entries, or
    /// else its oldest.
    pub(super) fn insert(&self, context: &KeyContext, key: Arc<DataKey>, now: Timestamp) {
        // A time at the end of the calendar expires at once; the caller still has its key.
        let expires_at = now.checked_add(self.lifetime).unwrap_or(now);
        let mut shard = self.shard(context).write().unwrap_or_else(PoisonError::into_inner);
        shard.retain(|kept, entry| entry.is_fresh(now) && !(kept == context && entry.key.id() == key.id()));
        if shard.entries >= self.per_shard {
            let oldest = shard.by_context.values().flatten().map(|entry| entry.opened_at).min();
            let mut evicted = false;
            shard.retain(|_, entry| {
                let evict = !evicted && Some(entry.opened_at) == oldest;
                evicted |= evict;
                !evict
            });
        }
        shard.by_context.entry(*context).or_default().push(Entry { key, opened_at: now, expires_at });
        shard.entries += 1;
    }

    pub(super) fn evict_expired(&self, now: Timestamp) {
        for shard in &self.shards {
            shard.write().unwrap_or_else(PoisonError::into_inner).retain(|_, entry| entry.is_fresh(now));
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner).entries).sum()
    }

    fn shard(&self, context: &KeyContext) -> &RwLock<Shard> {
        let [.., last] = *context.app.as_bytes();
        let [first, ..] = &self.shards;
        self.shards.get(usize::from(last) % SHARDS).unwrap_or(first)
    }
}

impl Shard {
    fn retain(&mut self, mut keep: impl FnMut(&KeyContext, &Entry) -> bool) {
        let mut entries = 0;
        self.by_context.retain(|context, of_context| {
            of_context.retain(|entry| keep(context, entry));
            entries += of_context.len();
            !of_context.is_empty()
        });
        self.entries = entries;
    }
}

#[cfg(test)]
mod tests {
    use alter_api_types::{AppId, OrgId};
    use uuid::Uuid;

    use super::*;
    use crate::{
        port::{KeyPurpose, ManualClock},
        secret::Secret,
    };

    const LIFETIME: SignedDuration = SignedDuration::from_secs(60);

    fn context(app: u128) -> KeyContext {
        let org: OrgId = Uuid::from_u128(1).into();
        let app: AppId = Uuid::from_u128(app).into();
        KeyContext { org, app, purpose: KeyPurpose::Credential }
    }

    fn id(n: u128) -> DataKeyId {
        Uuid::from_u128(n).into()
    }

    fn key(n: u128) -> Arc<DataKey> {
        Arc::new(DataKey::new(id(n), Secret::new(vec![0; 32])).unwrap())
    }

    fn clock() -> ManualClock {
        ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap())
    }

    #[test]
    fn an_entry_is_of_one_context_and_one_id() {
        let (cache, clock) = (KeyCache::new(100, LIFETIME), clock());
        cache.insert(&context(1), key(7), clock.now());
        assert_eq!(cache.get(&context(1), id(7), &clock).unwrap().id(), id(7));
        assert!(cache.get(&context(1), id(8), &clock).is_none());
        let elsewhere = [
            context(2),
            context(17), // another app in the same shard
            KeyContext { org: Uuid::from_u128(9).into(), ..context(1) },
            KeyContext { purpose: KeyPurpose::Signing, ..context(1) },
        ];
        for other in elsewhere {
            assert!(cache.get(&other, id(7), &clock).is_none());
            assert!(!cache.has_any(&other, &clock));
        }
    }

    #[test]
    fn an_entry_ends_with_its_lifetime() {
        let (cache, clock) = (KeyCache::new(100, LIFETIME), clock());
        cache.insert(&context(1), key(7), clock.now());
        clock.advance(59);
        assert!(cache.get(&context(1), id(7), &clock).is_some() && cache.has_any(&context(1), &clock));
        clock.advance(1);
        assert!(cache.get(&context(1), id(7), &clock).is_none() && !cache.has_any(&context(1), &clock));
    }

    #[test]
    fn a_clock_set_back_does_not_prolong() {
        let (cache, clock) = (KeyCache::new(100, LIFETIME), clock());
        cache.insert(&context(1), key(7), clock.now());
        clock.advance(-1);
        assert!(cache.get(&context(1), id(7), &clock).is_none());
        cache.evict_expired(clock.now());
        assert_eq!(cache.len(), 0);
    }

    #[test]
    fn eviction_drops_the_key() {
        let (cache, clock) = (KeyCache::new(100, LIFETIME), clock());
        let old = key(7);
        let dropped = Arc::downgrade(&old);
        cache.insert(&context(1), old, clock.now());
        clock.advance(30);
        cache.insert(&context(1), key(8), clock.now());
        clock.advance(30);
        cache.evict_expired(clock.now());
        assert!(dropped.upgrade().is_none());
        assert_eq!(cache.len(), 1);
        assert!(cache.get(&context(1), id(8), &clock).is_some());
    }

    #[test]
    fn the_same_key_again_takes_no_more_room() {
        let (cache, clock) = (KeyCache::new(100, LIFETIME), clock());
        for _ in 0..50 {
            cache.insert(&context(1), key(7), clock.now());
        }
        assert_eq!(cache.len(), 1);
    }

    #[test]
    fn a_full_shard_gives_up_its_oldest() {
        // Two entries for every shard; apps 16, 32, 48 … share one.
        let (cache, clock) = (KeyCache::new(32, LIFETIME), clock());
        for app in [16, 32, 48] {
            cache.insert(&context(app), key(app), clock.now());
            clock.advance(1);
        }
        let kept = [16, 32, 48].map(|app| cache.get(&context(app), id(app), &clock).is_some());
        assert_eq!(kept, [false, true, true]);
        for app in 0..1000 {
            cache.insert(&context(app), key(app), clock.now());
        }
        assert_eq!(cache.len(), 32);
    }
}

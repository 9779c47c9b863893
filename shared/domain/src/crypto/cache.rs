//! The plaintext data keys in memory: few, briefly, and found without waiting for anyone.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use alter_api_types::DataKeyId;
use jiff::{SignedDuration, Timestamp};

use super::data_key::{DataKey, WrappedDataKey};
use crate::port::{Clock, KeyContext};

/// Readers of different keys rarely share a lock; writers are as rare as calls to the key service.
const SHARDS: usize = 16;

pub(super) struct KeyCache {
    shards: [RwLock<Shard>; SHARDS],
    per_shard: usize,
    lifetime: SignedDuration,
}

type Shard = HashMap<Use, Entry>;

/// What a key in memory may be used for. A key that was made here is there for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Use {
    /// Sealing whatever this context seals next.
    Seal(KeyContext),
    /// Opening what this key has sealed.
    Open(KeyContext, DataKeyId),
}

struct Entry {
    key: Arc<DataKey>,
    since: Timestamp,
    expires_at: Timestamp,
}

impl Entry {
    /// A clock that was set back makes an entry unusable instead of long-lived.
    fn is_fresh(&self, now: Timestamp) -> bool {
        self.since <= now && now < self.expires_at
    }
}

impl KeyCache {
    pub(super) fn new(max_entries: usize, lifetime: SignedDuration) -> Self {
        Self { shards: Default::default(), per_shard: max_entries.div_ceil(SHARDS).max(1), lifetime }
    }

    /// The key that seals for this context now.
    pub(super) fn sealing(&self, context: &KeyContext, clock: &dyn Clock) -> Option<Arc<DataKey>> {
        self.get(&Use::Seal(*context), clock)
    }

    /// The key that a header names. One of the same id in another wrapping is another key: whoever writes a known id into
    /// a header does not get the key of that id.
    pub(super) fn opening(
        &self,
        context: &KeyContext,
        key: WrappedDataKey<'_>,
        clock: &dyn Clock,
    ) -> Option<Arc<DataKey>> {
        self.get(&Use::Open(*context, key.id), clock).filter(|found| found.wrapped() == key)
    }

    /// Adds a key that was made at `now`.
    pub(super) fn insert_made(&self, context: &KeyContext, key: &Arc<DataKey>, now: Timestamp) {
        self.insert(Use::Seal(*context), key, now);
        self.insert_opened(context, key, now);
    }

    /// Adds a key that was opened at `now`.
    pub(super) fn insert_opened(&self, context: &KeyContext, key: &Arc<DataKey>, now: Timestamp) {
        self.insert(Use::Open(*context, key.wrapped().id), key, now);
    }

    pub(super) fn evict_expired(&self, now: Timestamp) {
        for shard in &self.shards {
            let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
            shard.retain(|_, entry| entry.is_fresh(now));
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }

    fn get(&self, what: &Use, clock: &dyn Clock) -> Option<Arc<DataKey>> {
        let shard = self.shard(what).read().unwrap_or_else(PoisonError::into_inner);
        let entry = shard.get(what)?;
        // Read the clock last: an entry made a moment ago by another thread must not look like one of the future.
        entry.is_fresh(clock.now()).then(|| Arc::clone(&entry.key))
    }

    /// A full shard gives up its expired entries, or else its oldest.
    fn insert(&self, what: Use, key: &Arc<DataKey>, now: Timestamp) {
        // A time at the end of the calendar expires at once; the caller still has its key.
        let expires_at = now.checked_add(self.lifetime).unwrap_or(now);
        let mut shard = self.shard(&what).write().unwrap_or_else(PoisonError::into_inner);
        shard.retain(|kept, entry| entry.is_fresh(now) && *kept != what);
        if shard.len() >= self.per_shard
            && let Some(oldest) = shard.iter().min_by_key(|(_, entry)| entry.since).map(|(oldest, _)| *oldest)
        {
            shard.remove(&oldest);
        }
        shard.insert(what, Entry { key: Arc::clone(key), since: now, expires_at });
    }

    /// By the last byte of an id, which is random.
    fn shard(&self, what: &Use) -> &RwLock<Shard> {
        let [.., last] = match what {
            Use::Seal(context) => *context.app.as_bytes(),
            Use::Open(_, id) => *id.as_bytes(),
        };
        let [first, ..] = &self.shards;
        self.shards.get(usize::from(last) % SHARDS).unwrap_or(first)
    }
}

#[cfg(test)]
mod tests {
    use alter_api_types::{AppId, OrgId};
    use uuid::Uuid;

    use super::*;
    use crate::{
        port::{KeyPurpose, ManualClock, WrappedKey},
        secret::Secret,
    };

    const LIFETIME: SignedDuration = SignedDuration::from_secs(60);

    fn context(app: u128) -> KeyContext {
        let org: OrgId = Uuid::from_u128(1).into();
        let app: AppId = Uuid::from_u128(app).into();
        KeyContext { org, app, purpose: KeyPurpose::Credential }
    }

    fn elsewhere() -> [KeyContext; 4] {
        [
            context(2),
            context(17), // another app in the same shard
            KeyContext { org: Uuid::from_u128(9).into(), ..context(1) },
            KeyContext { purpose: KeyPurpose::Signing, ..context(1) },
        ]
    }

    fn named(n: u128) -> WrappedDataKey<'static> {
        WrappedDataKey { id: Uuid::from_u128(n).into(), wrapped: b"wrapped" }
    }

    fn key(n: u128) -> Arc<DataKey> {
        let WrappedDataKey { id, wrapped } = named(n);
        Arc::new(DataKey::new(id, WrappedKey(wrapped.to_vec()), Secret::new(vec![0; 32])).unwrap())
    }

    fn world() -> (KeyCache, ManualClock) {
        (KeyCache::new(100, LIFETIME), ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap()))
    }

    #[test]
    fn a_key_is_of_one_context_one_id_and_one_wrapping() {
        let (cache, clock) = world();
        cache.insert_made(&context(1), &key(7), clock.now());
        let has = |context: KeyContext, key| cache.opening(&context, key, &clock).is_some();
        assert!(has(context(1), named(7)) && cache.sealing(&context(1), &clock).is_some());
        assert!(!has(context(1), named(8)));
        for wrapped in [&b"wrappee"[..], b"wrapped.", b"wrappe", b""] {
            assert!(!has(context(1), WrappedDataKey { wrapped, ..named(7) }), "{wrapped:?}");
        }
        for other in elsewhere() {
            assert!(!has(other, named(7)) && cache.sealing(&other, &clock).is_none(), "{other:?}");
        }
    }

    #[test]
    fn a_key_that_was_opened_seals_nothing() {
        let (cache, clock) = world();
        cache.insert_opened(&context(1), &key(7), clock.now());
        assert!(cache.opening(&context(1), named(7), &clock).is_some());
        assert!(cache.sealing(&context(1), &clock).is_none());
    }

    #[test]
    fn a_key_ends_with_its_lifetime() {
        let (cache, clock) = world();
        cache.insert_made(&context(1), &key(7), clock.now());
        let there = || {
            (
                cache.sealing(&context(1), &clock).is_some(),
                cache.opening(&context(1), named(7), &clock).is_some(),
            )
        };
        clock.advance(59);
        assert_eq!(there(), (true, true));
        clock.advance(1);
        assert_eq!(there(), (false, false));
    }

    #[test]
    fn a_clock_set_back_does_not_prolong() {
        let (cache, clock) = world();
        cache.insert_made(&context(1), &key(7), clock.now());
        clock.advance(-1);
        assert!(cache.opening(&context(1), named(7), &clock).is_none());
        assert!(cache.sealing(&context(1), &clock).is_none());
        cache.evict_expired(clock.now());
        assert_eq!(cache.len(), 0);
    }

    #[test]
    fn eviction_drops_the_key() {
        let (cache, clock) = world();
        let old = key(7);
        let dropped = Arc::downgrade(&old);
        cache.insert_made(&context(1), &old, clock.now());
        drop(old);
        clock.advance(30);
        cache.insert_opened(&context(1), &key(8), clock.now());
        clock.advance(30);
        cache.evict_expired(clock.now());
        assert!(dropped.upgrade().is_none());
        assert_eq!(cache.len(), 1);
        assert!(cache.opening(&context(1), named(8), &clock).is_some());
    }

    #[test]
    fn the_same_key_again_takes_no_more_room() {
        let (cache, clock) = world();
        for _ in 0..50 {
            cache.insert_made(&context(1), &key(7), clock.now());
        }
        assert_eq!(cache.len(), 2);
    }

    #[test]
    fn a_full_shard_gives_up_its_oldest() {
        // Two entries for every shard; keys 16, 32, 48 … share one.
        let (_, clock) = world();
        let cache = KeyCache::new(32, LIFETIME);
        for n in [16, 32, 48] {
            cache.insert_opened(&context(1), &key(n), clock.now());
            clock.advance(1);
        }
        let kept = [16, 32, 48].map(|n| cache.opening(&context(1), named(n), &clock).is_some());
        assert_eq!(kept, [false, true, true]);
        for n in 0..1000 {
            cache.insert_made(&context(n), &key(n), clock.now());
        }
        assert_eq!(cache.len(), 32);
    }
}

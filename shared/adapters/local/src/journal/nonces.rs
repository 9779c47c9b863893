//! The nonces that were used lately, in memory: 64-bit fingerprints, forgotten minute by minute.

use std::{
    collections::{BTreeMap, HashSet},
    hash::{BuildHasherDefault, Hasher},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use alter_domain::port::NonceClaim;
use ring::digest::{Context, SHA256};

use super::frame::Used;

/// Shards keep a set that grows from holding up every call while it is rehashed.
const SHARDS: usize = 16;
const MINUTE: i64 = 60;

/// What the memory says to a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Fresh,
    Seen,
    /// No room to remember one more: it must be refused.
    Full,
}

pub(super) struct Nonces {
    shards: [Mutex<Shard>; SHARDS],
    count: AtomicUsize,
    limit: usize,
}

/// Fingerprints by the first minute at which all of them may be forgotten.
#[derive(Default)]
struct Shard(BTreeMap<i64, HashSet<u64, BuildHasherDefault<Identity>>>);

/// Fingerprints are uniform already.
#[derive(Default)]
struct Identity(u64);

impl Nonces {
    pub(super) fn new(limit: usize) -> Self {
        Self { shards: Default::default(), count: AtomicUsize::new(0), limit }
    }

    /// Remembers the nonce if it is new. It stays remembered even if it then cannot be recorded: refused for good is the
    /// safe side.
    pub(super) fn claim(&self, used: Used, now: i64) -> Verdict {
        let mut shard = self.shard(used.fingerprint);
        self.forget(&mut shard, now);
        if shard.0.values().any(|minute| minute.contains(&used.fingerprint)) {
            return Verdict::Seen;
        }
        if self.count.fetch_add(1, Ordering::Relaxed) >= self.limit {
            self.count.fetch_sub(1, Ordering::Relaxed);
            return Verdict::Full;
        }
        // One whose time is over is still kept to the end of this minute: two claims at once must not both succeed.
        let minute = used.forget_at.max(now).div_euclid(MINUTE) + 1;
        shard.0.entry(minute).or_default().insert(used.fingerprint);
        Verdict::Fresh
    }

    /// Remembers what the journal says was used, whatever the limit.
    pub(super) fn restore(&self, used: Used, now: i64) {
        let minute = used.forget_at.div_euclid(MINUTE) + 1;
        if minute * MINUTE > now
            && self.shard(used.fingerprint).0.entry(minute).or_default().insert(used.fingerprint)
        {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn shard(&self, fingerprint: u64) -> MutexGuard<'_, Shard> {
        // From the middle: the set uses the low bits for its buckets and the high ones for its tags.
        let [first, ..] = &self.shards;
        let shard = self.shards.get((fingerprint >> 40) as usize % SHARDS).unwrap_or(first);
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget(&self, shard: &mut Shard, now: i64) {
        while let Some(minute) = shard.0.first_entry()
            && minute.key() * MINUTE <= now
        {
            self.count.fetch_sub(minute.remove().len(), Ordering::Relaxed);
        }
    }
}

/// One name for a nonce of a key. Two of them share it once in 2^64: then a good call is refused.
pub(super) fn used(claim: &NonceClaim) -> Used {
    let mut context = Context::new(&SHA256);
    context.update(claim.key_id.to_string().as_bytes());
    // Ids contain no zero byte, so the two parts cannot run into each other.
    context.update(&[0]);
    context.update(claim.nonce.as_bytes());
    let digest = context.finish();
    let fingerprint = digest.as_ref().iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    Used { fingerprint, forget_at: claim.forget_at }
}

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash << 8 | u64::from(*byte));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(fingerprint: u64, forget_at: i64) -> Used {
        Used { fingerprint, forget_at }
    }

    #[test]
    fn a_nonce_is_fresh_once_until_it_is_forgotten() {
        let nonces = Nonces::new(10);
        assert_eq!(nonces.claim(used(1, 1_000), 700), Verdict::Fresh);
        assert_eq!(nonces.claim(used(1, 1_000), 1_000), Verdict::Seen);
        // The same nonce under another timestamp is the same nonce.
        assert_eq!(nonces.claim(used(1, 2_000), 1_000), Verdict::Seen);
        // 1,000 lies in the minute that ends at 1,020.
        assert_eq!(nonces.claim(used(1, 2_000), 1_020), Verdict::Fresh);
    }

    #[test]
    fn a_claim_that_is_late_already_still_succeeds_once_only() {
        let nonces = Nonces::new(10);
        assert_eq!(nonces.claim(used(1, 100), 700), Verdict::Fresh);
        assert_eq!(nonces.claim(used(1, 100), 700), Verdict::Seen);
    }

    #[test]
    fn a_full_memory_refuses_until_something_is_forgotten() {
        let nonces = Nonces::new(2);
        // The same shard, so that the third claim is the one that forgets.
        assert_eq!(nonces.claim(used(16, 60), 0), Verdict::Fresh);
        assert_eq!(nonces.claim(used(32, 600), 0), Verdict::Fresh);
        assert_eq!(nonces.claim(used(48, 600), 0), Verdict::Full);
        assert_eq!(nonces.claim(used(32, 600), 0), Verdict::Seen);
        assert_eq!(nonces.claim(used(48, 600), 121), Verdict::Fresh);
    }

    #[test]
    fn what_is_restored_is_seen_and_counted_once() {
        let nonces = Nonces::new(2);
        nonces.restore(used(16, 600), 0);
        nonces.restore(used(16, 600), 0);
        nonces.restore(used(32, 600), 700);
        assert_eq!(nonces.claim(used(16, 600), 0), Verdict::Seen);
        assert_eq!(nonces.claim(used(32, 600), 0), Verdict::Fresh);
        assert_eq!(nonces.claim(used(48, 600), 0), Verdict::Full);
    }
}

//! Data keys: making, rotating and opening them through the key wrapper, with a short memory.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use alter_api_types::DataKeyId;
use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared, WeakShared},
};
use jiff::SignedDuration;

use super::{
    cache::KeyCache,
    data_key::DataKey,
    key_ring::{DataKeyRing, MAX_KEYS, RingKey},
};
use crate::port::{Clock, KeyContext, KeyWrapper, WrapError, WrappedKey};

/// A plaintext data key may be in memory for 5 minutes. It is used for a little less, so that a sweep at the end of that
/// time keeps the promise.
const LIFETIME: SignedDuration = SignedDuration::from_secs(300 - SWEEP.as_secs() as i64);
const SWEEP: Duration = Duration::from_secs(15);
const MAX_ENTRIES: usize = 10_000;

/// Why no data key could be had. Nothing is sealed or opened then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The ring was wrapped by another key than the one this process holds: wrong key file, wrong account.
    #[error("data key wrapped by another key")]
    NotMyKey,
    /// The wrapped key was changed, or belongs to another app or purpose.
    #[error("data key does not open")]
    Tampered,
    /// The key service could not be reached, or refused. Worth a retry by the caller's caller.
    #[error("key service unavailable: {0}")]
    Unavailable(String),
    /// The ring has no key of this id.
    #[error("no data key {0} in the ring")]
    UnknownKey(DataKeyId),
    /// The new key's id is in the ring already.
    #[error("data key {0} is in the ring already")]
    DuplicateKey(DataKeyId),
    /// The ring holds as many keys as it may.
    #[error("data key ring is full")]
    RingFull,
}

impl From<WrapError> for KeyError {
    fn from(error: WrapError) -> Self {
        match error {
            WrapError::NotMyKey => KeyError::NotMyKey,
            WrapError::Tampered => KeyError::Tampered,
            WrapError::Unavailable(reason) => KeyError::Unavailable(reason),
        }
    }
}

/// The only door to data keys. A function without key permission is simply given none of these. Cheap to clone; clones
/// share the memory.
#[derive(Clone)]
pub struct DataKeys(Arc<State>);

struct State {
    wrapper: Arc<dyn KeyWrapper>,
    clock: Arc<dyn Clock>,
    cache: KeyCache,
    /// Unwraps under way. Weak: when every caller has gone away, so has the unwrap.
    flights: Mutex<HashMap<FlightKey, WeakShared<Flight>>>,
}

type FlightKey = (KeyContext, DataKeyId);
type Flight = BoxFuture<'static, Result<Arc<DataKey>, KeyError>>;

impl DataKeys {
    pub fn new(wrapper: Arc<dyn KeyWrapper>, clock: Arc<dyn Clock>) -> Self {
        let cache = KeyCache::new(MAX_ENTRIES, LIFETIME);
        Self(Arc::new(State { wrapper, clock, cache, flights: Mutex::default() }))
    }

    /// Makes the first data key of an app and purpose. The caller stores the ring before it seals anything; the new key
    /// is in memory already, so sealing needs no permission to unwrap.
    pub async fn create_ring(&self, context: &KeyContext, id: DataKeyId) -> Result<DataKeyRing, KeyError> {
        Ok(DataKeyRing::new(self.make_key(context, id).await?))
    }

    /// The ring with a fresh current key; the old keys stay, for what they sealed. To be stored with the old ring's
    /// version as precondition, before the new key seals anything.
    pub async fn rotate_ring(
        &self,
        context: &KeyContext,
        ring: &DataKeyRing,
        id: DataKeyId,
    ) -> Result<DataKeyRing, KeyError> {
        if ring.get(id).is_some() {
            return Err(KeyError::DuplicateKey(id));
        }
        if ring.keys().len() >= MAX_KEYS {
            return Err(KeyError::RingFull);
        }
        Ok(ring.with_current(self.make_key(context, id).await?))
    }

    /// The key if it is in memory. No I/O.
    pub fn cached(&self, context: &KeyContext, id: DataKeyId) -> Option<Arc<DataKey>> {
        self.0.cache.get(context, id, &*self.0.clock)
    }

    /// Whether any key of this context is in memory: then a call probably needs no ring.
    pub fn warm(&self, context: &KeyContext) -> bool {
        self.0.cache.has_any(context, &*self.0.clock)
    }

    /// The key from memory, or by one unwrap that all callers of this moment share. A failure is told to those callers
    /// and forgotten.
    pub async fn open(
        &self,
        context: &KeyContext,
        ring: &DataKeyRing,
        id: DataKeyId,
    ) -> Result<Arc<DataKey>, KeyError> {
        if let Some(key) = self.cached(context, id) {
            return Ok(key);
        }
        let wrapped = &ring.get(id).ok_or(KeyError::UnknownKey(id))?.wrapped;
        match self.join_or_start(context, id, wrapped) {
            Joined::Landed(key) => Ok(key),
            Joined::Flying(flight) => flight.await,
        }
    }

    /// Drops (and zeroes) the keys whose time is over.
    pub fn evict_expired(&self) {
        self.0.evict_expired();
    }

    /// Evicts expired keys until the last clone of `self` is gone. A process that lives longer than a call spawns this;
    /// without it a key that nobody asks for any more would stay.
    pub fn sweeper(&self) -> impl Future<Output = ()> + Send + 'static {
        sweep(Arc::downgrade(&self.0), SWEEP)
    }

    async fn make_key(&self, context: &KeyContext, id: DataKeyId) -> Result<RingKey, KeyError> {
        let (material, wrapped) = self.0.wrapper.generate(context).await?;
        let key = DataKey::new(id, material).map_err(|_| KeyError::Tampered)?;
        let created_at = self.0.clock.now();
        self.0.cache.insert(context, Arc::new(key), created_at);
        Ok(RingKey { id, wrapped, created_at })
    }

    fn join_or_start(&self, context: &KeyContext, id: DataKeyId, wrapped: &WrappedKey) -> Joined {
        let mut flights = self.0.flights();
        if let Some(flight) = flights.get(&(*context, id)).and_then(WeakShared::upgrade) {
            return Joined::Flying(flight);
        }
        // A flight enters its key into the cache before it leaves the list, so looking again here misses none.
        if let Some(key) = self.cached(context, id) {
            return Joined::Landed(key);
        }
        let flight = unwrap(Arc::clone(&self.0), *context, id, wrapped.clone()).boxed().shared();
        if let Some(weak) = flight.downgrade() {
            flights.insert((*context, id), weak);
        }
        Joined::Flying(flight)
    }
}

enum Joined {
    Landed(Arc<DataKey>),
    Flying(Shared<Flight>),
}

impl State {
    fn flights(&self) -> std::sync::MutexGuard<'_, HashMap<FlightKey, WeakShared<Flight>>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn evict_expired(&self) {
        self.cache.evict_expired(self.clock.now());
        self.flights().retain(|_, flight| flight.upgrade().is_some());
    }
}

async fn unwrap(
    state: Arc<State>,
    context: KeyContext,
    id: DataKeyId,
    wrapped: WrappedKey,
) -> Result<Arc<DataKey>, KeyError> {
    let unwrapped = state.wrapper.unwrap(&context, &wrapped).await;
    let opened = unwrapped
        .map_err(KeyError::from)
        .and_then(|material| DataKey::new(id, material).map(Arc::new).map_err(|_| KeyError::Tampered));
    if let Ok(key) = &opened {
        state.cache.insert(&context, Arc::clone(key), state.clock.now());
    }
    state.flights().remove(&(context, id));
    opened
}

async fn sweep(state: Weak<State>, period: Duration) {
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match state.upgrade() {
            Some(state) => state.evict_expired(),
            None => return,
        }
    }
}

#[cfg(test)]
mod tests;

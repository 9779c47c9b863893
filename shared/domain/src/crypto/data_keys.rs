//! Data keys: making them for sealing and opening those that sealed values carry, with a short memory.

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
    data_key::{DataKey, WrappedDataKey},
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
    /// The data key was wrapped by another key than the one this process holds: wrong key file, wrong account.
    #[error("data key wrapped by another key")]
    NotMyKey,
    /// The wrapped key was changed, or belongs to another app or purpose.
    #[error("data key does not open")]
    Tampered,
    /// The key service could not be reached, or refused. Worth a retry by the caller's caller.
    #[error("key service unavailable: {0}")]
    Unavailable(String),
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
    /// Calls to the key service under way. Weak: when every caller has gone away, so has the call.
    flights: Mutex<HashMap<Asked, WeakShared<Flight>>>,
}

/// What the key service is asked for. Callers who ask for the same share the answer.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Asked {
    Make(KeyContext),
    Open(KeyContext, DataKeyId, Vec<u8>),
}

type Flight = BoxFuture<'static, Result<Arc<DataKey>, KeyError>>;

impl DataKeys {
    pub fn new(wrapper: Arc<dyn KeyWrapper>, clock: Arc<dyn Clock>) -> Self {
        let cache = KeyCache::new(MAX_ENTRIES, LIFETIME);
        Self(Arc::new(State { wrapper, clock, cache, flights: Mutex::default() }))
    }

    /// A key to seal with: one that this process made for the context less than five minutes ago, or else a fresh one,
    /// which takes the id `fresh`. Needs no permission to unwrap, and what it seals carries all that opening takes: there
    /// is nothing to store first.
    pub async fn for_sealing(
        &self,
        context: &KeyContext,
        fresh: DataKeyId,
    ) -> Result<Arc<DataKey>, KeyError> {
        let cached = || self.0.cache.sealing(context, &*self.0.clock);
        match cached() {
            Some(key) => Ok(key),
            None => {
                let make = make(Arc::clone(&self.0), *context, fresh);
                self.ask(Asked::Make(*context), cached, make).await
            }
        }
    }

    /// The key that a sealed value carries: from memory, or by one unwrap that all callers of this moment share. A failure
    /// is told to those callers and forgotten.
    pub async fn open(
        &self,
        context: &KeyContext,
        key: WrappedDataKey<'_>,
    ) -> Result<Arc<DataKey>, KeyError> {
        let cached = || self.0.cache.opening(context, key, &*self.0.clock);
        match cached() {
            Some(key) => Ok(key),
            None => {
                let asked = Asked::Open(*context, key.id, key.wrapped.to_vec());
                let unwrap = unwrap(Arc::clone(&self.0), *context, key.id, WrappedKey(key.wrapped.to_vec()));
                self.ask(asked, cached, unwrap).await
            }
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

    /// Joins whoever asks for the same, or asks.
    async fn ask(
        &self,
        asked: Asked,
        cached: impl Fn() -> Option<Arc<DataKey>>,
        work: impl Future<Output = Result<Arc<DataKey>, KeyError>> + Send + 'static,
    ) -> Result<Arc<DataKey>, KeyError> {
        let flight = {
            let mut flights = self.0.flights();
            if let Some(flight) = flights.get(&asked).and_then(WeakShared::upgrade) {
                flight
            } else if let Some(key) = cached() {
                // A flight enters its key into the cache before it leaves the list, so looking again here misses none.
                return Ok(key);
            } else {
                let flight: Shared<Flight> = land(Arc::clone(&self.0), asked.clone(), work).boxed().shared();
                if let Some(weak) = flight.downgrade() {
                    flights.insert(asked, weak);
                }
                flight
            }
        };
        flight.await
    }
}

impl State {
    fn flights(&self) -> std::sync::MutexGuard<'_, HashMap<Asked, WeakShared<Flight>>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn evict_expired(&self) {
        self.cache.evict_expired(self.clock.now());
        self.flights().retain(|_, flight| flight.upgrade().is_some());
    }
}

async fn land(
    state: Arc<State>,
    asked: Asked,
    work: impl Future<Output = Result<Arc<DataKey>, KeyError>>,
) -> Result<Arc<DataKey>, KeyError> {
    let answer = work.await;
    state.flights().remove(&asked);
    answer
}

async fn make(state: Arc<State>, context: KeyContext, id: DataKeyId) -> Result<Arc<DataKey>, KeyError> {
    let (material, wrapped) = state.wrapper.generate(&context).await?;
    // Nothing stored is at fault here: the key service made what nobody could use.
    let key = DataKey::new(id, wrapped, material).map_err(|bad| KeyError::Unavailable(bad.to_string()))?;
    let key = Arc::new(key);
    state.cache.insert_made(&context, &key, state.clock.now());
    Ok(key)
}

async fn unwrap(
    state: Arc<State>,
    context: KeyContext,
    id: DataKeyId,
    wrapped: WrappedKey,
) -> Result<Arc<DataKey>, KeyError> {
    let material = state.wrapper.unwrap(&context, &wrapped).await?;
    let key = Arc::new(DataKey::new(id, wrapped, material).map_err(|_| KeyError::Tampered)?);
    state.cache.insert_opened(&context, &key, state.clock.now());
    Ok(key)
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

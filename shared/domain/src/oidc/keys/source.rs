//! One provider's keys: when they are fetched, and who waits.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::{sync::watch, time::timeout};

use super::{Fetching, KeysError, Unavailable};
use crate::oidc::{fetch, jwks::KeySet};

/// For how long a set is used without asking.
const FRESH: SignedDuration = SignedDuration::from_mins(10);
/// For how long it counts while the provider cannot be reached.
const STALE: SignedDuration = SignedDuration::from_hours(1);
/// Between two attempts, whatever their outcome.
const BETWEEN: SignedDuration = SignedDuration::from_secs(10);
/// A little more than a fetch may take: it ends by itself, unless its thread is stuck.
const LONGEST_WAIT: Duration = fetch::TIMEOUT.saturating_add(Duration::from_secs(1));

/// A key set's address with what came from there.
pub(super) struct Source {
    jwks_uri: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    /// When the last attempt began or, if it failed, ended.
    attempted_at: Option<Timestamp>,
    /// Why the last attempt failed, if it did.
    failure: Option<Unavailable>,
    /// The fetch under way. Whoever waits for it holds a receiver, and is woken when this is dropped.
    flight: Option<watch::Sender<()>>,
}

struct Held {
    keys: Arc<KeySet>,
    fetched_at: Timestamp,
}

/// What a caller does next.
enum Step {
    Use(Arc<KeySet>),
    Wait(watch::Receiver<()>),
    /// Start the fetch, and wait for it.
    Begin(Flight, watch::Receiver<()>),
    Fail(KeysError),
}

impl Source {
    pub(super) fn new(jwks_uri: String) -> Self {
        Self { jwks_uri, state: Mutex::default() }
    }

    /// The keys that count now.
    pub(super) async fn keys(self: &Arc<Self>, with: &Fetching) -> Result<Arc<KeySet>, KeysError> {
        // The second time is for a fetch that was lost with its runtime.
        for _ in 0..2 {
            match self.step(with) {
                Step::Use(keys) => return Ok(keys),
                Step::Wait(landing) => landed(landing).await,
                Step::Begin(flight, landing) => {
                    flight.begin();
                    landed(landing).await;
                }
                Step::Fail(error) => return Err(error),
            }
        }
        let (state, now) = (self.lock(), with.clock.now());
        state.usable(now).ok_or_else(|| state.unavailable())
    }

    /// Other keys than these, for a token that they do not fit. `None` if there are none, or it is too early to ask.
    pub(super) async fn newer_than(
        self: &Arc<Self>,
        seen: &Arc<KeySet>,
        with: &Fetching,
    ) -> Option<Arc<KeySet>> {
        let other = |state: &State| {
            let keys = state.usable(with.clock.now())?;
            (!Arc::ptr_eq(&keys, seen)).then_some(keys)
        };
        let (flight, landing) = {
            let mut state = self.lock();
            if let Some(keys) = other(&state) {
                return Some(keys);
            }
            match &state.flight {
                Some(flight) => (None, flight.subscribe()),
                None if state.is_due(with.clock.now()) => {
                    let (flight, landing) = self.launch(&mut state, with);
                    (Some(flight), landing)
                }
                None => return None,
            }
        };
        if let Some(flight) = flight {
            flight.begin();
        }
        landed(landing).await;
        other(&self.lock())
    }

    /// The keys that count now, if no attempt is due.
    pub(super) fn at_hand(&self, now: Timestamp) -> Option<Arc<KeySet>> {
        let state = self.lock();
        state
            .fresh(now)
            .or_else(|| state.usable(now).filter(|_| state.failure.is_some() && !state.is_due(now)))
    }

    fn step(self: &Arc<Self>, with: &Fetching) -> Step {
        let now = with.clock.now();
        let mut state = self.lock();
        if let Some(keys) = state.fresh(now) {
            return Step::Use(keys);
        }
        let stale = state.usable(now);
        match (&state.flight, stale) {
            // The last attempt failed, and this one may take its five seconds.
            (Some(_), Some(keys)) if state.failure.is_some() => Step::Use(keys),
            (Some(flight), _) => Step::Wait(flight.subscribe()),
            (None, _) if state.is_due(now) => {
                let (flight, landing) = self.launch(&mut state, with);
                Step::Begin(flight, landing)
            }
            (None, Some(keys)) => Step::Use(keys),
            (None, None) => Step::Fail(state.unavailable()),
        }
    }

    /// A fetch that is about to begin: once the lock is given back, because a runtime that ends drops it at once, and that takes
    /// the lock.
    fn launch(self: &Arc<Self>, state: &mut State, with: &Fetching) -> (Flight, watch::Receiver<()>) {
        let (sender, landing) = watch::channel(());
        state.flight = Some(sender);
        state.attempted_at = Some(with.clock.now());
        (Flight { source: Arc::clone(self), with: with.clone(), result: None }, landing)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn fresh(&self, now: Timestamp) -> Option<Arc<KeySet>> {
        // A clock that was set back proves nothing about age.
        let held = self.held.as_ref().filter(|held| held.fetched_at <= now)?;
        (now.duration_since(held.fetched_at) < FRESH).then(|| Arc::clone(&held.keys))
    }

    fn usable(&self, now: Timestamp) -> Option<Arc<KeySet>> {
        let held = self.held.as_ref()?;
        (now.duration_since(held.fetched_at).abs() < STALE).then(|| Arc::clone(&held.keys))
    }

    fn is_due(&self, now: Timestamp) -> bool {
        self.attempted_at.is_none_or(|at| now < at || now.duration_since(at) >= BETWEEN)
    }

    fn unavailable(&self) -> KeysError {
        KeysError::Unavailable(self.failure.clone().unwrap_or(Unavailable::Abandoned))
    }
}

/// Returns when the fetch has ended, however it did.
async fn landed(mut flight: watch::Receiver<()>) {
    // Nothing is ever sent: the channel closes.
    timeout(LONGEST_WAIT, flight.changed()).await.ok();
}

/// A fetch under way. Its end is written down when it is dropped, so that it has one also when its runtime ends.
struct Flight {
    source: Arc<Source>,
    with: Fetching,
    result: Option<Result<KeySet, Unavailable>>,
}

impl Flight {
    /// In a task of its own: a caller that hangs up must not end it for the others.
    fn begin(self) {
        tokio::spawn(self.fly());
    }

    async fn fly(mut self) {
        self.result = Some(self.fetch().await);
    }

    async fn fetch(&self) -> Result<KeySet, Unavailable> {
        let target = fetch::target(&self.source.jwks_uri, self.with.rules)?;
        let document = fetch::document(&*self.with.http, &target).await?;
        Ok(KeySet::from_slice(&document)?)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut state = self.source.lock();
        let now = self.with.clock.now();
        match self.result.take() {
            Some(Ok(keys)) => {
                state.failure = None;
                // The same keys stay the same set, and the tokens that were checked with it stay checked.
                let keys = match state.held.take() {
                    Some(held) if *held.keys == keys => held.keys,
                    _ => Arc::new(keys),
                };
                // From when it was asked: what it says may be that old.
                state.held = Some(Held { keys, fetched_at: state.attempted_at.unwrap_or(now) });
            }
            Some(Err(cause)) => {
                tracing::warn!(jwks_uri = self.source.jwks_uri, %cause, "the keys of an identity provider cannot be had");
                state.failure = Some(cause);
                state.attempted_at = Some(now);
            }
            // Whoever waits tries again at once.
            None => {
                state.failure = Some(Unavailable::Abandoned);
                state.attempted_at = None;
            }
        }
        state.flight = None;
    }
}

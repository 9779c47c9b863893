//! Within one process a refresh is one flight: whoever needs the same tokens renewed waits for it.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use alter_api_types::ConnectionId;
use jiff::Timestamp;
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

use crate::{
    error::Error,
    model::{Connection, SealedCredential},
};

/// How a flight ended.
#[derive(Debug, Clone)]
pub(super) enum Landed {
    /// Tokens of a newer seal version, whoever got them.
    Fresh(Arc<Connection>, Arc<SealedCredential>),
    /// Another process has the lease, and nobody here waited for it.
    Busy,
    /// The user has to connect again.
    Broken,
    Revoked,
    Failed(Error),
}

impl Landed {
    /// The provider's definite no to the client, or a reply that nobody can use: asking again at once changes nothing.
    fn is_definite(&self) -> bool {
        matches!(self, Self::Failed(Error::UpstreamBroken(_)))
    }
}

/// How long a definite no is the answer to whoever needs the same tokens, so that not every call is another exchange.
const REMEMBERED: Duration = Duration::from_secs(3);

/// Which tokens are to be renewed: a connection and its seal version.
pub(super) type Flown = (ConnectionId, u64);

/// The flights under way, and those that ended with a definite no a moment ago.
#[derive(Default)]
pub(super) struct Flights(Mutex<HashMap<Flown, Flight>>);

struct Flight {
    landing: Arc<watch::Sender<Option<Landed>>>,
    /// Until when an ended flight is remembered, and the registration with which it failed: one that was changed since is worth
    /// a try.
    remembered: Option<(Instant, Timestamp)>,
}

/// Who waits for a flight.
pub(super) struct Passengers(Arc<watch::Sender<Option<Landed>>>);

impl Passengers {
    pub(super) fn any(&self) -> bool {
        self.0.receiver_count() > 0
    }
}

/// A place in a flight.
pub(super) struct Seat {
    landing: watch::Receiver<Option<Landed>>,
    /// Whether the flight was started for it.
    pub(super) first: bool,
}

impl Seat {
    /// How the flight ended, if it did in time.
    pub(super) async fn landed(mut self, until: Instant) -> Option<Landed> {
        match timeout_at(until, self.landing.wait_for(Option::is_some)).await {
            Ok(Ok(landed)) => landed.clone(),
            // The task that flew is gone, because the process ends.
            Ok(Err(_)) => {
                Some(Landed::Failed(Error::Internal("a refresh ended without a result".to_owned())))
            }
            Err(_) => None,
        }
    }
}

impl Flights {
    /// Joins the flight, or starts it, in a task of its own: a caller that hangs up must not end it between the provider's
    /// answer and the store.
    pub(super) fn board<F>(
        self: &Arc<Self>,
        flown: Flown,
        config_of: Timestamp,
        fly: impl FnOnce(Passengers) -> F,
    ) -> Seat
    where
        F: Future<Output = Landed> + Send + 'static,
    {
        let mut flights = self.lock();
        let now = Instant::now();
        if let Some(flight) = flights.get(&flown)
            && flight.remembered.is_none_or(|(until, config)| now < until && config == config_of)
        {
            return Seat { landing: flight.landing.subscribe(), first: false };
        }
        let (sender, landing) = watch::channel(None);
        let sender = Arc::new(sender);
        flights.insert(flown, Flight { landing: Arc::clone(&sender), remembered: None });
        drop(flights);
        let flight = fly(Passengers(Arc::clone(&sender)));
        let listed = Listed { flights: Arc::clone(self), flown };
        tokio::spawn(async move {
            let landed = flight.await;
            if landed.is_definite() {
                sender.send_replace(Some(landed));
                listed.remember(config_of);
            } else {
                // Off the list first: whoever comes now looks for itself instead of taking an old result.
                drop(listed);
                sender.send_replace(Some(landed));
            }
        });
        Seat { landing, first: true }
    }

    /// Returns when no flight is under way that was when it was called.
    pub(super) async fn settled(&self) {
        let under_way: Vec<_> = self.lock().values().map(|flight| flight.landing.subscribe()).collect();
        for mut landing in under_way {
            // Closed without a result is settled too.
            landing.wait_for(Option::is_some).await.ok();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Flown, Flight>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a flight off the list, however its task ends.
struct Listed {
    flights: Arc<Flights>,
    flown: Flown,
}

impl Listed {
    /// Leaves the flight on the list for a while, and takes those off whose while is over.
    fn remember(self, config_of: Timestamp) {
        let now = Instant::now();
        let mut flights = self.flights.lock();
        flights.retain(|_, flight| flight.remembered.is_none_or(|(until, _)| now < until));
        if let Some(flight) = flights.get_mut(&self.flown) {
            flight.remembered = Some((now + REMEMBERED, config_of));
        }
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        let mut flights = self.flights.lock();
        if flights.get(&self.flown).is_some_and(|flight| flight.remembered.is_none()) {
            flights.remove(&self.flown);
        }
    }
}

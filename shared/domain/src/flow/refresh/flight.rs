//! Within one process a refresh is one flight: whoever needs the same tokens renewed waits for it.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use alter_api_types::ConnectionId;
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

/// Which tokens are to be renewed: a connection and its seal version.
pub(super) type Flown = (ConnectionId, u64);

/// The flights under way.
#[derive(Default)]
pub(super) struct Flights(Mutex<HashMap<Flown, Arc<watch::Sender<Option<Landed>>>>>);

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
    pub(super) fn board<F>(self: &Arc<Self>, flown: Flown, fly: impl FnOnce(Passengers) -> F) -> Seat
    where
        F: Future<Output = Landed> + Send + 'static,
    {
        let mut flights = self.lock();
        if let Some(flight) = flights.get(&flown) {
            return Seat { landing: flight.subscribe(), first: false };
        }
        let (sender, landing) = watch::channel(None);
        let sender = Arc::new(sender);
        flights.insert(flown, Arc::clone(&sender));
        drop(flights);
        let flight = fly(Passengers(Arc::clone(&sender)));
        let listed = Listed { flights: Arc::clone(self), flown };
        tokio::spawn(async move {
            let landed = flight.await;
            // Off the list first: whoever comes now looks for itself instead of taking an old result.
            drop(listed);
            sender.send_replace(Some(landed));
        });
        Seat { landing, first: true }
    }

    /// Returns when no flight is under way that was when it was called.
    pub(super) async fn settled(&self) {
        let under_way: Vec<_> = self.lock().values().map(|flight| flight.subscribe()).collect();
        for mut landing in under_way {
            // Closed without a result is settled too.
            landing.wait_for(Option::is_some).await.ok();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Flown, Arc<watch::Sender<Option<Landed>>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a flight off the list, however its task ends.
struct Listed {
    flights: Arc<Flights>,
    flown: Flown,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.flights.lock().remove(&self.flown);
    }
}

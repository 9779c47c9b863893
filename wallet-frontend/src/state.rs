//! What several pages show: who is signed in, their grants, and the time. Changed in one place, it changes everywhere.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use alter_api_types::Timestamp;
use alter_api_types::{
    AgentId, AppId,
    wallet::{AgentCard, AppCard, GrantCard, Overview, RevokeReceipt, SessionView},
};
use leptos::{prelude::*, task::spawn_local};

use crate::{
    api::{self, ApiError},
    format,
};

/// For how long an answer is as good as a new one when a page opens.
const FRESH_SECONDS: i64 = 15;

/// Something that the API answers, kept until it is asked anew.
pub struct Remote<T: Send + Sync + 'static> {
    value: RwSignal<Option<Result<Arc<T>, ApiError>>>,
    /// Why what is shown could not be refreshed.
    stale: RwSignal<Option<ApiError>>,
    busy: RwSignal<bool>,
    /// Counts what was asked and what was put in, so that an answer that is older than either is dropped.
    turn: StoredValue<u64>,
    asked: StoredValue<Timestamp>,
    ask: fn() -> Answer<T>,
}

pub type Answer<T> = Pin<Box<dyn Future<Output = Result<T, ApiError>>>>;

impl<T: Send + Sync + 'static> Clone for Remote<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Send + Sync + 'static> Copy for Remote<T> {}

impl<T: Send + Sync + 'static> Remote<T> {
    pub fn new(ask: fn() -> Answer<T>) -> Self {
        Self {
            value: RwSignal::new(None),
            stale: RwSignal::new(None),
            busy: RwSignal::new(false),
            turn: StoredValue::new(0),
            asked: StoredValue::new(Timestamp::UNIX_EPOCH),
            ask,
        }
    }

    /// `None` until there is an answer.
    pub fn get(self) -> Option<Result<Arc<T>, ApiError>> {
        self.value.get()
    }

    /// The answer, if there is a good one.
    pub fn ok(self) -> Option<Arc<T>> {
        self.value.with(|value| value.as_ref().and_then(|value| value.as_ref().ok().cloned()))
    }

    pub fn ok_untracked(self) -> Option<Arc<T>> {
        untrack(move || self.ok())
    }

    pub fn busy(self) -> bool {
        self.busy.get()
    }

    pub fn stale(self) -> Option<ApiError> {
        self.stale.get()
    }

    /// Asks if nobody has yet.
    pub fn want(self) {
        if self.value.with_untracked(Option::is_none) && !self.busy.get_untracked() {
            self.refresh();
        }
    }

    /// Asks unless there is an answer that was asked for a moment ago. Pages do this when they open: nothing is polled, so that
    /// a session that nobody uses ends.
    pub fn want_fresh(self) {
        let age = format::browser_now().as_second() - self.asked.get_value().as_second();
        if !self.busy.get_untracked() && (age > FRESH_SECONDS || self.value.with_untracked(Option::is_none)) {
            self.refresh();
        }
    }

    /// Asks anew. What is shown stays until the answer is there, and when there is none.
    pub fn refresh(self) {
        let turn = self.next();
        self.busy.set(true);
        self.asked.set_value(format::browser_now());
        let answer = (self.ask)();
        spawn_local(async move {
            let answer = answer.await;
            if self.turn.try_get_value() != Some(turn) {
                return;
            }
            self.busy.set(false);
            match answer {
                Ok(value) => {
                    self.stale.set(None);
                    self.value.set(Some(Ok(Arc::new(value))));
                }
                Err(error) if error.signed_out() => {}
                Err(error) if self.ok_untracked().is_some() => self.stale.set(Some(error)),
                Err(error) => self.value.set(Some(Err(error))),
            }
        });
    }

    /// Puts in what is known without asking; an answer that is still to come is older and is dropped.
    pub fn put(self, value: T) {
        self.next();
        self.busy.set(false);
        self.value.set(Some(Ok(Arc::new(value))));
    }

    /// Forgets it: nobody is signed in any more.
    pub fn forget(self) {
        self.next();
        self.busy.set(false);
        self.stale.set(None);
        self.value.set(None);
    }

    fn next(self) -> u64 {
        self.turn.update_value(|turn| *turn += 1);
        self.turn.get_value()
    }
}

pub type Session = Remote<SessionView>;
pub type Grants = Remote<Overview>;

impl Remote<Overview> {
    /// Shows at once what revoking did, then asks the API.
    pub fn revoked(self, receipt: &RevokeReceipt) {
        self.change(|grants| {
            for grant in grants.iter_mut() {
                if grant.grant_id == receipt.grant.grant_id {
                    *grant = receipt.grant.clone();
                } else if receipt.ended_with_it.contains(&grant.grant_id) {
                    grant.status = receipt.grant.status;
                    grant.may_revoke = false;
                    grant.extendable_to = None;
                    grant.reconnect = None;
                    grant.ended.clone_from(&receipt.grant.ended);
                }
            }
        });
    }

    /// Shows a changed grant at once, then asks the API.
    pub fn changed(self, changed: &GrantCard) {
        self.change(|grants| {
            if let Some(grant) = grants.iter_mut().find(|grant| grant.grant_id == changed.grant_id) {
                *grant = changed.clone();
            }
        });
    }

    fn change(self, change: impl FnOnce(&mut Vec<GrantCard>)) {
        if let Some(shown) = self.ok_untracked() {
            let mut overview = Overview::clone(&shown);
            change(&mut overview.grants);
            self.put(overview);
        }
        self.refresh();
    }
}

/// What pages look up in an overview.
pub trait Find {
    fn app(&self, id: AppId) -> Option<&AppCard>;
    fn agent(&self, id: AgentId) -> Option<&AgentCard>;
}

impl Find for Overview {
    fn app(&self, id: AppId) -> Option<&AppCard> {
        self.apps.iter().find(|app| app.app_id == id)
    }

    fn agent(&self, id: AgentId) -> Option<&AgentCard> {
        self.agents.iter().find(|agent| agent.agent_id == id)
    }
}

/// The server's time, as far as the browser knows it.
#[derive(Clone, Copy)]
pub struct Clock {
    /// Milliseconds by which the server is ahead.
    ahead: RwSignal<i64>,
    second: RwSignal<Timestamp>,
    half_minute: RwSignal<Timestamp>,
}

impl Clock {
    /// Tracked: runs anew every half minute.
    pub fn now(self) -> Timestamp {
        self.half_minute.get()
    }

    /// Tracked: runs anew every second.
    pub fn second(self) -> Timestamp {
        self.second.get()
    }

    /// Sets it by an answer that was just given.
    pub fn set_by(self, server: Timestamp) {
        self.ahead.set(server.as_millisecond() - format::browser_now().as_millisecond());
        self.tick();
        self.half_minute.set(self.second.get_untracked());
    }

    fn tick(self) {
        let ms = format::browser_now().as_millisecond() + self.ahead.get_untracked();
        let now = Timestamp::from_millisecond(ms).unwrap_or_default();
        self.second.set(now);
        if now.as_second() / 30 != self.half_minute.get_untracked().as_second() / 30 {
            self.half_minute.set(now);
        }
    }
}

pub fn use_session() -> Session {
    expect_context()
}

/// All grants of the person, over all apps.
pub fn use_overview() -> Grants {
    expect_context()
}

pub fn use_clock() -> Clock {
    expect_context()
}

/// Once, by the site.
pub fn provide() {
    let now = format::browser_now();
    let clock =
        Clock { ahead: RwSignal::new(0), second: RwSignal::new(now), half_minute: RwSignal::new(now) };
    set_interval(move || clock.tick(), Duration::from_secs(1));
    let overview = Remote::new(|| Box::pin(api::overview()));
    Effect::new(move || {
        if let Some(overview) = overview.ok() {
            clock.set_by(overview.now);
        }
    });
    provide_context::<Session>(Remote::new(|| Box::pin(api::session())));
    provide_context::<Grants>(overview);
    provide_context(clock);
}

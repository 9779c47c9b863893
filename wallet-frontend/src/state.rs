//! What several pages show: who is signed in, their grants, and the time. Changed in one place, it changes everywhere.

use std::{any::Any, future::Future, marker::PhantomData, pin::Pin, sync::Arc, time::Duration};

use alter_api_types::Timestamp;
use alter_api_types::{
    AgentId, AppId,
    wallet::{AgentCard, AppCard, GrantCard, Overview, RevokeReceipt, SessionView},
};
use leptos::{prelude::*, task::spawn_local};

use crate::{
    api::{self, ApiError},
    format,
    ui::plain::watch,
};

/// For how long an answer is as good as a new one when a page opens.
const FRESH_SECONDS: i64 = 15;

/// Something that the API answers, kept until it is asked anew. All kinds of answers are kept in the same way, by the same
/// code; this says which kind it is.
pub struct Remote<T> {
    kept: Kept,
    kind: PhantomData<fn() -> T>,
}

/// An answer of any kind.
type Held = Arc<dyn Any + Send + Sync>;
pub type Answer = Pin<Box<dyn Future<Output = Result<Held, ApiError>>>>;

#[derive(Clone, Copy)]
struct Kept {
    value: RwSignal<Option<Result<Held, ApiError>>>,
    /// What is shown could not be refreshed.
    stale: RwSignal<bool>,
    busy: RwSignal<bool>,
    state: StoredValue<Asked>,
    ask: fn() -> Answer,
}

#[derive(Clone, Copy, Default)]
struct Asked {
    /// Counts what was asked and what was put in, so that an answer that is older than either is dropped.
    turn: u64,
    /// By the browser's clock, in seconds.
    at: i64,
}

impl<T> Clone for Remote<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Remote<T> {}

/// Makes what is kept of an answer.
pub fn held<T: Send + Sync + 'static>(answer: Result<T, ApiError>) -> Result<Held, ApiError> {
    answer.map(|value| Arc::new(value) as Held)
}

impl<T: Send + Sync + 'static> Remote<T> {
    /// `ask` gives a [`held`] answer of this kind.
    pub fn new(ask: fn() -> Answer) -> Self {
        let kept = Kept {
            value: RwSignal::new(None),
            stale: RwSignal::new(false),
            busy: RwSignal::new(false),
            state: StoredValue::new(Asked::default()),
            ask,
        };
        Self { kept, kind: PhantomData }
    }

    /// The answer, if there is a good one.
    pub fn ok(self) -> Option<Arc<T>> {
        self.kept.ok()?.downcast().ok()
    }

    pub fn ok_untracked(self) -> Option<Arc<T>> {
        untrack(move || self.ok())
    }

    /// Whether there is a good answer.
    pub fn is_there(self) -> bool {
        self.kept.ok().is_some()
    }

    /// Why there is no answer.
    pub fn error(self) -> Option<ApiError> {
        self.kept.value.with(|value| value.as_ref()?.as_ref().err().cloned())
    }

    pub fn busy(self) -> Signal<bool> {
        self.kept.busy.into()
    }

    /// What is shown could not be refreshed.
    pub fn stale(self) -> bool {
        self.kept.stale.get()
    }

    /// Asks if nobody has yet.
    pub fn want(self) {
        self.kept.want(i64::MAX);
    }

    /// Asks unless there is an answer that was asked for a moment ago. Pages do this when they open: nothing is polled, so that
    /// a session that nobody uses ends.
    pub fn want_fresh(self) {
        self.kept.want(FRESH_SECONDS);
    }

    /// Asks anew. What is shown stays until the answer is there, and when there is none.
    pub fn refresh(self) {
        self.kept.refresh();
    }

    /// Puts in what is known without asking; an answer that is still to come is older and is dropped.
    pub fn put(self, value: T) {
        self.kept.put(Some(Arc::new(value)));
    }

    /// Forgets it: nobody is signed in any more.
    pub fn forget(self) {
        self.kept.put(None);
    }
}

impl Kept {
    fn ok(self) -> Option<Held> {
        self.value.with(|value| value.as_ref()?.as_ref().ok().cloned())
    }

    fn want(self, seconds: i64) {
        let age = format::browser_now().as_second() - self.state.get_value().at;
        let none = self.value.with_untracked(Option::is_none);
        if !self.busy.get_untracked() && (age > seconds || none) {
            self.refresh();
        }
    }

    fn refresh(self) {
        let turn = self.next();
        self.busy.set(true);
        self.state.update_value(|state| state.at = format::browser_now().as_second());
        let answer = (self.ask)();
        spawn_local(async move {
            let answer = answer.await;
            if self.state.try_get_value().map(|state| state.turn) == Some(turn) {
                self.take(answer);
            }
        });
    }

    fn take(self, answer: Result<Held, ApiError>) {
        self.busy.set(false);
        match answer {
            Err(error) if error.signed_out() => {}
            Err(_) if untrack(|| self.ok()).is_some() => self.stale.set(true),
            answer => {
                self.stale.set(false);
                self.value.set(Some(answer));
            }
        }
    }

    fn put(self, value: Option<Held>) {
        self.next();
        self.busy.set(false);
        if value.is_none() {
            self.stale.set(false);
        }
        self.value.set(value.map(Ok));
    }

    fn next(self) -> u64 {
        self.state.update_value(|state| state.turn += 1);
        self.state.get_value().turn
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

/// The server's time, as far as the browser knows it. All in milliseconds.
#[derive(Clone, Copy)]
pub struct Clock {
    /// By so much the server is ahead.
    ahead: RwSignal<i64>,
    second: RwSignal<i64>,
    half_minute: RwSignal<i64>,
}

impl Clock {
    /// Tracked: runs anew every half minute.
    pub fn now(self) -> Timestamp {
        time(self.half_minute.get())
    }

    /// Tracked: runs anew every second.
    pub fn second(self) -> Timestamp {
        time(self.second.get())
    }

    /// Sets it by an answer that was just given.
    pub fn set_by(self, server: Timestamp) {
        self.ahead.set(server.as_millisecond() - format::browser_now().as_millisecond());
        self.tick();
        self.half_minute.set(self.second.get_untracked());
    }

    fn tick(self) {
        let now = format::browser_now().as_millisecond() + self.ahead.get_untracked();
        self.second.set(now);
        if now / 30_000 != self.half_minute.get_untracked() / 30_000 {
            self.half_minute.set(now);
        }
    }
}

fn time(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or_default()
}

pub fn use_session() -> Session {
    expect_context::<Shared>().session
}

/// All grants of the person, over all apps.
pub fn use_overview() -> Grants {
    expect_context::<Shared>().overview
}

pub fn use_clock() -> Clock {
    expect_context::<Shared>().clock
}

/// Once, by the site.
pub fn provide() {
    let now = RwSignal::new(format::browser_now().as_millisecond());
    let clock =
        Clock { ahead: RwSignal::new(0), second: now, half_minute: RwSignal::new(now.get_untracked()) };
    set_interval(move || clock.tick(), Duration::from_secs(1));
    let overview: Grants = Remote::new(|| Box::pin(async { held(api::overview().await) }));
    watch(move || {
        if let Some(overview) = overview.ok() {
            clock.set_by(overview.now);
        }
    });
    let session: Session = Remote::new(|| Box::pin(async { held(api::session().await) }));
    provide_context(Shared { session, overview, clock });
}

/// What [`provide`] provides, of one type.
#[derive(Clone, Copy)]
struct Shared {
    session: Session,
    overview: Grants,
    clock: Clock,
}

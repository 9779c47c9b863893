//! Who may do what, and what must always hold.

use std::time::Duration;

use alter_domain::{
    flow::Timing,
    model::{Connection, Ended},
    oauth::{Grace, Refresh, RefreshKind, RefreshTokenRotation},
};
use jiff::SignedDuration;
use stateright::{Model, Property};

use crate::state::{Answer, Budget, Doc, History, Provider, State, Status, TICK, Worker, at, template};

/// The protocol as it is, or without one of its precautions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variant {
    Whole,
    /// The lease is written whatever was there.
    NoFence,
    /// The lease ends ten seconds after the claim.
    ShortLease,
    /// After an unknown end the lease is given back, safe or not.
    CarelessRelease,
    /// A holder that was held up sends all the same.
    SendsLate,
    /// New tokens are written over whatever is there.
    StoresBlindly,
}

#[derive(Debug, Clone)]
pub(crate) struct Protocol {
    pub(crate) variant: Variant,
    pub(crate) crashes: u8,
    pub(crate) losses: u8,
    pub(crate) failures: u8,
    pub(crate) silent_stores: u8,
    pub(crate) stalls: u8,
    pub(crate) revocations: u8,
    pub(crate) rotations: u8,
    pub(crate) refresh: Refresh,
    pub(crate) template: Connection,
}

/// How far ahead each worker's clock is, in ticks.
pub(crate) const AHEAD: [i8; 3] = [0, 1, 0];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    Tick,
    Read(usize),
    Claim(usize),
    Send(usize),
    /// The request cannot be sent, or the provider says that it did nothing.
    Unsent(usize),
    TooLate(usize),
    /// The provider processes a request.
    Process(usize),
    /// A request that nobody waits for never arrives.
    Vanish(usize),
    Deliver(usize),
    /// The worker stops waiting: a timeout, a broken connection.
    GiveUp(usize),
    Store(usize),
    /// The write happens; the worker is not told.
    StoreSilently(usize),
    Release(usize),
    BreakOff(usize),
    Crash(usize),
    Revoke,
}

impl Protocol {
    pub(crate) fn new(grace: Grace) -> Self {
        let refresh = Refresh {
            kind: RefreshKind::RefreshToken,
            rotation: RefreshTokenRotation::Always,
            grace,
            ..Refresh::default()
        };
        Self {
            variant: Variant::Whole,
            crashes: 1,
            losses: 1,
            failures: 0,
            silent_stores: 0,
            stalls: 0,
            revocations: 0,
            rotations: 2,
            refresh,
            template: template(),
        }
    }

    pub(crate) fn connection(&self, doc: &Doc) -> Connection {
        doc.connection(&self.template)
    }

    pub(crate) fn lease(&self) -> SignedDuration {
        match self.variant {
            Variant::ShortLease => SignedDuration::from_secs(10),
            _ => Timing::STANDARD.lease,
        }
    }

    fn may_send(&self, worker: usize, claimed: i8) -> bool {
        let waited = i64::from(AHEAD[worker] - claimed) * TICK.as_secs();
        self.variant == Variant::SendsLate || waited <= seconds(Timing::STANDARD.send_within)
    }

    fn has_grace(&self) -> bool {
        self.refresh.grace != Grace::None
    }

    /// Whether the clocks may go on: no request outlives its timeout.
    fn may_tick(&self, state: &State) -> bool {
        let most = seconds(Timing::STANDARD.request) / TICK.as_secs();
        state.wires.iter().all(|wire| i64::from(1 - wire.sent) < most)
    }

    /// Whether a holder's lease ends with this tick while it has a pair in its hands.
    fn stalls(&self, state: &State) -> bool {
        state.workers.iter().enumerate().any(|(w, worker)| {
            let Worker::Holding(attempt, _) = worker else { return false };
            let mine = state.doc.lease.filter(|lease| lease.holder == attempt.holder);
            // By the clock that is furthest ahead.
            let over = mine.is_none_or(|lease| at(1 + 1) >= lease.until);
            over && !state.doc.was_stored(w, attempt)
        })
    }

    fn process(&self, provider: &mut Provider, token: u8) -> Answer {
        if provider.dead {
            return Answer::Dead;
        }
        if token == provider.current {
            provider.current += 1;
            return Answer::Pair(provider.current);
        }
        if self.has_grace() && token + 1 == provider.current {
            return Answer::Pair(provider.current);
        }
        provider.dead = true;
        Answer::Dead
    }
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap()
}

impl Model for Protocol {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let doc = Doc { seal: 1, lease: None, status: Status::Active, obtained: -2, pair: 1, by: None };
        let budget = Budget {
            crashes: self.crashes,
            losses: self.losses,
            failures: self.failures,
            silent_stores: self.silent_stores,
            stalls: self.stalls,
            revocations: self.revocations,
        };
        vec![State {
            doc,
            provider: Provider { current: 1, dead: false },
            workers: [Worker::Idle, Worker::Idle, Worker::Idle],
            wires: Vec::new(),
            budget,
            history: History::default(),
        }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        if self.may_tick(state) && (state.budget.stalls > 0 || !self.stalls(state)) {
            steps.push(Step::Tick);
        }
        if state.budget.revocations > 0 && state.doc.status != Status::Revoked {
            steps.push(Step::Revoke);
        }
        for (place, wire) in state.wires.iter().enumerate() {
            if wire.answer.is_none() {
                steps.push(Step::Process(place));
            }
            if !wire.awaited {
                steps.push(Step::Vanish(place));
            }
        }
        for (w, worker) in state.workers.iter().enumerate() {
            match worker {
                Worker::Idle => steps.push(Step::Read(w)),
                Worker::Claiming(_) => steps.push(Step::Claim(w)),
                Worker::Leased(_, claimed, _) if self.may_send(w, *claimed) => {
                    steps.push(Step::Send(w));
                    if state.budget.failures > 0 {
                        steps.push(Step::Unsent(w));
                    }
                }
                Worker::Leased(..) => steps.push(Step::TooLate(w)),
                Worker::Waiting(_) => {
                    steps.push(Step::Deliver(w));
                    if state.budget.losses > 0 {
                        steps.push(Step::GiveUp(w));
                    }
                }
                Worker::Holding(..) => {
                    steps.push(Step::Store(w));
                    if state.budget.silent_stores > 0 {
                        steps.push(Step::StoreSilently(w));
                    }
                }
                Worker::Releasing(..) => steps.push(Step::Release(w)),
                Worker::Judging(_) => steps.push(Step::BreakOff(w)),
            }
            if state.budget.crashes > 0 && !matches!(worker, Worker::Idle | Worker::Claiming(_)) {
                steps.push(Step::Crash(w));
            }
        }
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut state = last.clone();
        match step {
            Step::Tick => {
                if self.stalls(&state) {
                    state.budget.stalls -= 1;
                    state.history.stalled = true;
                }
                state.tick();
            }
            Step::Revoke => {
                state.budget.revocations -= 1;
                state.doc.status = Status::Revoked;
                state.doc.lease = None;
            }
            Step::Process(place) => {
                let wire = &mut state.wires[place];
                let answer = self.process(&mut state.provider, wire.token);
                wire.answer = Some(answer);
                if !wire.awaited && matches!(answer, Answer::Pair(_)) {
                    state.history.lost = true;
                }
            }
            Step::Vanish(place) => {
                state.wires.remove(place);
            }
            Step::Crash(w) => {
                state.budget.crashes -= 1;
                state.history.lost |= matches!(&state.workers[w], Worker::Holding(attempt, _) if !state.doc.was_stored(w, attempt));
                state.workers[w] = Worker::Idle;
                abandon(&mut state, w);
            }
            Step::GiveUp(w) => {
                state.budget.losses -= 1;
                let Worker::Waiting(attempt) = last.workers[w] else { return None };
                state.workers[w] = Worker::Releasing(attempt, Ended::Unknown);
                abandon(&mut state, w);
            }
            Step::Deliver(w) => {
                let place = state.wires.iter().position(|wire| wire.awaited && wire.worker == w)?;
                let Worker::Waiting(attempt) = last.workers[w] else { return None };
                state.workers[w] = match state.wires[place].answer? {
                    Answer::Pair(pair) => Worker::Holding(attempt, pair),
                    Answer::Dead => Worker::Judging(attempt),
                };
                state.wires.remove(place);
            }
            step => self.work(&mut state, step)?,
        }
        state.wires.sort();
        if self.variant != Variant::NoFence {
            // Whoever has read what is no longer there will write nothing and begin again: it is as if it had not begun.
            for worker in &mut state.workers {
                if matches!(worker, Worker::Claiming(read) if *read != state.doc) {
                    *worker = Worker::Idle;
                }
            }
        }
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always("one live exchange", |_, state: &State| state.awaited() <= 1),
            Property::always("no stored pair is lost", |_, state: &State| {
                let History { lost, stalled, backwards, .. } = state.history;
                let healthy = state.in_step() && state.doc.status == Status::Active;
                let over = state.doc.status == Status::Revoked;
                !backwards && (healthy || over || lost || stalled || !state.is_quiet())
            }),
            Property::always("no superseded token is sent", |_, state: &State| {
                !state.history.superseded || state.history.stalled
            }),
            Property::always("a connection breaks only when an answer was lost", |_, state: &State| {
                let ill = state.doc.status == Status::Broken || state.provider.dead;
                !ill || state.history.lost || state.history.stalled
            }),
            Property::always("what is revoked stays so", |_, state: &State| !state.history.revived),
            Property::always("the provider is told of a pair that came too late", |_, state: &State| {
                let known = state.in_step() || state.history.orphan == Some(state.provider.current);
                let told = state.doc.status != Status::Revoked || state.history.lost || state.provider.dead;
                told || known || !state.is_quiet()
            }),
        ];
        if self.has_grace() {
            properties.push(Property::always("no connection breaks", |_, state: &State| {
                state.doc.status != Status::Broken && !state.provider.dead
            }));
            if self.crashes > 0 && self.revocations == 0 {
                properties.push(Property::sometimes("a lost pair is had again", |_, state: &State| {
                    state.history.lost && state.is_quiet() && state.in_step() && state.doc.seal > 1
                }));
            }
        } else {
            properties.push(Property::always("one request on the wire", |_, state: &State| {
                state.wires.len() <= 1 || state.history.stalled
            }));
            if self.crashes + self.stalls > 0 {
                properties.push(Property::sometimes("it breaks at all", |_, state: &State| {
                    state.doc.status == Status::Broken
                }));
            }
        }
        if self.stalls > 0 {
            properties.push(Property::sometimes("a stalled pair is stored", |_, state: &State| {
                state.history.stalled && state.doc.seal > 1 && state.is_quiet()
            }));
        }
        if self.revocations > 0 {
            properties.push(Property::sometimes("a pair comes too late", |_, state: &State| {
                state.history.orphan.is_some()
            }));
        } else {
            properties.push(Property::sometimes("all rotations", |protocol: &Self, state: &State| {
                state.doc.seal == u64::from(protocol.rotations) + 1 && state.is_quiet() && state.in_step()
            }));
        }
        properties
    }
}

/// Nobody waits for the worker's request any more; it may still be processed.
fn abandon(state: &mut State, w: usize) {
    for wire in state.wires.iter_mut().filter(|wire| wire.worker == w) {
        let given = matches!(wire.answer, Some(Answer::Pair(_)));
        state.history.lost |= wire.awaited && given;
        wire.awaited = false;
    }
}

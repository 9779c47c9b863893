//! What a worker does by itself, with the vault's own functions.

use alter_domain::{
    flow::{Need, need},
    model::{Attempt, Claim, Deposit, Ended},
    oauth::{Grace, Refresh},
};
use uuid::Uuid;

use crate::{
    protocol::{AHEAD, Protocol, Step, Variant},
    state::{Doc, State, Status, Wire, Worker, at},
};

impl Protocol {
    /// A worker's own steps.
    pub(crate) fn work(&self, state: &mut State, step: Step) -> Option<()> {
        match step {
            Step::Read(w) => {
                let connection = self.connection(&state.doc);
                let now = at(AHEAD[w]);
                let wanted = need(&connection, now) == Need::Now
                    && state.doc.seal <= u64::from(self.rotations)
                    && matches!(connection.claim(Uuid::nil().into(), now, self.lease()), Claim::Take(_));
                wanted.then_some(())?;
                state.workers[w] = Worker::Claiming(state.doc.clone());
            }
            Step::Claim(w) => {
                let Worker::Claiming(read) = state.workers[w].clone() else { return None };
                state.workers[w] = Worker::Idle;
                if read != state.doc && self.variant != Variant::NoFence {
                    return Some(());
                }
                let now = AHEAD[w];
                let connection = self.connection(&read);
                // A worker's attempts with one token follow each other: one id for all of them will do.
                let holder = Uuid::from_u128((w as u128) << 8 | u128::from(read.seal)).into();
                let Claim::Take(leased) = connection.claim(holder, at(now), self.lease()) else {
                    return Some(());
                };
                let attempt =
                    Attempt { holder, seal_version: read.seal, sent_before: connection.sent_before() };
                state.workers[w] = Worker::Leased(attempt, now, read.pair);
                state.doc = read.changed(&leased);
            }
            Step::Send(w) => {
                let Worker::Leased(attempt, _, token) = state.workers[w] else { return None };
                state.history.superseded |= state.doc.seal != attempt.seal_version;
                state.wires.push(Wire { worker: w, awaited: true, token, sent: 0, answer: None });
                state.workers[w] = Worker::Waiting(attempt);
            }
            Step::Unsent(w) | Step::TooLate(w) => {
                let Worker::Leased(attempt, ..) = state.workers[w] else { return None };
                if matches!(step, Step::Unsent(_)) {
                    state.budget.failures -= 1;
                }
                state.workers[w] = Worker::Releasing(attempt, Ended::Unused);
            }
            Step::Release(w) => {
                let Worker::Releasing(attempt, ended) = state.workers[w] else { return None };
                let now = at(AHEAD[w]);
                let connection = self.connection(&state.doc);
                let careless = Refresh { grace: Grace::Always, ..self.refresh.clone() };
                let refresh =
                    if self.variant == Variant::CarelessRelease { &careless } else { &self.refresh };
                if let Some(released) = connection.release(&attempt, ended, refresh, now) {
                    state.doc = state.doc.changed(&released);
                }
                state.workers[w] = Worker::Idle;
            }
            Step::BreakOff(w) => {
                let Worker::Judging(attempt) = state.workers[w] else { return None };
                let connection = self.connection(&state.doc);
                if let Some(broken) = connection.break_off(&attempt, "invalid_grant".to_owned(), at(0)) {
                    state.doc = state.doc.changed(&broken);
                }
                state.workers[w] = Worker::Idle;
            }
            Step::Store(w) => {
                let Worker::Holding(attempt, pair) = state.workers[w] else { return None };
                self.store(state, w, attempt, pair);
                state.workers[w] = Worker::Idle;
            }
            Step::StoreSilently(w) => {
                let Worker::Holding(attempt, pair) = state.workers[w] else { return None };
                state.budget.silent_stores -= 1;
                self.store(state, w, attempt, pair);
            }
            _ => return None,
        }
        Some(())
    }

    /// Reads, and writes against what was read. A pair that is there already, from a write whose answer was lost, is not
    /// written again.
    fn store(&self, state: &mut State, w: usize, attempt: Attempt, pair: u8) {
        if state.doc.was_stored(w, &attempt) {
            return;
        }
        let mut read = state.doc.clone();
        if self.variant == Variant::StoresBlindly {
            (read.status, read.seal) = (Status::Active, attempt.seal_version);
        }
        let connection = self.connection(&read);
        let facts = connection.tokens;
        match connection.deposit(&attempt, facts, None, at(AHEAD[w]), self.lease()) {
            Deposit::Put(next) => {
                state.history.backwards |= pair < state.doc.pair || next.seal_version != state.doc.seal + 1;
                state.history.revived |= state.doc.status == Status::Revoked;
                state.doc = Doc { pair, by: Some(w), obtained: 0, ..state.doc.changed(&next) };
            }
            Deposit::Orphaned => state.history.orphan = Some(pair),
            Deposit::Superseded => {}
        }
    }
}

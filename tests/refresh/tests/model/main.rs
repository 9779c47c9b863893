//! The refresh protocol, explored in every order of its steps: three workers with clocks that differ, crashes at each step,
//! requests and replies that are slow or lost, stores whose answer is lost, a connection that is revoked on the way. The
//! transitions are the vault's own (`alter_domain::model`: `claim`, `release`, `deposit`, `break_off`, and `need`); the times
//! are those of [`Timing::STANDARD`](alter_domain::flow::Timing), in ticks of five seconds.
//!
//! What the model takes for granted: a request has ended when its timeout has (it is processed by then or never), and a holder
//! that has its answer stores it before its lease ends, or dies. Where that second one is given up (a stall), the properties
//! say what still holds.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: what does not hold is a panic"
)]

mod protocol;
mod state;
mod work;

use std::time::Instant;

use alter_domain::oauth::Grace;
use stateright::{Checker as _, Model as _};

use self::protocol::{Protocol, Variant};

/// Explores the whole space, and says how large it was.
fn explore(name: &str, protocol: Protocol) {
    let begun = Instant::now();
    let checker = protocol.checker().threads(2).spawn_bfs().join();
    println!(
        "{name}: {} states, {} steps deep, {:.1} s",
        checker.unique_state_count(),
        checker.max_depth(),
        begun.elapsed().as_secs_f32()
    );
    assert!(checker.is_done(), "the space was not explored to its end");
    checker.assert_properties();
}

/// Both kinds of provider.
fn explore_both(name: &str, protocol: impl Fn(Protocol) -> Protocol) {
    for grace in [Grace::None, Grace::UntilSuccessorUsed] {
        explore(&format!("{name}, grace {grace:?}"), protocol(Protocol::new(grace)));
    }
}

#[test]
fn crashes_and_lost_requests_and_replies() {
    explore_both("two crashes and a loss", |protocol| Protocol { crashes: 2, ..protocol });
}

#[test]
fn crashes_and_stores_that_are_not_confirmed() {
    explore_both("a crash, an unsent request, a silent store", |protocol| Protocol {
        losses: 0,
        failures: 1,
        silent_stores: 1,
        ..protocol
    });
}

#[test]
fn a_holder_that_stalls_with_the_answer_in_its_hands_takes_nothing_from_anyone() {
    explore_both("a stall and a loss", |protocol| Protocol { crashes: 0, stalls: 1, ..protocol });
}

#[test]
fn a_connection_that_is_revoked_on_the_way_stays_revoked() {
    explore_both("a revocation", |protocol| Protocol {
        revocations: 1,
        rotations: 1,
        silent_stores: 1,
        ..protocol
    });
}

/// What is left out of the protocol must be missed: else the properties would say nothing.
#[track_caller]
fn must_fail(property: &'static str, protocol: Protocol) {
    let variant = protocol.variant;
    let failure = stateright::HasDiscoveries::AnyFailures;
    let checker = protocol.checker().threads(2).finish_when(failure).spawn_bfs().join();
    let found = checker.discoveries();
    let path = found.get(property).cloned();
    let found: Vec<_> = found.into_keys().collect();
    assert!(path.is_some(), "{variant:?} was not found out by {property:?}, but by {found:?}");
    println!("{variant:?}: {property:?} fails after {} steps", path.unwrap().into_actions().len());
}

fn without(variant: Variant) -> Protocol {
    Protocol { variant, ..Protocol::new(Grace::None) }
}

#[test]
fn a_lease_that_is_written_without_a_fence_is_found_out() {
    must_fail("one live exchange", without(Variant::NoFence));
}

#[test]
fn a_lease_that_ends_before_the_request_is_found_out() {
    must_fail("one live exchange", without(Variant::ShortLease));
}

#[test]
fn a_holder_that_sends_late_is_found_out() {
    must_fail("one live exchange", without(Variant::SendsLate));
}

#[test]
fn a_lease_that_is_given_back_while_the_request_may_be_under_way_is_found_out() {
    must_fail("one request on the wire", without(Variant::CarelessRelease));
}

#[test]
fn a_store_without_a_fence_is_found_out() {
    must_fail("what is revoked stays so", Protocol { revocations: 1, ..without(Variant::StoresBlindly) });
}

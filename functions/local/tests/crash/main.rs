//! Load, `kill -9`, restart, over and over on one data directory: what was acknowledged is still so, and nothing is half
//! written.
//!
//! `ALTER_CRASH_ROUNDS` (200) says how often, over both durabilities together. A kill leaves the pages of the operating
//! system alone, so `process` and `full` must hold alike; what only `full` survives is a power loss. `ALTER_CRASH_SEED`
//! repeats the moments of the kills.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod client;
mod departure;
mod load;
mod provider;
mod vault;
mod verify;

use std::{env, time::Duration};

use alter_domain::port::{Rng as _, SystemRng};

use crate::{
    load::{App, Facts},
    provider::Provider,
    vault::Vault,
};

#[test]
fn what_was_acknowledged_outlives_a_kill_with_durability_process() {
    kill_over_and_over("process");
}

#[test]
fn what_was_acknowledged_outlives_a_kill_with_durability_full() {
    kill_over_and_over("full");
}

fn kill_over_and_over(durability: &str) {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let data = dir.path().join("data");
    let provider = Provider::start();
    let mut dice = Dice::cast();
    let mut before: Option<(App, Facts)> = None;
    let mut first: Option<App> = None;
    let rounds = rounds() / 2;
    let mut totals = Totals::default();
    for round in 0..rounds {
        if round % 4 == 3 {
            // A kill in the middle of recovery, before anybody is served.
            Vault::begin(&data, durability, &log).kill_after(dice.between(0, 40));
        }
        let vault = Vault::begin(&data, durability, &log).ready();
        if let Some((app, facts)) = before.take() {
            totals.add(&facts);
            verify::everything(&vault, &provider, &app, &facts);
        }
        let first = first.get_or_insert_with(|| App::create(&vault, &provider, "first"));
        verify::still_works(&vault, first);
        let app = App::create(&vault, &provider, &format!("round {round}"));
        provider.forget();
        let facts = load::run(vault, &app, round, Duration::from_micros(dice.between(0, 100_000)));
        before = Some((app, facts));
    }
    let vault = Vault::begin(&data, durability, &log).ready();
    if let Some((app, facts)) = before.take() {
        totals.add(&facts);
        verify::everything(&vault, &provider, &app, &facts);
    }
    vault.stop();
    vault::check_log(&log);
    println!("{durability}: {rounds} rounds, {totals:?}");
    // Rounds in which nothing was going on would prove nothing.
    let changes = totals.grants > rounds / 10 && totals.revokes > rounds / 20 && totals.keys > rounds / 2;
    assert!(totals.calls >= rounds && totals.rotations > rounds / 2 && changes, "{totals:?}");
}

/// The first start makes a key file, a store and an operator token; a kill in between must not leave a directory that can
/// neither be set up nor used.
#[test]
fn a_setup_that_is_killed_is_finished_by_the_next_start() {
    let mut dice = Dice::cast();
    let provider = Provider::start();
    for _ in 0..rounds() / 10 {
        let dir = tempfile::tempdir().unwrap();
        let (log, data) = (dir.path().join("log"), dir.path().join("data"));
        for _ in 0..3 {
            Vault::begin(&data, "full", &log).kill_after(dice.between(0, 25));
        }
        let vault = Vault::begin(&data, "full", &log).ready();
        let app = App::create(&vault, &provider, "after all");
        verify::still_works(&vault, &app);
        vault.stop();
        vault::check_log(&log);
    }
}

fn rounds() -> usize {
    env::var("ALTER_CRASH_ROUNDS").map_or(200, |text| text.parse().expect("ALTER_CRASH_ROUNDS is a number"))
}

/// What happened, summed up over the rounds.
#[derive(Debug, Default)]
struct Totals {
    calls: usize,
    grants: usize,
    revokes: usize,
    rotations: usize,
    keys: usize,
}

impl Totals {
    fn add(&mut self, facts: &Facts) {
        self.calls += facts.calls.len();
        self.grants += facts.granted.len();
        self.revokes += facts.revoked.len();
        self.rotations += usize::try_from(facts.rotation_acked - load::FIRST_VERSION).unwrap();
        self.keys += facts.keys.len();
    }
}

/// xorshift64: moments that a seed repeats, as far as the machine does.
struct Dice(u64);

impl Dice {
    fn cast() -> Self {
        let seed = env::var("ALTER_CRASH_SEED").map_or_else(
            |_| {
                let mut bytes = [0; 8];
                SystemRng::new().fill(&mut bytes).unwrap();
                u64::from_le_bytes(bytes)
            },
            |text| text.parse().expect("ALTER_CRASH_SEED is a number"),
        );
        println!("ALTER_CRASH_SEED={seed}");
        Self(seed | 1)
    }

    fn between(&mut self, low: u64, high: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        low + self.0 % (high - low)
    }
}

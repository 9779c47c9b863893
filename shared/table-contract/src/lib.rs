//! What the [`Table`] port promises, as tests that every adapter runs, and tables that make promises visible.
//!
//! Who calls it: tests only. [`run`] holds an adapter to the port's documentation; [`HarshTable`] does to a repository all
//! that production may do; [`CountingTable`] holds a flow to its budget of storage rounds.

mod counting;
mod harsh;
pub mod suite;

use std::{pin::Pin, sync::Arc};

use alter_domain::port::Table;

pub use counting::{CountingTable, Counts};
pub use harsh::{HarshOptions, HarshTable};

/// A case at work.
pub type Running<'t> = Pin<Box<dyn Future<Output = ()> + Send + 't>>;

/// One promise. It panics where the table breaks it.
#[derive(Clone, Copy)]
pub struct Case {
    pub name: &'static str,
    pub run: for<'t> fn(&'t Arc<dyn Table>) -> Running<'t>,
}

/// Runs every case, each on a table of its own from `make`, and panics with the names of those that failed.
///
/// Each case keeps to partitions of its own name, so `make` may return one table again and again if that was empty at
/// first. Needs a runtime with time.
pub async fn run<M, F>(make: M)
where
    M: Fn() -> F,
    F: Future<Output = Arc<dyn Table>>,
{
    let mut failed = Vec::new();
    for case in suite::cases() {
        let table = make().await;
        if tokio::spawn(async move { (case.run)(&table).await }).await.is_err() {
            failed.push(case.name);
        }
    }
    assert!(failed.is_empty(), "the table breaks its contract: {}", failed.join(", "));
}

//! The local table keeps the contract of the port, in files of either durability and in memory.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use alter_adapter_local::{Durability, SqliteTable, TableOptions};
use alter_domain::port::Table;
use alter_table_contract::run;

async fn in_files(durability: Durability) {
    let root = tempfile::tempdir().unwrap();
    let number = AtomicUsize::new(0);
    let options = TableOptions { durability, ..TableOptions::default() };
    run(|| async {
        let dir = root.path().join(number.fetch_add(1, Ordering::Relaxed).to_string());
        Arc::new(SqliteTable::open(&dir, options).unwrap()) as Arc<dyn Table>
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_survive_power_loss() {
    in_files(Durability::Full).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_survive_the_process() {
    in_files(Durability::Process).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory() {
    run(|| async { Arc::new(SqliteTable::memory().unwrap()) as Arc<dyn Table> }).await;
}

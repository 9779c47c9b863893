//! The contract of the port, unchanged.

use std::sync::Arc;

use alter_domain::port::Table;
use alter_table_contract::run;

use crate::support::{Emulator, Wire};

#[tokio::test(flavor = "multi_thread")]
async fn dynamodb_keeps_the_contract() {
    let emulator = Emulator::start();
    run(|| async { Arc::new(emulator.table(&Wire::default()).await) as Arc<dyn Table> }).await;
}

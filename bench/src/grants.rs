//! Does a large store cost more per call, and how soon does it answer after a start?

use std::{
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use alter_adapter_local::{Durability as Local, SqliteTable, TableOptions};
use alter_api_types::GrantId;
use alter_domain::{
    model::Grant,
    port::{MAX_TRANSACT_OPS, Table},
    repo::Grants,
};
use futures_util::{StreamExt as _, TryStreamExt as _};
use tempfile::TempDir;

use crate::{
    Failure,
    args::Options,
    load::{Target, Until, closed, once},
    process::Server,
    quiet, report,
    stats::{Cell, median, median_cell},
    vault::{Access, Durability, Vault, data_directory},
};

/// The store to compare with.
const FEW: usize = 10_000;
const STARTS: usize = 5;

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let binary = options.vault.as_deref().ok_or("--vault is needed")?;
    let (_upstream, upstream) = Server::own(&["upstream"])?;
    let mut stores = Vec::new();
    for count in [FEW, options.grants] {
        stores.push(Store::new(binary, upstream, count, options.spread)?);
    }
    let mut cells: Vec<Vec<Cell>> = vec![Vec::new(); stores.len()];
    let running = stores.iter().map(|store| store.start(binary, upstream)).collect::<Result<Vec<_>, _>>()?;
    for (_, target) in &running {
        // What never changes is remembered after the first use; twice, since turns are taken by chance.
        closed(target, 1, Until::Calls(2 * options.spread as u64))?;
    }
    for round in 1..=options.rounds {
        for (((vault, target), cells), store) in running.iter().zip(&mut cells).zip(&stores) {
            quiet::settle(vault.server.id())?;
            let cell = closed(target, 1, Until::Elapsed(options.window))?;
            eprintln!(
                "round {round}/{}, {} grants: {:.0} / {:.0} µs",
                options.rounds, store.count, cell.p50, cell.p99
            );
            cells.push(cell);
        }
    }
    let memory: Vec<u64> =
        running.iter().map(|(vault, _)| vault.server.memory()).collect::<Result<_, _>>()?;
    drop(running);
    print!(
        "{}\n| grants | p50 / p99 µs at 1 | start to first answered call, ms | memory, MB |\n|---|---|---|---|\n",
        report::machine()
    );
    for ((store, cells), memory) in stores.iter().zip(&cells).zip(&memory) {
        let cell = median_cell(cells);
        let first =
            median((0..STARTS).map(|_| store.first_answer(binary, upstream)).collect::<Result<Vec<_>, _>>()?);
        println!(
            "| {} | {:.0} / {:.0} | {first:.1} | {} |",
            store.count,
            cell.p50,
            cell.p99,
            memory / 1_000_000
        );
    }
    if let [few, many] = cells.as_slice() {
        let ratio = median(few.iter().zip(many).map(|(few, many)| many.p50 / few.p50));
        println!(
            "\np50 of the larger store ÷ that of the smaller: {ratio:.2} (target: at most 1.20; first call: 25 ms)"
        );
    }
    Ok(())
}

struct Store {
    count: usize,
    data: TempDir,
    access: Access,
}

impl Store {
    /// Sets a vault up as an operator would, stops it, and copies its one grant into the table many times.
    fn new(binary: &Path, upstream: SocketAddr, count: usize, spread: usize) -> Result<Self, Failure> {
        eprintln!("making a store of {count} grants");
        let data = data_directory()?;
        let mut access =
            Vault::start(binary, data.path(), Durability::Process)?.set_up(data.path(), upstream)?;
        let grants = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(multiply(data.path(), &access, count))?;
        let step = (grants.len() / spread.max(1)).max(1);
        access.grants = grants.iter().step_by(step).map(GrantId::to_string).collect();
        Ok(Self { count, data, access })
    }

    fn start(&self, binary: &Path, upstream: SocketAddr) -> Result<(Vault, Target), Failure> {
        let vault = Vault::start(binary, self.data.path(), Durability::Process)?;
        let target = vault.target(&self.access, upstream)?;
        Ok((vault, target))
    }

    /// From starting the process to the answer of its first call, in milliseconds.
    fn first_answer(&self, binary: &Path, upstream: SocketAddr) -> Result<f64, Failure> {
        let work = self.access.work(upstream)?;
        let begun = Instant::now();
        let vault = Vault::start(binary, self.data.path(), Durability::Process)?;
        let target = Target { address: vault.address, work };
        let first = once(&target)?.0;
        let took: Duration = begun.elapsed();
        if first != 200 {
            return Err(format!("the first call was answered {first}").into());
        }
        eprintln!("listening after {:.1} ms, answered after {:.1} ms", ms(vault.started_in), ms(took));
        Ok(ms(took))
    }
}

/// Writes grants until there are `count` and returns the ids of the new ones.
async fn multiply(data: &Path, access: &Access, count: usize) -> Result<Vec<GrantId>, Failure> {
    let options = TableOptions { durability: Local::Process, ..TableOptions::default() };
    let table = Arc::new(SqliteTable::open(data, options)?);
    let first = access.grants.first().ok_or("no grant")?.parse().map_err(|_| "no grant id")?;
    let model: Grant = Grants(table.as_ref()).get(access.app, first).await?.value;
    let created = u64::try_from(model.created_at.as_millisecond())?;
    let ids: Vec<GrantId> = (1..count as u64).map(|number| later(created, number)).collect();
    // Several batches under way at once, so that the writer commits them in groups.
    futures_util::stream::iter(ids.chunks(MAX_TRANSACT_OPS))
        .map(|ids| {
            let (table, model) = (Arc::clone(&table), &model);
            async move {
                let mut ops = Vec::with_capacity(ids.len());
                for id in ids {
                    ops.extend(Grants::create_ops(&Grant { id: *id, ..model.clone() })?);
                }
                table.transact(ops).await?;
                Ok::<_, Failure>(())
            }
        })
        .buffer_unordered(64)
        .try_collect::<()>()
        .await?;
    Ok(ids)
}

/// A UUIDv7 for the `number`th grant, one each millisecond: as they would be spread in a store that grew.
fn later(created: u64, number: u64) -> GrantId {
    let mut random = [0; 10];
    if let Some(tail) = random.get_mut(2..) {
        tail.copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    }
    GrantId::from(
        uuid::Builder::from_unix_timestamp_millis(created.saturating_add(number), &random).into_uuid(),
    )
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

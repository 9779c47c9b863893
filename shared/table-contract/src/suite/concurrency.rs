//! Many callers at once.

use std::sync::Arc;

use alter_domain::port::{Expect, Item, Op, StoreError, Table, TableName};
use tokio::{sync::Barrier, task::JoinSet};

use super::{item, key};

const CALLERS: usize = 100;
const NAME: TableName = TableName::Main;

/// Runs a call of each caller at the same moment and returns what each got.
async fn race<F, R>(table: &Arc<dyn Table>, call: impl Fn(Arc<dyn Table>, usize) -> F) -> Vec<R>
where
    F: Future<Output = R> + Send + 'static,
    R: Send + 'static,
{
    let start = Arc::new(Barrier::new(CALLERS));
    let mut calls = JoinSet::new();
    for caller in 0..CALLERS {
        let (start, call) = (Arc::clone(&start), call(Arc::clone(table), caller));
        calls.spawn(async move {
            start.wait().await;
            call.await
        });
    }
    calls.join_all().await
}

/// One success; the others lost a precondition, or were told to try again.
fn assert_one_winner<T: std::fmt::Debug>(results: &[Result<T, StoreError>]) {
    let won = results.iter().filter(|result| result.is_ok()).count();
    assert_eq!(won, 1, "winners");
    for result in results {
        assert!(matches!(result, Ok(_) | Err(StoreError::Conflict | StoreError::Throttled)), "{result:?}");
    }
}

pub async fn one_of_many_creators_wins(table: &Arc<dyn Table>) {
    let results = race(table, |table, caller| async move {
        let own = Item::new(key("creators", 1), caller.to_string());
        table.put(NAME, own, Expect::Absent).await.map(|version| (version, caller))
    })
    .await;
    assert_one_winner(&results);
    let (version, winner) = results.into_iter().find_map(Result::ok).unwrap();
    let found = table.get(NAME, &key("creators", 1)).await.unwrap().unwrap();
    assert_eq!((found.version, found.body), (version, winner.to_string().into()));
}

pub async fn one_of_many_writers_of_a_version_wins(table: &Arc<dyn Table>) {
    table.put(NAME, item("writers", 1), Expect::Any).await.unwrap();
    for version in 1..=3 {
        let results = race(table, |table, _| async move {
            table.put(NAME, item("writers", 1), Expect::Version(version)).await
        })
        .await;
        assert_one_winner(&results);
    }
    assert_eq!(table.get(NAME, &key("writers", 1)).await.unwrap().unwrap().version, 4);
}

pub async fn concurrent_additions_all_count(table: &Arc<dyn Table>) {
    let results = race(table, |table, _| async move {
        loop {
            match table.add(NAME, &key("additions", 1), 1, 0, None).await {
                Err(StoreError::Throttled) => {}
                other => return other,
            }
        }
    })
    .await;
    let mut seen: Vec<i64> = results.into_iter().map(Result::unwrap).collect();
    seen.sort_unstable();
    assert_eq!(seen, (1..=CALLERS as i64).collect::<Vec<_>>(), "each addition is seen by exactly one caller");
}

pub async fn one_of_many_transactions_wins(table: &Arc<dyn Table>) {
    table.put(NAME, item("transactions", "shared"), Expect::Any).await.unwrap();
    let results = race(table, |table, caller| async move {
        let shared =
            Op::Put { table: NAME, item: item("transactions", "shared"), expect: Expect::Version(1) };
        let own = Op::Put { table: NAME, item: item("transactions", caller), expect: Expect::Absent };
        // The contended operation first for some and last for others.
        let ops = if caller % 2 == 0 { vec![shared, own] } else { vec![own, shared] };
        table.transact(ops).await.map(|()| caller)
    })
    .await;
    assert_one_winner(&results);
    let winner = results.into_iter().find_map(Result::ok).unwrap();
    for caller in 0..CALLERS {
        let written = table.get(NAME, &key("transactions", caller)).await.unwrap().is_some();
        assert_eq!(written, caller == winner, "caller {caller}, winner {winner}");
    }
}

pub async fn retried_updates_are_never_lost(table: &Arc<dyn Table>) {
    table.put(NAME, Item::new(key("retried", 1), "0"), Expect::Any).await.unwrap();
    let results = race(table, |table, _| async move {
        loop {
            let found = table.get(NAME, &key("retried", 1)).await.unwrap().unwrap();
            let count: usize = std::str::from_utf8(&found.body).unwrap().parse().unwrap();
            let next = Item::new(found.key, (count + 1).to_string());
            match table.put(NAME, next, Expect::Version(found.version)).await {
                Err(StoreError::Conflict | StoreError::Throttled) => tokio::task::yield_now().await,
                other => return other,
            }
        }
    })
    .await;
    assert!(results.iter().all(Result::is_ok));
    let found = table.get(NAME, &key("retried", 1)).await.unwrap().unwrap();
    assert_eq!((found.version, found.body), (CALLERS as u64 + 1, CALLERS.to_string().into()));
}

/// Each transaction writes its number to both items; nobody who reads both at once sees two numbers.
pub async fn transactions_are_never_seen_half_done(table: &Arc<dyn Table>) {
    let both = |number: usize| -> Vec<Op> {
        let put = |sort| Item::new(key("half", sort), number.to_string());
        let main = Op::Put { table: NAME, item: put("main"), expect: Expect::Any };
        let vault = Op::Put { table: TableName::Vault, item: put("vault"), expect: Expect::Any };
        vec![main, vault]
    };
    table.transact(both(0)).await.unwrap();
    let torn: Vec<bool> = race(table, |table, caller| async move {
        if caller % 2 == 0 {
            // Losing to another transaction is fine here.
            table.transact(both(caller)).await.ok();
            return false;
        }
        // Two batch reads in a row: DynamoDB's is not a snapshot, its versions tell.
        let keys = [(NAME, key("half", "main")), (TableName::Vault, key("half", "vault"))];
        let first = table.get_many(&keys).await.unwrap();
        let second = table.get_many(&keys).await.unwrap();
        let bodies = |items: &[Option<Item>]| -> Vec<_> {
            items.iter().flatten().map(|item| item.body.clone()).collect()
        };
        let (first, second) = (bodies(&first), bodies(&second));
        first == second && first[0] != first[1]
    })
    .await;
    assert!(!torn.contains(&true), "a reader saw half of a transaction");
}

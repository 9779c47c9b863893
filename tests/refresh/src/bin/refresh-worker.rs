//! One process of the torture: a vault's refresh, over the table of the process that started it, which kills it when it likes.
//!
//! Arguments: the table's socket, the key file, the provider's address. Each line of its input is a number of callers; each
//! line of its output says what became of them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test code: what does not hold is a panic")]

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use alter_adapter_http::{ClientOptions, GuardedClient};
use alter_domain::{
    flow::Fresh,
    port::{HttpClient, Rng as _, SystemClock, SystemRng},
};
use alter_refresh_tests::{Keys, RemoteTable, Round, TORTURE, World, definition, rotating_with_grace};
use axum::body::Body;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    task::JoinSet,
    time::{Instant, sleep},
};

/// Callers that begin at the same moment, from the same read.
const GROUP: usize = 25;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().expect("socket, key file, address");
    let (socket, key_file, address) = (PathBuf::from(next()), PathBuf::from(next()), next());
    let table = Arc::new(RemoteTable::connect(&socket).await.expect("the table's process"));
    let keys = Keys::of_file(&key_file, Arc::new(SystemClock));
    let options = ClientOptions { allow_loopback_http: true, ..ClientOptions::default() };
    let http: Arc<dyn HttpClient> = Arc::new(GuardedClient::new(options).expect("a client"));
    let provider = definition(&address, &rotating_with_grace());
    let world =
        World::new(table, keys, Arc::new(SystemClock), Arc::clone(&http), provider).with_timing(TORTURE);
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut output = tokio::io::stdout();
    output.write_all(b"ready\n").await.unwrap();
    output.flush().await.unwrap();
    while let Some(line) = lines.next_line().await.unwrap() {
        let round = play(&world, &http, &address, line.trim().parse().expect("a number")).await;
        let mut line = serde_json::to_vec(&round).unwrap();
        line.push(b'\n');
        output.write_all(&line).await.unwrap();
        output.flush().await.unwrap();
    }
}

async fn play(world: &World, http: &Arc<dyn HttpClient>, address: &str, callers: usize) -> Round {
    let mut groups = JoinSet::new();
    for _ in 0..callers / GROUP {
        let world = world.clone();
        groups.spawn(async move {
            sleep(Duration::from_millis(random() % 20)).await;
            let (connection, tokens) = world.stored().await;
            let mut callers = JoinSet::new();
            for _ in 0..GROUP {
                let (world, connection, tokens) =
                    (world.clone(), Arc::clone(&connection), Arc::clone(&tokens));
                let deadline = Instant::now() + Duration::from_secs(25);
                callers.spawn(async move { world.call_with(connection, tokens, deadline).await });
            }
            callers.join_all().await
        });
    }
    let mut round = Round::default();
    let mut got: BTreeMap<u64, Fresh> = BTreeMap::new();
    for result in groups.join_all().await.into_iter().flatten() {
        match result {
            Ok(fresh) => {
                round.served += 1;
                got.entry(fresh.0.seal_version).or_insert(fresh);
            }
            Err(error) => round.failures.push(format!("{error:?}")),
        }
    }
    for fresh in got.values() {
        let access = world.keys.access_token(fresh).await;
        let mut request = http::Request::new(Body::empty());
        *request.uri_mut() = format!("{address}/api").parse().unwrap();
        let value = format!("Bearer {access}").parse().unwrap();
        request.headers_mut().insert("authorization", value);
        match http.send(request).await {
            Ok(response) if response.status() == 200 => {}
            other => round.failures.push(format!("the call with {access}: {other:?}")),
        }
    }
    round.versions = got.into_keys().collect();
    round
}

fn random() -> u64 {
    let mut bytes = [0; 8];
    SystemRng::new().fill(&mut bytes).unwrap();
    u64::from_le_bytes(bytes)
}

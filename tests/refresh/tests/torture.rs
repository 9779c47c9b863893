//! Torture: a thousand callers over four processes on one connection whose access token has expired, a hundred times, while
//! processes are killed at random moments. At the provider each time is one rotation; every caller of a process that lives is
//! served; no token is lost.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: what does not hold is a panic"
)]

use std::{
    path::PathBuf,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use alter_domain::{
    model::ConnectionState,
    port::{Rng as _, SeededRng, SystemClock},
};
use alter_refresh_tests::{
    AuthServer, FarSide, Keys, Round, World, definition, refresh_token, reply, rotating_with_grace,
    serve_table,
};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Response},
    routing::{get, post},
};
use jiff::SignedDuration;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::{TcpListener, UnixListener},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::{sleep, timeout},
};

const ROUNDS: u64 = 100;
const PROCESSES: usize = 4;
const CALLERS: usize = 250;
/// No process that lives takes longer over a round.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_callers_over_four_processes_that_are_killed() {
    let begun = Instant::now();
    let site = Site::build().await;
    let dice = Dice(SeededRng::new(20_260_101));
    let mut workers = Vec::new();
    for _ in 0..PROCESSES {
        workers.push(Worker::start(&site).await);
    }
    let (mut killed, mut served) = (0, 0);
    for round in 1..=ROUNDS {
        site.rested().await;
        site.world.expire().await;
        // At least one process lives.
        let victims = [0, 1, 1, 2, 2, 3][dice.below(6)];
        let first = dice.below(PROCESSES);
        let mut playing = Vec::new();
        for (place, worker) in workers.drain(..).enumerate() {
            let is_victim = (place + PROCESSES - first) % PROCESSES < victims;
            let dies_after = is_victim.then(|| Duration::from_millis(dice.below(70) as u64));
            playing.push(tokio::spawn(worker.play(dies_after)));
        }
        for played in playing {
            match played.await.unwrap() {
                Some((worker, result)) => {
                    assert_eq!(result.failures, Vec::<String>::new(), "round {round}");
                    assert_eq!(
                        (result.served, &result.versions[..]),
                        (CALLERS, &[round + 1][..]),
                        "round {round}"
                    );
                    served += result.served;
                    workers.push(worker);
                }
                None => killed += 1,
            }
        }
        site.quiet().await;
        let counts = site.server.counts();
        assert_eq!((counts.rotations, counts.reuses), (round, 0), "round {round}: {counts:?}");
        let fresh = site.world.stored().await;
        assert_eq!((&fresh.0.state, fresh.0.seal_version), (&ConnectionState::Active, round + 1));
        let access = site.world.keys.access_token(&fresh).await;
        assert!(site.server.accepts(&access), "round {round}: {access} is not the provider's newest");
        while workers.len() < PROCESSES {
            workers.push(Worker::start(&site).await);
        }
    }
    let counts = site.server.counts();
    println!(
        "{ROUNDS} rounds of {} callers: {served} served, {killed} processes killed, {} rotations in {} requests ({} \
         answers had to be had again), {:.0} s",
        PROCESSES * CALLERS,
        counts.rotations,
        counts.requests,
        counts.repeats,
        begun.elapsed().as_secs_f32()
    );
    assert!(killed > ROUNDS / 2 && counts.repeats > 0, "the kills have to hurt: {killed}, {counts:?}");
}

/// The provider and the store, which live through everything.
struct Site {
    server: Arc<AuthServer>,
    provider: Arc<Provider>,
    world: World,
    address: String,
    socket: PathBuf,
    key_file: PathBuf,
    _dir: TempDir,
}

struct Provider {
    server: Arc<AuthServer>,
    dice: Dice,
    under_way: AtomicU64,
}

impl Site {
    async fn build() -> Self {
        let dir = TempDir::new().unwrap();
        let server = Arc::new(AuthServer::rotating(Some(Duration::from_secs(30))));
        let provider = Arc::new(Provider {
            server: Arc::clone(&server),
            dice: Dice(SeededRng::new(7)),
            under_way: AtomicU64::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/token", post(token))
            .route("/api", get(api))
            .with_state(Arc::clone(&provider));
        tokio::spawn(async move { axum::serve(listener, router).await });

        let (table, socket, key_file) = (World::memory(), dir.path().join("table"), dir.path().join("key"));
        tokio::spawn(serve_table(Arc::clone(&table), UnixListener::bind(&socket).unwrap()));
        let keys = Keys::of_file(&key_file, Arc::new(SystemClock));
        // The process of the store calls nobody itself.
        let nobody = Arc::new(FarSide::new(AuthServer::steady()));
        let entry = definition(&address, &rotating_with_grace());
        let world = World::new(table, keys, Arc::new(SystemClock), nobody, entry);
        world.connect(SignedDuration::from_hours(1)).await;
        Self { server, provider, world, address, socket, key_file, _dir: dir }
    }

    /// Until the tokens may be exchanged again: after a holder's death they rest for a lease's time.
    async fn rested(&self) {
        while self.world.connection().await.value.lease.is_some_and(|lease| self.world.now() < lease.until) {
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Until no request of a dead process is under way any more.
    async fn quiet(&self) {
        while self.provider.under_way.load(Ordering::SeqCst) > 0 {
            sleep(Duration::from_millis(1)).await;
        }
    }
}

/// The token endpoint: it takes its time on both sides of what it does.
async fn token(State(provider): State<Arc<Provider>>, body: Bytes) -> Response<Body> {
    provider.under_way.fetch_add(1, Ordering::SeqCst);
    let _under_way = Under(&provider.under_way);
    sleep(Duration::from_millis(provider.dice.below(20) as u64)).await;
    let answer = provider.server.exchange(&refresh_token(&body));
    sleep(Duration::from_millis(provider.dice.below(20) as u64)).await;
    reply(&answer)
}

/// What the calls are made to.
async fn api(
    State(provider): State<Arc<Provider>>,
    headers: HeaderMap,
) -> Result<(), axum::http::StatusCode> {
    let token = headers.get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let accepted = token.is_some_and(|token| provider.server.accepts(token));
    if accepted { Ok(()) } else { Err(axum::http::StatusCode::UNAUTHORIZED) }
}

/// Counts down however a request ends: the server drops those of clients that are gone.
struct Under<'a>(&'a AtomicU64);

impl Drop for Under<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

struct Worker {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Worker {
    async fn start(site: &Site) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_refresh-worker"))
            .args([site.socket.as_os_str(), site.key_file.as_os_str(), site.address.as_ref()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the worker starts");
        let input = child.stdin.take().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = timeout(PATIENCE, output.next_line()).await.expect("a worker that is ready").unwrap();
        assert_eq!(line.as_deref(), Some("ready"));
        Self { child, input, output }
    }

    /// Has its callers call; kills it meanwhile, if so. `None`: it died before it had told.
    async fn play(mut self, dies_after: Option<Duration>) -> Option<(Self, Round)> {
        self.input.write_all(format!("{CALLERS}\n").as_bytes()).await.expect("a worker that lives");
        if let Some(after) = dies_after {
            sleep(after).await;
            self.child.kill().await.expect("a worker to kill");
            return None;
        }
        let line = timeout(PATIENCE, self.output.next_line()).await.expect("a round that ends").unwrap();
        let round = serde_json::from_str(&line.expect("a worker that lives")).unwrap();
        Some((self, round))
    }
}

struct Dice(SeededRng);

impl Dice {
    fn below(&self, n: usize) -> usize {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes).unwrap();
        usize::try_from(u64::from_le_bytes(bytes) % n as u64).unwrap()
    }
}

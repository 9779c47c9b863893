//! The load generator: kept connections, requests signed as they are sent, one runtime per core.
//!
//! *Closed* loop: each connection sends its next request when the answer to the last has been read; it shows what a
//! server can do. *Open* loop: requests start at fixed times whether or not earlier ones are answered, and waiting for a
//! free connection counts, as it does for real callers; it shows what callers feel at that rate.

use std::{
    cell::RefCell,
    net::SocketAddr,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    sync::{Mutex, mpsc},
    task::LocalSet,
};

use crate::{
    Failure,
    sign::{Nonces, Work},
    stats::{Cell, Latencies},
};

/// Whom to ask for what.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) work: Work,
}

/// Requests before the window whose latencies are not counted.
const WARM_UP: Duration = Duration::from_millis(300);

/// When to stop.
#[derive(Clone, Copy)]
pub(crate) enum Until {
    Elapsed(Duration),
    /// This many calls over all connections.
    Calls(u64),
}

/// Closed loop.
pub(crate) fn closed(target: &Target, connections: usize, until: Until) -> Result<Cell, Failure> {
    let threads = connections.min(cores());
    let warm = Instant::now() + WARM_UP;
    let plan = match until {
        Until::Elapsed(window) => {
            Plan { warm, end: Some(warm + window), calls: Arc::new(AtomicU64::new(u64::MAX)) }
        }
        Until::Calls(calls) => Plan { warm, end: None, calls: Arc::new(AtomicU64::new(calls)) },
    };
    let begun = Instant::now();
    let latencies = on_threads(threads, |number| {
        let mine = (connections + threads - 1 - number) / threads;
        let (target, plan) = (target.clone(), plan.clone());
        Box::new(move || Box::pin(async move { closed_connections(&target, mine, &plan).await }))
    })?;
    let seconds = match until {
        Until::Elapsed(window) => window.as_secs_f64(),
        Until::Calls(_) => begun.elapsed().as_secs_f64(),
    };
    cell(&latencies, seconds)
}

/// Open loop at `rate` requests per second.
pub(crate) fn open(
    target: &Target,
    connections: usize,
    rate: u64,
    window: Duration,
) -> Result<Cell, Failure> {
    let threads = connections.min(cores());
    let mut senders = Vec::new();
    let mut receivers = Vec::new();
    for _ in 0..threads {
        let (sender, receiver) = mpsc::unbounded_channel();
        senders.push(sender);
        receivers.push(receiver);
    }
    let dispatcher = thread::spawn(move || dispatch(&senders, rate, window));
    let mut receivers = receivers.into_iter();
    let latencies = on_threads(threads, |_| {
        let (target, receiver) = (target.clone(), receivers.next());
        Box::new(move || {
            Box::pin(async move { open_connections(&target, connections / threads, receiver).await })
        })
    })?;
    dispatcher.join().map_err(|_| "the dispatcher died")?;
    cell(&latencies, window.as_secs_f64())
}

/// One call, whose answer is returned.
pub(crate) fn once(target: &Target) -> Result<(u16, Bytes), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let mut connection = Connection::new(target).await?;
        let request = target.work.request(&mut connection.nonces)?;
        let response = connection.sender.send_request(request).await?;
        let status = response.status().as_u16();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    })
}

#[derive(Clone)]
struct Plan {
    warm: Instant,
    end: Option<Instant>,
    /// Calls that may still be begun.
    calls: Arc<AtomicU64>,
}

impl Plan {
    fn goes_on(&self, now: Instant) -> bool {
        match self.end {
            Some(end) => now < end,
            None => self
                .calls
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                .is_ok(),
        }
    }
}

async fn closed_connections(target: &Target, count: usize, plan: &Plan) -> Result<Latencies, Failure> {
    let latencies = Rc::new(RefCell::new(Latencies::new()?));
    let mut tasks = Vec::new();
    for _ in 0..count {
        let mut connection = Connection::new(target).await?;
        let (latencies, plan) = (Rc::clone(&latencies), plan.clone());
        tasks.push(tokio::task::spawn_local(async move {
            while plan.goes_on(Instant::now()) {
                let (begun, took) = connection.call(None).await?;
                if plan.end.is_none() || begun >= plan.warm {
                    latencies.borrow_mut().record(took);
                }
            }
            Ok::<_, Failure>(())
        }));
    }
    finish(tasks, latencies).await
}

async fn open_connections(
    target: &Target,
    count: usize,
    receiver: Option<mpsc::UnboundedReceiver<Instant>>,
) -> Result<Latencies, Failure> {
    let latencies = Rc::new(RefCell::new(Latencies::new()?));
    let starts = Rc::new(Mutex::new(receiver.ok_or("no dispatcher")?));
    let mut tasks = Vec::new();
    for _ in 0..count {
        let mut connection = Connection::new(target).await?;
        let (latencies, starts) = (Rc::clone(&latencies), Rc::clone(&starts));
        tasks.push(tokio::task::spawn_local(async move {
            loop {
                let Some(start) = starts.lock().await.recv().await else { return Ok::<_, Failure>(()) };
                let (_, took) = connection.call(Some(start)).await?;
                latencies.borrow_mut().record(took);
            }
        }));
    }
    finish(tasks, latencies).await
}

async fn finish(
    tasks: Vec<tokio::task::JoinHandle<Result<(), Failure>>>,
    latencies: Rc<RefCell<Latencies>>,
) -> Result<Latencies, Failure> {
    for task in tasks {
        task.await??;
    }
    Ok(Rc::into_inner(latencies).ok_or("a connection is still at work")?.into_inner())
}

/// Tells when to start, in turn over the threads. What counts as the start is when it is told, so that a late wake-up of
/// this thread is not charged to the server.
fn dispatch(senders: &[mpsc::UnboundedSender<Instant>], rate: u64, window: Duration) {
    // Connections are opened first.
    thread::sleep(WARM_UP);
    let begun = Instant::now();
    let interval = Duration::from_secs(1) / u32::try_from(rate.max(1)).unwrap_or(u32::MAX);
    let mut due = begun;
    for sender in senders.iter().cycle() {
        if due.duration_since(begun) >= window {
            break;
        }
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if sender.send(Instant::now()).is_err() {
            break;
        }
        due += interval;
    }
}

struct Connection {
    sender: SendRequest<Full<Bytes>>,
    work: Work,
    nonces: Nonces,
}

impl Connection {
    async fn new(target: &Target) -> Result<Self, Failure> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let stream = TcpStream::connect(target.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::task::spawn_local(connection);
        // The clock, so that a second run against the same vault does not repeat the first one's.
        let started = alter_domain::port::Clock::now(&alter_domain::port::SystemClock).as_microsecond();
        let first = u64::try_from(started)?.wrapping_shl(12) | COUNT.fetch_add(1, Ordering::Relaxed) & 0xfff;
        Ok(Self { sender, work: target.work.clone(), nonces: Nonces::new(first) })
    }

    /// One call: when it was begun and how long it took, from `start` if that is given. Signing comes before the clock.
    async fn call(&mut self, start: Option<Instant>) -> Result<(Instant, Duration), Failure> {
        let request = self.work.request(&mut self.nonces)?;
        self.sender.ready().await?;
        let begun = Instant::now();
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        let mut body = response.into_body();
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            length += frame?.data_ref().map_or(0, Bytes::len);
        }
        let took = start.unwrap_or(begun).elapsed();
        if !status.is_success() || length == 0 {
            return Err(format!("a call under load was answered {status} with {length} bytes").into());
        }
        Ok((begun, took))
    }
}

type Job = Box<dyn FnOnce() -> std::pin::Pin<Box<dyn Future<Output = Result<Latencies, Failure>>>> + Send>;

/// Runs a job per thread, each on a runtime of its own, and adds up what they measured.
fn on_threads(threads: usize, mut job: impl FnMut(usize) -> Job) -> Result<Latencies, Failure> {
    let running: Vec<_> = (0..threads)
        .map(|number| {
            let job = job(number);
            thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                LocalSet::new().block_on(&runtime, job())
            })
        })
        .collect();
    let mut all = Latencies::new()?;
    for thread in running {
        all.add(&thread.join().map_err(|_| "a load thread died")??)?;
    }
    Ok(all)
}

#[allow(clippy::cast_precision_loss, reason = "counts of a few seconds fit")]
fn cell(latencies: &Latencies, seconds: f64) -> Result<Cell, Failure> {
    if latencies.count() == 0 {
        return Err("no call was answered within the window".into());
    }
    Ok(Cell {
        p50: latencies.micros(0.5),
        p99: latencies.micros(0.99),
        rate: latencies.count() as f64 / seconds,
    })
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

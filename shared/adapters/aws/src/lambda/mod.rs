//! A function as Lambda runs it: started from its environment, fed by the Runtime API, observed.
//!
//! A main builds its router from the adapters that its state needs and hands it to [`serve`] or [`stream`]; the
//! audit-writer hands its table to [`consume`], the worker what it does to [`work`]. Everything else is here, once: the log, the requests of API Gateway and the
//! answers to it, one line and one metric for each invocation, forgetting data keys whose time is over.
//!
//! A process serves one invocation at a time and is frozen in between. So nothing is left to run after an answer: what would
//! be a task of its own elsewhere happens at the start of the next invocation, and a refresh that outlives the call that
//! started it is waited for before the process asks for the next.

mod answer;
mod event;
mod front;
mod log;
mod queue;
mod runtime_api;
mod target;
mod trace;
mod worker;

use std::{process::ExitCode, sync::Arc, time::Duration};

use alter_domain::{port::Table, web};
use axum::{Router, extract::Request, response::Response};
use tower::Service as _;

use crate::Account;
pub use queue::{BatchAnswer, Writer};
use runtime_api::{Invocation, Reply, RuntimeApi};
pub use worker::Worker;

/// Why a function does not start.
pub type StartError = Box<dyn std::error::Error + Send + Sync>;

/// How long the final row of a call whose answer broke off may take.
const UNFINISHED: Duration = Duration::from_secs(5);

/// Serves routes whose answers are held in memory: at most 6 MB, what Lambda passes on in one piece.
pub fn serve(function: &'static str, build: impl FnOnce(&Account) -> Result<Router, StartError>) -> ExitCode {
    run(function, |account| Routes::new(account, build(account)?, event::Mode::Buffered))
}

/// Serves routes whose answers are passed on as they come: for an integration whose response transfer mode is `STREAM`.
pub fn stream(
    function: &'static str,
    build: impl FnOnce(&Account) -> Result<Router, StartError>,
) -> ExitCode {
    run(function, |account| Routes::new(account, build(account)?, event::Mode::Streamed))
}

/// Writes the records that a queue delivers into the audit table.
pub fn consume<W: Writer>(function: &'static str, build: impl FnOnce(Arc<dyn Table>) -> W) -> ExitCode {
    run(function, |account| Ok(queue::Queue::new(build(account.table()?))))
}

/// Does the work that a queue signals and that is due by the clock.
pub fn work<W: Worker>(
    function: &'static str,
    build: impl FnOnce(&Account) -> Result<W, StartError>,
) -> ExitCode {
    run(function, |account| Ok(worker::Works::new(build(account)?)))
}

/// What is done with an invocation.
trait Handler {
    async fn handle(&mut self, invocation: &Invocation) -> Handled;
}

/// The answer to an invocation.
struct Handled {
    reply: Reply,
    /// HTTP status; what is no request has the one that it would have had.
    status: u16,
    /// The answer's `X-Request-ID`.
    request_id: Option<String>,
}

fn run<H: Handler>(
    function: &'static str,
    build: impl FnOnce(&Account) -> Result<H, StartError>,
) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return log::fatal("cannot start a runtime", &error),
    };
    match runtime.block_on(invocations(function, build)) {
        Ok(never) => match never {},
        Err(error) => log::fatal("the function stops", error.as_ref()),
    }
}

async fn invocations<H: Handler>(
    function: &'static str,
    build: impl FnOnce(&Account) -> Result<H, StartError>,
) -> Result<std::convert::Infallible, StartError> {
    let mut api = RuntimeApi::from_env()?;
    let started = Account::from_env().map_err(StartError::from).and_then(|account| {
        log::start(account.optional("ALTER_LOG_LEVEL").as_deref())?;
        let handler = build(&account)?;
        Ok((account, handler))
    });
    let (account, mut handler) = match started {
        Ok(started) => started,
        Err(error) => {
            api.cannot_start(&error.to_string()).await?;
            return Err(error);
        }
    };
    let stopwatch = account.stopwatch();
    loop {
        let invocation = api.next().await?;
        stopwatch.start();
        account.evict_expired();
        let handled = handler.handle(&invocation).await;
        let answered = api.answer(&invocation.request_id, handled.reply).await;
        if answered.is_err() {
            // The answer broke off: its record is written by a task of its own, which must not be frozen half-way.
            tokio::time::timeout(UNFINISHED, stopwatch.settled()).await.ok();
        }
        // The caller has its answer; a refresh that goes on must not be frozen between the provider's answer and the store.
        account.settled().await;
        let lap = stopwatch.read_out();
        log::line(&log::Ended {
            function,
            invocation: &invocation,
            status: handled.status,
            lap: &lap,
            request_id: handled.request_id.as_deref(),
        });
        trace::send(account.xray_daemon(), function, &invocation, &lap);
        answered?;
    }
}

/// A router as a handler.
struct Routes {
    router: Router,
    mode: event::Mode,
    front: Option<front::Front>,
}

impl Routes {
    fn new(account: &Account, routes: Router, mode: event::Mode) -> Result<Self, StartError> {
        let front = account.optional("ALTER_EDGE_SECRET").map(front::Front::new);
        Ok(Self { router: web::edge(routes, account.ports()?), mode, front })
    }

    async fn call(&mut self, request: Request) -> Response {
        self.router.call(request).await.unwrap_or_else(|never| match never {})
    }
}

impl Handler for Routes {
    async fn handle(&mut self, invocation: &Invocation) -> Handled {
        let (request, form) = match event::request(&invocation.body, self.front.as_ref()) {
            Ok(read) => read,
            Err(error) => {
                tracing::error!(%error, "the event is not a request of API Gateway");
                return Handled {
                    reply: Reply::Failed("the event is not a request".to_owned()),
                    status: 500,
                    request_id: None,
                };
            }
        };
        let response = self.call(request).await;
        let request_id =
            response.headers().get("x-request-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
        let status = response.status().as_u16();
        let reply = match self.mode {
            event::Mode::Buffered => answer::buffered(response, form).await,
            event::Mode::Streamed => answer::streamed(response),
        };
        Handled { reply, status, request_id }
    }
}

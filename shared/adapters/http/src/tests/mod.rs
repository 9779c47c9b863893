//! The client against scripted upstreams on loopback: raw TCP, so that an upstream can misbehave as it likes.

mod guard;
mod tls;
mod upstream;
mod wire;

use std::{
    collections::VecDeque,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use alter_domain::port::{HttpClient as _, SendError};
use async_trait::async_trait;
use axum::body::Body;
use http::{Request, Response};
use tokio::net::TcpStream;

use crate::{ClientOptions, GuardedClient, Resolve, connect::Connector, connect::Dial};

/// An address that `is_public` accepts; nothing is ever sent to it.
const PUBLIC: &str = "93.184.215.14";

/// A name server with a script: one answer for each question, the last one for ever.
struct Names {
    answers: Mutex<VecDeque<Vec<IpAddr>>>,
    asked: Mutex<Vec<String>>,
}

impl Names {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parsed = |answer: &&[&str]| answer.iter().map(|ip| ip.parse().unwrap()).collect();
        Arc::new(Self { answers: Mutex::new(answers.iter().map(parsed).collect()), asked: Mutex::default() })
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

#[async_trait]
impl Resolve for Names {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.lock().unwrap().push(host.to_owned());
        let mut answers = self.answers.lock().unwrap();
        let next = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        next.ok_or_else(|| io::Error::other("no such name"))
    }
}

/// Connects to one local upstream whatever address is dialled, and notes that address. Addresses in `silent` never
/// answer.
struct Bridge {
    to: SocketAddr,
    silent: Vec<IpAddr>,
    dialled: Mutex<Vec<SocketAddr>>,
}

impl Bridge {
    fn to(to: SocketAddr) -> Arc<Self> {
        Self::with_silent(to, &[])
    }

    fn with_silent(to: SocketAddr, silent: &[&str]) -> Arc<Self> {
        let silent = silent.iter().map(|ip| ip.parse().unwrap()).collect();
        Arc::new(Self { to, silent, dialled: Mutex::default() })
    }

    fn dialled(&self) -> Vec<String> {
        self.dialled.lock().unwrap().iter().map(ToString::to_string).collect()
    }
}

#[async_trait]
impl Dial for Bridge {
    async fn dial(&self, address: SocketAddr) -> io::Result<TcpStream> {
        self.dialled.lock().unwrap().push(address);
        if self.silent.contains(&address.ip()) {
            std::future::pending::<()>().await;
        }
        TcpStream::connect(self.to).await
    }
}

/// As in local mode: plain http to loopback.
fn local() -> GuardedClient {
    GuardedClient::new(ClientOptions { allow_loopback_http: true, ..ClientOptions::default() }).unwrap()
}

/// With a scripted name server, over a bridge.
fn bridged(options: ClientOptions, bridge: &Arc<Bridge>) -> GuardedClient {
    let idle = options.pool_max_idle_per_host;
    GuardedClient::with_connector(Connector::with_dial(options, bridge.clone()).unwrap(), idle)
}

fn request(url: &str) -> Request<Body> {
    Request::get(url).body(Body::empty()).unwrap()
}

async fn get(client: &GuardedClient, url: &str) -> Result<Response<Body>, SendError> {
    // No test hangs: what should have been refused would otherwise wait for the real network.
    tokio::time::timeout(Duration::from_secs(20), client.send(request(url))).await.unwrap()
}

async fn text(response: Response<Body>) -> Result<String, axum::Error> {
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await?;
    Ok(String::from_utf8(bytes.to_vec()).unwrap())
}

fn is_blocked(result: &Result<Response<Body>, SendError>) -> bool {
    matches!(result, Err(SendError::Blocked(_)))
}

fn is_connect(result: &Result<Response<Body>, SendError>) -> bool {
    matches!(result, Err(SendError::Connect(_)))
}

fn is_broken(result: &Result<Response<Body>, SendError>) -> bool {
    matches!(result, Err(SendError::Broken(_)))
}

//! Opening a connection to a checked address.

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use alter_domain::egress::{EgressRules, is_loopback, is_public};
use async_trait::async_trait;
use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};
use tokio_rustls::rustls::pki_types::ServerName;

use crate::{
    ClientOptions,
    resolve::Resolve,
    stream::Stream,
    tls::{LazyTls, RootsError},
};

/// Why there is no connection. Nothing of the request was sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("{0}")]
    Blocked(&'static str),
    #[error("{0}")]
    Failed(String),
    #[error("timed out")]
    TimedOut,
}

/// Opens a TCP connection; a seam for tests, which cannot listen on public addresses.
#[async_trait]
pub(crate) trait Dial: Send + Sync {
    async fn dial(&self, address: SocketAddr) -> io::Result<TcpStream>;
}

/// What hyper asks for a connection. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Connector(Arc<Inner>);

impl Connector {
    pub(crate) fn new(options: ClientOptions) -> Result<Self, RootsError> {
        Self::with_dial(options, Arc::new(TcpDial))
    }

    pub(crate) fn with_dial(options: ClientOptions, dial: Arc<dyn Dial>) -> Result<Self, RootsError> {
        Ok(Self(Arc::new(Inner {
            rules: EgressRules { allow_loopback_http: options.allow_loopback_http },
            connect_timeout: options.connect_timeout,
            tls: LazyTls::new(options.extra_roots.as_deref())?,
            resolver: options.resolver,
            dial,
        })))
    }
}

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<TokioIo<Stream>, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let inner = self.0.clone();
        Box::pin(async move {
            let deadline = Instant::now() + inner.connect_timeout;
            match timeout_at(deadline, inner.connect(&uri, deadline)).await {
                Ok(connected) => connected.map(TokioIo::new),
                Err(_) => Err(ConnectError::TimedOut),
            }
        })
    }
}

struct Inner {
    rules: EgressRules,
    connect_timeout: Duration,
    tls: LazyTls,
    resolver: Arc<dyn Resolve>,
    dial: Arc<dyn Dial>,
}

impl Inner {
    async fn connect(&self, uri: &Uri, deadline: Instant) -> Result<Stream, ConnectError> {
        let destination = Destination::of(uri, self.rules)?;
        let addresses = self.addresses(&destination).await?;
        let tcp = self.dial_any(&addresses, destination.port, deadline).await?;
        if !destination.tls {
            return Ok(Stream::Plain(tcp));
        }
        let name = ServerName::try_from(destination.host.to_owned())
            .map_err(|_| ConnectError::Failed("host name is not valid for TLS".to_owned()))?;
        let tls = self.tls.connector().map_err(|error| ConnectError::Failed(error.to_string()))?;
        let stream =
            tls.connect(name, tcp).await.map_err(|error| ConnectError::Failed(format!("TLS: {error}")))?;
        Ok(Stream::Tls(Box::new(stream)))
    }

    /// All addresses of the destination, every one of them checked. One that may not be dialled refuses the name as a
    /// whole: a provider has no private addresses, an attacker's name server mixes them in.
    async fn addresses(&self, destination: &Destination<'_>) -> Result<Vec<IpAddr>, ConnectError> {
        let addresses = match destination.literal {
            Some(ip) => vec![ip],
            None => self
                .resolver
                .resolve(destination.host)
                .await
                .map_err(|error| ConnectError::Failed(format!("cannot resolve the name: {error}")))?,
        };
        if addresses.is_empty() {
            return Err(ConnectError::Failed("the name has no address".to_owned()));
        }
        let permitted = |ip: &IpAddr| if destination.loopback { is_loopback(*ip) } else { is_public(*ip) };
        if addresses.iter().all(permitted) {
            Ok(addresses)
        } else {
            Err(ConnectError::Blocked("the host has an address that is not public"))
        }
    }

    /// Tries the addresses in order; each gets its share of the time that is left, so that one that swallows packets
    /// does not use up the others' turn.
    async fn dial_any(
        &self,
        addresses: &[IpAddr],
        port: u16,
        deadline: Instant,
    ) -> Result<TcpStream, ConnectError> {
        let mut last = ConnectError::TimedOut;
        for (tried, ip) in addresses.iter().enumerate() {
            let left = deadline.saturating_duration_since(Instant::now());
            let share = left / u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
            match timeout(share, self.dial.dial(SocketAddr::new(*ip, port))).await {
                Ok(Ok(stream)) => {
                    // A request is one write; waiting for its acknowledgement would delay the next (Nagle).
                    stream.set_nodelay(true).map_err(|error| ConnectError::Failed(error.to_string()))?;
                    return Ok(stream);
                }
                Ok(Err(error)) => last = ConnectError::Failed(error.to_string()),
                Err(_) => last = ConnectError::TimedOut,
            }
        }
        Err(last)
    }
}

/// A URI taken apart, and its scheme and host checked again although the caller has: what connects is what guards.
struct Destination<'a> {
    /// Without the brackets of an IPv6 literal.
    host: &'a str,
    literal: Option<IpAddr>,
    port: u16,
    tls: bool,
    /// The host is loopback by its own name, and the rules permit it.
    loopback: bool,
}

impl<'a> Destination<'a> {
    fn of(uri: &'a Uri, rules: EgressRules) -> Result<Self, ConnectError> {
        let host = uri.host().ok_or(ConnectError::Blocked("the URL has no host"))?;
        let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        let literal: Option<IpAddr> = host.parse().ok();
        let names_loopback = literal.map_or(host.eq_ignore_ascii_case("localhost"), is_loopback);
        let loopback = rules.allow_loopback_http && names_loopback;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if loopback => false,
            _ => return Err(ConnectError::Blocked("the scheme is not https")),
        };
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Self { host, literal, port, tls, loopback })
    }
}

struct TcpDial;

#[async_trait]
impl Dial for TcpDial {
    async fn dial(&self, address: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(address).await
    }
}

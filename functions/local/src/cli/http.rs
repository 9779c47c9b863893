//! HTTP to the vault: one connection for each request, which is all that a command needs. No redirect is followed, because
//! tokens and signatures are for the vault alone.

use std::{path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject as _},
    },
};
use url::{Host, Url};

use super::error::{CliError, Exit, Result};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an answer of the operator's API may take.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// The largest answer that is held in memory.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// Where the vault is: scheme, host, port and perhaps a path in front of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BaseUrl {
    url: Url,
    prefix: String,
}

impl BaseUrl {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let wrong = |why: &str| CliError::usage(format!("{text:?} is not the URL of a vault: {why}."));
        let url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(CliError::usage("The URL of the vault must not contain a user or password."));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("it has a query or a fragment"));
        }
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            "http" => {
                return Err(wrong("http is for this machine only")
                    .hint("Use https, so that tokens and keys are not readable on the way."));
            }
            _ => return Err(wrong("it begins with neither https:// nor http://")),
        }
        let prefix = url.path().trim_end_matches('/').to_owned();
        Ok(Self { url, prefix })
    }

    /// The whole URL of a path of the vault.
    pub(crate) fn join(&self, path_and_query: &str) -> String {
        format!("{}{}{path_and_query}", self.url.origin().ascii_serialization(), self.prefix)
    }

    /// Whether the vault is on this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(&self.url)
    }

    fn host(&self) -> String {
        match self.url.host() {
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(ip)) => ip.to_string(),
            Some(Host::Ipv6(ip)) => ip.to_string(),
            None => String::new(),
        }
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// Sends requests to one vault.
#[derive(Clone)]
pub(crate) struct HttpClient {
    pub(crate) base: BaseUrl,
    tls: Option<TlsConnector>,
}

impl HttpClient {
    /// `ca_file`: certificates in PEM to trust beside Mozilla's.
    pub(crate) fn new(base: BaseUrl, ca_file: Option<&Path>) -> Result<Self> {
        let tls = (base.url.scheme() == "https").then(|| connector(ca_file)).transpose()?;
        Ok(Self { base, tls })
    }

    /// Sends a request whose URI is a path below the base URL, and returns when the head of the answer is there.
    pub(crate) async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Incoming>> {
        let path = request.uri().path_and_query().map_or("/", |it| it.as_str());
        let target = format!("{}{path}", self.base.prefix);
        *request.uri_mut() = target.parse().map_err(|_| CliError::usage("The URL is not valid."))?;
        let authority = match self.base.url.port() {
            Some(port) => format!("{}:{port}", self.base.url.host_str().unwrap_or_default()),
            None => self.base.url.host_str().unwrap_or_default().to_owned(),
        };
        let host = HeaderValue::from_str(&authority).map_err(|_| CliError::usage("The URL is not valid."))?;
        request.headers_mut().insert(header::HOST, host);
        let agent = HeaderValue::from_static(concat!("alter-cli/", env!("CARGO_PKG_VERSION")));
        request.headers_mut().entry(header::USER_AGENT).or_insert(agent);

        let port = self.base.url.port_or_known_default().unwrap_or(443);
        let connecting = async {
            let tcp = TcpStream::connect((self.base.host(), port))
                .await
                .map_err(|error| self.unreachable(&error))?;
            // A request is one small write; waiting for more to send with it only costs time.
            let _ = tcp.set_nodelay(true);
            let Some(tls) = &self.tls else { return Ok::<_, CliError>(Connection::Plain(tcp)) };
            let name = ServerName::try_from(self.base.host()).map_err(|error| self.unreachable(&error))?;
            let stream = tls.connect(name, tcp).await.map_err(|error| self.unreachable(&error))?;
            Ok(Connection::Tls(Box::new(stream)))
        };
        let connection = timeout(CONNECT_TIMEOUT, connecting)
            .await
            .map_err(|_| self.unreachable(&"no answer in 10 s"))??;
        match connection {
            Connection::Plain(stream) => self.exchange(stream, request).await,
            Connection::Tls(stream) => self.exchange(*stream, request).await,
        }
    }

    async fn exchange<S>(&self, stream: S, request: Request<Bytes>) -> Result<Response<Incoming>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let broken = |error: hyper::Error| {
            CliError::new(
                Exit::Unavailable,
                "connection_broken",
                format!("The vault broke the connection: {error}."),
            )
        };
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // It ends with the answer's body, whose reader is told of any error.
        tokio::spawn(async move {
            let _ = connection.await;
        });
        sender.send_request(request.map(Full::new)).await.map_err(broken)
    }

    fn unreachable(&self, why: &dyn std::fmt::Display) -> CliError {
        let url = self.base.join("");
        CliError::new(Exit::Unavailable, "vault_unreachable", format!("There is no vault at {url}: {why}."))
            .hint("Start one with `alter serve`, or say where it is with --url or ALTER_URL.")
    }
}

/// Reads a whole body.
pub(crate) async fn read_all(body: Incoming) -> Result<Bytes> {
    let broken = |error| {
        CliError::new(Exit::Unavailable, "connection_broken", format!("The answer broke off: {error}."))
    };
    Ok(Limited::new(body, MAX_ANSWER_BYTES).collect().await.map_err(broken)?.to_bytes())
}

enum Connection {
    Plain(TcpStream),
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

fn connector(ca_file: Option<&Path>) -> Result<TlsConnector> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = ca_file {
        let name = path.display();
        let wrong = |why: &dyn std::fmt::Display| {
            CliError::usage(format!("Cannot use the certificates in {name}: {why}."))
        };
        let certificates: Vec<_> =
            CertificateDer::pem_file_iter(path).and_then(Iterator::collect).map_err(|error| wrong(&error))?;
        if certificates.is_empty() {
            return Err(wrong(&"there is none"));
        }
        for certificate in certificates {
            roots.add(certificate).map_err(|error| wrong(&error))?;
        }
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| CliError::failure("tls", error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_spoken_to_without_tls() {
        for good in [
            "http://127.0.0.1:8420",
            "http://localhost",
            "http://[::1]:1/x/",
            "https://vault.example.com/a/b",
        ] {
            assert!(BaseUrl::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "http://vault.example.com",
            "http://127.0.0.1.example.com",
            "http://10.0.0.1",
            "ftp://127.0.0.1",
            "127.0.0.1:8420",
            "https://a:b@c",
            "https://a/?x",
            "https://a/#x",
            "",
        ] {
            assert_eq!(BaseUrl::parse(bad).unwrap_err().exit as u8, 2, "{bad}");
        }
    }

    #[test]
    fn a_password_in_the_url_is_not_repeated() {
        let error = BaseUrl::parse("https://user:hunter2@vault.example.com").unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
    }

    #[test]
    fn paths_are_put_behind_the_prefix() {
        let base = BaseUrl::parse("https://vault.example.com:8443/stage/").unwrap();
        assert_eq!(base.join("/v1/forward"), "https://vault.example.com:8443/stage/v1/forward");
        assert_eq!(BaseUrl::parse("http://[::1]:1").unwrap().join("/x"), "http://[::1]:1/x");
    }
}

//! How the AWS clients reach AWS: HTTP/1.1 over rustls on ring, Mozilla's roots as constants.
//!
//! The SDK's own client parses its trust store each time that a client is made, which was half of the time from
//! start to the first poll; here a start parses nothing and the TLS configuration is made by the first connection. Addresses
//! of AWS are AWS's own, so there is no egress guard on this path: what comes from a caller goes through the port
//! `HttpClient` and another crate.

use std::{
    error::Error,
    fmt,
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
    time::Duration,
};

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        http::{HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::{body::SdkBody, retry::ErrorKind};
use http::Uri;
use hyper_util::{
    client::legacy::{
        self, Client,
        connect::{Connected, Connection},
    },
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{self, ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName},
};

use crate::Stopwatch;

/// For resolving, dialling and the TLS handshake together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// DynamoDB and SQS close idle connections after about 20 s and 60 s; a request that meets the closing costs a retry.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(18);

/// The connections of all AWS clients of a process. Cheap to clone; clones share them.
#[derive(Clone)]
pub struct HttpClient {
    client: Client<Dialler, SdkBody>,
    stopwatch: Arc<Stopwatch>,
}

impl HttpClient {
    /// Opens nothing. What each request took is told to the stopwatch.
    pub fn new(stopwatch: Arc<Stopwatch>) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE_TIMEOUT)
            .build(Dialler::default());
        Self { client, stopwatch }
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpClient")
    }
}

impl aws_smithy_runtime_api::client::http::HttpClient for HttpClient {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for HttpClient {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let this = self.clone();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            let timed = this.stopwatch.request(request.headers());
            let answer = this.client.request(request).await;
            timed.done();
            let response = answer.map_err(classify)?.map(SdkBody::from_body_1_x);
            HttpResponse::try_from(response).map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// What the SDK should make of a failure: all but a request that is wrong in itself is worth another attempt.
fn classify(error: legacy::Error) -> ConnectorError {
    if error.is_connect() {
        let timed_out = source::<io::Error>(&error).is_some_and(|e| e.kind() == io::ErrorKind::TimedOut);
        let classified = if timed_out { ConnectorError::timeout } else { ConnectorError::io };
        return classified(error.into()).never_connected();
    }
    match source::<hyper::Error>(&error) {
        Some(hyper) if hyper.is_user() => ConnectorError::user(error.into()),
        Some(hyper) if hyper.is_incomplete_message() => {
            ConnectorError::other(error.into(), Some(ErrorKind::TransientError))
        }
        _ => ConnectorError::io(error.into()),
    }
}

fn source<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    std::iter::successors(Some(error), |&error| error.source()).find_map(|error| error.downcast_ref())
}

#[derive(Clone, Default)]
struct Dialler {
    tls: Arc<OnceLock<TlsConnector>>,
}

impl Dialler {
    fn tls(&self) -> Result<&TlsConnector, rustls::Error> {
        if let Some(connector) = self.tls.get() {
            return Ok(connector);
        }
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(self.tls.get_or_init(|| TlsConnector::from(Arc::new(config))))
    }

    async fn dial(&self, uri: &Uri) -> Result<Wire, BoxError> {
        let host = uri.host().ok_or("the endpoint has no host")?;
        let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        let tls = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let stream = TcpStream::connect((host, port)).await?;
        // A request is one write; waiting for its acknowledgement would delay the next (Nagle).
        stream.set_nodelay(true)?;
        if !tls {
            return Ok(Wire(Box::new(stream)));
        }
        let name = ServerName::try_from(host.to_owned())?;
        Ok(Wire(Box::new(self.tls()?.connect(name, stream).await?)))
    }
}

impl tower::Service<Uri> for Dialler {
    type Response = TokioIo<Wire>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<TokioIo<Wire>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let dialler = self.clone();
        Box::pin(async move {
            match tokio::time::timeout(CONNECT_TIMEOUT, dialler.dial(&uri)).await {
                Ok(dialled) => dialled.map(TokioIo::new),
                Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
            }
        })
    }
}

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection, with or without TLS.
struct Wire(Box<dyn Duplex>);

impl Connection for Wire {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };
    use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

    use super::*;

    fn request(url: &str) -> HttpRequest {
        let mut request = HttpRequest::new(SdkBody::from("{}"));
        request.set_uri(url).unwrap();
        request.set_method("POST").unwrap();
        request
    }

    async fn call(client: &HttpClient, url: &str) -> Result<HttpResponse, ConnectorError> {
        client.call(request(url)).await
    }

    /// Reads a request and answers; without an answer it hangs up.
    async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: Option<&str>) {
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).await.unwrap_or(0);
        if let Some(answer) = answer.filter(|_| read > 0) {
            stream.write_all(answer.as_bytes()).await.ok();
        }
        stream.shutdown().await.ok();
    }

    async fn plain(answer: Option<&'static str>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move { serve(listener.accept().await.unwrap().0, answer).await });
        url
    }

    const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";

    #[tokio::test]
    async fn failures_are_told_apart() {
        let client = HttpClient::new(Arc::default());
        assert_eq!(call(&client, &plain(Some(OK)).await).await.unwrap().status().as_u16(), 200);
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let refused = call(&client, &format!("http://{closed}/")).await.unwrap_err();
        assert!(refused.is_io() && refused.connection_metadata().is_none(), "{refused:?}");
        let hung_up = call(&client, &plain(None).await).await.unwrap_err();
        assert_eq!(hung_up.as_other(), Some(ErrorKind::TransientError), "{hung_up:?}");
        let nonsense = call(&client, &plain(Some("SSH-2.0\r\n")).await).await.unwrap_err();
        assert!(nonsense.is_io(), "{nonsense:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_does_not_come_about_times_out() {
        // It listens and never speaks: the handshake waits.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
        let timed_out = call(&HttpClient::new(Arc::default()), &url).await.unwrap_err();
        assert!(timed_out.is_timeout(), "{timed_out:?}");
    }

    #[tokio::test]
    async fn a_certificate_has_to_be_trusted_and_of_the_endpoint() {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Ok(stream) = acceptor.accept(stream).await {
                    serve(stream, Some(OK)).await;
                }
            }
        });
        let stranger = HttpClient::new(Arc::default());
        assert!(call(&stranger, &format!("https://localhost:{port}/")).await.unwrap_err().is_io());

        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).unwrap();
        let trusting = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let dialler = Dialler::default();
        assert!(dialler.tls.set(TlsConnector::from(Arc::new(trusting))).is_ok());
        let client = Client::builder(TokioExecutor::new()).build(dialler);
        let friend = HttpClient { client, stopwatch: Arc::default() };
        let answer = call(&friend, &format!("https://localhost:{port}/")).await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        assert!(call(&friend, &format!("https://127.0.0.1:{port}/")).await.unwrap_err().is_io());
    }
}

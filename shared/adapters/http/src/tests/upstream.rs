//! Scripted upstreams.

use std::{
    future::Future,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

/// A listener that runs a script for each connection.
pub(super) struct Upstream {
    pub(super) address: SocketAddr,
    accepted: Arc<AtomicUsize>,
}

impl Upstream {
    pub(super) async fn new<F, R>(script: F) -> Self
    where
        F: Fn(TcpStream) -> R + Send + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = Self { address: listener.local_addr().unwrap(), accepted: Arc::default() };
        let accepted = upstream.accepted.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                accepted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(script(stream));
            }
        });
        upstream
    }

    /// Reads one request and answers with these bytes, then closes.
    pub(super) async fn answering(answer: &'static str) -> Self {
        Self::new(move |mut stream| async move {
            read_head(&mut stream).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        })
        .await
    }

    /// Answers `ok` to each request and keeps the connection.
    pub(super) async fn friendly() -> Self {
        Self::new(|mut stream| async move { serve_ok(&mut stream, usize::MAX).await }).await
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// How many connections there were.
    pub(super) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

/// Answers `ok` to so many requests, then returns.
pub(super) async fn serve_ok(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), requests: usize) {
    for _ in 0..requests {
        if read_head(stream).await.is_empty() {
            return;
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        stream.flush().await.unwrap();
    }
}

/// Reads up to the end of a request's head (and what came with it); empty at the end of the stream.
pub(super) async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read_buf(&mut head).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
    }
    String::from_utf8(head).unwrap()
}

/// A certificate authority of the test's own.
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(super) fn pem(&self) -> Vec<u8> {
        self.0.pem().into_bytes()
    }

    /// A server's side of TLS with a certificate for the name.
    pub(super) fn acceptor(&self, name: &str) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }

    /// A TLS upstream that answers `ok` to so many requests on a connection and then closes it.
    pub(super) async fn upstream(&self, name: &str, requests: usize) -> Upstream {
        let acceptor = self.acceptor(name);
        Upstream::new(move |stream| {
            let acceptor = acceptor.clone();
            async move {
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    serve_ok(&mut stream, requests).await;
                    let _ = stream.shutdown().await;
                }
            }
        })
        .await
    }
}

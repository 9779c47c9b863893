//! TLS to providers: rustls on ring, Mozilla's roots and the operator's own.

use std::sync::{Arc, OnceLock};

use tokio_rustls::{
    TlsConnector,
    rustls::{
        self, ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, pem::PemObject as _},
    },
};

/// The extra roots cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("extra root certificates: {0}")]
pub struct RootsError(String);

/// A TLS configuration that is built when the first connection needs it; a process that never calls out, or has yet to
/// answer its first request, does not pay for it.
pub(crate) struct LazyTls {
    extra: Vec<CertificateDer<'static>>,
    connector: OnceLock<Result<TlsConnector, rustls::Error>>,
}

impl LazyTls {
    pub(crate) fn new(extra_roots: Option<&[u8]>) -> Result<Self, RootsError> {
        let extra = extra_roots.map(parse_roots).transpose()?.unwrap_or_default();
        Ok(Self { extra, connector: OnceLock::new() })
    }

    pub(crate) fn connector(&self) -> Result<&TlsConnector, rustls::Error> {
        self.connector.get_or_init(|| self.build()).as_ref().map_err(Clone::clone)
    }

    fn build(&self) -> Result<TlsConnector, rustls::Error> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for certificate in &self.extra {
            roots.add(certificate.clone())?;
        }
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

/// Refuses at start what would fail at the first call.
fn parse_roots(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, RootsError> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| RootsError(error.to_string()))?;
    if certificates.is_empty() {
        return Err(RootsError("no certificate found".to_owned()));
    }
    let mut store = RootCertStore::empty();
    for certificate in &certificates {
        store.add(certificate.clone()).map_err(|error| RootsError(error.to_string()))?;
    }
    Ok(certificates)
}

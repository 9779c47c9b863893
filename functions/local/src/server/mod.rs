//! The vault as one process: every router over the local adapters.
//!
//! One current-thread runtime per core, each with a listener of its own on the same port (`SO_REUSEPORT`), its own
//! connections to providers and its own reading connections to the store: a call never changes threads. Background work
//! (draining the journal, checkpoints, expiry) has threads of its own.

mod assemble;
mod http;
mod listen;
mod peer;
mod site;
mod worker;

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    thread::JoinHandle,
};

use alter_adapter_local::{Durability, JournalError, KeyFileError, OpenError};
use alter_domain::{
    flow::connect::{NotABaseUrl, PublicUrl},
    port::StoreError,
};
use tokio::sync::watch;

use assemble::Vault;
pub(crate) use peer::{TrustedProxies, TrustedProxy};

/// How to run the vault.
#[derive(Debug, Clone)]
pub(crate) struct ServeOptions {
    pub(crate) listen: SocketAddr,
    pub(crate) data_dir: PathBuf,
    pub(crate) durability: Durability,
    /// Lets credentials go to loopback addresses, and over plain http there. For development and the demo.
    pub(crate) allow_loopback_http: bool,
    /// Threads that serve calls; one per core when absent.
    pub(crate) threads: Option<usize>,
    /// The name of the organization that an empty data directory is set up with.
    pub(crate) organization: String,
    /// Where browsers and providers reach the vault, without a slash at its end; its own address when absent.
    pub(crate) public_url: Option<PublicUrl>,
    /// PEM file of certificates to trust beside Mozilla's roots.
    pub(crate) extra_roots: Option<PathBuf>,
    /// The folder with the Wallet's site; when absent, what this build brought along.
    pub(crate) wallet_dir: Option<PathBuf>,
    /// Proxies in front of the vault, which say who called them.
    pub(crate) trusted_proxies: TrustedProxies,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8420)),
            data_dir: PathBuf::from("alter-data"),
            durability: Durability::Full,
            allow_loopback_http: false,
            threads: None,
            organization: "My organization".to_owned(),
            public_url: None,
            extra_roots: None,
            wallet_dir: None,
            trusted_proxies: TrustedProxies::default(),
        }
    }
}

/// Why the vault does not start. Nothing was changed but, at most, files created in an empty data directory.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    #[error(transparent)]
    Table(#[from] OpenError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    #[error("cannot listen on {address}: {source}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
    #[error("the public address: {0}")]
    PublicUrl(NotABaseUrl),
    #[error("the certificates of {}: {detail}", path.display())]
    Roots { path: PathBuf, detail: String },
    #[error("the Wallet's site: {0}")]
    Site(#[from] site::SiteError),
    #[error("setting up the data directory: {0}")]
    Setup(#[from] alter_domain::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A vault that is listening.
pub(crate) struct Running {
    pub(crate) local_addr: SocketAddr,
    /// Where the first operator token was written (mode 0600) when the data directory was set up.
    pub(crate) operator_token_file: PathBuf,
    /// Whether this start set the data directory up.
    pub(crate) set_up: bool,
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
    vault: Arc<Vault>,
}

/// Opens the data directory (setting up an empty one), starts the threads, and returns when calls are answered.
pub(crate) fn start(options: &ServeOptions) -> Result<Running, ServeError> {
    let (vault, set_up) = Vault::open(options)?;
    let vault = Arc::new(vault);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let listeners = listen::bind(options.listen, options.threads.unwrap_or(cores).max(1))
        .map_err(|source| ServeError::Listen { address: options.listen, source })?;
    let local_addr = listeners.local_addr;
    let public_url = match &options.public_url {
        Some(url) => url.clone(),
        None => PublicUrl::parse(&own_url(local_addr)).map_err(ServeError::PublicUrl)?,
    };
    let (stop, stopped) = watch::channel(false);
    let mut threads = Vec::new();
    for (number, listener) in listeners.sockets.into_iter().enumerate() {
        let (vault, public_url, stopped) = (Arc::clone(&vault), public_url.clone(), stopped.clone());
        let trusted = options.trusted_proxies.clone();
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ServeError::Thread)?;
        let serve = move || {
            let router = vault.router(&public_url);
            runtime.block_on(async {
                http::serve(listener, router, trusted, stopped).await;
                vault.settled().await;
            });
        };
        let thread = std::thread::Builder::new().name(format!("serve-{number}")).spawn(serve);
        threads.push(thread.map_err(ServeError::Thread)?);
    }
    threads.push(vault.spawn_worker(stopped.clone())?);
    threads.push(vault.spawn_housekeeping(stopped)?);
    Ok(Running {
        local_addr,
        operator_token_file: token_file(&options.data_dir),
        set_up,
        stop,
        threads,
        vault,
    })
}

/// How this machine's own browsers reach the vault.
fn own_url(address: SocketAddr) -> String {
    match address.ip().is_unspecified() {
        true => format!("http://127.0.0.1:{}", address.port()),
        false => format!("http://{address}"),
    }
}

/// Where the first operator token of a data directory lies.
pub(crate) fn token_file(data_dir: &Path) -> PathBuf {
    data_dir.join("operator-token")
}

impl Running {
    /// Stops accepting, lets calls in flight finish (at most 30 seconds) and tokens arrive in the store (as long again), and
    /// closes it.
    pub(crate) fn stop(self) {
        self.stop.send_replace(true);
        self.vault.end();
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a serving thread panicked");
            }
        }
        drop(self.vault);
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://{}", self.local_addr)
    }
}

//! Putting the vault together: adapters behind ports, ports into functions.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use alter_adapter_http::{ClientOptions, GuardedClient};
use alter_adapter_local::{DrainHandler, Journal, JournalOptions, KeyFile, SqliteTable, TableOptions};
use alter_audit_query::AuditQueryState;
use alter_connect::ConnectState;
use alter_domain::{
    Error,
    crypto::DataKeys,
    egress::EgressRules,
    flow::{
        CallService, Installed, Refresher, Relations, Revoker,
        connect::{ConnectService, PublicUrl, UnderWay},
        identity::{IdentityService, WebhookService},
        install,
        wallet::{Exports, RateLimit, WalletService},
    },
    oidc::IdentityKeys,
    port::{Clock, HttpClient, Record, Rng, SystemClock, SystemRng, Table},
    state::{CredentialOpener, Ports, Sealer, SigningKeys, WebhookSecrets},
    web,
};
use alter_grants::GrantsState;
use alter_portal::PortalState;
use alter_proxy::ProxyState;
use alter_revoke::RevokeState;
use async_trait::async_trait;
use axum::{Json, Router, extract::Request, routing};
use tokio::sync::watch;

use super::{
    ServeError, ServeOptions,
    site::Site,
    token_file,
    worker::{Inbox, Signals, queue},
};

/// How many relations (key → app, grant → secret) are remembered: some 200 bytes each.
const RELATIONS: usize = 20_000;
/// How many users' tokens that were verified are remembered: about a kilobyte each.
const VERIFIED_TOKENS: usize = 20_000;
/// How long a thread that ends waits for tokens that are on their way from a provider to the store.
const SETTLE_WITHIN: Duration = Duration::from_secs(30);
/// How often expired items are collected.
const COLLECT_EVERY: Duration = Duration::from_secs(60);

/// Everything that the serving threads share.
pub(super) struct Vault {
    ports: Ports,
    table: Arc<SqliteTable>,
    data_keys: DataKeys,
    inbox: Mutex<Option<Inbox>>,
    client: GuardedClient,
    relations: Arc<Relations>,
    rules: EgressRules,
    /// One for the process: its threads share their flights, each over its own connections.
    refresher: Refresher,
    /// Identity providers' keys, and tokens that were verified: one for the process.
    identity_keys: Arc<IdentityKeys>,
    under_way: UnderWay,
    /// One for the process, whichever of its threads a visitor comes to.
    limit: RateLimit,
    exports: Exports,
    site: Arc<Site>,
}

impl Vault {
    /// Opens the data directory; says whether it was set up by this.
    pub(super) fn open(options: &ServeOptions) -> Result<(Self, bool), ServeError> {
        let data_dir = &options.data_dir;
        let site = Arc::new(Site::load(options.wallet_dir.as_deref())?);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let rng: Arc<dyn Rng> = Arc::new(SystemRng::new());
        let table_options = TableOptions { durability: options.durability, ..TableOptions::default() };
        let table = Arc::new(SqliteTable::open(data_dir, table_options)?);
        let key_file = KeyFile::open_or_create(&data_dir.join("vault.key"), Arc::clone(&rng))?;
        let journal_options = JournalOptions { durability: options.durability, ..JournalOptions::default() };
        let journal =
            Arc::new(Journal::open(&data_dir.join("journal"), journal_options, Arc::clone(&clock))?);
        journal.drain_into(Arc::new(Writer(Arc::clone(&table))))?;
        let data_keys = DataKeys::new(Arc::new(key_file), Arc::clone(&clock));
        let (signals, inbox): (Signals, Inbox) = queue();
        let ports = Ports {
            table: Arc::clone(&table) as Arc<dyn Table>,
            audit: Arc::clone(&journal) as _,
            nonces: journal,
            work: Arc::new(signals),
            clock,
            rng,
        };
        let client = client(options)?;
        let rules = EgressRules { allow_loopback_http: options.allow_loopback_http };
        let refresher = Refresher::new(
            ports.clone(),
            CredentialOpener::new(data_keys.clone()),
            Sealer::new(data_keys.clone()),
            Arc::new(client.for_runtime()),
            rules,
        );
        let vault = Self {
            ports,
            table,
            data_keys,
            inbox: Mutex::new(Some(inbox)),
            client,
            relations: Arc::new(Relations::new(RELATIONS)),
            rules,
            refresher,
            identity_keys: Arc::new(IdentityKeys::new(VERIFIED_TOKENS)),
            under_way: UnderWay::default(),
            limit: RateLimit::default(),
            exports: Exports::default(),
            site,
        };
        let set_up = vault.set_up(options)?;
        Ok((vault, set_up))
    }

    /// Sets up an empty data directory: an organization, and an operator token in a file of its own. The token is written
    /// before it becomes valid, so that a crash in between leaves a token that opens nothing, never one that is lost.
    fn set_up(&self, options: &ServeOptions) -> Result<bool, ServeError> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ServeError::Thread)?;
        let path = token_file(&options.data_dir);
        let installed =
            runtime.block_on(install(&self.ports, &options.organization, |installed: &Installed| {
                write_token(&path, installed)
                    .map_err(|error| Error::Internal(format!("{}: {error}", path.display())))
            }))?;
        Ok(installed.is_some())
    }

    /// The routes, with a pool of provider connections for the runtime that calls this.
    pub(super) fn router(&self, public_url: &PublicUrl) -> Router {
        let ports = self.ports.clone();
        let signing = SigningKeys::new(self.data_keys.clone());
        let http: Arc<dyn HttpClient> = Arc::new(self.client.for_runtime());
        let identity = self.identity(&http);
        let calls = CallService {
            ports: ports.clone(),
            signing: signing.clone(),
            opener: CredentialOpener::new(self.data_keys.clone()),
            refresher: self.refresher.with_http(Arc::clone(&http)),
            identity: identity.clone(),
            http: Arc::clone(&http),
            rules: self.rules,
            relations: Arc::clone(&self.relations),
        };
        let sealer = Sealer::new(self.data_keys.clone());
        let connect = ConnectService {
            ports: ports.clone(),
            opener: CredentialOpener::new(self.data_keys.clone()),
            sealer: sealer.clone(),
            http: Arc::clone(&http),
            rules: self.rules,
            public_url: public_url.clone(),
            under_way: self.under_way.clone(),
        };
        let portal = PortalState::new(ports.clone(), sealer, public_url.as_str(), self.rules, http);
        let grants =
            GrantsState { ports: ports.clone(), signing: signing.clone(), identity: identity.clone() };
        let connect = ConnectState {
            service: connect,
            limit: self.limit.clone(),
            wallet_url: public_url.clone(),
            signing: signing.clone(),
            identity: identity.clone(),
        };
        let revoke =
            RevokeState { ports: ports.clone(), signing: signing.clone(), identity: identity.clone() };
        let webhooks = WebhookService { identity, secrets: WebhookSecrets::new(self.data_keys.clone()) };
        let wallet = WalletService {
            ports: ports.clone(),
            url: public_url.clone(),
            limit: self.limit.clone(),
            exports: self.exports.clone(),
        };
        let routes = Router::new()
            .merge(alter_proxy::router(ProxyState::new(calls)))
            .merge(alter_grants::router(grants))
            .merge(alter_connect::router(connect))
            .merge(alter_revoke::router(revoke))
            .merge(alter_wallet::router(wallet))
            .merge(alter_webhook::router(webhooks))
            .merge(alter_audit_query::router(AuditQueryState { ports: ports.clone(), signing }))
            .merge(alter_portal::router(portal))
            .route("/healthz", routing::get(healthy));
        let site = Arc::clone(&self.site);
        web::edge_before(routes, ports, move |request: Request| Arc::clone(&site).answer(request))
    }

    fn identity(&self, http: &Arc<dyn HttpClient>) -> IdentityService {
        let (ports, http, keys) = (self.ports.clone(), Arc::clone(http), Arc::clone(&self.identity_keys));
        IdentityService { ports, http, rules: self.rules, keys }
    }

    /// The process is to end: whoever only waits for something is answered at once.
    pub(super) fn end(&self) {
        self.under_way.end();
    }

    /// Waits until what providers have given, or are giving, is stored: tasks end with the runtime that they are on.
    pub(super) async fn settled(&self) {
        let settled = async {
            self.under_way.settled().await;
            self.refresher.settled().await;
        };
        if tokio::time::timeout(SETTLE_WITHIN, settled).await.is_err() {
            tracing::warn!(
                "tokens that were being obtained were cut off after {} seconds",
                SETTLE_WITHIN.as_secs()
            );
        }
    }

    /// Work that follows changes: telling providers that access has ended, keeping refresh tokens alive.
    pub(super) fn spawn_worker(
        self: &Arc<Self>,
        stopped: watch::Receiver<bool>,
    ) -> Result<JoinHandle<()>, ServeError> {
        let taken = self.inbox.lock().unwrap_or_else(PoisonError::into_inner).take();
        let inbox = taken.ok_or_else(|| ServeError::Thread(io::Error::other("the worker runs already")))?;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ServeError::Thread)?;
        let http: Arc<dyn HttpClient> = Arc::new(self.client.for_runtime());
        let revoker = Revoker {
            ports: self.ports.clone(),
            opener: CredentialOpener::new(self.data_keys.clone()),
            refresher: self.refresher.with_http(Arc::clone(&http)),
            http,
            rules: self.rules,
        };
        let thread = std::thread::Builder::new().name("worker".to_owned());
        let vault = Arc::clone(self);
        let work = async move {
            inbox.work(revoker, stopped).await;
            vault.settled().await;
        };
        thread.spawn(move || runtime.block_on(work)).map_err(ServeError::Thread)
    }

    /// What has to be done now and then: forget plaintext data keys, delete what has expired.
    pub(super) fn spawn_housekeeping(
        &self,
        mut stopped: watch::Receiver<bool>,
    ) -> Result<JoinHandle<()>, ServeError> {
        let (table, clock) = (Arc::clone(&self.table), Arc::clone(&self.ports.clock));
        let sweeper = self.data_keys.sweeper();
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ServeError::Thread)?;
        let work = async move {
            let mut every = tokio::time::interval(COLLECT_EVERY);
            let collect = async {
                loop {
                    every.tick().await;
                    if let Err(error) = table.collect_expired(clock.now().as_second()).await {
                        tracing::warn!(%error, "expired items were not collected");
                    }
                }
            };
            tokio::select! {
                _ = stopped.wait_for(|stop| *stop) => {}
                () = sweeper => {}
                () = collect => {}
            }
        };
        let thread = std::thread::Builder::new().name("housekeeping".to_owned());
        thread.spawn(move || runtime.block_on(work)).map_err(ServeError::Thread)
    }
}

/// The drain's far end: the audit-writer's own function.
struct Writer(Arc<SqliteTable>);

#[async_trait]
impl DrainHandler for Writer {
    async fn write(&self, batch: Vec<Record>) -> Result<(), String> {
        let report = alter_audit_writer::write(self.0.as_ref(), &batch).await;
        match report.failed.len() {
            0 => Ok(()),
            failed => Err(format!("{failed} of {} audit rows were not stored", batch.len())),
        }
    }
}

fn client(options: &ServeOptions) -> Result<GuardedClient, ServeError> {
    let extra_roots = match &options.extra_roots {
        None => None,
        Some(path) => Some(fs::read(path).map_err(|error| roots_error(path, &error.to_string()))?),
    };
    let client = ClientOptions {
        allow_loopback_http: options.allow_loopback_http,
        extra_roots,
        ..ClientOptions::default()
    };
    GuardedClient::new(client).map_err(|error| {
        roots_error(options.extra_roots.as_deref().unwrap_or(Path::new("")), &error.to_string())
    })
}

fn roots_error(path: &Path, detail: &str) -> ServeError {
    ServeError::Roots { path: path.to_owned(), detail: detail.to_owned() }
}

/// Writes the token for its owner's eyes only, replacing what a set-up that did not finish may have left.
fn write_token(path: &Path, installed: &Installed) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(installed.token.expose_secret().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

async fn healthy() -> Json<serde_json::Value> {
    Json(serde_json::json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]
mod tests;

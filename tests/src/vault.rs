//! A whole vault in one value.

use std::{
    net::SocketAddr,
    ops::Deref,
    path::Path,
    sync::{Arc, OnceLock},
};

use alter_adapter_http::{ClientOptions, GuardedClient, Resolve, SystemResolver};
use alter_adapter_local::{Durability, KeyFile, SqliteTable, TableOptions};
use alter_audit_query::AuditQueryState;
use alter_connect::ConnectState;
use alter_domain::{
    crypto::DataKeys,
    egress::EgressRules,
    flow::{
        CallService, Refresher, Relations, Revoker,
        connect::{ConnectService, PublicUrl, UnderWay},
        identity::{IdentityService, WebhookService},
        wallet::{Exports, RateLimit, WalletService},
    },
    oidc::IdentityKeys,
    port::{Clock as _, HttpClient, ManualClock, NonceStore, Rng, SystemRng, Table, TableNonces},
    state::{CredentialOpener, Ports, Sealer, SigningKeys, WebhookSecrets},
    web,
};
use alter_grants::GrantsState;
use alter_portal::PortalState;
use alter_proxy::{ProxyState, Timeouts};
use alter_revoke::RevokeState;
use axum::{Json, Router, routing};
use jiff::Timestamp;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::{Anonymous, CountingWrapper, TestAudit, TestWork};

/// Where a test's vault says that it is.
const PUBLIC_URL: &str = "https://vault.example";
/// How many verified tokens it remembers.
const TOKENS: usize = 1000;

/// How a test's vault is built.
pub struct Setup {
    files: bool,
    store: Option<Arc<dyn Table>>,
    timeouts: Timeouts,
    http: Option<Arc<dyn HttpClient>>,
    resolver: Arc<dyn Resolve>,
    layer: Layer,
    nonces: Option<Arc<dyn NonceStore>>,
    allow_loopback: bool,
    public_url: &'static str,
}

type Layer = Box<dyn FnOnce(Arc<dyn Table>) -> Arc<dyn Table>>;

impl Default for Setup {
    fn default() -> Self {
        Self {
            files: false,
            store: None,
            timeouts: Timeouts::default(),
            http: None,
            resolver: Arc::new(SystemResolver),
            layer: Box::new(|table| table),
            nonces: None,
            allow_loopback: true,
            public_url: PUBLIC_URL,
        }
    }
}

impl Setup {
    /// Tables in files, for tests that look at the disk.
    #[must_use]
    pub fn files(mut self) -> Self {
        self.files = true;
        self
    }

    /// Another store than the local table.
    #[must_use]
    pub fn store(mut self, store: Arc<dyn Table>) -> Self {
        self.store = Some(store);
        self
    }

    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Another far side than the network.
    #[must_use]
    pub fn http(mut self, client: Arc<dyn HttpClient>) -> Self {
        self.http = Some(client);
        self
    }

    #[must_use]
    pub fn resolver(mut self, resolver: Arc<dyn Resolve>) -> Self {
        self.resolver = resolver;
        self
    }

    /// Puts a table between the vault and its store. Setting up goes past it.
    #[must_use]
    pub fn layer<T: Table + 'static>(
        mut self,
        make: impl FnOnce(Arc<dyn Table>) -> Arc<T> + 'static,
    ) -> Self {
        self.layer = Box::new(|table| make(table));
        self
    }

    #[must_use]
    pub fn nonces(mut self, nonces: Arc<dyn NonceStore>) -> Self {
        self.nonces = Some(nonces);
        self
    }

    /// The egress rules of a server on the internet.
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.allow_loopback = false;
        self
    }

    /// Reached in another way than over https at a domain of its own.
    #[must_use]
    pub fn public_url(mut self, url: &'static str) -> Self {
        self.public_url = url;
        self
    }

    pub async fn build(self) -> TestVault {
        let dir = TempDir::new().expect("a directory");
        let store: Arc<dyn Table> = if let Some(store) = self.store {
            store
        } else if self.files {
            // Nothing here survives a power loss or needs to.
            let options = TableOptions { durability: Durability::Process, ..TableOptions::default() };
            Arc::new(SqliteTable::open(&dir.path().join("data"), options).expect("a table"))
        } else {
            Arc::new(SqliteTable::memory().expect("a table"))
        };
        let rng: Arc<dyn Rng> = Arc::new(SystemRng::new());
        let clock = Arc::new(ManualClock::at("2026-03-01T12:00:00Z".parse().expect("a time")));
        let key_file =
            KeyFile::open_or_create(&dir.path().join("vault.key"), Arc::clone(&rng)).expect("a key file");
        let wrapper = Arc::new(CountingWrapper::new(Arc::new(key_file)));
        let audit = Arc::new(TestAudit::new(Arc::clone(&store)));
        let table = (self.layer)(Arc::clone(&store));
        let work = Arc::new(TestWork::default());
        let nonces = self.nonces.unwrap_or_else(|| Arc::new(TableNonces::new(Arc::clone(&table))));
        let ports = Ports {
            table,
            audit: Arc::clone(&audit) as _,
            nonces,
            work: Arc::clone(&work) as _,
            clock: Arc::clone(&clock) as _,
            rng,
        };
        let http = self.http.unwrap_or_else(|| {
            let options = ClientOptions {
                allow_loopback_http: self.allow_loopback,
                resolver: self.resolver,
                ..ClientOptions::default()
            };
            Arc::new(GuardedClient::new(options).expect("a client"))
        });
        let vault = Vault {
            data_keys: DataKeys::new(Arc::clone(&wrapper) as _, Arc::clone(&clock) as _),
            relations: Arc::new(Relations::new(1000)),
            identity_keys: Arc::new(IdentityKeys::new(TOKENS)),
            rules: EgressRules { allow_loopback_http: self.allow_loopback },
            timeouts: self.timeouts,
            public_url: PublicUrl::parse(self.public_url).expect("an address"),
            ports,
            store,
            clock,
            audit,
            work,
            wrapper,
            http,
            router: OnceLock::new(),
            dir,
        };
        TestVault(Arc::new(vault))
    }
}

/// A vault over local adapters, as `functions/local` puts it together. Cheap to clone.
#[derive(Clone)]
pub struct TestVault(Arc<Vault>);

pub struct Vault {
    /// What the functions are handed.
    pub ports: Ports,
    pub clock: Arc<ManualClock>,
    pub audit: Arc<TestAudit>,
    pub work: Arc<TestWork>,
    pub wrapper: Arc<CountingWrapper>,
    store: Arc<dyn Table>,
    data_keys: DataKeys,
    relations: Arc<Relations>,
    identity_keys: Arc<IdentityKeys>,
    rules: EgressRules,
    timeouts: Timeouts,
    public_url: PublicUrl,
    http: Arc<dyn HttpClient>,
    router: OnceLock<Router>,
    dir: TempDir,
}

impl Deref for TestVault {
    type Target = Vault;

    fn deref(&self) -> &Vault {
        &self.0
    }
}

impl TestVault {
    /// In memory, with the guarded client and loopback allowed.
    pub async fn new() -> Self {
        Setup::default().build().await
    }

    pub fn anonymous(&self) -> Anonymous {
        Anonymous(self.clone())
    }

    /// The vault's routes.
    pub fn router(&self) -> Router {
        self.0.router.get_or_init(|| self.assemble()).clone()
    }

    /// Every router, merged and layered as in the binary.
    fn assemble(&self) -> Router {
        let ports = self.ports.clone();
        let signing = SigningKeys::new(self.data_keys.clone());
        let calls = CallService {
            ports: ports.clone(),
            signing: signing.clone(),
            opener: CredentialOpener::new(self.data_keys.clone()),
            refresher: self.refresher(),
            identity: self.identity(),
            http: Arc::clone(&self.http),
            rules: self.rules,
            relations: Arc::clone(&self.relations),
        };
        let connect = ConnectService {
            ports: ports.clone(),
            opener: CredentialOpener::new(self.data_keys.clone()),
            sealer: self.sealer(),
            http: Arc::clone(&self.http),
            rules: self.rules,
            public_url: self.public_url.clone(),
            under_way: UnderWay::default(),
        };
        let proxy = ProxyState { timeouts: self.timeouts, ..ProxyState::new(calls) };
        let portal = PortalState::new(
            ports.clone(),
            self.sealer(),
            self.public_url.as_str(),
            self.rules,
            Arc::clone(&self.http),
        );
        let identity = self.identity();
        let grants =
            GrantsState { ports: ports.clone(), signing: signing.clone(), identity: identity.clone() };
        let limit = RateLimit::default();
        let connect = ConnectState {
            service: connect,
            limit: limit.clone(),
            wallet_url: self.public_url.clone(),
            signing: signing.clone(),
            identity: identity.clone(),
        };
        let revoke =
            RevokeState { ports: ports.clone(), signing: signing.clone(), identity: identity.clone() };
        let webhooks = WebhookService { identity, secrets: WebhookSecrets::new(self.data_keys.clone()) };
        let url = self.public_url.clone();
        let wallet = WalletService { ports: ports.clone(), url, limit, exports: Exports::default() };
        let routes = Router::new()
            .merge(alter_proxy::router(proxy))
            .merge(alter_grants::router(grants))
            .merge(alter_connect::router(connect))
            .merge(alter_revoke::router(revoke))
            .merge(alter_wallet::router(wallet))
            .merge(alter_webhook::router(webhooks))
            .merge(alter_audit_query::router(AuditQueryState { ports: ports.clone(), signing }))
            .merge(alter_portal::router(portal))
            .route("/healthz", routing::get(|| async { Json(serde_json::json!({ "status": "ok" })) }));
        web::edge(routes, ports)
    }
}

impl Vault {
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The ports without whatever was put in front of the store.
    pub fn calm(&self) -> Ports {
        Ports { table: Arc::clone(&self.store), ..self.ports.clone() }
    }

    /// What refreshes connections, sharing its flights with nobody.
    pub fn refresher(&self) -> Refresher {
        let opener = CredentialOpener::new(self.data_keys.clone());
        Refresher::new(self.ports.clone(), opener, self.sealer(), Arc::clone(&self.http), self.rules)
    }

    /// What tells whose token it is.
    pub fn identity(&self) -> IdentityService {
        IdentityService {
            ports: self.ports.clone(),
            http: Arc::clone(&self.http),
            rules: self.rules,
            keys: Arc::clone(&self.identity_keys),
        }
    }

    /// The worker behind the queue.
    pub fn revoker(&self) -> Revoker {
        Revoker {
            ports: self.ports.clone(),
            opener: CredentialOpener::new(self.data_keys.clone()),
            refresher: self.refresher(),
            http: Arc::clone(&self.http),
            rules: self.rules,
        }
    }

    pub fn sealer(&self) -> Sealer {
        Sealer::new(self.data_keys.clone())
    }

    /// Where the files of this vault lie.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
}

impl TestVault {
    /// Serves over TCP for as long as the runtime lives.
    pub async fn listen(&self) -> SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let addr = listener.local_addr().expect("an address");
        let router = self.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        addr
    }

    /// Forgets the plaintext data keys and the remembered relations, as a restart does.
    #[must_use]
    pub fn restarted(&self) -> Self {
        let vault = &self.0;
        TestVault(Arc::new(Vault {
            ports: vault.ports.clone(),
            clock: Arc::clone(&vault.clock),
            audit: Arc::clone(&vault.audit),
            work: Arc::clone(&vault.work),
            wrapper: Arc::clone(&vault.wrapper),
            store: Arc::clone(&vault.store),
            data_keys: DataKeys::new(Arc::clone(&vault.wrapper) as _, Arc::clone(&vault.clock) as _),
            relations: Arc::new(Relations::new(1000)),
            identity_keys: Arc::new(IdentityKeys::new(TOKENS)),
            rules: vault.rules,
            timeouts: vault.timeouts,
            public_url: vault.public_url.clone(),
            http: Arc::clone(&vault.http),
            router: OnceLock::new(),
            dir: TempDir::new().expect("a directory"),
        }))
    }
}

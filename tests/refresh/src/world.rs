//! One connection of one app, and all that refreshes it.

use std::{path::Path, sync::Arc, time::Duration};

use alter_adapter_local::{KeyFile, SqliteTable};
use alter_api_types::{AppId, ConnectionId, CredentialId, GrantId, OrgId};
use alter_domain::{
    crypto::{DataKeys, open},
    egress::EgressRules,
    error::Result,
    flow::{Fresh, Need, Refresher, Timing, keep_alive_at, need},
    inject::CredentialFields,
    keyspace,
    model::{
        ACCESS_TOKEN, ConfiguredScopes, Connection, ConnectionState, Grant, GrantPolicy, GrantSource,
        GrantState, Principal, ProviderConfig, ProviderState, REFRESH_TOKEN, SealedCredential, TokenFacts,
    },
    oauth::{Provider, Values, delivery},
    port::{Clock, HttpClient, KeyContext, KeyPurpose, SystemRng, Table, TableNonces},
    repo::{Connections, Credentials, ProviderConfigs, Stored},
    secret::Secret,
    state::{CredentialOpener, Ports, Sealer},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{AuthServer, TestAudit, TestWork};

/// The entry of the scripted provider. `refresh` is its refresh part.
pub fn definition(base: &str, refresh: &Value) -> Provider {
    serde_json::from_value(json!({
        "id": "toy",
        "name": "Toy",
        "category": "developer_tools",
        "monogram": "To",
        "docs_url": "https://example.com/docs",
        "authorization": { "url": format!("{base}/auth"), "pkce": "required" },
        "token": { "url": format!("{base}/token"), "auth": "none" },
        "scopes": {},
        "refresh": refresh,
        "revocation": { "url": format!("{base}/revoke") },
        "api": { "hosts": ["api.example.com"] },
        "evidence": { "sources": ["a test"], "date": "2026-11", "endpoints": "low", "behaviour": "low" }
    }))
    .expect("a provider")
}

/// The keys of one process.
#[derive(Clone)]
pub struct Keys(DataKeys);

impl Keys {
    /// From the key file, which is made when it is not there.
    pub fn of_file(path: &Path, clock: Arc<dyn Clock>) -> Self {
        let wrapper = KeyFile::open_or_create(path, Arc::new(SystemRng::new())).expect("a key file");
        Self(DataKeys::new(Arc::new(wrapper), clock))
    }

    pub fn opener(&self) -> CredentialOpener {
        CredentialOpener::new(self.0.clone())
    }

    pub fn sealer(&self) -> Sealer {
        Sealer::new(self.0.clone())
    }

    /// The access token, for a test to look at.
    pub async fn access_token(&self, (connection, tokens): &Fresh) -> String {
        self.fields(connection.org_id, tokens).await.get(ACCESS_TOKEN).unwrap().expose_secret().clone()
    }

    pub async fn fields(&self, org: OrgId, tokens: &SealedCredential) -> CredentialFields {
        let context = KeyContext { org, app: tokens.app_id, purpose: KeyPurpose::Credential };
        let key = self.0.open(&context, tokens.sealed.data_key()).await.unwrap();
        let row = keyspace::credential(tokens.id);
        let place = Credentials::place(&row, tokens.id, tokens.seal_version);
        let plaintext = open(&key, &place, &tokens.sealed).unwrap();
        CredentialFields::from_plaintext(plaintext.expose_secret()).unwrap()
    }
}

/// One process's half of a vault, with the one connection that all tests are about.
#[derive(Clone)]
pub struct World {
    pub ports: Ports,
    pub keys: Keys,
    pub refresher: Refresher,
    pub audit: Arc<TestAudit>,
    pub work: Arc<TestWork>,
    pub config: Arc<ProviderConfig>,
}

/// One id for everything: there is one of each.
const ID: Uuid = Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0001);

impl World {
    pub fn new(
        table: Arc<dyn Table>,
        keys: Keys,
        clock: Arc<dyn Clock>,
        http: Arc<dyn HttpClient>,
        provider: Provider,
    ) -> Self {
        let (audit, work) = (Arc::<TestAudit>::default(), Arc::<TestWork>::default());
        let now = clock.now();
        let ports = Ports {
            nonces: Arc::new(TableNonces::new(Arc::clone(&table))),
            table,
            audit: audit.clone(),
            work: work.clone(),
            clock,
            rng: Arc::new(SystemRng::new()),
        };
        let rules = EgressRules { allow_loopback_http: true };
        let refresher = Refresher::new(ports.clone(), keys.opener(), keys.sealer(), http, rules);
        let config = Arc::new(ProviderConfig {
            app_id: ID.into(),
            provider_id: provider.id.clone(),
            custom: Some(Box::new(provider)),
            client_id: "client".to_owned(),
            secret: None,
            values: Values::default(),
            scopes: ConfiguredScopes::default(),
            state: ProviderState::Enabled,
            created_at: now,
            updated_at: now,
        });
        Self { ports, keys, refresher, audit, work, config }
    }

    /// A table in memory.
    pub fn memory() -> Arc<dyn Table> {
        Arc::new(SqliteTable::memory().expect("a table"))
    }

    #[must_use]
    pub fn with_timing(mut self, timing: Timing) -> Self {
        self.refresher = self.refresher.with_timing(timing);
        self
    }

    pub fn app(&self) -> AppId {
        ID.into()
    }

    pub fn connection_id(&self) -> ConnectionId {
        ID.into()
    }

    pub fn grant_id(&self) -> GrantId {
        ID.into()
    }

    /// Writes the provider's configuration and the connection, with the server's first tokens. `life` is what the access token
    /// has left of its hour.
    pub async fn connect(&self, life: SignedDuration) {
        self.connect_with(life, Some(&AuthServer::refresh(1))).await;
    }

    pub async fn connect_with(&self, life: SignedDuration, refresh: Option<&str>) {
        let now = self.ports.clock.now();
        let definition = self.config.definition().unwrap();
        let expires_at = now.checked_add(life).unwrap();
        let connection = Connection {
            id: ID.into(),
            org_id: ID.into(),
            app_id: ID.into(),
            provider_id: definition.id.clone(),
            principal: Principal::System,
            account: None,
            values: Values::default(),
            scopes: vec!["read".to_owned()],
            delivery: delivery(definition, &Values::default(), "client").unwrap(),
            credential_id: CredentialId::from(ID),
            seal_version: 1,
            tokens: TokenFacts {
                obtained_at: expires_at.checked_sub(SignedDuration::from_hours(1)).unwrap(),
                expires_at: Some(expires_at),
                refreshable: refresh.is_some(),
                refresh_expires_at: None,
                refused: false,
            },
            lease: None,
            state: ConnectionState::Active,
            live_grants: 1,
            created_at: now,
        };
        let mut pairs = vec![(ACCESS_TOKEN, Secret::new(AuthServer::access(1)))];
        pairs.extend(refresh.map(|refresh| (REFRESH_TOKEN, Secret::new(refresh.to_owned()))));
        let fields = CredentialFields::from_pairs(pairs, &[]).unwrap();
        let place = (connection.credential_id, 1);
        let sealer = self.keys.sealer();
        let sealed = sealer.seal_credential(&self.ports, ID.into(), ID.into(), place, &fields).await.unwrap();
        let grant = Grant {
            id: ID.into(),
            app_id: ID.into(),
            source: GrantSource::OAuth { connection_id: connection.id },
            credential_id: connection.credential_id,
            provider_id: connection.provider_id.clone(),
            principal: Principal::System,
            label: None,
            policy: GrantPolicy::default(),
            state: GrantState::Active,
            created_at: now,
        };
        let table = self.ports.table.as_ref();
        ProviderConfigs(table).create(&self.config, None).await.unwrap();
        let keep = keep_alive_at(definition, &connection.tokens);
        assert!(Connections(table).create(&connection, &sealed, &grant, keep).await.unwrap());
    }

    /// The connection and its tokens as they are stored.
    pub async fn stored(&self) -> Fresh {
        loop {
            let connection = self.connection().await.value;
            let tokens =
                Credentials(self.ports.table.as_ref()).get(ID.into(), ID.into()).await.unwrap().value;
            if tokens.seal_version == connection.seal_version {
                return (Arc::new(connection), Arc::new(tokens));
            }
        }
    }

    pub async fn connection(&self) -> Stored<Connection> {
        Connections(self.ports.table.as_ref()).get(ID.into(), ID.into()).await.unwrap()
    }

    /// Changes the stored connection.
    pub async fn amend(&self, change: impl Fn(Connection) -> Connection) {
        loop {
            let Stored { value, version } = self.connection().await;
            let changed = Stored { value: change(value), version };
            match Connections(self.ports.table.as_ref()).update(&changed, None).await {
                Ok(()) => return,
                Err(alter_domain::Error::Conflict { .. }) => {}
                Err(other) => panic!("{other}"),
            }
        }
    }

    /// The stored access token expires now.
    pub async fn expire(&self) {
        let now = self.ports.clock.now();
        self.amend(|connection| Connection {
            tokens: TokenFacts { expires_at: Some(now), ..connection.tokens },
            ..connection
        })
        .await;
    }

    /// What a call does before it is sent, with 25 seconds to go.
    pub async fn call(&self) -> Result<Fresh> {
        self.call_within(Duration::from_secs(25)).await
    }

    pub async fn call_within(&self, time: Duration) -> Result<Fresh> {
        let (connection, tokens) = self.stored().await;
        self.call_with(connection, tokens, Instant::now() + time).await
    }

    pub async fn call_with(
        &self,
        connection: Arc<Connection>,
        tokens: Arc<SealedCredential>,
        deadline: Instant,
    ) -> Result<Fresh> {
        let need = need(&connection, self.now());
        let config = Arc::clone(&self.config);
        self.refresher.fresh(connection, tokens, config, need, self.grant_id(), deadline).await
    }

    pub fn need(&self, connection: &Connection) -> Need {
        need(connection, self.now())
    }

    pub fn now(&self) -> Timestamp {
        self.ports.clock.now()
    }
}

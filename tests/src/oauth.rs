//! OAuth as an operator and an end user leave it behind: a configured provider, and a connection with its grant, written through
//! the same repositories.

use alter_api_types::{ConnectionId, GrantId};
use alter_domain::{
    flow::keep_alive_at,
    inject::CredentialFields,
    model::{
        ACCESS_TOKEN, ClientSecret, ConfiguredScopes, Connection, ConnectionState, Grant, GrantPolicy,
        GrantSource, GrantState, Principal, ProviderConfig, ProviderState, REFRESH_TOKEN, TokenFacts,
    },
    oauth::{AccountInfo, Provider, Values, delivery},
    repo::{Connections, ProviderConfigs, Stored},
    secret::Secret,
};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::TestApp;

/// A provider of a test's own, all of whose endpoints are below `base`: single-use refresh tokens, RFC 7009 revocation.
pub fn toy_provider(base: &str, api_host: &str) -> Value {
    json!({
        "id": "toy",
        "name": "Toy",
        "category": "developer_tools",
        "monogram": "TO",
        "docs_url": "https://example.com/docs",
        "authorization": { "url": format!("{base}/auth"), "pkce": "required" },
        "token": { "url": format!("{base}/token"), "auth": "basic" },
        "scopes": { "known": [{ "scope": "notes:read", "description": "read your notes", "default": true }] },
        "refresh": { "kind": "refresh_token", "rotation": "always" },
        "revocation": { "url": format!("{base}/revoke") },
        "api": { "hosts": [api_host] },
        "evidence": { "sources": ["a test"], "date": "2026-11", "endpoints": "low", "behaviour": "low" }
    })
}

/// A connection to be made.
#[derive(Debug, Clone)]
pub struct ConnectionSpec {
    pub access: String,
    pub refresh: Option<String>,
    /// Seconds that the access token has left; may be negative.
    pub expires_in: Option<i64>,
    pub principal: Principal,
    pub account: Option<&'static str>,
}

impl ConnectionSpec {
    /// Of the app itself, with an hour to live.
    pub fn new(access: impl Into<String>, refresh: Option<&str>) -> Self {
        Self {
            access: access.into(),
            refresh: refresh.map(str::to_owned),
            expires_in: Some(3600),
            principal: Principal::System,
            account: None,
        }
    }

    #[must_use]
    pub fn expiring_in(mut self, seconds: i64) -> Self {
        self.expires_in = Some(seconds);
        self
    }
}

impl TestApp {
    /// Configures a provider by its definition, with the client `client` and a secret.
    pub async fn provider(&self, definition: Value) -> ProviderConfig {
        let ports = self.vault.calm();
        let definition: Provider = serde_json::from_value(definition).expect("a provider");
        let now = self.vault.now();
        let secret =
            ClientSecret { credential_id: ports.new_id().unwrap(), seal_version: 1, rotated_at: now };
        let scopes: Vec<_> = definition.scopes.known.iter().map(|known| known.scope.clone()).collect();
        let config = ProviderConfig {
            app_id: self.id,
            provider_id: definition.id.clone(),
            custom: Some(Box::new(definition)),
            client_id: "client".to_owned(),
            secret: Some(secret),
            values: Values::default(),
            scopes: ConfiguredScopes { allowed: scopes.clone(), default: scopes, required: Vec::new() },
            state: ProviderState::Enabled,
            created_at: now,
            updated_at: now,
        };
        let fields = fields([("client_secret", "s3cret-of-the-client".to_owned())]);
        let place = (secret.credential_id, 1);
        let sealed =
            self.vault.sealer().seal_credential(&ports, self.org, self.id, place, &fields).await.unwrap();
        ProviderConfigs(ports.table.as_ref()).create(&config, Some(&sealed)).await.unwrap();
        config
    }

    /// A connection with one grant.
    pub async fn connect(&self, config: &ProviderConfig, spec: ConnectionSpec) -> (ConnectionId, GrantId) {
        let ports = self.vault.calm();
        let now = self.vault.now();
        let definition = config.definition().unwrap();
        let expires_at =
            spec.expires_in.map(|left| now.checked_add(SignedDuration::from_secs(left)).unwrap());
        let connection = Connection {
            id: ports.new_id().unwrap(),
            org_id: self.org,
            app_id: self.id,
            provider_id: config.provider_id.clone(),
            principal: spec.principal.clone(),
            account: spec.account.map(|identifier| AccountInfo {
                identifier: identifier.to_owned(),
                key: Some(identifier.to_owned()),
                display_name: None,
                email: None,
            }),
            values: Values::default(),
            scopes: config.scopes.default.clone(),
            delivery: delivery(definition, &config.values, &config.client_id).unwrap(),
            credential_id: ports.new_id().unwrap(),
            seal_version: 1,
            tokens: TokenFacts {
                obtained_at: now.checked_sub(SignedDuration::from_mins(5)).unwrap(),
                expires_at,
                refreshable: spec.refresh.is_some(),
                refresh_expires_at: None,
                refused: false,
            },
            lease: None,
            state: ConnectionState::Active,
            live_grants: 1,
            created_at: now,
        };
        let refresh = spec.refresh.map(|token| (REFRESH_TOKEN, token));
        let fields = fields([(ACCESS_TOKEN, spec.access)].into_iter().chain(refresh));
        let place = (connection.credential_id, 1);
        let sealed =
            self.vault.sealer().seal_credential(&ports, self.org, self.id, place, &fields).await.unwrap();
        let grant = self.grant_on(&connection);
        let keep = keep_alive_at(definition, &connection.tokens);
        let created =
            Connections(ports.table.as_ref()).create(&connection, &sealed, &grant, keep).await.unwrap();
        assert!(created, "the account is connected already");
        (connection.id, grant.id)
    }

    /// One more grant on a connection.
    pub async fn sibling(&self, id: ConnectionId) -> GrantId {
        let ports = self.vault.calm();
        let connections = Connections(ports.table.as_ref());
        let connection = connections.get(self.id, id).await.unwrap();
        let grant = self.grant_on(&connection.value);
        let more = connection.try_map(Connection::add_grant).unwrap();
        connections.add_grant(&more, &grant, None).await.unwrap();
        grant.id
    }

    pub async fn connection(&self, id: ConnectionId) -> Stored<Connection> {
        Connections(self.vault.calm().table.as_ref()).get(self.id, id).await.unwrap()
    }

    fn grant_on(&self, connection: &Connection) -> Grant {
        Grant {
            id: self.vault.calm().new_id().unwrap(),
            app_id: self.id,
            source: GrantSource::OAuth { connection_id: connection.id },
            credential_id: connection.credential_id,
            provider_id: connection.provider_id.clone(),
            principal: connection.principal.clone(),
            label: None,
            policy: GrantPolicy::default(),
            state: GrantState::Active,
            created_at: self.vault.now(),
        }
    }
}

fn fields(pairs: impl IntoIterator<Item = (&'static str, String)>) -> CredentialFields {
    let pairs = pairs.into_iter().map(|(name, value)| (name, Secret::new(value)));
    CredentialFields::from_pairs(pairs, &[]).expect("fields")
}

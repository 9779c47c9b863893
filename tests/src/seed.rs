//! What an operator sets up, written through the same repositories: so that the suites of the call rest on nothing but
//! what the call reads.

use std::sync::atomic::{AtomicU64, Ordering};

use alter_api_types::{AgentId, AppId, CredentialId, GrantId, KeyId, OrgId, SecretId};
use alter_domain::{
    auth::{key_text, key_text::PublicPart},
    flow::{NewGrant, issue_grant},
    inject::{CredentialFields, CredentialType, DefaultHeaders, InjectRule, Injection, Rules, Target},
    model::{
        Actor, ActorKind, Agent, AgentName, AgentState, ApiKey, App, AppState, Branding, GrantPolicy,
        KeyHolder, KeyState, ManagedSecret, OperatorToken, Org, Permission, Principal, Scopes, Surface,
    },
    port::{Expect, Item, TableName},
    repo::{Agents, ApiKeys, Apps, Credentials, ManagedSecrets, OperatorTokens, Orgs, Stored},
    secret::Secret,
};
use jiff::Timestamp;

use crate::{AgentClient, AppClient, Mode, Operator, SignedClient, TestVault};

/// An API key with its plain text.
#[derive(Clone)]
pub struct TestKey {
    pub id: Option<KeyId>,
    pub plain: Secret<String>,
    pub public_part: PublicPart,
}

/// How a key is to be; the default is an app's key with the standard scopes and `secrets:write`.
#[derive(Default)]
pub struct KeySpec {
    pub agent: Option<AgentId>,
    pub scopes: Option<Vec<&'static str>>,
    pub expires_at: Option<Timestamp>,
    pub state: Option<KeyState>,
}

#[derive(Clone)]
pub struct TestAgent {
    pub id: AgentId,
    pub key: TestKey,
    vault: TestVault,
}

impl TestAgent {
    pub fn client(&self) -> AgentClient {
        AgentClient(SignedClient { vault: self.vault.clone(), key: self.key.clone(), mode: Mode::PlainKey })
    }

    pub fn in_mode(&self, mode: Mode) -> AgentClient {
        AgentClient(SignedClient { vault: self.vault.clone(), key: self.key.clone(), mode })
    }
}

/// A managed secret to be stored.
pub struct SecretSpec {
    pub name: &'static str,
    pub kind: CredentialType,
    pub injection: Injection,
    pub fields: Vec<(&'static str, String)>,
    pub hosts: Vec<String>,
    pub default_headers: Vec<(&'static str, &'static str)>,
}

impl SecretSpec {
    pub fn bearer(name: &'static str, token: &str, host: impl Into<String>) -> Self {
        Self::new(name, CredentialType::Bearer, Injection::bearer(), [("token", token)], host)
    }

    pub fn header(name: &'static str, header: &str, value: &str, host: impl Into<String>) -> Self {
        let injection = Injection::api_key(header).expect("a header that may be injected");
        Self::new(name, CredentialType::ApiKey, injection, [("api_key", value)], host)
    }

    pub fn basic(name: &'static str, user: &str, password: &str, host: impl Into<String>) -> Self {
        let fields = [("username", user), ("password", password)];
        Self::new(name, CredentialType::Basic, Injection::basic(), fields, host)
    }

    pub fn aws(name: &'static str, key_id: &str, secret: &str, host: impl Into<String>) -> Self {
        let fields = [("access_key_id", key_id), ("secret_access_key", secret)];
        Self::new(name, CredentialType::AwsSigv4, Injection::aws_sigv4(), fields, host)
    }

    /// Rules as target, name and format.
    pub fn custom<const N: usize>(
        name: &'static str,
        rules: &[(Target, &str, &str)],
        fields: [(&'static str, &str); N],
        host: impl Into<String>,
    ) -> Self {
        let rule = |(target, name, format): &(Target, &str, &str)| {
            InjectRule::new(*target, name, format).expect("a rule")
        };
        let rules = Rules::new(rules.iter().map(rule).collect()).expect("rules");
        Self::new(name, CredentialType::Custom, Injection::Rules(rules), fields, host)
    }

    fn new<const N: usize>(
        name: &'static str,
        kind: CredentialType,
        injection: Injection,
        fields: [(&'static str, &str); N],
        host: impl Into<String>,
    ) -> Self {
        let fields = fields.map(|(name, value)| (name, value.to_owned())).to_vec();
        Self { name, kind, injection, fields, hosts: vec![host.into()], default_headers: Vec::new() }
    }
}

#[derive(Debug, Clone, Copy)]
pub struct TestSecret {
    pub id: SecretId,
    pub credential_id: CredentialId,
}

/// A grant to be issued.
pub struct GrantSpec {
    pub principal: Principal,
    pub label: Option<String>,
    pub expires_at: Option<Timestamp>,
}

impl GrantSpec {
    pub fn system() -> Self {
        Self { principal: Principal::System, label: None, expires_at: None }
    }

    pub fn agent(agent: &TestAgent) -> Self {
        Self { principal: Principal::Agent { agent_id: agent.id }, label: None, expires_at: None }
    }

    /// A group's grant: found by provider, and usable by the app.
    pub fn group(vault: &TestVault, label: &str) -> Self {
        let idp_id = vault.ports.new_id().expect("an id");
        let principal = Principal::Group { idp_id, external_group_id: "engineering".to_owned() };
        Self { principal, label: Some(label.to_owned()), expires_at: None }
    }

    pub fn user(vault: &TestVault, label: &str) -> Self {
        let principal = Principal::User { user_id: vault.ports.new_id().expect("an id") };
        Self { principal, label: Some(label.to_owned()), expires_at: None }
    }

    #[must_use]
    pub fn expiring(mut self, at: Timestamp) -> Self {
        self.expires_at = Some(at);
        self
    }
}

/// An app with a key.
#[derive(Clone)]
pub struct TestApp {
    pub vault: TestVault,
    pub org: OrgId,
    pub id: AppId,
    pub key: TestKey,
}

impl TestVault {
    pub async fn org(&self, name: &str) -> OrgId {
        let ports = self.calm();
        let org = Org { id: ports.new_id().unwrap(), name: name.to_owned(), created_at: self.now() };
        // The first write of `install` is the organization; the second marks the installation, which there is one of.
        let ops = Orgs::install(&org).unwrap().into_iter().take(1).collect();
        ports.table.transact(ops).await.unwrap();
        org.id
    }

    /// An app of an organization of its own.
    pub async fn app(&self) -> TestApp {
        let org = self.org("Acme").await;
        self.app_in(org).await
    }

    pub async fn app_in(&self, org: OrgId) -> TestApp {
        let ports = self.calm();
        let app = App {
            id: ports.new_id().unwrap(),
            org_id: org,
            name: "Shop".to_owned(),
            description: None,
            website_url: None,
            support_email: None,
            branding: Branding::default(),
            wallet_listed: false,
            state: AppState::Active,
            created_at: self.now(),
        };
        Apps(ports.table.as_ref()).create(&app).await.unwrap();
        let key = self.key_in(org, app.id, KeySpec::default()).await;
        TestApp { vault: self.clone(), org, id: app.id, key }
    }

    /// An operator of the organization with a token of this permission.
    pub async fn operator(&self, org: OrgId, permission: Permission) -> Operator {
        let ports = self.calm();
        let minted = key_text::mint_pat(ports.rng.as_ref()).unwrap();
        let token = OperatorToken {
            id: ports.new_id().unwrap(),
            org_id: org,
            public_part: minted.public_part.to_string(),
            digest: hex::encode(minted.digest),
            name: "test".to_owned(),
            permission,
            expires_at: None,
            revoked_at: None,
            created_at: self.now(),
        };
        ports.table.transact(vec![OperatorTokens::create(&token).unwrap()]).await.unwrap();
        Operator { vault: self.clone(), id: token.id, token: minted.plain }
    }

    /// Whoever holds this key.
    pub fn client_of(&self, key: &TestKey, mode: Mode) -> AppClient {
        AppClient(SignedClient { vault: self.clone(), key: key.clone(), mode })
    }

    async fn key_in(&self, org: OrgId, app: AppId, spec: KeySpec) -> TestKey {
        const SCOPES: [&str; 7] = [
            "proxy:execute",
            "connect:initiate",
            "grants:read",
            "grants:write",
            "audit_logs:read",
            "providers:read",
            "secrets:write",
        ];
        let ports = self.calm();
        let minted = match spec.agent {
            None => key_text::mint_app_key(ports.rng.as_ref()).unwrap(),
            Some(_) => key_text::mint_agent_key(ports.rng.as_ref()).unwrap(),
        };
        let key = ApiKey {
            id: ports.new_id().unwrap(),
            app_id: app,
            org_id: org,
            public_part: minted.public_part.to_string(),
            digest: hex::encode(minted.digest),
            name: "test".to_owned(),
            holder: spec.agent.map_or(KeyHolder::App, |agent_id| KeyHolder::Agent { agent_id }),
            scopes: Scopes::parse(spec.scopes.as_deref().unwrap_or(&SCOPES)).unwrap(),
            expires_at: spec.expires_at,
            state: spec.state.unwrap_or(KeyState::Active),
            created_at: self.now(),
        };
        let sealed = self.sealer().seal_signing_key(&ports, &key, &minted.plain).await.unwrap();
        ports.table.transact(ApiKeys::create(&key, &sealed).unwrap()).await.unwrap();
        TestKey { id: Some(key.id), plain: minted.plain, public_part: minted.public_part }
    }
}

impl TestApp {
    /// The app, sending its key along as the published clients do.
    pub fn client(&self) -> AppClient {
        self.client_of(&self.key, Mode::PlainKey)
    }

    /// The app, keeping its key at home.
    pub fn client_by_id(&self) -> AppClient {
        self.client_of(&self.key, Mode::KeyId)
    }

    pub fn client_of(&self, key: &TestKey, mode: Mode) -> AppClient {
        self.vault.client_of(key, mode)
    }

    pub async fn key(&self, spec: KeySpec) -> TestKey {
        self.vault.key_in(self.org, self.id, spec).await
    }

    pub async fn agent(&self) -> TestAgent {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let ports = self.vault.calm();
        let agent = Agent {
            id: ports.new_id().unwrap(),
            app_id: self.id,
            name: AgentName::parse(&format!("agent-{}", NEXT.fetch_add(1, Ordering::SeqCst))).unwrap(),
            display_name: None,
            state: AgentState::Active,
            created_at: self.vault.now(),
        };
        Agents(ports.table.as_ref()).create(&agent).await.unwrap();
        let key = self.key(KeySpec { agent: Some(agent.id), ..KeySpec::default() }).await;
        TestAgent { id: agent.id, key, vault: self.vault.clone() }
    }

    /// The same agent, at this app's vault.
    pub fn agent_again(&self, agent: &TestAgent) -> TestAgent {
        TestAgent { vault: self.vault.clone(), ..agent.clone() }
    }

    pub async fn revoke_agent(&self, agent: &TestAgent) {
        let ports = self.vault.calm();
        let agents = Agents(ports.table.as_ref());
        let now = self.vault.now();
        let revoked =
            agents.get(self.id, agent.id).await.unwrap().try_map(|agent| agent.revoke(now)).unwrap();
        agents.revoke(&revoked).await.unwrap();
    }

    /// Puts a key into another state.
    pub async fn change_key(&self, key: &TestKey, change: impl FnOnce(ApiKey) -> ApiKey) {
        let ports = self.vault.calm();
        let keys = ApiKeys(ports.table.as_ref());
        let stored = keys.get(self.id, key.id.expect("a key of ours")).await.unwrap();
        keys.save(&Stored { value: change(stored.value), version: stored.version }).await.unwrap();
    }

    pub async fn secret(&self, spec: SecretSpec) -> TestSecret {
        let ports = self.vault.calm();
        let fields = fields(spec.kind, &spec.fields);
        spec.injection.check(fields.names()).expect("an injection that fits its fields");
        let secret = ManagedSecret {
            id: ports.new_id().unwrap(),
            app_id: self.id,
            slug: spec.name.to_owned(),
            name: spec.name.to_owned(),
            template: None,
            credential_type: spec.kind,
            injection: spec.injection,
            default_headers: DefaultHeaders::new(spec.default_headers).unwrap(),
            allowed_hosts: spec.hosts.iter().map(|host| host.parse().expect("a host pattern")).collect(),
            credential_id: ports.new_id().unwrap(),
            seal_version: 1,
            fields: fields.names().map(str::to_owned).collect(),
            created_at: self.vault.now(),
            rotated_at: self.vault.now(),
        };
        let place = (secret.credential_id, 1);
        let sealed =
            self.vault.sealer().seal_credential(&ports, self.org, self.id, place, &fields).await.unwrap();
        let created = ManagedSecrets(ports.table.as_ref()).create(&secret, &sealed, None).await.unwrap();
        assert!(created, "the slug {} is taken", spec.name);
        TestSecret { id: secret.id, credential_id: secret.credential_id }
    }

    /// Replaces a secret's value as the portal does: a new seal version, in the same transaction.
    pub async fn replace_value(&self, secret: &TestSecret, values: &[(&'static str, String)]) {
        let ports = self.vault.calm();
        let secrets = ManagedSecrets(ports.table.as_ref());
        let mut stored = secrets.get(self.id, secret.id).await.unwrap();
        let old = Credentials(ports.table.as_ref()).get(self.id, secret.credential_id).await.unwrap();
        let fields = fields(stored.value.credential_type, values);
        stored.value.seal_version += 1;
        let place = (secret.credential_id, stored.value.seal_version);
        let sealed =
            self.vault.sealer().seal_credential(&ports, self.org, self.id, place, &fields).await.unwrap();
        secrets.rotate(&stored, &Stored { value: sealed, version: old.version }).await.unwrap();
    }

    pub async fn grant(&self, secret: &TestSecret, spec: GrantSpec) -> GrantId {
        let ports = self.vault.calm();
        let new = NewGrant {
            secret_id: secret.id,
            principal: spec.principal,
            label: spec.label,
            policy: GrantPolicy { expires_at: spec.expires_at, max_ttl_seconds: None },
        };
        issue_grant(&ports, (self.org, self.id), new, operator(), Surface::Portal).await.unwrap().id
    }

    /// A bearer secret with a system grant: what most tests need.
    pub async fn bearer(&self, token: &str, host: impl Into<String>) -> (TestSecret, GrantId) {
        let secret = self.secret(SecretSpec::bearer("provider", token, host)).await;
        let grant = self.grant(&secret, GrantSpec::system()).await;
        (secret, grant)
    }
}

impl TestVault {
    /// Overwrites a stored item's body with another's, behind the vault's back.
    pub async fn overwrite(&self, table: TableName, item: Item) {
        self.calm().table.put(table, item, Expect::Any).await.unwrap();
    }
}

fn fields(kind: CredentialType, values: &[(&'static str, String)]) -> CredentialFields {
    let pairs = values.iter().map(|(name, value)| (*name, Secret::new(value.clone())));
    CredentialFields::from_pairs(pairs, kind.public_fields()).expect("fields")
}

fn operator() -> Actor {
    Actor {
        kind: ActorKind::Operator,
        key_id: None,
        key_prefix: None,
        agent_id: None,
        token_id: None,
        caller: None,
        caller_type: None,
        ip: None,
    }
}

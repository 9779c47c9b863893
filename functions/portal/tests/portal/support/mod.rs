//! A portal over an in-memory table, and clients that differ by their token.

mod answer;
pub(crate) mod issuers;
mod makes_only;
mod people;
mod yielding;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use alter_adapter_local::{KeyFile, SqliteTable};
use alter_api_types::{AppId, OrgId};
use alter_domain::{
    auth::key_text,
    crypto::DataKeys,
    egress::EgressRules,
    flow::install,
    model::{AuditEvent, OperatorToken, Org, Permission, Phase},
    port::{AuditError, AuditSink, Clock, ManualClock, NoWork, Record, SeededRng, Table, TableNonces},
    repo::{AuditRows, OperatorTokens, Orgs},
    secret::Secret,
    state::{Ports, Sealer},
};
use alter_portal::PortalState;
use async_trait::async_trait;
use axum::{Router, body::Body};
use http::Request;
use jiff::Timestamp;
use serde_json::{Value, json};
use tower::ServiceExt as _;

pub(crate) use self::answer::{Answer, column};
use self::{issuers::Issuers, makes_only::MakesOnly, yielding::Yielding};

/// A provider of an operator's own, on this machine.
pub(crate) fn toy(id: &str) -> Value {
    json!({
        "id": id,
        "name": "Toy",
        "category": "developer_tools",
        "monogram": "T",
        "docs_url": "https://example.com/docs",
        "authorization": { "url": "http://127.0.0.1:9/auth", "pkce": "required" },
        "token": { "url": "http://127.0.0.1:9/token", "auth": "basic" },
        "scopes": { "known": [
            { "scope": "notes:read", "description": "read your notes", "default": true },
            { "scope": "notes:write", "description": "change your notes" }
        ] },
        "refresh": { "kind": "refresh_token", "rotation": "always" },
        "revocation": { "url": "http://127.0.0.1:9/revoke" },
        "api": { "hosts": ["127.0.0.1:9"] },
        "evidence": { "sources": ["https://example.com/docs"], "date": "2026-11", "endpoints": "low", "behaviour": "low" }
    })
}

/// A value that must never be seen again.
pub(crate) const CANARY: &str = "sk_canary_4f9a/77+e1=";

pub(crate) struct Vault {
    pub(crate) ports: Ports,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) record: Arc<RecordingSink>,
    pub(crate) issuers: Arc<Issuers>,
    pub(crate) org: OrgId,
    pub(crate) admin: String,
    router: Router,
    answers: Mutex<Vec<String>>,
    _key_dir: tempfile::TempDir,
}

impl Vault {
    /// Set up, with an admin token.
    pub(crate) async fn new() -> Self {
        Self::empty().set_up().await
    }

    pub(crate) async fn set_up(mut self) -> Self {
        let vault = &mut self;
        let installed = install(&vault.ports, "Acme", |_| Ok(())).await.unwrap().unwrap();
        vault.org = installed.org_id;
        vault.admin = installed.token.expose_secret().clone();
        self
    }

    /// Before the first run.
    pub(crate) fn empty() -> Self {
        let table: Arc<dyn Table> = Arc::new(Yielding(SqliteTable::memory().unwrap()));
        Self::over(Arc::clone(&table), table)
    }

    /// Before the first run, over these tables: one for all, and the same or a calmer one for the record.
    pub(crate) fn over(table: Arc<dyn Table>, audit: Arc<dyn Table>) -> Self {
        let key_dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at("2026-11-22T08:00:00Z".parse::<Timestamp>().unwrap()));
        let rng = Arc::new(SeededRng::new(7));
        let record = Arc::new(RecordingSink::new(audit));
        let ports = Ports {
            table: Arc::clone(&table),
            audit: Arc::clone(&record) as _,
            nonces: Arc::new(TableNonces::new(table)),
            work: Arc::new(NoWork),
            clock: Arc::clone(&clock) as _,
            rng: Arc::clone(&rng) as _,
        };
        let wrapper = MakesOnly(KeyFile::open_or_create(&key_dir.path().join("vault.key"), rng).unwrap());
        let keys = DataKeys::new(Arc::new(wrapper), Arc::clone(&clock) as Arc<dyn Clock>);
        let issuers = Arc::new(Issuers::default());
        let router = alter_portal::router(PortalState::new(
            ports.clone(),
            Sealer::new(keys),
            "https://vault.example",
            EgressRules { allow_loopback_http: true },
            Arc::clone(&issuers) as _,
        ));
        let org = ports.new_id().unwrap();
        let (admin, answers) = (String::new(), Mutex::default());
        Self { ports, clock, record, issuers, org, admin, router, answers, _key_dir: key_dir }
    }

    pub(crate) fn admin(&self) -> Client<'_> {
        self.client(&self.admin)
    }

    pub(crate) fn client(&self, token: &str) -> Client<'_> {
        Client { vault: self, authorization: Some(format!("Bearer {token}")) }
    }

    pub(crate) fn with_header(&self, authorization: Option<&str>) -> Client<'_> {
        Client { vault: self, authorization: authorization.map(str::to_owned) }
    }

    /// A token of the vault's own organization.
    pub(crate) async fn token(&self, permission: &str) -> String {
        let body = json!({"name": permission, "permission": permission});
        self.admin().post("/tokens", body).await.expect(201).text_at("operator_token")
    }

    /// The admin token of another organization, which an installation gets no other way.
    pub(crate) async fn stranger(&self) -> String {
        let now = self.ports.clock.now();
        let org = Org { id: self.ports.new_id().unwrap(), name: "Other".to_owned(), created_at: now };
        let minted = key_text::mint_pat(self.ports.rng.as_ref()).unwrap();
        let token = OperatorToken {
            id: self.ports.new_id().unwrap(),
            org_id: org.id,
            public_part: minted.public_part.into(),
            digest: digest(minted.digest),
            name: "stranger".to_owned(),
            permission: Permission::Admin,
            expires_at: None,
            revoked_at: None,
            created_at: now,
        };
        let org = Orgs::install(&org).unwrap().remove(0);
        self.ports.table.transact(vec![org, OperatorTokens::create(&token).unwrap()]).await.unwrap();
        plain(&minted.plain)
    }

    pub(crate) async fn app(&self, name: &str) -> AppId {
        let answer = self.admin().post("/apps", json!({"name": name})).await.expect(201);
        answer.text_at("app_id").parse().unwrap()
    }

    /// Every answer that was ever given.
    pub(crate) fn answers(&self) -> Vec<String> {
        self.answers.lock().unwrap().clone()
    }
}

/// One caller.
pub(crate) struct Client<'a> {
    vault: &'a Vault,
    authorization: Option<String>,
}

impl Client<'_> {
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, Some(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send("PATCH", path, Some(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.send("PUT", path, Some(body)).await
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let kind = body.as_ref().map(|_| "application/json");
        self.raw(method, path, kind, body.map(|body| body.to_string()).unwrap_or_default()).await
    }

    /// A second passes with each request, so that what was made later has the later id.
    pub(crate) async fn raw(
        &self,
        method: &str,
        path: &str,
        kind: Option<&str>,
        body: impl Into<Body>,
    ) -> Answer {
        self.vault.clock.advance(1);
        let mut request = Request::builder().method(method).uri(format!("/portal/v1{path}"));
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        if let Some(value) = &self.authorization {
            request = request.header("authorization", value);
        }
        let request = request.body(body.into()).unwrap();
        let answer = Answer::read(self.vault.router.clone().oneshot(request).await.unwrap()).await;
        self.vault.answers.lock().unwrap().push(answer.text.clone());
        answer
    }
}

pub(crate) fn plain(secret: &Secret<String>) -> String {
    secret.expose_secret().clone()
}

fn digest(bytes: [u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Remembers what was recorded, and writes it to the audit table at once.
pub(crate) struct RecordingSink {
    table: Arc<dyn Table>,
    events: Mutex<Vec<AuditEvent>>,
    down: AtomicBool,
}

impl RecordingSink {
    fn new(table: Arc<dyn Table>) -> Self {
        Self { table, events: Mutex::default(), down: AtomicBool::new(false) }
    }

    pub(crate) fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::Relaxed);
    }

    pub(crate) fn events(&self) -> Vec<AuditEvent> {
        self.events.lock().unwrap().clone()
    }

    /// What was done, as `kind outcome`, without the intents.
    pub(crate) fn outcomes(&self) -> Vec<String> {
        let finals = self.events().into_iter().filter(|event| event.phase == Phase::Final);
        finals
            .map(|event| format!("{} {}", event.kind.as_str(), event.outcome.unwrap().kind.as_str()))
            .collect()
    }
}

#[async_trait]
impl AuditSink for RecordingSink {
    async fn record(&self, record: Record) -> Result<(), AuditError> {
        if self.down.load(Ordering::Relaxed) {
            return Err(AuditError::Unavailable("down".to_owned()));
        }
        let event = AuditEvent::decode(&record.0).unwrap();
        AuditRows(self.table.as_ref()).write(std::slice::from_ref(&record)).await;
        self.events.lock().unwrap().push(event);
        Ok(())
    }

    async fn settle(&self) -> Result<(), AuditError> {
        Ok(())
    }
}

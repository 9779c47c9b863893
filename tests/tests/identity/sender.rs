//! An identity provider that sends webhooks, and what its people may do in the vault.

use std::collections::BTreeMap;

use alter_domain::{
    Result,
    model::{
        Actor, EventKind, IdentityProvider, OutcomeKind, Phase, Surface, User, Webhook, WebhookKind,
        WebhookProof,
    },
    oidc::ClaimNames,
    repo::{Deprovisions, IdentityProviders, Stored, Users},
    secret::Secret,
    webhook::{self, shared_token},
};
use alter_tests::{Answer, TestApp, TestIdp, TokenSpec};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use ring::hmac;
use serde_json::{Value, json};

/// An hour before the time at which a test's vault begins: what events count from.
const BEGINNING: i64 = 1_772_362_800;
pub(crate) const CLERK_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub(crate) const WORKOS_SECRET: &str = "wosec_3Zk1oQe9yJ7mT4xV";

pub(crate) type Headers = Vec<(&'static str, String)>;

pub(crate) struct Sender {
    pub(crate) app: TestApp,
    pub(crate) idp: std::sync::Arc<TestIdp>,
    pub(crate) provider: IdentityProvider,
}

impl Sender {
    pub(crate) async fn new(app: TestApp, idp: TestIdp) -> Self {
        Self::of(app, idp.into(), "sub").await
    }

    /// With another claim by which users are told apart.
    pub(crate) async fn reading(app: TestApp, idp: TestIdp, claim: &str) -> Self {
        Self::of(app, idp.into(), claim).await
    }

    /// Another app with the same issuer.
    pub(crate) async fn beside(&self, app: TestApp) -> Self {
        Self::of(app, std::sync::Arc::clone(&self.idp), "sub").await
    }

    async fn of(app: TestApp, idp: std::sync::Arc<TestIdp>, claim: &str) -> Self {
        let claims = ClaimNames::new(claim.to_owned(), Some("groups".to_owned()), None).unwrap();
        let provider = app.identity_provider_as(&idp, |idp| IdentityProvider { claims, ..idp }).await;
        Self { app, idp, provider }
    }

    /// Switches a webhook on, or gives it another proof.
    pub(crate) async fn webhook(
        &self,
        kind: WebhookKind,
        proof: WebhookProof,
        secret: Option<Secret<Vec<u8>>>,
    ) {
        let ports = self.app.vault.calm();
        let table = IdentityProviders(ports.table.as_ref());
        let mut stored = table.get(self.app.id).await.unwrap();
        let now = self.app.vault.now();
        stored.value.webhooks.insert(kind, Webhook { proof, enabled_at: now, rotated_at: now });
        let with = match secret {
            None => None,
            Some(secret) => {
                let sealer = self.app.vault.sealer();
                let sealed =
                    sealer.seal_webhook_secret(&ports, &stored.value, (kind, 1), &secret).await.unwrap();
                Some(IdentityProviders::put_webhook_secret(&sealed).unwrap())
            }
        };
        table.update(&stored, with).await.unwrap();
    }

    /// One that is proven by a token: the token.
    pub(crate) async fn token_webhook(&self, kind: &str) -> String {
        let minted = shared_token::mint(self.app.vault.ports.rng.as_ref()).unwrap();
        let proof = WebhookProof::Token { digest: hex::encode(minted.digest) };
        self.webhook(WebhookKind::parse(kind).unwrap(), proof, None).await;
        minted.plain.expose_secret().clone()
    }

    /// One that is proven by a pasted secret.
    pub(crate) async fn hmac_webhook(&self, kind: &str, pasted: &str) {
        let pasted = Secret::new(pasted.to_owned());
        let kind = WebhookKind::parse(kind).unwrap();
        let key = match kind {
            WebhookKind::Clerk => webhook::svix::key(&pasted),
            _ => webhook::workos::key(&pasted),
        };
        self.webhook(kind, WebhookProof::Hmac { seal_version: 1 }, Some(key.unwrap())).await;
    }

    pub(crate) async fn post(&self, kind: &str, headers: &[(&'static str, String)], body: &str) -> Answer {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let path = format!("/webhooks/{}/{kind}", self.provider.id);
        self.app.vault.anonymous().send("POST", &path, &headers, body.to_owned()).await
    }

    /// Items of a log stream: type, whom it is about, seconds after the beginning.
    pub(crate) async fn auth0(&self, token: &str, items: &[(&str, &str, i64)]) -> Answer {
        let item =
            |(kind, sub, at): &(&str, &str, i64)| auth0_item(&format!("{kind}-{sub}-{at}"), kind, sub, *at);
        let body = Value::from_iter(items.iter().map(item)).to_string();
        self.post("auth0", &[("authorization", token.to_owned())], &body).await
    }

    /// One item with an id of its own.
    pub(crate) async fn auth0_as(&self, token: &str, id: &str, (kind, sub, at): (&str, &str, i64)) -> Answer {
        let body = json!([auth0_item(id, kind, sub, at)]).to_string();
        self.post("auth0", &[("authorization", token.to_owned())], &body).await
    }

    /// One of Clerk's events, signed now; `after` is when it happened, in seconds from now.
    pub(crate) async fn clerk(&self, id: &str, kind: &str, data: &Value, after: i64) -> Answer {
        let body = clerk(kind, data, self.now() + after);
        self.post("clerk", &self.svix(id, &body, self.now()), &body).await
    }

    /// The headers of a Svix delivery that was signed at this Unix second.
    pub(crate) fn svix(&self, id: &str, body: &str, at: i64) -> Headers {
        let key = STANDARD.decode(CLERK_SECRET.strip_prefix("whsec_").unwrap()).unwrap();
        let tag = sign(&key, &format!("{id}.{at}.{body}"));
        vec![
            ("svix-id", id.to_owned()),
            ("svix-timestamp", at.to_string()),
            ("svix-signature", format!("v1,{}", STANDARD.encode(tag))),
        ]
    }

    /// The header of a delivery of WorkOS', signed so many milliseconds from now.
    pub(crate) fn workos(&self, body: &str, after: i64) -> Headers {
        let at = self.now() * 1000 + after;
        let tag = hex::encode(sign(WORKOS_SECRET.as_bytes(), &format!("{at}.{body}")));
        vec![("workos-signature", format!("t={at}, v1={tag}"))]
    }

    pub(crate) fn now(&self) -> i64 {
        self.app.vault.now().as_second()
    }

    /// A time so many seconds from now.
    pub(crate) fn at(&self, after: i64) -> Timestamp {
        Timestamp::from_second(self.now() + after).unwrap()
    }

    /// Somebody's first token.
    pub(crate) async fn arrive(&self, sub: &str) {
        self.comes(sub).await.unwrap();
    }

    /// Somebody comes with a token of now.
    pub(crate) async fn comes(&self, sub: &str) -> Result<()> {
        self.comes_with(&self.idp.token(sub)).await
    }

    pub(crate) async fn comes_with(&self, token: &str) -> Result<()> {
        let known = self.app.vault.identity().identify(self.app.id, token, &Actor::of_vault()).await;
        known.map(|_| ())
    }

    /// The groups in which a token's user is.
    pub(crate) async fn groups(&self, token: &str) -> Vec<String> {
        let known = self.app.vault.identity().identify(self.app.id, token, &Actor::of_vault()).await.unwrap();
        known.membership.groups.iter().cloned().collect()
    }

    /// The groups that are stored.
    pub(crate) async fn membership(&self, sub: &str) -> Vec<String> {
        let table = self.app.vault.calm().table;
        let found =
            Users(table.as_ref()).membership(self.app.user_of(&self.idp, sub), self.app.id).await.unwrap();
        found.map(|membership| membership.value.groups.into_iter().collect()).unwrap_or_default()
    }

    pub(crate) async fn user(&self, sub: &str) -> Option<User> {
        let table = self.app.vault.calm().table;
        let found = Users(table.as_ref()).find(self.app.user_of(&self.idp, sub)).await.unwrap();
        found.map(|user| user.value)
    }

    pub(crate) async fn state(&self, sub: &str) -> &'static str {
        self.user(sub).await.map_or("unknown", |user| user.state.as_str())
    }

    pub(crate) async fn has_task(&self, sub: &str) -> bool {
        let table = self.app.vault.calm().table;
        Deprovisions(table.as_ref()).find(self.app.user_of(&self.idp, sub)).await.unwrap().is_some()
    }

    pub(crate) async fn reinstate(&self, sub: &str) {
        let now = self.app.vault.now();
        self.change(sub, |user| user.reactivate(now, Surface::Portal).unwrap()).await;
    }

    pub(crate) async fn suspend_as_operator(&self, sub: &str) {
        let now = self.app.vault.now();
        self.change(sub, |user| user.suspend(now, Surface::Portal).unwrap()).await;
    }

    async fn change(&self, sub: &str, change: impl FnOnce(User) -> User) {
        let table = self.app.vault.calm().table;
        let stored = Users(table.as_ref()).find(self.app.user_of(&self.idp, sub)).await.unwrap().unwrap();
        let changed = Stored { value: change(stored.value), version: stored.version };
        table.transact(vec![Users::put(&changed).unwrap()]).await.unwrap();
    }

    pub(crate) async fn stored(&self) -> IdentityProvider {
        IdentityProviders(self.app.vault.calm().table.as_ref()).get(self.app.id).await.unwrap().value
    }

    /// What webhooks have done, as the record says.
    pub(crate) fn record(&self) -> Vec<EventKind> {
        let done = |event: &alter_domain::model::AuditEvent| {
            event.surface == Some(Surface::Webhook)
                && event.phase == Phase::Final
                && event.outcome.as_ref().is_some_and(|outcome| outcome.kind == OutcomeKind::Success)
        };
        self.app.vault.audit.events().into_iter().filter(done).map(|event| event.kind).collect()
    }

    /// A token that tells of events, with the explicit type of its standard.
    pub(crate) fn event_token(&self, kind: &str, claims: BTreeMap<&str, Value>) -> TokenSpec {
        let token =
            self.idp.claims("").without("sub").header("typ", json!(kind)).claim("jti", json!("jti-1"));
        claims.into_iter().fold(token, |token, (name, value)| token.claim(name, value))
    }
}

fn auth0_item(id: &str, kind: &str, sub: &str, at: i64) -> Value {
    let date = Timestamp::from_second(BEGINNING + at).unwrap().to_string();
    json!({ "log_id": id, "data": { "log_id": id, "type": kind, "user_id": sub, "date": date, "ip": "203.0.113.7" } })
}

pub(crate) fn clerk(kind: &str, data: &Value, at: i64) -> String {
    json!({ "object": "event", "type": kind, "timestamp": at * 1000, "data": data }).to_string()
}

pub(crate) fn workos(id: &str, kind: &str, data: &Value, at: Timestamp) -> String {
    json!({ "id": id, "event": kind, "data": data, "created_at": at.to_string() }).to_string()
}

pub(crate) fn okta(id: &str, kind: &str, target: &Value, result: &str, at: Timestamp) -> String {
    let event = json!({ "uuid": id, "eventType": kind, "published": at.to_string(), "outcome": { "result": result },
        "target": target });
    json!({ "eventType": "com.okta.event_hook", "data": { "events": [event] } }).to_string()
}

fn sign(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

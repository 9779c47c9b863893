//! An app with an identity provider, people, and a provider that shows what it was sent.

use alter_domain::{
    api::{GrantId, UserId},
    model::{Actor, AuditEvent, IdentityProvider, Permission, Principal, ProviderConfig},
};
use alter_tests::{
    Answer, AppClient, ConnectionSpec, GrantSpec, SecretSpec, TestApp, TestIdp, TestSecret, TestVault,
    Upstream, toy_provider,
};
use serde_json::{Value, json};

pub(crate) struct World {
    pub(crate) app: TestApp,
    pub(crate) idp: TestIdp,
    pub(crate) upstream: Upstream,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::of(TestVault::new().await).await
    }

    pub(crate) async fn of(vault: TestVault) -> Self {
        Self::made(vault, |as_it_is| as_it_is).await
    }

    /// With an identity provider that is configured in another way.
    pub(crate) async fn with(change: impl FnOnce(IdentityProvider) -> IdentityProvider) -> Self {
        Self::made(TestVault::new().await, change).await
    }

    async fn made(vault: TestVault, change: impl FnOnce(IdentityProvider) -> IdentityProvider) -> Self {
        let (app, idp, upstream) = (vault.app().await, TestIdp::start().await, Upstream::echo().await);
        app.identity_provider_as(&idp, change).await;
        Self { app, idp, upstream }
    }

    pub(crate) fn client(&self) -> AppClient {
        self.app.client()
    }

    /// Somebody whom the app has seen.
    pub(crate) async fn user(&self, sub: &str) -> UserId {
        self.seen(&self.idp.token(sub)).await
    }

    pub(crate) async fn seen(&self, token: &str) -> UserId {
        let identity = self.app.vault.identity();
        identity.identify(self.app.id, token, &Actor::of_vault()).await.unwrap().user_id()
    }

    /// A managed secret for the provider's host.
    pub(crate) async fn secret(&self, name: &'static str) -> TestSecret {
        self.app.secret(SecretSpec::bearer(name, &format!("secret-of-{name}"), self.upstream.host())).await
    }

    /// A managed secret's grant of a user who was seen.
    pub(crate) async fn own(&self, secret: &TestSecret, sub: &str) -> GrantId {
        let user = self.user(sub).await;
        self.app.grant(secret, GrantSpec::of_user(user, sub)).await
    }

    pub(crate) async fn of_group(&self, secret: &TestSecret, group: &str) -> GrantId {
        let idp = IdentityProvider::id_of(self.app.id, &self.idp.issuer());
        self.app.grant(secret, GrantSpec::of_group(idp, group, group)).await
    }

    /// The OAuth provider `toy`, whose API is the upstream.
    pub(crate) async fn toy(&self) -> ProviderConfig {
        self.app.provider(toy_provider("https://auth.example.com", &self.upstream.host())).await
    }

    /// A user's account there; its access token is `access-of-` and the account.
    pub(crate) async fn connected(&self, toy: &ProviderConfig, sub: &str, account: &'static str) -> GrantId {
        let user_id = self.user(sub).await;
        let spec = ConnectionSpec {
            principal: Principal::User { user_id },
            account: Some(account),
            ..ConnectionSpec::new(format!("access-of-{account}"), Some("refresh-0123456789"))
        };
        self.app.connect(toy, spec).await.1
    }

    pub(crate) fn by_provider(&self, provider: &str, token: &str) -> Value {
        json!({ "method": "GET", "url": self.upstream.url("/"), "provider_id": provider, "user_token": token })
    }

    pub(crate) fn by_grant(&self, grant: GrantId, token: &str) -> Value {
        json!({ "method": "GET", "url": self.upstream.url("/"), "grant_id": grant, "user_token": token })
    }

    /// A call without any user's token.
    pub(crate) fn plain(&self, grant: GrantId) -> Value {
        json!({ "method": "GET", "url": self.upstream.url("/"), "grant_id": grant })
    }

    pub(crate) async fn proxy(&self, call: &Value) -> Answer {
        self.client().proxy(call).await
    }

    /// The credential that the provider saw last.
    pub(crate) fn credential(&self) -> String {
        self.upstream.last().header("authorization").expect("a credential").to_owned()
    }

    /// The latest call on record.
    pub(crate) fn last_call(&self) -> AuditEvent {
        self.app.vault.audit.calls().pop().expect("a call on record")
    }

    /// An operator's change of a user: `suspend`, `reactivate` or `deprovision`.
    pub(crate) async fn operator(&self, user: UserId, change: &str) -> Answer {
        let operator = self.app.vault.operator(self.app.org, Permission::Admin).await;
        operator.post(&format!("/portal/v1/apps/{}/users/{user}/{change}", self.app.id), &json!({})).await
    }
}

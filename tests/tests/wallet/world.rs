//! An app that signs people in at an identity provider, Alice and Bob who are signed in to the Wallet, and a provider that shows
//! what it was sent.

use alter_domain::{
    api::{GrantId, UserId},
    model::{Actor, IdentityProvider, ProviderConfig},
    repo::{Apps, Stored},
};
use alter_tests::{
    Answer, Browser, GrantSpec, PUBLIC, SecretSpec, TestApp, TestIdp, TestSecret, TestVault, TokenSpec,
    Upstream, location, toy_provider,
};
use serde_json::Value;

pub(crate) struct World {
    pub(crate) app: TestApp,
    pub(crate) idp: TestIdp,
    pub(crate) upstream: Upstream,
    pub(crate) alice: Person,
    pub(crate) bob: Person,
}

/// Somebody's browser, signed in, on the Wallet's page.
pub(crate) struct Person {
    pub(crate) user: UserId,
    pub(crate) browser: Browser,
    /// What each of the page's writes carries.
    pub(crate) csrf: String,
}

/// The session's cookie, as it is named over https.
pub(crate) const COOKIE: &str = "__Host-alter_wallet";

impl World {
    pub(crate) async fn new() -> Self {
        Self::of(TestVault::new().await).await
    }

    pub(crate) async fn of(vault: TestVault) -> Self {
        let (app, idp, upstream) = (vault.app().await, TestIdp::start().await, Upstream::echo().await);
        app.signs_in_at(&idp).await;
        let (alice, bob) =
            (Person::sign_in(&app, &idp, "alice").await, Person::sign_in(&app, &idp, "bob").await);
        Self { app, idp, upstream, alice, bob }
    }

    /// Another app of the same organization, with the same identity provider.
    pub(crate) async fn beside(&self, name: &str) -> TestApp {
        let app = self.app.vault.app_in(self.app.org).await;
        app.signs_in_at(&self.idp).await;
        let ports = app.vault.calm();
        let apps = Apps(ports.table.as_ref());
        let Stored { mut value, version } = apps.get(app.org, app.id).await.unwrap();
        value.name = name.to_owned();
        apps.update(&Stored { value, version }).await.unwrap();
        app
    }

    /// Somebody else, or the same person in another browser.
    pub(crate) async fn person(&self, sub: &str) -> Person {
        Person::sign_in(&self.app, &self.idp, sub).await
    }

    /// Somebody whose ID token says more.
    pub(crate) async fn person_as(
        &self,
        sub: &str,
        change: impl FnOnce(TokenSpec) -> TokenSpec + Send + 'static,
    ) -> Person {
        self.idp.next_id_token(change);
        self.person(sub).await
    }

    pub(crate) fn browser(&self) -> Browser {
        Browser::new(&self.app.vault)
    }

    /// Somebody whom the app has seen, by a token of theirs.
    pub(crate) async fn seen(&self, app: &TestApp, token: &str) -> UserId {
        app.vault.identity().identify(app.id, token, &Actor::of_vault()).await.unwrap().user_id()
    }

    /// A managed secret of the app for the upstream's host.
    pub(crate) async fn secret(&self, app: &TestApp, name: &'static str) -> TestSecret {
        app.secret(SecretSpec::bearer(name, &format!("secret-of-{name}"), self.upstream.host())).await
    }

    /// A grant of somebody's own on a managed secret.
    pub(crate) async fn own(&self, app: &TestApp, secret: &TestSecret, person: &Person) -> GrantId {
        app.grant(secret, GrantSpec::of_user(person.user, "own")).await
    }

    /// A grant of a group's.
    pub(crate) async fn of_group(&self, app: &TestApp, secret: &TestSecret, group: &str) -> GrantId {
        let idp = IdentityProvider::id_of(app.id, &self.idp.issuer());
        app.grant(secret, GrantSpec::of_group(idp, group, group)).await
    }

    /// The OAuth provider `toy`, whose API is the upstream.
    pub(crate) async fn toy(&self, app: &TestApp) -> ProviderConfig {
        app.provider(toy_provider("https://auth.example.com", &self.upstream.host())).await
    }
}

impl Person {
    /// The whole way: to the identity provider and back.
    pub(crate) async fn sign_in(app: &TestApp, idp: &TestIdp, sub: &str) -> Self {
        let mut browser = Browser::new(&app.vault);
        let authorize = location(&browser.get(&begin(app)).await);
        let back = browser.get(idp.sign_in(&authorize, sub).as_str()).await;
        assert_eq!((back.status.as_u16(), back.header("location")), (303, Some("/")), "{}", back.text());
        Self::of(browser).await
    }

    /// The page of a browser that is signed in.
    pub(crate) async fn of(browser: Browser) -> Self {
        let mut person = Self { user: uuid(), browser, csrf: String::new() };
        let session = person.get("/wallet/api/session").await.ok();
        person.user = session["user_id"].as_str().unwrap().parse().unwrap();
        person.csrf = session["csrf_token"].as_str().unwrap().to_owned();
        person
    }

    /// A read of the page's.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[("sec-fetch-site", "same-origin")], "").await
    }

    /// A write of the page's.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &self.page(), &body.to_string()).await
    }

    /// What the page sends with a write.
    pub(crate) fn page(&self) -> [(&str, &str); 4] {
        [
            ("sec-fetch-site", "same-origin"),
            ("origin", PUBLIC),
            ("content-type", "application/json"),
            ("x-alter-csrf", &self.csrf),
        ]
    }

    /// Anything, with the browser's cookies.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut browser = self.browser.clone();
        browser.send(method, path, headers, body.to_owned()).await
    }

    /// The session's cookie.
    pub(crate) fn cookie(&self) -> &str {
        &self.browser.cookies[COOKIE]
    }
}

/// Where a sign-in at this app begins.
pub(crate) fn begin(app: &TestApp) -> String {
    format!("/api/auth/sign-in?app={}", app.id)
}

fn uuid() -> UserId {
    "00000000-0000-0000-0000-000000000000".parse().unwrap()
}

//! Each route of the Wallet × the person themselves, somebody else, a session that is over, a browser that does not mean it (B027).

use alter_tests::{Answer, Browser, GrantSpec, PUBLIC, TestApp, TestIdp, TestVault, location};
use serde_json::Value;

use crate::{
    TOKEN,
    access::{alike, of_nothing, says},
    access_table::{Door, Ids, Row, table},
};

struct World {
    app: TestApp,
    alice: Person,
    bob: Person,
    /// What Alice has.
    hers: Ids,
}

struct Person {
    browser: Browser,
    csrf: String,
}

impl World {
    async fn new() -> Self {
        let (app, idp) = (TestVault::new().await.app().await, TestIdp::start().await);
        app.signs_in_at(&idp).await;
        let (alice, bob) =
            (Person::sign_in(&app, &idp, "alice").await, Person::sign_in(&app, &idp, "bob").await);
        let (secret, _) = app.bearer(TOKEN, "api.example.com").await;
        let user = app.user_of(&idp, "alice");
        let grant = app.grant(&secret, GrantSpec::of_user(user, "hers")).await;
        let hers = Ids {
            app: app.id.to_string(),
            key: String::new(),
            agent: String::new(),
            secret: secret.id.to_string(),
            grant: grant.to_string(),
            provider: String::new(),
            user: user.to_string(),
            token: String::new(),
            event: String::new(),
            url: String::new(),
        };
        Self { app, alice, bob, hers }
    }
}

impl Person {
    async fn sign_in(app: &TestApp, idp: &TestIdp, sub: &str) -> Self {
        let mut browser = Browser::new(&app.vault);
        let authorize = location(&browser.get(&format!("/api/auth/sign-in?app={}", app.id)).await);
        browser.get(idp.sign_in(&authorize, sub).as_str()).await;
        let session = browser.get("/wallet/api/session").await.ok();
        Self { browser, csrf: session["csrf_token"].as_str().unwrap().to_owned() }
    }

    /// The row's request, as the Wallet's page makes it.
    async fn ask(&self, row: &Row, ids: &Ids) -> Answer {
        let page = [("origin", PUBLIC), ("x-alter-csrf", self.csrf.as_str())];
        self.ask_as(row, ids, &page).await
    }

    async fn ask_as(&self, row: &Row, ids: &Ids, headers: &[(&str, &str)]) -> Answer {
        let (method, path) = row.route;
        let mut target = ids.fill(path).replace("{approval_id}", &ids.grant);
        let query = (row.query)(ids);
        if !query.is_empty() {
            target = format!("{target}?{query}");
        }
        let body = Some((row.body)(ids)).filter(|body| !body.is_null());
        let mut headers = headers.to_vec();
        headers.extend(body.as_ref().map(|_| ("content-type", "application/json")));
        let text = body.as_ref().map(Value::to_string).unwrap_or_default();
        self.browser.clone().send(method, &target, &headers, text).await
    }
}

fn rows() -> impl Iterator<Item = Row> {
    table().into_iter().filter(|row| row.door == Door::Session)
}

#[tokio::test]
async fn everybody_has_what_is_theirs() {
    for row in rows() {
        // What a request ends is over for the next.
        let world = World::new().await;
        says(&row, &world.alice.ask(&row, &world.hers).await, row.own);
    }
}

#[tokio::test]
async fn b027_what_is_somebody_elses_answers_as_if_it_did_not_exist() {
    let world = World::new().await;
    for row in rows() {
        let Some(expected) = row.foreign else { continue };
        let theirs = world.bob.ask(&row, &world.hers).await;
        says(&row, &theirs, expected);
        let nothing = world.bob.ask(&row, &of_nothing(&world.app.vault, &world.hers)).await;
        alike(&row, &theirs, &nothing);
        assert!(!theirs.text().contains(&world.hers.user), "{:?}: {}", row.route, theirs.text());
    }
    // Nothing of it has done anything.
    let overview = world.alice.browser.clone().get("/wallet/api/overview").await.ok();
    assert_eq!(overview["grants"][0]["status"], "active");
}

#[tokio::test]
async fn a_session_that_is_over_opens_nothing() {
    let world = World::new().await;
    let out = |row: &Row| row.route.1.ends_with("/sign-out");
    let sign_out = rows().find(out).unwrap();
    world.alice.ask(&sign_out, &world.hers).await.ok();
    for row in rows().filter(|row| !out(row)) {
        says(&row, &world.alice.ask(&row, &world.hers).await, (401, "wallet_session_required"));
    }
    // Nor one that was not used for too long.
    world.app.vault.clock.advance(8 * 3600);
    for row in rows().filter(|row| !out(row)) {
        says(&row, &world.bob.ask(&row, &world.hers).await, (401, "wallet_session_required"));
    }
}

#[tokio::test]
async fn a_request_that_another_page_made_is_refused() {
    let world = World::new().await;
    let csrf = world.alice.csrf.as_str();
    for row in rows() {
        let page = [("origin", PUBLIC), ("x-alter-csrf", csrf), ("sec-fetch-site", "cross-site")];
        says(&row, &world.alice.ask_as(&row, &world.hers, &page).await, (403, "csrf_failed"));
        if row.route.0 == "GET" {
            continue;
        }
        for forged in [
            vec![],
            vec![("x-alter-csrf", csrf)],
            vec![("origin", PUBLIC)],
            vec![("origin", "https://evil.example"), ("x-alter-csrf", csrf)],
            vec![("origin", PUBLIC), ("x-alter-csrf", world.bob.csrf.as_str())],
        ] {
            says(&row, &world.alice.ask_as(&row, &world.hers, &forged).await, (403, "csrf_failed"));
        }
    }
    let overview = world.alice.browser.clone().get("/wallet/api/overview").await.ok();
    assert_eq!(overview["grants"][0]["status"], "active");
}

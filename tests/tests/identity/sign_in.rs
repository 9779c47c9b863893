//! Sign-in for apps that have no page of their own: through the vault's routes, with an identity provider that does its part (B065).

use std::time::{Duration, Instant};

use alter_domain::{
    keyspace,
    model::{ActorKind, EventKind, Phase, UserState},
    port::TableName,
    repo::{Stored, Users},
};
use alter_tests::{
    Answer, Browser, PUBLIC, SIGN_IN_CLIENT, SIGN_IN_SECRET, TestApp, TestIdp, TestVault, leads_to, location,
    logged, query,
};
use serde_json::{Value, json};
use url::Url;

mod attacks;
mod provider;

pub(crate) struct Stage {
    pub(crate) app: TestApp,
    pub(crate) idp: TestIdp,
}

/// A sign-in as the app sees it.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) token: String,
    pub(crate) url: String,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        let (app, idp) = (TestVault::new().await.app().await, TestIdp::start().await);
        app.signs_in_at(&idp).await;
        Self { app, idp }
    }

    pub(crate) fn browser(&self) -> Browser {
        Browser::new(&self.app.vault)
    }

    pub(crate) async fn session(&self) -> Session {
        let answer = self.app.client().post("/sdk/auth/session", &json!({})).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        let text = |name: &str| answer.json()[name].as_str().unwrap().to_owned();
        Session { token: text("session_token"), url: text("auth_url") }
    }

    pub(crate) async fn poll(&self, session: &Session) -> Value {
        self.app.client().post("/sdk/auth/poll", &json!({ "session_token": session.token })).await.ok()
    }

    /// A whole sign-in in a browser of its own: the page that it ends on.
    pub(crate) async fn sign_in(&self, session: &Session, sub: &str) -> Answer {
        let mut browser = self.browser();
        let authorize = location(&browser.get(&session.url).await);
        browser.come_back(&self.idp.sign_in(&authorize, sub)).await
    }

    /// Nobody was made known, no code was sent anywhere, and the app still waits.
    pub(crate) async fn nothing_happened(&self, session: &Session) {
        assert_eq!(self.poll(session).await, json!({ "status": "pending" }));
        assert!(self.idp.exchanges().is_empty());
        self.nobody_is_known().await;
    }

    pub(crate) async fn nobody_is_known(&self) {
        let ports = self.app.vault.calm();
        assert_eq!(Users(ports.table.as_ref()).members(self.app.id, 10, None).await.unwrap().items, []);
    }

    async fn verify(&self, token: &str) -> Answer {
        self.app.client().post("/sdk/auth/verify-token", &json!({ "token": token })).await
    }

    async fn change_user(&self, sub: &str, state: UserState) {
        let ports = self.app.vault.calm();
        let Stored { mut value, version } =
            Users(ports.table.as_ref()).find(self.app.user_of(&self.idp, sub)).await.unwrap().unwrap();
        value.state = state;
        ports.table.transact(vec![Users::put(&Stored { value, version }).unwrap()]).await.unwrap();
    }
}

#[track_caller]
pub(crate) fn failed(answer: &Value, code: &str) {
    assert_eq!((&answer["status"], &answer["error_code"]), (&json!("error"), &json!(code)), "{answer}");
    assert!(!answer["error_message"].as_str().unwrap().is_empty());
    assert!(answer["user_token"].is_null());
}

#[tokio::test]
async fn b065_somebody_signs_in_and_the_app_has_their_token() {
    let stage = Stage::new().await;
    let made = stage.app.client().post("/sdk/auth/session", &json!({})).await;
    assert_eq!(made.status, 201);
    let made = made.json();
    assert_eq!(made.as_object().unwrap().len(), 4);
    assert_eq!((&made["expires_in"], &made["expires_at"]), (&json!(600), &json!("2026-03-01T12:10:00Z")));
    let (token, url) = (made["session_token"].as_str().unwrap(), made["auth_url"].as_str().unwrap());
    let session = Session { token: token.to_owned(), url: url.to_owned() };
    assert!(url.starts_with(&format!("{PUBLIC}/sdk/auth/start/")), "{url}");
    assert!(!url.contains(token.strip_prefix("auth_sess_").unwrap()), "the link does not poll");
    assert_eq!(stage.poll(&session).await, json!({ "status": "pending" }));

    let mut browser = stage.browser();
    let sent = browser.get(url).await;
    let cookie = sent.header("set-cookie").unwrap();
    assert!(cookie.starts_with("__Host-alter_sign_in_"), "{cookie}");
    assert!(cookie.contains("; HttpOnly; SameSite=Lax; Secure") && cookie.contains("; Path=/;"), "{cookie}");
    let authorize = location(&sent);
    assert!(authorize.as_str().starts_with(&format!("{}/authorize?", stage.idp.issuer())));
    let asked = query(&authorize);
    let expected = [
        ("response_type", "code"),
        ("client_id", SIGN_IN_CLIENT),
        ("redirect_uri", "https://vault.example/sdk/auth/callback"),
        ("scope", "openid profile email"),
        ("code_challenge_method", "S256"),
    ];
    assert_eq!(expected.map(|(name, _)| (name, asked[name].as_str())), expected);
    for secret in ["state", "nonce", "code_challenge"] {
        assert!(asked[secret].len() >= 43, "{secret}");
        assert!(!asked[secret].contains(browser.cookies.values().next().unwrap()));
    }

    let page = browser.come_back(&stage.idp.sign_in(&authorize, "ada")).await;
    assert_eq!(page.status, 200);
    for text in ["You are signed in to Shop", "ADA", "ada@example.com", "You can close this window"] {
        assert!(page.text().contains(text), "{text}: {}", page.text());
    }
    let result = stage.poll(&session).await;
    assert_eq!(result["status"], "completed");
    assert_eq!(result["user_info"], json!({ "sub": "ada", "email": "ada@example.com", "name": "ADA" }));
    assert_eq!(stage.poll(&session).await, result, "an answer may be lost");

    // The token is one that the vault's own checks accept.
    let user_token = result["user_token"].as_str().unwrap();
    assert_eq!(stage.verify(user_token).await.ok(), json!({ "sub": "ada" }));
    let identity = json!({ "user_token": user_token });
    let identity = stage.app.client().post("/sdk/identity/resolve", &identity).await.ok();
    assert_eq!(identity["app_user_id"], json!(stage.app.user_of(&stage.idp, "ada")));

    // It was exchanged as the client is registered, and rests sealed.
    let exchanges = stage.idp.exchanges();
    assert_eq!(exchanges.len(), 1);
    assert!(exchanges[0].authorization.as_deref().unwrap().starts_with("Basic "));
    assert!(!exchanges[0].form.contains_key("client_secret"));
    let id = page_id(&browser.get(url).await);
    let item =
        stage.app.vault.calm().table.get(TableName::Main, &keyspace::sign_in(id)).await.unwrap().unwrap();
    let stored = String::from_utf8_lossy(&item.body).into_owned();
    assert!(stored.contains("sealed_token"));
    for secret in
        [user_token, token, url.rsplit('/').next().unwrap(), browser.cookies.values().next().unwrap()]
    {
        assert!(!stored.contains(secret), "{secret} in {stored}");
    }
    assert!(item.expires_at.is_some_and(|at| at <= stage.app.vault.now().as_second() + 660));
}

/// Of a redirect to the page of the result.
fn page_id(answer: &Answer) -> alter_domain::api::SignInId {
    let location = answer.header("location").unwrap();
    location.strip_prefix("/sdk/auth/result/").unwrap().parse().unwrap()
}

#[tokio::test]
async fn without_a_provider_or_a_client_there_nobody_can_sign_in() {
    let app = TestVault::new().await.app().await;
    let create = async || app.client().post("/sdk/auth/session", &json!({})).await;
    create().await.refused(400, "identity_provider_not_configured");
    let verify = app.client().post("/sdk/auth/verify-token", &json!({ "token": "a.b.c" })).await;
    verify.refused(400, "identity_provider_not_configured");
    let idp = TestIdp::start().await;
    app.identity_provider(&idp).await;
    create().await.refused(409, "idp_signin_not_configured");
    let key = app.key(alter_tests::KeySpec { scopes: Some(vec!["grants:read"]), ..Default::default() }).await;
    let weak = app.client_of(&key, alter_tests::Mode::PlainKey);
    weak.post("/sdk/auth/session", &json!({})).await.refused(403, "insufficient_scope");
    let poll = json!({ "session_token": "auth_sess_x" });
    weak.post("/sdk/auth/poll", &poll).await.refused(403, "insufficient_scope");
}

#[tokio::test]
async fn a_sign_in_expires_after_ten_minutes() {
    let stage = Stage::new().await;
    let (opened, unopened, late) = (stage.session().await, stage.session().await, stage.session().await);
    let (mut browser, mut other) = (stage.browser(), stage.browser());
    let authorize = location(&browser.get(&opened.url).await);
    let back = stage.idp.sign_in(&authorize, "ada");
    let in_time = stage.idp.sign_in(&location(&other.get(&late.url).await), "ada");
    stage.app.vault.clock.advance(599);
    other.come_back(&in_time).await;
    stage.app.vault.clock.advance(1);
    for session in [&opened, &unopened] {
        assert_eq!(stage.poll(session).await, json!({ "status": "expired" }));
    }
    assert_eq!(browser.get(back.as_str()).await.status, 410);
    assert_eq!(stage.browser().get(&unopened.url).await.status, 410);
    assert_eq!(stage.idp.exchanges().len(), 1, "the late ones reached nobody");
    // A result that came in the last moment is told for a while, and then forgotten.
    assert_eq!(stage.poll(&late).await["status"], "completed");
    stage.app.vault.clock.advance(60);
    assert_eq!(stage.poll(&late).await, json!({ "status": "expired" }));
}

#[tokio::test]
async fn a_poll_is_held_until_somebody_has_signed_in() {
    let stage = Stage::new().await;
    let session = stage.session().await;
    let held = |wait: u64| json!({ "session_token": session.token, "wait_ms": wait });
    let began = Instant::now();
    let client = stage.app.client();
    let pending = client.post("/sdk/auth/poll", &held(400)).await.ok();
    assert_eq!(pending, json!({ "status": "pending" }));
    assert!(began.elapsed() >= Duration::from_millis(400), "{:?}", began.elapsed());
    let sign_in = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        stage.sign_in(&session, "ada").await
    };
    let body = held(20_000);
    let (answer, page) = tokio::join!(client.post("/sdk/auth/poll", &body), sign_in);
    assert_eq!(page.status, 200);
    assert_eq!(answer.ok()["status"], "completed");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let body = json!({ "session_token": "x", "wait_ms": -1 });
    client.post("/sdk/auth/poll", &body).await.refused(400, "invalid_request");
}

#[tokio::test]
async fn who_is_suspended_or_has_left_does_not_sign_in() {
    let stage = Stage::new().await;
    let before = stage.session().await;
    stage.sign_in(&before, "ada").await;
    assert_eq!(stage.poll(&before).await["status"], "completed");
    let at = stage.app.vault.now();
    let from = alter_domain::model::Surface::Portal;
    for (state, code) in [
        (UserState::Suspended { at, from }, "user_suspended"),
        (UserState::Deprovisioned { at, from }, "user_deprovisioned"),
    ] {
        stage.change_user("ada", state).await;
        // Nor is the sign-in from before told any more.
        failed(&stage.poll(&before).await, code);
        let session = stage.session().await;
        let page = stage.sign_in(&session, "ada").await;
        assert!(page.text().contains("You are not signed in"), "{}", page.text());
        failed(&stage.poll(&session).await, code);
        stage.verify(&stage.idp.claims("ada").aud(SIGN_IN_CLIENT).sign()).await.refused(403, code);
    }
    let session = stage.session().await;
    stage.sign_in(&session, "bob").await;
    assert_eq!(stage.poll(&session).await["status"], "completed");
}

#[tokio::test]
async fn a_token_is_verified_for_whoever_asks() {
    let stage = Stage::new().await;
    assert_eq!(stage.verify(&stage.idp.token("ada")).await.ok(), json!({ "sub": "ada" }));
    for bad in ["", "a.b.c", &stage.idp.claims("ada").expires_in(-120).sign()] {
        stage.verify(bad).await.refused(401, "jwt_validation_error");
    }
    stage.app.client().post("/sdk/auth/verify-token", &json!({})).await.refused(400, "invalid_request");
}

#[tokio::test]
async fn a_link_on_somebody_elses_page_asks_first() {
    let stage = Stage::new().await;
    let session = stage.session().await;
    let mut browser = stage.browser();
    for headers in [
        [("sec-fetch-site", "cross-site")],
        [("sec-fetch-site", "same-site")],
        [("sec-purpose", "prefetch;prerender")],
    ] {
        let asked = browser.send("GET", &session.url, &headers, String::new()).await;
        assert_eq!(asked.status, 200);
        assert!(asked.text().contains("Sign in to Shop?"), "{}", asked.text());
        assert!(asked.header("set-cookie").is_none() && browser.cookies.is_empty());
    }
    assert_eq!(browser.send("HEAD", &session.url, &[], String::new()).await.status, 200);
    let forged = [("sec-fetch-site", "cross-site")];
    assert_eq!(browser.send("POST", &session.url, &forged, String::new()).await.status, 403);
    stage.nothing_happened(&session).await;

    let leaving = browser.post(&session.url, &[]).await;
    assert_eq!(leaving.status, 200);
    let back = stage.idp.sign_in(&leads_to(&leaving), "ada");
    browser.come_back(&back).await;
    assert_eq!(stage.poll(&session).await["status"], "completed");
}

#[tokio::test]
async fn a_browser_that_is_closed_at_the_last_moment_ends_no_sign_in() {
    let stage = Stage::new().await;
    let session = stage.session().await;
    let mut browser = stage.browser();
    let back = stage.idp.sign_in(&location(&browser.get(&session.url).await), "ada");
    let gate = stage.idp.hold_the_next_exchange();
    let hung_up = tokio::time::timeout(Duration::from_millis(500), browser.get(back.as_str())).await;
    assert!(hung_up.is_err(), "the exchange was under way");
    gate.notify_one();
    let body = json!({ "session_token": session.token, "wait_ms": 10_000 });
    let told = stage.app.client().post("/sdk/auth/poll", &body).await.ok();
    assert_eq!(told["user_info"]["sub"], "ada");
}

#[tokio::test]
async fn two_tabs_of_one_browser_do_not_lock_each_other_out() {
    let stage = Stage::new().await;
    let session = stage.session().await;
    let mut browser = stage.browser();
    let first = location(&browser.get(&session.url).await);
    let second = location(&browser.get(&session.url).await);
    assert_ne!(query(&first)["state"], query(&second)["state"]);
    assert_ne!(query(&first)["nonce"], query(&second)["nonce"]);
    assert_eq!(browser.cookies.len(), 1);
    let (late, back) = (stage.idp.sign_in(&second, "bob"), stage.idp.sign_in(&first, "ada"));
    browser.come_back(&back).await;
    assert_eq!(browser.get(late.as_str()).await.status, 410);
    assert_eq!(stage.poll(&session).await["user_info"]["sub"], "ada");
}

#[tokio::test]
async fn the_record_tells_who_signed_in_for_whom_and_from_where() {
    let stage = Stage::new().await;
    stage.sign_in(&stage.session().await, "ada").await;
    let events = stage.app.vault.audit.events();
    let finals: Vec<_> = events.iter().filter(|event| event.phase == Phase::Final).collect();
    let kinds: Vec<_> = finals.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::UserCreated, EventKind::SignInCompleted]);
    for event in finals {
        assert_eq!(event.user_id, Some(stage.app.user_of(&stage.idp, "ada")));
        assert_eq!((event.actor.kind, event.actor.ip.as_deref()), (ActorKind::App, Some("192.0.2.7")));
    }
    // Nothing happens that is not on the record.
    let session = stage.session().await;
    stage.app.vault.audit.refuse(|event| event.kind == EventKind::SignInCompleted);
    stage.sign_in(&session, "ada").await;
    failed(&stage.poll(&session).await, "sign_in_failed");
}

#[tokio::test]
async fn no_log_has_a_code_a_token_or_a_secret() {
    logged();
    let stage = Stage::new().await;
    let session = stage.session().await;
    stage.sign_in(&session, "ada").await;
    let token = stage.poll(&session).await["user_token"].as_str().unwrap().to_owned();
    let refused = stage.session().await;
    stage.idp.next_id_token(|token| token.claim("nonce", json!("n0nce-canary")));
    stage.sign_in(&refused, "ada").await;
    let log = logged();
    assert!(log.contains("an ID token was refused"), "{log}");
    for secret in [token.as_str(), &session.token, SIGN_IN_SECRET, "c0de-", "n0nce-canary"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

/// An address with another value of a parameter.
pub(crate) fn with(url: &Url, name: &str, value: &str) -> Url {
    let pairs: Vec<(String, String)> =
        url.query_pairs().into_owned().filter(|(known, _)| known != name).collect();
    let mut changed = url.clone();
    changed.query_pairs_mut().clear().extend_pairs(pairs).append_pair(name, value);
    changed
}

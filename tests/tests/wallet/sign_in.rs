//! The way in: what the identity provider is asked, what the browser is given, and what becomes of it (B019, B028 to B030).

use std::sync::{Arc, OnceLock};

use alter_domain::{
    api::{AppId, wallet::SIGN_IN_ERRORS},
    keyspace,
    model::{ActorKind, EventKind, Phase, Surface},
    port::{StoreError, TableName},
    repo::IdentityProviders,
};
use alter_tests::{
    Answer, Browser, FaultTable, PUBLIC, SIGN_IN_CLIENT, SIGN_IN_SECRET, Setup, TestApp, TestIdp, TestVault,
    location, logged, query,
};
use serde_json::json;
use url::Url;

use crate::world::{COOKIE, Person, World, begin};

/// An app that signs people in, and nobody who is.
pub(crate) async fn stage() -> (TestApp, TestIdp) {
    staged(TestVault::new().await).await
}

async fn staged(vault: TestVault) -> (TestApp, TestIdp) {
    let (app, idp) = (vault.app().await, TestIdp::start().await);
    app.signs_in_at(&idp).await;
    (app, idp)
}

/// Back on the sign-in page, signed in nowhere: what the page is told.
#[track_caller]
pub(crate) fn refused(answer: &Answer, app: Option<AppId>, code: &str) {
    assert_eq!(answer.status, 303, "{}", answer.text());
    assert!(SIGN_IN_ERRORS.contains(&code), "the page has no words for {code}");
    let app = app.map(|app| format!("app={app}&")).unwrap_or_default();
    assert_eq!(answer.header("location"), Some(format!("/sign-in?{app}error={code}").as_str()));
    let cookies = answer.headers.get_all("set-cookie").iter();
    for cookie in cookies.map(|cookie| cookie.to_str().unwrap()) {
        assert!(cookie.contains("; Max-Age=0;"), "nothing is given: {cookie}");
    }
}

/// On the way to the identity provider: its address.
pub(crate) async fn leave(browser: &mut Browser, app: &TestApp) -> Url {
    location(&browser.get(&begin(app)).await)
}

#[tokio::test]
async fn b019_the_identity_provider_is_asked_for_this_browser_and_this_app() {
    let (app, idp) = stage().await;
    let mut browser = Browser::new(&app.vault);
    let sent = browser.get(&begin(&app)).await;
    let cookie = sent.header("set-cookie").unwrap();
    assert!(cookie.starts_with("__Host-alter_wallet_sign_in_"), "{cookie}");
    assert!(cookie.ends_with("; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure"), "{cookie}");
    assert_eq!(sent.header("cache-control"), Some("no-store"));
    assert_eq!(sent.header("referrer-policy"), Some("no-referrer"));
    let authorize = location(&sent);
    assert!(authorize.as_str().starts_with(&format!("{}/authorize?", idp.issuer())));
    let asked = query(&authorize);
    let expected = [
        ("response_type", "code"),
        ("client_id", SIGN_IN_CLIENT),
        ("redirect_uri", "https://vault.example/api/auth/callback"),
        ("scope", "openid profile email"),
        ("code_challenge_method", "S256"),
    ];
    assert_eq!(expected.map(|(name, _)| (name, asked[name].as_str())), expected);
    assert!(!asked.contains_key("prompt"));
    assert_eq!(asked["state"].split_once('.').unwrap().0, app.id.to_string());
    for secret in ["state", "nonce", "code_challenge"] {
        assert!(asked[secret].len() >= 43, "{secret}");
        assert!(!asked[secret].contains(browser.cookies.values().next().unwrap()));
    }

    let back = browser.get(idp.sign_in(&authorize, "ada").as_str()).await;
    assert_eq!((back.status.as_u16(), back.header("location")), (303, Some("/")));
    let given: Vec<_> = back.headers.get_all("set-cookie").iter().map(|it| it.to_str().unwrap()).collect();
    assert_eq!(given.len(), 2, "{given:?}");
    assert!(given[0].starts_with("__Host-alter_wallet="), "{given:?}");
    assert!(given[0].ends_with("; Path=/; Max-Age=86400; HttpOnly; SameSite=Lax; Secure"), "{given:?}");
    assert!(
        given[1].starts_with("__Host-alter_wallet_sign_in_") && given[1].contains("=; Path=/; Max-Age=0;")
    );
    assert!(!back.text().contains("ada") && !String::from_utf8_lossy(&back.everything()).contains("eyJ"));
    assert_eq!(Person::of(browser).await.user, app.user_of(&idp, "ada"));
    // The secret of the client proved the vault, and no token was kept.
    let exchanges = idp.exchanges();
    assert_eq!(exchanges.len(), 1);
    assert!(exchanges[0].authorization.as_deref().unwrap().starts_with("Basic "));
    assert_eq!(exchanges[0].form["redirect_uri"], "https://vault.example/api/auth/callback");
}

#[tokio::test]
async fn over_plain_http_the_cookies_have_neither_prefix_nor_secure() {
    let vault = Setup::default().public_url("http://127.0.0.1:8420").build().await;
    let (app, idp) = staged(vault).await;
    let mut browser = Browser::new(&app.vault);
    let sent = browser.get(&begin(&app)).await;
    let cookie = sent.header("set-cookie").unwrap();
    assert!(cookie.starts_with("alter_wallet_sign_in_") && cookie.ends_with("SameSite=Lax"), "{cookie}");
    let mut back = idp.sign_in(&location(&sent), "ada");
    assert_eq!(back.origin().ascii_serialization(), "http://127.0.0.1:8420");
    back.set_scheme("https").unwrap();
    back.set_host(Some("vault.example")).unwrap();
    back.set_port(None).unwrap();
    let back = browser.get(back.as_str()).await;
    let cookie = back.header("set-cookie").unwrap();
    assert!(cookie.starts_with("alter_wallet=") && cookie.ends_with("HttpOnly; SameSite=Lax"), "{cookie}");
    let person = Person::of(browser).await;
    // The origin of writes is the one that it has.
    let mut page = person.page();
    page[1].1 = PUBLIC;
    person.send("POST", "/wallet/api/sign-out", &page, "").await.refused(403, "csrf_failed");
    page[1].1 = "http://127.0.0.1:8420";
    person.send("POST", "/wallet/api/sign-out", &page, "").await.ok();
}

#[tokio::test]
async fn b028_b030_signing_out_goes_through_the_identity_provider_and_somebody_else_signs_in() {
    let (app, idp) = stage().await;
    let end_session = format!("{}/logout?tenant=a", idp.issuer());
    app.change_identity_provider(|stored| stored.endpoints.end_session = Some(end_session)).await;
    let alice = Person::sign_in(&app, &idp, "alice").await;
    let out = alice.post("/wallet/api/sign-out", &json!({})).await.ok();
    let out = Url::parse(out["location"].as_str().unwrap()).unwrap();
    assert!(out.as_str().starts_with(&format!("{}/logout?tenant=a&", idp.issuer())), "{out}");
    let asked = query(&out);
    // B030: the address has no query, for it is compared with what was registered; the app is in `state`.
    assert_eq!(asked["post_logout_redirect_uri"], "https://vault.example/sign-in");
    assert_eq!(
        (asked["state"].as_str(), asked["client_id"].as_str()),
        (app.id.to_string().as_str(), SIGN_IN_CLIENT)
    );
    assert_eq!(asked.len(), 4, "no token goes along: {out}");

    // Somebody else, in the same browser.
    let mut browser = alice.browser.clone();
    let again = browser.get(&format!("{}&switch=1", begin(&app))).await;
    let authorize = location(&again);
    assert_eq!(query(&authorize)["prompt"], "login");
    browser.get(idp.sign_in(&authorize, "bob").as_str()).await;
    let bob = Person::of(browser).await;
    assert_eq!(bob.user, app.user_of(&idp, "bob"));
    alice.get("/wallet/api/session").await.refused(401, "wallet_session_required");
}

#[tokio::test]
async fn b029_the_apps_own_sign_in_and_the_wallets_do_not_touch_each_other() {
    let world = World::new().await;
    let made = world.app.client().post("/sdk/auth/session", &json!({})).await.json();
    let poll = json!({ "session_token": made["session_token"] });
    let mut browser = world.alice.browser.clone();
    let authorize = location(&browser.get(made["auth_url"].as_str().unwrap()).await);
    browser.come_back(&world.idp.sign_in(&authorize, "alice")).await;
    let token = world.app.client().post("/sdk/auth/poll", &poll).await.ok()["user_token"].clone();
    // In the browser, it is still whom it was.
    assert_eq!(browser.cookies[COOKIE], world.alice.cookie());
    let verify = json!({ "token": token });
    world.alice.post("/wallet/api/sign-out", &json!({})).await.ok();
    assert_eq!(world.app.client().post("/sdk/auth/verify-token", &verify).await.ok()["sub"], "alice");
    // And an app that has thrown its token away has signed nobody out here.
    world.bob.get("/wallet/api/session").await.ok();
}

#[tokio::test]
async fn two_tabs_are_two_sign_ins_and_the_last_one_stays() {
    let (app, idp) = stage().await;
    let mut browser = Browser::new(&app.vault);
    let (first, second) = (leave(&mut browser, &app).await, leave(&mut browser, &app).await);
    assert_eq!(browser.cookies.len(), 2);
    for name in ["state", "nonce", "code_challenge"] {
        assert_ne!(query(&first)[name], query(&second)[name], "{name}");
    }
    browser.get(idp.sign_in(&second, "bob").as_str()).await;
    let bob = Person::of(browser.clone()).await;
    browser.get(idp.sign_in(&first, "alice").as_str()).await;
    assert_eq!(browser.cookies.len(), 1);
    let alice = Person::of(browser).await;
    assert_eq!((alice.user, bob.user), (app.user_of(&idp, "alice"), app.user_of(&idp, "bob")));
    // One browser, one session: the one before has ended.
    bob.get("/wallet/api/session").await.refused(401, "wallet_session_required");
}

#[tokio::test]
async fn a_form_post_comes_back_in_a_way_that_brings_the_cookie() {
    let (app, idp) = stage().await;
    let mut browser = Browser::new(&app.vault);
    let back = idp.sign_in(&leave(&mut browser, &app).await, "ada");
    let form = back.query().unwrap().to_owned();
    let kind = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "cross-site")];
    let posted = Browser::new(&app.vault).send("POST", "/api/auth/callback", &kind, form).await;
    assert_eq!(posted.status, 303);
    let again = posted.header("location").unwrap();
    assert!(again.starts_with("/api/auth/callback?"), "{again}");
    assert_eq!(browser.get(again).await.header("location"), Some("/"));
    Person::of(browser).await;
}

#[tokio::test]
async fn a_link_on_somebody_elses_page_leads_to_the_page_that_asks() {
    let (app, idp) = stage().await;
    let mut browser = Browser::new(&app.vault);
    let there = format!("/sign-in?app={}", app.id);
    for headers in [
        ("GET", [("sec-fetch-site", "cross-site")]),
        ("GET", [("sec-fetch-site", "same-site")]),
        ("GET", [("sec-purpose", "prefetch;prerender")]),
        ("GET", [("purpose", "prefetch")]),
        ("HEAD", [("sec-fetch-site", "none")]),
    ] {
        let answer = browser.send(headers.0, &begin(&app), &headers.1, String::new()).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (303, Some(there.as_str())));
        assert!(answer.header("set-cookie").is_none());
    }
    let own = browser.send("GET", &begin(&app), &[("sec-fetch-site", "same-origin")], String::new()).await;
    browser.get(idp.sign_in(&location(&own), "ada").as_str()).await;
    Person::of(browser).await;
}

#[tokio::test]
async fn what_goes_wrong_is_told_by_a_code_of_ours() {
    let (app, idp) = stage().await;
    let vault = &app.vault;
    let mut browser = Browser::new(vault);
    for (said, code) in [
        ("access_denied", "sign_in_denied"),
        ("server_error", "identity_provider_unavailable"),
        ("unauthorized_client", "idp_signin_misconfigured"),
        ("<script>alert(1)</script>", "identity_provider_refused"),
    ] {
        let back = TestIdp::turn_away(&leave(&mut browser, &app).await, said);
        refused(&browser.get(back.as_str()).await, Some(app.id), code);
        let event = vault.audit.events().pop().unwrap();
        assert_eq!((event.kind, event.detail["code"].as_str()), (EventKind::SignInFailed, code));
        assert!(!format!("{event:?}").contains("script"));
    }
    for (status, body, code) in [
        (400, json!({ "error": "invalid_grant" }), "code_refused"),
        (401, json!({ "error": "invalid_client" }), "idp_signin_misconfigured"),
        (503, json!({}), "identity_provider_unavailable"),
        (200, json!({ "access_token": "a", "token_type": "Bearer" }), "id_token_invalid"),
    ] {
        idp.answer_next_exchange(status, body);
        let back = idp.sign_in(&leave(&mut browser, &app).await, "ada");
        refused(&browser.get(back.as_str()).await, Some(app.id), code);
    }
    // Set up anew meanwhile.
    let back = idp.sign_in(&leave(&mut browser, &app).await, "ada");
    app.change_identity_provider(|stored| stored.client = None).await;
    refused(&browser.get(back.as_str()).await, Some(app.id), "identity_provider_changed");
    let ports = vault.calm();
    let idps = IdentityProviders(ports.table.as_ref());
    assert!(idps.get(app.id).await.unwrap().value.first_sign_in_at.is_none(), "nobody came");
}

#[tokio::test]
async fn a_sign_in_that_fails_leaves_whoever_is_signed_in() {
    let world = World::new().await;
    let mut browser = world.alice.browser.clone();
    let back = TestIdp::turn_away(&leave(&mut browser, &world.app).await, "access_denied");
    refused(&browser.get(back.as_str()).await, Some(world.app.id), "sign_in_denied");
    assert_eq!(Person::of(browser).await.user, world.alice.user);
}

#[tokio::test]
async fn whatever_fails_in_the_store_nobody_is_half_signed_in() {
    let slot: Arc<OnceLock<Arc<FaultTable>>> = Arc::default();
    let kept = Arc::clone(&slot);
    let setup = Setup::default().layer(move |table| {
        let table = Arc::new(FaultTable::new(table));
        assert!(kept.set(Arc::clone(&table)).is_ok());
        table
    });
    let world = World::of(setup.build().await).await;
    let table = slot.get().unwrap();
    let mut calls = 0;
    for k in 1.. {
        world.app.vault.clock.advance(60);
        let mut browser = world.alice.browser.clone();
        table.disarm();
        let back = world.idp.sign_in(&leave(&mut browser, &world.app).await, "carol");
        table.arm(k, StoreError::Unavailable("told to fail".to_owned()));
        let answer = browser.get(back.as_str()).await;
        calls = table.seen();
        table.disarm();
        if calls < k {
            assert_eq!(answer.header("location"), Some("/"));
            assert_eq!(Person::of(browser).await.user, world.app.user_of(&world.idp, "carol"));
            break;
        }
        assert!(
            answer.header("location").unwrap().starts_with("/sign-in?"),
            "{k}: {:?}",
            answer.header("location")
        );
        // Nothing was given, and nothing was taken.
        assert_eq!(Person::of(browser).await.user, world.alice.user, "{k}");
    }
    assert!(calls >= 6, "{calls} calls");
    world.alice.get("/wallet/api/session").await.refused(401, "wallet_session_required");
}

#[tokio::test]
async fn the_record_tells_who_came_in_and_from_where() {
    let (app, idp) = stage().await;
    Person::sign_in(&app, &idp, "ada").await;
    let events = app.vault.audit.events();
    let finals: Vec<_> = events.iter().filter(|event| event.phase == Phase::Final).collect();
    let kinds: Vec<_> = finals.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::UserCreated, EventKind::SignInCompleted]);
    for event in finals {
        assert_eq!(event.user_id, Some(app.user_of(&idp, "ada")));
        assert_eq!((event.app_id, event.surface), (Some(app.id), Some(Surface::Wallet)));
        assert_eq!((event.actor.kind, event.actor.ip.as_deref()), (ActorKind::User, Some("192.0.2.7")));
    }
    // Nobody comes in who is not on the record.
    app.vault.audit.refuse(|event| event.kind == EventKind::SignInCompleted);
    let mut browser = Browser::new(&app.vault);
    let back = idp.sign_in(&leave(&mut browser, &app).await, "ada");
    refused(&browser.get(back.as_str()).await, Some(app.id), "sign_in_failed");
    assert!(browser.cookies.is_empty());
}

#[tokio::test]
async fn nothing_of_a_sign_in_stays_but_the_sessions_digest() {
    logged();
    let (app, idp) = stage().await;
    let mut browser = Browser::new(&app.vault);
    let authorize = leave(&mut browser, &app).await;
    let (sign_in_cookie, state) =
        (browser.cookies.values().next().unwrap().clone(), query(&authorize)["state"].clone());
    let back = idp.sign_in(&authorize, "ada");
    browser.get(back.as_str()).await;
    let person = Person::of(browser).await;
    let cookie = alter_domain::flow::wallet::WalletCookie::parse(person.cookie()).unwrap();
    let table = app.vault.calm().table;
    let stored =
        table.get(TableName::Main, &keyspace::wallet_session(cookie.session)).await.unwrap().unwrap();
    let stored = String::from_utf8_lossy(&stored.body).into_owned();
    let id = alter_domain::flow::wallet::WalletState::parse(&state).unwrap().sign_in();
    assert!(table.get(TableName::Main, &keyspace::wallet_sign_in(id)).await.unwrap().is_none());
    // The secrets of the cookies, without the ids before them.
    let secret = &person.cookie()[65..];
    idp.next_id_token(|token| token.claim("nonce", json!("n0nce-canary")));
    let mut refused_browser = Browser::new(&app.vault);
    let other = idp.sign_in(&leave(&mut refused_browser, &app).await, "ada");
    refused(&refused_browser.get(other.as_str()).await, Some(app.id), "id_token_invalid");
    let log = logged();
    assert!(log.contains("an ID token was refused"), "{log}");
    assert!(!log.contains("n0nce-canary"));
    let record = format!("{:?}", app.vault.audit.events());
    for text in [secret, &person.csrf, &sign_in_cookie, &state, &query(&back)["code"], SIGN_IN_SECRET, "eyJ"]
    {
        for (place, held) in [("store", &stored), ("log", &log), ("record", &record)] {
            assert!(!held.contains(text), "{text} is in the {place}");
        }
    }
}

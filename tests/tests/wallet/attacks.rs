//! Sign-ins and sessions that are somebody's trick: none of them makes anybody known, or gives anybody a session.

use alter_domain::{flow::wallet::WalletCookie, repo::Users};
use alter_tests::{Browser, PUBLIC, SIGN_IN_CLIENT, TestApp, TestIdp, TokenSpec, location, query};
use serde_json::json;
use url::Url;

use crate::{
    sign_in::{leave, refused, stage},
    world::{COOKIE, Person, World, begin},
};

async fn nobody_is_known(app: &TestApp) {
    let ports = app.vault.calm();
    assert_eq!(Users(ports.table.as_ref()).members(app.id, 10, None).await.unwrap().items, []);
}

/// An address with another value of a parameter.
fn with(url: &Url, name: &str, value: &str) -> Url {
    let pairs: Vec<(String, String)> =
        url.query_pairs().into_owned().filter(|(known, _)| known != name).collect();
    let mut changed = url.clone();
    changed.query_pairs_mut().clear().extend_pairs(pairs).append_pair(name, value);
    changed
}

#[tokio::test]
async fn an_answer_is_for_the_browser_that_asked() {
    let (app, idp) = stage().await;
    let (mut victim, mut thief) = (Browser::new(&app.vault), Browser::new(&app.vault));
    // The thief's own account, in the victim's browser: with no cookie, and with the cookie of a sign-in of the victim's own.
    let theirs = idp.sign_in(&leave(&mut thief, &app).await, "thief");
    refused(&victim.get(theirs.as_str()).await, None, "sign_in_other_browser");
    leave(&mut victim, &app).await;
    refused(&victim.get(theirs.as_str()).await, None, "sign_in_other_browser");
    let (name, _) = thief.cookies.iter().next().unwrap();
    let own = victim.cookies.values().next().unwrap().clone();
    victim.cookies.insert(name.clone(), own);
    refused(&victim.get(theirs.as_str()).await, None, "sign_in_other_browser");
    assert!(idp.exchanges().is_empty());
    nobody_is_known(&app).await;
    // Nobody else's browser has used it up.
    thief.get(theirs.as_str()).await;
    Person::of(thief).await;
}

#[tokio::test]
async fn a_state_is_answered_once() {
    let (app, idp) = stage().await;
    let mut browser = Browser::new(&app.vault);
    // Something that does not fit uses it up.
    let back = idp.sign_in(&leave(&mut browser, &app).await, "ada");
    let cookies = browser.cookies.clone();
    refused(
        &browser.get(with(&back, "iss", "https://evil.example").as_str()).await,
        Some(app.id),
        "id_token_invalid",
    );
    browser.cookies = cookies;
    refused(&browser.get(back.as_str()).await, None, "sign_in_expired");
    nobody_is_known(&app).await;
    // And replayed, with all that the browser had then.
    let back = idp.sign_in(&leave(&mut browser, &app).await, "ada");
    let mut copy = browser.clone();
    browser.get(back.as_str()).await;
    for _ in 0..2 {
        refused(&copy.clone().get(back.as_str()).await, None, "sign_in_expired");
    }
    assert_eq!(idp.exchanges().len(), 1);
    Person::of(browser).await;
    copy.get("/wallet/api/session").await.refused(401, "wallet_session_required");
}

#[tokio::test]
async fn of_an_answer_that_comes_many_times_at_once_one_is_taken() {
    let (app, idp) = stage().await;
    let mut browser = Browser::new(&app.vault);
    let back = idp.sign_in(&leave(&mut browser, &app).await, "ada");
    let mut browsers: Vec<_> = (0..10).map(|_| browser.clone()).collect();
    let answers =
        futures_util::future::join_all(browsers.iter_mut().map(|browser| browser.get(back.as_str()))).await;
    let came_in = answers.iter().filter(|answer| answer.header("location") == Some("/")).count();
    assert_eq!((came_in, idp.exchanges().len()), (1, 1));
}

#[tokio::test]
async fn a_callback_that_nobody_asked_for_does_nothing() {
    let (app, idp) = stage().await;
    let mut browser = Browser::new(&app.vault);
    let back = idp.sign_in(&leave(&mut browser, &app).await, "ada");
    let state = query(&back)["state"].clone();
    let flipped = if state.ends_with('A') { "B" } else { "A" };
    let mut guessed = state.clone();
    guessed.replace_range(state.len() - 1.., flipped);
    let ticket = state.split_once('.').unwrap().1;
    for wrong in ["", "x", ".", ticket, &guessed, &format!("{state}A"), "<b>", "\r\nset-cookie: a=b"] {
        refused(&browser.get(with(&back, "state", wrong).as_str()).await, None, "sign_in_expired");
    }
    for query in ["", "?code=x", "?error=access_denied", "?code=a&state"] {
        refused(&browser.get(&format!("/api/auth/callback{query}")).await, None, "sign_in_expired");
    }
    refused(&browser.get(&format!("{back}&state={state}")).await, None, "id_token_invalid");
    let huge = format!("/api/auth/callback?state={}", "a".repeat(40_000));
    refused(&browser.get(&huge).await, None, "sign_in_expired");
    // A sign-in of an app's own is none of the Wallet's, nor the reverse.
    let made = app.client().post("/sdk/auth/session", &json!({})).await.json();
    let of_the_app = idp.sign_in(&location(&browser.get(made["auth_url"].as_str().unwrap()).await), "ada");
    let mut moved = of_the_app.clone();
    moved.set_path("/api/auth/callback");
    refused(&browser.get(moved.as_str()).await, None, "sign_in_expired");
    let mut moved = back.clone();
    moved.set_path("/sdk/auth/callback");
    assert_eq!(browser.get(moved.as_str()).await.status, 400);
    assert!(idp.exchanges().is_empty());
    nobody_is_known(&app).await;
    // None of it has used the request up.
    browser.get(back.as_str()).await;
    assert_eq!(Person::of(browser).await.user, app.user_of(&idp, "ada"));
}

#[tokio::test]
async fn an_answer_for_one_app_is_no_answer_for_another() {
    let (app, idp) = stage().await;
    let other = app.vault.app_in(app.org).await;
    other.signs_in_at(&idp).await;
    let mut browser = Browser::new(&app.vault);
    let back = idp.sign_in(&leave(&mut browser, &app).await, "ada");
    let state = query(&back)["state"].clone();
    let moved = state.replace(&app.id.to_string(), &other.id.to_string());
    refused(&browser.get(with(&back, "state", &moved).as_str()).await, None, "sign_in_expired");
    nobody_is_known(&other).await;
    assert!(idp.exchanges().is_empty());
}

#[tokio::test]
async fn an_answer_of_another_issuer_is_thrown_away() {
    let (app, idp) = stage().await;
    let other = TestIdp::start().await;
    let mut browser = Browser::new(&app.vault);
    // Mixed up (RFC 9700 section 4.4).
    for iss in [other.issuer(), format!("{}/", idp.issuer()), "null".to_owned()] {
        let back = with(&idp.sign_in(&leave(&mut browser, &app).await, "ada"), "iss", &iss);
        refused(&browser.get(back.as_str()).await, Some(app.id), "id_token_invalid");
        let no = with(&TestIdp::turn_away(&leave(&mut browser, &app).await, "access_denied"), "iss", &iss);
        refused(&browser.get(no.as_str()).await, Some(app.id), "id_token_invalid");
    }
    // A provider that promises to name itself always does.
    app.change_identity_provider(|idp| idp.endpoints.names_itself = true).await;
    let nameless = idp.sign_in(&leave(&mut browser, &app).await, "ada");
    refused(&browser.get(nameless.as_str()).await, Some(app.id), "id_token_invalid");
    assert!(idp.exchanges().is_empty());
    let back = idp.sign_in(&leave(&mut browser, &app).await, "ada");
    browser.get(with(&back, "iss", &idp.issuer()).as_str()).await;
    Person::of(browser).await;
}

#[tokio::test]
async fn a_stolen_code_is_of_no_use() {
    let (app, idp) = stage().await;
    let (mut victim, mut thief) = (Browser::new(&app.vault), Browser::new(&app.vault));
    let stolen = idp.sign_in(&leave(&mut victim, &app).await, "ada");
    let code = query(&stolen)["code"].clone();
    // Into a sign-in of the thief's own: the proof key is another.
    let mine = idp.sign_in(&leave(&mut thief, &app).await, "thief");
    refused(&thief.get(with(&mine, "code", &code).as_str()).await, Some(app.id), "code_refused");
    // And where the provider does not look at the proof key, the token is still the other request's.
    let mine = idp.sign_in(&leave(&mut thief, &app).await, "thief");
    let nonce = query(&leave(&mut victim, &app).await)["nonce"].clone();
    idp.next_id_token(move |token| token.claim("sub", json!("ada")).claim("nonce", json!(nonce)));
    refused(&thief.get(mine.as_str()).await, Some(app.id), "id_token_invalid");
    nobody_is_known(&app).await;
}

#[tokio::test]
async fn an_id_token_is_for_this_client_and_this_request() {
    type Change = fn(TokenSpec) -> TokenSpec;
    let bad: [(&str, Change); 12] = [
        ("another nonce", |token| token.claim("nonce", json!("another"))),
        ("no nonce", |token| token.without("nonce")),
        ("another audience", |token| token.aud("another")),
        ("no audience", |token| token.without("aud")),
        ("several, and no party", |token| token.claim("aud", json!([SIGN_IN_CLIENT, "another"]))),
        ("another party", |token| token.claim("azp", json!("another"))),
        ("expired", |token| token.expires_in(-61)),
        ("no time of issue", |token| token.without("iat")),
        ("from the future", |token| token.issued_ago(-120)),
        ("another issuer", |token| token.claim("iss", json!("https://evil.example"))),
        ("a logout token", |token| token.claim("events", json!({}))),
        ("nobody's", |token| token.without("sub")),
    ];
    let (app, idp) = stage().await;
    for (what, change) in bad {
        let mut browser = Browser::new(&app.vault);
        idp.next_id_token(change);
        let back = idp.sign_in(&leave(&mut browser, &app).await, "ada");
        let answer = browser.get(back.as_str()).await;
        refused(&answer, Some(app.id), "id_token_invalid");
        assert!(browser.cookies.is_empty(), "{what}");
    }
    let other = TestIdp::start().await;
    let mut browser = Browser::new(&app.vault);
    idp.next_id_token(move |token| token.signed_by(&other));
    let back = idp.sign_in(&leave(&mut browser, &app).await, "ada");
    refused(&browser.get(back.as_str()).await, Some(app.id), "id_token_invalid");
    nobody_is_known(&app).await;
}

#[tokio::test]
async fn who_takes_longer_than_ten_minutes_begins_again() {
    let (app, idp) = stage().await;
    let mut browser = Browser::new(&app.vault);
    let (in_time, late) = (leave(&mut browser, &app).await, leave(&mut browser, &app).await);
    app.vault.clock.advance(599);
    let back = idp.sign_in(&in_time, "ada");
    assert_eq!(browser.get(back.as_str()).await.header("location"), Some("/"));
    app.vault.clock.advance(1);
    let mut other = browser.clone();
    refused(&other.get(idp.sign_in(&late, "ada").as_str()).await, None, "sign_in_expired");
    Person::of(browser).await;
}

#[tokio::test]
async fn a_cookie_that_was_planted_before_is_never_taken_over() {
    let (app, idp) = stage().await;
    let thief = Person::sign_in(&app, &idp, "thief").await;
    let mut victim = Browser::new(&app.vault);
    victim.cookies.insert(COOKIE.to_owned(), thief.cookie().to_owned());
    let back = idp.sign_in(&leave(&mut victim, &app).await, "ada");
    victim.get(back.as_str()).await;
    let victim = Person::of(victim).await;
    let parsed = |person: &Person| WalletCookie::parse(person.cookie()).unwrap();
    let (planted, fresh) = (parsed(&thief), parsed(&victim));
    assert_eq!(victim.user, app.user_of(&idp, "ada"));
    assert!(planted.session != fresh.session && planted.to_text()[64..] != fresh.to_text()[64..]);
    // The thief is nobody now: what was planted was the browser's session, and it has ended.
    thief.get("/wallet/api/session").await.refused(401, "wallet_session_required");
}

#[tokio::test]
async fn a_session_is_ended_by_its_own_secret_only() {
    let world = World::new().await;
    // The id of Alice's session with a secret of Bob's, on a sign-in and on a way out.
    let (alices, bobs) = (world.alice.cookie(), world.bob.cookie());
    let forged = format!("{}{}", &alices[..64], &bobs[64..]);
    assert_eq!(WalletCookie::parse(&forged).unwrap().session, WalletCookie::parse(alices).unwrap().session);
    let mut browser = world.browser();
    browser.cookies.insert(COOKIE.to_owned(), forged.clone());
    browser.get("/wallet/api/session").await.refused(401, "wallet_session_required");
    let back = world.idp.sign_in(&leave(&mut browser, &world.app).await, "bob");
    browser.get(back.as_str()).await;
    let mut forger =
        Person { browser: world.browser(), csrf: world.bob.csrf.clone(), ..world.person("bob").await };
    forger.browser.cookies.insert(COOKIE.to_owned(), forged.clone());
    let parsed = WalletCookie::parse(&forged).unwrap();
    forger.csrf = parsed.browser.csrf_token();
    let out = forger.post("/wallet/api/sign-out", &json!({})).await.ok();
    assert_eq!(out, json!({ "location": "/sign-in" }), "nothing is said of what is not theirs");
    world.alice.get("/wallet/api/session").await.ok();
    world.bob.get("/wallet/api/session").await.ok();
}

#[tokio::test]
async fn a_cookie_that_was_stolen_is_worth_nothing_after_the_sign_out() {
    let world = World::new().await;
    let (stolen, csrf) = (world.alice.browser.clone(), world.alice.csrf.clone());
    let thief = Person { user: world.alice.user, browser: stolen, csrf };
    thief.get("/wallet/api/session").await.ok();
    world.alice.post("/wallet/api/sign-out", &json!({})).await.ok();
    thief.get("/wallet/api/session").await.refused(401, "wallet_session_required");
    thief.get("/wallet/api/overview").await.refused(401, "wallet_session_required");
    let revoke = format!("/wallet/api/grants/{}/revoke", world.app.id);
    thief.post(&revoke, &json!({})).await.refused(401, "wallet_session_required");
    // Signing out once more says the same to everybody.
    assert_eq!(thief.post("/wallet/api/sign-out", &json!({})).await.ok(), json!({ "location": "/sign-in" }));
}

#[tokio::test]
async fn every_write_is_refused_that_the_page_did_not_make() {
    let world = World::new().await;
    let secret = world.secret(&world.app, "notes").await;
    let grant = world.own(&world.app, &secret, &world.alice).await;
    let before = world.alice.get("/wallet/api/overview").await.ok();
    let writes = [
        "/wallet/api/sign-out".to_owned(),
        format!("/wallet/api/grants/{grant}/revoke"),
        format!("/wallet/api/grants/{grant}/extend"),
        format!("/wallet/api/approvals/{grant}/decide"),
    ];
    let csrf = world.alice.csrf.as_str();
    let forged: [(&str, &[(&str, &str)]); 11] = [
        ("nothing", &[]),
        ("no origin", &[("x-alter-csrf", csrf)]),
        ("another origin", &[("x-alter-csrf", csrf), ("origin", "https://evil.example")]),
        ("a frame without one", &[("x-alter-csrf", csrf), ("origin", "null")]),
        ("a longer one", &[("x-alter-csrf", csrf), ("origin", "https://vault.example.evil.example")]),
        ("another port", &[("x-alter-csrf", csrf), ("origin", "https://vault.example:444")]),
        ("plain http", &[("x-alter-csrf", csrf), ("origin", "http://vault.example")]),
        ("no header", &[("origin", PUBLIC)]),
        ("another's header", &[("origin", PUBLIC), ("x-alter-csrf", world.bob.csrf.as_str())]),
        ("another site", &[("origin", PUBLIC), ("x-alter-csrf", csrf), ("sec-fetch-site", "cross-site")]),
        ("a sibling", &[("origin", PUBLIC), ("x-alter-csrf", csrf), ("sec-fetch-site", "same-site")]),
    ];
    for path in &writes {
        for (what, headers) in forged {
            let mut headers = headers.to_vec();
            headers.push(("content-type", "application/json"));
            let answer = world.alice.send("POST", path, &headers, "{}").await;
            assert_eq!(
                (answer.status.as_u16(), answer.code().as_str()),
                (403, "csrf_failed"),
                "{path}: {what}"
            );
        }
        // A form, as another site's page could send one, even if it had all the rest.
        let mut headers = world.alice.page();
        for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a"] {
            headers[2].1 = kind;
            world.alice.send("POST", path, &headers, "{}").await.refused(415, "unsupported_media_type");
        }
        // Without a session it is no better.
        let nobody = Person { browser: world.browser(), user: world.alice.user, csrf: csrf.to_owned() };
        nobody.post(path, &json!({})).await.refused(401, "wallet_session_required");
    }
    let mut after = world.alice.get("/wallet/api/overview").await.ok();
    after["now"] = before["now"].clone();
    assert_eq!(after, before);
    // Reads of other sites' pages are refused as well, where the browser says so.
    for path in ["session", "overview", "activity", "activity/counts", "activity/export", "approvals"] {
        for site in ["cross-site", "same-site"] {
            let path = format!("/wallet/api/{path}");
            let answer = world.alice.send("GET", &path, &[("sec-fetch-site", site)], "").await;
            answer.refused(403, "csrf_failed");
        }
    }
}

#[tokio::test]
async fn who_is_not_admitted_does_not_come_in() {
    let world = World::new().await;
    let operator = world.app.vault.operator(world.app.org, alter_domain::model::Permission::Admin).await;
    for (change, code) in [("suspend", "user_suspended"), ("deprovision", "user_deprovisioned")] {
        let path = format!("/portal/v1/apps/{}/users/{}/{change}", world.app.id, world.bob.user);
        operator.post(&path, &json!({})).await;
        let mut browser = world.browser();
        let back = world.idp.sign_in(&location(&browser.get(&begin(&world.app)).await), "bob");
        refused(&browser.get(back.as_str()).await, Some(world.app.id), code);
    }
}

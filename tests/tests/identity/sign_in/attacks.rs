//! Sign-ins that are somebody's trick: none of them makes anybody known or hands out a token.

use alter_tests::{SIGN_IN_CLIENT, TestIdp, TokenSpec, location, query};
use serde_json::json;

use super::{Stage, failed, with};

#[tokio::test]
async fn a_sign_in_is_for_the_browser_that_opened_it_first() {
    let stage = Stage::new().await;
    let session = stage.session().await;
    let (mut browser, mut thief) = (stage.browser(), stage.browser());
    let authorize = location(&browser.get(&session.url).await);
    assert_eq!(thief.get(&session.url).await.status, 403, "the link is taken");
    assert_eq!(thief.post(&session.url, &[]).await.status, 403);

    // Session fixation: the thief's account, in the victim's sign-in, by the thief's browser and with another sign-in's cookie.
    let own = stage.session().await;
    thief.get(&own.url).await;
    let back = stage.idp.sign_in(&authorize, "thief");
    assert_eq!(thief.get(back.as_str()).await.status, 403);
    let (name, _) = browser.cookies.iter().next().unwrap();
    let wrong = thief.cookies.values().next().unwrap().clone();
    thief.cookies.insert(name.clone(), wrong);
    assert_eq!(thief.get(back.as_str()).await.status, 403);
    stage.nothing_happened(&session).await;

    // Nobody else's browser uses the request up, or sees the page.
    browser.come_back(&stage.idp.sign_in(&authorize, "ada")).await;
    assert_eq!(stage.poll(&session).await["user_info"]["sub"], "ada");
    let home = browser.get(&session.url).await.header("location").unwrap().to_owned();
    assert_eq!(browser.get(&home).await.status, 200);
    for mut other in [thief, stage.browser()] {
        let page = other.get(&home).await;
        assert_eq!(page.status, 403);
        assert!(!page.text().contains("ada@example.com"));
    }
}

#[tokio::test]
async fn a_state_is_answered_once() {
    let stage = Stage::new().await;
    let session = stage.session().await;
    let mut browser = stage.browser();
    let authorize = location(&browser.get(&session.url).await);
    let back = stage.idp.sign_in(&authorize, "ada");
    // Something that does not fit uses it up.
    assert_eq!(browser.get(with(&back, "iss", "https://evil.example").as_str()).await.status, 400);
    assert_eq!(browser.get(back.as_str()).await.status, 400);
    stage.nothing_happened(&session).await;
    // Begun again, and then replayed.
    let authorize = location(&browser.get(&session.url).await);
    let back = stage.idp.sign_in(&authorize, "ada");
    browser.come_back(&back).await;
    let told = stage.poll(&session).await;
    for _ in 0..2 {
        assert_eq!(browser.get(back.as_str()).await.status, 410);
    }
    assert_eq!(stage.idp.exchanges().len(), 1);
    assert_eq!(stage.poll(&session).await, told);
}

#[tokio::test]
async fn a_callback_that_nobody_asked_for_does_nothing() {
    let stage = Stage::new().await;
    let session = stage.session().await;
    let mut browser = stage.browser();
    let authorize = location(&browser.get(&session.url).await);
    let back = stage.idp.sign_in(&authorize, "ada");
    let state = query(&authorize)["state"].clone();
    let flipped = if state.ends_with('A') { "B" } else { "A" };
    let mut guessed = state.clone();
    guessed.replace_range(state.len() - 1.., flipped);
    for wrong in ["", "x", &guessed, &format!("{state}A")] {
        assert_eq!(browser.get(with(&back, "state", wrong).as_str()).await.status, 400, "{wrong}");
    }
    for query in ["", "?code=x", "?error=access_denied", "?code=a&state"] {
        assert_eq!(browser.get(&format!("/sdk/auth/callback{query}")).await.status, 400, "{query}");
    }
    let twice = format!("{back}&state={state}");
    assert_eq!(browser.get(&twice).await.status, 400);
    stage.nothing_happened(&session).await;
    for start in ["", "begin_", "begin_x", session.token.as_str(), state.as_str()] {
        let answer = browser.get(&format!("/sdk/auth/start/{start}")).await;
        assert_eq!(answer.status, 404, "{start}");
    }
    browser.come_back(&back).await;
    assert_eq!(stage.poll(&session).await["status"], "completed");
}

#[tokio::test]
async fn an_answer_of_another_issuer_is_thrown_away() {
    let stage = Stage::new().await;
    let session = stage.session().await;
    let mut browser = stage.browser();
    // Mixed up (RFC 9700 section 4.4): the honest provider's answer comes to a sign-in at the attacker's, or the other way round.
    let other = TestIdp::start().await;
    for iss in [other.issuer(), format!("{}/", stage.idp.issuer()), "null".to_owned()] {
        let authorize = location(&browser.get(&session.url).await);
        let back = with(&stage.idp.sign_in(&authorize, "ada"), "iss", &iss);
        assert_eq!(browser.get(back.as_str()).await.status, 400, "{iss}");
        let refused = with(&TestIdp::turn_away(&authorize, "access_denied"), "iss", &iss);
        assert_eq!(browser.get(refused.as_str()).await.status, 400, "{iss}");
    }
    // A provider that promises to name itself always does.
    stage.app.change_identity_provider(|idp| idp.endpoints.names_itself = true).await;
    let authorize = location(&browser.get(&session.url).await);
    let nameless = stage.idp.sign_in(&authorize, "ada");
    assert_eq!(browser.get(nameless.as_str()).await.status, 400);
    stage.nothing_happened(&session).await;
    let authorize = location(&browser.get(&session.url).await);
    let back = stage.idp.sign_in(&authorize, "ada");
    browser.come_back(&with(&back, "iss", &stage.idp.issuer())).await;
    assert_eq!(stage.poll(&session).await["status"], "completed");
}

#[tokio::test]
async fn a_stolen_code_is_of_no_use() {
    let stage = Stage::new().await;
    let (session, own) = (stage.session().await, stage.session().await);
    let (mut victim, mut thief) = (stage.browser(), stage.browser());
    let stolen = stage.idp.sign_in(&location(&victim.get(&session.url).await), "ada");
    let code = query(&stolen)["code"].clone();
    // Into a sign-in of the thief's own: the proof key is another.
    let mine = stage.idp.sign_in(&location(&thief.get(&own.url).await), "thief");
    let page = thief.come_back(&with(&mine, "code", &code)).await;
    assert!(page.text().contains("no longer accepts this sign-in"), "{}", page.text());
    failed(&stage.poll(&own).await, "code_refused");
    stage.nobody_is_known().await;
    // And where the provider does not look at the proof key, the token is still the other request's.
    let own = stage.session().await;
    let mut thief = stage.browser();
    let mine = stage.idp.sign_in(&location(&thief.get(&own.url).await), "thief");
    let nonce = query(&location(&victim.get(&session.url).await))["nonce"].clone();
    stage.idp.next_id_token(move |token| token.claim("sub", json!("ada")).claim("nonce", json!(nonce)));
    thief.come_back(&mine).await;
    failed(&stage.poll(&own).await, "id_token_invalid");
    stage.nobody_is_known().await;
}

#[tokio::test]
async fn an_id_token_is_for_this_client_and_this_request() {
    type Change = fn(TokenSpec) -> TokenSpec;
    let bad: [(&str, Change); 14] = [
        ("another nonce", |token| token.claim("nonce", json!("another"))),
        ("no nonce", |token| token.without("nonce")),
        ("an empty nonce", |token| token.claim("nonce", json!(""))),
        ("another audience", |token| token.aud("another")),
        ("no audience", |token| token.without("aud")),
        ("several, and no party", |token| token.claim("aud", json!([SIGN_IN_CLIENT, "another"]))),
        ("another party", |token| token.claim("azp", json!("another"))),
        ("expired", |token| token.expires_in(-61)),
        ("no expiry", |token| token.without("exp")),
        ("no time of issue", |token| token.without("iat")),
        ("from the future", |token| token.issued_ago(-120)),
        ("another issuer", |token| token.claim("iss", json!("https://evil.example"))),
        ("a logout token", |token| token.claim("events", json!({}))),
        ("nobody's", |token| token.without("sub")),
    ];
    for (what, change) in bad {
        let stage = Stage::new().await;
        stage.idp.next_id_token(change);
        let session = stage.session().await;
        let page = stage.sign_in(&session, "ada").await;
        assert!(page.text().contains("could not be verified"), "{what}: {}", page.text());
        failed(&stage.poll(&session).await, "id_token_invalid");
        stage.nobody_is_known().await;
    }
    // Signed by somebody else's key.
    let (stage, other) = (Stage::new().await, TestIdp::start().await);
    stage.idp.next_id_token(move |token| token.signed_by(&other));
    let session = stage.session().await;
    stage.sign_in(&session, "ada").await;
    failed(&stage.poll(&session).await, "id_token_invalid");
    // Several audiences are good where the client is the party.
    let stage = Stage::new().await;
    stage.idp.next_id_token(|token| {
        token.claim("aud", json!(["another", SIGN_IN_CLIENT])).claim("azp", json!(SIGN_IN_CLIENT))
    });
    let session = stage.session().await;
    stage.sign_in(&session, "ada").await;
    assert_eq!(stage.poll(&session).await["status"], "completed");
}

#[tokio::test]
async fn only_the_app_that_made_it_is_told() {
    let stage = Stage::new().await;
    let session = stage.session().await;
    stage.sign_in(&session, "ada").await;
    let stranger = stage.app.vault.app_in(stage.app.org).await;
    let poll = |token: &str| json!({ "session_token": token });
    let expired = json!({ "status": "expired" });
    assert_eq!(stranger.client().post("/sdk/auth/poll", &poll(&session.token)).await.ok(), expired);
    let mut guessed = session.token.clone();
    let other = if guessed.as_bytes()[40] == b'x' { "y" } else { "x" };
    guessed.replace_range(40..41, other);
    let start = session.url.rsplit('/').next().unwrap();
    for token in ["", "x", "auth_sess_", "sess_x", start, &guessed] {
        assert_eq!(stage.app.client().post("/sdk/auth/poll", &poll(token)).await.ok(), expired, "{token}");
    }
    assert_eq!(stage.poll(&session).await["status"], "completed");
}

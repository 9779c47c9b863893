//! What identity providers answer, and how they are asked.

use alter_domain::{
    model::EventKind,
    repo::{IdentityProviders, Users},
};
use alter_tests::{SIGN_IN_SECRET, TestIdp, location};
use serde_json::json;

use super::{Stage, failed};

#[tokio::test]
async fn whoever_says_no_is_not_signed_in() {
    for (said, code, shown) in [
        ("access_denied", "sign_in_denied", "The sign-in was cancelled."),
        ("temporarily_unavailable", "identity_provider_unavailable", "Try again in a while."),
        ("unauthorized_client", "idp_signin_misconfigured", "Only the app&#39;s operator can change that."),
        ("login_required", "identity_provider_refused", "refused the sign-in"),
        ("<script>alert(1)</script>", "identity_provider_refused", "refused the sign-in"),
    ] {
        let stage = Stage::new().await;
        let session = stage.session().await;
        let mut browser = stage.browser();
        let authorize = location(&browser.get(&session.url).await);
        let page = browser.come_back(&TestIdp::turn_away(&authorize, said)).await;
        assert!(
            page.text().contains("You are not signed in") && page.text().contains(shown),
            "{}",
            page.text()
        );
        failed(&stage.poll(&session).await, code);
        // It is over: the link leads to the same page.
        assert_eq!(browser.get(&session.url).await.status, 303);
        assert!(stage.idp.exchanges().is_empty());
        stage.nobody_is_known().await;
        let events = stage.app.vault.audit.events();
        let event = events.iter().find(|event| event.kind == EventKind::SignInFailed).unwrap();
        assert_eq!(event.detail["code"], code);
    }
}

#[tokio::test]
async fn what_the_provider_gives_instead_of_a_token_is_told() {
    let ok = json!({ "access_token": "a" });
    let canary = json!({ "error": "code c0de-canary is unknown" });
    for (status, body, code) in [
        (400, json!({ "error": "invalid_grant" }), "code_refused"),
        (401, json!({ "error": "invalid_client" }), "idp_signin_misconfigured"),
        (503, json!({}), "identity_provider_unavailable"),
        (200, ok, "id_token_invalid"),
        (200, json!({ "id_token": 7 }), "id_token_invalid"),
        (400, canary, "identity_provider_refused"),
        (302, json!({}), "identity_provider_refused"),
    ] {
        let stage = Stage::new().await;
        stage.idp.answer_next_exchange(status, body);
        let session = stage.session().await;
        let page = stage.sign_in(&session, "ada").await;
        let polled = stage.poll(&session).await;
        failed(&polled, code);
        assert!(!page.text().contains("c0de") && !polled.to_string().contains("c0de"));
        stage.nobody_is_known().await;
    }
}

#[tokio::test]
async fn a_client_that_is_registered_for_the_form_proves_itself_there() {
    let stage = Stage::new().await;
    stage.idp.take_post_only();
    stage
        .app
        .change_identity_provider(|idp| {
            let ways = ["private_key_jwt", "client_secret_post", "client_secret_basic"];
            idp.endpoints.token_auth_methods = ways.map(str::to_owned).to_vec();
        })
        .await;
    let session = stage.session().await;
    stage.sign_in(&session, "ada").await;
    assert_eq!(stage.poll(&session).await["status"], "completed");
    let [basic, post] = stage.idp.exchanges().try_into().unwrap();
    assert!(basic.authorization.is_some() && !basic.form.contains_key("client_secret"));
    assert!(post.authorization.is_none());
    assert_eq!(post.form["client_secret"], SIGN_IN_SECRET);
}

#[tokio::test]
async fn a_profile_that_the_token_leaves_out_is_asked_for() {
    for (profile, name) in [
        (json!({ "sub": "ada", "email": "ada@work.example", "name": "Ada L." }), "Ada L."),
        (json!({ "sub": "eve", "email": "eve@evil.example", "name": "Eve" }), ""),
    ] {
        let stage = Stage::new().await;
        let userinfo = format!("{}/userinfo", stage.idp.issuer());
        stage.app.change_identity_provider(|idp| idp.endpoints.userinfo = Some(userinfo)).await;
        stage.idp.tells(profile);
        stage.idp.next_id_token(|token| token.without("name").without("email"));
        let session = stage.session().await;
        stage.sign_in(&session, "ada").await;
        let info = &stage.poll(&session).await["user_info"];
        assert_eq!((&info["sub"], info["name"].as_str().unwrap_or_default()), (&json!("ada"), name));
        let ports = stage.app.vault.calm();
        let user =
            Users(ports.table.as_ref()).find(stage.app.user_of(&stage.idp, "ada")).await.unwrap().unwrap();
        assert_eq!(user.value.name.as_deref().unwrap_or_default(), name);
    }
}

#[tokio::test]
async fn an_answer_by_form_comes_back_in_a_way_that_brings_the_cookie() {
    let stage = Stage::new().await;
    let session = stage.session().await;
    let mut browser = stage.browser();
    let back = stage.idp.sign_in(&location(&browser.get(&session.url).await), "ada");
    let form = back.query().unwrap().to_owned();
    // The post comes from the provider's page, without the cookie.
    let posted =
        stage.browser().send("POST", "/sdk/auth/callback", &[("sec-fetch-site", "cross-site")], form).await;
    assert_eq!(posted.status, 303);
    let again = posted.header("location").unwrap().to_owned();
    assert!(stage.idp.exchanges().is_empty());
    assert_eq!(browser.get(&again).await.status, 303);
    assert_eq!(stage.poll(&session).await["status"], "completed");
}

#[tokio::test]
async fn a_provider_that_was_exchanged_meanwhile_is_not_asked() {
    let stage = Stage::new().await;
    let (begun, made) = (stage.session().await, stage.session().await);
    let mut browser = stage.browser();
    let back = stage.idp.sign_in(&location(&browser.get(&begun.url).await), "ada");
    let ports = stage.app.vault.calm();
    let idps = IdentityProviders(ports.table.as_ref());
    idps.delete(&idps.get(stage.app.id).await.unwrap()).await.unwrap();
    let other = TestIdp::start().await;
    stage.app.signs_in_at(&other).await;
    browser.come_back(&back).await;
    assert_eq!(stage.browser().get(&made.url).await.status, 303);
    for session in [&begun, &made] {
        failed(&stage.poll(session).await, "identity_provider_changed");
    }
    assert!(stage.idp.exchanges().is_empty() && other.exchanges().is_empty());
}

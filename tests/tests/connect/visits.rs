//! Visits that go well, or as far as the user wants them to.

use alter_tests::Setup;
use serde_json::json;

use crate::{
    provider::{Provider, definition, query},
    support::{PUBLIC, Stage},
};

#[tokio::test]
async fn an_account_becomes_a_grant_that_calls_go_through() {
    let stage = Stage::new().await;
    let session = stage.session(json!({ "allowed_providers": ["toy"], "return_url": null })).await;
    assert_eq!(session.url, format!("{PUBLIC}/sdk/oauth/connect#session={}", session.token));
    assert_eq!(stage.poll(&session).await, json!({ "status": "pending", "declined_providers": [] }));

    let mut browser = stage.browser();
    let page = browser.open(&session).await;
    page.shows("Connect TOY to");
    page.shows("It will be able to:");
    page.shows("<li>read your notes</li>");
    let authorize = browser.start(&page, "toy").await;
    let asked = query(&authorize);
    assert_eq!(asked["response_type"], "code");
    assert_eq!(asked["client_id"], "client");
    assert_eq!(asked["code_challenge_method"], "S256");
    assert_eq!(asked["redirect_uri"], format!("{PUBLIC}/sdk/oauth/callback/{}/toy", stage.app.id));

    let page = browser.come_back(&stage.provider.allow(&authorize, "alice")).await;
    page.shows("<strong>TOY</strong> as alice &#60;b&#62;");
    let message = page.message();
    assert_eq!(message["type"], "alter_connect_success");
    let grant = &message["grants"][0];
    assert_eq!(grant["provider"], "toy");
    assert_eq!(grant["account_identifier"], "alice");
    assert_eq!(grant["operation"], "creation");

    let result = stage.poll(&session).await;
    assert_eq!(result["status"], "completed");
    assert_eq!(result["grants"][0]["grant_id"], grant["grant_id"]);
    assert_eq!(result["grants"][0]["account_identifier"], "alice");
    assert_eq!(result["grants"][0]["scopes"], json!(["notes:read", "notes:write"]));
    assert_eq!(result["failed_grants"], json!([]));

    let grants = stage.grants().await;
    assert_eq!(grants.len(), 1);
    assert_eq!(json!(grants[0].id), grant["grant_id"]);
    let call = json!({ "method": "GET", "url": "https://toy.example/api", "grant_id": grants[0].id });
    let answer = stage.client().proxy(&call).await.ok();
    assert_eq!(answer["status_code"], 200, "{answer}");
}

#[tokio::test]
async fn of_two_providers_one_is_connected_and_one_declined() {
    let stage = Stage::of(&[definition("toy"), definition("two")]).await;
    let session = stage.session(json!({ "allowed_providers": [" TWO", "toy", "two"] })).await;
    let mut browser = stage.browser();
    let page = browser.open(&session).await;
    let (two, toy) = (page.text().find("TWO").unwrap(), page.text().find("TOY").unwrap());
    assert!(two < toy, "the order is the app's");

    let answer = browser.press(&page, "decline", &[("provider", "two")]).await;
    assert_eq!(answer.status, 303);
    let result = stage.poll(&session).await;
    assert_eq!(result["status"], "pending");
    assert_eq!(result["declined_providers"][0]["provider_id"], "two");
    assert_eq!(result["declined_providers"][0]["error_code"], "user_declined");

    let page = browser.visit(&page.at).await;
    page.shows("Not connected");
    let authorize = browser.start(&page, "toy").await;
    let page = browser.come_back(&stage.provider.allow(&authorize, "alice")).await;
    page.shows("Connected as <strong>alice");
    assert_eq!(stage.poll(&session).await["status"], "pending", "the user may connect more");

    let answer = browser.press(&page, "finish", &[]).await;
    assert_eq!(answer.status, 303);
    let page = browser.visit(answer.header("location").unwrap()).await;
    assert_eq!(page.message()["grants"].as_array().unwrap().len(), 1);
    let result = stage.poll(&session).await;
    assert_eq!(result["status"], "completed");
    assert_eq!(result["grants"].as_array().unwrap().len(), 1);
    assert_eq!(stage.grants().await.len(), 1);
}

#[tokio::test]
async fn a_session_whose_providers_are_all_connected_ends_by_itself() {
    let stage = Stage::of(&[definition("toy"), definition("two")]).await;
    let session = stage.session(json!({})).await;
    let mut browser = stage.browser();
    let mut page = browser.open(&session).await;
    for id in ["two", "toy"] {
        let authorize = browser.start(&page, id).await;
        page = browser.come_back(&stage.provider.allow(&authorize, "alice")).await;
    }
    let result = stage.poll(&session).await;
    assert_eq!(result["status"], "completed");
    assert_eq!(result["grants"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_direct_session_goes_straight_to_the_provider() {
    let stage = Stage::new().await;
    let session = stage.session(json!({ "allowed_providers": ["toy"], "direct": true })).await;
    let mut browser = stage.browser();
    let page = browser.open(&session).await;
    page.shows("<form id=\"straight\"");
    assert!(!page.text().contains("Not now"));
    let authorize = browser.start(&page, "toy").await;
    let page = browser.come_back(&stage.provider.allow(&authorize, "alice")).await;
    page.shows("Connected to");
    assert_eq!(stage.poll(&session).await["status"], "completed");
}

#[tokio::test]
async fn b059_a_user_who_says_no_at_the_provider_connects_nothing() {
    let stage = Stage::new().await;
    let session = stage.session(json!({})).await;
    let mut browser = stage.browser();
    let page = browser.open(&session).await;
    let authorize = browser.start(&page, "toy").await;
    let page = browser.come_back(&Provider::refuse(&authorize, "access_denied")).await;
    page.shows("Nothing was connected");
    assert_eq!(page.message()["type"], "alter_connect_error");
    assert_eq!(page.message()["error"], "connect_denied");
    let result = stage.poll(&session).await;
    assert_eq!(result["status"], "error");
    assert_eq!(result["error"]["error_code"], "connect_denied");
    stage.nothing_was_made().await;
}

#[tokio::test]
async fn a_user_who_cancels_on_our_page_connects_nothing() {
    let stage = Stage::of(&[definition("toy"), definition("two")]).await;
    let session = stage.session(json!({})).await;
    let mut browser = stage.browser();
    let page = browser.open(&session).await;
    page.shows(">Cancel</button>");
    browser.press(&page, "finish", &[]).await;
    assert_eq!(stage.poll(&session).await["error"]["error_code"], "connect_denied");
    stage.nothing_was_made().await;
}

#[tokio::test]
async fn an_account_is_switched_by_the_providers_own_parameter() {
    let mut toy = definition("toy");
    toy["authorization"]["switch_account_params"] = json!({ "prompt": "select_account" });
    let stage = Stage::of(&[toy]).await;
    for (switch, prompt) in [(true, Some("select_account")), (false, None)] {
        let session = stage.session(json!({ "switch_account": switch })).await;
        let mut browser = stage.browser();
        let page = browser.open(&session).await;
        let authorize = browser.start(&page, "toy").await;
        assert_eq!(query(&authorize).get("prompt").map(String::as_str), prompt);
    }
}

#[tokio::test]
async fn what_the_user_has_to_fill_in_is_asked_for_and_checked() {
    let mut toy = definition("toy");
    toy["variables"] = json!([
        { "name": "shop", "label": "Shop", "source": "user", "shape": "dns_label", "example": "my-shop" }
    ]);
    toy["authorization"]["url"] = json!("https://{shop}.toy.example/auth");
    toy["token"]["url"] = json!("https://{shop}.toy.example/token");
    toy["api"]["hosts"] = json!(["{shop}.toy.example"]);
    let stage = Stage::of(&[toy]).await;
    let session = stage.session(json!({ "direct": true })).await;
    let mut browser = stage.browser();
    let page = browser.open(&session).await;
    page.shows("For example: my-shop");
    for (typed, complaint) in [("", "This is needed to go on."), ("evil.example/", "This must be one part")] {
        let answer = browser.press(&page, "start", &[("provider", "toy"), ("value_shop", typed)]).await;
        assert_eq!(answer.status, 422);
        assert!(answer.text().contains(complaint), "{}", answer.text());
        assert!(answer.text().contains("aria-invalid=\"true\""));
    }
    let answer = browser.press(&page, "start", &[("provider", "toy"), ("value_shop", "Acme")]).await;
    let authorize = crate::support::leads_to(&answer);
    assert_eq!(authorize.host_str(), Some("acme.toy.example"));
    let page = browser.come_back(&stage.provider.allow(&authorize, "alice")).await;
    page.shows("Connected to");
    let connection = stage.connections("toy").await.remove(0);
    assert_eq!(connection.values.get("shop"), Some("acme"));
    assert_eq!(connection.delivery.allowed_hosts.0[0].to_string(), "acme.toy.example");
}

#[tokio::test]
async fn a_provider_that_posts_its_answer_reaches_the_same_browser() {
    let mut toy = definition("toy");
    toy["authorization"]["response_mode"] = json!("form_post");
    let stage = Stage::with(Setup::default(), &[toy]).await;
    let session = stage.session(json!({})).await;
    let mut browser = stage.browser();
    let page = browser.open(&session).await;
    let authorize = browser.start(&page, "toy").await;
    let back = stage.provider.allow(&authorize, "alice");
    let form: Vec<(String, String)> = back.query_pairs().into_owned().collect();
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    // From another site: no cookie comes along.
    let answer = stage.browser().post(back.path(), &form).await;
    assert_eq!(answer.status, 303);
    assert_eq!(stage.grants().await, []);
    let answer = browser.get(answer.header("location").unwrap()).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    assert_eq!(stage.grants().await.len(), 1);
}

//! What the app's page or server is told at the end (wire protocol section 6).

use std::collections::BTreeMap;

use serde_json::json;
use url::Url;

use crate::{
    provider::{Provider, definition},
    support::Stage,
};

#[tokio::test]
async fn b057_a_visit_goes_back_to_the_apps_address_with_the_result() {
    let stage = Stage::new().await;
    let session = stage.session(json!({ "return_url": "https://app.example/done?tab=a%20b" })).await;
    let (_, page) = stage.connect(&session, "alice").await;
    let back = Url::parse(&page.data("return").unwrap()).unwrap();
    assert_eq!(back.host_str(), Some("app.example"));
    assert!(back.query().unwrap().starts_with("tab=a%20b&"), "its own query stays as it is: {back}");
    let query: BTreeMap<_, _> = back.query_pairs().into_owned().collect();
    let grant = stage.grants().await.remove(0);
    let expected = [
        ("tab", "a b"),
        ("alter_connect_success", "true"),
        ("grant_id", &grant.id.to_string()),
        ("provider", "toy"),
        ("provider_name", "TOY"),
        ("account_identifier", "alice"),
        ("timestamp", &stage.vault.now().to_string()),
        ("operation", "creation"),
        ("scopes", "notes:read,notes:write"),
        ("status", "active"),
    ];
    assert_eq!(query, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    page.shows("Back to");
}

#[tokio::test]
async fn a_failure_goes_back_too() {
    let stage = Stage::new().await;
    let session = stage.session(json!({ "return_url": "https://app.example/done" })).await;
    let mut browser = stage.browser();
    let page = browser.open(&session).await;
    let authorize = browser.start(&page, "toy").await;
    let page = browser.come_back(&Provider::refuse(&authorize, "access_denied")).await;
    let back = page.data("return").unwrap();
    assert!(back.contains("alter_connect_error=connect_denied&error_code=connect_denied&error_description="));
}

#[tokio::test]
async fn b056_a_result_is_for_the_one_origin() {
    let stage = Stage::new().await;
    let session = stage.session(json!({ "allowed_origin": "https://App.example:443/" })).await;
    let (_, page) = stage.connect(&session, "alice").await;
    assert_eq!(page.data("origin").as_deref(), Some("https://app.example"));
    // Without one, and without a website of the app's, nobody is told.
    let session = stage.session(json!({})).await;
    let (_, page) = stage.connect(&session, "alice").await;
    assert_eq!(page.data("origin"), None);
    page.shows("You can close this window.");
}

#[tokio::test]
async fn a_failure_of_the_operators_making_is_told_by_the_clients_code() {
    let stage = Stage::new().await;
    for (answer, code) in [
        ((401, json!({ "error": "invalid_client" })), "invalid_client"),
        ((400, json!({ "error": "unauthorized_client" })), "unauthorized_client"),
        ((503, json!({})), "provider_unavailable"),
        ((400, json!({ "error": "invalid_grant" })), "code_refused"),
    ] {
        let session = stage.session(json!({ "direct": true })).await;
        let mut browser = stage.browser();
        let page = browser.open(&session).await;
        let back = stage.provider.allow(&browser.start(&page, "toy").await, "alice");
        stage.provider.answer_next(answer.0, answer.1);
        let page = browser.come_back(&back).await;
        assert_eq!(page.message()["error"], code);
        let result = stage.poll(&session).await;
        assert_eq!(result["error"]["error_code"], code);
        assert!(!result["error"]["error_message"].as_str().unwrap().is_empty());
    }
    assert_eq!(stage.grants().await, []);
}

#[tokio::test]
async fn what_failed_is_told_beside_what_was_connected() {
    let stage = Stage::of(&[definition("toy"), definition("two")]).await;
    let session = stage.session(json!({})).await;
    let mut browser = stage.browser();
    let page = browser.open(&session).await;
    let authorize = browser.start(&page, "two").await;
    let page = browser.come_back(&Provider::refuse(&authorize, "invalid_scope")).await;
    page.shows("Try TWO again");
    page.shows("role=\"alert\"");
    let back = stage.provider.allow(&browser.start(&page, "toy").await, "alice");
    let page = browser.come_back(&back).await;
    browser.press(&page, "finish", &[]).await;
    let result = stage.poll(&session).await;
    assert_eq!(result["status"], "completed");
    assert_eq!(result["failed_grants"][0]["provider_id"], "two");
    assert_eq!(result["failed_grants"][0]["reason"], "connect_config_error");
}

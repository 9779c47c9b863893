//! The pages themselves, and the files that they load.

use serde_json::json;

use crate::support::Stage;

#[tokio::test]
async fn the_links_page_is_the_same_for_everybody_and_loads_only_the_vaults_files() {
    let stage = Stage::new().await;
    let mut browser = stage.browser();
    let page = browser.visit("/sdk/oauth/connect").await;
    assert_eq!(page.answer.status, 200);
    assert_eq!(page.answer.header("content-type"), Some("text/html; charset=utf-8"));
    page.shows("<noscript>");
    assert!(browser.cookies.is_empty());
    let text = page.text();
    let assets: Vec<&str> =
        text.split('"').filter(|part| part.starts_with("/sdk/oauth/connect/assets/")).collect();
    assert_eq!(assets.len(), 2);
    for asset in assets {
        let file = browser.get(asset).await;
        assert_eq!(file.status, 200);
        assert_eq!(file.header("cache-control"), Some("public, max-age=31536000, immutable"));
        assert_eq!(file.header("x-content-type-options"), Some("nosniff"));
        for foreign in ["http://", "https://", "//cdn", "@import", "innerHTML", "eval("] {
            assert!(!file.text().contains(foreign), "{foreign} in {asset}");
        }
    }
    assert!(!text.contains("http://") && !text.contains("https://"), "nothing of another host: {text}");
    for inline in [" style=", " onclick=", " onload=", "<style", "javascript:"] {
        assert!(!text.contains(inline), "{inline}");
    }
    assert_eq!(browser.get("/sdk/oauth/connect/assets/connect-0000000000000000.js").await.status, 404);
}

#[tokio::test]
async fn a_link_that_is_none_gets_a_page_that_says_so() {
    let stage = Stage::new().await;
    let mut browser = stage.browser();
    for (token, status, says) in [
        ("", 404, "This link does not work"),
        ("sess_x", 404, "This link does not work"),
        ("ms_sess_x", 501, "Not possible here"),
    ] {
        let answer = browser.post("/sdk/oauth/connect", &[("session", token)]).await;
        assert_eq!(answer.status, status);
        assert!(answer.text().contains(says));
    }
    assert_eq!(browser.get("/sdk/oauth/connect/nonsense").await.status, 404);
    assert_eq!(browser.get(&format!("/sdk/oauth/connect/{}", stage.app.id)).await.status, 404);
}

#[tokio::test]
async fn what_others_wrote_is_text_on_the_page() {
    let mut toy = crate::provider::definition("toy");
    toy["name"] = json!("<img src=x>\"'");
    toy["scopes"]["known"] =
        json!([{ "scope": "s", "description": "<script>alert(1)</script>", "default": true }]);
    let stage = Stage::of(&[toy]).await;
    let session = stage.session(json!({ "return_url": "https://app.example/?a=\"" })).await;
    let mut browser = stage.browser();
    let page = browser.open(&session).await;
    assert!(!page.text().contains("<img") && !page.text().contains("<script>alert"), "{}", page.text());
    let back = stage.provider.allow(&browser.start(&page, "toy").await, "\"><script>x</script>");
    let page = browser.come_back(&back).await;
    assert!(!page.text().contains("<script>x") && !page.text().contains("<img"), "{}", page.text());
    assert_eq!(page.message()["grants"][0]["account_identifier"], "\"><script>x</script>");
}

#[tokio::test]
async fn a_scope_that_nobody_has_described_is_shown_as_it_is() {
    let stage = Stage::new().await;
    stage
        .change_provider("toy", |config| {
            config.scopes.allowed.push("notes:admin".to_owned());
            config.scopes.default.push("notes:admin".to_owned());
        })
        .await;
    let session = stage.session(json!({})).await;
    stage.browser().open(&session).await.shows("use the permission <code>notes:admin</code>");
}

#[tokio::test]
async fn a_provider_that_was_disabled_meanwhile_is_shown_as_such() {
    let stage = Stage::new().await;
    let session = stage.session(json!({})).await;
    let mut browser = stage.browser();
    let page = browser.open(&session).await;
    let authorize = browser.start(&page, "toy").await;
    stage.disable("toy").await;
    browser.visit(&page.at).await.shows("Not available at the moment");
    let back = stage.provider.allow(&authorize, "alice");
    browser.come_back(&back).await;
    assert_eq!(browser.press(&page, "start", &[("provider", "toy")]).await.status, 303);
    browser.press(&page, "finish", &[]).await;
    let result = stage.poll(&session).await;
    assert_eq!(result["error"]["error_code"], "provider_configuration_unavailable");
    stage.nothing_was_made().await;
}

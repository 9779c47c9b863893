//! An app's colours and logo, which its operator set once, on the pages.

use alter_domain::{
    flow::{AppChange, set_logo, update_app},
    model::{Actor, App, Surface},
    repo::{Apps, Stored},
};
use serde_json::json;

use crate::support::Stage;

/// One pixel.
const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0";

async fn app(stage: &Stage) -> Stored<App> {
    Apps(stage.vault.calm().table.as_ref()).get(stage.app.org, stage.app.id).await.unwrap()
}

async fn colored(stage: &Stage, color: &str) {
    let change = AppChange { color: Some(Some(color.to_owned())), ..AppChange::default() };
    update_app(&stage.vault.calm(), app(stage).await, change, Actor::of_vault(), Surface::Portal)
        .await
        .unwrap();
}

async fn with_logo(stage: &Stage) {
    let (ports, picture) = (stage.vault.calm(), PICTURE.into());
    set_logo(&ports, app(stage).await, picture, Actor::of_vault(), Surface::Portal).await.unwrap();
}

fn between(text: &str, before: &str, after: char) -> String {
    let start = text.find(before).unwrap_or_else(|| panic!("{before} in {text}")) + before.len();
    text[start..].split(after).next().unwrap().to_owned()
}

/// B123: the colours on every page that is about the app, as a file of the vault's own, under the policy that allows no other style.
#[tokio::test]
async fn b123_the_pages_wear_the_apps_colours() {
    let stage = Stage::new().await;
    colored(&stage, "#FFD500").await;
    let session = stage.session(json!({})).await;
    let mut browser = stage.browser();
    let page = browser.open(&session).await;
    let path = between(&page.text(), "<link rel=\"stylesheet\" href=\"/sdk/oauth/connect/assets/brand-", '"');
    let policy = page.answer.header("content-security-policy").unwrap();
    assert!(policy.contains("style-src 'self'") && !policy.contains("unsafe"), "{policy}");
    let sheet = browser.get(&format!("/sdk/oauth/connect/assets/brand-{path}")).await;
    assert_eq!(sheet.status, 200);
    assert_eq!(sheet.header("content-type"), Some("text/css; charset=utf-8"));
    assert_eq!(sheet.header("cache-control"), Some("public, max-age=31536000, immutable"));
    // Yellow is no colour to read on white; in the dark it is.
    assert!(
        sheet.text().contains("--accent: #ffd500;") && sheet.text().contains("--on-accent: #ffffff;"),
        "{}",
        sheet.text()
    );

    let back = stage.provider.allow(&browser.start(&page, "toy").await, "alice");
    let done = browser.come_back(&back).await;
    done.shows(&format!("assets/brand-{path}"));
    // The names of other colours, and what is no colour.
    for wrong in [path.replace("ffd500", "000000"), "red-red-0.css".to_owned(), format!("../{path}")] {
        assert_eq!(
            browser.get(&format!("/sdk/oauth/connect/assets/brand-{wrong}")).await.status,
            404,
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn b123_the_pages_show_the_apps_logo_or_its_initial() {
    let stage = Stage::new().await;
    let session = stage.session(json!({})).await;
    let mut browser = stage.browser();
    browser.open(&session).await.shows("<span class=\"tile own\">S</span>");

    with_logo(&stage).await;
    let page = browser.open(&session).await;
    let logo = between(&page.text(), "<img class=\"tile own logo\" src=\"", '"');
    assert!(logo.starts_with(&format!("/wallet/api/logos/{}/", stage.app.id)), "{logo}");
    // Anybody's browser gets it, and can do nothing with it but show it.
    let picture = stage.browser().get(&logo).await;
    assert_eq!(picture.status, 200);
    assert_eq!(picture.header("content-type"), Some("image/png"));
    assert_eq!(picture.body.as_ref(), PICTURE);
    assert_eq!(picture.header("content-security-policy"), Some("default-src 'none'; sandbox"));
    assert_eq!(picture.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(picture.header("cache-control"), Some("public, max-age=31536000, immutable"));
}

#[tokio::test]
async fn a_logo_has_one_address() {
    let stage = Stage::new().await;
    with_logo(&stage).await;
    let other = stage.vault.app_in(stage.app.org).await;
    let digest = app(&stage).await.value.branding.logo.unwrap().digest;
    let at = |app: &str, digest: &str| format!("/wallet/api/logos/{app}/{digest}");
    let id = stage.app.id.to_string();
    let mut browser = stage.browser();
    assert_eq!(browser.get(&at(&id, &digest)).await.status, 200);
    for wrong in [
        at(&other.id.to_string(), &digest),
        at(&id, &digest.to_uppercase()),
        at(&id, &digest[1..]),
        at(&id, &"0".repeat(64)),
        at("nothing", &digest),
        at(&id, "%00"),
    ] {
        let answer = browser.get(&wrong).await;
        assert_eq!(answer.status, 404, "{wrong}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{wrong}");
    }
}

//! Coming into the Wallet and leaving it again.

use serde_json::json;

use crate::world::{Person, World};

#[tokio::test]
async fn b019_somebody_signs_in_through_their_apps_identity_provider_and_out_again() {
    let world = World::new().await;
    let session = world.alice.get("/wallet/api/session").await;
    assert_eq!(session.header("cache-control"), Some("no-store"));
    let session = session.ok();
    let app = json!({
        "app_id": world.app.id, "name": "Shop", "description": null, "website_url": null,
        "branding": { "logo_url": null, "color": null, "color_dark": null },
    });
    let expected = json!({
        "user_id": world.app.user_of(&world.idp, "alice"),
        "name": "ALICE",
        "email": "alice@example.com",
        "subject": "alice",
        "issuer": world.idp.issuer(),
        "app": app,
        "csrf_token": world.alice.csrf,
        "expires_at": "2026-03-02T12:00:00Z",
        "idle_seconds": 28_800,
    });
    assert_eq!(session, expected);
    assert_eq!(world.bob.get("/wallet/api/session").await.ok()["subject"], "bob");

    let Person { browser, .. } = &world.alice;
    assert_eq!(browser.cookies.len(), 1, "the sign-in's own cookie is gone: {:?}", browser.cookies.keys());
    let out = world.alice.post("/wallet/api/sign-out", &json!({})).await;
    assert!(
        out.header("set-cookie").unwrap().starts_with("__Host-alter_wallet=; Path=/; Max-Age=0; HttpOnly")
    );
    let again = format!("/sign-in?app={}&switch=1", world.app.id);
    assert_eq!(out.ok(), json!({ "location": again }), "this identity provider has no way out");
    world.alice.get("/wallet/api/session").await.refused(401, "wallet_session_required");
    world.bob.get("/wallet/api/session").await.ok();
    let nobody = world.app.vault.anonymous();
    nobody.send("GET", "/wallet/api/session", &[], "").await.refused(401, "wallet_session_required");
}

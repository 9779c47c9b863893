//! Colours, logo and contact of an app, and whether the Wallet offers it.

use alter_domain::{
    api::AppId,
    flow::{connect::PublicUrl, wallet::app_card},
    repo::Apps,
};
use serde_json::json;

use crate::support::{Answer, Client, Vault};

/// Headers are all that is looked at.
fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    bytes.extend(width.to_be_bytes());
    bytes.extend(height.to_be_bytes());
    bytes.extend(b"\x08\x06\0\0\0");
    bytes
}

async fn put_logo(admin: &Client<'_>, app: AppId, kind: &str, picture: Vec<u8>) -> Answer {
    admin.raw("PUT", &format!("/apps/{app}/logo"), Some(kind), picture).await
}

async fn card(vault: &Vault, app: AppId) -> alter_domain::api::wallet::AppCard {
    let apps = Apps(vault.ports.table.as_ref()).get_many(&[app]).await.unwrap();
    app_card(&PublicUrl::parse("https://vault.example.com/alter").unwrap(), &apps[0])
}

/// B123: set once, and everything that draws the app has it.
#[tokio::test]
async fn b123_colours_are_set_once_and_are_what_the_card_shows() {
    let vault = Vault::new().await;
    let admin = vault.admin();
    let app = vault.app("Shop").await;
    let path = format!("/apps/{app}");
    let body = json!({"color": "#1F4FD1", "color_dark": "#8fb0ff", "support_email": "help@example.com"});
    let changed = admin.patch(&path, body).await.expect(200);
    assert_eq!(changed.text_at("color"), "#1f4fd1");
    assert_eq!(changed.text_at("support_email"), "help@example.com");
    assert_eq!(admin.get(&path).await.json(), changed.json());
    let shown = card(&vault, app).await;
    assert_eq!(
        (shown.branding.color.as_deref(), shown.branding.color_dark.as_deref()),
        (Some("#1f4fd1"), Some("#8fb0ff"))
    );
    assert_eq!(shown.branding.logo_url, None);
    // What is not named stays, and null clears.
    let cleared = admin.patch(&path, json!({"color_dark": null, "support_email": null})).await.expect(200);
    assert_eq!(cleared.text_at("color"), "#1f4fd1");
    assert_eq!(
        (&cleared.json()["color_dark"], &cleared.json()["support_email"]),
        (&json!(null), &json!(null))
    );
}

#[tokio::test]
async fn b123_a_logo_is_replaced_and_removed_and_its_address_goes_with_it() {
    let vault = Vault::new().await;
    let admin = vault.admin();
    let app = vault.app("Shop").await;
    // Called what it is not: its bytes say what it is.
    let first = put_logo(&admin, app, "image/svg+xml", png(64, 64)).await.expect(200);
    assert_eq!(first.text_at("logo.content_type"), "image/png");
    let address = first.text_at("logo.url");
    let digest = address.rsplit('/').next().unwrap().to_owned();
    assert!(address.ends_with(&format!("/wallet/api/logos/{app}/{digest}")), "{address}");
    assert_eq!(
        card(&vault, app).await.branding.logo_url,
        Some(format!("/alter/wallet/api/logos/{app}/{digest}"))
    );
    let apps = Apps(vault.ports.table.as_ref());
    assert_eq!(apps.logo(app, &digest).await.unwrap().unwrap().bytes().as_ref(), png(64, 64));

    let second = put_logo(&admin, app, "image/png", png(32, 32)).await.expect(200);
    assert_ne!(second.text_at("logo.url"), address);
    assert!(apps.logo(app, &digest).await.unwrap().is_none(), "the old address is dead");

    let path = format!("/apps/{app}/logo");
    let removed = admin.delete(&path).await.expect(200);
    assert_eq!(removed.json()["logo"], json!(null));
    admin.delete(&path).await.refused(404, "logo_not_found");
    let digest = second.text_at("logo.url").rsplit('/').next().unwrap().to_owned();
    assert!(apps.logo(app, &digest).await.unwrap().is_none());
}

#[tokio::test]
async fn what_is_no_sensible_picture_is_not_stored() {
    let vault = Vault::new().await;
    let admin = vault.admin();
    let app = vault.app("Shop").await;
    let mut heavy = png(64, 64);
    heavy.resize(64 * 1024 + 1, 0);
    let script = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>".to_vec();
    for picture in [Vec::new(), script, b"GIF89a\x10\0\x10\0".to_vec(), png(1025, 64), png(64, 0), heavy] {
        put_logo(&admin, app, "image/png", picture).await.refused(422, "invalid_logo");
    }
    put_logo(&admin, app, "image/png", vec![0; 256 * 1024 + 1]).await.refused(413, "payload_too_large");
    assert_eq!(admin.get(&format!("/apps/{app}")).await.json()["logo"], json!(null));
}

#[tokio::test]
async fn no_logo_changes_that_cannot_be_recorded() {
    let vault = Vault::new().await;
    let admin = vault.admin();
    let app = vault.app("Shop").await;
    let before = put_logo(&admin, app, "image/png", png(64, 64)).await.expect(200);
    vault.record.set_down(true);
    put_logo(&admin, app, "image/png", png(32, 32)).await.refused(503, "audit_unavailable");
    admin.delete(&format!("/apps/{app}/logo")).await.refused(503, "audit_unavailable");
    vault.record.set_down(false);
    assert_eq!(admin.get(&format!("/apps/{app}")).await.json(), before.json());
}

#[tokio::test]
async fn an_app_is_offered_to_everybody_while_it_is_listed_and_not_archived() {
    let vault = Vault::new().await;
    let admin = vault.admin();
    let (shop, _other) = (vault.app("Shop").await, vault.app("Other").await);
    let path = format!("/apps/{shop}");
    let offered = async || {
        let listed = Apps(vault.ports.table.as_ref()).listed(100).await.unwrap();
        listed.into_iter().map(|app| app.id).collect::<Vec<_>>()
    };
    assert!(offered().await.is_empty(), "none by itself");
    admin.patch(&path, json!({"wallet_listed": true})).await.expect(200);
    assert_eq!(offered().await, [shop]);
    // Other changes leave it in.
    put_logo(&admin, shop, "image/png", png(8, 8)).await.expect(200);
    assert_eq!(offered().await, [shop]);
    admin.send("POST", &format!("{path}/archive"), None).await.expect(200);
    assert!(offered().await.is_empty(), "archived");
    admin.send("POST", &format!("{path}/unarchive"), None).await.expect(200);
    assert_eq!(offered().await, [shop]);
    admin.patch(&path, json!({"wallet_listed": false})).await.expect(200);
    assert!(offered().await.is_empty());
}

//! Who is let to the door: through which apps people can sign in, and how often they may try.

use alter_domain::repo::{Apps, Stored};
use alter_tests::{Browser, TestIdp};
use serde_json::json;

use crate::{
    sign_in::{leave, refused, stage},
    world::{Person, World, begin},
};

#[tokio::test]
async fn nobody_is_sent_where_nobody_could_sign_in() {
    let (app, _) = stage().await;
    let without = app.vault.app_in(app.org).await;
    let (half, idp) = (app.vault.app_in(app.org).await, TestIdp::start().await);
    half.identity_provider(&idp).await;
    let mut browser = Browser::new(&app.vault);
    for query in
        ["", "?app=", "?app=x", "?app=%2F%2Fevil.example", "?app=00000000-0000-0000-0000-000000000001"]
    {
        let answer = browser.get(&format!("/api/auth/sign-in{query}")).await;
        refused(&answer, None, "app_not_found");
    }
    for app in [&without, &half] {
        refused(&browser.get(&begin(app)).await, Some(app.id), "idp_signin_not_configured");
    }
    app.change_identity_provider(|stored| stored.endpoints.authorization = "https://10.0.0.1/".to_owned())
        .await;
    refused(&browser.get(&begin(&app)).await, Some(app.id), "idp_signin_misconfigured");
    assert!(browser.cookies.is_empty());

    // What the page shows of them.
    let offered = async |query: String| {
        let nobody = app.vault.anonymous();
        nobody.send("GET", &format!("/wallet/api/sign-in{query}"), &[], "").await.ok()
    };
    for id in [without.id, half.id] {
        assert_eq!(offered(format!("?app={id}")).await, json!({ "app": null, "apps": [] }));
    }
    for query in ["", "?app=", "?app=x", "?app=a&app=b"] {
        assert_eq!(offered(query.to_owned()).await, json!({ "app": null, "apps": [] }), "{query}");
    }
    assert_eq!(offered(format!("?app={}", app.id)).await["app"]["name"], "Shop");
}

#[tokio::test]
async fn apps_are_offered_to_everybody_where_their_operator_said_so() {
    let world = World::new().await;
    let (zoo, bar) = (world.beside("Zoo").await, world.beside("bar").await);
    let without = world.app.vault.app_in(world.app.org).await;
    let ports = world.app.vault.calm();
    let apps = Apps(ports.table.as_ref());
    for app in [&zoo, &bar, &without] {
        let Stored { mut value, version } = apps.get(app.org, app.id).await.unwrap();
        value.wallet_listed = true;
        apps.update(&Stored { value, version }).await.unwrap();
    }
    let nobody = world.app.vault.anonymous();
    let offered = nobody.send("GET", "/wallet/api/sign-in", &[], "").await.ok();
    let names: Vec<_> = offered["apps"].as_array().unwrap().iter().map(|app| app["name"].clone()).collect();
    assert_eq!(names, ["bar", "Zoo"], "without those through which nobody could sign in");
    let elsewhere = [("sec-fetch-site", "cross-site")];
    nobody.send("GET", "/wallet/api/sign-in", &elsewhere, "").await.refused(403, "csrf_failed");
}

#[tokio::test]
async fn one_address_begins_thirty_sign_ins_in_a_minute() {
    let (app, idp) = stage().await;
    let mut browser = Browser::new(&app.vault);
    for _ in 0..30 {
        leave(&mut browser, &app).await;
    }
    let mut other = Browser::new(&app.vault);
    let answer = other.get(&begin(&app)).await;
    refused(&answer, Some(app.id), "too_many_requests");
    assert_eq!(answer.header("retry-after"), Some("60"));
    assert!(other.cookies.is_empty());
    // Whoever is on the way arrives, and the page can be looked at.
    let nobody = app.vault.anonymous();
    for _ in 0..120 {
        nobody.send("GET", "/wallet/api/sign-in", &[], "").await.ok();
    }
    let answer = nobody.send("GET", "/wallet/api/sign-in", &[], "").await.refused(429, "too_many_requests");
    assert_eq!(answer.header("retry-after"), Some("60"));
    app.vault.clock.advance(60);
    let authorize = leave(&mut other, &app).await;
    other.get(idp.sign_in(&authorize, "ada").as_str()).await;
    Person::of(other).await;
}

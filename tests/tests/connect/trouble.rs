//! When the store or the provider fails half-way: all or nothing, and no token that nobody knows of.

use std::{future::poll_fn, task::Poll};

use alter_tests::Setup;
use serde_json::json;

use crate::{provider::definition, support::Stage};

#[tokio::test]
async fn a_browser_that_hangs_up_loses_nothing() {
    let stage = Stage::new().await;
    let session = stage.session(json!({})).await;
    let mut browser = stage.browser();
    let page = browser.open(&session).await;
    let back = stage.provider.allow(&browser.start(&page, "toy").await, "alice");
    let path = crate::support::path_of(&back);
    {
        // As far as the exchange, and no further.
        let mut answer = Box::pin(browser.get(&path));
        while stage.provider.exchanges().is_empty() {
            assert!(
                poll_fn(|context| Poll::Ready(answer.as_mut().poll(context).is_pending())).await,
                "the answer came before the exchange"
            );
            tokio::task::yield_now().await;
        }
    }
    while stage.poll(&session).await["status"] == "pending" {
        tokio::task::yield_now().await;
    }
    assert_eq!(stage.poll(&session).await["status"], "completed");
    assert_eq!(stage.grants().await.len(), 1);
}

#[tokio::test]
async fn tokens_that_cannot_be_kept_make_nothing() {
    let stage = Stage::with(Setup::default(), &[definition("toy")]).await;
    let session = stage.session(json!({ "direct": true })).await;
    let mut browser = stage.browser();
    let page = browser.open(&session).await;
    let back = stage.provider.allow(&browser.start(&page, "toy").await, "alice");
    // No provider has tokens this short; the vault cannot look for them in replies.
    stage.provider.answer_next(200, json!({ "access_token": "short" }));
    browser.come_back(&back).await;
    let result = stage.poll(&session).await;
    assert_eq!(result["status"], "error", "{result}");
    assert_eq!(stage.grants().await, []);
    assert_eq!(stage.connections("toy").await, []);
}

#[tokio::test]
async fn a_visit_that_was_ended_meanwhile_makes_nothing_of_the_answer() {
    let stage = Stage::of(&[definition("toy"), definition("two")]).await;
    let session = stage.session(json!({})).await;
    let mut browser = stage.browser();
    let page = browser.open(&session).await;
    let back = stage.provider.allow(&browser.start(&page, "toy").await, "alice");
    browser.press(&page, "finish", &[]).await;
    let answer = browser.get(&crate::support::path_of(&back)).await;
    assert_eq!(answer.status, 410);
    stage.nothing_was_made().await;
}

#[tokio::test]
async fn two_tabs_with_one_account_make_one_connection() {
    let stage = Stage::of(&[definition("toy"), definition("two")]).await;
    let session = stage.session(json!({})).await;
    let mut browser = stage.browser();
    let page = browser.open(&session).await;
    let one = stage.provider.allow(&browser.start(&page, "toy").await, "alice");
    let two = stage.provider.allow(&browser.start(&page, "toy").await, "alice");
    let mut other_tab = stage.browser();
    other_tab.cookies.clone_from(&browser.cookies);
    let (one, two) = (crate::support::path_of(&one), crate::support::path_of(&two));
    let (one, two) = tokio::join!(browser.get(&one), other_tab.get(&two));
    assert_eq!((one.status.as_u16(), two.status.as_u16()), (303, 303));
    assert_eq!(stage.connections("toy").await.len(), 1);
    assert_eq!(stage.grants().await.len(), 1);
}

#[tokio::test]
async fn a_second_account_in_one_session_is_ended_at_the_provider() {
    let stage = Stage::of(&[definition("toy"), definition("two")]).await;
    let session = stage.session(json!({})).await;
    let mut browser = stage.browser();
    let page = browser.open(&session).await;
    let one = stage.provider.allow(&browser.start(&page, "toy").await, "alice");
    let two = stage.provider.allow(&browser.start(&page, "toy").await, "bob");
    browser.come_back(&one).await;
    browser.come_back(&two).await.shows("Connected as <strong>alice");
    assert_eq!(stage.connections("toy").await.len(), 1);
    stage.work().await;
    assert_eq!(stage.provider.revoked().len(), 1);
    browser.press(&page, "finish", &[]).await;
    assert_eq!(stage.poll(&session).await["grants"][0]["account_identifier"], "alice");
}

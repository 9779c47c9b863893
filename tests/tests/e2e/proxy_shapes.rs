//! What `/sdk/proxy` makes of a provider's answers (wire protocol section 4.1).

use alter_tests::{TestVault, Upstream, reply};
use serde_json::json;

#[tokio::test]
async fn b006_every_status_of_the_provider_comes_as_200() {
    let upstream = Upstream::serving(|received| async move {
        reply(received.target.trim_start_matches('/').parse().unwrap(), "x")
    })
    .await;
    let app = TestVault::new().await.app().await;
    let (_, grant) = app.bearer("a-long-token", upstream.host()).await;
    for status in 200..600 {
        let url = upstream.url(&format!("/{status}"));
        let answer = app.client().proxy(&json!({ "method": "GET", "url": url, "grant_id": grant })).await;
        assert_eq!(answer.ok()["status_code"], status);
    }
}

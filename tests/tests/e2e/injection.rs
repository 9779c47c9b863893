//! Where the credential goes, as the provider sees it (B090 to B096).

use alter_domain::inject::Target::{Header, Query};
use alter_tests::{
    GrantSpec, ScriptedClient, SecretSpec, Setup, TestApp, TestVault, Upstream, channel_body, check_sigv4,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::get;

const SECRET: &str = "s3cr3t+/value=with~marks";

async fn set_up(spec: impl FnOnce(String) -> SecretSpec) -> (TestApp, Upstream, Value) {
    let upstream = Upstream::echo().await;
    let app = TestVault::new().await.app().await;
    let secret = app.secret(spec(upstream.host())).await;
    let grant = app.grant(&secret, GrantSpec::system()).await;
    let call = get(&upstream.url("/v1?page=2"), grant);
    (app, upstream, call)
}

#[tokio::test]
async fn b090_bearer() {
    let (app, upstream, call) = set_up(|host| SecretSpec::bearer("p", SECRET, host)).await;
    app.client().proxy(&call).await.ok();
    assert_eq!(upstream.last().header("authorization"), Some(format!("Bearer {SECRET}").as_str()));
    let values = upstream.last().headers.get_all("authorization").iter().count();
    assert_eq!(values, 1);
}

#[tokio::test]
async fn b090_a_header_of_the_operators_choice() {
    let (app, upstream, mut call) = set_up(|host| SecretSpec::header("p", "DD-API-KEY", SECRET, host)).await;
    app.client().proxy(&call).await.ok();
    assert_eq!(upstream.last().header("dd-api-key"), Some(SECRET));
    assert_eq!(upstream.last().header("authorization"), None);
    // The caller cannot send a second one along.
    for name in ["dd-api-key", "DD-API-KEY"] {
        call["headers"] = json!({ name: "mine" });
        app.client().proxy(&call).await.refused(422, "forbidden_header");
    }
    assert_eq!(upstream.hits(), 1);
}

#[tokio::test]
async fn b090_basic() {
    let (app, upstream, call) = set_up(|host| SecretSpec::basic("p", "user@example", SECRET, host)).await;
    app.client().proxy(&call).await.ok();
    let expected = format!("Basic {}", STANDARD.encode(format!("user@example:{SECRET}")));
    assert_eq!(upstream.last().header("authorization"), Some(expected.as_str()));
}

#[tokio::test]
async fn b091_a_query_parameter() {
    let rules = [(Query, "api_key", "{key}")];
    let (app, upstream, mut call) =
        set_up(|host| SecretSpec::custom("p", &rules, [("key", SECRET)], host)).await;
    call["query_params"] = json!({ "q": "x y" });
    app.client().proxy(&call).await.ok();
    assert_eq!(upstream.last().query("api_key").as_deref(), Some(SECRET));
    assert_eq!(
        (upstream.last().query("page").as_deref(), upstream.last().query("q").as_deref()),
        (Some("2"), Some("x y"))
    );
    for params in [json!({ "api_key": "mine" }), json!({ "API_KEY": "mine" })] {
        call["query_params"] = params;
        app.client().proxy(&call).await.refused(422, "forbidden_header");
    }
    assert_eq!(upstream.hits(), 1);
}

#[tokio::test]
async fn b091_several_at_once_from_several_fields() {
    let rules = [
        (Header, "X-Key", "{key}"),
        (Header, "Authorization", "Token token={token}, key=\"{key}\""),
        (Header, "X-Basic", "{basic(key:token)}"),
        (Query, "sig", "v1:{token}"),
    ];
    let fields = [("key", "key-value-1"), ("token", SECRET)];
    let (app, upstream, call) = set_up(|host| SecretSpec::custom("p", &rules, fields, host)).await;
    app.client().proxy(&call).await.ok();
    let received = upstream.last();
    assert_eq!(received.header("x-key"), Some("key-value-1"));
    let expected = format!("Token token={SECRET}, key=\"key-value-1\"");
    assert_eq!(received.header("authorization"), Some(expected.as_str()));
    let basic = STANDARD.encode(format!("key-value-1:{SECRET}"));
    assert!(received.header("x-basic").unwrap().ends_with(&basic), "{:?}", received.header("x-basic"));
    assert_eq!(received.query("sig"), Some(format!("v1:{SECRET}")));
}

#[tokio::test]
async fn b094_a_replaced_value_is_used_by_the_very_next_call_of_every_grant() {
    let upstream = Upstream::echo().await;
    let app = TestVault::new().await.app().await;
    let (secret, one) = app.bearer("the-old-value", upstream.host()).await;
    let two = app.grant(&secret, GrantSpec::group(&app.vault, "team")).await;
    for grant in [one, two] {
        app.client().proxy(&get(&upstream.url("/"), grant)).await.ok();
        assert_eq!(upstream.last().header("authorization"), Some("Bearer the-old-value"));
    }
    app.replace_value(&secret, &[("token", "the-new-value".to_owned())]).await;
    for grant in [one, two] {
        app.client().proxy(&get(&upstream.url("/"), grant)).await.ok();
        assert_eq!(upstream.last().header("authorization"), Some("Bearer the-new-value"));
    }
}

#[tokio::test]
async fn b095_a_secret_without_a_grant_cannot_be_used() {
    let upstream = Upstream::echo().await;
    let app = TestVault::new().await.app().await;
    let secret = app.secret(SecretSpec::bearer("lonely", SECRET, upstream.host())).await;
    for grant in [secret.id.to_string(), secret.credential_id.to_string()] {
        let call = json!({ "method": "GET", "url": upstream.url("/"), "grant_id": grant });
        app.client().proxy(&call).await.refused(404, "grant_not_found");
    }
    let call = json!({ "method": "GET", "url": upstream.url("/"), "provider_id": "lonely" });
    app.client().proxy(&call).await.refused(404, "grant_not_found");
    assert_eq!(upstream.connections(), 0);
}

// --- AWS: the signature is recomputed at the far side.

const KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";
const AWS_SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

async fn aws() -> (TestApp, std::sync::Arc<ScriptedClient>, alter_domain::api::GrantId) {
    let client = ScriptedClient::silent();
    let app = Setup::default().http(client.clone()).build().await.app().await;
    let secret = app.secret(SecretSpec::aws("aws", KEY_ID, AWS_SECRET, "*.amazonaws.com")).await;
    let grant = app.grant(&secret, GrantSpec::system()).await;
    (app, client, grant)
}

#[tokio::test]
async fn b092_region_and_service_come_from_the_host_and_the_signature_validates() {
    let (app, client, grant) = aws().await;
    for (url, region, service) in [
        (
            "https://s3.eu-central-1.amazonaws.com/bucket/a%20b/c%2Bd?list-type=2&prefix=x%2Fy&b=",
            "eu-central-1",
            "s3",
        ),
        ("https://bucket.s3.us-west-2.amazonaws.com/key", "us-west-2", "s3"),
        ("https://dynamodb.us-east-1.amazonaws.com/", "us-east-1", "dynamodb"),
        ("https://sts.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15", "us-east-1", "sts"),
        ("https://bedrock-runtime.us-east-1.amazonaws.com/model/a%3Ab/invoke", "us-east-1", "bedrock"),
    ] {
        for body in [Value::Null, json!({ "TableName": "ä" })] {
            let mut call = get(url, grant);
            call["method"] = "POST".into();
            call["headers"] = json!({ "X-Amz-Target": "DynamoDB_20120810.ListTables" });
            if !body.is_null() {
                call["body"] = body;
            }
            app.client().proxy(&call).await.ok();
            let signed = check_sigv4(&client.last(), AWS_SECRET);
            assert!(signed.valid, "{url}: {signed:?}");
            assert_eq!((signed.region.as_str(), signed.service.as_str()), (region, service), "{url}");
            assert_eq!(signed.access_key_id, KEY_ID);
            assert_eq!(signed.date, "20260301T120000Z");
            assert!(signed.signed_headers.contains(&"host".to_owned()), "{signed:?}");
            assert!(signed.signed_headers.contains(&"x-amz-target".to_owned()), "{signed:?}");
            // The check can fail.
            assert!(!check_sigv4(&client.last(), "another secret").valid);
        }
    }
}

#[tokio::test]
async fn b092_a_session_token_is_signed_and_a_callers_own_is_refused() {
    let (app, client, _) = aws().await;
    let mut spec = SecretSpec::aws("session", KEY_ID, AWS_SECRET, "*.amazonaws.com");
    spec.fields.push(("session_token", "FwoGZXIvYXdzEXAMPLE==".to_owned()));
    let secret = app.secret(spec).await;
    let grant = app.grant(&secret, GrantSpec::system()).await;
    let mut call = get("https://sqs.eu-west-1.amazonaws.com/", grant);
    app.client().proxy(&call).await.ok();
    assert_eq!(client.last().header("x-amz-security-token"), Some("FwoGZXIvYXdzEXAMPLE=="));
    let signed = check_sigv4(&client.last(), AWS_SECRET);
    assert!(signed.valid && signed.signed_headers.contains(&"x-amz-security-token".to_owned()), "{signed:?}");
    call["headers"] = json!({ "X-Amz-Security-Token": "mine" });
    app.client().proxy(&call).await.refused(422, "forbidden_header");
    call["headers"] = json!({});
    call["query_params"] = json!({ "X-Amz-Signature": "mine" });
    app.client().proxy(&call).await.refused(422, "forbidden_header");
    assert_eq!(client.hits(), 1);
}

#[tokio::test]
async fn b092_a_streamed_body_is_signed_as_unsigned_payload_where_the_service_allows_it() {
    let (app, client, grant) = aws().await;
    for (url, unsigned) in [
        ("https://s3.eu-central-1.amazonaws.com/bucket/key", true),
        ("https://sqs.eu-west-1.amazonaws.com/", false),
    ] {
        let (caller, body) = channel_body();
        for piece in ["one ", "two ", "three"] {
            caller.send(Ok(Bytes::from_static(piece.as_bytes()))).unwrap();
        }
        drop(caller);
        let answer = app.client().forward("PUT", url, grant).stream(body).send().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let received = client.last();
        assert_eq!(received.body, "one two three");
        assert_eq!(received.header("x-amz-content-sha256") == Some("UNSIGNED-PAYLOAD"), unsigned, "{url}");
        let signed = check_sigv4(&received, AWS_SECRET);
        assert!(signed.valid, "{url}: {signed:?}");
    }
}

#[tokio::test]
async fn b096_a_signature_is_never_made_for_another_host() {
    let (app, client, grant) = aws().await;
    for url in
        ["https://amazonaws.com/", "https://s3.amazonaws.com.evil.example/", "https://s3-amazonaws.com/"]
    {
        app.client().proxy(&get(url, grant)).await.refused(422, "blocked_destination");
    }
    assert_eq!(client.hits(), 0);
}

//! What is not understood is refused, and said why.

use serde_json::{Value, json};

use crate::support::{CANARY, Vault};

#[tokio::test]
async fn bodies_are_json_of_a_bounded_size_with_known_fields() {
    let vault = Vault::new().await;
    let admin = vault.admin();
    let json_type = Some("application/json; charset=utf-8");
    admin.raw("POST", "/apps", json_type, r#"{"name": "a"}"#).await.expect(201);
    for kind in
        [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/jsonl")]
    {
        admin.raw("POST", "/apps", kind, r#"{"name": "a"}"#).await.refused(415, "unsupported_media_type");
    }
    for body in
        ["", "{", "[]", "null", r#"{"name": 1}"#, r#"{"name": "a", "nmae": "b"}"#, r#"{"name":"a"} x"#]
    {
        admin.raw("POST", "/apps", json_type, body).await.refused(400, "invalid_request");
    }
    let large = json!({"name": "a", "description": "x".repeat(256 * 1024)}).to_string();
    admin.raw("POST", "/apps", json_type, large).await.refused(413, "payload_too_large");
    assert_eq!(admin.get("/apps").await.json()["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_body_that_may_be_left_out_is_read_when_it_is_there() {
    let vault = Vault::new().await;
    let admin = vault.admin();
    let keys = format!("/apps/{}/keys", vault.app("Demo").await);
    let key = admin.post(&keys, json!({"name": "k"})).await.text_at("key.key_id");
    let rotate = format!("{keys}/{key}/rotate");
    admin.raw("POST", &rotate, Some("text/plain"), "x").await.refused(415, "unsupported_media_type");
    admin.post(&rotate, json!({"grace": 1})).await.refused(400, "invalid_request");
    for bad in [-1, 30 * 86_400 + 1] {
        admin.post(&rotate, json!({"grace_seconds": bad})).await.refused(422, "invalid_grace");
    }
    admin.post(&rotate, json!({"scopes": []})).await.refused(422, "unknown_scope");
    admin.send("POST", &rotate, None).await.expect(200);
}

#[tokio::test]
async fn lists_take_a_limit_a_cursor_and_known_filters() {
    let vault = Vault::new().await;
    let admin = vault.admin();
    let app = vault.app("Demo").await;
    let lists = ["/apps", "/tokens", "/templates"].map(str::to_owned).into_iter();
    let of_app = ["keys", "agents", "secrets", "grants", "audit"].map(|list| format!("/apps/{app}/{list}"));
    for list in lists.chain(of_app) {
        for bad in ["0", "1001"] {
            admin.get(&format!("{list}?limit={bad}")).await.refused(422, "invalid_limit");
        }
        admin.get(&format!("{list}?statsu=active")).await.refused(422, "invalid_filter");
        if list != "/templates" {
            admin.get(&format!("{list}?cursor=nonsense")).await.refused(422, "invalid_cursor");
        }
        admin.get(&format!("{list}?limit=1000")).await.expect(200);
    }
    for bad in ["-1", "x", "", "1.5"] {
        admin.get(&format!("/apps?limit={bad}")).await.refused(422, "invalid_limit");
    }
    let id = app.to_string();
    let contradictions = [
        "status=deleted".to_owned(),
        "principal_type=all".to_owned(),
        "user_id=x".to_owned(),
        format!("user_id={id}&agent_id={id}"),
        format!("user_id={id}&principal_type=agent"),
    ];
    for query in contradictions {
        admin.get(&format!("/apps/{app}/grants?{query}")).await.refused(422, "invalid_filter");
    }
}

#[tokio::test]
async fn apps_agents_and_keys_are_checked() {
    let vault = Vault::new().await;
    let admin = vault.admin();
    let app = vault.app("Demo").await;
    let at = |path: &str| format!("/apps/{app}{path}");
    let cases = [
        ("POST", "/apps".to_owned(), json!({"name": " "}), "invalid_name"),
        (
            "POST",
            "/apps".to_owned(),
            json!({"name": "a", "website_url": "javascript:alert(1)"}),
            "invalid_website_url",
        ),
        ("POST", "/apps".to_owned(), json!({"name": "a", "description": ""}), "invalid_description"),
        ("PATCH", at(""), json!({}), "nothing_to_update"),
        ("PATCH", at(""), json!({"name": ""}), "invalid_name"),
        ("PATCH", at(""), json!({"color": "red"}), "invalid_color"),
        ("PATCH", at(""), json!({"color_dark": "#fff;}"}), "invalid_color"),
        ("PATCH", at(""), json!({"support_email": "a@b.example?cc=c"}), "invalid_support_email"),
        ("POST", at("/agents"), json!({"name": "Bot"}), "invalid_agent_name"),
        ("POST", at("/agents"), json!({"name": "bot", "display_name": ""}), "invalid_name"),
        ("POST", at("/keys"), json!({"name": ""}), "invalid_name"),
        ("POST", at("/keys"), json!({"name": "k", "scopes": ["everything"]}), "unknown_scope"),
        ("POST", at("/keys"), json!({"name": "k", "scopes": []}), "unknown_scope"),
        ("POST", at("/keys"), json!({"name": "k", "expires_in": "soon"}), "invalid_expiry"),
        ("POST", at("/keys"), json!({"name": "k", "expires_at": "2020-01-01T00:00:00Z"}), "invalid_expiry"),
        (
            "POST",
            at("/keys"),
            json!({"name": "k", "expires_in": "1d", "expires_at": "2030-01-01T00:00:00Z"}),
            "invalid_expiry",
        ),
        ("POST", "/tokens".to_owned(), json!({"name": "", "permission": "read"}), "invalid_name"),
        (
            "POST",
            "/tokens".to_owned(),
            json!({"name": "t", "permission": "read", "expires_in": "0d"}),
            "invalid_expiry",
        ),
    ];
    let before = vault.record.events().len();
    for (method, path, body, code) in cases {
        admin.send(method, &path, Some(body)).await.refused(422, code);
    }
    assert_eq!(vault.record.events().len(), before, "nothing was attempted");
}

#[tokio::test]
async fn secrets_are_checked_before_they_are_stored() {
    let vault = Vault::new().await;
    let admin = vault.admin();
    let secrets = format!("/apps/{}/secrets", vault.app("Demo").await);
    let own = |changes: Value| {
        let mut body = json!({
            "name": "x", "credential_type": "bearer", "fields": {"token": CANARY}, "allowed_hosts": ["api.example.com"],
        });
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        body
    };
    admin.post(&secrets, own(json!({}))).await.expect(201);
    let header = |name: &str| json!([{"target": "header", "name": name}]);
    let user = json!({"type": "user", "user_id": "018f4e9a-5b1c-7d2e-8f3a-4b5c6d7e8f90"});
    let cases = [
        (json!({"name": "x", "fields": {"token": CANARY}}), "invalid_secret"),
        (own(json!({"template": "stripe"})), "invalid_secret"),
        (own(json!({"name": null})), "invalid_secret"),
        (json!({"template": "stripe", "fields": {"token": CANARY}, "injection": []}), "invalid_secret"),
        (json!({"template": "no-such", "fields": {"token": CANARY}}), "unknown_template"),
        (json!({"template": "stripe", "fields": {"tokne": CANARY}}), "invalid_fields"),
        (json!({"template": "stripe", "fields": {}}), "invalid_fields"),
        (own(json!({"name": "日本"})), "invalid_name"),
        (own(json!({"fields": {}})), "invalid_fields"),
        (own(json!({"fields": {"token": "short"}})), "invalid_fields"),
        (own(json!({"fields": {"token": "line\nbreak"}})), "invalid_fields"),
        (own(json!({"fields": {"tokne": CANARY}})), "invalid_injection"),
        (own(json!({"fields": {"token": CANARY, "more": CANARY}})), "invalid_injection"),
        (own(json!({"injection": []})), "invalid_injection"),
        (own(json!({"injection": header("Cookie")})), "invalid_injection"),
        (own(json!({"credential_type": "api_key", "fields": {"api_key": CANARY}})), "invalid_injection"),
        (own(json!({"credential_type": "custom"})), "invalid_injection"),
        (own(json!({"credential_type": "custom", "injection": header("X-Key")})), "invalid_injection"),
        (own(json!({"credential_type": "aws_sigv4", "injection": header("X-Key")})), "invalid_injection"),
        (own(json!({"credential_type": "aws_sigv4"})), "invalid_injection"),
        (own(json!({"allowed_hosts": null})), "invalid_allowed_hosts"),
        (own(json!({"allowed_hosts": []})), "invalid_allowed_hosts"),
        (own(json!({"allowed_hosts": ["https://api.example.com"]})), "invalid_allowed_hosts"),
        (own(json!({"allowed_hosts": ["*.com"]})), "invalid_allowed_hosts"),
        (own(json!({"allowed_hosts": vec!["a.example.com"; 51]})), "invalid_allowed_hosts"),
        (own(json!({"default_headers": [{"name": "host", "value": "x"}]})), "invalid_default_headers"),
        (
            own(json!({"default_headers": [{"name": "Authorization", "value": "x"}]})),
            "invalid_default_headers",
        ),
        (own(json!({"grant": {"principal": user}})), "label_required"),
        (
            own(json!({"grant": {"principal": {"type": "system"}, "grant_policy": {"max_ttl_seconds": 0}}})),
            "invalid_grant_policy",
        ),
    ];
    for (body, code) in cases {
        let answer = admin.post(&secrets, body.clone()).await;
        assert_eq!(answer.json()["error"], code, "{body}: {}", answer.text);
        assert_eq!(answer.status, 422);
    }
    let stored = admin.get(&secrets).await.json();
    assert_eq!(stored["items"].as_array().unwrap().len(), 1, "nothing was stored by halves");
}

#[tokio::test]
async fn every_credential_type_has_its_injection() {
    let vault = Vault::new().await;
    let admin = vault.admin();
    let secrets = format!("/apps/{}/secrets", vault.app("Demo").await);
    let cases = [
        (json!({"credential_type": "bearer", "fields": {"token": CANARY}}), "authorization: Bearer {token}"),
        (
            json!({"credential_type": "api_key", "fields": {"api_key": CANARY},
                "injection": [{"target": "query", "name": "key"}]}),
            "key: {api_key}",
        ),
        (
            json!({"credential_type": "basic", "fields": {"username": "ada", "password": CANARY}}),
            "authorization: Basic {basic(username:password)}",
        ),
    ];
    for (number, (mut body, expected)) in cases.into_iter().enumerate() {
        body["name"] = format!("secret {number}").into();
        body["allowed_hosts"] = json!(["api.example.com"]);
        let created = admin.post(&secrets, body).await.expect(201).json();
        let rule = &created["injection"]["rules"][0];
        let text = |name: &str| rule[name].as_str().unwrap().to_owned();
        assert_eq!(format!("{}: {}", text("name"), text("format")), expected);
    }
    let aws = json!({
        "name": "aws", "credential_type": "aws_sigv4", "allowed_hosts": ["*.amazonaws.com"],
        "fields": {"access_key_id": "AKIDEXAMPLE", "secret_access_key": CANARY},
    });
    let created = admin.post(&secrets, aws).await.expect(201);
    assert_eq!(created.json()["injection"], json!({"type": "aws_sigv4"}));
    // A new value has the same fields, or the injection would fail at the next call.
    let value = format!("{secrets}/{}/value", created.text_at("secret_id"));
    admin
        .put(&value, json!({"fields": {"access_key_id": "AKIDEXAMPLE"}}))
        .await
        .refused(422, "invalid_fields");
    let incomplete = json!({"fields": {"secret_access_key": CANARY}});
    admin.put(&value, incomplete).await.refused(422, "invalid_injection");
    let path = format!("{secrets}/{}", created.text_at("secret_id"));
    admin.patch(&path, json!({})).await.refused(422, "nothing_to_update");
    admin.patch(&path, json!({"allowed_hosts": []})).await.refused(422, "invalid_allowed_hosts");
}

//! One test for each mechanism that providers are known to need, getting connected: addresses, replies, lookups.

use super::*;

#[tokio::test]
async fn templates_in_urls_with_strict_variable_patterns() {
    let toy = entry(json!({
        "variables": variables(&[
            ("shop", json!("user"), json!("dns_label")),
            ("tenant", json!("operator"), json!("word")),
            ("region", json!("user"), json!({ "one_of": ["com", "com.cn"] })),
        ]),
        "authorization": { "url": "https://{shop}.toy.example/{tenant}/authorize" },
        "token": { "url": "https://login.toy.{region}/{tenant}/token" },
    }));
    let bench = Bench::new([tokens(json!({}))])
        .set(&toy, "shop", "My-Shop")
        .set(&toy, "tenant", "v23.0")
        .set(&toy, "region", "com.cn");
    assert_eq!(bench.authorization(&toy).0, "https://my-shop.toy.example/v23.0/authorize");
    bench.connect(&toy, &[]).await.unwrap();
    assert_eq!(bench.only().url, "https://login.toy.com.cn/v23.0/token");
    for hostile in ["evil.example/", "a.b", "shop#", "shop@evil", "-shop", "", "shöp", "a:1", "%61"] {
        assert!(Values::default().set(&toy, "shop", hostile).is_err(), "{hostile}");
    }
    for hostile in ["..", ".", "a/b", "a?b", "a%2fb", "a b", "a\\b", ""] {
        assert!(Values::default().set(&toy, "tenant", hostile).is_err(), "{hostile}");
    }
    assert!(Values::default().set(&toy, "region", "evil").is_err());
}

#[tokio::test]
async fn host_taken_from_the_token_reply_or_callback_checked_against_a_suffix_list() {
    let host = || json!({ "host": ["*.toy.example", "toy-eu.example"] });
    let toy = entry(json!({
        "variables": variables(&[
            ("accounts", json!({ "callback": { "param": "accounts-server" } }), host()),
            ("instance", json!({ "reply": { "path": "instance_url" } }), host()),
        ]),
        "token": { "url": "https://{accounts}/token" },
        "api": { "hosts": ["{instance}"], "base_url": "https://{instance}/v1" },
    }));
    let bench = Bench::new([tokens(json!({ "instance_url": "https://na7.toy.example/" }))]);
    let obtained = bench.connect(&toy, &[("accounts-server", "https://toy-eu.example")]).await.unwrap();
    assert_eq!(bench.only().url, "https://toy-eu.example/token");
    let hosts = super::super::api_hosts(&toy, &obtained.values).unwrap();
    assert_eq!(serde_json::to_value(hosts).unwrap(), json!(["na7.toy.example"]));
    let base = super::super::api_base_url(&toy, &obtained.values).unwrap();
    assert_eq!(base.as_deref(), Some("https://na7.toy.example/v1"));

    for hostile in ["https://evil.example", "https://eviltoy.example", "https://toy.example.evil.example"] {
        // From the redirect: nothing is sent, the code least of all.
        let bench = Bench::new([]);
        let error = bench.connect(&toy, &[("accounts-server", hostile)]).await.unwrap_err();
        assert!(matches!(error, ExchangeError::Reply(_)), "{error:?}");
        assert!(bench.seen().is_empty());
        // From the reply.
        let bench = Bench::new([tokens(json!({ "instance_url": hostile }))]);
        let error = bench.connect(&toy, &[("accounts-server", "a.toy.example")]).await.unwrap_err();
        assert!(matches!(error, ExchangeError::Reply(_)), "{error:?}");
    }
}

#[tokio::test]
async fn lookup_after_connect() {
    let toy = entry(json!({
        "variables": variables(&[
            ("tenant", json!("lookup"), json!("word")),
            ("dc", json!("lookup"), json!("dns_label")),
        ]),
        "api": { "hosts": ["meta.toy.example", "{dc}.toy.example"] },
        "lookups": [
            { "request": { "url": "https://meta.toy.example/tenants" }, "set": { "tenant": "0.id" } },
            {
                "request": {
                    "url": "https://login.toy.example/metadata/{tenant}",
                    "authorization": "OAuth {access_token}",
                },
                "set": { "dc": "dc" },
            },
            {
                "request": {
                    "url": "https://{dc}.toy.example/graphql",
                    "method": "POST",
                    "json": { "query": "{ viewer { id } }" },
                },
                "set": {},
            },
        ],
    }));
    let bench = Bench::new([
        tokens(json!({})),
        says(200, json!([{ "id": "t-9" }, { "id": "t-10" }])),
        says(200, json!({ "dc": "us19" })),
        says(200, json!({ "data": {} })),
    ]);
    let obtained = bench.connect(&toy, &[]).await.unwrap();
    assert_eq!((obtained.values.get("tenant"), obtained.values.get("dc")), (Some("t-9"), Some("us19")));
    let seen = bench.seen();
    assert_eq!(seen[1].url, "https://meta.toy.example/tenants");
    assert_eq!(seen[1].method, Method::GET);
    assert_eq!(seen[1].header("authorization"), format!("Bearer {ACCESS}"));
    assert_eq!(seen[2].url, "https://login.toy.example/metadata/t-9");
    assert_eq!(seen[2].header("authorization"), format!("OAuth {ACCESS}"));
    assert_eq!(seen[3].method, Method::POST);
    assert_eq!(seen[3].json(), json!({ "query": "{ viewer { id } }" }));

    let nothing = Bench::new([tokens(json!({})), says(200, json!([]))]);
    let error = nothing.connect(&toy, &[]).await.unwrap_err();
    assert_eq!(error, ExchangeError::Reply("in the lookup's reply: nothing for tenant".to_owned()));
}

#[tokio::test]
async fn value_only_in_the_callback_query() {
    let toy = entry(json!({
        "variables": variables(&[
            ("realm", json!({ "callback": { "param": "realmId" } }), json!("digits")),
            ("context", json!({ "callback": { "param": "context" } }), json!("path")),
        ]),
        "authorization": { "code_param": "spapi_oauth_code" },
        "token": { "params": { "context": "{context}" } },
        "api": { "base_url": "https://api.toy.example/{context}/company/{realm}" },
    }));
    let bench = Bench::new([tokens(json!({}))]);
    let redirect = [("realmId", "4620816365"), ("context", "stores/abc")];
    let obtained = bench.connect(&toy, &redirect).await.unwrap();
    let sent = bench.only().form();
    assert_eq!((sent["code"].as_str(), sent["context"].as_str()), (CODE, "stores/abc"));
    let base = super::super::api_base_url(&toy, &obtained.values).unwrap();
    assert_eq!(base.as_deref(), Some("https://api.toy.example/stores/abc/company/4620816365"));

    let bench = Bench::new([]);
    let missing = bench.connect(&toy, &[("context", "stores/abc")]).await.unwrap_err();
    assert_eq!(missing, ExchangeError::Reply("in the redirect: nothing for realm".to_owned()));
    for context in ["stores/../admin", "/stores", "stores//x", "stores/a?b"] {
        let hostile = bench.connect(&toy, &[("realmId", "1"), ("context", context)]).await.unwrap_err();
        assert!(matches!(hostile, ExchangeError::Reply(_)), "{hostile:?}");
    }
}

#[tokio::test]
async fn nested_or_renamed_token_fields() {
    let toy = entry(json!({
        "authorization": { "client_id_param": "client_key", "scope_param": "user_scope" },
        "token": {
            "client_id_param": "client_key",
            "client_secret_param": "client_password",
            "code_param": "auth_code",
            "reply": {
                "access_token": ["authed_user.access_token", "access_token"],
                "refresh_token": ["tokens.1.value"],
                "expires_at": ["expires_at"],
                "scope": ["authed_user.scope"],
            },
        },
    }));
    let bench = Bench::new([says(
        200,
        json!({
            "access_token": "the-token-of-the-bot",
            "authed_user": { "access_token": ACCESS, "scope": ["a:read", "b:write"] },
            "tokens": [{}, { "value": REFRESH }],
            "expires_at": "2026-12-22T12:00:00+00:00",
        }),
    )])
    .scopes(&["a:read"]);
    let (_, asked) = bench.authorization(&toy);
    assert_eq!((asked["client_key"].as_str(), asked["user_scope"].as_str()), (CLIENT_ID, "a:read"));
    assert!(!asked.contains_key("client_id") && !asked.contains_key("scope"));
    let tokens = bench.connect(&toy, &[]).await.unwrap().tokens;
    let sent = bench.only().form();
    assert_eq!(
        sent,
        map(&[
            ("grant_type", "authorization_code"),
            ("auth_code", CODE),
            ("client_key", CLIENT_ID),
            ("client_password", SECRET),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ])
    );
    assert_eq!(tokens.access_token.expose_secret(), ACCESS);
    assert_eq!(tokens.refresh_token.unwrap().expose_secret(), REFRESH);
    assert_eq!(tokens.expires_at.unwrap().to_string(), "2026-12-22T12:00:00Z");
    assert_eq!(tokens.scopes.unwrap(), ["a:read", "b:write"]);
}

#[tokio::test]
async fn success_status_with_an_error_body() {
    let plain = entry(json!({}));
    let body = json!({ "error": "bad_verification_code", "error_description": "It has expired." });
    let error = Bench::new([says(200, body)]).connect(&plain, &[]).await.unwrap_err();
    let (code, description) = ("bad_verification_code".to_owned(), Some("It has expired.".to_owned()));
    assert_eq!(error, ExchangeError::Refused { code, description });

    // A flag decides, even where there is a token.
    let flagged = entry(json!({
        "token": { "reply": { "success": { "path": "code", "equals": 0 }, "error_description": ["message"] } },
        "errors": { "dead": ["40105"] },
    }));
    let body = json!({ "code": 40105, "message": "token gone", "access_token": ACCESS });
    let error = Bench::new([says(200, body)]).connect(&flagged, &[]).await.unwrap_err();
    let (code, description) = ("40105".to_owned(), Some("token gone".to_owned()));
    assert_eq!(error, ExchangeError::Dead { code, description });
    assert!(Bench::new([tokens(json!({ "code": 0 }))]).connect(&flagged, &[]).await.is_ok());
    // Without its flag a reply is none, and an error that is not one does no harm.
    assert!(Bench::new([tokens(json!({}))]).connect(&flagged, &[]).await.is_err());
    for none in [json!(null), json!(false), json!(0), json!("")] {
        assert!(Bench::new([tokens(json!({ "error": none }))]).connect(&plain, &[]).await.is_ok());
    }
}

#[tokio::test]
async fn separate_refresh_url_or_verb() {
    let toy = entry(json!({ "refresh": {
        "url": "https://login.toy.example/v2/refresh",
        "method": "PUT",
        "body": "json",
        "auth": "basic",
        "params": { "type": "refresh", "grant_type": "" },
    } }));
    let bench = Bench::new([tokens(json!({ "refresh_token": "the-next-refresh-token" }))]);
    let tokens_ = bench.refresh(&toy).await.unwrap();
    assert_eq!(tokens_.refresh_token.unwrap().expose_secret(), "the-next-refresh-token");
    let seen = bench.only();
    assert_eq!((seen.method.as_str(), seen.url.as_str()), ("PUT", "https://login.toy.example/v2/refresh"));
    assert_eq!(seen.json(), json!({ "refresh_token": REFRESH, "type": "refresh" }));
    assert!(seen.header("authorization").starts_with("Basic "));

    let by_get = entry(json!({ "refresh": {
        "kind": "access_token",
        "url": "https://login.toy.example/refresh_access_token?v=1",
        "method": "GET",
        "params": { "grant_type": "toy_refresh" },
    } }));
    let bench = Bench::new([tokens(json!({ "expires_in": 5_184_000 }))]);
    bench.refresh(&by_get).await.unwrap();
    let seen = bench.only();
    assert_eq!((seen.method.as_str(), seen.body.as_str()), ("GET", ""));
    assert!(seen.url.starts_with("https://login.toy.example/refresh_access_token?v=1&"));
    assert_eq!(seen.query(), map(&[("v", "1"), ("grant_type", "toy_refresh"), ("access_token", ACCESS)]));
}

#[tokio::test]
async fn no_refresh_exchange_for_a_long_token() {
    let toy = entry(json!({
        "variables": variables(&[("user", json!({ "reply": { "path": "user_id" } }), json!("digits"))]),
        "token": { "upgrade": {
            "url": "https://login.toy.example/exchange",
            "method": "GET",
            "body": "query",
            "params": {
                "grant_type": "exchange_token",
                "client_secret": "{client_secret}",
                "access_token": "{access_token}",
            },
        } },
        "refresh": { "kind": "none" },
    }));
    let long = "long-lived-token-0123456789";
    let bench = Bench::new([
        tokens(json!({ "user_id": 17, "expires_in": 3600 })),
        says(200, json!({ "access_token": long, "expires_in": 5_184_000 })),
    ]);
    let obtained = bench.connect(&toy, &[]).await.unwrap();
    assert_eq!(obtained.tokens.access_token.expose_secret(), long);
    assert_eq!(obtained.tokens.expires_at, Some(in_seconds(5_184_000)));
    assert_eq!(obtained.values.get("user"), Some("17"));
    let seen = bench.seen();
    assert_eq!(seen[1].method, Method::GET);
    assert_eq!(
        seen[1].query(),
        map(&[("grant_type", "exchange_token"), ("client_secret", SECRET), ("access_token", ACCESS)])
    );
    let bench = Bench::new([]);
    assert!(matches!(bench.refresh(&toy).await, Err(ExchangeError::Dead { .. })));
    // The code is used up when the second request cannot be sent: not safe to repeat.
    let refused = Reply::Fail(SendError::Connect("refused".to_owned()));
    let error = Bench::new([tokens(json!({})), refused]).connect(&toy, &[]).await.unwrap_err();
    assert!(matches!(error, ExchangeError::Unknown(_)), "{error:?}");
}

#[tokio::test]
async fn no_expires_in() {
    let silent = entry(json!({}));
    let got = Bench::new([tokens(json!({}))]).connect(&silent, &[]).await.unwrap().tokens;
    assert_eq!((got.expires_at, got.refresh_expires_at), (None, None));
    let known = entry(json!({ "refresh": { "access_ttl_seconds": 7200 } }));
    let got = Bench::new([tokens(json!({}))]).connect(&known, &[]).await.unwrap().tokens;
    assert_eq!(got.expires_at, Some(in_seconds(7200)));
    // What the reply says goes before what the entry knows.
    let got = Bench::new([tokens(json!({ "expires_in": 60 }))]).connect(&known, &[]).await.unwrap().tokens;
    assert_eq!(got.expires_at, Some(in_seconds(60)));
}

#[tokio::test]
async fn refresh_token_only_under_conditions() {
    let toy = entry(json!({
        "authorization": {
            "params": { "access_type": "offline", "prompt": "consent" },
            "switch_account_params": { "prompt": "select_account consent" },
        },
        "token": { "params": { "expiring": "1" } },
        "scopes": { "always": ["offline_access"] },
    }));
    let bench =
        Bench::new([tokens(json!({ "refresh_token": REFRESH })), tokens(json!({}))]).scopes(&["mail"]);
    let (_, asked) = bench.authorization(&toy);
    assert_eq!((asked["access_type"].as_str(), asked["prompt"].as_str()), ("offline", "consent"));
    assert_eq!(asked["scope"], "mail offline_access");
    let request = AuthorizationRequest {
        scopes: &bench.scopes,
        state: "s",
        code_challenge: None,
        switch_account: true,
    };
    let switched = authorization_url(&toy, &bench.values, &bench.client(), &request).unwrap();
    assert!(switched.as_str().contains("prompt=select_account+consent"), "{switched}");
    let first = bench.connect(&toy, &[]).await.unwrap();
    let second = bench.connect(&toy, &[]).await.unwrap();
    assert!(first.tokens.refresh_token.is_some() && second.tokens.refresh_token.is_none());
    assert_eq!(bench.seen()[0].form()["expiring"], "1");
}

//! One test for each mechanism that providers are known to need, from rotation on: proof, formats, headers, revocation.

use super::*;

#[tokio::test]
async fn rotation_with_single_use() {
    let toy = entry(json!({ "refresh": { "rotation": "always", "grace": { "seconds": 120 } } }));
    let bench = Bench::new([
        tokens(json!({ "refresh_token": "the-second-refresh-token", "expires_in": 3600 })),
        says(400, json!({ "error": "invalid_grant", "error_description": "Token has been used." })),
    ]);
    let first = bench.refresh(&toy).await.unwrap();
    assert_eq!(first.refresh_token.unwrap().expose_secret(), "the-second-refresh-token");
    let second = bench.refresh(&toy).await.unwrap_err();
    let (code, description) = ("invalid_grant".to_owned(), Some("Token has been used.".to_owned()));
    assert_eq!(second, ExchangeError::Dead { code, description });
    let sent = map(&[
        ("grant_type", "refresh_token"),
        ("refresh_token", REFRESH),
        ("client_id", CLIENT_ID),
        ("client_secret", SECRET),
    ]);
    for seen in bench.seen() {
        assert_eq!(seen.form(), sent);
    }
}

#[tokio::test]
async fn rotation_sometimes() {
    let toy = entry(json!({
        "token": { "reply": { "refresh_expires_in": ["x_refresh_token_expires_in"] } },
        "refresh": { "rotation": "sometimes" },
    }));
    let bench = Bench::new([
        tokens(json!({ "refresh_token": REFRESH, "x_refresh_token_expires_in": "8640000" })),
        tokens(json!({ "refresh_token": "another-refresh-token" })),
        tokens(json!({})),
        tokens(json!({ "refresh_token": "" })),
        tokens(json!({ "refresh_token": null })),
    ]);
    let same = bench.refresh(&toy).await.unwrap();
    assert_eq!(same.refresh_token.unwrap().expose_secret(), REFRESH);
    assert_eq!(same.refresh_expires_at, Some(in_seconds(8_640_000)));
    let other = bench.refresh(&toy).await.unwrap();
    assert_eq!(other.refresh_token.unwrap().expose_secret(), "another-refresh-token");
    for _ in 0..3 {
        assert!(bench.refresh(&toy).await.unwrap().refresh_token.is_none());
    }
}

#[tokio::test]
async fn caps_on_live_tokens() {
    let toy = entry(json!({
        "refresh": { "live_tokens": 20, "limit": { "count": 10, "seconds": 600 } },
        "errors": { "transient": ["access_denied"], "dead": ["token_dropped"] },
    }));
    // Too many refreshes look like a refusal, and are over in a while.
    let bench = Bench::new([says(400, json!({ "error": "access_denied" })), says(429, json!({}))]);
    for _ in 0..2 {
        let error = bench.refresh(&toy).await.unwrap_err();
        assert!(matches!(error, ExchangeError::Unreachable(_)), "{error:?}");
    }
    // The oldest of too many is gone for good.
    let error = Bench::new([says(400, json!({ "error": "token_dropped" }))]).refresh(&toy).await.unwrap_err();
    assert!(matches!(error, ExchangeError::Dead { .. }), "{error:?}");
}

#[tokio::test]
async fn pkce_required_or_breaks() {
    for (pkce, sent) in [("required", true), ("supported", true), ("breaks", false), ("unknown", true)] {
        let toy = entry(json!({ "authorization": { "pkce": pkce } }));
        let bench = Bench::new([tokens(json!({}))]);
        let (_, asked) = bench.authorization(&toy);
        assert_eq!(super::super::sends_pkce(&toy), sent);
        assert_eq!(asked.get("code_challenge").map(String::as_str), sent.then_some("challenge-1"), "{pkce}");
        assert_eq!(asked.get("code_challenge_method").map(String::as_str), sent.then_some("S256"));
        bench.connect(&toy, &[]).await.unwrap();
        assert_eq!(bench.only().form().contains_key("code_verifier"), sent, "{pkce}");
        let without =
            AuthorizationRequest { scopes: &[], state: "s", code_challenge: None, switch_account: false };
        let made = authorization_url(&toy, &bench.values, &bench.client(), &without);
        assert_eq!(made.is_err(), pkce == "required", "{pkce}");
    }
}

#[tokio::test]
async fn client_secret_that_is_a_jwt() {
    let pem = assertions::p256_pem();
    let claims = json!({ "iss": "{team}", "sub": "{client_id}", "aud": "https://login.toy.example" });
    let toy = entry(json!({
        "variables": variables(&[
            ("team", json!("operator"), json!("word")),
            ("key", json!("operator"), json!("word")),
        ]),
        "token": { "auth": { "secret_jwt": {
            "algorithm": "ES256", "claims": claims, "key_id": "{key}", "lifetime_seconds": 600,
        } } },
    }));
    let bench = Bench::new([tokens(json!({})), tokens(json!({}))])
        .set(&toy, "team", "TEAM1")
        .set(&toy, "key", "KEY1")
        .private_key(&pem);
    bench.connect(&toy, &[]).await.unwrap();
    bench.refresh(&toy).await.unwrap();
    for seen in bench.seen() {
        let sent = seen.form();
        assert_eq!(sent["client_id"], CLIENT_ID);
        let (header, claims) = assertions::verify(&sent["client_secret"], &pem);
        assert_eq!(header, json!({ "alg": "ES256", "typ": "JWT", "kid": "KEY1" }));
        let issued = in_seconds(-30).as_second();
        assert_eq!(
            claims,
            json!({
                "iss": "TEAM1", "sub": CLIENT_ID, "aud": "https://login.toy.example",
                "iat": issued, "exp": issued + 600,
            })
        );
    }
}

#[tokio::test]
async fn json_token_bodies() {
    let toy = entry(json!({ "token": { "body": "json", "auth": "basic" } }));
    let bench = Bench::new([tokens(json!({})), tokens(json!({}))]);
    bench.connect(&toy, &[]).await.unwrap();
    bench.refresh(&toy).await.unwrap();
    let seen = bench.seen();
    assert_eq!(
        seen[0].json(),
        json!({
            "grant_type": "authorization_code", "code": CODE, "redirect_uri": REDIRECT, "code_verifier": VERIFIER,
        })
    );
    assert_eq!(seen[1].json(), json!({ "grant_type": "refresh_token", "refresh_token": REFRESH }));
    // RFC 6749 section 2.3.1: both halves are form-encoded before they are joined.
    assert_eq!(seen[0].header("authorization"), "Basic Y2xpZW50LTE6czNjcmV0JTNBb2YrdGhlK2NsaWVudA==");
    assert_eq!(seen[0].header("accept"), "application/json");
}

#[tokio::test]
async fn comma_separated_scopes() {
    let toy = entry(json!({ "scopes": { "separator": ",", "always": ["team:read"] } }));
    let bench = Bench::new([tokens(json!({ "scope": "chat:write,team:read" }))]).scopes(&["chat:write"]);
    assert_eq!(bench.authorization(&toy).1["scope"], "chat:write,team:read");
    let got = bench.connect(&toy, &[]).await.unwrap().tokens.scopes.unwrap();
    assert_eq!(got, ["chat:write", "team:read"]);
    for (said, read) in [
        (json!("a b"), vec!["a", "b"]),
        (json!(" a,  b , c"), vec!["a", "b", "c"]),
        (json!(["a", "b c"]), vec!["a", "b c"]),
        (json!(""), vec![]),
    ] {
        let got = Bench::new([tokens(json!({ "scope": said }))]).connect(&toy, &[]).await.unwrap();
        assert_eq!(got.tokens.scopes.unwrap(), read);
    }
}

#[tokio::test]
async fn other_header_for_the_token() {
    for (header, format, expected) in [
        ("x-toy-access-token", "{access_token}", ACCESS.to_owned()),
        ("Authorization", "Toy-oauthtoken {access_token}", format!("Toy-oauthtoken {ACCESS}")),
    ] {
        let toy = entry(json!({
            "api": { "header": header, "format": format },
            "account": { "source": { "request": { "url": "https://api.toy.example/me" } }, "identifier": ["id"] },
        }));
        let bench = Bench::new([tokens(json!({})), says(200, json!({ "id": 5 }))]);
        let obtained = bench.connect(&toy, &[]).await.unwrap();
        assert_eq!(obtained.account.unwrap().identifier, "5");
        let seen = bench.seen();
        assert_eq!(seen[1].header(header), expected);
        assert!(seen[1].headers[header].is_sensitive());
        assert_eq!(seen[1].headers.contains_key("authorization"), header == "Authorization");
    }
}

#[tokio::test]
async fn obligatory_extra_headers() {
    let toy = entry(json!({
        "variables": [
            { "name": "tenant", "label": "", "source": "lookup", "shape": "word" },
            { "name": "contact", "label": "", "source": "operator", "shape": "text", "optional": true },
        ],
        "token": { "headers": { "toy-version": "2026-03", "user-agent": "{contact}" } },
        "api": { "headers": {
            "toy-version": "2026-03", "client-id": "{client_id}", "toy-tenant": "{tenant}", "user-agent": "{contact}",
        } },
        "lookups": [{
            "request": { "url": "https://api.toy.example/tenants", "headers": { "toy-version": "2026-03" } },
            "set": { "tenant": "id" },
        }],
    }));
    let bench = Bench::new([tokens(json!({})), says(200, json!({ "id": "t-1" }))]).set(
        &toy,
        "contact",
        "Acme (ops@acme.example)",
    );
    let obtained = bench.connect(&toy, &[]).await.unwrap();
    let seen = bench.seen();
    assert_eq!(seen[0].header("toy-version"), "2026-03");
    assert_eq!(seen[0].header("user-agent"), "Acme (ops@acme.example)");
    assert_eq!(seen[1].header("toy-version"), "2026-03");
    assert!(seen[1].header("user-agent").starts_with("alter-vault/"));
    let headers = super::super::api_headers(&toy, &obtained.values, CLIENT_ID).unwrap();
    let expected = map(&[
        ("client-id", CLIENT_ID),
        ("toy-tenant", "t-1"),
        ("toy-version", "2026-03"),
        ("user-agent", "Acme (ops@acme.example)"),
    ]);
    assert_eq!(headers.into_iter().collect::<BTreeMap<_, _>>(), expected);
    // Without the optional value its headers are left out, and our own name stands.
    let bench = Bench::new([tokens(json!({})), says(200, json!({ "id": "t-1" }))]);
    let obtained = bench.connect(&toy, &[]).await.unwrap();
    assert!(bench.seen()[0].header("user-agent").starts_with("alter-vault/"));
    let headers = super::super::api_headers(&toy, &obtained.values, CLIENT_ID).unwrap();
    assert!(headers.iter().all(|(name, _)| name != "user-agent"));
}

#[tokio::test]
async fn revocation_that_is_not_rfc_7009() {
    let toy = |revocation: Value| entry(json!({ "revocation": revocation }));
    // DELETE with Basic, a JSON body, and the client in the path.
    let bench = Bench::new([answer(204, "text/plain", "")]);
    let delete = toy(json!({
        "url": "https://api.toy.example/applications/{client_id}/grant",
        "method": "DELETE",
        "body": "json",
        "auth": "basic",
        "params": { "access_token": "{access_token}" },
    }));
    bench.revoke(&delete).await.unwrap();
    let seen = bench.only();
    assert_eq!(
        (seen.method.as_str(), seen.url.as_str()),
        ("DELETE", "https://api.toy.example/applications/client-1/grant")
    );
    assert_eq!(seen.json(), json!({ "access_token": ACCESS }));
    assert!(seen.header("authorization").starts_with("Basic "));
    // The access token as bearer, and nothing else.
    let bench = Bench::new([says(200, json!(null))]);
    let bearer =
        json!({ "url": "https://api.toy.example/revoke", "auth": "bearer", "params": {}, "token": "access" });
    bench.revoke(&toy(bearer)).await.unwrap();
    let seen = bench.only();
    assert_eq!((seen.header("authorization"), seen.body.as_str()), (format!("Bearer {ACCESS}").as_str(), ""));
    // A scheme of its own, and a body that must say so.
    let own = toy(json!({
        "url": "https://api.toy.example/revoke",
        "body": "json",
        "auth": { "header": { "name": "Authorization", "value": "Client {client_secret}" } },
        "params": { "client_id": "{client_id}", "access_token": "{token}" },
        "token": "access",
        "success": { "path": "success", "equals": true },
    }));
    let bench = Bench::new([says(200, json!({ "success": true })), says(200, json!({ "success": false }))]);
    bench.revoke(&own).await.unwrap();
    assert!(matches!(bench.revoke(&own).await, Err(RevokeError::Final(_))));
    let seen = &bench.seen()[0];
    assert_eq!(seen.header("authorization"), format!("Client {SECRET}"));
    assert_eq!(seen.json(), json!({ "client_id": CLIENT_ID, "access_token": ACCESS }));
    // GET, with everything in the query.
    let bench = Bench::new([says(200, json!({}))]);
    let get = json!({ "url": "https://api.toy.example/revoke", "method": "GET", "auth": "none",
        "params": { "token": "{token}" } });
    bench.revoke(&toy(get)).await.unwrap();
    assert_eq!(bench.only().query(), map(&[("token", REFRESH)]));
}

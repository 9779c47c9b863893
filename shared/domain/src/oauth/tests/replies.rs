//! How token replies read: formats and lifetimes.

use super::*;

async fn read(toy: &Provider, reply: Reply) -> Tokens {
    Bench::new([reply]).connect(toy, &[]).await.unwrap().tokens
}

#[tokio::test]
async fn a_form_reads_like_json() {
    let toy = entry(json!({}));
    let body = format!("access_token={ACCESS}&scope=a%2Cb&expires_in=3600&access_token=second");
    for content_type in ["application/x-www-form-urlencoded; charset=utf-8", "text/plain"] {
        let got = read(&toy, answer(200, content_type, body.clone())).await;
        assert_eq!(got.access_token.expose_secret(), ACCESS);
        assert_eq!(got.scopes.unwrap(), ["a", "b"]);
        assert_eq!(got.expires_at, Some(in_seconds(3600)));
    }
    let error = "error=bad_verification_code&error_description=Gone";
    let bench = Bench::new([answer(200, "application/x-www-form-urlencoded", error)]);
    let (code, description) = ("bad_verification_code".to_owned(), Some("Gone".to_owned()));
    assert_eq!(bench.connect(&toy, &[]).await.unwrap_err(), ExchangeError::Refused { code, description });
    // JSON under another name.
    for content_type in ["text/html", "text/javascript", "application/vnd.toy+json", ""] {
        let body = json!({ "access_token": ACCESS }).to_string();
        assert_eq!(read(&toy, answer(200, content_type, body)).await.access_token.expose_secret(), ACCESS);
    }
}

#[tokio::test]
async fn a_lifetime_is_a_number_or_its_text_and_makes_sense() {
    let toy = entry(json!({}));
    for (said, seconds) in [
        (json!(3600), Some(3600)),
        (json!("3600"), Some(3600)),
        (json!(3600.9), Some(3600)),
        (json!(" 60 "), Some(60)),
        (json!(1), Some(1)),
        (json!(0), None),
        (json!(-1), None),
        (json!("never"), None),
        (json!(null), None),
        (json!([]), None),
        (json!(1e18), None),
        (json!("1e400"), None),
        (json!("NaN"), None),
        (json!(u64::MAX), None),
        (json!(11 * 366 * 24 * 3600), None),
    ] {
        let got = read(&toy, tokens(json!({ "expires_in": said }))).await.expires_at;
        assert_eq!(got, seconds.map(in_seconds), "{said}");
    }
    // What makes no sense is as if nothing were said.
    let known = entry(json!({ "refresh": { "access_ttl_seconds": 90 } }));
    let got = read(&known, tokens(json!({ "expires_in": 0 }))).await.expires_at;
    assert_eq!(got, Some(in_seconds(90)));
}

#[tokio::test]
async fn a_moment_is_rfc_3339_or_unix_time() {
    let toy = entry(json!({ "token": { "reply": { "expires_at": ["expires_at"] } } }));
    let unix = in_seconds(600).as_second();
    for (said, seconds) in [
        (json!("2026-11-22T12:10:00Z"), Some(600)),
        (json!("2026-11-22T14:10:00+02:00"), Some(600)),
        (json!(unix), Some(600)),
        (json!(unix.to_string()), Some(600)),
        (json!(unix * 1000), Some(600)),
        // Already over: due at once.
        (json!(unix - 1200), Some(-600)),
        (json!(0), None),
        (json!(-1), None),
        (json!("2099-01-01T00:00:00Z"), None),
        (json!("tomorrow"), None),
        (json!(""), None),
    ] {
        let got = read(&toy, tokens(json!({ "expires_at": said }))).await.expires_at;
        assert_eq!(got, seconds.map(in_seconds), "{said}");
    }
    // The moment goes before the lifetime, which stands in for one that does not read.
    let both = read(&toy, tokens(json!({ "expires_at": unix, "expires_in": 60 }))).await;
    assert_eq!(both.expires_at, Some(in_seconds(600)));
    let one = read(&toy, tokens(json!({ "expires_at": "soon", "expires_in": 60 }))).await;
    assert_eq!(one.expires_at, Some(in_seconds(60)));
}

#[tokio::test]
async fn scopes_are_bounded() {
    let toy = entry(json!({}));
    let many: Vec<_> = (0..1000).map(|n| format!("scope-{n}")).collect();
    let got = read(&toy, tokens(json!({ "scope": many }))).await.scopes.unwrap();
    assert_eq!(got.len(), 500);
    let odd = json!(["ok", "x".repeat(300), "a\nb", "", 7, null]);
    assert_eq!(read(&toy, tokens(json!({ "scope": odd }))).await.scopes.unwrap(), ["ok"]);
    assert_eq!(read(&toy, tokens(json!({}))).await.scopes, None);
    assert_eq!(read(&toy, tokens(json!({ "scope": 7 }))).await.scopes, None);
}

#[tokio::test]
async fn client_authentication_in_each_way() {
    let send = |own: Value| async move {
        let bench = Bench::new([tokens(json!({}))]);
        bench.refresh(&entry(own)).await.unwrap();
        bench.only()
    };
    let sent = map(&[("grant_type", "refresh_token"), ("refresh_token", REFRESH)]);
    let with =
        |extra: &[(&str, &str)]| sent.clone().into_iter().chain(map(extra)).collect::<BTreeMap<_, _>>();

    let seen = send(json!({ "token": { "auth": "none" } })).await;
    assert_eq!((seen.form(), seen.header("authorization")), (with(&[("client_id", CLIENT_ID)]), ""));
    let seen = send(json!({ "token": { "auth": "secret_as_user" } })).await;
    assert_eq!(seen.form(), sent);
    assert_eq!(seen.header("authorization"), "Basic czNjcmV0JTNBb2YrdGhlK2NsaWVudDo=");
    assert!(seen.headers["authorization"].is_sensitive());
    // A provider that wants the id in the body beside Basic.
    let seen = send(
        json!({ "token": { "auth": "basic", "params": { "client_id": "{client_id}", "code": "{code}" } } }),
    )
    .await;
    assert_eq!(seen.form(), with(&[("client_id", CLIENT_ID)]), "what only a code exchange has is left out");
    // Everything in the query.
    let seen = send(json!({ "token": { "auth": "none", "body": "query", "method": "POST" } })).await;
    assert_eq!((seen.query(), seen.body.as_str()), (with(&[("client_id", CLIENT_ID)]), ""));
    // Scopes only where the entry asks for them, and those that were granted.
    let toy =
        entry(json!({ "refresh": { "params": { "scope": "{scope}" } }, "scopes": { "always": ["a", "b"] } }));
    for (granted, sent) in [(&["b"][..], "b"), (&[][..], "a b")] {
        let bench = Bench::new([tokens(json!({}))]).scopes(granted);
        bench.refresh(&toy).await.unwrap();
        assert_eq!(bench.only().form()["scope"], sent);
    }
}

#[tokio::test]
async fn a_loopback_provider_is_asked_where_the_deployment_allows_it() {
    let toy = entry(json!({ "token": { "url": "http://127.0.0.1:4567/token" } }));
    let bench = Bench::new([tokens(json!({}))]);
    let rules = EgressRules { allow_loopback_http: true };
    let engine = Engine { rules, ..bench.engine() };
    let access = Secret::new(ACCESS.to_owned());
    let current = CurrentTokens { access: &access, refresh: Some(&access) };
    engine.refresh(&toy, &bench.client(), &bench.values, &current, &[]).await.unwrap();
    assert_eq!(bench.only().url, "http://127.0.0.1:4567/token");
}

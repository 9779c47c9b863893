//! RFC 7009, and how its answers are taken.

use super::*;

fn toy(own: Value) -> Provider {
    let mut revocation = json!({ "url": "https://login.toy.example/revoke" });
    merge(&mut revocation, own);
    entry(json!({ "revocation": revocation, "errors": { "dead": ["token_gone"] } }))
}

async fn revoke(toy: &Provider, script: impl IntoIterator<Item = Reply>) -> Result<(), RevokeError> {
    let bench = Bench::new(script);
    let result = bench.revoke(toy).await;
    bench.seen();
    result
}

#[tokio::test]
async fn the_request_is_that_of_rfc_7009() {
    let bench = Bench::new([answer(200, "text/plain", "")]);
    bench.revoke(&toy(json!({}))).await.unwrap();
    let seen = bench.only();
    assert_eq!(seen.method, Method::POST);
    assert_eq!(
        seen.form(),
        map(&[
            ("token", REFRESH),
            ("token_type_hint", "refresh_token"),
            ("client_id", CLIENT_ID),
            ("client_secret", SECRET),
        ])
    );
}

#[tokio::test]
async fn which_token_is_told() {
    for (which, told) in [
        ("refresh", vec![(REFRESH, "refresh_token")]),
        ("access", vec![(ACCESS, "access_token")]),
        ("both", vec![(REFRESH, "refresh_token"), (ACCESS, "access_token")]),
    ] {
        let bench = Bench::new(told.iter().map(|_| says(200, json!({}))));
        bench.revoke(&toy(json!({ "token": which }))).await.unwrap();
        let seen: Vec<_> = bench.seen().iter().map(Seen::form).collect();
        assert_eq!(seen.len(), told.len());
        for (sent, (token, hint)) in seen.iter().zip(told) {
            assert_eq!((sent["token"].as_str(), sent["token_type_hint"].as_str()), (token, hint), "{which}");
        }
    }
    // There is none but the access token.
    let bench = Bench::new([says(200, json!({}))]);
    let access = Secret::new(ACCESS.to_owned());
    let current = CurrentTokens { access: &access, refresh: None };
    bench.engine().revoke(&toy(json!({})), &bench.client(), &bench.values, &current).await.unwrap();
    assert_eq!(bench.only().form()["token"], ACCESS);
}

#[tokio::test]
async fn what_cannot_be_confirmed_is_tried_again_or_given_up() {
    assert_eq!(revoke(&entry(json!({})), []).await, Err(RevokeError::NotSupported));
    let plain = toy(json!({}));
    for reply in [
        says(500, json!({})),
        says(503, json!({ "error": "invalid_token" })),
        says(429, json!({})),
        says(302, json!({})),
        Reply::Fail(SendError::Connect("refused".to_owned())),
        Reply::Fail(SendError::Timeout),
        Reply::Fail(SendError::Broken("reset".to_owned())),
    ] {
        assert!(matches!(revoke(&plain, [reply]).await, Err(RevokeError::Retry(_))));
    }
    for reply in [
        says(400, json!({ "error": "unsupported_token_type" })),
        says(401, json!({ "error": "invalid_client" })),
        says(403, json!({})),
        answer(404, "text/html", "<html>"),
    ] {
        assert!(matches!(revoke(&plain, [reply]).await, Err(RevokeError::Final(_))));
    }
    let unfit = toy(json!({ "url": "https://{shop}.toy.example/" }));
    assert!(matches!(revoke(&unfit, []).await, Err(RevokeError::Final(_))));
}

#[tokio::test]
async fn gone_already_is_what_was_wanted() {
    let plain = toy(json!({}));
    for code in ["invalid_token", "invalid_grant", "token_gone"] {
        assert_eq!(revoke(&plain, [says(400, json!({ "error": code }))]).await, Ok(()), "{code}");
    }
    // Said of an access token alone it may only have expired, while the refresh token lives.
    let access = toy(json!({ "token": "access" }));
    let gone = || says(400, json!({ "error": "invalid_token" }));
    assert!(matches!(revoke(&access, [gone()]).await, Err(RevokeError::Final(_))));
    let both = toy(json!({ "token": "both" }));
    assert_eq!(revoke(&both, [says(200, json!({})), gone()]).await, Ok(()));
    // A status that the entry knows.
    let forgotten = toy(json!({ "also_success": [404] }));
    assert_eq!(revoke(&forgotten, [answer(404, "text/html", "<html>")]).await, Ok(()));
    assert!(revoke(&forgotten, [says(403, json!({}))]).await.is_err());
}

#[tokio::test]
async fn a_success_must_say_so_where_the_entry_wants_it() {
    let flagged = toy(json!({ "success": { "path": "ok", "equals": true } }));
    assert_eq!(revoke(&flagged, [says(200, json!({ "ok": true }))]).await, Ok(()));
    for reply in [says(200, json!({ "ok": false })), says(200, json!({ "ok": "true" })), says(200, json!({}))]
    {
        assert!(matches!(revoke(&flagged, [reply]).await, Err(RevokeError::Final(_))));
    }
    // A page instead of an answer: it may have been a proxy's.
    let page = answer(200, "text/html", "<html>");
    assert!(matches!(revoke(&flagged, [page]).await, Err(RevokeError::Retry(_))));
}

#[tokio::test]
async fn the_reason_repeats_no_token() {
    let body = json!({ "error": format!("bad {REFRESH}"), "error_description": REFRESH });
    let Err(RevokeError::Final(reason)) = revoke(&toy(json!({})), [says(400, body)]).await else {
        panic!("refused");
    };
    assert_eq!(reason, "refused: error (http_400)");
}

//! Which error is which: what the caller may do next hangs on it.

use super::*;

/// In one word, for a table.
fn kind(error: &ExchangeError) -> &'static str {
    match error {
        ExchangeError::Dead { .. } => "dead",
        ExchangeError::Client { .. } => "client",
        ExchangeError::Refused { .. } => "refused",
        ExchangeError::Unreachable(_) => "unreachable",
        ExchangeError::Unknown(_) => "unknown",
        ExchangeError::Reply(_) => "reply",
    }
}

async fn refresh(toy: &Provider, reply: Reply) -> ExchangeError {
    Bench::new([reply]).refresh(toy).await.unwrap_err()
}

#[tokio::test]
async fn codes_and_statuses_are_sorted_by_what_may_be_done_next() {
    let toy = entry(json!({
        "token": { "reply": { "error": ["error.code", "error"] } },
        "errors": { "dead": ["token_revoked", "190", "http_410"], "transient": ["busy", "http_423"] },
    }));
    for (status, error, expected) in [
        (400, json!("invalid_grant"), "dead"),
        (401, json!("invalid_grant"), "dead"),
        (200, json!("invalid_grant"), "dead"),
        (400, json!("token_revoked"), "dead"),
        (500, json!("token_revoked"), "dead"),
        (400, json!({ "code": 190 }), "dead"),
        (400, json!({ "code": "190" }), "dead"),
        (410, json!(null), "dead"),
        (400, json!("invalid_client"), "client"),
        (401, json!("invalid_client"), "client"),
        (400, json!("unauthorized_client"), "client"),
        (400, json!("redirect_uri_mismatch"), "client"),
        (401, json!(null), "client"),
        (400, json!("invalid_scope"), "refused"),
        (400, json!("access_denied"), "refused"),
        (401, json!("strange"), "refused"),
        (400, json!({ "message": "no code" }), "refused"),
        (404, json!(null), "refused"),
        (200, json!(true), "refused"),
        (400, json!("temporarily_unavailable"), "unreachable"),
        (400, json!("slow_down"), "unreachable"),
        (429, json!(null), "unreachable"),
        (429, json!("invalid_grant"), "unreachable"),
        (400, json!("busy"), "unreachable"),
        (423, json!(null), "unreachable"),
        (500, json!(null), "unknown"),
        (503, json!(null), "unknown"),
        (500, json!("invalid_grant"), "unknown"),
        (408, json!(null), "unknown"),
        (400, json!("server_error"), "unknown"),
        (304, json!(null), "unknown"),
        (200, json!(null), "reply"),
    ] {
        let got = refresh(&toy, says(status, json!({ "error": error }))).await;
        assert_eq!(kind(&got), expected, "{status} {error} {got:?}");
    }
}

#[tokio::test]
async fn a_body_that_does_not_read_leaves_the_status() {
    let toy = entry(json!({}));
    for (status, expected) in [
        (400, ExchangeError::Refused { code: "http_400".to_owned(), description: None }),
        (401, ExchangeError::Client { code: "http_401".to_owned(), description: None }),
        (502, ExchangeError::Unknown("it answered http_502".to_owned())),
    ] {
        for body in ["<html>Bad gateway</html>", "", "{"] {
            assert_eq!(refresh(&toy, answer(status, "text/html", body)).await, expected);
        }
    }
}

#[tokio::test]
async fn whether_something_was_sent_decides_whether_it_may_be_sent_again() {
    let toy = entry(json!({}));
    for (error, expected) in [
        (SendError::Blocked("address".to_owned()), "unreachable"),
        (SendError::Connect("refused".to_owned()), "unreachable"),
        (SendError::Timeout, "unknown"),
        (SendError::Broken("reset".to_owned()), "unknown"),
    ] {
        assert_eq!(kind(&refresh(&toy, Reply::Fail(error)).await), expected);
    }
    // The reply breaks off.
    let broken = futures_util::stream::iter([
        Ok(bytes::Bytes::from_static(b"{\"access_token\":")),
        Err(std::io::Error::other("reset")),
    ]);
    let error = refresh(&toy, answer(200, "application/json", Body::from_stream(broken))).await;
    assert_eq!(error, ExchangeError::Unknown("the reply broke off".to_owned()));
}

#[tokio::test]
async fn the_timeout_covers_head_and_body() {
    let toy = entry(json!({}));
    let pending = futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>();
    for reply in [Reply::Hang, answer(200, "application/json", Body::from_stream(pending))] {
        let bench = Bench::new([reply]);
        let engine = Engine { timeout: Duration::from_millis(20), ..bench.engine() };
        let access = Secret::new(ACCESS.to_owned());
        let current = CurrentTokens { access: &access, refresh: Some(&access) };
        let error = engine.refresh(&toy, &bench.client(), &bench.values, &current, &[]).await.unwrap_err();
        assert_eq!(error, ExchangeError::Unknown("no complete reply in time".to_owned()));
    }
}

#[tokio::test]
async fn without_a_token_to_renew_with_nothing_is_sent() {
    let bench = Bench::new([]);
    let access = Secret::new(ACCESS.to_owned());
    let current = CurrentTokens { access: &access, refresh: None };
    let refresh = |toy: Provider| {
        let (bench, current) = (&bench, &current);
        async move {
            bench.engine().refresh(&toy, &bench.client(), &bench.values, current, &[]).await.unwrap_err()
        }
    };
    let dead = |code: &str| ExchangeError::Dead { code: code.to_owned(), description: None };
    assert_eq!(refresh(entry(json!({}))).await, dead("no_refresh_token"));
    assert_eq!(refresh(entry(json!({ "refresh": { "kind": "none" } }))).await, dead("not_refreshable"));
    assert!(bench.seen().is_empty());
}

#[tokio::test]
async fn an_entry_that_makes_no_request_is_the_configurations_fault() {
    for (own, says) in [
        (json!({ "token": { "url": "https://{shop}.toy.example/token" } }), "is not a variable"),
        (json!({ "token": { "params": { "x": "{unclosed" } } }), "brace"),
        (json!({ "token": { "headers": { "x y": "1" } } }), "header x y"),
        (json!({ "token": { "headers": { "x": "a\r\nb" } } }), "header x"),
        (json!({ "token": { "headers": { "x": "{refresh_token}" } } }), "not known in this step"),
    ] {
        let bench = Bench::new([]);
        let error = bench.connect(&entry(own), &[]).await.unwrap_err();
        let ExchangeError::Client { code, description } = error else { panic!("{error:?}") };
        assert_eq!(code, "configuration");
        assert!(description.as_deref().unwrap().contains(says), "{description:?}");
        assert!(bench.seen().is_empty());
    }
}

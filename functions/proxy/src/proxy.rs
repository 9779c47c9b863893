//! `POST /sdk/proxy`: one JSON request, one JSON answer (wire protocol section 4.1).

use std::{collections::BTreeMap, sync::Arc};

use alter_api_types::proxy::{ProxyRequest, ProxyResponse};
use alter_domain::{
    Error, Result,
    auth::Presented,
    flow::{Call, CallBody, Collected, Selector, authenticate},
    web::{PeerIp, read_body, read_json},
};
use axum::{
    Json,
    extract::{Extension, Request, State},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::HeaderMap;
use serde_json::{Value, value::RawValue};
use tokio::time::Instant;

use crate::{ProxyState, REQUEST_LIMIT};

pub(crate) async fn proxy(
    State(state): State<Arc<ProxyState>>,
    peer: Option<Extension<PeerIp>>,
    request: Request,
) -> Result<Json<ProxyResponse>> {
    // A task of its own: a caller who hangs up does not leave a call without its final row. Boxed, because a task moves its
    // future and its output about, and this future has kilobytes.
    let call = tokio::spawn(Box::pin(answer(state, peer, request)));
    call.await.map_err(|error| Error::Internal(error.to_string()))?.map(Json)
}

async fn answer(
    state: Arc<ProxyState>,
    peer: Option<Extension<PeerIp>>,
    request: Request,
) -> Result<ProxyResponse> {
    let deadline = Instant::now() + state.timeouts.proxy;
    let calls = &state.calls;
    let (head, body) = request.into_parts();
    let presented = Presented::from_head(&head, peer.map(|peer| peer.0.0), calls.ports.clock.now())?;
    let body = read_body(body, REQUEST_LIMIT).await?;
    presented.check_body(&body)?;
    let (call, body) = match read_json::<ProxyRequest>(&body).and_then(call) {
        Ok((call, body)) => (call, CallBody::Bytes(body.into())),
        Err(error) => {
            // Who is not authenticated learns only that.
            authenticate(&calls.ports, &calls.signing, &presented).await?;
            return Err(error);
        }
    };
    let in_flight = calls.start(&presented, call, body, deadline).await?;
    let call_id = in_flight.call_id.to_string();
    let connected = in_flight.connected;
    let collected = in_flight.record.collect(in_flight.response, state.reply_limit, deadline).await?;
    Ok(view(&collected, call_id, connected))
}

fn call(request: ProxyRequest) -> Result<(Call, Vec<u8>)> {
    let selector = match (request.grant_id, request.provider_id) {
        (Some(id), None)
            if request.account.is_none() && request.label.is_none() && request.app_user_id.is_none() =>
        {
            // A text that is no id names no grant.
            Selector::Grant(id.parse().map_err(|_| Error::grant_not_found())?)
        }
        (Some(_), None) => {
            return Err(invalid("account, label and app_user_id go with provider_id, not with grant_id."));
        }
        (None, Some(provider_id)) => {
            let (account, label) = (request.account, request.label);
            Selector::Provider { provider_id, account, label, app_user_id: request.app_user_id }
        }
        _ => return Err(invalid("Name the grant by exactly one of grant_id and provider_id.")),
    };
    let mut headers: Vec<(String, String)> = request.headers.into_iter().collect();
    let body = body(request.body.as_deref(), &mut headers)?;
    let call = Call {
        selector,
        user_token: request.user_token,
        method: request.method,
        url: request.url,
        query: query(request.query_params)?,
        headers,
        reason: request.reason,
    };
    Ok((call, body))
}

/// The body is sent as JSON, with that content type unless the caller names another. A JSON string under another content
/// type is sent as its text, which is how forms and plain text are sent.
fn body(body: Option<&RawValue>, headers: &mut Vec<(String, String)>) -> Result<Vec<u8>> {
    let Some(body) = body else { return Ok(Vec::new()) };
    let named = headers.iter().find(|(name, _)| name.trim().eq_ignore_ascii_case("content-type"));
    match named {
        None => headers.push(("content-type".to_owned(), "application/json".to_owned())),
        Some((_, kind)) if !kind.to_ascii_lowercase().contains("json") && body.get().starts_with('"') => {
            let text: String =
                serde_json::from_str(body.get()).map_err(|_| invalid("body is not valid JSON."))?;
            return Ok(text.into_bytes());
        }
        Some(_) => {}
    }
    Ok(body.get().as_bytes().to_vec())
}

fn query(params: BTreeMap<String, Value>) -> Result<Vec<(String, String)>> {
    let mut pairs = Vec::with_capacity(params.len());
    for (name, value) in params {
        match value {
            Value::Array(values) => {
                for value in values {
                    pairs.extend(text(value)?.map(|text| (name.clone(), text)));
                }
            }
            value => pairs.extend(text(value)?.map(|text| (name, text))),
        }
    }
    Ok(pairs)
}

fn text(value: Value) -> Result<Option<String>> {
    Ok(match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => Some(value.to_string()),
        Value::Array(_) => return Err(invalid("A list in query_params may not hold a list.")),
    })
}

fn view(collected: &Collected, call_id: String, connected: bool) -> ProxyResponse {
    ProxyResponse {
        status_code: collected.status,
        headers: joined(&collected.headers),
        body_b64: STANDARD.encode(&collected.body),
        body_truncated: collected.truncated,
        duration_ms: Some(collected.duration_ms),
        credential_hint: hint(collected.status, connected),
        call_id,
    }
}

/// Repeated headers joined as RFC 9110 section 5.3 allows; bytes above ASCII read as Latin-1.
fn joined(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut joined: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers {
        let text: String = match value.to_str() {
            Ok(text) => text.to_owned(),
            Err(_) => value.as_bytes().iter().map(|byte| char::from(*byte)).collect(),
        };
        joined
            .entry(name.as_str().to_owned())
            .and_modify(|known| {
                known.push_str(", ");
                known.push_str(&text);
            })
            .or_insert(text);
    }
    joined
}

fn hint(status: u16, connected: bool) -> Option<String> {
    let text = match status {
        401 if connected => {
            "The provider refused the user's connection. Connecting again renews it; every grant id stays."
        }
        403 if connected => {
            "The provider accepted the user's connection but not this use of it. The user may have to connect again with \
             more scopes."
        }
        401 => {
            "The provider refused the stored credential. An operator can replace its value; every grant id stays."
        }
        403 => {
            "The provider accepted the credential but not this use of it. Its rights are set at the provider."
        }
        _ => return None,
    };
    Some(text.to_owned())
}

fn invalid(message: &str) -> Error {
    Error::InvalidRequest(message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(json: &str) -> Result<(Call, Vec<u8>)> {
        read_json(json.as_bytes()).and_then(call)
    }

    const ID: &str = "018f4e9a-5b1c-7d2e-8f3a-4b5c6d7e8f90";

    #[test]
    fn b069_exactly_one_selector() {
        for fields in [
            String::new(),
            format!(r#","grant_id":"{ID}","provider_id":"stripe""#),
            format!(r#","grant_id":"{ID}","label":"x""#),
        ] {
            let json = format!(r#"{{"method":"GET","url":"https://a.example/"{fields}}}"#);
            assert!(matches!(request(&json), Err(Error::InvalidRequest(_))), "{json}");
        }
    }

    #[test]
    fn a_list_repeats_and_null_is_left_out() {
        let params = serde_json::from_str(r#"{"a":[1,"two",null],"b":true,"c":null,"d":{"x":1}}"#).unwrap();
        let pairs = query(params).unwrap();
        let texts: Vec<_> = pairs.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(texts, ["a=1", "a=two", "b=true", r#"d={"x":1}"#]);
        assert!(query(serde_json::from_str(r#"{"a":[[1]]}"#).unwrap()).is_err());
    }

    #[test]
    fn the_body_is_json_unless_the_caller_says_otherwise() {
        let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        let mut headers = Vec::new();
        assert_eq!(body(Some(&raw(r#"{"a":1}"#)), &mut headers).unwrap(), br#"{"a":1}"#);
        assert_eq!(headers, [("content-type".to_owned(), "application/json".to_owned())]);
        let mut form = vec![("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
        assert_eq!(body(Some(&raw(r#""a=1&b=%20""#)), &mut form).unwrap(), b"a=1&b=%20");
        let mut json = vec![("content-type".to_owned(), "application/vnd.api+json".to_owned())];
        assert_eq!(body(Some(&raw(r#""text""#)), &mut json).unwrap(), br#""text""#);
        assert_eq!(json.len(), 1);
        assert!(body(None, &mut headers).unwrap().is_empty());
    }
}

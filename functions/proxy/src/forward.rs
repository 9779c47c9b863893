//! `ANY /v1/forward`: the call as a transparent stream (docs/forward.md). The target, the grant and the reason are signed
//! `Alter-*` headers; the rest of the request is the provider's. Any HTTP client can use it.

use std::{net::IpAddr, sync::Arc};

use alter_domain::{
    Error, Result,
    auth::{Presented, signature::header},
    flow::{Call, CallBody, Selector, authenticate},
    web::{PeerIp, code, read_body},
};
use axum::{
    body::Body,
    extract::{Extension, Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, request::Parts};
use percent_encoding::percent_decode_str;
use tokio::time::Instant;

use crate::{ProxyState, REQUEST_LIMIT};

/// Marks an answer as the vault's own. An answer without it is the provider's, whatever its status.
const ALTER_ERROR: HeaderName = HeaderName::from_static("alter-error");
/// The audit event of the call.
const ALTER_CALL_ID: HeaderName = HeaderName::from_static("alter-call-id");

/// What belongs to the connection with the vault, or to the vault itself, and is not passed on.
const NOT_FORWARDED: [&str; 12] = [
    "host",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
    "content-length",
    "accept-encoding",
    "x-api-key",
    "x-request-id",
];

pub(crate) async fn forward(
    State(state): State<Arc<ProxyState>>,
    peer: Option<Extension<PeerIp>>,
    request: Request,
) -> Response {
    match answer(&state, peer.map(|peer| peer.0.0), request).await {
        Ok(response) => response,
        Err(error) => {
            let code = HeaderValue::from_static(code(&error));
            let mut response = error.into_response();
            response.headers_mut().insert(ALTER_ERROR, code);
            response
        }
    }
}

async fn answer(state: &ProxyState, peer: Option<IpAddr>, request: Request) -> Result<Response> {
    let calls = &state.calls;
    let (head, body) = request.into_parts();
    let presented = Presented::from_head(&head, peer, calls.ports.clock.now())?;
    let body = if presented.payload_is_unsigned() {
        CallBody::Stream(body)
    } else {
        let bytes = read_body(body, REQUEST_LIMIT).await?;
        presented.check_body(&bytes)?;
        CallBody::Bytes(bytes)
    };
    let call = match call(&head) {
        Ok(call) => call,
        Err(error) => {
            authenticate(&calls.ports, &calls.signing, &presented).await?;
            return Err(error);
        }
    };
    // A task of its own until the provider's head has come: a caller who hangs up before that does not leave a call
    // without its final row. After that the body's own end writes it.
    let deadline = Instant::now() + state.timeouts.forward_first_byte;
    let service = calls.clone();
    let started = tokio::spawn(Box::pin(async move {
        let in_flight = service.start(&presented, call, body, deadline).await?;
        let id = in_flight.call_id;
        Ok::<_, Error>((in_flight.record.stream(in_flight.response).await, id))
    }));
    let (mut response, id) = started.await.map_err(|error| Error::Internal(error.to_string()))??;
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(ALTER_CALL_ID, id);
    }
    Ok(response.map(Body::new))
}

fn call(head: &Parts) -> Result<Call> {
    let get = |name| text(&head.headers, name);
    let url = get(header::TARGET)?.ok_or_else(|| invalid("Alter-Target names no URL."))?;
    let selector = match (get(header::GRANT)?, get(header::PROVIDER)?) {
        (Some(id), None) => Selector::Grant(id.parse().map_err(|_| Error::grant_not_found())?),
        (None, Some(provider_id)) => {
            let (account, label) = (get(header::ACCOUNT)?, get(header::LABEL)?);
            Selector::Provider { provider_id, account, label, app_user_id: None }
        }
        _ => return Err(invalid("Name the grant by exactly one of Alter-Grant and Alter-Provider.")),
    };
    let reason = get(header::REASON)?.map(|reason| {
        // Header values are ASCII in practice; a reason in another script comes percent-encoded.
        percent_decode_str(&reason).decode_utf8_lossy().into_owned()
    });
    let mut headers = Vec::with_capacity(head.headers.len());
    for (name, value) in &head.headers {
        let name = name.as_str();
        if NOT_FORWARDED.contains(&name) || name.starts_with("alter-") || name.starts_with("x-alter-") {
            continue;
        }
        let value = value.to_str().map_err(|_| Error::ForbiddenHeader(name.to_owned()))?;
        headers.push((name.to_owned(), value.to_owned()));
    }
    Ok(Call {
        selector,
        user_token: user_token(&head.headers)?,
        method: head.method.as_str().to_owned(),
        url,
        query: Vec::new(),
        headers,
        reason,
    })
}

/// A token that is empty is still one, and a bad one: the call must not pass for the app's own.
fn user_token(headers: &HeaderMap) -> Result<Option<String>> {
    match text(headers, header::USER_TOKEN)? {
        None if headers.contains_key(header::USER_TOKEN) => Ok(Some(String::new())),
        token => Ok(token),
    }
}

fn text(headers: &HeaderMap, name: &'static str) -> Result<Option<String>> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let text = std::str::from_utf8(value.as_bytes()).map_err(|_| invalid("Alter-* headers are UTF-8."))?;
    Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
}

fn invalid(message: &str) -> Error {
    Error::InvalidRequest(message.to_owned())
}

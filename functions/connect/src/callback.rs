//! Where providers send browsers back to.

use std::sync::Arc;

use alter_domain::{flow::connect::Redirect, web::PeerIp};
use axum::{
    body::Body,
    extract::{Extension, Path, RawQuery, State},
    response::Response,
};
use http::HeaderMap;
use url::form_urlencoded;

use crate::{
    ConnectState,
    browser::{known, pairs, see_other},
    page::{home, refused},
};

/// A query longer than this is no provider's.
pub(crate) const MAX_QUERY_BYTES: usize = 32 * 1024;

pub(crate) async fn redirected(
    State(state): State<Arc<ConnectState>>,
    Path((app_id, provider_id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    peer: Option<Extension<PeerIp>>,
    headers: HeaderMap,
) -> Response {
    let query = query.filter(|query| query.len() <= MAX_QUERY_BYTES).unwrap_or_default();
    let redirect = Redirect {
        app_id: &app_id,
        provider_id: &provider_id,
        params: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        ip: peer.map(|peer| peer.0.0),
    };
    let url = &state.service.public_url;
    match state.service.receive(redirect, |id| known(&headers, url, id)).await {
        Ok(id) => see_other(&home(url, id)),
        Err(error) => refused(&state, &error),
    }
}

/// OAuth 2.0 Form Post Response Mode. The post comes from another site, and the session's cookie with it does not: the browser
/// is sent to the same address again, in a way that brings it.
pub(crate) async fn posted(
    State(state): State<Arc<ConnectState>>,
    Path((app_id, provider_id)): Path<(String, String)>,
    body: Body,
) -> Response {
    let pairs = match pairs(body).await {
        Ok(pairs) => pairs,
        Err(error) => return refused(&state, &error),
    };
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let base = state.service.public_url.path();
    see_other(&format!("{base}/sdk/oauth/callback/{}/{}?{query}", encode(&app_id), encode(&provider_id)))
}

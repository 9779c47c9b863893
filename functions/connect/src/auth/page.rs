//! What browsers open on the way to the identity provider and back.

use std::sync::Arc;

use alter_api_types::SignInId;
use alter_domain::{
    flow::{
        connect::{ConnectError, PublicUrl},
        identity::sign_in::{Answer, Begun},
    },
    web::PeerIp,
};
use axum::{
    body::Body,
    extract::{Extension, Path, RawQuery, State},
    response::Response,
};
use http::{HeaderMap, Method, StatusCode};
use url::form_urlencoded;

use super::draw::{ConfirmPage, ResultPage, refusal};
use crate::{
    ConnectState,
    browser::{asks_first, form, known, page, pairs, remember, see_other},
    callback::MAX_QUERY_BYTES,
    draw::LeavingPage,
};

/// The address that an app's program opens: on to the identity provider at once. A link on a page of somebody else's asks first,
/// for whoever follows it may be signed in there already, and would hand themselves over with one click.
pub(crate) async fn start(
    State(state): State<Arc<ConnectState>>,
    Path(start_key): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    if method == Method::HEAD || asks_first(&headers) {
        return match state.sign_in().look(&start_key).await {
            Ok(app) => page(StatusCode::OK, &ConfirmPage::new(&state.service.public_url, &app, start_key)),
            Err(error) => refused(&state, &error),
        };
    }
    match begin(&state, &start_key, &headers).await {
        Ok((begun, target)) => with_cookie(&state, &begun, see_other(&target)),
        Err(error) => refused(&state, &error),
    }
}

/// The user wants to go on. The answer is a page that leads there, not a redirect (docs/adr/0010).
pub(crate) async fn confirmed(
    State(state): State<Arc<ConnectState>>,
    Path(start_key): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if let Err(error) = form(&headers, body).await {
        return refused(&state, &error);
    }
    let url = &state.service.public_url;
    match begin(&state, &start_key, &headers).await {
        Ok((begun, target)) => {
            let answer = match &begun.target {
                Some(there) => page(StatusCode::OK, &LeavingPage::new(url, there)),
                None => see_other(&target),
            };
            with_cookie(&state, &begun, answer)
        }
        Err(error) => refused(&state, &error),
    }
}

/// Back from the identity provider.
pub(crate) async fn redirected(
    State(state): State<Arc<ConnectState>>,
    RawQuery(query): RawQuery,
    peer: Option<Extension<PeerIp>>,
    headers: HeaderMap,
) -> Response {
    let query = query.filter(|query| query.len() <= MAX_QUERY_BYTES).unwrap_or_default();
    let params = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let answer = Answer { params, ip: peer.map(|peer| peer.0.0) };
    let url = &state.service.public_url;
    match state.sign_in().receive(answer, |id| known(&headers, url, id)).await {
        // So that no code stays in an address.
        Ok(id) => see_other(&home(url, id)),
        Err(error) => refused(&state, &error),
    }
}

/// OAuth 2.0 Form Post Response Mode. The post comes from another site, and the cookie with it does not: the browser is sent to the
/// same address again, in a way that brings it.
pub(crate) async fn posted(State(state): State<Arc<ConnectState>>, body: Body) -> Response {
    match pairs(body).await {
        Ok(pairs) => {
            let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
            see_other(&format!("{}/sdk/auth/callback?{query}", state.service.public_url.path()))
        }
        Err(error) => refused(&state, &error),
    }
}

/// What came of it.
pub(crate) async fn result(
    State(state): State<Arc<ConnectState>>,
    Path(sign_in_id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let url = &state.service.public_url;
    let visit = async {
        let id: SignInId = sign_in_id.parse().map_err(|_| ConnectError::NoSession)?;
        state.sign_in().visit(id, known(&headers, url, id).as_ref()).await
    };
    match visit.await {
        Ok(visit) => {
            let (status, drawn) = ResultPage::new(url, &visit);
            page(status, &drawn)
        }
        Err(error) => refused(&state, &error),
    }
}

async fn begin(
    state: &ConnectState,
    start_key: &str,
    headers: &HeaderMap,
) -> Result<(Begun, String), ConnectError> {
    let url = &state.service.public_url;
    let begun = state.sign_in().begin(start_key, |id| known(headers, url, id)).await?;
    let target = begun.target.as_ref().map_or_else(|| home(url, begun.id), ToString::to_string);
    Ok((begun, target))
}

fn with_cookie(state: &ConnectState, begun: &Begun, answer: Response) -> Response {
    match &begun.fresh {
        Some(fresh) => remember(answer, &state.service.public_url, begun.id, fresh),
        None => answer,
    }
}

fn home(url: &PublicUrl, id: SignInId) -> String {
    format!("{}/sdk/auth/result/{id}", url.path())
}

fn refused(state: &ConnectState, error: &ConnectError) -> Response {
    let (status, message) = refusal(&state.service.public_url, error);
    page(status, &message)
}

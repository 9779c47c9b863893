//! The hosted page: arriving with a link, the page itself, and its forms.

use std::sync::Arc;

use alter_api_types::ConnectSessionId;
use alter_domain::{
    flow::connect::{Begun, Browser, ConnectError, FieldProblem, PublicUrl, SessionToken},
    model::SessionOutcome,
    web::PeerIp,
};
use axum::{
    body::Body,
    extract::{Extension, Path, State},
    response::Response,
};
use http::{HeaderMap, StatusCode};

use crate::{
    ConnectState,
    browser::{field, form, known, page, remember, see_other},
    draw::{ArrivalPage, Frame, LeavingPage, MessagePage, SessionPage},
    outcome::DonePage,
};

/// The page that a link opens. The session's token stands behind the `#`, where no server sees it; the page's script posts it.
pub(crate) async fn arrive(State(state): State<Arc<ConnectState>>) -> Response {
    page(StatusCode::OK, &ArrivalPage { frame: Frame::new(&state.service.public_url) })
}

/// Takes the token, and binds the session to the browser that brings it first.
pub(crate) async fn open(State(state): State<Arc<ConnectState>>, headers: HeaderMap, body: Body) -> Response {
    let service = &state.service;
    let url = &service.public_url;
    let opened = async {
        let form = form(&headers, body).await?;
        let token = field(&form, "session");
        if token.starts_with("ms_sess_") {
            return Ok(Err(MessagePage::of_managed_secret(url)));
        }
        let token = SessionToken::parse(token).ok_or(ConnectError::NoSession)?;
        let browser = known(&headers, url, token.session_id());
        Ok(Ok(service.open_session(&token, browser).await?))
    };
    match opened.await {
        Ok(Ok((session, None))) => see_other(&home(url, session.id)),
        Ok(Ok((session, Some(fresh)))) => {
            remember(see_other(&home(url, session.id)), url, session.id, &fresh)
        }
        Ok(Err(message)) => page(StatusCode::NOT_IMPLEMENTED, &message),
        Err(error) => refused(&state, &error),
    }
}

pub(crate) async fn show(
    State(state): State<Arc<ConnectState>>,
    Path(session_id): Path<String>,
    headers: HeaderMap,
) -> Response {
    match visitor(&state, &session_id, &headers) {
        Ok((id, browser)) => shown(&state, id, browser.as_ref(), &[], &[]).await,
        Err(error) => refused(&state, &error),
    }
}

/// On to the provider. The answer is a page that leads there, not a redirect: see the policy in `browser.rs`.
pub(crate) async fn start(
    State(state): State<Arc<ConnectState>>,
    Path(session_id): Path<String>,
    peer: Option<Extension<PeerIp>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let url = &state.service.public_url;
    let ip = peer.map(|peer| peer.0.0);
    let (id, browser, form) = match posted(&state, &session_id, &headers, body).await {
        Ok(posted) => posted,
        Err(error) => return refused(&state, &error),
    };
    let (token, provider_id) = (field(&form, "form_token"), field(&form, "provider"));
    let typed: Vec<(String, String)> = form
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix("value_")?.to_owned(), value.clone())))
        .collect();
    match state.service.begin(id, browser.as_ref(), token, provider_id, &typed, ip).await {
        Ok(Begun::Provider(target)) => page(StatusCode::OK, &LeavingPage::new(url, &target)),
        Ok(Begun::Settled) => see_other(&home(url, id)),
        Err(ConnectError::Fields(problems)) => shown(&state, id, browser.as_ref(), &problems, &typed).await,
        Err(error) => after(&state, id, &error),
    }
}

pub(crate) async fn decline(
    State(state): State<Arc<ConnectState>>,
    Path(session_id): Path<String>,
    peer: Option<Extension<PeerIp>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let ip = peer.map(|peer| peer.0.0);
    let (id, browser, form) = match posted(&state, &session_id, &headers, body).await {
        Ok(posted) => posted,
        Err(error) => return refused(&state, &error),
    };
    let (token, provider_id) = (field(&form, "form_token"), field(&form, "provider"));
    match state.service.decline(id, browser.as_ref(), token, provider_id, ip).await {
        Ok(()) => see_other(&home(&state.service.public_url, id)),
        Err(error) => after(&state, id, &error),
    }
}

pub(crate) async fn finish(
    State(state): State<Arc<ConnectState>>,
    Path(session_id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let (id, browser, form) = match posted(&state, &session_id, &headers, body).await {
        Ok(posted) => posted,
        Err(error) => return refused(&state, &error),
    };
    match state.service.finish_session(id, browser.as_ref(), field(&form, "form_token")).await {
        Ok(()) => see_other(&home(&state.service.public_url, id)),
        Err(error) => after(&state, id, &error),
    }
}

/// The address of a session's page.
pub(crate) fn home(url: &PublicUrl, id: ConnectSessionId) -> String {
    format!("{}/sdk/oauth/connect/{id}", url.path())
}

/// A page that says why not.
pub(crate) fn refused(state: &ConnectState, error: &ConnectError) -> Response {
    let (status, message) = MessagePage::of(&state.service.public_url, error);
    page(status, &message)
}

/// A form that came too late is answered with the page as it is now: in this very browser the session had ended.
fn after(state: &ConnectState, id: ConnectSessionId, error: &ConnectError) -> Response {
    match error {
        ConnectError::Finished | ConnectError::Expired => see_other(&home(&state.service.public_url, id)),
        other => refused(state, other),
    }
}

async fn shown(
    state: &ConnectState,
    id: ConnectSessionId,
    browser: Option<&Browser>,
    problems: &[FieldProblem],
    typed: &[(String, String)],
) -> Response {
    let visit = match state.service.visit(id, browser).await {
        Ok(visit) => visit,
        Err(error) => return refused(state, &error),
    };
    let url = &state.service.public_url;
    let now = state.service.ports.clock.now();
    if !visit.session.is_open(now) {
        let gone = visit.session.outcome(now) == SessionOutcome::Expired;
        let status = if gone { StatusCode::GONE } else { StatusCode::OK };
        return page(status, &DonePage::new(url, &visit, now));
    }
    let Some(browser) = browser else { return refused(state, &ConnectError::OtherBrowser) };
    match SessionPage::new(url, &visit, &browser.form_token(id), problems, typed) {
        Ok(drawn) => {
            let status = if problems.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
            page(status, &drawn)
        }
        Err(error) => refused(state, &error.into()),
    }
}

fn visitor(
    state: &ConnectState,
    session_id: &str,
    headers: &HeaderMap,
) -> Result<(ConnectSessionId, Option<Browser>), ConnectError> {
    let id = session_id.parse().map_err(|_| ConnectError::NoSession)?;
    Ok((id, known(headers, &state.service.public_url, id)))
}

type Posted = (ConnectSessionId, Option<Browser>, Vec<(String, String)>);

async fn posted(
    state: &ConnectState,
    session_id: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<Posted, ConnectError> {
    let (id, browser) = visitor(state, session_id, headers)?;
    Ok((id, browser, form(headers, body).await?))
}

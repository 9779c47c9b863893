//! The Wallet's API, typed. Every request goes to the page's own origin, with the session's cookie, which no script can read.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    pin::Pin,
};

use alter_api_types::{
    GrantId,
    wallet::{
        ActivityCounts, ActivityQuery, Approvals, CSRF_HEADER, Decision, ExtendRequest, GrantCard,
        GrantDetail, Overview, RevokeReceipt, RevokeRequest, SessionView, SignInOptions, SignedOut,
    },
};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    AbortSignal, Headers, RequestCache, RequestCredentials, RequestInit, RequestRedirect, Response,
};

use crate::{
    format,
    json::{self, Json, Read, quoted},
    query, text,
    wire::{self, Rows},
};

/// Nobody is signed in (any more).
pub const SESSION_REQUIRED: &str = "wallet_session_required";

/// Milliseconds after which an answer is no longer waited for.
const PATIENCE_MS: u32 = 30_000;

/// What went wrong, for the page that asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// The HTTP status; 0 where no answer came.
    pub status: u16,
    /// The API's code; `offline`, `timeout` or `unreadable` where there is none.
    pub code: String,
    /// What happened and what to do, for people.
    pub message: String,
    /// Whether the same request may succeed later.
    pub retry: bool,
}

impl ApiError {
    /// The person has to sign in (again); the page leaves for the sign-in on its own.
    pub fn signed_out(&self) -> bool {
        self.status == 401
    }

    /// One that happened on this machine.
    pub fn local(code: &str) -> Self {
        Self { status: 0, code: code.to_owned(), message: text::error(0, code, ""), retry: true }
    }

    fn answered(status: u16, body: &str) -> Self {
        let body = json::parse(body).unwrap_or(Json::Null);
        let [code, said] = ["error", "message"].map(|name| body.text(name).unwrap_or_default());
        let retry = status == 408 || status == 429 || status >= 500;
        Self { status, message: text::error(status, &code, &said), code, retry }
    }
}

pub async fn session() -> Result<SessionView, ApiError> {
    let session = get("/wallet/api/session".to_owned(), wire::session).await?;
    CSRF.set(Some(session.csrf_token.clone()));
    Ok(session)
}

pub async fn sign_in_options(app: Option<&str>) -> Result<SignInOptions, ApiError> {
    get(query::path("/wallet/api/sign-in", &[("app", app)]), wire::sign_in_options).await
}

/// Ends the session; the browser then goes to `location`.
pub async fn sign_out() -> Result<SignedOut, ApiError> {
    post("/wallet/api/sign-out".to_owned(), "{}".to_owned(), wire::signed_out).await
}

pub async fn overview() -> Result<Overview, ApiError> {
    get("/wallet/api/overview".to_owned(), wire::overview).await
}

pub async fn grant(id: GrantId) -> Result<GrantDetail, ApiError> {
    get(format!("/wallet/api/grants/{id}"), wire::detail).await
}

pub async fn revoke(id: GrantId, request: &RevokeRequest) -> Result<RevokeReceipt, ApiError> {
    let reason = request.reason.as_deref().map(|reason| format!("\"reason\":{}", quoted(reason)));
    let body = format!("{{{}}}", reason.unwrap_or_default());
    post(format!("/wallet/api/grants/{id}/revoke"), body, wire::receipt).await
}

pub async fn extend(id: GrantId, request: &ExtendRequest) -> Result<GrantCard, ApiError> {
    let body = format!("{{\"expires_at\":\"{}\"}}", request.expires_at);
    post(format!("/wallet/api/grants/{id}/extend"), body, wire::grant).await
}

pub async fn activity(query: &ActivityQuery) -> Result<Rows, ApiError> {
    get(query::of("/wallet/api/activity", query), wire::rows).await
}

pub async fn counts(query: &ActivityQuery) -> Result<ActivityCounts, ApiError> {
    get(query::of("/wallet/api/activity/counts", query), wire::counts).await
}

/// The address of the download, for a plain link.
pub fn export_address(query: &ActivityQuery) -> String {
    query::of("/wallet/api/activity/export", query)
}

pub async fn approvals() -> Result<Approvals, ApiError> {
    get("/wallet/api/approvals".to_owned(), wire::approvals).await
}

pub async fn decide(approval_id: &str, decision: Decision) -> Result<(), ApiError> {
    let path = format!("/wallet/api/approvals/{}/decide", query::encode(approval_id));
    let body = match decision {
        Decision::Approve => "{\"decision\":\"approve\"}",
        Decision::Deny => "{\"decision\":\"deny\"}",
    };
    send(Method::Post(body.to_owned()), path).await.map(drop)
}

/// When the API last said that somebody is signed in, by the browser's clock in seconds; 0 if it never did.
pub fn last_answer() -> i64 {
    LAST_ANSWER.get()
}

/// What to do when the API says that nobody is signed in: said once, by the site's frame.
pub fn on_signed_out(then: impl Fn() + 'static) {
    SIGNED_OUT.set(Some(Box::new(then)));
}

enum Method {
    Get,
    /// With a body.
    Post(String),
}

type Sent = Pin<Box<dyn Future<Output = Result<String, ApiError>>>>;
type Then = Box<dyn Fn()>;

thread_local! {
    static CSRF: RefCell<Option<String>> = const { RefCell::new(None) };
    static LAST_ANSWER: Cell<i64> = const { Cell::new(0) };
    static SIGNED_OUT: RefCell<Option<Then>> = const { RefCell::new(None) };
}

async fn get<T>(path: String, read: fn(&Json<'_>) -> Read<T>) -> Result<T, ApiError> {
    understood(&send(Method::Get, path).await?, read)
}

async fn post<T>(path: String, body: String, read: fn(&Json<'_>) -> Read<T>) -> Result<T, ApiError> {
    understood(&send(Method::Post(body), path).await?, read)
}

fn understood<T>(body: &str, read: fn(&Json<'_>) -> Read<T>) -> Result<T, ApiError> {
    json::parse(body).and_then(|body| read(&body)).map_err(|_| ApiError::local("unreadable"))
}

/// One request: the body of a good answer, or what went wrong. Of one type, whoever asks for what.
fn send(method: Method, path: String) -> Sent {
    let (method, body) = match method {
        Method::Get => ("GET", None),
        Method::Post(body) => ("POST", Some(body)),
    };
    Box::pin(request(method, path, body))
}

async fn request(method: &str, path: String, body: Option<String>) -> Result<String, ApiError> {
    if body.is_some() && CSRF.with_borrow(Option::is_none) {
        let known = send(Method::Get, "/wallet/api/session".to_owned()).await?;
        CSRF.set(Some(understood(&known, wire::session)?.csrf_token));
    }
    let headers = Headers::new().map_err(|_| ApiError::local("unreadable"))?;
    let _ = headers.set("accept", "application/json");
    let init = RequestInit::new();
    init.set_method(method);
    init.set_credentials(RequestCredentials::SameOrigin);
    init.set_cache(RequestCache::NoStore);
    // The API answers; it never sends elsewhere.
    init.set_redirect(RequestRedirect::Error);
    init.set_signal(Some(&AbortSignal::timeout_with_u32(PATIENCE_MS)));
    if let Some(body) = body {
        let _ = headers.set("content-type", "application/json");
        if let Some(token) = CSRF.with_borrow(Clone::clone) {
            let _ = headers.set(CSRF_HEADER, &token);
        }
        init.set_body(&JsValue::from_str(&body));
    }
    init.set_headers(&headers);

    let answer = JsFuture::from(leptos::prelude::window().fetch_with_str_and_init(&path, &init));
    let answer: Response = answer.await.map_err(|why| unanswered(&why))?.unchecked_into();
    let text = JsFuture::from(answer.text().map_err(|_| ApiError::local("unreadable"))?);
    let text = text.await.map_err(|why| unanswered(&why))?.as_string().unwrap_or_default();
    if answer.ok() {
        LAST_ANSWER.set(format::browser_now().as_second());
        return Ok(text);
    }
    let error = ApiError::answered(answer.status(), &text);
    if error.signed_out() {
        CSRF.set(None);
        SIGNED_OUT.with_borrow(|then| {
            if let Some(then) = then {
                then();
            }
        });
    }
    Err(error)
}

fn unanswered(why: &JsValue) -> ApiError {
    let name = js_sys::Reflect::get(why, &"name".into()).ok().and_then(|name| name.as_string());
    ApiError::local(if name.as_deref() == Some("TimeoutError") { "timeout" } else { "offline" })
}

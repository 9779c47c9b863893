//! From the request to values: ids in paths, queries, and JSON bodies that are forgotten once they are read.

use std::{convert::Infallible, str::FromStr};

use alter_api_types::{AgentId, AppId, EventId, GrantId, KeyId, PatId, SecretId, UserId};
use alter_domain::{
    Error, Result,
    model::WebhookKind,
    web::{read_body, read_json},
};
use axum::extract::{FromRequest, FromRequestParts, Query, RawPathParams, Request};
use bytes::Bytes;
use http::{HeaderMap, header, request::Parts};
use serde::{Deserialize, de::DeserializeOwned};
use utoipa::IntoParams;
use zeroize::Zeroize as _;

use crate::{PortalState, REQUEST_LIMIT};

/// An id that a path names. What is no id names nothing.
pub(crate) struct Named<T>(pub(crate) T);

pub(crate) trait PathId: FromStr {
    const PARAMETER: &'static str;

    fn missing() -> Error;
}

/// A template's name; any text may be asked for.
pub(crate) struct Slug(pub(crate) String);

/// A provider's name; any text may be asked for.
pub(crate) struct ProviderId(pub(crate) String);

impl FromStr for Slug {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for ProviderId {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

/// A kind of webhook; there are no others.
pub(crate) struct Kind(pub(crate) WebhookKind);

impl FromStr for Kind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        WebhookKind::parse(text).map(Self).ok_or(())
    }
}

macro_rules! path_ids {
    ($($id:ty, $parameter:literal => $missing:expr;)*) => {$(
        impl PathId for $id {
            const PARAMETER: &'static str = $parameter;

            fn missing() -> Error {
                $missing
            }
        }
    )*};
}

path_ids! {
    AppId, "app_id" => Error::NotFound("app");
    KeyId, "key_id" => Error::NotFound("key");
    AgentId, "agent_id" => Error::NotFound("agent");
    SecretId, "secret_id" => Error::NotFound("managed secret");
    GrantId, "grant_id" => Error::grant_not_found();
    PatId, "pat_id" => Error::NotFound("operator token");
    ProviderId, "provider_id" => Error::NotFound("provider");
    Slug, "slug" => Error::NotFound("template");
    EventId, "event_id" => Error::NotFound("audit event");
    UserId, "user_id" => Error::NotFound("user");
    Kind, "kind" => Error::NotFound("webhook");
}

impl<T: PathId> FromRequestParts<PortalState> for Named<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &PortalState) -> Result<Self> {
        let params = RawPathParams::from_request_parts(parts, state).await.map_err(|_| T::missing())?;
        let text = params.iter().find_map(|(name, text)| (name == T::PARAMETER).then_some(text));
        text.and_then(|text| text.parse().ok()).map(Self).ok_or_else(T::missing)
    }
}

/// The query string. A parameter that is not known is refused: a misspelt filter would be no filter.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<PortalState> for Params<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &PortalState) -> Result<Self> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(params)) => Ok(Self(params)),
            Err(error) => Err(Error::field("invalid_filter", error.body_text())),
        }
    }
}

/// Which page of a list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageParams {
    /// Items in a page: 1 to 1000, 100 by default.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    pub(crate) limit: Option<String>,
    /// The `next_cursor` of the page before.
    pub(crate) cursor: Option<String>,
}

/// Reads a `limit`.
pub(crate) fn limit(text: Option<&str>) -> Result<usize> {
    match text.map(str::parse::<usize>) {
        None => Ok(100),
        Some(Ok(limit)) if (1..=1000).contains(&limit) => Ok(limit),
        Some(_) => Err(Error::field("invalid_limit", "limit is 1 to 1000.")),
    }
}

/// A JSON body.
pub(crate) struct Body<T>(pub(crate) T);

/// A JSON body that may be left out.
pub(crate) struct OptionalBody<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<PortalState> for Body<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &PortalState) -> Result<Self> {
        let (head, body) = request.into_parts();
        require_json(&head.headers)?;
        read_and_forget(read_body(body, REQUEST_LIMIT).await?).map(Self)
    }
}

impl<T: DeserializeOwned + Default> FromRequest<PortalState> for OptionalBody<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &PortalState) -> Result<Self> {
        let (head, body) = request.into_parts();
        let body = read_body(body, REQUEST_LIMIT).await?;
        if body.is_empty() {
            return Ok(Self(T::default()));
        }
        require_json(&head.headers)?;
        read_and_forget(body).map(Self)
    }
}

/// The bytes of a picture, whatever the request calls them: what they are shows when they are looked at.
#[derive(utoipa::ToSchema)]
#[schema(value_type = String, format = Binary)]
pub(crate) struct Picture(pub(crate) Bytes);

impl FromRequest<PortalState> for Picture {
    type Rejection = Error;

    async fn from_request(request: Request, _: &PortalState) -> Result<Self> {
        Ok(Self(read_body(request.into_body(), REQUEST_LIMIT).await?))
    }
}

fn require_json(headers: &HeaderMap) -> Result<()> {
    let media_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") { Ok(()) } else { Err(Error::UnsupportedMediaType) }
}

/// Parses, and overwrites the text: it may hold a credential. The server's own buffers are beyond reach.
fn read_and_forget<T: DeserializeOwned>(body: Bytes) -> Result<T> {
    let parsed = read_json(&body);
    if let Ok(mut body) = body.try_into_mut() {
        body.as_mut().zeroize();
    }
    parsed
}

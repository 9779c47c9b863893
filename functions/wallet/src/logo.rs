//! Apps' logos, for anybody: pages of the Wallet and of Connect show them.

use std::sync::Arc;

use alter_api_types::AppId;
use alter_domain::{Error, Result, flow::wallet::WalletService, repo::Apps};
use axum::{
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header};

/// The address names the picture, so it may be kept for good. Opened by itself it is a picture and nothing else: no script, no
/// style, no origin.
pub(crate) async fn show(
    State(service): State<Arc<WalletService>>,
    Path((app, digest)): Path<(String, String)>,
) -> Result<Response> {
    let app: AppId = app.parse().map_err(|_| NO_LOGO)?;
    let apps = Apps(service.ports.table.as_ref());
    let logo = apps.logo(app, &digest).await?.ok_or(NO_LOGO)?;
    let mut response = logo.bytes().clone().into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(logo.content_type().as_str()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    let policy = HeaderValue::from_static("default-src 'none'; sandbox");
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    Ok(response)
}

const NO_LOGO: Error = Error::NotFound("logo");

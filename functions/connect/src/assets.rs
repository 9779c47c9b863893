//! The pages' style and script, named by their content, so that browsers may keep them for good: compiled in, or made of an app's
//! colours.

use std::{borrow::Cow, sync::LazyLock};

use alter_domain::crypto::sha256;
use axum::{
    extract::Path,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};

use crate::brand;

static STYLE: &str = include_str!("../assets/connect.css");
static SCRIPT: &str = include_str!("../assets/connect.js");

/// File names with the content's digest in them.
pub(crate) static STYLE_NAME: LazyLock<String> = LazyLock::new(|| named(STYLE, "css"));
pub(crate) static SCRIPT_NAME: LazyLock<String> = LazyLock::new(|| named(SCRIPT, "js"));

pub(crate) async fn asset(Path(name): Path<String>) -> Response {
    let (text, kind) = if name == *STYLE_NAME {
        (STYLE.into(), "text/css; charset=utf-8")
    } else if name == *SCRIPT_NAME {
        (SCRIPT.into(), "text/javascript; charset=utf-8")
    } else if let Some(sheet) = brand::sheet(&name) {
        (Cow::from(sheet), "text/css; charset=utf-8")
    } else {
        // A page of before a new version asks for the file of before: nothing that a program would read.
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    let kept = HeaderValue::from_static("public, max-age=31536000, immutable");
    headers.insert(header::CACHE_CONTROL, kept);
    response
}

fn named(text: &str, extension: &str) -> String {
    let digest = hex::encode(sha256(text.as_bytes()));
    format!("connect-{}.{extension}", digest.get(..16).unwrap_or_default())
}

//! Who is signed in.

use alter_domain::Result;
use axum::Json;

use crate::access::Reader;

pub(crate) async fn show(Reader(signed_in): Reader) -> Result<Json<String>> {
    Ok(Json(signed_in.browser.csrf_token()))
}

//! Calls that wait for the user's word. No call does so far.

use alter_api_types::wallet::{Approvals, Decide};
use alter_domain::{Error, Result};
use axum::Json;

use crate::{
    access::{Reader, Writer},
    extract::Body,
};

pub(crate) async fn list(_: Reader) -> Json<Approvals> {
    Json(Approvals { items: Vec::new() })
}

pub(crate) async fn decide(_: Writer, Body(_): Body<Decide>) -> Result<Json<Approvals>> {
    Err(Error::NotFound("approval"))
}

//! Calls that wait for the user's word. No call does so far.

use alter_api_types::wallet::{Approvals, Decide};
use alter_domain::{Error, Result};
use axum::Json;

use crate::{
    access::{Reader, Writer},
    input::Input,
};

pub(crate) async fn list(_: Reader) -> Json<Approvals> {
    Json(Approvals { items: Vec::new() })
}

pub(crate) async fn decide(_: Writer, input: Input<Decide>) -> Result<Json<Approvals>> {
    input.required()?;
    Err(Error::NotFound("approval"))
}

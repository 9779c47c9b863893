//! Sign-in for apps that have no page of their own, and who a caller's user is (wire protocol sections 4.5 and 4.8).

mod api;
mod draw;
mod identity;
mod page;

pub(crate) use api::{create, poll, verify_token};
pub(crate) use identity::resolve;
pub(crate) use page::{confirmed, posted, redirected, result, start};

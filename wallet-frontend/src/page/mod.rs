//! The pages.

mod activity;
mod approvals;
mod apps;
mod connections;
mod grant;
mod grant_actions;
mod names;
mod not_found;
mod sign_in;

use crate::ui::plain;

pub use activity::{Activity, watch_history};
pub use approvals::Approvals;
pub use apps::Apps;
pub use connections::Connections;
pub use grant::Grant;
pub use not_found::NotFound;
pub use sign_in::SignIn;

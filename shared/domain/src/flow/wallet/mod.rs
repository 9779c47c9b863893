//! The Wallet: where end users see what was granted for them and what was done with it, and end it. It opens no key of any kind;
//! what signs people in, and has to, is [`sign_in`]'s service, which another function runs.

mod card;
mod cookie;
mod history;
mod selves;
mod session;

pub use card::{app_card, logo_path};
pub use cookie::WalletCookie;
pub use session::SignedIn;

use super::connect::PublicUrl;
use crate::state::Ports;

/// Everything that the Wallet needs. Cheap to clone.
#[derive(Clone)]
pub struct WalletService {
    pub ports: Ports,
    /// Where browsers reach the Wallet: the origin that its writes must come from.
    pub url: PublicUrl,
}

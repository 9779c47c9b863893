//! The Wallet: where end users see what was granted for them and what was done with it, and end it. It opens no key of any kind;
//! what signs people in, and has to, is [`WalletSignInService`], which another function runs.

mod card;
mod cookie;
mod exports;
mod extend;
mod held;
mod history;
mod holdings;
mod limit;
mod offer;
mod reach;
mod read;
mod revoke;
mod selves;
mod session;
mod sign_in;
mod sign_out;
mod state;

pub use card::{app_card, logo_path};
pub use cookie::WalletCookie;
pub use exports::{ExportPermit, Exports};
pub use held::{Held, Holder};
pub use holdings::{Holding, Holdings, MAX_HELD};
pub use limit::{Pace, RateLimit};
pub use revoke::Ended;
pub use session::SignedIn;
pub use sign_in::{NotSignedIn, WalletBegun, WalletSignInService};
pub use state::WalletState;

use super::connect::PublicUrl;
use crate::state::Ports;

/// Everything that the Wallet needs. Cheap to clone.
#[derive(Clone)]
pub struct WalletService {
    pub ports: Ports,
    /// Where browsers reach the Wallet: the origin that its writes must come from.
    pub url: PublicUrl,
    /// How often one address may look at what everybody may see. One for the process.
    pub limit: RateLimit,
    /// Whose exports are under way. One for the process.
    pub exports: Exports,
}

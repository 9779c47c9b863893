//! What a person can do with a grant: end it, give it more time, and tell somebody of a concern.

mod consequences;
mod copy;
mod extend;
mod more_time;
mod receipt;
mod revoke;

pub use copy::CopyId;
pub use extend::ExtendButton;
pub use receipt::Receipt;
pub use revoke::RevokeButton;

//! What a person can do with a grant: end it, give it more time, and tell somebody of a concern.

mod consequences;
mod copy;
mod extend;
mod more_time;
mod receipt;
mod revoke;

pub use copy::copy_id;
pub use extend::extend_button;
pub use receipt::receipt;
pub use revoke::revoke_button;

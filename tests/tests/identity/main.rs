//! Users: their tokens, their grants, their coming and going, through the public entrance.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: what does not hold is a panic"
)]

mod bounds;
mod calls;
mod connect_users;
mod departure;
mod first;
mod grants;
mod hostile;
mod isolation;
mod sender;
mod sign_in;
mod states;
mod told;
mod webhooks;
mod world;

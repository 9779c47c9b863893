//! The harness of the suites across crates: a whole vault in one value, clients of every kind, and a far side that does
//! what it is told.
//!
//! Who calls it: `tests/e2e`. A test sets up through [`TestVault`], acts through a client ([`Anonymous`], [`AppClient`],
//! [`AgentClient`], [`Operator`]) as anyone outside would, and looks at the answer, at what reached the [`Upstream`] and
//! at the record ([`TestAudit`]).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: what does not hold is a panic"
)]

mod answer;
mod audit;
mod browser;
mod canary;
mod capture;
mod client;
mod fault;
mod idp;
mod idp_sign_in;
mod nonces;
mod oauth;
mod scripted;
mod seed;
mod sigv4;
mod token;
mod upstream;
mod vault;
mod work;
mod wrapper;

pub use answer::Answer;
pub use audit::TestAudit;
pub use browser::{Browser, PUBLIC, leads_to, location, query};
pub use canary::{canary, encodings, find_canary, find_in, find_in_dir};
pub use capture::logged;
pub use client::{AgentClient, Anonymous, AppClient, Mode, Operator, SignedClient, SignedRequest};
pub use fault::FaultTable;
pub use idp::{IdpFault, TestIdp};
pub use idp_sign_in::{Exchange, SIGN_IN_CLIENT, SIGN_IN_SECRET};
pub use nonces::MemoryNonces;
pub use oauth::{ConnectionSpec, toy_provider};
pub use scripted::ScriptedClient;
pub use seed::{GrantSpec, KeySpec, SecretSpec, TestAgent, TestApp, TestKey, TestSecret};
pub use sigv4::{SigV4, check_sigv4};
pub use token::TokenSpec;
pub use upstream::{Received, Upstream, channel_body, json_reply, reply};
pub use vault::{Setup, TestVault};
pub use work::TestWork;
pub use wrapper::CountingWrapper;

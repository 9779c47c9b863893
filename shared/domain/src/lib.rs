//! The vault's domain: values, rules, ports, repositories, flows and the web edge.
//!
//! Who calls it: every function crate. What it may touch: nothing outside the process except through
//! [`port`]s. No AWS, no SQLite, no HTTP client lives here; `xtask` asserts that on the dependency tree.

pub mod auth;
pub mod catalogue;
pub mod crypto;
pub mod egress;
pub mod error;
pub mod flow;
pub mod inject;
pub mod keyspace;
pub mod model;
pub mod oauth;
pub mod oidc;
pub mod policy;
pub mod port;
pub mod redact;
pub mod repo;
pub mod secret;
pub mod state;
pub mod web;
pub mod webhook;

pub use alter_api_types as api;
pub use error::{Error, Result};

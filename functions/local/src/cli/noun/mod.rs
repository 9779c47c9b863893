//! One file for each noun: its commands, their help, and the requests that they make.

pub(super) mod agent;
pub(super) mod app;
pub(super) mod audit;
pub(super) mod grant;
pub(super) mod idp;
pub(super) mod key;
pub(super) mod provider;
pub(super) mod provider_check;
pub(super) mod provider_input;
pub(super) mod secret;
pub(super) mod secret_input;
pub(super) mod token;
pub(super) mod user;

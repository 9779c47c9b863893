//! Injection: how a managed secret (or an OAuth token) enters a request, and nowhere else.
//!
//! Who calls it: the proxy, with an opened credential and a request whose host has been checked; the portal, to check
//! what an operator stores. What it may touch: the request head that it is given. An [`Injection`] is configuration,
//! [`CredentialFields`] are the sealed values; [`inject`] brings them together and lists what must not come back.

mod apply;
mod aws;
mod default_headers;
mod fields;
mod format;
mod rule;

pub use apply::{InjectError, Injected, OutgoingHead, Payload, inject};
pub use aws::{AwsScope, needs_whole_body};
pub use default_headers::{DefaultHeaderError, DefaultHeaders, MAX_DEFAULT_HEADERS};
pub use fields::{CredentialFields, FieldsError, MAX_FIELDS, MAX_VALUE_BYTES, MIN_SECRET_BYTES};
pub use format::{Format, FormatError, MAX_FORMAT_BYTES};
pub use rule::{
    AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, CredentialType, InjectRule, Injection,
    InjectionError, MAX_RULES, Rules, Target,
};

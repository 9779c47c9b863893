//! Where a credential may go, as pure rules: no name is resolved and nothing is sent here.
//!
//! Three gates stand between a caller's URL and a socket. [`Target::parse`] accepts only text that needs no repair,
//! so that the URL which was checked is the URL which is dialled. [`Target::check_hosts`] holds it against the
//! credential's [`AllowedHosts`]. The HTTP adapter then resolves the name once and dials only addresses that
//! [`is_public`] accepts. The header rules keep callers from smuggling credentials or framing in, and upstreams from
//! sending sessions out; [`decode_body`] undoes compression, so that the echo scanner sees what the caller would.

mod address;
mod decode;
mod header;
mod host;
mod target;

#[cfg(test)]
mod corpus;

pub use address::{is_loopback, is_public};
pub use decode::{DecodeError, decode_body};
pub use header::{
    FORBIDDEN_REQUEST_HEADERS, check_method, check_request_header, clean_response_headers, strip_hop_by_hop,
};
pub use host::{AllowedHosts, HostPattern, HostPatternError};
pub use target::{MAX_URL_CHARS, Target};

/// What this deployment permits beyond "https to public addresses".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EgressRules {
    /// Local mode only: http and https to `localhost`, 127.0.0.0/8 and `::1`. Nothing else becomes reachable.
    pub allow_loopback_http: bool,
}

/// Why a request may not leave. The variants are stable and none carries what the caller sent, which may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EgressError {
    /// Wire code `query_too_long`.
    #[error("URL is longer than 65,536 characters")]
    TooLong,
    #[error("URL is not absolute, or holds characters that a parser would have to repair")]
    Malformed,
    #[error("URL scheme is not https")]
    Scheme,
    #[error("URL holds a user name or password")]
    Userinfo,
    #[error("URL names an address that is not public")]
    PrivateAddress,
    #[error("URL names a host of a private network")]
    PrivateName,
    #[error("host is not among the credential's allowed hosts")]
    HostNotAllowed,
    #[error("method is not forwarded")]
    Method,
    #[error("header may not be set by the caller")]
    ForbiddenHeader,
    #[error("header name is not an HTTP token")]
    HeaderName,
    #[error("header value holds control characters")]
    HeaderValue,
}

impl EgressError {
    /// A stable word for logs and audit rows.
    pub fn reason(self) -> &'static str {
        match self {
            EgressError::TooLong => "url_too_long",
            EgressError::Malformed => "url_malformed",
            EgressError::Scheme => "scheme_refused",
            EgressError::Userinfo => "userinfo_refused",
            EgressError::PrivateAddress => "private_address",
            EgressError::PrivateName => "private_name",
            EgressError::HostNotAllowed => "host_not_allowed",
            EgressError::Method => "method_refused",
            EgressError::ForbiddenHeader => "forbidden_header",
            EgressError::HeaderName => "header_name_invalid",
            EgressError::HeaderValue => "header_value_invalid",
        }
    }
}

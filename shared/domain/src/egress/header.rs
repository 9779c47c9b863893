//! Which headers and methods pass through the vault.

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use super::EgressError;

/// Names that a caller may not set (wire §4.1): they carry credentials, change whom a request acts for, or change its
/// method behind the policy's back. Lower case.
pub const FORBIDDEN_REQUEST_HEADERS: [&str; 18] = [
    "host",
    "authorization",
    "proxy-authorization",
    "authentication",
    "cookie",
    "set-cookie",
    "x-api-key",
    "x-auth-token",
    "x-amz-security-token",
    "x-amz-date",
    "x-amz-content-sha256",
    "x-goog-authorization",
    "x-goog-iam-authorization-token",
    "x-stripe-account",
    "x-shopify-access-token",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
];

/// Framing and connection headers (RFC 9110 §7.6.1, §10.1.1): they belong to the vault's own connection, and a caller
/// who sets them can smuggle a second request.
const CONNECTION_HEADERS: [&str; 8] =
    ["connection", "content-length", "expect", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];

/// Families of names that are refused or stripped as a whole.
const PROXY_PREFIX: &str = "proxy-";
const OWN_PREFIXES: [&str; 2] = ["alter-", "x-alter-"];

/// Checks one header that the caller wants to send. The name is compared trimmed and without case, then must be an
/// HTTP token; the value loses outer blanks and may hold no control character (RFC 9110 §5.5).
pub fn check_request_header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), EgressError> {
    if is_forbidden(name.trim().to_ascii_lowercase().as_str()) {
        return Err(EgressError::ForbiddenHeader);
    }
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| EgressError::HeaderName)?;
    let value = HeaderValue::from_bytes(value.trim_matches([' ', '\t']).as_bytes());
    Ok((name, value.map_err(|_| EgressError::HeaderValue)?))
}

/// CONNECT would open a tunnel past the guard; TRACE asks the upstream to answer with the request's own headers, the
/// credential among them (RFC 9110 §9.3.6, §9.3.8).
pub fn check_method(method: &Method) -> Result<(), EgressError> {
    if matches!(*method, Method::CONNECT | Method::TRACE) { Err(EgressError::Method) } else { Ok(()) }
}

/// Removes the headers of one connection, in either direction, with those that `Connection` names (RFC 9110 §7.6.1).
/// `Content-Length` stays: it describes the message.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let mut named = Vec::new();
    for value in headers.get_all(header::CONNECTION) {
        named.extend(
            value
                .as_bytes()
                .split(|b| *b == b',')
                .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok()),
        );
    }
    for name in named {
        headers.remove(name);
    }
    for name in [
        header::CONNECTION,
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ] {
        headers.remove(name);
    }
}

/// Makes a provider's response headers fit to return: no connection headers, no session of the provider's, no echo of
/// an authentication, nothing that could pass for the vault's own word. `WWW-Authenticate` stays, clients need it.
pub fn clean_response_headers(headers: &mut HeaderMap) {
    strip_hop_by_hop(headers);
    for name in [header::SET_COOKIE, HeaderName::from_static("set-cookie2"), header::AUTHORIZATION] {
        headers.remove(name);
    }
    let own = |name: &&HeaderName| {
        let name = name.as_str();
        name.starts_with(PROXY_PREFIX) || OWN_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    };
    let found: Vec<HeaderName> = headers.keys().filter(own).cloned().collect();
    for name in found {
        headers.remove(name);
    }
}

fn is_forbidden(name: &str) -> bool {
    FORBIDDEN_REQUEST_HEADERS.contains(&name)
        || CONNECTION_HEADERS.contains(&name)
        || name.starts_with(PROXY_PREFIX)
        || OWN_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

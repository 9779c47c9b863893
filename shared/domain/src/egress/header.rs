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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_forbidden_header_is_refused_in_any_case_and_padding() {
        let more = [
            "connection",
            "content-length",
            "expect",
            "keep-alive",
            "te",
            "trailer",
            "transfer-encoding",
            "upgrade",
            "proxy-connection",
            "proxy-anything",
            "alter-request-id",
            "x-alter-timestamp",
        ];
        for name in FORBIDDEN_REQUEST_HEADERS.into_iter().chain(more) {
            for spelled in
                [name.to_owned(), name.to_ascii_uppercase(), format!(" {name}\t"), format!("{name}\r\n")]
            {
                assert_eq!(
                    check_request_header(&spelled, "1"),
                    Err(EgressError::ForbiddenHeader),
                    "{spelled:?}"
                );
            }
        }
    }

    #[test]
    fn names_are_tokens_and_values_hold_no_control_characters() {
        for name in ["", " ", "a b", "accept:", "accept\r\nhost", "accept\0", "ä", " accept", "accept "] {
            assert_eq!(check_request_header(name, "1"), Err(EgressError::HeaderName), "{name:?}");
        }
        for value in ["a\r\nhost: evil.com", "a\nb", "a\rb", "a\0b", "\u{7f}"] {
            assert_eq!(check_request_header("accept", value), Err(EgressError::HeaderValue), "{value:?}");
        }
        let (name, value) =
            check_request_header("X-Request-Ünit".replace('Ü', "U").as_str(), " ä\tb ").unwrap();
        assert_eq!((name.as_str(), value.as_bytes()), ("x-request-unit", "ä\tb".as_bytes()));
        assert!(check_request_header("accept", "").is_ok());
        assert!(check_request_header("idempotency-key", "1").is_ok());
    }

    #[test]
    fn tunnels_and_echoes_are_no_methods() {
        assert_eq!(check_method(&Method::CONNECT), Err(EgressError::Method));
        assert_eq!(check_method(&Method::TRACE), Err(EgressError::Method));
        assert!(check_method(&Method::GET).is_ok());
        assert!(check_method(&Method::from_bytes(b"REPORT").unwrap()).is_ok());
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let parsed = |pair: &(&'static str, &'static str)| {
            (HeaderName::from_static(pair.0), HeaderValue::from_static(pair.1))
        };
        pairs.iter().map(parsed).collect()
    }

    #[test]
    fn connection_headers_go_and_so_do_those_they_name() {
        let mut map = headers(&[
            ("connection", "close, X-Hop ,, not a token, x-other"),
            ("x-hop", "1"),
            ("x-other", "1"),
            ("keep-alive", "1"),
            ("te", "trailers"),
            ("trailer", "x"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("proxy-connection", "close"),
            ("content-length", "3"),
            ("x-end", "1"),
        ]);
        map.append("connection", HeaderValue::from_static("x-third"));
        map.append("x-third", HeaderValue::from_static("1"));
        strip_hop_by_hop(&mut map);
        assert_eq!(map, headers(&[("content-length", "3"), ("x-end", "1")]));
    }

    #[test]
    fn a_response_keeps_what_clients_need_and_nothing_that_speaks_for_the_vault() {
        let mut map = headers(&[
            ("set-cookie", "a=1"),
            ("set-cookie2", "a=1"),
            ("authorization", "Bearer x"),
            ("proxy-authenticate", "Basic"),
            ("proxy-authorization", "x"),
            ("alter-request-id", "x"),
            ("x-alter-signature", "x"),
            ("transfer-encoding", "chunked"),
            ("www-authenticate", "Bearer"),
            ("content-type", "text/plain"),
            ("retry-after", "1"),
        ]);
        map.append("set-cookie", HeaderValue::from_static("b=2"));
        clean_response_headers(&mut map);
        let kept = [("www-authenticate", "Bearer"), ("content-type", "text/plain"), ("retry-after", "1")];
        assert_eq!(map, headers(&kept));
    }
}

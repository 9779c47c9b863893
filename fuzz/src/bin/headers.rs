//! Headers in both directions. Input: `name: value` lines.

#![no_main]

use alter_domain::egress::{check_request_header, clean_response_headers};
use http::HeaderMap;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        if let Ok(text) = std::str::from_utf8(line)
            && let Some((name, value)) = text.split_once(':')
        {
            to_provider(name, value);
        }
        if let Some((name, value)) = alter_fuzz::header(line) {
            headers.append(name, value);
        }
    }
    to_caller(&headers);
});

/// What a caller may send carries no credential and frames nothing.
fn to_provider(name: &str, value: &str) {
    let Ok((accepted, sent)) = check_request_header(name, value) else { return };
    let lower = accepted.as_str();
    assert_eq!(lower, name.to_ascii_lowercase(), "the name was mended");
    for forbidden in [
        "authorization",
        "proxy-authorization",
        "cookie",
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "te",
        "trailer",
        "upgrade",
        "expect",
        "x-api-key",
        "x-amz-date",
        "x-http-method-override",
    ] {
        assert_ne!(lower, forbidden);
    }
    for prefix in ["proxy-", "alter-", "x-alter-"] {
        assert!(!lower.starts_with(prefix), "{lower}");
    }
    let bytes = sent.as_bytes();
    assert!(bytes.iter().all(|byte| *byte == b'\t' || *byte >= b' ' && *byte != 0x7f), "{bytes:?}");
    assert_eq!(bytes, value.trim_matches([' ', '\t']).as_bytes(), "the value was mended");
}

/// What a provider sent loses what is the connection's, the session's or the vault's, and nothing else.
fn to_caller(before: &HeaderMap) {
    let mut after = before.clone();
    clean_response_headers(&mut after);
    let connection: Vec<String> = before
        .get_all("connection")
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(|name| String::from_utf8_lossy(name.trim_ascii()).to_ascii_lowercase())
        .collect();
    for name in before.keys() {
        let text = name.as_str();
        let ours = ["proxy-", "alter-", "x-alter-"].iter().any(|prefix| text.starts_with(prefix));
        let removed = [
            "connection",
            "keep-alive",
            "te",
            "trailer",
            "transfer-encoding",
            "upgrade",
            "set-cookie",
            "set-cookie2",
            "authorization",
        ];
        if ours || removed.contains(&text) || connection.iter().any(|other| other == text) {
            assert!(!after.contains_key(name), "{name} is passed on");
        } else {
            let values = |map: &HeaderMap| map.get_all(name).iter().cloned().collect::<Vec<_>>();
            assert_eq!(values(before), values(&after), "{name} was changed");
        }
    }
    assert!(after.keys().all(|name| before.contains_key(name)), "a header was added");
}

//! The canonical target against its definition, written a second time in the plainest way (wire protocol 2.3).

#![no_main]

use alter_domain::auth::canonical::{canonical_target, unambiguous_target};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let canonical = canonical_target(text);
    assert_eq!(canonical, plain(text));

    // A canonical query is a fixed point.
    if let Some((_, query)) = canonical.split_once('?')
        && !query.is_empty()
        && !text.split('?').next().unwrap().contains('%')
    {
        let query = format!("/?{query}");
        assert_eq!(canonical_target(&query), query);
    }
    if let Some(clear) = unambiguous_target(text) {
        assert_eq!(clear, canonical);
        assert!(
            !clear.split('?').next().unwrap().chars().any(char::is_control),
            "a control character in a signed path"
        );
        assert!(!clear.contains('\n'), "a line feed in a signed line");
        let slashes = |text: &str| text.split('?').next().unwrap().matches('/').count();
        assert_eq!(slashes(text), slashes(&clear), "an encoded slash became a separator");
    }
});

fn plain(target: &str) -> String {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut out = String::from_utf8_lossy(&decode(path.as_bytes())).into_owned();
    if query.is_empty() {
        return out;
    }
    let mut pairs: Vec<(String, String)> = Vec::new();
    for piece in query.split('&').filter(|piece| !piece.is_empty()) {
        let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
        pairs.push((form(name), form(value)));
    }
    pairs.sort();
    let pairs: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    out.push('?');
    out.push_str(&pairs.join("&"));
    out
}

fn form(text: &str) -> String {
    String::from_utf8_lossy(&decode(text.replace('+', " ").as_bytes())).into_owned()
}

fn decode(text: &[u8]) -> Vec<u8> {
    let digit = |at: usize| text.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        if let (b'%', Some(high), Some(low)) = (text[at], digit(at + 1), digit(at + 2)) {
            out.push((high * 16 + low) as u8);
            at += 3;
        } else {
            out.push(text[at]);
            at += 1;
        }
    }
    out
}

fn encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            byte if byte.is_ascii_alphanumeric() || b"_.-~".contains(&byte) => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

//! The canonical request target: the form in which path and query are signed (docs/signing.md; wire protocol
//! section 2.3).
//!
//! It is computed from the raw target, once. It is not idempotent: the path is percent-decoded, so doing it again would
//! decode twice (`%2541` becomes `%41`, which must stay). The query part alone is a fixed point.

use std::borrow::Cow;

use percent_encoding::{percent_decode_str, percent_encode_byte};

/// The canonical form of a request target (path, and query if any), as the published clients compute it.
///
/// Takes any text; time and space grow with its length (times a logarithm for the sort). An HTTP target has at most
/// 65,534 bytes.
pub fn canonical_target(path_and_query: &str) -> String {
    let (path, query) = split(path_and_query);
    let path = percent_decode_str(path).decode_utf8_lossy();
    if query.is_empty() {
        return path.into_owned();
    }
    // A query of nothing but `&` keeps its question mark: the published client does so too.
    let mut target = String::with_capacity(path.len() + 1 + query.len() + query.len() / 4);
    target.push_str(&path);
    target.push('?');
    push_canonical_query(&mut target, query);
    target
}

/// [`canonical_target`] for a server: `None` if another target, with another meaning, has the same canonical form.
///
/// Decoding loses the difference between `/` and `%2F` and between `?` and `%3F`, a decoded line feed could pose as the
/// end of the signed line, and all invalid UTF-8 looks the same. A signature over such a path proves less than it seems
/// to, so the vault refuses it. No published client sends one for an id that exists.
pub fn unambiguous_target(path_and_query: &str) -> Option<String> {
    let (path, _) = split(path_and_query);
    if path.contains('%') {
        let slashes = path.bytes().filter(|&b| b == b'/').count();
        let decoded = percent_decode_str(path).decode_utf8().ok()?;
        if decoded.contains('?') || decoded.bytes().filter(|&b| b == b'/').count() != slashes {
            return None;
        }
        if decoded.chars().any(char::is_control) {
            return None;
        }
    } else if path.chars().any(char::is_control) {
        return None;
    }
    Some(canonical_target(path_and_query))
}

fn split(path_and_query: &str) -> (&str, &str) {
    path_and_query.split_once('?').unwrap_or((path_and_query, ""))
}

fn push_canonical_query(target: &mut String, query: &str) {
    let mut pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> = query
        .split('&')
        .filter(|piece| !piece.is_empty())
        .map(|piece| piece.split_once('=').unwrap_or((piece, "")))
        .map(|(name, value)| (form_decode(name), form_decode(value)))
        .collect();
    // Code point order is the byte order of UTF-8.
    pairs.sort_unstable();
    for (i, (name, value)) in pairs.iter().enumerate() {
        if i > 0 {
            target.push('&');
        }
        push_form_encoded(target, name);
        target.push('=');
        push_form_encoded(target, value);
    }
}

fn form_decode(text: &str) -> Cow<'_, str> {
    if text.contains('+') {
        Cow::Owned(percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned())
    } else {
        percent_decode_str(text).decode_utf8_lossy()
    }
}

fn push_form_encoded(target: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' => {
                target.push(char::from(byte))
            }
            b' ' => target.push('+'),
            other => target.push_str(percent_encode_byte(other)),
        }
    }
}

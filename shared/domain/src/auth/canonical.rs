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
                target.push(char::from(byte));
            }
            b' ' => target.push('+'),
            other => target.push_str(percent_encode_byte(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Computed by `unquote`, `parse_qsl`, `sorted` and `urlencode` of Python's `urllib.parse`, which is what the published
    /// client calls.
    const VECTORS: &[(&str, &str)] = &[
        ("/sdk/agents/a%20b?q=&name=x%20y/z", "/sdk/agents/a b?name=x+y%2Fz&q="),
        ("/sdk/proxy", "/sdk/proxy"),
        ("", ""),
        ("/", "/"),
        ("/a?", "/a"),
        ("/a??", "/a?%3F="),
        ("/a?&", "/a?"),
        ("/a?&&&", "/a?"),
        ("/a?=", "/a?="),
        ("/a?==", "/a?=%3D"),
        ("/a?x", "/a?x="),
        ("/a?x=1=2", "/a?x=1%3D2"),
        ("/a?x=1&&y=2&", "/a?x=1&y=2"),
        ("/a?b=2&a=1&b=1&a=", "/a?a=&a=1&b=1&b=2"),
        ("/a?aa=1&a=2", "/a?a=2&aa=1"),
        ("/a?a=%F0%9F%A6%80&a=%EF%BF%BD", "/a?a=%EF%BF%BD&a=%F0%9F%A6%80"),
        ("/a+b?c+d=e+f", "/a+b?c+d=e+f"),
        ("/a%2Bb?c%2Bd=e%2Bf", "/a+b?c%2Bd=e%2Bf"),
        ("/%2541?x=%2541", "/%41?x=%2541"),
        ("/%?x=%", "/%?x=%25"),
        ("/%4?x=%4", "/%4?x=%254"),
        ("/%zz?x=%zz", "/%zz?x=%25zz"),
        ("/%c3%A9?x=%c3%A9", "/é?x=%C3%A9"),
        ("/%C3?x=%C3", "/\u{fffd}?x=%EF%BF%BD"),
        ("/%E2%82x?x=%F0%80%80", "/\u{fffd}x?x=%EF%BF%BD%EF%BF%BD%EF%BF%BD"),
        ("/é%A9?x=é%A9", "/é\u{fffd}?x=%C3%A9%EF%BF%BD"),
        ("/%2F%3F%0A%00", "//?\n\0"),
        ("/a?x=a;b&y=~_.-!*'()", "/a?x=a%3Bb&y=~_.-%21%2A%27%28%29"),
        ("/a?a%26b=c%3Dd#e", "/a?a%26b=c%3Dd%23e"),
    ];

    #[test]
    fn equals_the_published_client() {
        for (raw, canonical) in VECTORS {
            assert_eq!(canonical_target(raw), *canonical, "{raw}");
            assert_eq!(slow(raw), *canonical, "{raw}");
        }
    }

    #[test]
    fn long_targets_take_no_more_than_a_sort() {
        for query in ["a=%C3%A9&".repeat(20_000), "&".repeat(200_000), "+%zz".repeat(50_000)] {
            let target = format!("/{}?{query}", "%25%41".repeat(20_000));
            assert!(target.len() > 65_536);
            assert_eq!(canonical_target(&target), slow(&target));
        }
    }

    #[test]
    fn a_server_refuses_paths_that_read_in_two_ways() {
        for target in ["/", "/sdk/agents/a%20b?x=%2F%3F%0A", "/%41é%C3%A9+", "/%2541", "/%zz"] {
            assert_eq!(unambiguous_target(target), Some(canonical_target(target)), "{target}");
        }
        for target in
            ["/a%2Fb", "/a%2fb?x", "/a%3Fb", "/a%0Ab", "/a%0D", "/%00", "/%7F", "/%C2%85", "/%FF", "/a\nb"]
        {
            assert_eq!(unambiguous_target(target), None, "{target:?}");
        }
    }

    proptest! {
        #[test]
        fn equals_the_slow_reference(target in "[%+&=?/#;~._ aAbBfFzZ0123489éé🦀-]{0,60}") {
            prop_assert_eq!(canonical_target(&target), slow(&target));
        }

        #[test]
        fn equals_the_slow_reference_on_anything(target: String, bytes: Vec<u8>) {
            prop_assert_eq!(canonical_target(&target), slow(&target));
            let encoded: String = bytes.iter().map(|byte| format!("%{byte:02x}")).collect();
            let encoded = format!("{encoded}?{encoded}={encoded}");
            prop_assert_eq!(canonical_target(&encoded), slow(&encoded));
        }

        /// The query part is a fixed point, but for a query of nothing but `&`; the path is not (see the vector `%2541`).
        #[test]
        fn a_canonical_query_stays(query in "[%+&=?/aAbBfF0129é-]{1,40}") {
            let once = canonical_target(&format!("/?{query}"));
            prop_assume!(once != "/?");
            prop_assert_eq!(canonical_target(&once), once);
        }

        #[test]
        fn the_order_of_parameters_does_not_matter(
            (pieces, shuffled) in proptest::collection::vec("[%+=aA20é]{1,6}", 1..8)
                .prop_flat_map(|pieces| (Just(pieces.clone()), Just(pieces).prop_shuffle()))
        ) {
            let target = |pieces: &[String]| canonical_target(&format!("/?{}", pieces.join("&")));
            prop_assert_eq!(target(&pieces), target(&shuffled));
        }

        /// One signature covers one sequence of path segments.
        #[test]
        fn an_unambiguous_target_has_one_reading(left in "/(a|/|%61|%2F|%25|2F|%3F|\\?){0,4}", right in "/(a|/|%61|%2F|%25|2F|%3F|\\?){0,4}") {
            if let (Some(l), Some(r)) = (unambiguous_target(&left), unambiguous_target(&right)) {
                prop_assert_eq!(l == r, meaning(&left) == meaning(&right));
            }
        }
    }

    type Meaning = (Vec<Vec<u8>>, Vec<(String, String)>, bool);

    /// What a router and a query parser make of a target; and whether there is a query at all.
    fn meaning(target: &str) -> Meaning {
        let (path, query) = split(target);
        let segments = path.split('/').map(slow_decode).collect();
        (segments, slow_pairs(query), !query.is_empty())
    }

    /// The definition word by word, one character at a time.
    fn slow(target: &str) -> String {
        let (path, query) = match target.find('?') {
            Some(at) => (&target[..at], &target[at + 1..]),
            None => (target, ""),
        };
        let mut out = String::from_utf8_lossy(&slow_decode(path)).into_owned();
        if !query.is_empty() {
            let pairs: Vec<_> = slow_pairs(query)
                .iter()
                .map(|(name, value)| format!("{}={}", slow_encode(name), slow_encode(value)))
                .collect();
            out = format!("{out}?{}", pairs.join("&"));
        }
        out
    }

    fn slow_pairs(query: &str) -> Vec<(String, String)> {
        let decode = |text: &str| String::from_utf8_lossy(&slow_decode(&text.replace('+', " "))).into_owned();
        let mut pairs = Vec::new();
        for piece in query.split('&') {
            if !piece.is_empty() {
                let mut halves = piece.splitn(2, '=');
                pairs.push((decode(halves.next().unwrap()), decode(halves.next().unwrap_or(""))));
            }
        }
        let code_points = |text: &str| text.chars().map(u32::from).collect::<Vec<_>>();
        pairs.sort_by_key(|(name, value)| (code_points(name), code_points(value)));
        pairs
    }

    fn slow_decode(text: &str) -> Vec<u8> {
        let mut rest = text.as_bytes();
        let mut out = Vec::new();
        while let Some(&byte) = rest.first() {
            let digit = |at: usize| rest.get(at).and_then(|&b| char::from(b).to_digit(16));
            match (byte, digit(1), digit(2)) {
                (b'%', Some(high), Some(low)) => {
                    out.push((high * 16 + low) as u8);
                    rest = &rest[3..];
                }
                _ => {
                    out.push(byte);
                    rest = &rest[1..];
                }
            }
        }
        out
    }

    fn slow_encode(text: &str) -> String {
        let mut out = String::new();
        for c in text.chars() {
            if c.is_ascii_alphanumeric() || "_.-~".contains(c) {
                out.push(c);
            } else if c == ' ' {
                out.push('+');
            } else {
                for byte in c.to_string().bytes() {
                    out += &format!("%{byte:02X}");
                }
            }
        }
        out
    }
}

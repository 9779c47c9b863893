//! Encoding what a gateway has decoded.

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

/// What may not stand in a path or query of RFC 3986 as it is, the `%` of a triplet excepted.
pub(super) const NEVER_LITERAL: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}')
    .add(b'#');
pub(super) const NOT_IN_A_PATH: &AsciiSet = &NEVER_LITERAL.add(b'?');
/// What form encoding leaves as it is.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Encodes what the set names, and every `%` that does not begin a triplet.
pub(super) fn escaped(text: &str, set: &'static AsciiSet) -> String {
    let mut done = String::with_capacity(text.len());
    for (number, piece) in text.split('%').enumerate() {
        if number > 0 {
            let triplet =
                piece.as_bytes().first_chunk::<2>().is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
            done.push_str(if triplet { "%" } else { "%25" });
        }
        done.extend(utf8_percent_encode(piece, set));
    }
    done
}

pub(super) fn form(text: &str) -> String {
    utf8_percent_encode(text, FORM).to_string()
}

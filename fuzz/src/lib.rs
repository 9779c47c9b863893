//! What several fuzz targets need.
//!
//! A target is one file in `src/bin`; its seeds are in `seeds/<target>`, as text that a person can read and write. A
//! failed assertion is a finding, the same as a panic.

use http::{HeaderName, HeaderValue, Method, Request, Uri, request::Parts};

/// A request in text: `METHOD target`, header lines, an empty line, the body. Lines that are no header are left out.
pub fn request(data: &[u8]) -> Option<(Parts, &[u8])> {
    let (head, body) = match data.windows(2).position(|pair| pair == b"\n\n") {
        Some(at) => (&data[..at], &data[at + 2..]),
        None => (data, &[][..]),
    };
    let mut lines = head.split(|byte| *byte == b'\n');
    let (method, target) = std::str::from_utf8(lines.next()?).ok()?.split_once(' ')?;
    let mut request = Request::new(());
    *request.method_mut() = Method::from_bytes(method.as_bytes()).ok()?;
    *request.uri_mut() = target.parse::<Uri>().ok()?;
    for line in lines {
        if let Some((name, value)) = header(line) {
            request.headers_mut().append(name, value);
        }
    }
    Some((request.into_parts().0, body))
}

/// `name: value`, as an HTTP server would take it.
pub fn header(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let at = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = (&line[..at], line[at + 1..].trim_ascii());
    Some((HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value).ok()?))
}

/// Whether `part` stands somewhere in `whole`.
pub fn contains(whole: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && whole.windows(part.len()).any(|window| window == part)
}

//! What AWS does with a request that it receives, written from the documentation and sharing no code with the signer.
//! Region, service, time and the list of signed headers are taken from the request, as AWS does.

use std::fmt::Write as _;

use ring::{digest, hmac};
use url::Url;

use crate::inject::{OutgoingHead, Payload};

pub(super) fn signature(head: &OutgoingHead, payload: Payload<'_>, secret: &str) -> String {
    let value = |name: &str| {
        let all: Vec<String> =
            head.headers.get_all(name).iter().map(|v| squeeze(v.to_str().unwrap())).collect();
        (!all.is_empty()).then(|| all.join(","))
    };
    let authorization = value("authorization").unwrap();
    let between = |from: &str| authorization.split_once(from).unwrap().1.split(", ").next().unwrap();
    let credential: Vec<&str> = between("Credential=").split('/').collect();
    let [_, date, region, service, "aws4_request"] = credential[..] else { panic!("{credential:?}") };
    let signed = between("SignedHeaders=");

    let mut headers = String::new();
    for name in signed.split(';') {
        let value = if name == "host" { Some(host(&head.url)) } else { value(name) };
        writeln!(headers, "{name}:{}", value.unwrap()).unwrap();
    }
    for (name, _) in &head.headers {
        let must = name.as_str().starts_with("x-amz-") || name == "content-type";
        assert!(!must || signed.split(';').any(|s| s == name.as_str()), "{name} is not signed");
    }
    let hash = match payload {
        Payload::Bytes(bytes) => hex::encode(digest::digest(&digest::SHA256, bytes)),
        Payload::Streaming => "UNSIGNED-PAYLOAD".to_owned(),
    };
    let claimed = value("x-amz-content-sha256");
    assert!(claimed.is_none_or(|claimed| claimed == hash));
    let path = if service == "s3" {
        // S3 knows the key, not how it was written.
        encode(&decode(head.url.path(), false), true)
    } else {
        encode(&without_empty_segments(head.url.path()).into_bytes(), true)
    };
    let canonical =
        format!("{}\n{path}\n{}\n{headers}\n{signed}\n{hash}", head.method, query(head.url.query()));
    let time = value("x-amz-date").unwrap();
    let hashed = hex::encode(digest::digest(&digest::SHA256, canonical.as_bytes()));
    let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{date}/{region}/{service}/aws4_request\n{hashed}");
    let mut key = format!("AWS4{secret}").into_bytes();
    for step in [date, region, service, "aws4_request", &to_sign] {
        let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), step.as_bytes());
        key = mac.as_ref().to_vec();
    }
    hex::encode(key)
}

fn host(url: &Url) -> String {
    let host = url.host_str().unwrap();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn squeeze(value: &str) -> String {
    value.split(' ').filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

fn query(query: Option<&str>) -> String {
    let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let mut pairs: Vec<(String, String)> = pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (encode(&lossy(name), false), encode(&lossy(value), false))
        })
        .collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

fn lossy(text: &str) -> Vec<u8> {
    String::from_utf8_lossy(&decode(text, true)).into_owned().into_bytes()
}

fn without_empty_segments(path: &str) -> String {
    let kept: Vec<&str> = path.split('/').filter(|s| !s.is_empty() && *s != "." && *s != "..").collect();
    let slash = if kept.is_empty() || !path.ends_with('/') { "" } else { "/" };
    format!("/{}{slash}", kept.join("/"))
}

fn decode(text: &str, plus_is_space: bool) -> Vec<u8> {
    let bytes = text.as_bytes();
    let (mut out, mut i) = (Vec::new(), 0);
    while i < bytes.len() {
        let hex = text.get(i + 1..i + 3).filter(|h| h.bytes().all(|b| b.is_ascii_hexdigit()));
        match (bytes[i], hex) {
            (b'%', Some(hex)) => {
                out.push(u8::from_str_radix(hex, 16).unwrap());
                i += 3;
                continue;
            }
            (b'+', _) if plus_is_space => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        i += 1;
    }
    out
}

fn encode(bytes: &[u8], keep_slash: bool) -> String {
    let mut out = String::new();
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || (keep_slash && byte == b'/') {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").unwrap();
        }
    }
    out
}

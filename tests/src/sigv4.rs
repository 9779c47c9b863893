//! AWS Signature Version 4 from the side of the service: recomputes the signature of a request, from AWS's description
//! and nothing of the vault's.

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use ring::{digest, hmac};

use crate::Received;

/// What a service would make of a signed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigV4 {
    pub access_key_id: String,
    pub date: String,
    pub region: String,
    pub service: String,
    pub signed_headers: Vec<String>,
    /// Whether the signature is the one that the secret key gives.
    pub valid: bool,
}

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Checks a request that a [`crate::ScriptedClient`] received.
pub fn check_sigv4(request: &Received, secret_access_key: &str) -> SigV4 {
    let authorization = request.header("authorization").expect("an authorization header");
    let parts = authorization.strip_prefix("AWS4-HMAC-SHA256 ").expect("the algorithm");
    let parts: BTreeMap<&str, &str> =
        parts.split(", ").map(|part| part.split_once('=').expect("a pair")).collect();
    let credential: Vec<&str> = parts["Credential"].split('/').collect();
    let [access_key_id, day, region, service, "aws4_request"] = credential[..] else {
        panic!("credential scope {credential:?}");
    };
    let signed_headers: Vec<String> = parts["SignedHeaders"].split(';').map(str::to_owned).collect();
    let date = request.header("x-amz-date").expect("x-amz-date");

    let url = url::Url::parse(&request.target).expect("an absolute URI");
    // S3 signs the path as it is sent; every other service signs it encoded once more.
    let path = match service {
        "s3" => url.path().to_owned(),
        _ => url
            .path()
            .split('/')
            .map(|part| utf8_percent_encode(part, UNRESERVED).to_string())
            .collect::<Vec<_>>()
            .join("/"),
    };
    let mut query: Vec<String> = url
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let encoded = |text: &str| {
                let decoded = percent_decode_str(text).decode_utf8().expect("UTF-8").into_owned();
                utf8_percent_encode(&decoded, UNRESERVED).to_string()
            };
            format!("{}={}", encoded(name), encoded(value))
        })
        .collect();
    query.sort();
    let header = |name: &str| match name {
        "host" => url.host_str().expect("a host").to_owned(),
        name => {
            request.header(name).unwrap_or_else(|| panic!("{name} is signed and not sent")).trim().to_owned()
        }
    };
    let headers: String = signed_headers.iter().map(|name| format!("{name}:{}\n", header(name))).collect();
    let payload = match request.header("x-amz-content-sha256") {
        Some(hash) => hash.to_owned(),
        None => sha256(&request.body),
    };
    if payload != "UNSIGNED-PAYLOAD" {
        assert_eq!(payload, sha256(&request.body), "the announced hash is not the body's");
    }
    let canonical = format!(
        "{}\n{path}\n{}\n{headers}\n{}\n{payload}",
        request.method,
        query.join("&"),
        signed_headers.join(";")
    );
    let scope = format!("{day}/{region}/{service}/aws4_request");
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", sha256(canonical.as_bytes()));
    let mut key = format!("AWS4{secret_access_key}").into_bytes();
    for part in [day, region, service, "aws4_request"] {
        key = mac(&key, part.as_bytes());
    }
    SigV4 {
        access_key_id: access_key_id.to_owned(),
        date: date.to_owned(),
        region: region.to_owned(),
        service: service.to_owned(),
        valid: parts["Signature"] == hex::encode(mac(&key, to_sign.as_bytes())) && date.starts_with(day),
        signed_headers,
    }
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text).as_ref().to_vec()
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

//! The echo scanner: whatever the secret, its encoding, its surroundings and the chunks in which it comes, it does not
//! come through; and nothing is changed but by stars.
//!
//! Input: encoding, cut, length of the secret, the secret, what stands around it.

#![no_main]

use alter_domain::{
    redact::{MIN_SECRET_BYTES, Redactor},
    secret::Secret,
};
use alter_fuzz::contains;
use axum::body::Body;
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use futures_util::FutureExt as _;
use http_body_util::BodyExt as _;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [mode, cut, length, rest @ ..] = data else { return };
    let length = MIN_SECRET_BYTES + usize::from(*length) % 33;
    let Some((secret, around)) = rest.split_at_checked(length) else { return };
    // Each byte a character, so that any input is a text.
    let secret: String = secret.iter().map(|byte| char::from(*byte)).collect();
    if secret.contains('*') {
        return;
    }
    let (before, after) = around.split_at(around.len() / 2);
    let redactor = Redactor::new([&Secret::new(secret.clone())]);
    let echo = encoded(*mode, secret.as_bytes(), before);
    let body = [before, &echo, after].concat();

    let mut whole = body.clone();
    let hits = redactor.redact_bytes(&mut whole);
    assert!(hits > 0, "the echo was not found");
    check(&body, &whole, &echo);
    let streamed = stream(redactor, &body, usize::from(*cut) % 23 + 1);
    check(&body, &streamed, &echo);
    assert_eq!(streamed, whole, "chunks make a difference");
});

fn check(body: &[u8], out: &[u8], echo: &[u8]) {
    assert_eq!(body.len(), out.len(), "Content-Length would lie");
    assert!(body.iter().zip(out).all(|(was, is)| was == is || *is == b'*'), "something else than stars");
    assert!(!contains(out, echo), "the secret comes through");
}

fn stream(redactor: Redactor, body: &[u8], size: usize) -> Vec<u8> {
    let chunks = body.chunks(size).map(|chunk| Ok::<_, std::io::Error>(Bytes::copy_from_slice(chunk)));
    let body = Body::from_stream(futures_util::stream::iter(chunks.collect::<Vec<_>>()));
    let collected = redactor.redact_body(body).collect().now_or_never().expect("all of it is there");
    collected.expect("nothing fails").to_bytes().to_vec()
}

/// The secret as an upstream may send it back. Base64 carries a secret with its neighbours: they are part of the echo.
fn encoded(mode: u8, secret: &[u8], salt: &[u8]) -> Vec<u8> {
    let pick = |position: usize| salt.get(position % salt.len().max(1)).copied().unwrap_or(0);
    let each = |spell: &dyn Fn(usize, u8) -> String| -> Vec<u8> {
        secret.iter().enumerate().flat_map(|(position, byte)| spell(position, *byte).into_bytes()).collect()
    };
    let plain_or = |position: usize, byte: u8, escape: String| {
        // Escapes' own characters and bytes above ASCII cannot stay plain in an escaped text.
        if pick(position) % 2 == 0 && byte.is_ascii_alphanumeric() {
            char::from(byte).to_string()
        } else {
            escape
        }
    };
    let neighbours = [&salt[..salt.len().min(usize::from(mode) % 3)], secret, b"xyz"].concat();
    match mode / 3 % 9 {
        0 => secret.to_vec(),
        1 => each(&|_, byte| format!("%{byte:02X}")),
        2 => each(&|position, byte| plain_or(position, byte, format!("%{byte:02x}"))),
        3 => each(&|_, byte| format!("{byte:02x}")),
        4 => each(&|_, byte| format!("{byte:02X}")),
        5 => STANDARD.encode(neighbours).into_bytes(),
        6 => URL_SAFE_NO_PAD.encode(neighbours).into_bytes(),
        7 => STANDARD_NO_PAD.encode(secret).into_bytes(),
        _ if secret.is_ascii() => each(&|position, byte| plain_or(position, byte, format!("\\u{byte:04x}"))),
        _ => secret.to_vec(),
    }
}

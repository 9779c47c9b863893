//! Canary secrets, and the search for them in every spelling.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use memchr::memmem;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

/// A secret that occurs nowhere else. It holds characters that every encoding changes.
pub fn canary(name: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::SeqCst);
    // A random part, so that a file of an earlier run can neither hide nor feign a find.
    let mut random = [0; 9];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut random).expect("randomness");
    format!("{HEAD}{name}/{number}={}{TAIL}", hex::encode(random))
}

/// Where every canary begins and ends: looking for these finds any of them, whole or cut.
const HEAD: &str = "Canary+~";
const TAIL: &str = "%~yranaC";

/// The end of any canary in any spelling.
pub fn find_canary(bytes: &[u8]) -> Option<String> {
    find_in(bytes, HEAD).or_else(|| find_in(bytes, TAIL))
}

/// What a URL may leave as it is (RFC 3986 §2.3).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A secret as it is, URL-encoded, in hex, and in base64 at its three alignments, standard and URL-safe.
pub fn encodings(secret: &str) -> Vec<Vec<u8>> {
    let bytes = secret.as_bytes();
    let form: String = url::form_urlencoded::byte_serialize(bytes).collect();
    let mut found = vec![
        bytes.to_vec(),
        percent_encode(bytes, UNRESERVED).to_string().into_bytes(),
        percent_encode(bytes, UNRESERVED).to_string().to_lowercase().into_bytes(),
        form.into_bytes(),
        hex::encode(bytes).into_bytes(),
        hex::encode_upper(bytes).into_bytes(),
    ];
    for alignment in 0..3 {
        let mut padded = vec![0; alignment];
        padded.extend(bytes);
        let text = STANDARD.encode(&padded);
        // The first and last characters also hold bits of what stands beside the secret.
        let skip = [0, 2, 3][alignment];
        let whole = text.trim_end_matches('=').len() - 1;
        let text = text[skip..whole].to_owned();
        found.push(text.replace('+', "-").replace('/', "_").into_bytes());
        found.push(text.into_bytes());
    }
    found
}

/// The encoding of the secret that occurs in the bytes, as text; `None` is what one hopes for.
pub fn find_in(bytes: &[u8], secret: &str) -> Option<String> {
    let needles = encodings(secret);
    let hit = needles.iter().find(|needle| memmem::find(bytes, needle).is_some());
    hit.map(|needle| String::from_utf8_lossy(needle).into_owned())
}

/// Searches every file below a directory; names the file and what `find` found.
pub fn find_in_dir(dir: &Path, find: &dyn Fn(&[u8]) -> Option<String>) -> Option<String> {
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        let found = if path.is_dir() {
            find_in_dir(&path, find)
        } else {
            find(&fs::read(&path).expect("a file")).map(|hit| format!("{}: {hit}", path.display()))
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

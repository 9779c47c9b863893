//! Where the site's files come from: a folder, or the build.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
};

use axum::body::Bytes;
use http::HeaderValue;
use ring::digest::{SHA256, digest};

use super::{Copy, File, INDEX};

// What the build brought along: `EMBEDDED: &[(&str, &[u8])]`.
include!(concat!(env!("OUT_DIR"), "/wallet_site.rs"));

/// What is served where there is no site.
const NO_SITE: &str = include_str!("no_site.html");

/// The builder's list of files. Not a file of the site.
const LIST: &str = "manifest.json";

/// Why a folder is not the site's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SiteError {
    #[error("{}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{} is not the Wallet's site: it has no {INDEX} (`cargo xtask wallet` makes target/wallet/dist)", path.display())]
    NoIndex { path: PathBuf },
}

/// The files of a folder. The site has no folders in its own.
pub(super) fn of(directory: &Path) -> Result<HashMap<String, File>, SiteError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| SiteError::Unreadable { path, source }
    };
    let mut contents = HashMap::new();
    for entry in fs::read_dir(directory).map_err(unreadable(directory))? {
        let path = entry.map_err(unreadable(directory))?.path();
        if path.is_file()
            && let Some(name) = path.file_name().and_then(|name| name.to_str())
        {
            contents.insert(name.to_owned(), Bytes::from(fs::read(&path).map_err(unreadable(&path))?));
        }
    }
    if !contents.contains_key(INDEX) {
        return Err(SiteError::NoIndex { path: directory.to_owned() });
    }
    Ok(site(&contents))
}

/// The files that were there when this was built.
pub(super) fn brought_along() -> HashMap<String, File> {
    let named = |(name, bytes): &(&str, &'static [u8])| ((*name).to_owned(), Bytes::from_static(bytes));
    let mut contents: HashMap<_, _> = EMBEDDED.iter().map(named).collect();
    contents.entry(INDEX.to_owned()).or_insert(Bytes::from_static(NO_SITE.as_bytes()));
    site(&contents)
}

fn site(contents: &HashMap<String, Bytes>) -> HashMap<String, File> {
    let is_served = |name: &str| {
        name != LIST && !name.starts_with('.') && !name.ends_with(".br") && !name.ends_with(".gz")
    };
    let copy = |name: &str| contents.get(name).map(|bytes| Copy::new(bytes.clone()));
    let file = |(name, bytes): (&String, &Bytes)| {
        let file = File {
            kind: kind(name),
            is_immutable: is_hashed(name),
            plain: Copy::new(bytes.clone()),
            brotli: copy(&format!("{name}.br")),
            gzip: copy(&format!("{name}.gz")),
        };
        (name.clone(), file)
    };
    contents.iter().filter(|(name, _)| is_served(name)).map(file).collect()
}

impl Copy {
    fn new(bytes: Bytes) -> Self {
        let hash: String = hex::encode(digest(&SHA256, &bytes)).chars().take(32).collect();
        let etag = HeaderValue::from_str(&format!("\"{hash}\""));
        Self { bytes, etag: etag.unwrap_or_else(|_| HeaderValue::from_static("\"\"")) }
    }
}

/// Whether the name says what is in it: `wallet-0123456789abcdef.js`.
fn is_hashed(name: &str) -> bool {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let hash = stem.rsplit_once('-').map_or("", |(_, hash)| hash);
    hash.len() == 16 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        // Anything else is not compiled while it arrives.
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "webmanifest" => "application/manifest+json",
        "json" => "application/json",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_hash_is_told_from_one_without() {
        for name in ["wallet-0123456789abcdef.js", "icon-180-0123456789abcdef.png", "a-00000000deadbeef"] {
            assert!(is_hashed(name), "{name}");
        }
        for name in [
            "index.html",
            "wallet.js",
            "wallet-0123456789abcde.js",
            "wallet-0123456789ABCDEF.js",
            "icon-180.png",
        ] {
            assert!(!is_hashed(name), "{name}");
        }
    }
}

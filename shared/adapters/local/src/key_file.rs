//! The key wrapper of a single machine: AES-256-GCM under a key that lives in a file of its own.
//!
//! A wrapped key is `format (1) | fingerprint of the wrapping key (8) | nonce (12) | ciphertext and tag`. The fingerprint
//! tells a blob of another key from one that was changed; it and the context are authenticated with the ciphertext.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use alter_domain::{
    port::{KeyContext, KeyWrapper, Rng, RngError, WrapError, WrappedKey},
    secret::Secret,
};
use async_trait::async_trait;
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    digest::{Context, SHA256},
};
use zeroize::Zeroizing;

use crate::files::sync_dir;

/// Of the wrapping key and of the data keys.
const KEY_BYTES: usize = 32;
const FORMAT: u8 = 1;
const FINGERPRINT_BYTES: usize = 8;
const HEADER_BYTES: usize = 1 + FINGERPRINT_BYTES;

/// Why the key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    #[error("key file {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    /// Somebody but the owner may read or write it.
    #[error("key file {} has mode {mode:o}; it must not be wider than 600", path.display())]
    TooOpen { path: PathBuf, mode: u32 },
    #[error("key file {} has {found} bytes; it must have exactly 32", path.display())]
    WrongSize { path: PathBuf, found: u64 },
    #[error("key file {} is not a regular file", path.display())]
    NotAFile { path: PathBuf },
    #[error("no key could be made: {0}")]
    Rng(#[from] RngError),
}

/// Makes data keys, wrapped under the 32 bytes of a file. Whoever has the file and the tables has everything: back them up apart.
pub struct KeyFile {
    key: LessSafeKey,
    header: [u8; HEADER_BYTES],
    rng: Arc<dyn Rng>,
}

impl KeyFile {
    /// Opens the file, or creates it with a fresh key, mode 0600, on disk before this returns.
    pub fn open_or_create(path: &Path, rng: Arc<dyn Rng>) -> Result<Self, KeyFileError> {
        let io = |source| KeyFileError::Io { path: path.to_owned(), source };
        let key = match read(path) {
            Err(KeyFileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                create(path, rng.as_ref())?
            }
            read => read?,
        };
        let unbound =
            UnboundKey::new(&AES_256_GCM, key.as_slice()).map_err(|_| io(io::Error::other("key refused")))?;
        let mut header = [FORMAT; HEADER_BYTES];
        for (byte, printed) in header.iter_mut().skip(1).zip(fingerprint(&key).as_ref()) {
            *byte = *printed;
        }
        Ok(Self { key: LessSafeKey::new(unbound), header, rng })
    }

    fn associated_data(&self, context: &KeyContext) -> Aad<Vec<u8>> {
        Aad::from([self.header.as_slice(), context.canonical().as_bytes()].concat())
    }
}

#[async_trait]
impl KeyWrapper for KeyFile {
    async fn generate(&self, context: &KeyContext) -> Result<(Secret<Vec<u8>>, WrappedKey), WrapError> {
        let no_random = |error: RngError| WrapError::Unavailable(error.to_string());
        let mut data_key = Zeroizing::new(vec![0; KEY_BYTES]);
        self.rng.fill(&mut data_key).map_err(no_random)?;
        let mut nonce = [0; NONCE_LEN];
        self.rng.fill(&mut nonce).map_err(no_random)?;
        let mut sealed = data_key.clone();
        let tag = self
            .key
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                self.associated_data(context),
                sealed.as_mut_slice(),
            )
            .map_err(|_| WrapError::Unavailable("the data key could not be sealed".to_owned()))?;
        let wrapped = WrappedKey([self.header.as_slice(), &nonce, &sealed, tag.as_ref()].concat());
        Ok((Secret::new(std::mem::take(&mut *data_key)), wrapped))
    }

    async fn unwrap(&self, context: &KeyContext, wrapped: &WrappedKey) -> Result<Secret<Vec<u8>>, WrapError> {
        let (header, rest) = wrapped.0.split_first_chunk::<HEADER_BYTES>().ok_or(WrapError::Tampered)?;
        let ([format, fingerprint @ ..], [_, mine @ ..]) = (header, &self.header);
        if *format != FORMAT {
            return Err(WrapError::Tampered);
        }
        if fingerprint != mine {
            return Err(WrapError::NotMyKey);
        }
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_LEN>().ok_or(WrapError::Tampered)?;
        let mut buffer = Zeroizing::new(ciphertext.to_vec());
        self.key
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                self.associated_data(context),
                buffer.as_mut_slice(),
            )
            .map(|opened| Secret::new(opened.to_vec()))
            .map_err(|_| WrapError::Tampered)
    }
}

/// Creates the file and nothing else: one that came into being meanwhile is an error, never overwritten.
fn create(path: &Path, rng: &dyn Rng) -> Result<Zeroizing<[u8; KEY_BYTES]>, KeyFileError> {
    let io = |source| KeyFileError::Io { path: path.to_owned(), source };
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    rng.fill(key.as_mut_slice())?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(io)?;
    let written = file.write_all(key.as_slice()).and_then(|()| file.sync_all()).and_then(|()| {
        // A relative name without a directory lies in the current one.
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        sync_dir(parent.unwrap_or(Path::new(".")))
    });
    if let Err(source) = written {
        // A half-written key must not be taken for one at the next start.
        std::fs::remove_file(path).ok();
        return Err(io(source));
    }
    Ok(key)
}

fn read(path: &Path) -> Result<Zeroizing<[u8; KEY_BYTES]>, KeyFileError> {
    let io = |source| KeyFileError::Io { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(KeyFileError::NotAFile { path: path.to_owned() });
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & !0o600 != 0 {
        return Err(KeyFileError::TooOpen { path: path.to_owned(), mode });
    }
    if metadata.len() != KEY_BYTES as u64 {
        return Err(KeyFileError::WrongSize { path: path.to_owned(), found: metadata.len() });
    }
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    file.read_exact(key.as_mut_slice()).map_err(io)?;
    Ok(key)
}

/// A short name of the key that says nothing about it.
fn fingerprint(key: &[u8; KEY_BYTES]) -> ring::digest::Digest {
    let mut context = Context::new(&SHA256);
    context.update(b"alter key file fingerprint v1");
    context.update(key);
    context.finish()
}

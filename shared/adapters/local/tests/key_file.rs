//! The key file: what it wraps opens only with the same key, in the same context.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

use alter_adapter_local::{KeyFile, KeyFileError};
use alter_domain::port::{
    KeyContext, KeyPurpose, KeyWrapper as _, Rng, RngError, SeededRng, SystemRng, WrapError, WrappedKey,
};

fn open(path: &Path) -> Result<KeyFile, KeyFileError> {
    KeyFile::open_or_create(path, Arc::new(SystemRng::new()))
}

fn context() -> KeyContext {
    KeyContext {
        org: "0190a1b2-0000-7000-8000-000000000001".parse().unwrap(),
        app: "0190a1b2-0000-7000-8000-000000000002".parse().unwrap(),
        purpose: KeyPurpose::Credential,
    }
}

#[tokio::test]
async fn what_was_wrapped_opens_after_a_restart_and_looks_different_each_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    let first = open(&path).unwrap();
    let (data_key, wrapped) = first.generate(&context()).await.unwrap();
    let (other_key, other_wrapped) = first.generate(&context()).await.unwrap();
    assert_ne!(wrapped, other_wrapped);
    assert_ne!(data_key.expose_secret(), other_key.expose_secret());
    assert_eq!(data_key.expose_secret().len(), 32);
    assert_eq!(wrapped.0.len(), 1 + 8 + 12 + 32 + 16);
    assert!(!wrapped.0.windows(8).any(|window| data_key.expose_secret().starts_with(window)));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    let second = open(&path).unwrap();
    let opened = second.unwrap(&context(), &wrapped).await.unwrap();
    assert_eq!(opened.expose_secret(), data_key.expose_secret());
}

#[tokio::test]
async fn another_context_does_not_open_it() {
    let dir = tempfile::tempdir().unwrap();
    let key = open(&dir.path().join("key")).unwrap();
    let (_, wrapped) = key.generate(&context()).await.unwrap();
    let stranger = "0190a1b2-0000-7000-8000-000000000003";
    for other in [
        KeyContext { org: stranger.parse().unwrap(), ..context() },
        KeyContext { app: stranger.parse().unwrap(), ..context() },
        KeyContext { purpose: KeyPurpose::Signing, ..context() },
    ] {
        assert_eq!(key.unwrap(&other, &wrapped).await.err(), Some(WrapError::Tampered), "{other:?}");
    }
}

#[tokio::test]
async fn another_key_is_told_from_a_changed_blob() {
    let dir = tempfile::tempdir().unwrap();
    let key = open(&dir.path().join("key")).unwrap();
    let other = open(&dir.path().join("other")).unwrap();
    let (_, wrapped) = key.generate(&context()).await.unwrap();
    assert_eq!(other.unwrap(&context(), &wrapped).await.err(), Some(WrapError::NotMyKey));
    for at in 0..wrapped.0.len() {
        let mut changed = wrapped.clone();
        changed.0[at] ^= 1;
        let expected = if (1..9).contains(&at) { WrapError::NotMyKey } else { WrapError::Tampered };
        assert_eq!(key.unwrap(&context(), &changed).await.err(), Some(expected), "byte {at}");
        let shorter = WrappedKey(wrapped.0[..at].to_vec());
        assert_eq!(key.unwrap(&context(), &shorter).await.err(), Some(WrapError::Tampered), "{at} bytes");
    }
}

#[test]
fn a_file_that_others_may_read_or_of_another_size_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    drop(open(&path).unwrap());
    for mode in [0o640, 0o604, 0o660, 0o700, 0o4600] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = open(&path).err().unwrap();
        assert!(matches!(error, KeyFileError::TooOpen { mode: found, .. } if found == mode), "{error}");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    assert!(open(&path).is_ok(), "narrower is fine");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    for size in [0, 31, 33, 64] {
        fs::write(&path, vec![7; size]).unwrap();
        let error = open(&path).err().unwrap();
        assert!(matches!(error, KeyFileError::WrongSize { found, .. } if found == size as u64), "{error}");
        assert_eq!(fs::read(&path).unwrap().len(), size);
    }
    assert!(matches!(open(dir.path()), Err(KeyFileError::NotAFile { .. })));
}

#[tokio::test]
async fn no_randomness_means_no_key() {
    struct Broken;
    impl Rng for Broken {
        fn fill(&self, _: &mut [u8]) -> Result<(), RngError> {
            Err(RngError)
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    assert!(matches!(KeyFile::open_or_create(&path, Arc::new(Broken)), Err(KeyFileError::Rng(_))));
    assert!(!path.exists());
    drop(KeyFile::open_or_create(&path, Arc::new(SeededRng::new(1))).unwrap());
    let key = KeyFile::open_or_create(&path, Arc::new(Broken)).unwrap();
    assert!(matches!(key.generate(&context()).await, Err(WrapError::Unavailable(_))));
}

//! Private directories and the lock that keeps a second process out.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    /// Another process holds the lock. It is released when that process ends, however it ends.
    #[error("{} is in use by another process", path.display())]
    InUse { path: PathBuf },
}

impl DirError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}

/// An exclusive advisory lock on a file of the directory, held as long as the value lives.
#[derive(Debug)]
pub(crate) struct DirLock {
    _file: File,
}

impl DirLock {
    /// Creates the directory with mode 0700 when it is missing, narrows it when it is wider, and takes the lock `name`.
    pub(crate) fn acquire(dir: &Path, name: &str) -> Result<Self, DirError> {
        private_dir(dir)?;
        let path = dir.join(name);
        let file = private_file().open(&path).map_err(DirError::io(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(DirError::InUse { path: dir.to_owned() }),
            Err(TryLockError::Error(source)) => Err(DirError::Io { path, source }),
        }
    }
}

/// Options that open a file for reading and writing, creating it with mode 0600.
pub(crate) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options
}

/// Makes the names in a directory durable: a new or removed file survives power loss only after this.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn private_dir(dir: &Path) -> Result<(), DirError> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(DirError::io(dir))?;
    let metadata = fs::metadata(dir).map_err(DirError::io(dir))?;
    let mode = metadata.permissions().mode();
    if mode & 0o1000 != 0 {
        // Narrowing a shared directory such as /tmp would take it away from everybody else.
        let source = io::Error::other("a directory shared with other users (sticky) cannot hold secrets");
        return Err(DirError::Io { path: dir.to_owned(), source });
    }
    if mode & 0o077 != 0 {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).map_err(DirError::io(dir))?;
    }
    Ok(())
}

/// Puts the calling thread behind those that serve calls, but not out of their reach: at the lowest priority (19) a busy
/// machine starved the drain until the journal was full and calls were refused, and a thread cannot raise itself again
/// without privileges. Refusal is harmless.
pub(crate) fn lower_priority() {
    if let Err(error) = rustix::process::setpriority_process(None, 5) {
        tracing::debug!(%error, "thread priority unchanged");
    }
}

//! The nonces of segments that are gone: a drained segment may be deleted before its nonces may be forgotten, so they
//! move to a small file first. `nonces-<segment>` is  (fingerprint: u64 | forget_at: i64)* | CRC-32C: u32.

use std::{
    fs, io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use super::frame::Used;
use crate::files::{private_file, sync_dir};

/// A side file on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sidecar {
    pub(super) segment: u64,
    /// When the last of its nonces may be forgotten.
    pub(super) forget_at: i64,
}

/// Writes the nonces, on disk whatever the durability before this returns: the segment is deleted next.
pub(super) fn write(dir: &Path, segment: u64, nonces: &[Used]) -> io::Result<Sidecar> {
    let mut bytes = Vec::with_capacity(nonces.len() * 16 + 4);
    for used in nonces {
        bytes.extend(used.fingerprint.to_le_bytes());
        bytes.extend(used.forget_at.to_le_bytes());
    }
    bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
    let unfinished = dir.join("nonces.tmp");
    let file = private_file().truncate(true).open(&unfinished)?;
    file.write_all_at(&bytes, 0)?;
    file.sync_all()?;
    fs::rename(&unfinished, path(dir, segment))?;
    sync_dir(dir)?;
    Ok(Sidecar { segment, forget_at: latest(nonces) })
}

/// Reads a side file; `None` when it is damaged.
pub(super) fn read(dir: &Path, segment: u64) -> io::Result<Option<(Sidecar, Vec<Used>)>> {
    let bytes = fs::read(path(dir, segment))?;
    let parse = || {
        let (bytes, checksum) = bytes.split_last_chunk::<4>()?;
        if crc32c::crc32c(bytes) != u32::from_le_bytes(*checksum) {
            return None;
        }
        let (pairs, []) = bytes.as_chunks::<16>() else { return None };
        let nonces: Vec<_> = pairs
            .iter()
            .map(|&[f0, f1, f2, f3, f4, f5, f6, f7, at @ ..]| Used {
                fingerprint: u64::from_le_bytes([f0, f1, f2, f3, f4, f5, f6, f7]),
                forget_at: i64::from_le_bytes(at),
            })
            .collect();
        Some((Sidecar { segment, forget_at: latest(&nonces) }, nonces))
    };
    Ok(parse())
}

pub(super) fn path(dir: &Path, segment: u64) -> PathBuf {
    dir.join(format!("nonces-{segment:010}"))
}

fn latest(nonces: &[Used]) -> i64 {
    nonces.iter().map(|used| used.forget_at).max().unwrap_or(i64::MIN)
}

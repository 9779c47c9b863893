//! The end of the journal that is written: one open segment, replaced when it is full.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use super::{frame::Frame, scan::segment_path};
use crate::{
    Durability,
    files::{private_file, sync_dir},
};

/// How far the file is extended ahead of its data: a sync of bytes inside the file's length costs a third less than one
/// that also has to record a new length.
const EXTEND_BYTES: u64 = 1 << 20;
/// What a file that is synced is extended with: where blocks are already in place, a sync under load takes half the time.
const ZEROS: &[u8] = &[0; 64 << 10];

/// A place in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Position {
    pub(super) segment: u64,
    pub(super) offset: u64,
}

#[derive(Debug)]
pub(super) struct Log {
    dir: PathBuf,
    durability: Durability,
    segment_bytes: u64,
    file: File,
    end: Position,
    /// The length the file was given.
    extended: u64,
    /// A failed write could not be cut off yet.
    dirty: bool,
    /// Bytes that the disk still takes: tests fill it.
    #[cfg(test)]
    pub(super) quota: Option<u64>,
}

impl Log {
    /// Continues a segment at its end, or begins it.
    pub(super) fn open(
        dir: &Path,
        end: Position,
        durability: Durability,
        segment_bytes: u64,
    ) -> io::Result<Self> {
        let file = private_file().open(segment_path(dir, end.segment))?;
        file.set_len(end.offset)?;
        if durability == Durability::Full {
            file.sync_all()?;
            sync_dir(dir)?;
        }
        Ok(Self {
            dir: dir.to_owned(),
            durability,
            segment_bytes,
            file,
            end,
            extended: end.offset,
            dirty: false,
            #[cfg(test)]
            quota: None,
        })
    }

    pub(super) fn end(&self) -> Position {
        self.end
    }

    /// Writes the frames and, when the durability is full, syncs them. On an error none of them is in the journal: what
    /// was written of them is cut off, so that later frames stay readable.
    pub(super) fn append(&mut self, frames: &mut [Frame]) -> io::Result<()> {
        self.cut()?;
        let bytes: usize = frames.iter().map(Frame::len).sum();
        if self.end.offset > 0 && self.end.offset + bytes as u64 > self.segment_bytes {
            self.rotate()?;
        }
        self.extend(bytes as u64);
        let mut offset = self.end.offset;
        for frame in frames {
            if let Err(error) = self.write(frame.seal(self.end.segment, offset), offset) {
                return Err(self.undo(error));
            }
            offset += frame.len() as u64;
        }
        if self.durability == Durability::Full
            && let Err(error) = self.file.sync_data()
        {
            return Err(self.undo(error));
        }
        self.end.offset = offset;
        Ok(())
    }

    fn undo(&mut self, error: io::Error) -> io::Error {
        self.dirty = true;
        if let Err(error) = self.cut() {
            tracing::warn!(%error, "an unfinished write stays in the journal until the next one");
        }
        error
    }

    fn cut(&mut self) -> io::Result<()> {
        if self.dirty {
            self.file.set_len(self.end.offset)?;
            self.extended = self.end.offset;
            self.dirty = false;
        }
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        let next = Position { segment: self.end.segment + 1, offset: 0 };
        let file = private_file().truncate(true).open(segment_path(&self.dir, next.segment))?;
        if self.durability == Durability::Full {
            sync_dir(&self.dir)?;
        }
        // Only spares the next start a look at zeros.
        self.file.set_len(self.end.offset).ok();
        self.file = file;
        self.end = next;
        self.extended = 0;
        Ok(())
    }

    /// Best effort: the write that follows extends the file itself, or fails and says why.
    fn extend(&mut self, bytes: u64) {
        let needed = self.end.offset + bytes;
        if needed > self.extended {
            let target = (needed + EXTEND_BYTES).min(self.segment_bytes.max(needed));
            let extended = match self.durability {
                Durability::Full => self.fill(target),
                Durability::Process => self.file.set_len(target),
            };
            if extended.is_ok() {
                self.extended = target;
            }
        }
    }

    fn fill(&self, target: u64) -> io::Result<()> {
        let mut offset = self.extended.max(self.end.offset);
        while offset < target {
            let length = usize::try_from(target - offset).unwrap_or(usize::MAX).min(ZEROS.len());
            self.file.write_all_at(ZEROS.get(..length).unwrap_or(ZEROS), offset)?;
            offset += length as u64;
        }
        Ok(())
    }

    #[cfg(not(test))]
    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    /// Like a disk that fills up: takes what fits, then fails.
    #[cfg(test)]
    fn write(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let Some(left) = self.quota else { return self.file.write_all_at(bytes, offset) };
        let fits = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        self.file.write_all_at(&bytes[..fits], offset)?;
        self.quota = Some(left - fits as u64);
        if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

//! Reading a segment from its start: what is whole, where it ends, and whether what follows the end is harmless.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use bytes::Bytes;

use super::frame::{Entry, HEADER, Parsed, entries, parse};

const READ_BYTES: usize = 256 << 10;

/// Reads frames of one segment forward from a position.
#[derive(Debug)]
pub(super) struct Reader {
    file: File,
    path: PathBuf,
    segment: u64,
    /// Where `buffer` lies in the file.
    start: u64,
    buffer: Bytes,
}

impl Reader {
    pub(super) fn open(dir: &Path, segment: u64, offset: u64) -> io::Result<Self> {
        let path = segment_path(dir, segment);
        let file = File::open(&path)?;
        Ok(Self { file, path, segment, start: offset, buffer: Bytes::new() })
    }

    pub(super) fn segment(&self) -> u64 {
        self.segment
    }

    pub(super) fn offset(&self) -> u64 {
        self.start
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The records of the next frame that ends at or before `limit`; `None` when no whole frame begins here.
    pub(super) fn next(&mut self, limit: u64) -> io::Result<Option<Vec<Entry>>> {
        let mut wanted = HEADER;
        loop {
            if self.buffer.len() < wanted {
                let available = usize::try_from(limit.saturating_sub(self.start)).unwrap_or(usize::MAX);
                if available < wanted {
                    return Ok(None);
                }
                self.fill(wanted.max(READ_BYTES).min(available))?;
                if self.buffer.len() < wanted {
                    return Ok(None);
                }
            }
            match parse(self.segment, self.start, &self.buffer) {
                Parsed::Nothing => return Ok(None),
                Parsed::Need(bytes) => wanted = bytes,
                Parsed::Frame(payload) => {
                    let payload = self.buffer.slice_ref(payload);
                    let Some(entries) = entries(&payload).collect() else { return Ok(None) };
                    self.skip(HEADER + payload.len());
                    return Ok(Some(entries));
                }
            }
        }
    }

    /// Moves on by one byte: the search for the next frame behind a damaged place.
    fn step(&mut self) {
        self.skip(1);
    }

    fn skip(&mut self, bytes: usize) {
        let bytes_buffered = bytes.min(self.buffer.len());
        drop(self.buffer.split_to(bytes_buffered));
        self.start += bytes as u64;
    }

    fn fill(&mut self, bytes: usize) -> io::Result<()> {
        let mut buffer = vec![0; bytes];
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, self.start + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        buffer.truncate(filled);
        self.buffer = buffer.into();
        Ok(())
    }
}

/// What follows the last whole frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tail {
    /// Nothing but zeros.
    Clean,
    /// An unfinished write: bytes that are not zero, and no whole frame behind them.
    Torn,
    /// A damaged place with a whole frame behind it.
    Damaged,
}

/// Reads all whole frames up to the first place where none begins; returns that place and what follows it.
pub(super) fn scan(dir: &Path, segment: u64, mut visit: impl FnMut(Entry)) -> io::Result<(u64, Tail)> {
    let mut reader = Reader::open(dir, segment, 0)?;
    let length = reader.file.metadata()?.len();
    while let Some(entries) = reader.next(length)? {
        entries.into_iter().for_each(&mut visit);
    }
    let end = reader.offset();
    Ok((end, tail(&mut reader, length)?))
}

/// Reads every whole frame there is, also behind damaged places.
pub(super) fn salvage(
    dir: &Path,
    segment: u64,
    mut visit: impl FnMut(Vec<Entry>) -> io::Result<()>,
) -> io::Result<()> {
    let mut reader = Reader::open(dir, segment, 0)?;
    let length = reader.file.metadata()?.len();
    while reader.offset() < length {
        match reader.next(length)? {
            Some(entries) => visit(entries)?,
            None => reader.step(),
        }
    }
    Ok(())
}

pub(super) fn segment_path(dir: &Path, segment: u64) -> PathBuf {
    dir.join(format!("segment-{segment:010}"))
}

fn tail(reader: &mut Reader, length: u64) -> io::Result<Tail> {
    /// A frame's length may begin with zero bytes: that many zeros before a value belong to the search.
    const ZEROS_OF_A_LENGTH: usize = 3;
    let mut tail = Tail::Clean;
    while reader.offset() < length {
        let rest = usize::try_from(length - reader.offset()).unwrap_or(usize::MAX);
        if reader.buffer.len() <= ZEROS_OF_A_LENGTH && reader.buffer.len() < rest {
            reader.fill(rest.min(READ_BYTES))?;
        }
        let zeros = reader.buffer.iter().take_while(|byte| **byte == 0).count();
        if zeros == reader.buffer.len() && zeros >= rest {
            break;
        }
        // Skipped in one go: the common tail is a megabyte of zeros.
        if zeros > ZEROS_OF_A_LENGTH {
            reader.skip(zeros - ZEROS_OF_A_LENGTH);
            continue;
        }
        if zeros == 0 {
            tail = Tail::Torn;
        }
        if reader.next(length)?.is_some() {
            return Ok(Tail::Damaged);
        }
        reader.step();
    }
    Ok(tail)
}

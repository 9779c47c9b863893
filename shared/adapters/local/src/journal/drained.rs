//! The mark up to which everything was handed to the audit table: one small file, overwritten in place and never synced.
//! If it is lost or torn, records are handed over again, which the audit table is made for.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt as _,
    path::Path,
};

use super::{JournalError, log::Position};
use crate::files::private_file;

const NAME: &str = "drained";

pub(super) fn open(dir: &Path) -> Result<File, JournalError> {
    let path = dir.join(NAME);
    private_file().open(&path).map_err(JournalError::io(&path))
}

/// The mark, or the beginning when there is none.
pub(super) fn read(dir: &Path) -> Result<Position, JournalError> {
    let path = dir.join(NAME);
    let bytes = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Position::default()),
        bytes => bytes.map_err(JournalError::io(&path))?,
    };
    Ok(parse(&bytes).unwrap_or_default())
}

pub(super) fn write(file: &File, position: Position) -> io::Result<()> {
    let mut bytes = [position.segment.to_le_bytes(), position.offset.to_le_bytes()].concat();
    bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
    file.write_all_at(&bytes, 0)
}

fn parse(bytes: &[u8]) -> Option<Position> {
    let (bytes, checksum) = bytes.split_last_chunk::<4>()?;
    let (segment, offset) = bytes.split_first_chunk::<8>()?;
    (crc32c::crc32c(bytes) == u32::from_le_bytes(*checksum)).then_some(Position {
        segment: u64::from_le_bytes(*segment),
        offset: u64::from_le_bytes(offset.try_into().ok()?),
    })
}

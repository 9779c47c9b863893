//! Opening a journal that a process left behind, however it ended.

use std::{
    fs, io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use super::{
    JournalError, JournalOptions, OnCorrupt, Recovery, drained,
    frame::{Entry, Frame},
    log::Position,
    nonces::Nonces,
    scan::{Tail, salvage, scan, segment_path},
    sidecar::{self, Sidecar},
};
use crate::files::{private_file, sync_dir};

/// What was found.
pub(super) struct Recovered {
    /// Where to go on writing.
    pub(super) end: Position,
    /// Up to where everything was handed to the audit table.
    pub(super) drained: Position,
    /// Bytes between the two.
    pub(super) backlog: u64,
    /// All segments, oldest first, with their lengths; the last one is written next.
    pub(super) segments: Vec<Position>,
    pub(super) sidecars: Vec<Sidecar>,
    pub(super) report: Recovery,
}

/// Reads every segment once: remembers the nonces, finds the end, cuts off an unfinished write.
pub(super) fn recover(
    dir: &Path,
    options: &JournalOptions,
    nonces: &Nonces,
    now: i64,
) -> Result<Recovered, JournalError> {
    let mut report = Recovery::default();
    let mut drained = drained::read(dir)?;
    let mut segments = Vec::new();
    let ids = numbered(dir, "segment-")?;
    for (index, &segment) in ids.iter().enumerate() {
        let mut visit = |entry| {
            if let Entry::Nonce(used) = entry {
                nonces.restore(used, now);
            }
        };
        let path = segment_path(dir, segment);
        let (mut end, tail) = scan(dir, segment, &mut visit).map_err(JournalError::io(&path))?;
        // A segment is written only when the one before is complete, so only the last one with content can end in an
        // unfinished write.
        let last = ids.iter().skip(index + 1).all(|&later| is_empty(dir, later));
        match tail {
            Tail::Clean => {}
            Tail::Torn if last => {
                report.cut_bytes += cut(&path, end)?;
            }
            Tail::Torn | Tail::Damaged => match options.on_corrupt {
                OnCorrupt::Refuse => return Err(JournalError::Corrupt { path, offset: end }),
                OnCorrupt::Quarantine => {
                    let (kept, aside) = quarantine(dir, segment).map_err(JournalError::io(&path))?;
                    (end, _) = scan(dir, segment, &mut visit).map_err(JournalError::io(&kept))?;
                    report.quarantined.push(aside);
                    // Offsets have changed: hand over all that is left of it again.
                    if drained.segment == segment {
                        drained.offset = 0;
                    }
                }
            },
        }
        segments.push(Position { segment, offset: end });
    }
    let sidecars = restore_sidecars(dir, options, nonces, now, &mut report)?;
    let first_id = sidecars.iter().map(|sidecar| sidecar.segment + 1).max().unwrap_or(0).max(drained.segment);
    if segments.is_empty() {
        segments.push(Position { segment: first_id, offset: 0 });
    }
    let end = segments.last().copied().unwrap_or_default();
    let drained = clamp(drained, &segments);
    // The cut may have taken what was handed over: what is written there next must not be skipped.
    drained::write(&drained::open(dir)?, drained).map_err(JournalError::io(dir))?;
    let backlog = segments
        .iter()
        .filter(|segment| segment.segment >= drained.segment)
        .map(|segment| segment.offset - if segment.segment == drained.segment { drained.offset } else { 0 })
        .sum();
    Ok(Recovered { end, drained, backlog, segments, sidecars, report })
}

/// The position, moved to where there is something: segments before it are gone, or it lies behind a cut.
fn clamp(drained: Position, segments: &[Position]) -> Position {
    match segments.iter().find(|segment| segment.segment >= drained.segment) {
        Some(found) if found.segment == drained.segment => {
            Position { segment: found.segment, offset: drained.offset.min(found.offset) }
        }
        Some(found) => Position { segment: found.segment, offset: 0 },
        None => segments.last().copied().unwrap_or_default(),
    }
}

fn restore_sidecars(
    dir: &Path,
    options: &JournalOptions,
    nonces: &Nonces,
    now: i64,
    report: &mut Recovery,
) -> Result<Vec<Sidecar>, JournalError> {
    let mut sidecars = Vec::new();
    for segment in numbered(dir, "nonces-")? {
        let path = sidecar::path(dir, segment);
        match (sidecar::read(dir, segment).map_err(JournalError::io(&path))?, options.on_corrupt) {
            (Some((sidecar, used)), _) => {
                used.into_iter().for_each(|used| nonces.restore(used, now));
                sidecars.push(sidecar);
            }
            (None, OnCorrupt::Refuse) => return Err(JournalError::Corrupt { path, offset: 0 }),
            (None, OnCorrupt::Quarantine) => {
                let aside = dir.join(format!("corrupt-nonces-{segment:010}"));
                fs::rename(&path, &aside).map_err(JournalError::io(&path))?;
                report.quarantined.push(aside);
            }
        }
    }
    Ok(sidecars)
}

/// Cuts off what follows `end` and says how many bytes it was, zeros at its end not counted.
fn cut(path: &Path, end: u64) -> Result<u64, JournalError> {
    let bytes = fs::read(path).map_err(JournalError::io(path))?;
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1);
    private_file().open(path).and_then(|file| file.set_len(end)).map_err(JournalError::io(path))?;
    Ok(used.saturating_sub(end))
}

/// Sets a damaged segment aside whole and puts in its place what can be read of it.
fn quarantine(dir: &Path, segment: u64) -> io::Result<(PathBuf, PathBuf)> {
    let path = segment_path(dir, segment);
    let aside = dir.join(format!("corrupt-segment-{segment:010}"));
    let unfinished = dir.join("salvage.tmp");
    let file = private_file().truncate(true).open(&unfinished)?;
    let mut offset = 0;
    salvage(dir, segment, |entries| {
        if entries.is_empty() {
            return Ok(());
        }
        let mut frame = Frame::new(&entries);
        file.write_all_at(frame.seal(segment, offset), offset)?;
        offset += frame.len() as u64;
        Ok(())
    })?;
    file.sync_all()?;
    match fs::hard_link(&path, &aside) {
        // Left by an attempt that did not get to the end.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        linked => linked?,
    }
    fs::rename(&unfinished, &path)?;
    sync_dir(dir)?;
    Ok((path, aside))
}

fn is_empty(dir: &Path, segment: u64) -> bool {
    scan(dir, segment, |_| ()).is_ok_and(|found| found == (0, Tail::Clean))
}

/// The numbers of the files `<prefix><number>`, in order.
fn numbered(dir: &Path, prefix: &str) -> Result<Vec<u64>, JournalError> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir).map_err(JournalError::io(dir))? {
        let entry = entry.map_err(JournalError::io(dir))?;
        let name = entry.file_name();
        if let Some(number) = name.to_str().and_then(|name| name.strip_prefix(prefix)?.parse().ok()) {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

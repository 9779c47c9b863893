//! The background half: hands what was recorded to the audit-writer and deletes what is no longer needed.

use std::{
    collections::VecDeque,
    fs, io,
    sync::{Arc, atomic::Ordering},
    thread,
    time::Duration,
};

use alter_domain::port::Record;
use async_trait::async_trait;

use super::{
    drained,
    frame::{Entry, Used},
    log::Position,
    scan::{Reader, Tail, scan, segment_path},
    shared::Shared,
    sidecar::{self, Sidecar},
};
use crate::files::lower_priority;

/// Records handed over at once.
pub(super) const BATCH_RECORDS: usize = 2048;
const BATCH_BYTES: usize = 4 << 20;
/// How long records may gather before they are handed over; a query does not wait for it.
const LINGER: Duration = Duration::from_millis(150);
/// Pauses after failures double from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// Where drained records go: the audit-writer's own function.
#[async_trait]
pub trait DrainHandler: Send + Sync {
    /// Stores the records, durably when it returns. After an error or a crash the same records come again.
    async fn write(&self, batch: Vec<Record>) -> Result<(), String>;
}

pub(super) struct Drain {
    shared: Arc<Shared>,
    handler: Arc<dyn DrainHandler>,
    /// Segments that exist, oldest first, as far as the drain has learnt of them.
    segments: VecDeque<u64>,
    sidecars: Vec<Sidecar>,
    reader: Option<Reader>,
    position: Position,
}

impl Drain {
    pub(super) fn new(
        shared: Arc<Shared>,
        handler: Arc<dyn DrainHandler>,
        segments: impl IntoIterator<Item = u64>,
        sidecars: Vec<Sidecar>,
    ) -> Self {
        let position = shared.progress.borrow().drained;
        Self { shared, handler, segments: segments.into_iter().collect(), sidecars, reader: None, position }
    }

    /// Runs until the journal is closed.
    pub(super) fn run(mut self, runtime: &tokio::runtime::Runtime) {
        lower_priority();
        let signal = &Arc::clone(&self.shared).drain;
        let mut pause = FIRST_PAUSE;
        while !signal.stop.load(Ordering::SeqCst) {
            match self.step(runtime) {
                Ok(true) => pause = FIRST_PAUSE,
                Ok(false) => self.sleep(),
                Err(reason) => {
                    tracing::error!(%reason, "the journal cannot be drained");
                    self.shared.progress.send_modify(|progress| {
                        progress.failures += 1;
                        progress.reason = reason;
                    });
                    thread::park_timeout(pause);
                    pause = (pause * 2).min(LAST_PAUSE);
                }
            }
        }
    }

    /// Sleeps until something is recorded, then a little longer so that there is more of it.
    fn sleep(&self) {
        let signal = &self.shared.drain;
        signal.urgent.store(false, Ordering::SeqCst);
        signal.idle.store(true, Ordering::SeqCst);
        while signal.idle.load(Ordering::SeqCst)
            && self.shared.recorded() == self.position
            && !signal.stop.load(Ordering::SeqCst)
        {
            thread::park();
        }
        signal.idle.store(false, Ordering::SeqCst);
        if !signal.stop.load(Ordering::SeqCst) && !signal.urgent.load(Ordering::SeqCst) {
            thread::park_timeout(LINGER);
        }
    }

    /// Hands over one batch, or moves to the next segment. `false`: there is nothing left.
    fn step(&mut self, runtime: &tokio::runtime::Runtime) -> Result<bool, String> {
        let recorded = self.shared.recorded();
        if self.position == recorded {
            return Ok(false);
        }
        let (records, next) = self.read(recorded)?;
        if next == self.position {
            self.finish_segment().map_err(|error| error.to_string())?;
            return Ok(true);
        }
        let mut records = records.into_iter();
        loop {
            let batch: Vec<Record> = records.by_ref().take(BATCH_RECORDS).collect();
            if batch.is_empty() {
                break;
            }
            runtime.block_on(self.handler.write(batch)).inspect_err(|_| self.reader = None)?;
        }
        let bytes = next.offset - self.position.offset;
        self.move_to(next, bytes).map_err(|error| error.to_string())?;
        Ok(true)
    }

    /// Reads whole frames up to a batch's worth; the same position when this segment has no more.
    fn read(&mut self, recorded: Position) -> Result<(Vec<Record>, Position), String> {
        let Position { segment, offset } = self.position;
        let reader = match self
            .reader
            .take()
            .filter(|reader| (reader.segment(), reader.offset()) == (segment, offset))
        {
            Some(reader) => reader,
            None => Reader::open(&self.shared.dir, segment, offset).map_err(|error| error.to_string())?,
        };
        let reader = self.reader.insert(reader);
        let limit = if recorded.segment == segment { recorded.offset } else { u64::MAX };
        let (mut records, mut bytes) = (Vec::new(), 0);
        while records.len() < BATCH_RECORDS && bytes < BATCH_BYTES {
            let Some(entries) = reader.next(limit).map_err(|error| error.to_string())? else { break };
            for entry in entries {
                if let Entry::Audit(record) = entry {
                    bytes += record.len();
                    records.push(Record(record));
                }
            }
        }
        let next = Position { segment, offset: reader.offset() };
        if next == self.position && recorded.segment == segment {
            // What was recorded here read well when it was written, or at the start.
            return Err(format!("{} is damaged at {offset}", reader.path().display()));
        }
        Ok((records, next))
    }

    /// Everything of this segment is drained, and a later one exists: its nonces move aside and it is deleted.
    fn finish_segment(&mut self) -> io::Result<()> {
        let dir = self.shared.dir.clone();
        let done = self.position.segment;
        let now = self.shared.clock.now().as_second();
        let mut nonces: Vec<Used> = Vec::new();
        let whole = scan(&dir, done, |entry| match entry {
            Entry::Nonce(used) if used.forget_at > now => nonces.push(used),
            Entry::Nonce(_) | Entry::Audit(_) => {}
        })?;
        if whole != (self.position.offset, Tail::Clean) {
            // Nothing is deleted that may hold records which could not be read.
            let path = segment_path(&dir, done);
            return Err(io::Error::other(format!("{} is damaged at {}", path.display(), whole.0)));
        }
        if !nonces.is_empty() {
            self.sidecars.retain(|sidecar| sidecar.segment != done);
            self.sidecars.push(sidecar::write(&dir, done, &nonces)?);
        }
        self.reader = None;
        self.segments.retain(|segment| *segment > done);
        let next = self.segments.front().copied().unwrap_or(done + 1);
        self.move_to(Position { segment: next, offset: 0 }, 0)?;
        fs::remove_file(segment_path(&dir, done))?;
        self.forget_sidecars(now);
        Ok(())
    }

    fn forget_sidecars(&mut self, now: i64) {
        let dir = &self.shared.dir;
        self.sidecars.retain(|sidecar| {
            sidecar.forget_at > now || fs::remove_file(sidecar::path(dir, sidecar.segment)).is_err()
        });
    }

    fn move_to(&mut self, next: Position, bytes: u64) -> io::Result<()> {
        drained::write(&self.shared.mark, next)?;
        self.position = next;
        self.shared.drained_to(next, bytes);
        Ok(())
    }
}

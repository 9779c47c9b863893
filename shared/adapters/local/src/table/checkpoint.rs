//! Folds the write-ahead log back into its file, off the commit path: a checkpoint inside a commit is where the slowest
//! percent of writes would come from.

use std::{
    path::Path,
    sync::{
        Arc, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rusqlite::Connection;

use super::{OpenError, schema, writer::Gate};
use crate::files::lower_priority;

/// Pages (4 KB) in the log from which on it is folded in: 8 MB.
const LOG_PAGES: i32 = 2048;
/// How long the reset of the log waits for readers of old pages; writers wait with it.
const PATIENCE: Duration = Duration::from_millis(20);

pub(super) struct Checkpointer {
    pub(super) gate: Arc<Gate>,
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    pub(super) fn start(path: &Path, background: bool) -> Result<Self, OpenError> {
        let connection = schema::checkpointer(path)?;
        let gate = Arc::new(Gate::default());
        let (wake, woken) = sync_channel(1);
        let thread = thread::Builder::new()
            .name("table-checkpoint".to_owned())
            .spawn({
                let gate = Arc::clone(&gate);
                move || {
                    if background {
                        lower_priority();
                    }
                    run(&connection, &woken, &gate);
                }
            })
            .map_err(|error| OpenError::Unavailable { path: path.to_owned(), detail: error.to_string() })?;
        Ok(Self { gate, wake: Some(wake), thread: Some(thread) })
    }

    /// Tells how many pages the log has after a commit.
    pub(super) fn written(&self, pages: i32) {
        if pages >= LOG_PAGES
            && let Some(wake) = &self.wake
        {
            // Full: it is awake already.
            wake.try_send(()).ok();
        }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the table's checkpoint thread panicked");
        }
    }
}

/// First copies what it can while commits go on, then stops them for the little that is left, so that the next commit
/// starts the log over. The file keeps its length: overwriting is cheaper to sync than growing.
fn run(connection: &Connection, woken: &Receiver<()>, gate: &Gate) {
    while woken.recv().is_ok() {
        checkpoint(connection, "PRAGMA wal_checkpoint(PASSIVE)", Duration::ZERO);
        let _no_commits = gate.lock().unwrap_or_else(PoisonError::into_inner);
        checkpoint(connection, "PRAGMA wal_checkpoint(RESTART)", PATIENCE);
    }
}

/// A checkpoint that could not finish (a long reader) is tried again after the next commit.
fn checkpoint(connection: &Connection, sql: &str, patience: Duration) {
    let run = || {
        connection.busy_timeout(patience)?;
        connection.query_row(sql, (), |row| row.get::<_, i64>(0))
    };
    match run() {
        Ok(busy) => tracing::trace!(busy, "checkpoint"),
        Err(error) => tracing::warn!(%error, "checkpoint failed"),
    }
}

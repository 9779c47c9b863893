//! The one thread that writes to a file. It takes what is queued, commits it together and answers all of it, so that the
//! price of a sync is shared.

use std::{
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI32, Ordering},
    },
    thread::{self, JoinHandle},
};

use alter_domain::port::StoreError;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::{
    OpenError,
    cache::ItemCache,
    checkpoint::Checkpointer,
    schema,
    write::{Work, apply},
};
use crate::{Durability, files::lower_priority};

/// Requests that may wait before the next one has to.
const QUEUE: usize = 1024;
/// Requests of one commit, and bytes after which it takes no more: they bound latency and memory.
const BATCH_REQUESTS: usize = 128;
const BATCH_BYTES: usize = 4 << 20;

struct Job {
    work: Work,
    reply: oneshot::Sender<Result<i64, StoreError>>,
}

/// The queue of a writer thread; dropping it finishes what is queued and closes the file.
pub(super) struct Writer {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Opens the file and starts its threads. A `background` writer yields the processor to everything else. The cache is
    /// told of every commit.
    pub(super) fn start(
        path: &Path,
        durability: Durability,
        background: bool,
        cache: Option<Arc<ItemCache>>,
    ) -> Result<Self, OpenError> {
        let mut connection = schema::writer(path, durability)?;
        let pages = Arc::new(AtomicI32::new(0));
        let counted = Arc::clone(&pages);
        // Takes the place of SQLite's automatic checkpoint, which would run inside a commit.
        connection
            .wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages| {
                counted.store(pages, Ordering::Relaxed);
                Ok(())
            }))
            .map_err(|error| unavailable(path, &error))?;
        let checkpointer = Checkpointer::start(path, background)?;
        let (jobs, queue) = mpsc::channel(QUEUE);
        let thread = thread::Builder::new()
            .name("table-writer".to_owned())
            .spawn(move || {
                if background {
                    lower_priority();
                }
                run(&connection, queue, &checkpointer, &pages, cache.as_deref());
                // The last to leave: closing it folds the log into the file.
                drop(checkpointer);
                drop(connection);
            })
            .map_err(|error| unavailable(path, &error))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Waits until the work is committed (and synced, as the durability says) or refused.
    pub(super) async fn submit(&self, work: Work) -> Result<i64, StoreError> {
        let stopped = || StoreError::Unavailable("the writer has stopped".to_owned());
        let (reply, answer) = oneshot::channel();
        let jobs = self.jobs.as_ref().ok_or_else(stopped)?;
        jobs.send(Job { work, reply }).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the table's writer thread panicked");
        }
    }
}

/// Commits one piece of work on the calling thread: the memory table has no writer.
pub(super) fn commit_one(connection: &Connection, work: &Work) -> Result<i64, StoreError> {
    match commit(connection, [work].into_iter()) {
        Ok(mut answers) => answers.pop().unwrap_or(Ok(0)),
        Err(error) => Err(error),
    }
}

fn run(
    connection: &Connection,
    mut queue: mpsc::Receiver<Job>,
    checkpointer: &Checkpointer,
    pages: &AtomicI32,
    cache: Option<&ItemCache>,
) {
    let mut batch = Vec::with_capacity(BATCH_REQUESTS);
    while let Some(first) = queue.blocking_recv() {
        let mut bytes = first.work.bytes();
        batch.push(first);
        while batch.len() < BATCH_REQUESTS
            && bytes < BATCH_BYTES
            && let Ok(job) = queue.try_recv()
        {
            bytes += job.work.bytes();
            batch.push(job);
        }
        let outcome = {
            let _commits = checkpointer.gate.lock().unwrap_or_else(PoisonError::into_inner);
            let work = batch.iter().map(|job| &job.work);
            match cache {
                Some(cache) => cache.during(work.clone(), || commit(connection, work)),
                None => commit(connection, work),
            }
        };
        match outcome {
            Ok(answers) => {
                for (job, answer) in batch.drain(..).zip(answers) {
                    // Whoever gave up waiting no longer needs the answer.
                    job.reply.send(answer).ok();
                }
            }
            Err(error) => {
                tracing::error!(%error, "a commit failed");
                for job in batch.drain(..) {
                    job.reply.send(Err(error.clone())).ok();
                }
            }
        }
        checkpointer.written(pages.load(Ordering::Relaxed));
    }
}

/// Commits all the work in one transaction. Work that is refused leaves no trace and does not disturb its neighbours; an
/// error of the transaction itself is everybody's.
fn commit<'w>(
    connection: &Connection,
    mut work: impl ExactSizeIterator<Item = &'w Work>,
) -> Result<Vec<Result<i64, StoreError>>, StoreError> {
    statement(connection, "BEGIN IMMEDIATE")?;
    let result = match (work.len(), work.next()) {
        // Alone in its transaction it needs no savepoint, which would copy every page before it is changed.
        (1, Some(only)) => alone(connection, only),
        (_, first) => first
            .into_iter()
            .chain(work)
            .map(|work| attempt(connection, work))
            .collect::<Result<Vec<_>, _>>()
            .and_then(|answers| {
                statement(connection, "COMMIT")?;
                Ok(answers)
            }),
    };
    if result.is_err() && !connection.is_autocommit() {
        statement(connection, "ROLLBACK")?;
    }
    result
}

fn alone(connection: &Connection, work: &Work) -> Result<Vec<Result<i64, StoreError>>, StoreError> {
    match apply(connection, work) {
        Ok(answer) => statement(connection, "COMMIT").map(|()| vec![Ok(answer)]),
        Err(refused @ (StoreError::Conflict | StoreError::Invalid(_))) => {
            statement(connection, "ROLLBACK").map(|()| vec![Err(refused)])
        }
        Err(error) => Err(error),
    }
}

/// The outer result is the transaction's, the inner one that of this work.
fn attempt(connection: &Connection, work: &Work) -> Result<Result<i64, StoreError>, StoreError> {
    statement(connection, "SAVEPOINT work")?;
    let answer = apply(connection, work);
    match &answer {
        Ok(_) => {}
        Err(StoreError::Conflict | StoreError::Invalid(_)) => statement(connection, "ROLLBACK TO work")?,
        // The file is full, locked or damaged: nothing in this transaction can be trusted any more.
        Err(error) => return Err(error.clone()),
    }
    statement(connection, "RELEASE work")?;
    Ok(answer)
}

fn statement(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    let run = || connection.prepare_cached(sql)?.execute(());
    run().map(drop).map_err(|error| schema::store_error(&error))
}

fn unavailable(path: &Path, error: &dyn std::error::Error) -> OpenError {
    OpenError::Unavailable { path: path.to_owned(), detail: error.to_string() }
}

/// Held by the writer for the length of a commit, and by the checkpointer while it resets the log.
pub(super) type Gate = Mutex<()>;

//! The three tables on SQLite.
//!
//! `vault.db` holds `main`, `vault` and the counters, `audit.db` the audit rows: what the call path reads and what the
//! journal is drained into never wait for each other. Each file has one writer thread that commits in groups; reads run
//! inline on the calling thread, on a connection of its own, or are answered from items that were read lately.

mod cache;
mod checkpoint;
mod read;
mod schema;
mod write;
mod writer;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use alter_domain::port::{Expect, Item, Key, Op, Page, Query, StoreError, Table, TableName, Version, limits};
use async_trait::async_trait;
use rusqlite::Connection;
use thread_local::ThreadLocal;

use self::{
    cache::ItemCache,
    write::{Added, Work},
    writer::Writer,
};
use crate::{
    Durability,
    files::{DirError, DirLock},
};

/// How many expired items one commit deletes: small, so that a write waiting behind it is not held up.
const COLLECT_BATCH: usize = 256;

/// How to open the files.
#[derive(Debug, Clone, Copy)]
pub struct TableOptions {
    pub durability: Durability,
    /// How much of `vault.db` each reading thread maps into memory. Mapped pages count as resident but the system takes
    /// them back at will.
    pub mmap_bytes: u64,
}

impl Default for TableOptions {
    fn default() -> Self {
        Self { durability: Durability::Full, mmap_bytes: 64 << 20 }
    }
}

/// Why the tables cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Dir(#[from] DirError),
    /// The file was written by a newer version of this program; opening it could lose what that version added.
    #[error("{} has schema version {found}, this program knows {known}", path.display())]
    NewerSchema { path: PathBuf, found: i64, known: i64 },
    /// The file is not a database, or its structure is damaged.
    #[error("{} is not a usable database: {detail}", path.display())]
    Corrupt { path: PathBuf, detail: String },
    /// The file is locked by another program, the disk is full, or the system refused.
    #[error("{} cannot be opened: {detail}", path.display())]
    Unavailable { path: PathBuf, detail: String },
}

/// The [`Table`] port on SQLite, in files or in memory.
pub struct SqliteTable(Store);

enum Store {
    Files(Box<Files>),
    Memory(Mutex<Connection>),
}

struct Files {
    vault: Database,
    audit: Database,
    /// Last: nobody else may open the files before they are closed.
    _lock: DirLock,
}

/// One file: connections of the reading threads and the writer.
struct Database {
    path: PathBuf,
    mmap_bytes: u64,
    cache: Option<Arc<ItemCache>>,
    /// Before the writer, which must be the last to close the file so that the log is folded in.
    readers: ThreadLocal<Connection>,
    writer: Writer,
}

impl SqliteTable {
    /// Opens or creates `vault.db` and `audit.db` in `dir` (mode 0700, files 0600), whatever their size in the same time.
    /// A second process is refused with [`DirError::InUse`] for as long as this value lives.
    pub fn open(dir: &Path, options: TableOptions) -> Result<Self, OpenError> {
        let lock = DirLock::acquire(dir, "table.lock")?;
        // Audit pages are read rarely and in bulk: mapping them would only fill memory. Its writer runs behind the
        // calls, because it is the journal's drain that feeds it.
        let vault = Database::open(dir.join("vault.db"), options.durability, options.mmap_bytes, false)?;
        let audit = Database::open(dir.join("audit.db"), options.durability, 0, true)?;
        Ok(Self(Store::Files(Box::new(Files { vault, audit, _lock: lock }))))
    }

    /// Tables that live as long as the value.
    pub fn memory() -> Result<Self, OpenError> {
        Ok(Self(Store::Memory(Mutex::new(schema::memory()?))))
    }

    /// Deletes items and counters whose expiry lies before `now` (Unix seconds), in small commits, and returns how many.
    pub async fn collect_expired(&self, now: i64) -> Result<u64, StoreError> {
        let mut collected = 0;
        for table in [TableName::Main, TableName::Vault, TableName::Audit] {
            loop {
                let deleted = self.write(table, Work::Collect { table, now, limit: COLLECT_BATCH }).await?;
                collected += u64::try_from(deleted).unwrap_or_default();
                if deleted < COLLECT_BATCH as i64 {
                    break;
                }
            }
        }
        Ok(collected)
    }

    /// Runs a read on this thread's connection for the table's file.
    fn read<R>(
        &self,
        table: TableName,
        read: impl FnOnce(&Connection) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        match &self.0 {
            Store::Files(files) => read(files.database(table).reader()?),
            Store::Memory(connection) => read(&locked(connection)),
        }
    }

    fn cache(&self, table: TableName) -> Option<&ItemCache> {
        match &self.0 {
            Store::Files(files) => files.database(table).cache.as_deref(),
            Store::Memory(_) => None,
        }
    }

    /// Reads keys of one file (with their positions in `items`) so that they show one moment.
    fn read_group(
        &self,
        keys: &[(usize, &(TableName, Key))],
        items: &mut [Option<Item>],
    ) -> Result<(), StoreError> {
        let Some((_, (table, _))) = keys.first() else { return Ok(()) };
        let known = self.cache(*table).and_then(|cache| Some((cache, cache.moment()?)));
        let Some((cache, moment)) = known else {
            return self.read(*table, |connection| read::get_many(connection, keys, items));
        };
        let mut missing = Vec::new();
        for (position, address) in keys {
            match (cache.get(address), items.get_mut(*position)) {
                (Some(item), Some(slot)) => *slot = Some(item),
                _ => missing.push((*position, *address)),
            }
        }
        if !missing.is_empty() {
            self.read(*table, |connection| read::get_many(connection, &missing, items))?;
        }
        if !cache.still(moment) {
            // What was remembered and what was read may be of different moments.
            return self.read(*table, |connection| read::get_many(connection, keys, items));
        }
        if !missing.is_empty() {
            let read = missing
                .iter()
                .filter_map(|(position, (table, _))| Some((*table, items.get(*position)?.as_ref()?)));
            cache.keep(moment, read);
        }
        Ok(())
    }

    async fn write(&self, table: TableName, work: Work) -> Result<i64, StoreError> {
        match &self.0 {
            Store::Files(files) => files.database(table).writer.submit(work).await,
            Store::Memory(connection) => writer::commit_one(&locked(connection), &work),
        }
    }
}

impl Files {
    fn database(&self, table: TableName) -> &Database {
        match table {
            TableName::Main | TableName::Vault => &self.vault,
            TableName::Audit => &self.audit,
        }
    }
}

impl Database {
    fn open(
        path: PathBuf,
        durability: Durability,
        mmap_bytes: u64,
        background: bool,
    ) -> Result<Self, OpenError> {
        // Audit rows are read once, if ever.
        let cache = (!background).then(|| Arc::new(ItemCache::new()));
        let writer = Writer::start(&path, durability, background, cache.clone())?;
        Ok(Self { path, mmap_bytes, cache, readers: ThreadLocal::new(), writer })
    }

    fn reader(&self) -> Result<&Connection, StoreError> {
        self.readers.get_or_try(|| schema::reader(&self.path, self.mmap_bytes))
    }
}

#[async_trait]
impl Table for SqliteTable {
    async fn get(&self, table: TableName, key: &Key) -> Result<Option<Item>, StoreError> {
        let mut items = self.get_many(&[(table, key.clone())]).await?;
        Ok(items.pop().flatten())
    }

    async fn get_many(&self, keys: &[(TableName, Key)]) -> Result<Vec<Option<Item>>, StoreError> {
        limits::keys(keys)?;
        let (audit, vault): (Vec<_>, Vec<_>) =
            keys.iter().enumerate().partition(|(_, (table, _))| *table == TableName::Audit);
        let mut items = vec![None; keys.len()];
        for group in [vault, audit] {
            self.read_group(&group, &mut items)?;
        }
        Ok(items)
    }

    async fn put(&self, table: TableName, item: Item, expect: Expect) -> Result<Version, StoreError> {
        limits::item(&item)?;
        let version = self.write(table, Work::Ops(vec![Op::Put { table, item, expect }])).await?;
        read::version(version)
    }

    async fn put_many(&self, table: TableName, items: Vec<Item>) -> Result<(), StoreError> {
        limits::items(&items)?;
        self.write(table, Work::PutMany(table, items)).await.map(drop)
    }

    async fn delete(&self, table: TableName, key: &Key, expect: Expect) -> Result<(), StoreError> {
        limits::key(key)?;
        self.write(table, Work::Ops(vec![Op::Delete { table, key: key.clone(), expect }])).await.map(drop)
    }

    async fn query(&self, query: &Query) -> Result<Page, StoreError> {
        limits::query(query)?;
        self.read(query.table, |connection| read::query(connection, query))
    }

    async fn transact(&self, ops: Vec<Op>) -> Result<(), StoreError> {
        let Some(table) = limits::transaction(&ops)? else { return Ok(()) };
        self.write(table, Work::Ops(ops)).await.map(drop)
    }

    async fn add(
        &self,
        table: TableName,
        key: &Key,
        delta: i64,
        now: i64,
        expires_at: Option<i64>,
    ) -> Result<i64, StoreError> {
        limits::key(key)?;
        let added = Added { table, key: key.clone(), delta, now, expires_at };
        self.write(table, Work::Add(added)).await
    }
}

/// A panic of another reader leaves the connection usable: SQLite's state is its own.
fn locked(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

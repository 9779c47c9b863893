//! Opening connections: schema, pragmas, and errors that say which file and why.

use std::{path::Path, time::Duration};

use alter_domain::port::{StoreError, TableName};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::OpenError;
use crate::{
    Durability,
    files::{DirError, private_file},
};

/// The newest schema this program knows; kept in `PRAGMA user_version`.
const SCHEMA_VERSION: i64 = 1;
/// How long a statement waits for a lock that another program (a backup, the `sqlite3` shell) holds.
const BUSY: Duration = Duration::from_secs(2);

/// The SQL name of a table.
pub(super) fn name(table: TableName) -> &'static str {
    match table {
        TableName::Main => "main",
        TableName::Vault => "vault",
        TableName::Audit => "audit",
    }
}

/// The connection of a writer thread; creates the file and its schema when it is new.
pub(super) fn writer(path: &Path, durability: Durability) -> Result<Connection, OpenError> {
    private_file().open(path).map_err(|source| DirError::Io { path: path.to_owned(), source })?;
    let open = || {
        let connection = Connection::open_with_flags(path, flags(OpenFlags::SQLITE_OPEN_READ_WRITE))?;
        connection.busy_timeout(BUSY)?;
        let found: i64 = connection.query_row("PRAGMA user_version", (), |row| row.get(0))?;
        if found > SCHEMA_VERSION {
            return Ok(Err(found));
        }
        let synchronous = match durability {
            Durability::Full => "FULL",
            Durability::Process => "NORMAL",
        };
        connection.execute_batch(&format!(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = {synchronous};
             PRAGMA cache_size = -2048;
             PRAGMA journal_size_limit = 33554432;"
        ))?;
        if found == 0 {
            create(&connection)?;
        }
        connection.set_prepared_statement_cache_capacity(64);
        Ok(Ok(connection))
    };
    match open() {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(found)) => Err(OpenError::NewerSchema { path: path.to_owned(), found, known: SCHEMA_VERSION }),
        Err(error) => Err(open_error(path, &error)),
    }
}

/// A further connection to a file that its writer has opened: for checkpoints.
pub(super) fn checkpointer(path: &Path) -> Result<Connection, OpenError> {
    Connection::open_with_flags(path, flags(OpenFlags::SQLITE_OPEN_READ_WRITE))
        .map_err(|error| open_error(path, &error))
}

/// The connection of a reading thread. Its page cache is small: pages come from the mapping or the system's cache.
pub(super) fn reader(path: &Path, mmap_bytes: u64) -> Result<Connection, StoreError> {
    let open = || {
        let connection = Connection::open_with_flags(path, flags(OpenFlags::SQLITE_OPEN_READ_ONLY))?;
        connection.busy_timeout(BUSY)?;
        connection.execute_batch(&format!("PRAGMA mmap_size = {mmap_bytes}; PRAGMA cache_size = -512;"))?;
        connection.set_prepared_statement_cache_capacity(32);
        Ok(connection)
    };
    open().map_err(|error| store_error(&error))
}

/// All tables in one connection that has no file.
pub(super) fn memory() -> Result<Connection, OpenError> {
    let open = || {
        let connection = Connection::open_in_memory()?;
        connection.set_prepared_statement_cache_capacity(64);
        create(&connection)?;
        Ok(connection)
    };
    open().map_err(|error| open_error(Path::new(":memory:"), &error))
}

/// What a failed statement means to the caller of the port.
pub(super) fn store_error(error: &rusqlite::Error) -> StoreError {
    match error {
        rusqlite::Error::SqliteFailure(failure, _)
            if matches!(failure.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) =>
        {
            StoreError::Corrupt(error.to_string())
        }
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::Utf8Error(..) => StoreError::Corrupt(error.to_string()),
        _ => StoreError::Unavailable(error.to_string()),
    }
}

/// Each connection is used by one thread at a time, so SQLite's own mutexes are left out.
fn flags(access: OpenFlags) -> OpenFlags {
    access | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

/// Both files carry all tables: one schema to know, and unused ones cost a page each.
///
/// The rows live in the primary key's own tree: one descent per lookup instead of two. Measured, a lookup among a million
/// items of 350 bytes takes 1.2 times one among ten thousand, against 2.1 times with a separate index.
fn create(connection: &Connection) -> rusqlite::Result<()> {
    let mut sql = String::from("BEGIN IMMEDIATE;");
    for table in ["main", "vault", "audit"] {
        sql.push_str(&format!(
            "CREATE TABLE {table} (
               p TEXT NOT NULL, s TEXT NOT NULL, version INTEGER NOT NULL, expires INTEGER,
               i0p TEXT, i0s TEXT, i1p TEXT, i1s TEXT, i2p TEXT, i2s TEXT, body BLOB NOT NULL,
               PRIMARY KEY (p, s)
             ) WITHOUT ROWID;
             CREATE INDEX {table}_i0 ON {table} (i0p, i0s, p, s) WHERE i0p IS NOT NULL;
             CREATE INDEX {table}_i1 ON {table} (i1p, i1s, p, s) WHERE i1p IS NOT NULL;
             CREATE INDEX {table}_i2 ON {table} (i2p, i2s, p, s) WHERE i2p IS NOT NULL;
             CREATE INDEX {table}_expires ON {table} (expires) WHERE expires IS NOT NULL;"
        ));
    }
    sql.push_str(&format!(
        "CREATE TABLE counters (
           t TEXT NOT NULL, p TEXT NOT NULL, s TEXT NOT NULL, value INTEGER NOT NULL, expires INTEGER,
           PRIMARY KEY (t, p, s)
         ) WITHOUT ROWID;
         CREATE INDEX counters_expires ON counters (t, expires) WHERE expires IS NOT NULL;
         PRAGMA user_version = {SCHEMA_VERSION};
         COMMIT;"
    ));
    connection.execute_batch(&sql)
}

fn open_error(path: &Path, error: &rusqlite::Error) -> OpenError {
    let path = path.to_owned();
    let detail = error.to_string();
    match store_error(error) {
        StoreError::Corrupt(_) => OpenError::Corrupt { path, detail },
        _ => OpenError::Unavailable { path, detail },
    }
}

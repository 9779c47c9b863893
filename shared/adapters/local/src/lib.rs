//! The ports on one machine.
//!
//! Who calls it: the all-in-one binary and tests. What it may touch: one data directory, its files created 0600 in a
//! directory of mode 0700, and a key file. [`SqliteTable`] holds the three tables, [`KeyFile`] wraps data keys,
//! [`Journal`] takes audit records and nonces on the call path and is drained into the audit table in the background.

mod files;
mod journal;
mod key_file;
mod table;

pub use files::DirError;
pub use journal::{DrainHandler, Journal, JournalError, JournalOptions, OnCorrupt, Recovery};
pub use key_file::{KeyFile, KeyFileError};
pub use table::{OpenError, SqliteTable, TableOptions};

/// What an answered write survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Power loss: every batch is synced to disk before anyone in it is answered.
    #[default]
    Full,
    /// The death of the process (`kill -9`): a power loss may lose the last moment. For demos and laptops.
    Process,
}

//! The ports: everything the domain needs from outside the process, as narrow traits.
//!
//! An adapter crate implements them; a function's router takes them as one plain struct.

mod audit_sink;
mod clock;
pub mod cursor;
mod http_client;
mod key_wrapper;
pub mod limits;
mod nonces;
mod table;
mod work;

pub use audit_sink::{AuditError, AuditSink, Record};
pub use clock::{Clock, ManualClock, Rng, RngError, SeededRng, SystemClock, SystemRng};
pub use http_client::{HttpClient, SendError};
pub use key_wrapper::{KeyContext, KeyPurpose, KeyWrapper, WrapError, WrappedKey};
pub use nonces::{NonceClaim, NonceStore, TableNonces};
pub use table::{
    Expect, INDEX_COUNT, ITEM_OVERHEAD_BYTES, Index, IndexKey, Item, Key, MAX_ITEM_BYTES, MAX_TRANSACT_OPS,
    Op, Page, Query, StoreError, Table, TableName, Version,
};
pub use work::{NoWork, Work, WorkError, WorkQueue};

//! The audit-writer: moves recorded events from the sink into the audit table.
//!
//! Who calls it: locally the journal's drain, on AWS the queue. What it may touch: the audit table and nothing else.
//! Delivery is at least once and in any order; a row is stored once.

use alter_domain::{
    port::{Record, Table},
    repo::{AuditRows, WriteReport},
};

/// Stores a batch; the report names what must be delivered again.
pub async fn write(table: &dyn Table, records: &[Record]) -> WriteReport {
    AuditRows(table).write(records).await
}

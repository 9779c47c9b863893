//! The audit-writer: moves recorded events from the sink into the audit table.
//!
//! Who calls it: locally the journal's drain, on AWS the queue. What it may touch: the audit table and nothing else.
//! Delivery is at least once and in any order; a row is stored once.

use alter_domain::{
    model::AuditEvent,
    port::{Record, Table},
    repo::AuditRows,
};

/// What became of a batch: the positions in it that must be delivered again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BatchReport {
    pub failed: Vec<usize>,
}

/// Stores a batch. A record that does not read can never be stored: it is logged by its place and let go, so that it does
/// not hold up those behind it.
pub async fn write(table: &dyn Table, records: &[Record]) -> BatchReport {
    let mut events = Vec::with_capacity(records.len());
    let mut ids = Vec::with_capacity(records.len());
    for (position, record) in records.iter().enumerate() {
        match AuditEvent::decode(&record.0) {
            Ok(event) => {
                ids.push((position, event.id));
                events.push(event);
            }
            Err(error) => tracing::error!(position, %error, "audit record does not read"),
        }
    }
    let report = AuditRows(table).write(&events).await;
    let failed = ids.iter().filter(|(_, id)| report.failed.contains(id)).map(|(position, _)| *position).collect();
    BatchReport { failed }
}

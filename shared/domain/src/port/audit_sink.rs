//! The audit sink: what was recorded is durable when `record` returns.

use async_trait::async_trait;
use bytes::Bytes;

/// One audit event, serialised: the sink keeps bytes, the audit-writer reads them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record(pub Bytes);

#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum AuditError {
    /// The record is not known to be durable; the caller must refuse what it was about to do.
    #[error("audit sink unavailable: {0}")]
    Unavailable(String),
}

#[async_trait]
pub trait AuditSink: Send + Sync {
    /// Durable when it returns. Delivery to the audit table is at least once, in any order.
    async fn record(&self, record: Record) -> Result<(), AuditError>;

    /// Returns when all that was recorded before this call is in the audit table, where the sink can promise it (the
    /// local journal can; a queue cannot and returns at once).
    async fn settle(&self) -> Result<(), AuditError>;
}

//! The audit sink over SQS: a record is durable when `SendMessage` has answered.
//!
//! The message is the record itself, which is JSON; the consumer is `lambda::queue`. Delivery is at least once and in any
//! order, which the audit-writer is made for.

use std::{borrow::Cow, sync::Arc};

use alter_domain::{
    port::{AuditError, AuditSink, Record, Table},
    repo::AuditRows,
};
use async_trait::async_trait;
use aws_sdk_sqs::Client;

/// The longest message, in bytes. SQS takes 1 MiB since 2025 and took 256 KiB before; other implementations of its API
/// still do. No ordinary record comes near either.
const MAX_MESSAGE_BYTES: usize = 256 * 1024;

/// Records as messages of one standard queue. What is too long for a message is stored at once as its row, as the
/// audit-writer would: a final row replaces its intent there too, whichever way each of them went.
pub struct SqsSink {
    client: Client,
    queue_url: String,
    table: Arc<dyn Table>,
}

impl SqsSink {
    pub fn new(client: Client, queue_url: String, table: Arc<dyn Table>) -> Self {
        Self { client, queue_url, table }
    }

    async fn spill(&self, record: Record) -> Result<(), AuditError> {
        let report = AuditRows(self.table.as_ref()).write(&[record]).await;
        if report.failed.is_empty() {
            return Ok(());
        }
        Err(AuditError::Unavailable("a record too long for the queue was not stored".to_owned()))
    }
}

#[async_trait]
impl AuditSink for SqsSink {
    async fn record(&self, record: Record) -> Result<(), AuditError> {
        let text = std::str::from_utf8(&record.0)
            .map_err(|_| AuditError::Unavailable("the record is not text".to_owned()))?;
        let text = sendable(text);
        if text.len() > MAX_MESSAGE_BYTES {
            return self.spill(record).await;
        }
        let send = self.client.send_message().queue_url(&self.queue_url).message_body(text);
        match send.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(AuditError::Unavailable(crate::failure(&error))),
        }
    }

    /// A queue cannot say when it has been emptied.
    async fn settle(&self) -> Result<(), AuditError> {
        Ok(())
    }
}

/// The same JSON in characters that SQS accepts. U+FFFE and U+FFFF are valid in JSON and refused in a message; a caller
/// could otherwise make its own calls fail by a reason that holds one. Outside strings JSON has neither.
fn sendable(json: &str) -> Cow<'_, str> {
    if !json.contains(['\u{FFFE}', '\u{FFFF}']) {
        return Cow::Borrowed(json);
    }
    Cow::Owned(json.replace('\u{FFFE}', "\\ufffe").replace('\u{FFFF}', "\\uffff"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_sqs_refuses_are_escaped_and_read_back() {
        assert!(matches!(sendable(r#"{"reason":"é 🦀 \u0001 \u007f"}"#), Cow::Borrowed(_)));
        let value = serde_json::json!({ "reason": "a\u{FFFE}b\u{FFFF}c\u{1}" });
        let json = value.to_string();
        let sent = sendable(&json);
        let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..);
        assert!(!json.chars().all(allowed) && sent.chars().all(allowed));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&sent).unwrap(), value);
    }
}

//! The work queue over SQS: a signal is a message of one standard queue, as JSON; the consumer is `lambda::worker`.
//!
//! What is to be done stands in the tables and is looked for every minute, so that a signal only saves waiting. It is tried
//! for as long as somebody who ends a grant may be kept waiting for its answer, and no longer.

use std::{sync::Arc, time::Instant};

use alter_domain::port::{Work, WorkError, WorkQueue};
use async_trait::async_trait;
use aws_sdk_sqs::Client;

use crate::Stopwatch;

/// Signals as messages of a queue.
pub struct SqsWork {
    client: Client,
    queue_url: String,
}

impl SqsWork {
    pub fn new(client: Client, queue_url: String) -> Self {
        Self { client, queue_url }
    }
}

#[async_trait]
impl WorkQueue for SqsWork {
    async fn signal(&self, work: Work) -> Result<(), WorkError> {
        let body = serde_json::to_string(&work).map_err(|error| WorkError(error.to_string()))?;
        let send = self.client.send_message().queue_url(&self.queue_url).message_body(body).send();
        send.await.map(drop).map_err(|error| WorkError(crate::failure(&error)))
    }
}

/// A work queue that is timed.
pub struct ObservedWork {
    inner: Arc<dyn WorkQueue>,
    stopwatch: Arc<Stopwatch>,
}

impl ObservedWork {
    pub fn new(inner: Arc<dyn WorkQueue>, stopwatch: Arc<Stopwatch>) -> Self {
        Self { inner, stopwatch }
    }
}

#[async_trait]
impl WorkQueue for ObservedWork {
    async fn signal(&self, work: Work) -> Result<(), WorkError> {
        let begun = Instant::now();
        let signalled = self.inner.signal(work).await;
        self.stopwatch.signalled(begun);
        signalled
    }
}

//! Ports that tell the stopwatch what they do, and do nothing else.

use std::{sync::Arc, time::Instant};

use alter_domain::port::{AuditError, AuditSink, HttpClient, Record, SendError};
use async_trait::async_trait;
use axum::body::Body;

use crate::{Stopwatch, stopwatch::RecordedCall};

/// An audit sink whose records are timed, and whose final rows of calls give the log their ids.
pub struct ObservedSink {
    inner: Arc<dyn AuditSink>,
    stopwatch: Arc<Stopwatch>,
}

impl ObservedSink {
    pub fn new(inner: Arc<dyn AuditSink>, stopwatch: Arc<Stopwatch>) -> Self {
        Self { inner, stopwatch }
    }
}

#[async_trait]
impl AuditSink for ObservedSink {
    async fn record(&self, record: Record) -> Result<(), AuditError> {
        let begun = Instant::now();
        // An intent has no outcome, and so does not read as one.
        let call =
            serde_json::from_slice::<RecordedCall>(&record.0).ok().filter(|event| event.call.is_some());
        let recorded = self.inner.record(record).await;
        self.stopwatch.recorded(begun, call);
        recorded
    }

    async fn settle(&self) -> Result<(), AuditError> {
        self.inner.settle().await
    }
}

/// The client to providers, timed.
pub struct ObservedClient {
    inner: Arc<dyn HttpClient>,
    stopwatch: Arc<Stopwatch>,
}

impl ObservedClient {
    pub fn new(inner: Arc<dyn HttpClient>, stopwatch: Arc<Stopwatch>) -> Self {
        Self { inner, stopwatch }
    }
}

#[async_trait]
impl HttpClient for ObservedClient {
    async fn send(&self, request: http::Request<Body>) -> Result<http::Response<Body>, SendError> {
        self.stopwatch.sent();
        let answer = self.inner.send(request).await;
        self.stopwatch.head();
        answer
    }
}

//! An audit sink and a work queue that keep what they are given.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

use alter_domain::{
    model::{AuditEvent, EventKind, Phase},
    port::{AuditError, AuditSink, Record, Work, WorkError, WorkQueue},
};
use async_trait::async_trait;

#[derive(Default)]
pub struct TestAudit {
    events: Mutex<Vec<AuditEvent>>,
    down: AtomicBool,
}

impl TestAudit {
    /// From now on nothing can be recorded, or can again.
    pub fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    /// The rows of a kind in one phase.
    pub fn rows(&self, kind: EventKind, phase: Phase) -> Vec<AuditEvent> {
        let events = self.events.lock().unwrap();
        events.iter().filter(|event| event.kind == kind && event.phase == phase).cloned().collect()
    }
}

#[async_trait]
impl AuditSink for TestAudit {
    async fn record(&self, record: Record) -> Result<(), AuditError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(AuditError::Unavailable("told to be down".to_owned()));
        }
        self.events.lock().unwrap().push(AuditEvent::decode(&record.0).unwrap());
        Ok(())
    }

    async fn settle(&self) -> Result<(), AuditError> {
        Ok(())
    }
}

#[derive(Default)]
pub struct TestWork(Mutex<Vec<Work>>);

impl TestWork {
    /// All that was signalled.
    pub fn signals(&self) -> Vec<Work> {
        self.0.lock().unwrap().clone()
    }
}

#[async_trait]
impl WorkQueue for TestWork {
    async fn signal(&self, work: Work) -> Result<(), WorkError> {
        self.0.lock().unwrap().push(work);
        Ok(())
    }
}

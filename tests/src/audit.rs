//! An audit sink that writes straight through the audit-writer's own function, and can be told to fail.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use alter_domain::{
    model::{AuditEvent, EventKind, Phase},
    port::{AuditError, AuditSink, Record, Table},
};
use async_trait::async_trait;
use tokio::{sync::watch, time::timeout};

/// How long a test waits for a row that must come.
const PATIENCE: Duration = Duration::from_secs(10);

type Refuses = Box<dyn Fn(&AuditEvent) -> bool + Send>;

pub struct TestAudit {
    table: Arc<dyn Table>,
    refuses: Mutex<Option<Refuses>>,
    events: Mutex<Vec<AuditEvent>>,
    count: watch::Sender<usize>,
}

impl TestAudit {
    pub fn new(table: Arc<dyn Table>) -> Self {
        Self { table, refuses: Mutex::new(None), events: Mutex::default(), count: watch::Sender::new(0) }
    }

    /// From now on the sink refuses what `refuses` says.
    pub fn refuse(&self, refuses: impl Fn(&AuditEvent) -> bool + Send + 'static) {
        *self.refuses.lock().unwrap() = Some(Box::new(refuses));
    }

    pub fn accept(&self) {
        *self.refuses.lock().unwrap() = None;
    }

    /// All that was recorded, phase by phase.
    pub fn events(&self) -> Vec<AuditEvent> {
        self.events.lock().unwrap().clone()
    }

    /// The calls on record, each in its latest phase, in the order in which they began.
    pub fn calls(&self) -> Vec<AuditEvent> {
        let mut rows: Vec<AuditEvent> = Vec::new();
        for event in self.events().into_iter().filter(|event| event.kind == EventKind::Call) {
            match rows.iter_mut().find(|row| row.id == event.id) {
                Some(row) => *row = event,
                None => rows.push(event),
            }
        }
        rows
    }

    /// The record is empty again; the rows in the table stay.
    pub fn forget(&self) {
        self.events.lock().unwrap().clear();
    }

    /// Waits for the final row of a call.
    pub async fn final_call(&self) -> AuditEvent {
        let is_it = |event: &AuditEvent| event.kind == EventKind::Call && event.phase == Phase::Final;
        let mut count = self.count.subscribe();
        let found = timeout(PATIENCE, async {
            loop {
                if let Some(event) = self.events().into_iter().rev().find(is_it) {
                    return event;
                }
                count.changed().await.expect("the sink is there");
            }
        });
        found.await.expect("the final row of the call was never written")
    }
}

#[async_trait]
impl AuditSink for TestAudit {
    async fn record(&self, record: Record) -> Result<(), AuditError> {
        // As over a network: it takes at least one turn, so that what is awaited together overlaps.
        tokio::task::yield_now().await;
        let event = AuditEvent::decode(&record.0).expect("a record reads");
        if self.refuses.lock().unwrap().as_ref().is_some_and(|refuses| refuses(&event)) {
            return Err(AuditError::Unavailable("told to refuse".to_owned()));
        }
        let report = alter_audit_writer::write(self.table.as_ref(), &[record]).await;
        if !report.failed.is_empty() {
            return Err(AuditError::Unavailable("not stored".to_owned()));
        }
        self.events.lock().unwrap().push(event);
        self.count.send_modify(|count| *count += 1);
        Ok(())
    }

    async fn settle(&self) -> Result<(), AuditError> {
        Ok(())
    }
}

//! How many calls there were, by half hours: a half hour lies in one day of every time zone in use but those that are off by a
//! quarter, so that whoever looks can put them into days of their own.

use jiff::Timestamp;

use super::{
    AuditFilter, AuditRows, AuditScope, Order,
    audit_rows::{MAX_EXAMINED, bounds, seen},
};
use crate::{
    error::{Error, Result},
    model::{EventKind, OutcomeKind},
};

const HALF_HOUR: i64 = 1800;
/// How many rows are read at a time.
const CHUNK: usize = 1000;

/// The calls of one half hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallCount {
    /// The half hour's beginning.
    pub at: Timestamp,
    pub calls: u32,
    /// Of them, those that ended otherwise than well. One that is still under way is not among them.
    pub failed: u32,
}

/// Counts of a bounded number of rows, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditCounts {
    pub counts: Vec<CallCount>,
    /// Give it back for what follows. The half hour that it falls into goes on there.
    pub next: Option<String>,
}

impl AuditRows<'_> {
    /// Counts the calls that the filter admits, newest first whatever order it asks for.
    pub async fn count(
        &self,
        scope: &AuditScope,
        filter: &AuditFilter,
        cursor: Option<&str>,
        now: Timestamp,
    ) -> Result<AuditCounts> {
        let filter = AuditFilter { order: Order::NewestFirst, ..filter.clone() };
        let mut span = bounds(&filter, cursor, now)?;
        let mut counts: Vec<CallCount> = Vec::new();
        let mut left = MAX_EXAMINED;
        while span.from < span.before {
            let want = left.min(CHUNK);
            let chunk = self.chunk(scope, &filter, &span, want).await?;
            left = left.saturating_sub(chunk.len());
            for item in &chunk {
                let row = seen(item)?;
                if row.kind != EventKind::Call || !scope.holds(&row) || !filter.admits(&row) {
                    continue;
                }
                let failed = row.outcome.as_ref().is_some_and(|outcome| outcome.kind != OutcomeKind::Success);
                let at = half_hour(row.at)?;
                match counts.last_mut().filter(|last| last.at == at) {
                    Some(last) => {
                        last.calls += 1;
                        last.failed += u32::from(failed);
                    }
                    None => counts.push(CallCount { at, calls: 1, failed: u32::from(failed) }),
                }
            }
            let Some(last) = chunk.last().filter(|_| chunk.len() == want) else { break };
            span.before.clone_from(&last.key.sort);
            if left == 0 {
                return Ok(AuditCounts { counts, next: Some(last.key.sort.clone()) });
            }
        }
        Ok(AuditCounts { counts, next: None })
    }
}

fn half_hour(at: Timestamp) -> Result<Timestamp> {
    let second = at.as_second();
    Timestamp::from_second(second - second.rem_euclid(HALF_HOUR))
        .map_err(|error| Error::Internal(format!("an event's time: {error}")))
}

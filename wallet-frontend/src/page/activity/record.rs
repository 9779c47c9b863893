//! What was loaded of the record so far, by day, with the place of every row.

use alter_api_types::Timestamp;

use super::{
    day::Day,
    entry::{Entry, Names},
    heights::Heights,
};
use crate::wire::Row;

/// A day's heading is so high, in CSS pixels; `activity.css` says the same.
pub const HEADING: f32 = 52.0;

/// Rows that are alike are about equally high.
const SHAPES: usize = 6;

/// Rows of one day that follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    pub day: Day,
    pub first: usize,
    pub count: usize,
}

/// The loaded rows, newest first.
#[derive(Debug)]
pub struct Record {
    entries: Vec<Entry>,
    runs: Vec<Run>,
    /// Each row's height, a day's heading counted to its first row.
    heights: Heights,
    names: Names,
    /// How high rows of each shape were when one was last seen.
    usual: [f32; SHAPES],
}

impl Default for Record {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            runs: Vec::new(),
            heights: Heights::default(),
            names: Names::default(),
            usual: [62.0, 86.0, 112.0, 112.0, 134.0, 156.0],
        }
    }
}

impl Record {
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn entry(&self, row: usize) -> Option<&Entry> {
        self.entries.get(row)
    }

    pub fn heights(&self) -> &Heights {
        &self.heights
    }

    /// Adds a page's rows, which are older than all before.
    pub fn append(&mut self, rows: Vec<Row>, day_of: impl Fn(Timestamp) -> Day) {
        self.entries.reserve(rows.len());
        for row in rows {
            let entry = Entry::new(row, &mut self.names);
            let day = day_of(entry.at);
            match self.runs.last_mut().filter(|run| run.day == day) {
                Some(run) => run.count += 1,
                None => self.runs.push(Run { day, first: self.entries.len(), count: 1 }),
            }
            let usual = self.usual.get(shape(&entry)).copied().unwrap_or(HEADING);
            self.entries.push(entry);
            self.heights.push(usual + self.heading(self.entries.len() - 1));
        }
    }

    /// Forgets the rows; what was learnt of their heights stays.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.runs.clear();
        self.heights.clear();
    }

    pub fn run(&self, index: usize) -> Option<Run> {
        self.runs.get(index).copied()
    }

    /// The index of the run that the row is in.
    pub fn run_of(&self, row: usize) -> usize {
        self.runs.partition_point(|run| run.first <= row).saturating_sub(1)
    }

    /// Where a run's heading begins, and how high the run is with it.
    pub fn extent(&self, run: Run) -> (f64, f64) {
        let top = self.heights.before(run.first);
        (top, self.heights.before(run.first + run.count) - top)
    }

    /// Where the row itself begins, below a heading.
    pub fn top(&self, row: usize) -> f64 {
        self.heights.before(row) + f64::from(self.heading(row))
    }

    /// What is known once the row was seen; `true` if that moves anything. `closed`: rows like it will be about as high.
    pub fn measured(&mut self, row: usize, height: f32, closed: bool) -> bool {
        let kind = self.entry(row).map(shape);
        if let Some(usual) = kind.filter(|_| closed).and_then(|kind| self.usual.get_mut(kind)) {
            *usual = height;
        }
        let heading = self.heading(row);
        self.heights.set(row, height + heading)
    }

    fn heading(&self, row: usize) -> f32 {
        let begins = self.run(self.run_of(row)).is_some_and(|run| run.first == row);
        if begins { HEADING } else { 0.0 }
    }
}

fn shape(entry: &Entry) -> usize {
    let base = if entry.is_call() { 2 } else { 0 };
    match entry.reason.as_deref().map_or(0, str::len) {
        0 => base,
        1..70 => base + 1,
        _ if base == 0 => 1,
        70..140 => base + 2,
        _ => base + 3,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::entry, *};

    fn rows(times: &[&str]) -> Vec<Row> {
        let row = |at: &&str| {
            entry::tests::read(&json!({
                "id": "018f4e9a-5b1c-7d2e-8f3a-4b5c6d7e8f90", "created_at": at, "event": "call", "outcome": "success",
                "actor_type": "app", "truncated": false, "redacted": false, "context": {}, "detail": {},
            }))
        };
        times.iter().map(row).collect()
    }

    fn utc(at: Timestamp) -> Day {
        Day(at.as_second().div_euclid(86_400) as i32)
    }

    #[test]
    fn rows_of_one_day_stand_under_one_heading_over_pages() {
        let mut record = Record::default();
        record.append(rows(&["2026-03-09T10:00:00Z", "2026-03-09T09:00:00Z"]), utc);
        record.append(rows(&["2026-03-09T01:00:00Z", "2026-03-07T23:00:00Z"]), utc);
        let day = Day::from_civil(2026, 3, 9);
        assert_eq!(record.run(0), Some(Run { day, first: 0, count: 3 }));
        assert_eq!(record.run(1), Some(Run { day: day.plus(-2), first: 3, count: 1 }));
        assert_eq!(record.run(2), None);
        assert_eq!([0, 1, 2, 3].map(|row| record.run_of(row)), [0, 0, 0, 1]);
    }

    #[test]
    fn runs_follow_each_other_without_a_gap_whatever_was_measured() {
        let mut record = Record::default();
        record.append(rows(&["2026-03-09T10:00:00Z", "2026-03-09T09:00:00Z", "2026-03-08T09:00:00Z"]), utc);
        assert!(record.measured(1, 300.5, false));
        assert!(record.measured(2, 40.0, true));
        assert!(!record.measured(2, 40.0, true), "nothing moves");
        let (top, height) = record.extent(record.run(0).unwrap());
        assert_eq!(top, 0.0);
        assert_eq!(record.top(0), f64::from(HEADING));
        assert_eq!(record.extent(record.run(1).unwrap()), (height, f64::from(HEADING) + 40.0));
        record.append(rows(&["2026-03-08T08:00:00Z"]), utc);
        assert_eq!(record.heights().get(3), 40.0, "it is as high as the last one of its kind");
    }
}

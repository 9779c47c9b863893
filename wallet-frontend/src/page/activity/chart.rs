//! What the chart of calls per day shows: half hours put into the days that the user's own clock makes of them.

use alter_api_types::Timestamp;
use alter_api_types::wallet::ActivityCounts;

use super::day::Day;

/// How many days the chart has.
pub const DAYS: usize = 30;
/// How many answers are asked for at most: one covers a bounded number of rows.
pub const MAX_ANSWERS: usize = 20;

/// One day's calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    pub calls: u32,
    /// Of them, those that did not succeed.
    pub failed: u32,
}

/// The last [`DAYS`] days, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    pub first: Day,
    pub sums: [Sum; DAYS],
    /// The oldest day of which every call is counted; days before it are not known yet.
    pub known_from: Option<Day>,
}

impl Calendar {
    pub fn new(today: Day) -> Self {
        Self { first: today.plus(1 - DAYS as i32), sums: [Sum::default(); DAYS], known_from: None }
    }

    pub fn day(&self, index: usize) -> Day {
        self.first.plus(index as i32)
    }

    /// Adds an answer. They come newest first, so that all days after the oldest one told of are whole.
    pub fn add(&mut self, counts: &ActivityCounts, day_of: impl Fn(Timestamp) -> Day) {
        let mut oldest = None;
        for bucket in &counts.buckets {
            let day = day_of(bucket.at);
            oldest = Some(oldest.map_or(day, |oldest: Day| oldest.min(day)));
            let index = usize::try_from(day.0 - self.first.0).ok();
            if let Some(sum) = index.and_then(|index| self.sums.get_mut(index)) {
                sum.calls = sum.calls.saturating_add(bucket.calls);
                sum.failed = sum.failed.saturating_add(bucket.failed.min(bucket.calls));
            }
        }
        if counts.next_cursor.is_none() {
            self.known_from = Some(self.first);
        } else if let Some(oldest) = oldest {
            self.known_from = Some(oldest.plus(1).max(self.first));
        }
    }

    pub fn is_whole(&self) -> bool {
        self.known_from == Some(self.first)
    }

    pub fn is_known(&self, index: usize) -> bool {
        self.known_from.is_some_and(|from| self.day(index) >= from)
    }

    pub fn total(&self) -> Sum {
        self.sums.iter().fold(Sum::default(), |total, sum| Sum {
            calls: total.calls.saturating_add(sum.calls),
            failed: total.failed.saturating_add(sum.failed),
        })
    }

    /// The scale's upper end.
    pub fn top(&self) -> u32 {
        nice(self.sums.iter().map(|sum| sum.calls).max().unwrap_or_default())
    }
}

/// The least of 2, 4, 10, 20, 40, 100, … that is not less: both it and its half are easily read, and whole.
pub fn nice(most: u32) -> u32 {
    let mut top = 2_u32;
    for step in 0.. {
        if top >= most {
            break;
        }
        let wider = if step % 3 == 1 { top.checked_mul(5).map(|wide| wide / 2) } else { top.checked_mul(2) };
        match wider {
            Some(wider) => top = wider,
            None => return u32::MAX,
        }
    }
    top
}

/// Heights of a day's two bars, those that succeeded and those that did not, in pixels of a chart that is `height` high. What there is at all is seen:
/// at least 2 pixels.
pub fn bars(sum: Sum, top: u32, height: f64) -> (f64, f64) {
    let part = |count: u32| {
        let exact = f64::from(count) * height / f64::from(top.max(1));
        if count == 0 { 0.0 } else { exact.max(2.0) }
    };
    let (good, bad) = (part(sum.calls - sum.failed), part(sum.failed));
    let room = height.min(good + bad);
    (room - bad.min(room), bad.min(room))
}

#[cfg(test)]
mod tests {
    use alter_api_types::wallet::CountBucket;

    use super::*;

    fn bucket(at: &str, calls: u32, failed: u32) -> CountBucket {
        CountBucket { at: at.parse().unwrap(), calls, failed }
    }

    /// Where clocks are five and a half hours ahead of UTC.
    fn day_of(at: Timestamp) -> Day {
        Day(((at.as_second() + 19_800).div_euclid(86_400)) as i32)
    }

    fn answer(buckets: Vec<CountBucket>, more: bool) -> ActivityCounts {
        ActivityCounts { buckets, next_cursor: more.then(|| "more".to_owned()) }
    }

    #[test]
    fn half_hours_fall_into_the_days_of_the_users_own_clock() {
        let mut calendar = Calendar::new(Day::from_civil(2026, 3, 10));
        let buckets = vec![bucket("2026-03-09T18:30:00Z", 3, 1), bucket("2026-03-09T18:00:00Z", 2, 0)];
        calendar.add(&answer(buckets, false), day_of);
        assert_eq!(calendar.sums[29], Sum { calls: 3, failed: 1 }, "it is past midnight there");
        assert_eq!(calendar.sums[28], Sum { calls: 2, failed: 0 });
        assert_eq!(calendar.total(), Sum { calls: 5, failed: 1 });
        assert!(calendar.is_whole());
    }

    #[test]
    fn days_that_are_not_counted_whole_are_not_claimed_to_be() {
        let mut calendar = Calendar::new(Day::from_civil(2026, 3, 10));
        assert!(!calendar.is_known(29));
        calendar.add(&answer(vec![bucket("2026-03-08T10:00:00Z", 5000, 0)], true), day_of);
        assert!(calendar.is_known(28) && !calendar.is_known(27), "the 8th goes on in the next answer");
        calendar.add(&answer(Vec::new(), true), day_of);
        assert!(calendar.is_known(28) && !calendar.is_whole());
        calendar.add(&answer(vec![bucket("2026-03-08T09:30:00Z", 1, 1)], false), day_of);
        assert_eq!(calendar.sums[27], Sum { calls: 5001, failed: 1 });
        assert!(calendar.is_whole());
    }

    #[test]
    fn what_is_older_than_the_chart_is_left_out() {
        let mut calendar = Calendar::new(Day::from_civil(2026, 3, 10));
        calendar.add(&answer(vec![bucket("2025-03-08T10:00:00Z", 1, 0)], true), day_of);
        assert_eq!(calendar.total(), Sum::default());
        assert!(calendar.is_whole(), "everything since is counted");
    }

    #[test]
    fn the_scale_ends_at_a_number_that_is_easily_read() {
        for (most, top) in [
            (0, 2),
            (2, 2),
            (3, 4),
            (5, 10),
            (11, 20),
            (21, 40),
            (41, 100),
            (4_100, 10_000),
            (u32::MAX, u32::MAX),
        ] {
            assert_eq!(nice(most), top, "{most}");
        }
    }

    #[test]
    fn one_failure_among_thousands_is_seen() {
        let (good, bad) = bars(Sum { calls: 10_000, failed: 1 }, 10_000, 100.0);
        assert!(bad >= 2.0 && good > 90.0 && good + bad <= 100.0);
        assert_eq!(bars(Sum::default(), 2, 100.0), (0.0, 0.0));
        assert_eq!(bars(Sum { calls: 1, failed: 1 }, 2, 100.0), (0.0, 50.0));
    }
}

//! Latencies and medians.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::Failure;

/// Latencies in nanoseconds, up to 60 s, three digits.
pub(crate) struct Latencies(Histogram<u64>);

impl Latencies {
    pub(crate) fn new() -> Result<Self, Failure> {
        Ok(Self(Histogram::new_with_bounds(1, 60_000_000_000, 3)?))
    }

    pub(crate) fn record(&mut self, latency: Duration) {
        self.0.saturating_record(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(crate) fn add(&mut self, other: &Self) -> Result<(), Failure> {
        Ok(self.0.add(&other.0)?)
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    /// Microseconds at a quantile of 0 to 1.
    #[allow(clippy::cast_precision_loss, reason = "nanoseconds of a latency fit")]
    pub(crate) fn micros(&self, quantile: f64) -> f64 {
        self.0.value_at_quantile(quantile) as f64 / 1_000.0
    }
}

/// What one window of load gave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cell {
    /// Microseconds.
    pub(crate) p50: f64,
    /// Microseconds.
    pub(crate) p99: f64,
    /// Requests per second.
    pub(crate) rate: f64,
}

/// The middle one; of an even number the lower middle. 0 of none.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}

/// Column by column.
pub(crate) fn median_cell(cells: &[Cell]) -> Cell {
    let column = |pick: fn(&Cell) -> f64| median(cells.iter().map(pick));
    Cell { p50: column(|c| c.p50), p99: column(|c| c.p99), rate: column(|c| c.rate) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_ignore_outliers_and_what_is_no_number() {
        assert!((median([3.0, 1.0, 1000.0, 2.0, f64::NAN, 2.5]) - 2.5).abs() < f64::EPSILON);
        assert!((median([4.0, 1.0]) - 1.0).abs() < f64::EPSILON);
        assert!(median([]).abs() < f64::EPSILON);
    }

    #[test]
    fn quantiles_are_in_microseconds() {
        let mut latencies = Latencies::new().unwrap();
        for micros in 1..=100 {
            latencies.record(Duration::from_micros(micros));
        }
        assert_eq!(latencies.count(), 100);
        assert!((latencies.micros(0.5) - 50.0).abs() < 0.2);
        assert!((latencies.micros(0.99) - 99.0).abs() < 0.2);
    }
}

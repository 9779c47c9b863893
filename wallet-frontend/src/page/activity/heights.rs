//! Where each of many rows of unequal height stands: sums of heights that are told and corrected one by one, all in
//! logarithmic time (a Fenwick tree), so that a correction among 100,000 rows costs what one among 100 costs.

/// The rows' heights in CSS pixels, from the first row down.
#[derive(Debug, Default, Clone)]
pub struct Heights {
    each: Vec<f32>,
    /// `sums[i]` is the sum of the `(i + 1) & -(i + 1)` heights that end with row `i`.
    sums: Vec<f64>,
}

impl Heights {
    pub fn len(&self) -> usize {
        self.each.len()
    }

    pub fn clear(&mut self) {
        self.each.clear();
        self.sums.clear();
    }

    pub fn push(&mut self, height: f32) {
        self.each.push(height);
        let at = self.each.len();
        let begins = at - lowest_bit(at);
        self.sums.push(f64::from(height) + self.before(at - 1) - self.before(begins));
    }

    #[cfg(test)]
    pub fn get(&self, row: usize) -> f32 {
        self.each.get(row).copied().unwrap_or_default()
    }

    /// Corrects a height; `true` if it was another.
    pub fn set(&mut self, row: usize, height: f32) -> bool {
        let Some(slot) = self.each.get_mut(row) else { return false };
        let more = f64::from(height) - f64::from(*slot);
        if more.abs() < 0.01 {
            return false;
        }
        *slot = height;
        let mut at = row + 1;
        while let Some(sum) = self.sums.get_mut(at - 1) {
            *sum += more;
            at += lowest_bit(at);
        }
        true
    }

    /// What the first `rows` rows take together.
    pub fn before(&self, rows: usize) -> f64 {
        let mut at = rows.min(self.sums.len());
        let mut sum = 0.0;
        while at > 0 {
            sum += self.sums.get(at - 1).copied().unwrap_or_default();
            at -= lowest_bit(at);
        }
        sum
    }

    pub fn total(&self) -> f64 {
        self.before(self.len())
    }

    /// The row that covers the line `y`: the first one above the top, the last one below the end.
    pub fn at(&self, y: f64) -> usize {
        let mut found = 0;
        let mut left = y;
        let mut step = self.len().next_power_of_two();
        while step > 0 {
            let next = found + step;
            if let Some(sum) = self.sums.get(next - 1).filter(|sum| **sum <= left) {
                left -= sum;
                found = next;
            }
            step /= 2;
        }
        found.min(self.len().saturating_sub(1))
    }

    /// The rows that touch the lines from `top` to `bottom`.
    pub fn window(&self, top: f64, bottom: f64) -> std::ops::Range<usize> {
        if self.each.is_empty() || bottom < 0.0 || top > self.total() {
            return 0..0;
        }
        self.at(top)..(self.at(bottom) + 1)
    }
}

fn lowest_bit(at: usize) -> usize {
    at & at.wrapping_neg()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naive(each: &[f32], y: f64) -> usize {
        let mut sum = 0.0;
        for (row, height) in each.iter().enumerate() {
            sum += f64::from(*height);
            if y < sum {
                return row;
            }
        }
        each.len().saturating_sub(1)
    }

    #[test]
    fn sums_and_places_are_those_of_plain_addition_after_any_corrections() {
        let mut each: Vec<f32> = Vec::new();
        let mut heights = Heights::default();
        let mut seed = 7_u32;
        let mut random = move || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed >> 16
        };
        for _ in 0..777 {
            let height = 40.0 + (random() % 200) as f32;
            each.push(height);
            heights.push(height);
        }
        for _ in 0..500 {
            let row = random() as usize % each.len();
            let height = (random() % 300) as f32;
            each[row] = height;
            heights.set(row, height);
        }
        for rows in 0..=each.len() {
            let sum: f64 = each[..rows].iter().map(|height| f64::from(*height)).sum();
            assert!((heights.before(rows) - sum).abs() < 0.001, "{rows}");
        }
        let total = heights.total();
        for step in 0..2000 {
            let y = total * f64::from(step) / 1990.0;
            assert_eq!(heights.at(y), naive(&each, y), "at {y} of {total}");
        }
    }

    #[test]
    fn a_window_holds_every_row_that_it_touches_and_no_other() {
        let mut heights = Heights::default();
        assert_eq!(heights.window(0.0, 100.0), 0..0, "there is nothing");
        for _ in 0..10 {
            heights.push(50.0);
        }
        assert_eq!(heights.window(-20.0, 99.0), 0..2);
        assert_eq!(heights.window(100.0, 149.0), 2..3);
        assert_eq!(heights.window(480.0, 900.0), 9..10);
        assert_eq!(heights.window(-300.0, -1.0), 0..0, "it is above");
        assert_eq!(heights.window(501.0, 900.0), 0..0, "it is below");
    }

    #[test]
    fn a_correction_says_whether_it_changed_anything() {
        let mut heights = Heights::default();
        heights.push(50.0);
        assert!(!heights.set(0, 50.0));
        assert!(heights.set(0, 51.0));
        assert!(!heights.set(1, 51.0), "there is no such row");
        assert_eq!(heights.total(), 51.0);
    }
}

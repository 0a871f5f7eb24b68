//! The exponential histogram of a window: sums and variances of buckets whose sizes are powers of two.

/// Rows that there is room for; row i has buckets of 2ⁱ values.
const ROWS_MAX: usize = 32;

/// Sum and variance of every bucket, by row from the smallest, oldest bucket first.
pub(super) type Rows = Vec<Vec<[f64; 2]>>;

/// A window in buckets. Variances are sums of squared deviations, not divided.
///
/// Totals and variances lie flat, a row after the other, each with room for one bucket more than may stay.
#[derive(Clone, Debug)]
pub(super) struct Histogram {
    /// Room of a row.
    stride: usize,
    /// Buckets in each row.
    lengths: [u8; ROWS_MAX],
    /// Rows up to the last with a bucket.
    rows: usize,
    totals: Vec<f64>,
    squares: Vec<f64>,
    width: u64,
    total: f64,
    /// Of the whole window.
    deviations: f64,
}

impl PartialEq for Histogram {
    /// What lies beyond the buckets does not count.
    fn eq(&self, other: &Self) -> bool {
        self.stride == other.stride && self.state() == other.state()
    }
}

/// Squared deviations that come from joining two parts of these sizes, with this much between their means.
fn between(n0: f64, n1: f64, difference: f64) -> f64 {
    n0 * n1 * difference * difference / (n0 + n1)
}

fn size(row: usize) -> f64 {
    (1_u64 << row) as f64
}

impl Histogram {
    pub(super) fn new(max_buckets: usize) -> Self {
        let stride = max_buckets + 1;
        Self {
            stride,
            lengths: [0; ROWS_MAX],
            rows: 0,
            totals: vec![0.0; stride * ROWS_MAX],
            squares: vec![0.0; stride * ROWS_MAX],
            width: 0,
            total: 0.0,
            deviations: 0.0,
        }
    }

    pub(super) fn width(&self) -> u64 {
        self.width
    }

    pub(super) fn mean(&self) -> f64 {
        self.total / self.width.max(1) as f64
    }

    pub(super) fn variance(&self) -> f64 {
        // Rounding may leave it a little below 0 after buckets were taken away.
        self.deviations.max(0.0) / self.width.max(1) as f64
    }

    pub(super) fn clear(&mut self) {
        self.lengths = [0; ROWS_MAX];
        (self.rows, self.width) = (0, 0);
        (self.total, self.deviations) = (0.0, 0.0);
    }

    /// Takes a value into the window.
    pub(super) fn push(&mut self, value: f64) {
        if self.width > 0 {
            let before = self.width as f64;
            let deviation = value - self.total / before;
            self.deviations += before * deviation * deviation / (before + 1.0);
        }
        self.width += 1;
        self.total += value;
        self.append(0, value, 0.0);
        let mut row = 0;
        while usize::from(self.lengths[row]) == self.stride {
            if row + 1 == ROWS_MAX {
                self.forget_oldest();
                break;
            }
            self.merge(row);
            row += 1;
        }
    }

    fn append(&mut self, row: usize, total: f64, squares: f64) {
        let at = row * self.stride + usize::from(self.lengths[row]);
        self.totals[at] = total;
        self.squares[at] = squares;
        self.lengths[row] += 1;
        self.rows = self.rows.max(row + 1);
    }

    /// Moves the two oldest buckets of a row into one of the next.
    fn merge(&mut self, row: usize) {
        let at = row * self.stride;
        let n = size(row);
        let [total0, total1] = [self.totals[at], self.totals[at + 1]];
        let apart = between(n, n, total0 / n - total1 / n);
        let squares = self.squares[at] + self.squares[at + 1] + apart;
        self.remove(row, 2);
        self.append(row + 1, total0 + total1, squares);
    }

    /// Takes the oldest buckets off a row.
    fn remove(&mut self, row: usize, count: usize) {
        let start = row * self.stride;
        let end = start + usize::from(self.lengths[row]);
        self.totals.copy_within(start + count..end, start);
        self.squares.copy_within(start + count..end, start);
        self.lengths[row] -= count as u8;
    }

    /// Takes the oldest bucket out of the window.
    pub(super) fn forget_oldest(&mut self) {
        let Some(row) = self.rows.checked_sub(1) else {
            return;
        };
        let at = row * self.stride;
        let (n, total, squares) = (size(row), self.totals[at], self.squares[at]);
        self.remove(row, 1);
        while self.rows > 0 && self.lengths[self.rows - 1] == 0 {
            self.rows -= 1;
        }
        self.width -= 1 << row;
        self.total -= total;
        if self.width == 0 {
            return self.clear();
        }
        let rest = self.width as f64;
        let apart = between(n, rest, total / n - self.total / rest);
        self.deviations -= squares + apart;
    }

    /// Whether there is a border with at least `least` values on both sides whose means differ by more than the bound of
    /// significance `delta`.
    pub(super) fn cut(&self, delta: f64, least: f64) -> bool {
        let width = self.width as f64;
        if self.width < 2 {
            return false;
        }
        let log = libm::log(2.0 * libm::log(width) / delta);
        let spread = 2.0 * self.variance() * log;
        let linear = 2.0 / 3.0 * log;
        let (mut n0, mut n1) = (0.0, width);
        let (mut u0, mut u1) = (0.0, self.total);
        for row in (0..self.rows).rev() {
            let n = size(row);
            let start = row * self.stride;
            for total in &self.totals[start..start + usize::from(self.lengths[row])] {
                n0 += n;
                n1 -= n;
                u0 += total;
                u1 -= total;
                if n1 < least {
                    return false;
                }
                if n0 < least {
                    continue;
                }
                let m = 1.0 / (n0 - least + 1.0) + 1.0 / (n1 - least + 1.0);
                if (u0 / n0 - u1 / n1).abs() > (spread * m).sqrt() + linear * m {
                    return true;
                }
            }
        }
        false
    }

    /// Total, squared deviations and rows.
    pub(super) fn state(&self) -> (f64, f64, Rows) {
        let bucket = |at: usize| [self.totals[at], self.squares[at]];
        let row = |row: usize| {
            let start = row * self.stride;
            let end = start + usize::from(self.lengths[row]);
            (start..end).map(bucket).collect()
        };
        (
            self.total,
            self.deviations,
            (0..self.rows).map(row).collect(),
        )
    }

    /// Takes what [`state`](Self::state) gave, or says what is wrong with it.
    pub(super) fn restore(
        &mut self,
        total: f64,
        deviations: f64,
        rows: &Rows,
    ) -> Result<(), &'static str> {
        self.clear();
        if rows.len() > ROWS_MAX {
            return Err("the snapshot has more rows than there is room for");
        }
        if rows.last().is_some_and(Vec::is_empty) {
            return Err("the last row of the snapshot is empty");
        }
        for (row, buckets) in rows.iter().enumerate() {
            if buckets.len() >= self.stride {
                return Err("a row of the snapshot has more than `max_buckets` buckets");
            }
            for &[total, squares] in buckets {
                self.append(row, total, squares);
                self.width += 1 << row;
            }
        }
        (self.total, self.deviations) = (total, deviations);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Squared deviations from the mean.
    fn deviations(values: &[f64]) -> f64 {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        values.iter().map(|value| (value - mean).powi(2)).sum()
    }

    #[test]
    fn buckets_hold_the_values_in_order() {
        let values: Vec<f64> = (0..1_000).map(|i| f64::from(i * 7919 % 1_009)).collect();
        for max_buckets in [1, 2, 5, 9] {
            let mut histogram = Histogram::new(max_buckets);
            for value in &values {
                histogram.push(*value);
            }
            let (total, all, rows) = histogram.state();
            assert_eq!(total, values.iter().sum::<f64>());
            assert!((all / deviations(&values) - 1.0).abs() < 1e-12);
            let mut rest = &values[..];
            for (row, buckets) in rows.iter().enumerate().rev() {
                assert!(buckets.len() <= max_buckets);
                for [total, squares] in buckets {
                    let (bucket, newer) = rest.split_at(1 << row);
                    assert_eq!(*total, bucket.iter().sum::<f64>());
                    assert!((squares - deviations(bucket)).abs() <= 1e-9 * (1.0 + squares));
                    rest = newer;
                }
            }
            assert!(rest.is_empty());
        }
    }

    #[test]
    fn forgetting_leaves_the_moments_of_the_rest() {
        let values: Vec<f64> = (0..300).map(|i| f64::from(i * i % 97)).collect();
        let mut histogram = Histogram::new(3);
        for value in &values {
            histogram.push(*value);
        }
        while histogram.width() > 0 {
            let rest = &values[values.len() - histogram.width() as usize..];
            assert!((histogram.mean() - rest.iter().sum::<f64>() / rest.len() as f64).abs() < 1e-9);
            let variance = deviations(rest) / rest.len() as f64;
            assert!((histogram.variance() - variance).abs() < 1e-9 * (1.0 + variance));
            histogram.forget_oldest();
        }
        histogram.forget_oldest();
        assert_eq!(histogram, Histogram::new(3));
    }

    #[test]
    fn a_full_window_forgets_its_oldest_bucket() {
        let mut histogram = Histogram::new(1);
        let full = vec![vec![[1.0, 0.0]]; ROWS_MAX];
        histogram.restore(32.0, 0.0, &full).unwrap();
        let width = histogram.width();
        histogram.push(1.0);
        assert!(histogram.width() < width);
        assert!(histogram.state().2.iter().all(|row| row.len() <= 1));
    }
}

//! A numeric column of both files, sorted.

use super::column::cohens_h;
use crate::page::svg::Gap;

/// The values of both sides in ascending order, without what is missing. Infinities are values.
#[derive(Debug)]
pub(super) struct Numbers {
    pub(super) reference: Vec<f64>,
    pub(super) current: Vec<f64>,
}

impl Numbers {
    pub(super) fn new(reference: &[f64], current: &[f64]) -> Self {
        let sorted = |values: &[f64]| {
            let mut values: Vec<f64> = values
                .iter()
                .filter(|x| !x.is_nan())
                // Negative zero is zero.
                .map(|x| x + 0.0)
                .collect();
            values.sort_unstable_by(f64::total_cmp);
            values
        };
        Self {
            reference: sorted(reference),
            current: sorted(current),
        }
    }

    /// The largest Cohen's h between the two cumulative distributions; 0 where a side is empty.
    pub(super) fn effect(&self) -> f64 {
        self.cumulative()
            .map(|(_, f, g)| cohens_h(f, g))
            .fold(0.0, f64::max)
    }

    /// Where the two cumulative distributions are furthest apart.
    pub(super) fn gap(&self) -> Option<Gap> {
        let apart = |(_, f, g): &(f64, f64, f64)| (f - g).abs();
        let furthest = self.cumulative().reduce(|best, next| {
            if apart(&next) > apart(&best) {
                next
            } else {
                best
            }
        });
        furthest.map(|(at, reference, current)| Gap {
            at,
            reference,
            current,
        })
    }

    /// How often either side has the smaller and the larger of exactly two distinct values.
    pub(super) fn two_values(&self) -> Option<[(u64, u64); 2]> {
        let mut cells = self.counts();
        let two = [cells.next()?, cells.next()?];
        cells
            .next()
            .is_none()
            .then_some(two.map(|(_, r, c)| (r as u64, c as u64)))
    }

    /// About what equal values add to the Cramér–von Mises statistic, whose law is that of continuous data.
    ///
    /// Values that tie get the mean of their ranks. A group of a reference and b current values then adds about
    /// n·(a³ − a)/12 + m·(b³ − b)/12 to the sum of squares that is divided by n·m·(n + m).
    pub(super) fn cramer_von_mises_excess(&self) -> f64 {
        let (n, m) = (self.reference.len() as f64, self.current.len() as f64);
        let group = |t: usize| (t as f64).powi(3) - t as f64;
        let sum: f64 = self
            .counts()
            .map(|(_, a, b)| n * group(a) + m * group(b))
            .sum();
        if sum > 0.0 {
            sum / (12.0 * n * m * (n + m))
        } else {
            0.0
        }
    }

    /// Every distinct value in ascending order, and how often either side has it.
    pub(super) fn counts(&self) -> impl Iterator<Item = (f64, usize, usize)> + '_ {
        let (mut r, mut c) = (0, 0);
        std::iter::from_fn(move || {
            let value = match (self.reference.get(r), self.current.get(c)) {
                (Some(&a), Some(&b)) => a.min(b),
                (Some(&only), None) | (None, Some(&only)) => only,
                (None, None) => return None,
            };
            let run = |side: &[f64], from: usize| {
                side[from..].iter().take_while(|x| **x == value).count()
            };
            let (in_reference, in_current) = (run(&self.reference, r), run(&self.current, c));
            r += in_reference;
            c += in_current;
            Some((value, in_reference, in_current))
        })
    }

    /// Every distinct value, and the share of either side up to it; nothing where a side is empty.
    fn cumulative(&self) -> impl Iterator<Item = (f64, f64, f64)> + '_ {
        let (n, m) = (self.reference.len() as f64, self.current.len() as f64);
        let (mut below_r, mut below_c) = (0, 0);
        self.counts()
            .filter(move |_| n > 0.0 && m > 0.0)
            .map(move |(value, r, c)| {
                below_r += r;
                below_c += c;
                (value, below_r as f64 / n, below_c as f64 / m)
            })
    }
}

/// The share of `sorted` at or below `x`.
pub(super) fn share_up_to(sorted: &[f64], x: f64) -> f64 {
    sorted.partition_point(|v| *v <= x) as f64 / sorted.len().max(1) as f64
}

/// The nearest-rank quantile of a sorted sample.
pub(super) fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    Some(sorted[((last as f64 * q).round() as usize).min(last)])
}

/// Mean and standard deviation; none when a side is empty or holds an infinity.
pub(super) fn moments(sorted: &[f64]) -> Option<(f64, f64)> {
    let n = sorted.len() as f64;
    // Scaled, so that neither sum leaves the range of a double.
    let largest = sorted.iter().fold(0.0_f64, |max, x| max.max(x.abs()));
    if sorted.is_empty() || !largest.is_finite() {
        return None;
    }
    let scale = if largest > 0.0 { largest } else { 1.0 };
    let mean = sorted.iter().map(|x| x / scale).sum::<f64>() / n;
    let squares = sorted
        .iter()
        .map(|x| (x / scale - mean).powi(2))
        .sum::<f64>();
    let deviation = (squares / (n - 1.0).max(1.0)).sqrt();
    Some((mean * scale, deviation * scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gap_is_the_largest_difference() {
        let numbers = Numbers::new(&[1.0, 2.0, 3.0, 4.0], &[3.0, 4.0, f64::NAN, 5.0, 6.0]);
        let gap = numbers.gap().expect("both sides have values");
        assert_eq!((gap.at, gap.reference, gap.current), (2.0, 0.5, 0.0));
        assert_eq!(numbers.counts().count(), 6);
        assert_eq!(Numbers::new(&[], &[1.0]).gap(), None);
        assert_eq!(Numbers::new(&[], &[1.0]).effect(), 0.0);
    }

    #[test]
    fn two_values_are_counted() {
        assert_eq!(
            Numbers::new(&[0.0, 1.0, 1.0], &[-0.0]).two_values(),
            Some([(1, 1), (2, 0)])
        );
        assert_eq!(Numbers::new(&[0.0, 1.0, 2.0], &[0.0]).two_values(), None);
        assert_eq!(Numbers::new(&[0.0], &[0.0]).two_values(), None);
    }

    #[test]
    fn moments_of_large_numbers() {
        assert_eq!(moments(&[f64::MAX, f64::MAX]), Some((f64::MAX, 0.0)));
        assert_eq!(moments(&[1.0, 3.0]).map(|m| m.0), Some(2.0));
        assert_eq!(moments(&[]), None);
        assert_eq!(moments(&[f64::INFINITY]), None);
    }
}

//! Tests between two distribution functions that are known at the bins' edges, beyond Kolmogorov–Smirnov's.
//!
//! Inside a bin both functions are taken as linear. What that loses without drift is the noise between the edges, whose
//! expectation is known and added back before a p-value is read off.

use super::ordered::OVERSHOOT;
use super::{BinnedTest, noise, total, totals};
use crate::distribution::{
    cramer_von_mises_upper_tail, kuiper_upper_tail, normal_two_tails, normal_upper_tail,
};
use crate::sample::empirical::{anderson_p_value, anderson_variance};

/// Pooled size from which the limit of the Anderson–Darling variance is taken; it is within 0.2 % there.
const LIMIT_SIZE: f64 = 10_000.0;

/// Variance of the limiting Anderson–Darling statistic of two samples, 2(π² − 9)/3.
const ANDERSON_LIMIT_VARIANCE: f64 = 0.579_736_267_392_905_8;

/// Kuiper's test: the largest gap above plus the largest gap below, 0 to 2.
///
/// **Formula.** V = max(F − G) + max(G − F) over the edges; p-value of V + 2·0.5826/√(B·nₑ) by the formulas of
/// [`sample::empirical::kuiper`](crate::sample::empirical::kuiper), the second term being what B edges miss of two
/// maxima.
///
/// **Error.** V is at most two bins' mass below the value on the raw data, exact where each value has its own bin.
///
/// **When not to use.** For categories. The p-value's 5 % is 4–5 % in simulation, and 3 % when 30 % of the values are equal.
///
/// ```
/// use driftline_stat::binned;
///
/// let test = binned::kuiper(&[10, 20, 10], &[20, 0, 20]).unwrap();
/// assert!((test.statistic - 0.5).abs() < 1e-12);
/// ```
pub fn kuiper(reference: &[u64], current: &[u64]) -> Option<BinnedTest> {
    let (n, m) = totals(reference, current)?;
    let (mut above, mut below) = (0.0_f64, 0.0_f64);
    for gap in Gaps::new(reference, current, n, m) {
        above = above.max(gap.after);
        below = below.max(-gap.after);
    }
    let statistic = above + below;
    let size = n * m / (n + m);
    let cells = occupied(reference, current) as f64;
    let lost = 2.0 * OVERSHOOT / (cells * size).sqrt();
    let p_value = match statistic > 0.0 {
        true => kuiper_upper_tail((statistic + lost).min(2.0), size),
        false => 1.0,
    };
    Some(BinnedTest { statistic, p_value })
}

/// Cramér–von Mises test.
///
/// **Formula.** T = nm/(n + m)·Σ hⱼ·(Dⱼ₋₁² + Dⱼ₋₁Dⱼ + Dⱼ²)/3 + Σ hⱼ²/6, with D the gap at the edges and h the pooled
/// shares. The last sum, about 1/(6B), is the expected noise between the edges. P-value by scipy's standardisation and
/// the limiting law.
///
/// **Error.** Without ties, 1/(6B) or so around the statistic on the raw data without drift; with drift the error of
/// linear interpolation, O(1/B²) of the distance.
///
/// **When not to use.** For categories, and for changes in the tails.
///
/// ```
/// use driftline_stat::binned;
///
/// let test = binned::cramer_von_mises(&[100; 64], &[100; 64]).unwrap();
/// assert!((test.statistic - 1.0 / 384.0).abs() < 1e-12);
/// assert!(test.p_value > 0.999);
/// ```
pub fn cramer_von_mises(reference: &[u64], current: &[u64]) -> Option<BinnedTest> {
    let (n, m) = totals(reference, current)?;
    let size = n + m;
    let (mut area, mut lost) = (0.0, 0.0);
    for Gap {
        share,
        before,
        after,
        ..
    } in Gaps::new(reference, current, n, m)
    {
        area += share * (before * before + before * after + after * after) / 3.0;
        lost += share * share / 6.0;
    }
    let statistic = n * m / size * area + lost;
    let expected = (1.0 + 1.0 / size) / 6.0;
    let (ratio_ref, ratio_cur) = (n / m, m / n);
    // Anderson's variance with everything divided by nm, so that counts near the end of their range cannot overflow.
    let variance = (1.0 + 1.0 / size) * (4.0 - 3.0 * (ratio_ref + ratio_cur) / size - 2.0 / size)
        / (45.0 * 4.0);
    let scaled = 1.0 / 6.0 + (statistic - expected) / (45.0 * variance).sqrt();
    let p_value = if scaled.is_nan() {
        1.0
    } else {
        cramer_von_mises_upper_tail(scaled)
    };
    Some(BinnedTest { statistic, p_value })
}

/// Anderson–Darling test: the squared gap weighted by 1/(H(1 − H)), so that the tails count.
///
/// **Formula.** (A² − 1)/σ with A² = nm/(n + m)·∫D²/(H(1 − H))dH in closed form inside each bin, D being linear in the
/// pooled share H, plus the expected noise between the edges. P-value as
/// [`sample::empirical::anderson_darling`](crate::sample::empirical::anderson_darling), 0.001 to 0.25.
///
/// **Error.** About ln(B)/B around the statistic on the raw data without drift. It sees nothing beyond the outermost
/// edges: give it bins that end in narrow ones (0.1 %).
///
/// ```
/// use driftline_stat::binned;
///
/// let test = binned::anderson_darling(&[100; 64], &[100; 64]).unwrap();
/// assert_eq!(test.p_value, 0.25);
/// ```
pub fn anderson_darling(reference: &[u64], current: &[u64]) -> Option<BinnedTest> {
    let (n, m) = totals(reference, current)?;
    let size = n + m;
    if size < 4.0 || occupied(reference, current) < 2 {
        return None;
    }
    let (mut area, mut lost) = (0.0, 0.0);
    for Gap {
        share,
        from,
        before,
        after,
    } in Gaps::new(reference, current, n, m)
    {
        if share == 0.0 {
            continue;
        }
        let to = (from + share).min(1.0);
        // D = a + b·u on the bin, hence D²/(u(1 − u)) = a²/u + (a + b)²/(1 − u) − b².
        let b = (after - before) / share;
        let (at_zero, at_one) = (before - b * from, after + b * (1.0 - to));
        let left = if from > 0.0 { (to / from).ln() } else { 0.0 };
        let right = if to < 1.0 {
            ((1.0 - from) / (1.0 - to)).ln()
        } else {
            0.0
        };
        area += at_zero * at_zero * left + at_one * at_one * right - b * b * share;
        if to < 1.0 || from > 0.0 {
            lost += 1.0 - (from * to * left + (1.0 - from) * (1.0 - to) * right) / share;
        }
    }
    let squared = n * m / size * area.max(0.0) + lost;
    let variance = match size < LIMIT_SIZE {
        true => anderson_variance(n, m),
        false => ANDERSON_LIMIT_VARIANCE,
    };
    let statistic = (squared - 1.0) / variance.sqrt();
    let p_value = anderson_p_value(statistic);
    Some(BinnedTest { statistic, p_value })
}

/// Mann–Whitney U test, the values of a bin counting as equal.
///
/// **Formula.** U = Σ rⱼ·(cur below j + cⱼ/2), normal with tie and continuity correction.
///
/// **Error.** U/(nm) is within Σ fⱼgⱼ/2, about 1/(2B), of the value on the raw data; the tie correction accounts for what
/// the bins take from the variance.
///
/// ```
/// use driftline_stat::binned;
///
/// let test = binned::mann_whitney(&[5, 5], &[5, 5]).unwrap();
/// assert_eq!((test.statistic, test.p_value), (50.0, 1.0));
/// ```
pub fn mann_whitney(reference: &[u64], current: &[u64]) -> Option<BinnedTest> {
    let (n, m) = totals(reference, current)?;
    let (mut below, mut statistic, mut ties) = (0.0, 0.0, 0.0);
    let size = n + m;
    for (&r, &c) in reference.iter().zip(current) {
        let (r, c) = (r as f64, c as f64);
        statistic += r * (below + c / 2.0);
        below += c;
        let share = (r + c) / size;
        ties += share * (share * (r + c) * (r + c) - 1.0 / size * (r + c) / (r + c).max(1.0));
    }
    // ties is now (Σt³ − Σt)/N up to the empty cells, which add nothing.
    let variance = n * m / 12.0 * ((size + 1.0) - ties / (size - 1.0));
    let larger = statistic.max(n * m - statistic);
    let p_value = match variance > 0.0 {
        true => (2.0 * normal_upper_tail((larger - n * m / 2.0 - 0.5) / variance.sqrt())).min(1.0),
        false => 1.0,
    };
    Some(BinnedTest { statistic, p_value })
}

/// Two-proportion z-test, pooled variance: positive when the reference has the larger share.
///
/// **Formula.** (p₁ − p₂)/√(p(1 − p)(1/n + 1/m)); exact from counts, as
/// [`sample::contingency::z_test`](crate::sample::contingency::z_test). `None` if a side is empty or the share is 0 or 1
/// on both.
///
/// ```
/// use driftline_stat::binned;
///
/// let test = binned::z_test((50, 100), (60, 100)).unwrap();
/// assert!((test.statistic + (200.0_f64 / 99.0).sqrt()).abs() < 1e-12);
/// ```
pub fn z_test(reference: (u64, u64), current: (u64, u64)) -> Option<BinnedTest> {
    let noise = noise(reference.1, current.1)?;
    let share = |(hits, of): (u64, u64)| (hits as f64 / of as f64).min(1.0);
    let pooled = total(&[reference.0, current.0]) / total(&[reference.1, current.1]);
    let error = (pooled * (1.0 - pooled) * noise).sqrt();
    if error.is_nan() || error <= 0.0 {
        return None;
    }
    let statistic = (share(reference) - share(current)) / error;
    let p_value = normal_two_tails(statistic);
    Some(BinnedTest { statistic, p_value })
}

/// The cells that hold anything.
fn occupied(reference: &[u64], current: &[u64]) -> usize {
    reference
        .iter()
        .zip(current)
        .filter(|&cell| cell != (&0, &0))
        .count()
}

/// The gap F − G of the distribution functions at both ends of a bin.
struct Gap {
    /// The bin's pooled share, and that of everything below it.
    share: f64,
    from: f64,
    before: f64,
    after: f64,
}

struct Gaps<'a> {
    cells: std::iter::Zip<std::slice::Iter<'a, u64>, std::slice::Iter<'a, u64>>,
    sizes: (f64, f64),
    below: (u128, u128),
}

impl<'a> Gaps<'a> {
    fn new(reference: &'a [u64], current: &'a [u64], n: f64, m: f64) -> Self {
        let cells = reference.iter().zip(current);
        let (sizes, below) = ((n, m), (0, 0));
        Self {
            cells,
            sizes,
            below,
        }
    }

    fn gap(&self) -> f64 {
        self.below.0 as f64 / self.sizes.0 - self.below.1 as f64 / self.sizes.1
    }
}

impl Iterator for Gaps<'_> {
    type Item = Gap;

    fn next(&mut self) -> Option<Gap> {
        let (&r, &c) = self.cells.next()?;
        let size = self.sizes.0 + self.sizes.1;
        let (share, from) = (
            (r as f64 + c as f64) / size,
            (self.below.0 as f64 + self.below.1 as f64) / size,
        );
        let before = self.gap();
        self.below = (self.below.0 + u128::from(r), self.below.1 + u128::from(c));
        let after = self.gap();
        Some(Gap {
            share,
            from,
            before,
            after,
        })
    }
}

//! Exact laws of the Kolmogorov–Smirnov and the Cramér–von Mises statistic of two samples without ties.
//!
//! Without drift each order of the pooled values is equally likely, so each lattice path from (0, 0) to (n, m) is.

pub(super) fn greatest_common_divisor(mut a: usize, mut b: usize) -> usize {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The share of paths that reach a gap of at least `gap` (in units of one over the least common multiple).
pub(super) fn smirnov_upper_tail(n: usize, m: usize, gap: u128) -> f64 {
    let divisor = greatest_common_divisor(n, m);
    if gap == 0 {
        1.0
    } else if n == m {
        equal_sizes(n, gap as usize)
    } else {
        unequal_sizes(n.max(m), n.min(m), divisor, gap as i64)
    }
}

/// Reflection gives 2·Σ (−1)^(k+1)·C(2n, n − kh)/C(2n, n), which Horner's scheme turns into a product of factors below
/// one, free of cancellation.
fn equal_sizes(n: usize, gap: usize) -> f64 {
    let mut tail = 0.0;
    for k in (0..=n / gap).rev() {
        let reached = k * gap;
        let mut ratio = 1.0;
        for j in 0..gap.min(n - reached) {
            ratio *= (n - reached - j) as f64 / (n + reached + j + 1) as f64;
        }
        if n - reached < gap {
            ratio = 0.0;
        }
        tail = ratio * (1.0 - tail);
    }
    2.0 * tail
}

/// The share A(i, j) of paths to (i, j) that have been outside the band obeys A(i, j) = A(i − 1, j)·i/(i + j) +
/// A(i, j − 1)·j/(i + j) inside and is 1 outside. All terms are positive, so small shares keep their digits, and only
/// the inside is visited.
fn unequal_sizes(n: usize, m: usize, divisor: usize, gap: i64) -> f64 {
    let (step_i, step_j) = ((m / divisor) as i64, (n / divisor) as i64);
    let weights: Vec<f64> = (0..=n + m).map(|sum| 1.0 / sum.max(1) as f64).collect();
    // Inside means |i·step_i − j·step_j| < gap.
    let mut outside = vec![1.0_f64; m + 1];
    for i in 0..=n {
        let at = i as i64 * step_i;
        let low = ((at - gap).div_euclid(step_j) + 1).max(0) as usize;
        let high = ((at + gap - 1).div_euclid(step_j)).min(m as i64);
        if high < low as i64 {
            // The band is narrower than a step: every path has been outside.
            return 1.0;
        }
        let mut left = 1.0;
        for j in low..=high as usize {
            let share = if i + j == 0 {
                0.0
            } else {
                (outside[j] * i as f64 + left * j as f64) * weights[i + j]
            };
            outside[j] = share;
            left = share;
        }
    }
    outside[m]
}

/// The share of paths whose statistic T is at least the observed one, which `excess` gives as 24·nm·(n + m)·T.
///
/// Xiao, Gordon and Yakovlev's recursion over the number of paths to (u, v) by the sum ζ of (a·v − b·u)² along them,
/// with a = L/n, b = L/m and L the least common multiple. Sums that have reached the observed ζ are only counted, which
/// keeps the tables small.
pub(super) fn cramer_von_mises_upper_tail(n: usize, m: usize, excess: i128) -> f64 {
    let common = (n / greatest_common_divisor(n, m) * m) as i128;
    let product = (n * m) as i128;
    let scaled = common * common * (n + m) as i128 * excess;
    let observed = scaled.div_euclid(24 * product * product);
    if observed <= 0 {
        return 1.0;
    }
    let observed = observed as u64;
    let (a, b) = (common as i64 / n as i64, common as i64 / m as i64);
    let mut row: Vec<Paths> = vec![Paths::default(); n + 1];
    for u in 0..=m {
        let mut left = Paths::default();
        for (v, cell) in row.iter_mut().enumerate() {
            let mut paths = if u == 0 && v == 0 {
                Paths {
                    sums: vec![(0, 1)],
                    reached: 0,
                }
            } else {
                Paths::join(&left, cell)
            };
            let gap = a * v as i64 - b * u as i64;
            paths.add(gap.unsigned_abs() * gap.unsigned_abs(), observed);
            cell.clone_from(&paths);
            left = paths;
        }
    }
    let end = &row[n];
    let all: u64 = end.reached + end.sums.iter().map(|(_, count)| count).sum::<u64>();
    end.reached as f64 / all as f64
}

/// How many paths have each sum, ascending, and how many have reached the observed one.
#[derive(Clone, Debug, Default)]
struct Paths {
    sums: Vec<(u64, u64)>,
    reached: u64,
}

impl Paths {
    fn join(a: &Self, b: &Self) -> Self {
        let mut sums = Vec::with_capacity(a.sums.len() + b.sums.len());
        let (mut left, mut right) = (a.sums.iter().peekable(), b.sums.iter().peekable());
        loop {
            let next = match (left.peek(), right.peek()) {
                (Some(l), Some(r)) if l.0 == r.0 => {
                    let both = (l.0, l.1 + r.1);
                    left.next();
                    right.next();
                    both
                }
                (Some(l), Some(r)) if l.0 > r.0 => {
                    let r = **r;
                    right.next();
                    r
                }
                (Some(&&l), _) => {
                    left.next();
                    l
                }
                (None, Some(&&r)) => {
                    right.next();
                    r
                }
                (None, None) => break,
            };
            sums.push(next);
        }
        Self {
            sums,
            reached: a.reached + b.reached,
        }
    }

    fn add(&mut self, amount: u64, observed: u64) {
        let kept = self
            .sums
            .partition_point(|(sum, _)| sum + amount < observed);
        self.reached += self.sums.drain(kept..).map(|(_, count)| count).sum::<u64>();
        for (sum, _) in &mut self.sums {
            *sum += amount;
        }
    }
}

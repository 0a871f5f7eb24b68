//! Exact limits of a Poisson rate.

/// The expected count at which `count` or fewer have the probability `tail`: Garwood's upper limit.
///
/// F. Garwood, "Fiducial limits for the Poisson distribution", Biometrika 1936.
pub fn poisson_upper(count: u64, tail: f64) -> f64 {
    search(count, |lower_tail| lower_tail > tail)
}

/// The expected count at which `count` or more have the probability `tail`: Garwood's lower limit, 0 for none.
pub fn poisson_lower(count: u64, tail: f64) -> f64 {
    match count.checked_sub(1) {
        Some(fewer) => search(fewer, |lower_tail| lower_tail > 1.0 - tail),
        None => 0.0,
    }
}

/// The mean at which P(X ≤ count) no longer fulfils `above`, to about 14 digits.
fn search(count: u64, above: impl Fn(f64) -> bool) -> f64 {
    let count = count as f64;
    let (mut low, mut high) = (0.0, count + 20.0 * (count + 1.0).sqrt() + 50.0);
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if above(lower_tail(count, middle)) {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// P(X ≤ count) for a Poisson X: terms downwards from the last, which is the largest or near it.
fn lower_tail(count: f64, mean: f64) -> f64 {
    if mean <= 0.0 {
        return 1.0;
    }
    let mut term = libm::exp(count * libm::log(mean) - mean - libm::lgamma(count + 1.0));
    if mean < count {
        // From the other side, so that the sum converges.
        let (mut sum, mut k) = (0.0, count);
        while term > 1e-18 && k < count + 10_000.0 {
            k += 1.0;
            term *= mean / k;
            sum += term;
        }
        return 1.0 - sum;
    }
    let (mut sum, mut k) = (0.0, count);
    while k >= 0.0 && term > 1e-18 {
        sum += term;
        term *= k / mean;
        k -= 1.0;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scipy.stats.chi2.ppf: Garwood's limits as half a chi-square quantile.
    #[test]
    fn the_limits_are_garwoods() {
        for (count, lower, upper) in [
            (0, 0.0, 3.688_879_454),
            (1, 0.025_317_808, 5.571_643_391),
            (5, 1.623_486_39, 11.668_332_08),
            (84, 67.001_5, 103.997_0),
        ] {
            assert!(
                (poisson_lower(count, 0.025) - lower).abs() < 2e-3 * (1.0 + lower),
                "{count}"
            );
            assert!(
                (poisson_upper(count, 0.025) - upper).abs() < 2e-3 * upper,
                "{count}"
            );
        }
        assert!((poisson_upper(0, 0.05) - 2.995_732_274).abs() < 1e-8);
    }
}
